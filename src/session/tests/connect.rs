//! Connect: who may, what the reply says, and what comes with it.

use expect_test::expect;
use serde_json::json;

use super::model::{Client, START, context, later, token};
use crate::base::Encoding;
use crate::channel::ServerCommand;
use crate::session::{Answer, PersonalChannel};

fn fresh() -> Client {
    Client::new(context(|_| ()), Encoding::Json)
}

#[test]
fn a_token_connects() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let mut client = Client::new(context(|_| ()), encoding);
        client.connect(&json!({"sub": "u", "exp": START + 100}));
        client.check(expect![[r#"{"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","expires":true,"ttl":100,"ping":25,"pong":true}}"#]]);
        client.check_asked(expect![[r#"enter "u""#]]);
    }
}

#[test]
fn without_a_token_an_option_decides() {
    let mut client = fresh();
    client.send(r#"{"id":1,"connect":{}}"#);
    client.check(expect!["close 3500 invalid token: no token"]);

    let mut client =
        Client::new(context(|o| o.allow_anonymous_connect_without_token = true), Encoding::Json);
    client.send(r#"{"id":1,"connect":{}}"#);
    client.check(expect![[r#"{"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","ping":25,"pong":true}}"#]]);
}

#[test]
fn an_anonymous_token_connects_unless_an_option_forbids_it() {
    let mut client = fresh();
    client.connect(&json!({}));
    client.settle();
    assert!(client.session.is_open());

    let mut client =
        Client::new(context(|o| o.disallow_anonymous_connection_tokens = true), Encoding::Json);
    client.connect(&json!({}));
    client.check(expect!["close 3507 permission denied: an anonymous token"]);
}

#[test]
fn an_expired_token_is_error_109_and_nothing_more_is_expected() {
    let mut client = fresh();
    client.connect(&json!({"sub": "u", "exp": START}));
    client.check(expect![[r#"{"id":1,"error":{"code":109,"message":"token expired"}}"#]]);
    client.send(r#"{"id":2,"ping":{}}"#);
    client.check(expect!["close 3501 bad request: the connect was refused"]);
}

#[test]
fn a_command_behind_a_refused_connect_in_its_frame_is_a_bad_request() {
    let mut client = fresh();
    let token = token(&json!({"sub": "u", "exp": START}));
    let connect = json!({"id": 1, "connect": {"token": token}});
    client.send(&format!("{connect}\n{}", r#"{"id":2,"subscribe":{"channel":"open:a"}}"#));
    client.check(expect![[r#"
        {"id":1,"error":{"code":109,"message":"token expired"}}
        close 3501 bad request: the connect was refused"#]]);
}

#[test]
fn a_token_that_is_none_ends_the_connection() {
    let mut client = fresh();
    client.send(r#"{"id":1,"connect":{"token":"a.b.c"}}"#);
    client.check(expect!["close 3500 invalid token: malformed token"]);
}

#[test]
fn the_first_command_must_be_connect_with_an_id() {
    for line in [r#"{"id":1,"subscribe":{"channel":"open:a"}}"#, "{}", r#"{"send":{"data":1}}"#] {
        let mut client = fresh();
        client.send(line);
        client.check(expect!["close 3501 bad request: the first command must be connect"]);
    }
    let mut client = fresh();
    client.send(r#"{"connect":{}}"#);
    client.check(expect!["close 3501 bad request: id: 0 where a reply is due"]);
}

#[test]
fn a_second_connect_is_a_bad_request() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"connect":{}}"#);
    client.check(expect!["close 3501 bad request: a second connect"]);

    let mut client = fresh();
    let connect = json!({"id": 1, "connect": {"token": token(&json!({"sub": "u"}))}});
    client.send(&format!("{connect}\n{connect}"));
    client.check(expect![[r#"
        {"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","ping":25,"pong":true}}
        close 3501 bad request: a second connect"#]]);
}

#[test]
fn subscribes_in_the_connects_frame_are_answered_after_it_and_in_order() {
    let mut client = fresh();
    let connect = json!({"id": 1, "connect": {"token": token(&json!({"sub": "u"}))}});
    let subscribes = (2..5).map(|id| {
        format!(r#"{{"id":{id},"subscribe":{{"channel":"stream:{id}","recoverable":true}}}}"#)
    });
    let lines: Vec<String> = std::iter::once(connect.to_string()).chain(subscribes).collect();
    client.send(&lines.join("\n"));
    assert!(!client.session.accepts_frames(), "nothing is read while commands wait");
    client.check(expect![[r#"
        {"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","ping":25,"pong":true}}
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}
        {"id":3,"subscribe":{"recoverable":true,"epoch":"e2","positioned":true}}
        {"id":4,"subscribe":{"recoverable":true,"epoch":"e3","positioned":true}}"#]]);
    client.check_asked(expect![[r#"
        enter "u"
        join stream:2 1
        join stream:3 2
        join stream:4 3
        history stream:2 0
        history stream:3 0
        history stream:4 0"#]]);
    assert!(client.session.accepts_frames());
}

#[test]
fn a_node_that_has_no_place_ends_the_connection() {
    for (entrance, code) in
        [(Answer::OverLimit, 3504), (Answer::ShuttingDown, 3001), (Answer::Unavailable, 3004)]
    {
        let mut client = fresh();
        client.entrance = Some(entrance);
        client.connect(&json!({"sub": "u"}));
        client.settle();
        assert_eq!(client.closed.map(|end| end.code), Some(code));
        assert!(client.received.is_empty());
    }
}

#[test]
fn server_side_subscriptions_come_in_the_reply_and_nothing_before_it() {
    let personal = PersonalChannel { namespace: "users".into(), single_connection: true };
    let mut client = Client::new(context(|o| o.personal_channel = Some(personal)), Encoding::Json);
    client.publish_many("forced:a", 1..=3);
    client.turn();
    let subs = json!({"forced:a": {"info": {"a": 1}, "data": {"b": 2}}, "crowd:b": {}});
    client.connect(&json!({"sub": "u", "subs": subs}));
    assert!(client.carry_out() && client.answer());
    while client.carry_out() {}
    while client.turn() {}
    client.publish("forced:a", 4);
    client.publish("crowd:b", 5);
    while client.turn() {}
    client.command(ServerCommand::Refresh { expire_at: Some(later(60)) });
    client.subscribe_by_server("open:c", crate::channel::ServerSubscribe::default());
    while client.mail(1) {}
    client.check_now(&expect![[""]]);
    client.check(expect![[r#"
        {"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","subs":{"crowd:b":{},"forced:a":{"recoverable":true,"epoch":"e1","offset":4,"positioned":true,"data":{"b":2}},"users:#u":{}},"ping":25,"pong":true}}
        {"push":{"channel":"crowd:b","pub":{"data":5}}}
        {"push":{"channel":"crowd:b","join":{"info":{"user":"u","client":"00000000-0000-0000-0000-000000000001"}}}}
        {"push":{"refresh":{"expires":true,"ttl":60}}}
        {"push":{"channel":"open:c","subscribe":{}}}"#]]);
    client.check_asked(expect![[r#"
        enter "u" alone
        join crowd:b 1 hears
        join forced:a 2
        join users:#u 3
        add crowd:b
        announce crowd:b join
        history forced:a 0
        join open:c 4"#]]);
}

#[test]
fn channels_of_a_token_are_subscribed_and_recover_from_what_the_client_presents() {
    let mut client = fresh();
    client.publish_many("forced:a", 1..=3);
    client.settle();
    let token = token(&json!({"sub": "u", "channels": ["forced:a", "forced:b"]}));
    let subs = json!({
        "forced:a": {"recover": true, "offset": 1, "epoch": "e1"},
        "forced:b": {"recover": true, "offset": 1, "epoch": "other"},
    });
    client.send(&json!({"id": 1, "connect": {"token": token, "subs": subs}}).to_string());
    client.check(expect![[r#"{"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","subs":{"forced:a":{"recoverable":true,"epoch":"e1","publications":[{"data":2,"offset":2},{"data":3,"offset":3}],"recovered":true,"offset":1,"positioned":true,"was_recovering":true},"forced:b":{"recoverable":true,"epoch":"e2","positioned":true,"was_recovering":true}},"ping":25,"pong":true}}"#]]);
}

#[test]
fn a_token_that_names_no_channel_refuses_the_connect() {
    for name in ["nowhere:a", "é", ""] {
        let mut client = fresh();
        client.connect(&json!({"sub": "u", "channels": [name]}));
        client.settle();
        let codes: Vec<u32> =
            client.received.iter().filter_map(|one| Some(one.error.as_ref()?.code)).collect();
        assert_eq!(codes, [if name == "nowhere:a" { 102 } else { 107 }], "{name}");
    }
}

/// `#a:b` would be of the namespace `#a`, which there is not.
#[test]
fn a_user_whose_id_makes_no_channel_connects_without_a_personal_one() {
    let personal = Some(PersonalChannel::default());
    let mut client = Client::new(context(|o| o.personal_channel = personal), Encoding::Json);
    client.connect(&json!({"sub": "a:b"}));
    client.check(expect![[r#"{"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","ping":25,"pong":true}}"#]]);
}

#[test]
fn more_server_side_subscriptions_than_the_limit_end_the_connection() {
    let names = |count: usize| (0..count).map(|n| format!("open:{n}")).collect::<Vec<_>>();
    let mut client = fresh();
    client.connect(&json!({"sub": "u", "channels": names(128)}));
    client.settle();
    assert!(client.session.is_open());

    let mut client = fresh();
    client.connect(&json!({"sub": "u", "channels": names(129)}));
    client.check(expect!["close 3505 channel limit"]);
    assert!(client.subscribers.is_empty() && !client.entered);
}

#[test]
fn a_channel_that_cannot_be_positioned_ends_the_connect() {
    let mut client = fresh();
    client.is_down = true;
    client.connect(&json!({"sub": "u", "channels": ["forced:a", "open:b"]}));
    client.check(expect!["close 3010 insufficient state"]);
    client.check_asked(expect![[r#"
        enter "u"
        join forced:a 1
        join open:b 2
        history forced:a 0
        leave forced:a 1
        leave open:b 2
        exit "u""#]]);
}

#[test]
fn what_the_server_says_meanwhile_follows_the_reply() {
    let mut client = fresh();
    client.connect(&json!({"sub": "u"}));
    client.subscribe_by_server("open:a", crate::channel::ServerSubscribe::default());
    client.command(ServerCommand::Unsubscribe { channel: super::model::channel("open:a") });
    while client.mail(1) {}
    client.check_now(&expect![[""]]);
    client.settle();
    client.command(ServerCommand::Disconnect { code: 4000, reason: "bye".into() });
    client.check(expect![[r#"
        {"id":1,"connect":{"client":"00000000-0000-0000-0000-000000000001","version":"test","ping":25,"pong":true}}
        close 4000 bye"#]]);
    client.check_asked(expect![[r#"
        enter "u"
        join open:a 1
        leave open:a 1
        exit "u""#]]);
}
