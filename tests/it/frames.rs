//! Frames and messages that break a rule, each with its answer.

use crate::client::{Client, Heard};
use crate::node::Node;
use crate::raw::{BINARY, CLOSE, LAST, PING, PONG, Raw, TEXT, announce, frame};

use serde_json::{Value, json};

const MESSAGE_BYTES: usize = 65_536;

/// Opens a connection, sends bytes as they stand: the code of the close frame.
async fn code(node: &Node, query: &str, bytes: &[u8]) -> Option<u16> {
    let mut raw = Raw::open(node.http, query).await;
    raw.write(bytes).await;
    raw.close_code().await
}

fn text(text: &str) -> Vec<u8> {
    frame(LAST | TEXT, text.as_bytes())
}

#[tokio::test]
async fn broken_websocket_frames_are_closed_with_the_codes_of_the_rfc() {
    let node = Node::start(&[]).await;
    let unmasked = [&[LAST | TEXT, 2][..], b"{}"].concat();
    let cases: &[(&str, Vec<u8>, u16)] = &[
        ("unmasked", unmasked, 1002),
        ("reserved bit", frame(LAST | 0x40 | TEXT, b"{}"), 1002),
        ("reserved opcode", frame(LAST | 0x3, b"{}"), 1002),
        ("reserved control opcode", frame(LAST | 0xB, b""), 1002),
        ("continuation of nothing", frame(LAST, b"{}"), 1002),
        ("message within a message", [frame(TEXT, b"{"), frame(LAST | TEXT, b"}")].concat(), 1002),
        ("fragmented ping", frame(PING, b""), 1002),
        ("ping of 126 bytes", frame(LAST | PING, &[b'x'; 126]), 1002),
        ("close of one byte", frame(LAST | CLOSE, &[3]), 1002),
        ("close with a code that is none", frame(LAST | CLOSE, &1005u16.to_be_bytes()), 1002),
        ("length over 63 bits", announce(LAST | TEXT, u64::MAX), 1002),
        ("invalid UTF-8", frame(LAST | TEXT, b"{\"id\":\"\xff\xfe\"}"), 1007),
        ("UTF-8 cut at the end", frame(LAST | TEXT, b"\xe2\x82"), 1007),
        ("close with invalid UTF-8", frame(LAST | CLOSE, &[3, 0xE8, 0xFF]), 1007),
        ("huge announcement", announce(LAST | TEXT, 1 << 40), 1009),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(code(&node, "", bytes).await, Some(*expected), "{name}");
    }
    // The rules of the RFC come before those of the protocol, whichever codec.
    let query = "?cf_protocol=protobuf";
    let bad_utf8 = frame(LAST | TEXT, b"\xff");
    assert_eq!(code(&node, query, &bad_utf8).await, Some(1007));
    let huge = announce(LAST | TEXT, 1 << 20);
    assert_eq!(code(&node, query, &huge).await, Some(1009));
    Client::connect(&node).await;
}

#[tokio::test]
async fn a_message_may_have_65536_bytes_and_no_more() {
    let node = Node::start(&[]).await;
    let connect = |length: usize| {
        let mut text = r#"{"id":1,"connect":{}}"#.to_owned();
        text.push_str(&" ".repeat(length - text.len()));
        text
    };
    let mut raw = Raw::open(node.http, "").await;
    raw.text(&connect(MESSAGE_BYTES)).await;
    let (_, reply) = raw.frame().await.unwrap();
    assert!(String::from_utf8(reply).unwrap().contains("\"connect\""));
    assert_eq!(code(&node, "", &text(&connect(MESSAGE_BYTES + 1))).await, Some(1009));
    // The sum of fragments counts.
    let whole = connect(MESSAGE_BYTES + 1);
    let (first, last) = whole.as_bytes().split_at(40_000);
    let parts = [frame(TEXT, first), frame(LAST, last)].concat();
    assert_eq!(code(&node, "", &parts).await, Some(1009));
    // In Protobuf too.
    let query = "?cf_protocol=protobuf";
    let large = frame(LAST | BINARY, &vec![0; MESSAGE_BYTES + 1]);
    assert_eq!(code(&node, query, &large).await, Some(1009));
}

#[tokio::test]
async fn a_frame_that_is_cut_off_leaves_nothing_behind() {
    let node = Node::start(&[]).await;
    for length in 0..40 {
        let mut raw = Raw::open(node.http, "").await;
        raw.write(&text(r#"{"id":1,"connect":{}}"#)[..length.min(26)]).await;
    }
    node.wait_for_metric("nearcast_client_connections_inflight{transport=\"websocket\"}", 0).await;
    assert_eq!(node.metric("nearcast_node_num_clients").await, 0);
}

#[tokio::test]
async fn json_that_is_no_command_is_a_bad_request() {
    let node = Node::start(&[]).await;
    let bomb = format!(r#"{{"id":1,"connect":{{"data":{}"#, "[".repeat(60_000));
    let keys = format!(r#"{{"id":1,"connect":{{"data":{}"#, r#"{"a":"#.repeat(12_000));
    let closed_bomb =
        format!(r#"{{"id":1,"connect":{{"data":{}{}}}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    let frames = [
        "",
        "\n\n",
        " ",
        "null",
        "[]",
        "1",
        "\"connect\"",
        "{",
        "{\"id\":1,\"connect\":{}}}",
        r#"{"id":1}"#,
        "{}",
        r#"{"connect":{}}"#,
        r#"{"id":0,"connect":{}}"#,
        r#"{"id":-1,"connect":{}}"#,
        r#"{"id":4294967296,"connect":{}}"#,
        r#"{"id":1.5,"connect":{}}"#,
        r#"{"id":"1","connect":{}}"#,
        r#"{"id":1,"connect":[]}"#,
        r#"{"id":1,"connect":"x"}"#,
        r#"{"id":1,"connect":{"token":7}}"#,
        r#"{"id":1,"connect":{"subs":[]}}"#,
        r#"{"id":1,"connect":{"headers":{"a":1}}}"#,
        r#"{"id":1,"subscribe":{"channel":"a"}}"#,
        r#"{"id":1,"ping":{}}"#,
        r#"{"send":{"data":{}}}"#,
        &bomb,
        &keys,
        &closed_bomb,
    ];
    for sent in frames {
        let shown: String = sent.chars().take(60).collect();
        assert_eq!(code(&node, "", &text(sent)).await, Some(3501), "{shown:?}");
    }
    Client::connect(&node).await;
}

#[tokio::test]
async fn protobuf_that_is_no_command_is_a_bad_request() {
    let node = Node::start(&[]).await;
    let length_2_60 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    let frames: [&[u8]; 9] = [
        b"",
        &length_2_60,
        &[0xFF; 10],
        &[0x80],
        // Two bytes announced, one there.
        &[2, 8],
        // An id without a request.
        &[2, 8, 1],
        // A connect of 2^60 bytes within a short message.
        &[10, 0x22, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
        // Wire types that do not exist.
        &[2, 0x0F, 0x0F],
        // A pong before the connect.
        &[0],
    ];
    for bytes in frames {
        let sent = frame(LAST | BINARY, bytes);
        assert_eq!(code(&node, "?cf_protocol=protobuf", &sent).await, Some(3501), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_frame_of_the_other_codec_is_inappropriate() {
    let node = Node::start(&[]).await;
    let connect = br#"{"id":1,"connect":{}}"#;
    let binary = frame(LAST | BINARY, connect);
    assert_eq!(code(&node, "", &binary).await, Some(3506));
    assert_eq!(code(&node, "?cf_protocol=protobuf", &text("{}")).await, Some(3506));
    // After the connect as well; empty messages too.
    let mut client = Raw::open(node.http, "").await;
    client.text(r#"{"id":1,"connect":{}}"#).await;
    client.binary(b"").await;
    assert!(client.frame().await.is_some());
    assert_eq!(client.close_code().await, Some(3506));
}

#[tokio::test]
async fn what_came_before_a_bad_command_is_answered_before_the_close() {
    let node = Node::start(&[]).await;
    let connect = r#"{"id":1,"connect":{}}"#;
    let subscribe = r#"{"id":2,"subscribe":{"channel":"a"}}"#;
    let publish = r#"{"id":3,"publish":{"channel":"a","data":{"n":1}}}"#;
    let bad = [
        "nonsense",
        r#"{"id":4}"#,
        r#"{"id":4,"connect":{}}"#,
        r#"{"subscribe":{"channel":"b"}}"#,
        r#"{"id":0,"publish":{"channel":"a","data":{}}}"#,
        r#"{"id":4,"subscribe":{"channel":7}}"#,
        r#"{"id":4,"history":{"channel":"a","limit":"many"}}"#,
        "{}",
    ];
    for last in bad {
        let mut client = Client::open(&node).await;
        let after = r#"{"id":9,"ping":{}}"#;
        client.say_text([connect, subscribe, publish, last, after].join("\n")).await;
        let (messages, end) = client.rest().await;
        let ids: Vec<u64> = messages.iter().filter_map(|message| message["id"].as_u64()).collect();
        assert_eq!(ids, [1, 2, 3], "{last}: {messages:?}");
        assert!(messages.iter().all(|message| message["error"].is_null()), "{messages:?}");
        assert!(matches!(end, Heard::Closed(3501, _)), "{last}: {end:?}");
    }
}

#[tokio::test]
async fn unknown_fields_are_no_fault() {
    let node = Node::start(&[]).await;
    let mut client = Client::open(&node).await;
    let connect = json!({"connect": {"future": [1, {"a": null}], "name": "js"}, "other": "x"});
    let reply = client.ask(connect).await;
    assert!(reply["connect"]["client"].is_string(), "{reply}");
    let reply = client.ask(json!({"id": 0, "connect": null, "ping": {"a": 1}})).await;
    assert_eq!(reply["error"], Value::Null);
}

#[tokio::test]
async fn control_frames_do_no_harm() {
    let node = Node::start(&[]).await;
    let mut raw = Raw::open(node.http, "").await;
    raw.write(&frame(LAST | PONG, b"unasked")).await;
    raw.write(&frame(LAST | PING, b"echo")).await;
    assert_eq!(raw.frame().await.unwrap(), (PONG, b"echo".to_vec()));
    raw.write(&frame(LAST | CLOSE, &1000u16.to_be_bytes())).await;
    assert_eq!(raw.close_code().await, Some(1000));
    assert_eq!(raw.end().await, b"");
}
