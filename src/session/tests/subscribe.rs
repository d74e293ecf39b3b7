//! Subscribe and unsubscribe by the client: who may, and what the reply says.

use expect_test::expect;
use serde_json::{Value, json};

use super::model::{Client, START, context, token};
use crate::base::Encoding;

fn subscribe(id: u32, channel: &str, more: Value) -> String {
    let mut request = json!({"channel": channel});
    if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
        request.extend(more);
    }
    json!({"id": id, "subscribe": request}).to_string()
}

#[test]
fn a_subscription_gets_what_is_published_until_it_ends() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let mut client = Client::connected(context(|_| ()), encoding);
        client.send(&subscribe(2, "open:a", json!({})));
        client.settle();
        client.publish("open:a", 1);
        client.publish("open:b", 2);
        client.settle();
        client.send(r#"{"id":3,"unsubscribe":{"channel":"open:a"}}"#);
        client.publish("open:a", 3);
        client.check(expect![[r#"
            {"id":2,"subscribe":{}}
            {"push":{"channel":"open:a","pub":{"data":1}}}
            {"id":3,"unsubscribe":{}}"#]]);
        client.check_asked(expect![[r#"
            join open:a 1
            leave open:a 1"#]]);
    }
}

#[test]
fn what_the_client_may_not_have_is_refused_by_number() {
    let mut client = Client::open();
    client.send(&subscribe(2, "open:taken", json!({})));
    client.settle();
    client.received.clear();
    let long = "x".repeat(251);
    let refused = [
        ("nowhere:a", json!({}), 102),
        ("closed:a", json!({}), 103),
        ("$open:a", json!({}), 103),
        ("users:a#v,w", json!({}), 103),
        ("open:taken", json!({}), 105),
        ("", json!({}), 107),
        ("open:é", json!({}), 107),
        ("open:\n", json!({}), 107),
        (&format!("open:{long}"), json!({}), 107),
        ("letters:1", json!({}), 107),
        ("binary:a", json!({}), 107),
        ("open:a", json!({"tf": {"key": "a", "cmp": "ex"}}), 107),
        ("open:a", json!({"type": 1}), 108),
    ];
    for (channel, more, code) in refused {
        client.send(&subscribe(3, channel, more));
        client.settle();
        let reply = client.received.pop().expect("a reply");
        let error = reply.error.expect("an error");
        assert_eq!((reply.id, error.code, error.temporary), (3, code, false), "{channel}");
        assert!(client.received.is_empty() && client.closed.is_none());
    }
    let longest = format!("open:{}", "x".repeat(250));
    for channel in [longest.as_str(), "users:a#v,u", "letters:a"] {
        client.send(&subscribe(4, channel, json!({})));
        client.settle();
        assert!(client.received.pop().is_some_and(|reply| reply.subscribe.is_some()), "{channel}");
    }
}

#[test]
fn a_binary_channel_is_open_to_protobuf() {
    let mut client = Client::connected(context(|_| ()), Encoding::Protobuf);
    client.send(&subscribe(2, "binary:a", json!({})));
    client.check(expect![[r#"{"id":2,"subscribe":{}}"#]]);
}

#[test]
fn the_129th_subscription_is_one_too_many() {
    let mut client = Client::open();
    for number in 0..129 {
        client.send(&subscribe(number + 2, &format!("open:{number}"), json!({})));
        client.settle();
    }
    let last = client.received.split_off(127);
    assert!(client.received.iter().all(|reply| reply.subscribe.is_some()));
    client.received = last;
    client.check(expect![[r#"
        {"id":129,"subscribe":{}}
        {"id":130,"error":{"code":106,"message":"limit exceeded: subscriptions: at most 128 a client"}}"#]]);
    client.send(r#"{"id":200,"unsubscribe":{"channel":"open:7"}}"#);
    client.send(&subscribe(201, "open:128", json!({})));
    client.check(expect![[r#"
        {"id":200,"unsubscribe":{}}
        {"id":201,"subscribe":{}}"#]]);
}

#[test]
fn subscriptions_on_their_way_count() {
    let mut client = Client::connected(context(|o| o.channel_limit = 1), Encoding::Json);
    let lines = [subscribe(2, "open:a", json!({})), subscribe(3, "open:b", json!({}))];
    client.send(&lines.join("\n"));
    client.check(expect![[r#"
        {"id":3,"error":{"code":106,"message":"limit exceeded: subscriptions: at most 1 a client"}}
        {"id":2,"subscribe":{}}"#]]);
}

#[test]
fn the_same_channel_twice_in_a_frame_is_subscribed_once() {
    let mut client = Client::open();
    let lines = [
        subscribe(2, "forced:a", json!({})),
        subscribe(3, "forced:a", json!({})),
        json!({"id": 4, "unsubscribe": {"channel": "forced:a"}}).to_string(),
        subscribe(5, "forced:a", json!({})),
    ];
    client.send(&lines.join("\n"));
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}
        {"id":3,"error":{"code":105,"message":"already subscribed"}}
        {"id":4,"unsubscribe":{}}
        {"id":5,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}"#]]);
    client.check_asked(expect![[r#"
        join forced:a 1
        history forced:a 0
        leave forced:a 1
        join forced:a 2
        history forced:a 0"#]]);
}

#[test]
fn a_subscription_token_opens_the_channel_that_it_names() {
    let mut client = Client::open();
    let claims = json!({
        "sub": "u", "channel": "$closed:a", "info": {"i": 1}, "data": {"d": 2}, "exp": START + 60,
        "override": {"presence": {"value": true}, "join_leave": {"value": true}},
    });
    client.send(&subscribe(2, "$closed:a", json!({"token": token(&claims)})));
    client.settle();
    client.send(r#"{"id":3,"publish":{"channel":"$closed:a","data":1}}"#);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"expires":true,"ttl":60,"data":{"d":2}}}
        {"id":3,"error":{"code":103,"message":"permission denied"}}"#]]);
    client.check_asked(expect![[r#"
        join $closed:a 1
        add $closed:a
        announce $closed:a join"#]]);
}

#[test]
fn a_wrong_subscription_token_is_refused_as_its_fault_asks() {
    let cases = [
        (json!({"sub": "u", "channel": "closed:a", "exp": START}), "109"),
        (json!({"sub": "u", "channel": "closed:b"}), "close 3500"),
        (json!({"sub": "v", "channel": "closed:a"}), "close 3500"),
        (json!({"sub": "u", "channel": "closed:a", "client": "x"}), "close 3500"),
        (json!({"sub": "u"}), "103"),
    ];
    let tokens = cases.map(|(claims, outcome)| (token(&claims), outcome));
    let malformed = [("a".to_owned(), "103"), ("a.b.c".to_owned(), "103")];
    for (token, outcome) in tokens.into_iter().chain(malformed) {
        let mut client = Client::open();
        client.send(&subscribe(2, "closed:a", json!({"token": token})));
        client.settle();
        let error = client.received.pop().and_then(|reply| reply.error);
        let seen = match (error, client.closed) {
            (Some(error), None) => error.code.to_string(),
            (None, Some(end)) => format!("close {}", end.code),
            both => panic!("{both:?}"),
        };
        assert_eq!(seen, outcome);
    }
}

#[test]
fn numbers_stand_for_channels_where_the_client_offers_it() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let mut client = Client::connected(context(|_| ()), encoding);
        client.send(&subscribe(2, "forced:a", json!({"flag": 1})));
        client.settle();
        client.publish("forced:a", 7);
        client.settle();
        client.gap("forced:a");
        client.settle();
        client.send(&subscribe(3, "forced:a", json!({"flag": 1})));
        client.check(expect![[r#"
            {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true,"id":1}}
            {"push":{"id":1,"pub":{"data":7,"offset":1}}}
            {"push":{"channel":"forced:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}
            {"id":3,"subscribe":{"recoverable":true,"epoch":"e1","offset":1,"positioned":true,"id":2}}"#]]);
    }
}

#[test]
fn javascript_over_protobuf_gets_no_numbers() {
    for (encoding, has_number) in [(Encoding::Json, true), (Encoding::Protobuf, false)] {
        let mut client = Client::new(context(|_| ()), encoding);
        let token = token(&json!({"sub": "u"}));
        client.send(&json!({"id": 1, "connect": {"token": token, "name": "js"}}).to_string());
        client.settle();
        client.received.clear();
        client.send(&subscribe(2, "open:a", json!({"flag": 1})));
        client.settle();
        let result = client.received.pop().and_then(|reply| reply.subscribe).unwrap();
        assert_eq!(result.id != 0, has_number, "{encoding:?}");
    }
}

#[test]
fn joins_and_leaves_are_told_where_the_namespace_or_the_request_wants_them() {
    let mut client = Client::open();
    let lines = [
        subscribe(2, "crowd:a", json!({})),
        subscribe(3, "discreet:b", json!({})),
        subscribe(4, "discreet:c", json!({"join_leave": true})),
        subscribe(5, "open:d", json!({"join_leave": true})),
    ];
    client.send(&lines.join("\n"));
    client.check(expect![[r#"
        {"id":2,"subscribe":{}}
        {"push":{"channel":"crowd:a","join":{"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001"}}}}
        {"id":3,"subscribe":{}}
        {"id":4,"subscribe":{}}
        {"push":{"channel":"discreet:c","join":{"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001"}}}}
        {"id":5,"subscribe":{}}"#]]);
    client.check_asked(expect![[r#"
        join crowd:a 1 hears
        join discreet:b 2
        join discreet:c 3 hears
        join open:d 4
        add crowd:a
        announce crowd:a join
        add discreet:b
        announce discreet:b join
        add discreet:c
        announce discreet:c join"#]]);
    client.send(r#"{"id":6,"unsubscribe":{"channel":"crowd:a"}}"#);
    client.check(expect![[r#"{"id":6,"unsubscribe":{}}"#]]);
    client.check_asked(expect![[r#"
        leave crowd:a 1
        remove crowd:a
        announce crowd:a leave"#]]);
}

#[test]
fn unsubscribing_from_what_is_not_subscribed_succeeds() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"unsubscribe":{"channel":"open:a"}}"#);
    client.check(expect![[r#"{"id":2,"unsubscribe":{}}"#]]);
    client.check_asked(expect![[""]]);
}

#[test]
fn an_engine_out_of_reach_is_a_temporary_error() {
    let mut client = Client::open();
    client.is_down = true;
    client.send(&subscribe(2, "forced:a", json!({})));
    client.check(expect![[
        r#"{"id":2,"error":{"code":100,"message":"internal server error","temporary":true}}"#
    ]]);
    client.check_asked(expect![[r#"
        join forced:a 1
        history forced:a 0
        leave forced:a 1"#]]);
}
