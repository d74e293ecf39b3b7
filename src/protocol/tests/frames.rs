//! Frames as SDKs send and read them, byte for byte.

use std::collections::BTreeMap;

use bytes::Bytes;
use expect_test::{Expect, expect};

use crate::base::Encoding;
use crate::protocol::{
    ClientInfo, ConnectResult, ErrorCode, Publication, Push, PushBody, PushTarget, Reply, Request,
    SubsEntry, SubscribeResult, decode_commands, encode_push_body, encode_reply, ping, push_head,
};

/// The requests of a frame, one a line, the fault of the first bad command last.
fn read(encoding: Encoding, frame: impl Into<Bytes>, expected: &Expect) {
    let lines: Vec<String> = decode_commands(encoding, &frame.into())
        .map(|item| match item {
            Err(fault) => format!("fault: {fault}"),
            Ok(command) => {
                let (id, request) = command.into_request();
                format!("{id} {}", brief(&request))
            }
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

/// A request without its empty fields.
fn brief(request: &Request) -> String {
    let debug = format!("{request:?}");
    let kind = debug.split('(').next().unwrap_or_default().to_owned();
    let json = match request {
        Request::Connect(request) => serde_json::to_string(request),
        Request::Subscribe(request) => serde_json::to_string(request),
        Request::Unsubscribe(request) => serde_json::to_string(request),
        Request::Publish(request) => serde_json::to_string(request),
        Request::Presence(request) => serde_json::to_string(request),
        Request::PresenceStats(request) => serde_json::to_string(request),
        Request::History(request) => serde_json::to_string(request),
        Request::Ping(request) => serde_json::to_string(request),
        Request::Send(request) => serde_json::to_string(request),
        Request::Rpc(request) => serde_json::to_string(request),
        Request::Refresh(request) => serde_json::to_string(request),
        Request::SubRefresh(request) => serde_json::to_string(request),
        Request::Pong | Request::Missing => Ok(String::new()),
    };
    format!("{kind} {}", json.unwrap()).trim_end().to_owned()
}

fn json(frame: &'static str, expected: &Expect) {
    read(Encoding::Json, frame, expected);
}

/// Protobuf: each part behind its length.
fn protobuf(commands: &[&[u8]], expected: &Expect) {
    let mut frame = Vec::new();
    for command in commands {
        frame.push(u8::try_from(command.len()).unwrap());
        frame.extend_from_slice(command);
    }
    read(Encoding::Protobuf, frame, expected);
}

#[test]
fn javascript_connects_and_subscribes_in_one_frame() {
    json(
        concat!(
            r#"{"connect":{"token":"t","name":"js","version":"5"},"id":1}"#,
            "\n",
            r#"{"subscribe":{"channel":"alerts:all","recover":true,"epoch":"xyz","#,
            r#""offset":18446744073709551615,"flag":1,"data":{"near":{"lat":52.52}}},"id":2}"#,
        ),
        &expect![[r#"
            1 Connect {"token":"t","name":"js","version":"5"}
            2 Subscribe {"channel":"alerts:all","recover":true,"epoch":"xyz","offset":18446744073709551615,"data":{"near":{"lat":52.52}},"flag":1}"#]],
    );
    protobuf(
        &[
            b"\x08\x01\x22\x03\x0a\x01t",
            b"\x08\x02\x2a\x0c\x0a\x01a\x18\x01\x32\x01e\x38\x05\x70\x01",
        ],
        &expect![[r#"
            1 Connect {"token":"t"}
            2 Subscribe {"channel":"a","recover":true,"epoch":"e","offset":5,"flag":1}"#]],
    );
}

#[test]
fn an_empty_command_is_a_pong() {
    json("{}", &expect!["0 Pong"]);
    read(Encoding::Protobuf, &b"\0"[..], &expect!["0 Pong"]);
    json(r#"{"id":7}"#, &expect!["7 Missing"]);
    json(
        "{}\n{\"id\":3,\"ping\":{}}\n",
        &expect![[r#"
        0 Pong
        3 Ping {}"#]],
    );
}

#[test]
fn blank_lines_are_skipped_but_a_frame_has_a_command() {
    json(
        "\n \r\n{}\r\n\t\n{}\n\n",
        &expect![[r#"
        0 Pong
        0 Pong"#]],
    );
    for blank in ["", "\n", " \r\n\n "] {
        json(blank, &expect!["fault: no command in the frame"]);
    }
    read(Encoding::Protobuf, "", &expect!["fault: no command in the frame"]);
}

#[test]
fn commands_before_a_bad_one_are_read() {
    json(
        "{\"id\":1,\"ping\":{}}\n{\"id\":\n{}",
        &expect![[r#"
            1 Ping {}
            fault: id: EOF while parsing a value, at byte 6"#]],
    );
    protobuf(
        &[b"\x08\x01\x5a\x00", b"\x08"],
        &expect![[r#"
        1 Ping {}
        fault: failed to decode Protobuf message: Command.id: invalid varint"#]],
    );
}

#[test]
fn faults_name_their_field() {
    for (frame, expected) in [
        (r#"{"id":-1}"#, expect!["fault: id: expected u32, at byte 7"]),
        (r#"{"id":4294967296}"#, expect!["fault: id: expected u32, at byte 15"]),
        (r#"{"id":1.0}"#, expect!["fault: id: expected u32, at byte 8"]),
        (r#"{"id":"1"}"#, expect!["fault: id: expected u32, at byte 8"]),
        (
            r#"{"subscribe":{"offset":18446744073709551616}}"#,
            expect!["fault: subscribe: offset: expected u64, at byte 42"],
        ),
        (
            r#"{"subscribe":{"channel":7}}"#,
            expect!["fault: subscribe: channel: expected a string, at byte 24"],
        ),
        (
            r#"{"subscribe":{"limit":2147483648}}"#,
            expect!["fault: subscribe: limit: expected i32, at byte 31"],
        ),
        (
            r#"{"subscribe":{"tf":{"nodes":[{"vals":[1]}]}}}"#,
            expect!["fault: subscribe: tf: nodes: vals: expected a string, at byte 38"],
        ),
        (
            r#"{"connect":{"subs":{"secret":5}}}"#,
            expect!["fault: connect: subs: expected an object, at byte 29"],
        ),
        (r#"{"connect":[]}"#, expect!["fault: connect: expected an object, at byte 10"]),
        ("[]", expect!["fault: expected an object, at byte 0"]),
        ("1", expect!["fault: expected an object, at byte 0"]),
        (r#"{"rpc":{"data":{"a":01}}}"#, expect!["fault: rpc: data: invalid number, at byte 21"]),
        (r#"{"id":1} {}"#, expect!["fault: trailing characters, at byte 9"]),
        (r#"{"rpc":{"data":"\x"}}"#, expect!["fault: rpc: data: invalid escape, at byte 17"]),
    ] {
        json(frame, &expected);
    }
    read(Encoding::Json, &b"{\"rpc\":{\"method\":\"\xff\"}}"[..], &expect!["fault: not UTF-8"]);
    // A string where a message is due.
    protobuf(
        &[b"\x22\x02\x0a\x05"],
        &expect![
            "fault: failed to decode Protobuf message: ConnectRequest.token: Command.connect: buffer underflow"
        ],
    );
    protobuf(
        &[b"\x20\x01"],
        &expect![
            "fault: failed to decode Protobuf message: Command.connect: invalid wire type: Varint (expected LengthDelimited)"
        ],
    );
    protobuf(
        &[b"\x22\x03\x0a\x01\xff"],
        &expect![
            "fault: failed to decode Protobuf message: ConnectRequest.token: Command.connect: invalid string value: data is not UTF-8 encoded"
        ],
    );
}

#[test]
fn null_is_absence_except_in_data() {
    json(
        r#"{"id":1,"connect":null,"publish":{"channel":"a","data":null,"key":null,"removed":null}}"#,
        &expect![[r#"1 Publish {"channel":"a","data":null}"#]],
    );
}

#[test]
fn unknown_fields_are_skipped_and_the_last_counts() {
    json(
        r#"{"x":[{"y":"\""}],"id":1,"id":2,"rpc":{"method":"a","data":[1, 2],"z":null,"metho\u0064":"b"}}"#,
        &expect![[r#"2 Rpc {"data":[1, 2],"method":"b"}"#]],
    );
    protobuf(&[b"\x08\x01\x08\x02\xf2\x01\x01x\x5a\x00"], &expect!["2 Ping {}"]);
}

#[test]
fn the_first_request_counts() {
    json(
        r#"{"id":1,"sub_refresh":{},"rpc":{},"unsubscribe":{"channel":"a"}}"#,
        &expect![[r#"1 Unsubscribe {"channel":"a"}"#]],
    );
}

#[test]
fn every_request_has_its_number() {
    protobuf(
        &[
            b"\x22\x00",
            b"\x2a\x00",
            b"\x32\x00",
            b"\x3a\x00",
            b"\x42\x00",
            b"\x4a\x00",
            b"\x52\x00",
            b"\x5a\x00",
            b"\x62\x00",
            b"\x6a\x00",
            b"\x72\x00",
            b"\x7a\x00",
        ],
        &expect![[r#"
            0 Connect {}
            0 Subscribe {}
            0 Unsubscribe {}
            0 Publish {}
            0 Presence {}
            0 PresenceStats {}
            0 History {}
            0 Ping {}
            0 Send {}
            0 Rpc {}
            0 Refresh {}
            0 SubRefresh {}"#]],
    );
    protobuf(
        &[
            b"\x3a\x0a\x0a\x01a\x12\x01\x31\x18\x01\x28\x01",
            b"\x52\x0e\x0a\x01a\x38\x05\x42\x05\x08\x09\x12\x01e\x48\x01",
            b"\x6a\x06\x0a\x01\x31\x12\x01m",
            b"\x7a\x11\x0a\x01a\x18\x01\x22\x0a\x0a\x01s\x12\x05\x0a\x01k\x10\x03",
        ],
        &expect![[r#"
            0 Publish {"channel":"a","data":1,"type":1,"removed":true}
            0 History {"channel":"a","limit":5,"since":{"offset":9,"epoch":"e"},"reverse":true}
            0 Rpc {"data":1,"method":"m"}
            0 SubRefresh {"channel":"a","type":1,"track":[{"signature":"s","items":[{"key":"k","version":3}]}]}"#]],
    );
}

#[test]
fn pings_are_empty_messages() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        assert_eq!(ping(encoding), encode_reply(encoding, &Reply::default()));
    }
    assert_eq!(ping(Encoding::Json), "{}");
    assert_eq!(ping(Encoding::Protobuf), "\0");
}

#[track_caller]
fn written(reply: &Reply, json: &Expect, protobuf: &Expect) {
    let text = encode_reply(Encoding::Json, reply);
    json.assert_eq(std::str::from_utf8(&text).unwrap());
    protobuf.assert_eq(&encode_reply(Encoding::Protobuf, reply).escape_ascii().to_string());
}

#[test]
fn replies_are_written_for_sdks() {
    let connect = ConnectResult {
        client: "c".into(),
        version: "6".into(),
        ping: 25,
        pong: true,
        ..ConnectResult::default()
    };
    written(
        &Reply { id: 1, connect: Some(connect), ..Reply::default() },
        &expect![[r#"{"id":1,"connect":{"client":"c","version":"6","ping":25,"pong":true}}"#]],
        &expect![[r#"\x0e\x08\x01*\n\n\x01c\x12\x0168\x19@\x01"#]],
    );

    let subscribe = SubscribeResult {
        recoverable: true,
        epoch: "e".into(),
        offset: 7,
        was_recovering: true,
        recovered: true,
        publications: vec![Publication {
            data: "{\"a\": 1}".into(),
            offset: 8,
            tags: BTreeMap::from([("k".into(), "v".into())]),
            info: Some(ClientInfo {
                user: "u".into(),
                client: "c".into(),
                ..ClientInfo::default()
            }),
            score: -1,
            ..Publication::default()
        }],
        ..SubscribeResult::default()
    };
    written(
        &Reply { id: 2, subscribe: Some(subscribe), ..Reply::default() },
        &expect![[
            r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","publications":[{"data":{"a": 1},"info":{"user":"u","client":"c"},"offset":8,"tags":{"k":"v"},"score":-1}],"recovered":true,"offset":7,"was_recovering":true}}"#
        ]],
        &expect![[
            r#"/\x08\x022+\x18\x012\x01e:\x1e\"\x08{\"a\": 1}*\x06\n\x01u\x12\x01c0\x08:\x06\n\x01k\x12\x01vh\x01@\x01H\x07`\x01"#
        ]],
    );

    let error = Some(ErrorCode::TooManyRequests.into());
    written(
        &Reply { id: 3, error, ..Reply::default() },
        &expect![[
            r#"{"id":3,"error":{"code":111,"message":"too many requests","temporary":true}}"#
        ]],
        &expect![[r#"\x1b\x08\x03\x12\x17\x08o\x12\x11too many requests\x18\x01"#]],
    );

    let r#pub = Some(Publication { data: "1".into(), ..Publication::default() });
    let push = Some(Push { channel: "a".into(), r#pub, ..Push::default() });
    written(
        &Reply { push, ..Reply::default() },
        &expect![[r#"{"push":{"channel":"a","pub":{"data":1}}}"#]],
        &expect![[r#"\n\"\x08\x12\x01a\"\x03\"\x011"#]],
    );
}

#[test]
fn heads_are_short() {
    let event = PushBody::Pub(Publication { data: "1".into(), ..Publication::default() });
    let mut frames = Vec::new();
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let body = encode_push_body(encoding, &event);
        for target in [PushTarget::Channel("a\"b"), PushTarget::Id(300), PushTarget::Session] {
            let mut head = Vec::new();
            push_head(encoding, &target, body.len(), &mut head);
            frames.push(format!("{} | {}", head.escape_ascii(), body.escape_ascii()));
        }
    }
    expect![[r#"
        {\"push\":{\"channel\":\"a\\\"b\", | \"pub\":{\"data\":1}}}
        {\"push\":{\"id\":300, | \"pub\":{\"data\":1}}}
        {\"push\":{ | \"pub\":{\"data\":1}}}
        \x0c\"\n\x12\x03a\"b | \"\x03\"\x011
        \n\"\x08\x08\xac\x02 | \"\x03\"\x011
        \x07\"\x05 | \"\x03\"\x011"#]]
    .assert_eq(&frames.join("\n"));
}

/// centrifuge-js reads an absent value of the map as `null` and fails on it.
#[test]
fn a_server_side_subscription_without_properties_is_written_with_an_empty_result() {
    let subs = vec![SubsEntry::new("a".to_owned(), SubscribeResult::default())];
    let reply = Reply {
        id: 1,
        connect: Some(ConnectResult { subs, ..ConnectResult::default() }),
        ..Reply::default()
    };
    let protobuf = encode_reply(Encoding::Protobuf, &reply);
    assert!(protobuf.ends_with(b"\x32\x05\x0a\x01a\x12\x00"), "{protobuf:?}");
    let json = encode_reply(Encoding::Json, &reply);
    assert_eq!(&json[..], br#"{"id":1,"connect":{"subs":{"a":{}}}}"#);
}
