//! Publish, presence, history, calls and pings.

use expect_test::expect;

use super::model::{Client, context};
use crate::base::Encoding;

#[test]
fn a_publication_names_its_publisher_and_comes_back_to_it() {
    let mut client = Client::new(context(|_| ()), Encoding::Json);
    client.connect(&serde_json::json!({"sub": "u", "info": {"name": "Ute"}}));
    client.settle();
    client.received.clear();
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"forced:a"}}"#,
        "\n",
        r#"{"id":3,"publish":{"channel":"forced:a","data":{"n":1}}}"#,
    ));
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}
        {"push":{"channel":"forced:a","pub":{"data":{"n":1},"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001","conn_info":{"name":"Ute"}},"offset":1}}}
        {"id":3,"publish":{}}"#]]);
}

#[test]
fn a_publish_that_may_not_be_is_refused_by_number() {
    let mut client = Client::open();
    let refused = [
        (r#"{"id":2,"publish":{"channel":"closed:a","data":1}}"#, 103),
        (r#"{"id":2,"publish":{"channel":"members:a","data":1}}"#, 103),
        (r#"{"id":2,"publish":{"channel":"nowhere:a","data":1}}"#, 102),
        (r#"{"id":2,"publish":{"channel":"","data":1}}"#, 107),
        (r#"{"id":2,"publish":{"channel":"open:a"}}"#, 107),
        (r#"{"id":2,"publish":{"channel":"open:a","data":1,"type":1}}"#, 108),
    ];
    for (line, code) in refused {
        client.send(line);
        client.settle();
        let error = client.received.pop().and_then(|reply| reply.error);
        assert_eq!(error.map(|error| error.code), Some(code), "{line}");
    }
    client.check_asked(expect![[""]]);
    client.is_down = true;
    client.send(r#"{"id":3,"publish":{"channel":"open:a","data":1}}"#);
    client.check(expect![[
        r#"{"id":3,"error":{"code":100,"message":"internal server error","temporary":true}}"#
    ]]);
}

#[test]
fn members_of_a_channel_may_what_others_may_not() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"subscribe":{"channel":"members:a"}}"#);
    client.settle();
    client.received.clear();
    client.send(concat!(
        r#"{"id":3,"publish":{"channel":"members:a","data":1}}"#,
        "\n",
        r#"{"id":4,"presence":{"channel":"members:a"}}"#,
        "\n",
        r#"{"id":5,"history":{"channel":"members:a","limit":-1}}"#,
        "\n",
        r#"{"id":6,"unsubscribe":{"channel":"members:a"}}"#,
        "\n",
        r#"{"id":7,"publish":{"channel":"members:a","data":1}}"#,
        "\n",
        r#"{"id":8,"presence_stats":{"channel":"members:a"}}"#,
        "\n",
        r#"{"id":9,"history":{"channel":"members:a"}}"#,
    ));
    client.check(expect![[r#"
        {"id":6,"unsubscribe":{}}
        {"id":7,"error":{"code":103,"message":"permission denied"}}
        {"id":8,"error":{"code":103,"message":"permission denied"}}
        {"id":9,"error":{"code":103,"message":"permission denied"}}
        {"id":3,"publish":{}}
        {"id":4,"presence":{"presence":{"00000000-0000-0000-0000-000000000001":{"user":"u"}}}}
        {"id":5,"history":{"publications":[{"data":1,"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001"},"offset":1}],"epoch":"e1","offset":1}}"#]]);
}

#[test]
fn data_that_json_clients_cannot_read_is_refused_except_where_channels_are_binary() {
    let publish = |channel: &str| crate::protocol::Command {
        id: 2,
        publish: Some(crate::protocol::PublishRequest {
            channel: channel.into(),
            data: bytes::Bytes::from_static(&[0xff, 0]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut client = Client::connected(context(|_| ()), Encoding::Protobuf);
    for channel in ["open:a", "binary:a"] {
        client.frame(&crate::protocol::encode(Encoding::Protobuf, &publish(channel)));
    }
    client.check(expect![[r#"
        {"id":2,"error":{"code":107,"message":"bad request: data: not UTF-8"}}
        {"id":2,"publish":{}}"#]]);
}

#[test]
fn history_is_limited_paged_and_reversed() {
    let mut client = Client::open();
    client.publish_many("stream:a", 1..=310);
    client.settle();
    client.send(concat!(
        r#"{"id":2,"history":{"channel":"stream:a"}}"#,
        "\n",
        r#"{"id":3,"history":{"channel":"stream:a","limit":2,"since":{"offset":7,"epoch":"e1"}}}"#,
        "\n",
        r#"{"id":4,"history":{"channel":"stream:a","limit":2,"reverse":true}}"#,
        "\n",
        r#"{"id":5,"history":{"channel":"stream:a","limit":2,"since":{"offset":7,"epoch":"x"}}}"#,
        "\n",
        r#"{"id":6,"history":{"channel":"open:a","limit":2}}"#,
    ));
    client.check(expect![[r#"
        {"id":6,"error":{"code":108,"message":"not available"}}
        {"id":2,"history":{"epoch":"e1","offset":310}}
        {"id":3,"history":{"publications":[{"data":8,"offset":8},{"data":9,"offset":9}],"epoch":"e1","offset":310}}
        {"id":4,"history":{"publications":[{"data":310,"offset":310},{"data":309,"offset":309}],"epoch":"e1","offset":310}}
        {"id":5,"error":{"code":112,"message":"unrecoverable position"}}"#]]);
    for limit in ["-1", "301", "2147483647"] {
        let request = format!(r#"{{"channel":"stream:a","limit":{limit}}}"#);
        client.send(&format!(r#"{{"id":7,"history":{request}}}"#));
        client.settle();
        let history = client.received.pop().and_then(|reply| reply.history).unwrap();
        let offsets: Vec<u64> = history.publications.iter().map(|one| one.offset).collect();
        assert_eq!(offsets, (1..=300).collect::<Vec<u64>>(), "{limit}");
    }
}

#[test]
fn presence_is_told_where_the_namespace_counts_it() {
    let mut client = Client::open();
    client.send(concat!(
        r#"{"id":2,"presence":{"channel":"crowd:a"}}"#,
        "\n",
        r#"{"id":3,"presence_stats":{"channel":"crowd:a"}}"#,
        "\n",
        r#"{"id":4,"presence":{"channel":"open:a"}}"#,
        "\n",
        r#"{"id":5,"presence_stats":{"channel":"nowhere:a"}}"#,
    ));
    client.check(expect![[r#"
        {"id":4,"error":{"code":108,"message":"not available"}}
        {"id":5,"error":{"code":102,"message":"unknown channel: no namespace \"nowhere\""}}
        {"id":2,"presence":{"presence":{"00000000-0000-0000-0000-000000000001":{"user":"u"}}}}
        {"id":3,"presence_stats":{"num_clients":3,"num_users":2}}"#]]);
}

#[test]
fn calls_find_no_method_messages_no_reply_and_pings_one() {
    let mut client = Client::open();
    client.send(concat!(
        r#"{"id":2,"rpc":{"method":"m","data":{}}}"#,
        "\n",
        r#"{"send":{"data":1}}"#,
        "\n",
        r#"{"id":3,"send":{"data":1}}"#,
        "\n",
        r#"{"id":4,"ping":{}}"#,
    ));
    client.check(expect![[r#"
        {"id":2,"error":{"code":108,"message":"not available: method: unknown; there are geo.move, geo.position, geo.nearby, geo.nearest, geo.zones"}}
        {"id":4,"ping":{}}"#]]);
}

#[test]
fn commands_before_a_bad_one_are_answered_before_the_close() {
    let bad = [
        r#"{"ping":{}}"#,
        r#"{"id":9}"#,
        r#"{"id":9,"connect":{}}"#,
        r#"{"id":-1,"ping":{}}"#,
        r#"{"id":9,"subscribe":{"channel":7}}"#,
        "[]",
        "nonsense",
        "{}",
    ];
    for bad in bad {
        let mut client = Client::open();
        let frame = [
            r#"{"id":2,"subscribe":{"channel":"forced:a"}}"#,
            r#"{"id":3,"publish":{"channel":"open:a","data":1}}"#,
            r#"{"id":4,"history":{"channel":"forced:a"}}"#,
            bad,
            r#"{"id":5,"ping":{}}"#,
        ];
        client.frame(&frame.join("\n").into());
        client.settle();
        let ids: Vec<u32> = client.received.iter().map(|reply| reply.id).collect();
        assert_eq!(ids, [3, 2, 4], "{bad}");
        assert_eq!(client.closed.map(|end| end.code), Some(3501), "{bad}");
    }
    for empty in ["", " ", "\n"] {
        let mut client = Client::open();
        client.frame(&bytes::Bytes::from_static(empty.as_bytes()));
        client.check(expect!["close 3501 bad request: no command in the frame"]);
    }
}
