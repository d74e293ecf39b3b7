//! Positions, recovery and what happens to a subscription that missed something.

use expect_test::expect;
use serde_json::{Value, json};

use super::model::{Client, channel, context, number};
use crate::base::{Encoding, limits};
use crate::channel::Publication;
use crate::session::Note;

/// A client, and a stream of five in `name`.
fn after_five(name: &str) -> Client {
    let mut client = Client::open();
    client.publish_many(name, 1..=5);
    client.settle();
    client
}

fn subscribe(client: &mut Client, name: &str, recover: Value) {
    let mut request = json!({"channel": name});
    if let (Some(request), Value::Object(more)) = (request.as_object_mut(), recover) {
        request.extend(more);
    }
    client.send(&json!({"id": 2, "subscribe": request}).to_string());
}

fn since(offset: u64, epoch: &str) -> Value {
    json!({"recover": true, "recoverable": true, "offset": offset, "epoch": epoch})
}

#[test]
fn the_reply_says_where_the_stream_stands_if_the_namespace_or_the_request_asks() {
    for (name, request) in [
        ("stream:a", json!({})),
        ("stream:a", json!({"positioned": true})),
        ("stream:a", json!({"recoverable": true})),
        ("forced:a", json!({})),
        ("members:a", json!({"positioned": true, "recoverable": true})),
        ("open:a", json!({"positioned": true, "recoverable": true})),
    ] {
        let mut client = after_five(name);
        subscribe(&mut client, name, request.clone());
        client.settle();
        let result = client.received.pop().and_then(|reply| reply.subscribe).unwrap();
        let asks = |field: &str| name == "forced:a" || request.get(field).is_some();
        let recoverable = asks("recoverable") && !name.starts_with('o') && !name.starts_with('m');
        let positioned = recoverable || (asks("positioned") && name.starts_with('s'));
        let expected = (recoverable, positioned, if positioned { 5 } else { 0 });
        assert_eq!((result.recoverable, result.positioned, result.offset), expected, "{name}");
        assert_eq!(result.epoch, if positioned { "e1" } else { "" });
        assert!(!result.was_recovering && !result.recovered);
    }
}

#[test]
fn what_was_missed_comes_with_the_reply_whose_offset_is_the_requests() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", since(3, "e1"));
    client.settle();
    client.publish("stream:a", 6);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":4,"offset":4},{"data":5,"offset":5}],"recovered":true,"offset":3,"positioned":true,"was_recovering":true}}
        {"push":{"channel":"stream:a","pub":{"data":6,"offset":6}}}"#]]);
    client.check_asked(expect![[r#"
        join stream:a 1
        history stream:a 300 since 3 "e1""#]]);
    assert!(client.notes.contains(&Note::Recovered(true)));
}

#[test]
fn nothing_missed_is_recovered_and_an_unknown_epoch_passes() {
    for epoch in ["e1", ""] {
        let mut client = after_five("stream:a");
        subscribe(&mut client, "stream:a", since(5, epoch));
        client.check(expect![[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e1","recovered":true,"offset":5,"positioned":true,"was_recovering":true}}"#]]);
    }
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", since(4, ""));
    client.check(expect![[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":5,"offset":5}],"recovered":true,"offset":4,"positioned":true,"was_recovering":true}}"#]]);
}

#[test]
fn what_cannot_be_had_is_said_with_the_offset_of_the_top() {
    for (offset, epoch, forget) in [(3, "other", false), (9, "e1", false), (3, "e1", true)] {
        let mut client = after_five("stream:a");
        if forget {
            client.forget_history("stream:a");
        }
        subscribe(&mut client, "stream:a", since(offset, epoch));
        client.check(expect![[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e1","offset":5,"positioned":true,"was_recovering":true}}"#]]);
        assert!(client.notes.contains(&Note::Recovered(false)));
    }
}

#[test]
fn with_its_flag_what_cannot_be_had_is_error_112() {
    let mut client = after_five("stream:a");
    let mut request = since(3, "other");
    request["flag"] = json!(2);
    subscribe(&mut client, "stream:a", request);
    client.check(expect![[r#"{"id":2,"error":{"code":112,"message":"unrecoverable position"}}"#]]);
    client.check_asked(expect![[r#"
        join stream:a 1
        history stream:a 300 since 3 "other"
        leave stream:a 1"#]]);
    assert!(client.subscribers.is_empty());

    let mut client = after_five("stream:a");
    let mut request = since(3, "e1");
    request["flag"] = json!(2);
    subscribe(&mut client, "stream:a", request);
    client.settle();
    assert!(client.received[0].subscribe.as_ref().is_some_and(|result| result.recovered));
}

#[test]
fn as_many_as_the_limit_are_recovered_and_one_more_is_not() {
    for (missed, recovered) in [(300, true), (301, false)] {
        let mut client = Client::open();
        client.publish_many("stream:a", 1..=320);
        client.settle();
        subscribe(&mut client, "stream:a", since(320 - missed, "e1"));
        client.settle();
        let result = client.received.pop().and_then(|reply| reply.subscribe).unwrap();
        assert_eq!(result.recovered, recovered);
        assert_eq!(result.offset, if recovered { 20 } else { 320 });
        assert_eq!(result.publications.len(), if recovered { 300 } else { 0 });
    }
}

#[test]
fn a_subscription_that_is_not_recoverable_does_not_recover() {
    let mut client = after_five("open:a");
    subscribe(&mut client, "open:a", since(3, "e1"));
    client.check(expect![[r#"{"id":2,"subscribe":{}}"#]]);
}

/// The lane posts 6 and 7 behind `Joined`; the history that is read then has 6.
#[test]
fn what_is_published_while_the_history_is_read_comes_once_and_in_order() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", since(3, "e1"));
    assert!(client.carry_out() && client.answer() && client.turn() && client.mail(1));
    client.publish("stream:a", 6);
    assert!(client.turn() && client.mail(1));
    assert!(client.carry_out(), "the history is read");
    client.publish("stream:a", 7);
    assert!(client.turn() && client.mail(1));
    client.check_now(&expect![[""]]);
    assert!(client.answer());
    client.publish("stream:a", 8);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":4,"offset":4},{"data":5,"offset":5},{"data":6,"offset":6}],"recovered":true,"offset":3,"positioned":true,"was_recovering":true}}
        {"push":{"channel":"stream:a","pub":{"data":7,"offset":7}}}
        {"push":{"channel":"stream:a","pub":{"data":8,"offset":8}}}"#]]);
}

/// The history is ahead of the lane, which comes to 6 when the subscription is live.
#[test]
fn what_the_reply_had_is_dropped_when_the_lane_comes_to_it() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", since(4, "e1"));
    assert!(client.carry_out() && client.answer() && client.turn() && client.mail(1));
    client.publish("stream:a", 6);
    assert!(client.carry_out() && client.answer());
    client.publish("stream:a", 7);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":5,"offset":5},{"data":6,"offset":6}],"recovered":true,"offset":4,"positioned":true,"was_recovering":true}}
        {"push":{"channel":"stream:a","pub":{"data":7,"offset":7}}}"#]]);
}

#[test]
fn commands_about_a_channel_wait_until_it_is_subscribed() {
    let mut client = after_five("stream:a");
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"stream:a","recoverable":true}}"#,
        "\n",
        r#"{"id":3,"publish":{"channel":"stream:a","data":6}}"#,
        "\n",
        r#"{"id":4,"history":{"channel":"stream:a"}}"#,
        "\n",
        r#"{"id":5,"unsubscribe":{"channel":"stream:a"}}"#,
        "\n",
        r#"{"id":6,"ping":{}}"#,
    ));
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","offset":5,"positioned":true}}
        {"id":5,"unsubscribe":{}}
        {"id":6,"ping":{}}
        {"id":3,"publish":{}}
        {"id":4,"history":{"epoch":"e1","offset":6}}"#]]);
    client.check_asked(expect![[r#"
        join stream:a 1
        history stream:a 0
        publish stream:a 6 by u 
        history stream:a 0
        leave stream:a 1"#]]);
}

#[test]
fn cache_mode_brings_the_latest_with_every_subscribe() {
    for request in [json!({}), since(3, "e1"), since(5, "e1"), since(3, "other"), since(9, "e1")] {
        let mut client = after_five("cache:a");
        subscribe(&mut client, "cache:a", request);
        client.settle();
        let result = client.received.pop().and_then(|reply| reply.subscribe).unwrap();
        let offsets: Vec<u64> = result.publications.iter().map(|one| one.offset).collect();
        client.publish("cache:a", 6);
        client.settle();
        let live = client.received.pop().and_then(|reply| reply.push?.r#pub).unwrap();
        assert_eq!((live.offset, result.recovered), (6, true));
        let has_latest = result.was_recovering && result.offset == 5;
        assert_eq!(offsets, if has_latest { vec![] } else { vec![5] });
    }
    let mut client = Client::open();
    subscribe(&mut client, "cache:a", json!({}));
    client.check(expect![[
        r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}"#
    ]]);
}

#[test]
fn a_hole_ends_a_clients_subscription_before_anything_behind_it() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", json!({"recoverable": true}));
    client.settle();
    client.received.clear();
    client.publish("stream:a", 6);
    client.publish_unseen("stream:a", 7);
    client.publish_many("stream:a", 8..=9);
    client.check(expect![[r#"
        {"push":{"channel":"stream:a","pub":{"data":6,"offset":6}}}
        {"push":{"channel":"stream:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#]]);
    subscribe(&mut client, "stream:a", since(6, "e1"));
    client.check(expect![[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":7,"offset":7},{"data":8,"offset":8},{"data":9,"offset":9}],"recovered":true,"offset":6,"positioned":true,"was_recovering":true}}"#]]);
}

#[test]
fn a_hole_ends_a_session_subscribed_by_the_server_before_anything_behind_it() {
    let mut client = Client::new(context(|_| ()), Encoding::Json);
    client.publish_many("forced:a", 1..=5);
    client.connect(&json!({"sub": "u", "channels": ["forced:a"]}));
    client.settle();
    client.received.clear();
    client.publish("forced:a", 6);
    client.publish_unseen("forced:a", 7);
    client.publish_many("forced:a", 8..=9);
    client.check(expect![[r#"
        {"push":{"channel":"forced:a","pub":{"data":6,"offset":6}}}
        close 3010 insufficient state"#]]);
}

/// An SDK takes the offset of what it gets: 8 before the unsubscribe would lose 7 for good.
#[test]
fn a_hole_while_the_history_is_read_hides_what_is_behind_it() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", since(5, "e1"));
    assert!(client.carry_out() && client.answer() && client.turn() && client.mail(1));
    assert!(client.carry_out(), "the history is read");
    client.publish("stream:a", 6);
    client.publish_unseen("stream:a", 7);
    client.publish_many("stream:a", 8..=9);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","recovered":true,"offset":5,"positioned":true,"was_recovering":true}}
        {"push":{"channel":"stream:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#]]);
    client.check_asked(expect![[r#"
        join stream:a 1
        history stream:a 300 since 5 "e1"
        leave stream:a 1"#]]);
}

/// 6 is of the old stream: a client that took it for one of the new would miss the new one's 6.
#[test]
fn a_new_epoch_while_subscribing_hides_what_is_of_the_old() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", json!({"recoverable": true}));
    assert!(client.carry_out() && client.answer() && client.turn() && client.mail(1));
    client.publish("stream:a", 6);
    client.forget_stream("stream:a");
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e2","positioned":true}}
        {"push":{"channel":"stream:a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}"#]]);
}

#[test]
fn a_hole_means_nothing_to_a_subscription_without_position() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", json!({}));
    client.settle();
    client.publish_unseen("stream:a", 6);
    client.publish("stream:a", 7);
    client.check(expect![[r#"
        {"id":2,"subscribe":{}}
        {"push":{"channel":"stream:a","pub":{"data":7,"offset":7}}}"#]]);
}

#[test]
fn a_hole_while_subscribing_means_nothing_without_position() {
    let mut client = after_five("stream:a");
    subscribe(&mut client, "stream:a", json!({}));
    assert!(client.carry_out() && client.answer() && client.turn());
    client.publish_unseen("stream:a", 6);
    client.publish("stream:a", 7);
    client.check(expect![[r#"
        {"id":2,"subscribe":{}}
        {"push":{"channel":"stream:a","pub":{"data":7,"offset":7}}}"#]]);
}

/// A client that does not get its replies must not hold the node's memory, however many channels
/// it waits for.
#[test]
fn what_waits_for_the_history_is_bounded() {
    for names in [["forced:a"; 4], ["forced:a", "forced:b", "forced:a", "forced:b"]] {
        let mut client = Client::open();
        for (id, name) in [(2, "forced:a"), (3, "forced:b")] {
            client.send(&json!({"id": id, "subscribe": {"channel": name}}).to_string());
            assert!(client.carry_out() && client.answer() && client.turn());
        }
        assert!(client.mail(2));
        let large = Publication { data: vec![b'1'; limits::QUEUE_BYTES / 4].into(), ..number(0) };
        for name in names {
            assert!(client.closed.is_none());
            client.publish_raw(&channel(name), large.clone());
            assert!(client.turn() && client.mail(1));
        }
        client.settle();
        assert!(client.received.is_empty() && client.subscribers.is_empty());
        assert_eq!(client.closed.map(|end| end.code), Some(3008));
    }
}
