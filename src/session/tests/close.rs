//! The end: everything that was entered is left, once.

use expect_test::expect;
use serde_json::json;

use super::model::{Client, channel, context};
use crate::base::{Encoding, SubId};
use crate::channel::{Mail, PushBody, ServerSubscribe};
use crate::protocol::Disconnect;
use crate::session::Actions;

#[test]
fn a_close_leaves_every_channel_once_and_then_the_directory() {
    let mut client = Client::new(context(|_| ()), Encoding::Json);
    client.connect(&json!({"sub": "u", "channels": ["crowd:a"]}));
    client.settle();
    client.send(concat!(
        r#"{"id":2,"subscribe":{"channel":"crowd:b"}}"#,
        "\n",
        r#"{"id":3,"subscribe":{"channel":"open:c"}}"#,
    ));
    client.settle();
    client.check_asked(expect![[r#"
        enter "u"
        join crowd:a 1 hears
        add crowd:a
        announce crowd:a join
        join crowd:b 2 hears
        join open:c 3
        add crowd:b
        announce crowd:b join"#]]);
    client.close(None);
    client.settle();
    client.check_asked(expect![[r#"
        leave crowd:a 1
        remove crowd:a
        announce crowd:a leave
        leave crowd:b 2
        remove crowd:b
        announce crowd:b leave
        leave open:c 3
        exit "u""#]]);
    assert!(client.subscribers.is_empty() && !client.entered);
    assert!(client.members.values().all(|count| *count == 0));

    client.feed(|session, _, actions| session.handle_closed(actions));
    client.settle();
    client.check_asked(expect![[""]]);
}

/// Wherever a subscribe stands, the end leaves what it has made so far.
#[test]
fn a_close_in_the_middle_of_anything_leaves_nothing() {
    for steps in 0..40 {
        let mut client = Client::new(context(|_| ()), Encoding::Json);
        client.connect(&json!({"sub": "u", "channels": ["crowd:a", "forced:b"]}));
        client.subscribe_by_server("crowd:c", ServerSubscribe::default());
        for _ in 0..steps {
            let _ = client.carry_out() || client.turn() || client.mail(1) || client.answer();
        }
        if client.session.accepts_frames() && client.session.is_open() {
            client.send(r#"{"id":2,"subscribe":{"channel":"crowd:d"}}"#);
            for _ in 0..steps % 7 {
                let _ = client.carry_out() || client.turn() || client.mail(1) || client.answer();
            }
        }
        client.close(None);
        client.settle();
        assert!(client.subscribers.is_empty() && !client.entered, "{steps}");
        assert!(client.members.values().all(|count| *count == 0), "{steps}");
        assert!(client.announced.values().all(|count| *count == 0), "{steps}");
    }
}

#[test]
fn a_client_that_never_connected_leaves_nothing() {
    let mut client = Client::new(context(|_| ()), Encoding::Json);
    client.close(None);
    client.settle();
    client.check_asked(expect![[""]]);
}

#[test]
fn a_violation_of_the_transport_ends_the_connection_after_the_replies() {
    let mut client = Client::open();
    client.send(r#"{"id":2,"subscribe":{"channel":"forced:a"}}"#);
    client.feed(|session, now, actions| {
        session.handle_violation(Disconnect::INAPPROPRIATE_PROTOCOL, now, actions);
    });
    client.check(expect![[r#"
        {"id":2,"subscribe":{"recoverable":true,"epoch":"e1","positioned":true}}
        close 3506 inappropriate protocol"#]]);
}

/// A connection hands over a whole batch before it looks at what came of it.
#[test]
fn nothing_follows_the_word_that_the_connection_ends() {
    let mut client = Client::open();
    client.subscribe_by_server("forced:a", ServerSubscribe::default());
    client.settle();
    client.received.clear();
    let mut actions = Actions::default();
    let push = |offset| {
        let bytes = r#""pub":{"data":1}}}"#.into();
        Mail::Push {
            sub: SubId(1),
            epoch: crate::channel::EpochTag::of("e1"),
            body: PushBody { offset, accepted: Default::default(), bytes, delta: None },
        }
    };
    for mail in [push(1), Mail::Gap { sub: SubId(1) }, push(3)] {
        client.session.handle_mail(mail, client.now, &mut actions);
    }
    assert_eq!(actions.writes().count(), 1);
    assert_eq!(actions.close.as_ref().map(|end| end.code), Some(3010));
    let mut actions = Actions::default();
    client.session.handle_mail(push(4), client.now, &mut actions);
    assert_eq!(actions.writes().count(), 0);
    assert!(client.subscribers.iter().all(|(_, at, _)| *at == channel("forced:a")));
}
