//! What a session does by itself: pings, stale connections, expiry.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use super::model::{Client, START, channel, context, later, token};
use crate::base::{ClientId, Encoding, Moment, Now, SessionId};
use crate::channel::{ServerCommand, ServerSubscribe};
use crate::session::Origin;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn expiring(after: u64) -> Client {
    let mut client = Client::new(context(|o| o.ping_interval = Duration::ZERO), Encoding::Json);
    client.connect(&json!({"sub": "u", "exp": START + after}));
    client.settle();
    client.received.clear();
    client
}

#[test]
fn the_first_ping_comes_between_half_the_interval_and_the_whole() {
    for random in [0, 1, 511, 512, 1023, 1024, u64::MAX] {
        let origin = Origin {
            session: SessionId(1),
            client: ClientId(1),
            encoding: Encoding::Protobuf,
            native_ping: false,
            pushes_end: false,
            extras: false,
            random,
        };
        let now = Now { moment: Moment(5), unix: later(0) };
        let mut client = Client::with_origin(context(|_| ()), origin, now);
        client.connect(&json!({"sub": "u"}));
        client.settle();
        let first = client.session.next_deadline().unwrap().since(now.moment);
        assert!(first >= Duration::from_millis(12_500) && first <= seconds(25), "{first:?}");
        client.received.clear();
        client.pass(first - Duration::from_nanos(1));
        assert!(client.received.is_empty());
        client.pass(Duration::from_nanos(1));
        client.check(expect!["{}"]);
    }
}

#[test]
fn pings_are_answered_or_the_connection_ends() {
    let mut client = Client::open();
    for _ in 0..10 {
        client.pass(seconds(25));
        assert_eq!(client.received.len(), 1);
        client.received.clear();
        client.send("{}");
    }
    let ping = client.session.next_deadline().unwrap().since(client.now.moment);
    client.pass(ping + Duration::from_millis(7999));
    assert!(client.closed.is_none());
    client.pass(Duration::from_millis(1));
    client.check(expect![[r#"
        {}
        close 3012 no pong"#]]);
}

#[test]
fn a_pong_without_a_ping_is_a_bad_request() {
    let mut client = Client::open();
    client.send("{}");
    client.check(expect!["close 3501 bad request: a pong without a ping"]);

    let mut client = Client::open();
    client.pass(seconds(25));
    client.send("{}\n{}");
    client.check(expect![[r#"
        {}
        close 3501 bad request: a pong without a ping"#]]);
}

#[test]
fn a_transport_that_pings_by_itself_gets_no_empty_replies() {
    let origin = Origin {
        session: SessionId(1),
        client: ClientId(1),
        encoding: Encoding::Json,
        native_ping: true,
        pushes_end: false,
        extras: false,
        random: 0,
    };
    let now = Now { moment: Moment(5), unix: later(0) };
    let mut client = Client::with_origin(context(|_| ()), origin, now);
    client.connect(&json!({"sub": "u"}));
    client.settle();
    let mut pings = 0;
    for _ in 0..3 {
        client.now.moment = client.session.next_deadline().unwrap();
        client.feed(|session, now, actions| {
            session.handle_timeout(now, actions);
            pings += u32::from(std::mem::take(&mut actions.native_ping));
            session.handle_native_pong();
        });
    }
    assert_eq!(pings, 3);
    client.pass(seconds(25) + Duration::from_millis(7999));
    assert!(client.closed.is_none());
    client.pass(Duration::from_millis(1));
    client.check(expect![[r#"
        {"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test"}}
        close 3012 no pong"#]]);
}

#[test]
fn who_does_not_connect_in_time_is_stale() {
    for connects in [false, true] {
        let mut client = Client::new(context(|_| ()), Encoding::Json);
        if connects {
            client.connect(&json!({"sub": "u", "exp": START}));
        }
        client.pass(Duration::from_millis(9999));
        assert!(client.closed.is_none());
        client.received.clear();
        client.pass(Duration::from_millis(1));
        client.check(expect!["close 3502 stale"]);
    }
}

#[test]
fn an_expired_connection_ends_after_the_grace() {
    let mut client = expiring(100);
    client.pass(Duration::from_millis(124_999));
    assert!(client.closed.is_none());
    client.pass(Duration::from_millis(200));
    client.check(expect!["close 3005 connection expired"]);
}

/// Each subscribe looks for the earliest expiry anew.
#[test]
fn a_busy_client_expires_no_later_than_an_idle_one() {
    let mut client = expiring(100);
    for id in 2..40 {
        if client.closed.is_some() {
            break;
        }
        client.pass(seconds(5));
        if client.closed.is_none() {
            client.send(&format!(r#"{{"id":{id},"subscribe":{{"channel":"open:{id}"}}}}"#));
            client.settle();
        }
    }
    assert_eq!(client.closed.as_ref().map(|end| end.code), Some(3005));
    assert!(client.now.unix <= later(126), "{:?}", client.now.unix);
}

#[test]
fn a_refresh_keeps_the_connection() {
    let mut client = expiring(100);
    let refresh = |claims| json!({"id": 2, "refresh": {"token": token(&claims)}}).to_string();
    client.pass(seconds(110));
    client.send(&refresh(json!({"sub": "u", "exp": START + 100})));
    client.send(&refresh(json!({"sub": "u", "exp": START + 300})));
    client.check(expect![[r#"
        {"id":2,"error":{"code":109,"message":"token expired"}}
        {"id":2,"refresh":{"client":"00000000-0000-0000-0000-000000000001","version":"test","expires":true,"ttl":190}}"#]]);
    client.pass(seconds(100));
    client.send(&refresh(json!({"sub": "u"})));
    client.check(expect![[
        r#"{"id":2,"refresh":{"client":"00000000-0000-0000-0000-000000000001","version":"test"}}"#
    ]]);
    client.pass(seconds(10_000));
    client.check(expect![[""]]);
}

#[test]
fn a_wrong_refresh_ends_the_connection() {
    for (token, reason) in [
        (token(&json!({"sub": "v"})), "invalid token: the token is for another user"),
        ("x".to_owned(), "invalid token: malformed token"),
        (
            token(&json!({"sub": "u", "nbf": START + 1})),
            "invalid token: the token is not valid yet",
        ),
    ] {
        let mut client = expiring(100);
        client.send(&json!({"id": 2, "refresh": {"token": token}}).to_string());
        client.settle();
        assert_eq!(client.closed.map(|end| (end.code, end.reason)), Some((3500, reason.into())));
    }
}

#[test]
fn an_expired_subscription_ends_after_the_grace_unless_it_is_refreshed() {
    let mut client = expiring(10_000);
    let token = |exp: u64| token(&json!({"sub": "u", "channel": "$open:a", "exp": START + exp}));
    let subscribe = json!({"channel": "$open:a", "token": token(60)});
    client.send(&json!({"id": 2, "subscribe": subscribe}).to_string());
    client.settle();
    client.pass(seconds(80));
    let refresh =
        |exp| json!({"id": 3, "sub_refresh": {"channel": "$open:a", "token": token(exp)}});
    client.send(&refresh(70).to_string());
    client.send(&refresh(200).to_string());
    client.pass(seconds(100));
    client.check(expect![[r#"
        {"id":2,"subscribe":{"expires":true,"ttl":60}}
        {"id":3,"error":{"code":109,"message":"token expired"}}
        {"id":3,"sub_refresh":{"expires":true,"ttl":120}}"#]]);
    client.pass(seconds(44));
    client.check(expect![[""]]);
    client.pass(seconds(2));
    client.check(expect![[r#"{"push":{"channel":"$open:a","unsubscribe":{"code":2501,"reason":"subscription expired"}}}"#]]);
    assert!(client.subscribers.is_empty());
}

#[test]
fn a_sub_refresh_needs_a_subscription_and_a_token_for_it() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"subscribe":{"channel":"open:a"}}"#);
    client.settle();
    client.received.clear();
    client.send(concat!(
        r#"{"id":3,"sub_refresh":{"channel":"open:b","token":"x"}}"#,
        "\n",
        r#"{"id":4,"sub_refresh":{"channel":"open:a"}}"#,
        "\n",
        r#"{"id":5,"sub_refresh":{"channel":"open:a","token":"x"}}"#,
        "\n",
        r#"{"id":6,"sub_refresh":{"channel":"open:a","token":"x","type":1}}"#,
        "\n",
        r#"{"id":7,"refresh":{}}"#,
    ));
    let other = token(&json!({"sub": "u", "channel": "open:b"}));
    client
        .send(&json!({"id": 8, "sub_refresh": {"channel": "open:a", "token": other}}).to_string());
    client.check(expect![[r#"
        {"id":3,"error":{"code":103,"message":"permission denied: not subscribed"}}
        {"id":4,"error":{"code":107,"message":"bad request: token: empty"}}
        {"id":5,"error":{"code":103,"message":"permission denied: malformed token"}}
        {"id":6,"error":{"code":108,"message":"not available: type: only token refresh (0)"}}
        {"id":7,"error":{"code":107,"message":"bad request: token: empty"}}
        close 3500 invalid token: the subscription token is for another channel"#]]);
}

#[test]
fn an_expired_subscription_of_the_servers_ends_the_connection() {
    let mut client = expiring(10_000);
    let options = ServerSubscribe { expire_at: Some(later(60)), ..ServerSubscribe::default() };
    client.subscribe_by_server("open:a", options);
    client.settle();
    client.pass(seconds(84));
    client.check(expect![[r#"{"push":{"channel":"open:a","subscribe":{}}}"#]]);
    client.pass(seconds(2));
    client.check(expect!["close 3006 subscription expired"]);
}

#[test]
fn the_server_moves_the_expiry() {
    let mut client = expiring(100);
    client.command(ServerCommand::Refresh { expire_at: Some(later(200)) });
    client.settle();
    client.pass(seconds(150));
    client.command(ServerCommand::Refresh { expire_at: None });
    client.settle();
    client.pass(seconds(1000));
    client.check(expect![[r#"
        {"push":{"refresh":{"expires":true,"ttl":200}}}
        {"push":{"refresh":{}}}"#]]);
    client.command(ServerCommand::Refresh { expire_at: Some(later(1000)) });
    client.check(expect!["close 3005 connection expired"]);
}

#[test]
fn a_client_whose_command_waits_is_still_pinged_and_ended() {
    let mut client = Client::open();
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"forced:a"}}"#,
        "\n",
        r#"{"id":3,"unsubscribe":{"channel":"forced:a"}}"#,
    ));
    client.pass(seconds(40));
    client.check(expect![[r#"
        {}
        close 3012 no pong"#]]);
    assert!(client.subscribers.is_empty());
    assert!(client.members.get(&channel("forced:a")).is_none_or(|count| *count == 0));
}
