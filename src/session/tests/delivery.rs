//! Tag filters and deltas: what a subscription may ask for, and what it then gets.

use bytes::Bytes;
use expect_test::expect;
use serde_json::{Value, json};

use super::model::{Client, channel, context};
use crate::base::Encoding;
use crate::channel::{Publication, ServerSubscribe, apply_patch};

fn subscribe(client: &mut Client, name: &str, more: Value) {
    let mut request = json!({"channel": name});
    if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
        request.extend(more);
    }
    client.send(&json!({"id": 2, "subscribe": request}).to_string());
}

fn tagged(client: &mut Client, name: &str, kind: &str) {
    let tags = [("kind".to_owned(), kind.to_owned())].into();
    let data = json!(kind).to_string().into();
    client.publish_raw(&channel(name), Publication { data, tags, ..Publication::default() });
}

fn document(client: &mut Client, name: &str, text: &str, delta: bool) {
    let data = json!({"text": text, "same": "что рядом → сейчас"}).to_string().into();
    client.publish_raw(&channel(name), Publication { data, delta, ..Publication::default() });
}

fn taxis() -> Value {
    json!({"key": "kind", "cmp": "eq", "val": "taxi"})
}

#[test]
fn a_filter_leaves_out_what_is_live_and_what_is_recovered_and_neither_is_a_hole() {
    let mut client = Client::open();
    for kind in ["bus", "taxi", "bus"] {
        tagged(&mut client, "tagged:a", kind);
    }
    client.settle();
    let since = json!({
        "tf": taxis(), "recover": true, "recoverable": true, "offset": 0, "epoch": "e1",
    });
    subscribe(&mut client, "tagged:a", since);
    client.carry_out();
    client.turn();
    // Posted before the history is read.
    tagged(&mut client, "tagged:a", "bus");
    tagged(&mut client, "tagged:a", "taxi");
    client.settle();
    for kind in ["bus", "bus", "taxi"] {
        tagged(&mut client, "tagged:a", kind);
    }
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","publications":[{"data":"taxi","offset":2,"tags":{"kind":"taxi"}},{"data":"taxi","offset":5,"tags":{"kind":"taxi"}}],"recovered":true,"positioned":true,"was_recovering":true}}
        {"push":{"channel":"tagged:a","pub":{"data":"taxi","offset":8,"tags":{"kind":"taxi"}}}}"#]]);
}

#[test]
fn what_is_wrong_with_a_filter_is_said_by_field() {
    let refusal = |name: &str, more: Value| {
        let mut client = Client::open();
        subscribe(&mut client, name, more);
        client.settle();
        client.received.pop().and_then(|reply| reply.error).expect("refused").message
    };
    let nodes = json!([taxis(), {"key": "a", "cmp": "like"}]);
    let cases = [
        (
            "tagged:a",
            json!({"tf": {"op": "or", "nodes": nodes}}),
            "tf.nodes[1].cmp: unknown; there are eq, neq, in, nin, ex, nex, sw, ew, ct, lt, lte, gt, gte",
        ),
        ("tagged:a", json!({"tf": {}}), "tf.cmp: missing"),
        ("tagged:a", json!({"tf": taxis(), "delta": "fossil"}), "delta: not together with tf"),
        ("document:a", json!({"tf": taxis()}), "tf: the namespace does not allow tags filters"),
    ];
    for (name, more, why) in cases {
        assert_eq!(refusal(name, more), format!("bad request: {why}"));
    }
}

#[test]
fn deltas_are_granted_where_the_namespace_has_them_and_never_to_the_servers_subscriptions() {
    for (name, delta, granted) in [
        ("delta:a", "fossil", true),
        ("document:a", "fossil", true),
        ("delta:a", "", false),
        ("delta:a", "other", false),
        ("open:a", "fossil", false),
    ] {
        let mut client = Client::open();
        subscribe(&mut client, name, json!({"delta": delta}));
        client.settle();
        let result = client.received.pop().and_then(|reply| reply.subscribe).unwrap();
        assert_eq!(result.delta, granted, "{name} {delta}");
    }
    let mut client = Client::open();
    client.subscribe_by_server("delta:a", ServerSubscribe::default());
    client.settle();
    client.check_asked(expect!["join delta:a 1"]);
}

#[test]
fn the_first_is_whole_and_in_json_every_data_is_a_string() {
    let mut client = Client::open();
    subscribe(&mut client, "delta:a", json!({"delta": "fossil"}));
    client.settle();
    document(&mut client, "delta:a", "one", true);
    document(&mut client, "delta:a", "two", true);
    document(&mut client, "delta:a", "three", false);
    document(&mut client, "delta:a", "four", true);
    client.publish("delta:a", 5);
    client.check(expect![[r#"
        {"id":2,"subscribe":{"delta":true}}
        {"push":{"channel":"delta:a","pub":{"data":"{\"same\":\"что рядом → сейчас\",\"text\":\"one\"}"}}}
        {"push":{"channel":"delta:a","pub":{"data":"v\nq@0,5:two\"}1TfOmS;","delta":true}}}
        {"push":{"channel":"delta:a","pub":{"data":"{\"same\":\"что рядом → сейчас\",\"text\":\"three\"}"}}}
        {"push":{"channel":"delta:a","pub":{"data":"w\nq@0,6:four\"}2iGG5Y;","delta":true}}}
        {"push":{"channel":"delta:a","pub":{"data":"5"}}}"#]]);
}

#[test]
fn what_is_recovered_is_whole_and_so_is_the_first_after_it() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let mut client = Client::connected(context(|_| ()), encoding);
        document(&mut client, "document:a", "one", true);
        document(&mut client, "document:a", "two", true);
        client.settle();
        let since = json!({
            "delta": "fossil", "recover": true, "recoverable": true, "offset": 0, "epoch": "e1",
        });
        subscribe(&mut client, "document:a", since);
        client.settle();
        document(&mut client, "document:a", "three", true);
        document(&mut client, "document:a", "four", true);
        client.settle();
        let replies = std::mem::take(&mut client.received);
        let result = replies[0].subscribe.clone().unwrap();
        assert!(result.delta && result.recovered && result.publications.len() == 2);
        let live = replies[1..].iter().map(|reply| reply.push.clone().unwrap().r#pub.unwrap());
        let all: Vec<_> = result.publications.into_iter().chain(live).collect();
        let deltas: Vec<bool> = all.iter().map(|one| one.delta).collect();
        assert_eq!(deltas, [false, false, false, true]);
        let mut base = Bytes::new();
        for (one, text) in all.iter().zip(["one", "two", "three", "four"]) {
            let data = match encoding {
                Encoding::Json => serde_json::from_slice::<String>(&one.data).unwrap().into(),
                Encoding::Protobuf => one.data.clone(),
            };
            base = if one.delta { apply_patch(&base, &data).unwrap().into() } else { data };
            let read: Value = serde_json::from_slice(&base).unwrap();
            assert_eq!(read["text"], text);
        }
    }
}

/// Unsubscribed, the SDK forgets what it had.
#[test]
fn a_subscription_begins_anew_with_a_whole_publication() {
    let mut client = Client::open();
    let mut deltas = Vec::new();
    for _ in 0..2 {
        subscribe(&mut client, "delta:a", json!({"delta": "fossil"}));
        client.settle();
        document(&mut client, "delta:a", "one", true);
        document(&mut client, "delta:a", "two", true);
        client.settle();
        client.send(r#"{"id":3,"unsubscribe":{"channel":"delta:a"}}"#);
        client.settle();
        let pushes = client.received.drain(..).filter_map(|reply| reply.push?.r#pub);
        deltas.extend(pushes.map(|publication| publication.delta));
    }
    assert_eq!(deltas, [false, true, false, true]);
}

/// No mailbox leaves one out today; one that did would not break what the client has.
#[test]
fn what_never_came_is_the_base_of_nothing() {
    let mut client = Client::open();
    subscribe(&mut client, "delta:a", json!({"delta": "fossil"}));
    client.settle();
    client.received.clear();
    for text in ["one", "two", "three", "four"] {
        document(&mut client, "delta:a", text, true);
    }
    while client.turn() {}
    client.mails.remove(1);
    client.settle();
    let pushes = client.received.iter().filter_map(|reply| reply.push.as_ref()?.r#pub.as_ref());
    let deltas: Vec<bool> = pushes.map(|publication| publication.delta).collect();
    assert_eq!(deltas, [false, false, true]);
}
