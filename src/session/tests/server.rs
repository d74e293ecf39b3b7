//! The server's word to a session that is connected.

use expect_test::expect;

use super::model::{Client, channel, context};
use crate::base::Encoding;
use crate::channel::{Overrides, ServerCommand, ServerSubscribe, Since};

fn unsubscribe(name: &str) -> ServerCommand {
    ServerCommand::Unsubscribe { channel: channel(name) }
}

#[test]
fn a_subscribe_is_pushed_before_what_is_published() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let mut client = Client::connected(context(|_| ()), encoding);
        client.publish_many("forced:a", 1..=2);
        client.settle();
        let options = ServerSubscribe {
            data: r#"{"d":1}"#.into(),
            overrides: Overrides { presence: Some(true), ..Overrides::default() },
            ..ServerSubscribe::default()
        };
        client.subscribe_by_server("forced:a", options);
        client.mail(1);
        while client.carry_out() || client.turn() {}
        client.publish("forced:a", 3);
        client.turn();
        client.mail(1);
        client.check(expect![[r#"{"push":{"channel":"forced:a","subscribe":{"recoverable":true,"epoch":"e1","offset":3,"positioned":true,"data":{"d":1}}}}"#]]);
        client.check_asked(expect![[r#"
            join forced:a 1
            history forced:a 0
            add forced:a"#]]);
    }
}

#[test]
fn a_subscribe_recovers_from_where_the_server_says() {
    for (offset, epoch) in [(1, "e1"), (1, "other")] {
        let mut client = Client::open();
        client.publish_many("forced:a", 1..=3);
        client.settle();
        let since = Some(Since { offset, epoch: epoch.into() });
        let options = ServerSubscribe { recover_since: since, ..ServerSubscribe::default() };
        client.subscribe_by_server("forced:a", options);
        client.publish("forced:a", 4);
        client.settle();
        client.publish("forced:a", 5);
        client.settle();
        if epoch == "e1" {
            client.check(expect![[r#"
                {"push":{"channel":"forced:a","subscribe":{"recoverable":true,"epoch":"e1","offset":1,"positioned":true}}}
                {"push":{"channel":"forced:a","pub":{"data":2,"offset":2}}}
                {"push":{"channel":"forced:a","pub":{"data":3,"offset":3}}}
                {"push":{"channel":"forced:a","pub":{"data":4,"offset":4}}}
                {"push":{"channel":"forced:a","pub":{"data":5,"offset":5}}}"#]]);
        } else {
            client.check(expect![[r#"
                {"push":{"channel":"forced:a","subscribe":{"recoverable":true,"epoch":"e1","offset":4,"positioned":true}}}
                {"push":{"channel":"forced:a","pub":{"data":5,"offset":5}}}"#]]);
        }
    }
}

#[test]
fn a_subscribe_where_there_is_one_or_no_namespace_does_nothing() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#);
    client.settle();
    client.subscribe_by_server("open:a", ServerSubscribe::default());
    client.subscribe_by_server("nowhere:a", ServerSubscribe::default());
    client.check(expect![[r#"{"id":2,"subscribe":{}}"#]]);
    client.check_asked(expect!["join open:a 1"]);
}

#[test]
fn the_client_finds_itself_subscribed_by_the_server_and_may_leave() {
    let mut client = Client::open();
    client.subscribe_by_server("crowd:a", ServerSubscribe::default());
    client.settle();
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"crowd:a"}}"#,
        "\n",
        r#"{"id":3,"unsubscribe":{"channel":"crowd:a"}}"#,
    ));
    client.check(expect![[r#"
        {"push":{"channel":"crowd:a","subscribe":{}}}
        {"push":{"channel":"crowd:a","join":{"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001"}}}}
        {"id":2,"error":{"code":105,"message":"already subscribed"}}
        {"id":3,"unsubscribe":{}}"#]]);
    client.check_asked(expect![[r#"
        join crowd:a 1 hears
        add crowd:a
        announce crowd:a join
        leave crowd:a 1
        remove crowd:a
        announce crowd:a leave"#]]);
}

#[test]
fn an_unsubscribe_ends_a_subscription_of_either_side() {
    let mut client = Client::open();
    client.subscribe_by_server("crowd:a", ServerSubscribe::default());
    client.send(r#"{"id":2,"subscribe":{"channel":"forced:b","flag":1}}"#);
    client.settle();
    client.received.clear();
    client.check_asked(expect![[r#"
        join forced:b 1
        join crowd:a 2 hears
        history forced:b 0
        add crowd:a
        announce crowd:a join"#]]);
    client.command(unsubscribe("crowd:a"));
    client.command(unsubscribe("forced:b"));
    client.command(unsubscribe("open:c"));
    client.publish("forced:b", 1);
    client.check(expect![[r#"
        {"push":{"channel":"crowd:a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}
        {"push":{"channel":"forced:b","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}"#]]);
    client.check_asked(expect![[r#"
        leave crowd:a 2
        remove crowd:a
        announce crowd:a leave
        leave forced:b 1"#]]);
}

#[test]
fn an_unsubscribe_before_the_reply_fails_the_subscribe() {
    let mut client = Client::open();
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"crowd:a"}}"#,
        "\n",
        r#"{"id":3,"publish":{"channel":"crowd:a","data":1}}"#,
    ));
    client.command(unsubscribe("crowd:a"));
    client.check(expect![[r#"
        {"id":2,"error":{"code":103,"message":"permission denied"}}
        {"id":3,"publish":{}}"#]]);
    client.check_asked(expect![[r#"
        join crowd:a 1 hears
        leave crowd:a 1
        publish crowd:a 1 by u "#]]);
    assert!(client.subscribers.is_empty());
}

#[test]
fn an_unsubscribe_before_the_push_leaves_no_trace() {
    let mut client = Client::open();
    client.subscribe_by_server("crowd:a", ServerSubscribe::default());
    client.command(unsubscribe("crowd:a"));
    client.check(expect![[""]]);
    client.check_asked(expect![[r#"
        join crowd:a 1 hears
        leave crowd:a 1"#]]);
    assert!(client.subscribers.is_empty());
}

#[test]
fn a_disconnect_ends_the_connection_at_once() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"subscribe":{"channel":"forced:a"}}"#);
    client.command(ServerCommand::Disconnect { code: 3503, reason: "force disconnect".into() });
    client.check(expect!["close 3503 force disconnect"]);
    assert!(client.subscribers.is_empty());
}

#[test]
fn one_subscription_too_many_by_the_server_ends_the_connection() {
    let mut client = Client::connected(context(|o| o.channel_limit = 2), Encoding::Json);
    for name in ["open:a", "open:b", "open:c"] {
        client.subscribe_by_server(name, ServerSubscribe::default());
    }
    client.check(expect!["close 3505 channel limit"]);
}

#[test]
fn a_server_side_channel_that_cannot_be_positioned_makes_the_client_come_back() {
    let mut client = Client::open();
    client.is_down = true;
    client.subscribe_by_server("forced:a", ServerSubscribe::default());
    client.check(expect!["close 3010 insufficient state"]);
}
