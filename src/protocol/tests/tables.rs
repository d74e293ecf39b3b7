//! The tables of codes.

use expect_test::expect;

use crate::protocol::{
    ClientError, Disconnect, DisconnectPush, Error, ErrorCode, Unsubscribe, UnsubscribeCode,
};

#[test]
fn errors_are_numbered_without_a_gap() {
    let table: Vec<String> = ErrorCode::ALL
        .iter()
        .map(|&code| {
            let error = Error::from(code);
            let temporary = if error.temporary { ", temporary" } else { "" };
            format!("{} {}{temporary}", error.code, error.message)
        })
        .collect();
    assert!((100..).zip(ErrorCode::ALL).all(|(number, code)| code.number() == number));
    expect![[r#"
        100 internal server error, temporary
        101 unauthorized
        102 unknown channel
        103 permission denied
        104 method not found
        105 already subscribed
        106 limit exceeded
        107 bad request
        108 not available
        109 token expired
        110 expired
        111 too many requests, temporary
        112 unrecoverable position
        113 concurrent pagination, temporary"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn a_reason_follows_the_text() {
    let error = ErrorCode::BadRequest.because("channel: longer than 255 bytes");
    assert_eq!(error.to_string(), "bad request: channel: longer than 255 bytes (107)");
    assert_eq!(
        ErrorCode::Internal.because("x"),
        ClientError { code: 100, message: "internal server error: x".into(), temporary: true }
    );
    let disconnect = Disconnect::BAD_REQUEST.because("second connect");
    assert_eq!(disconnect.to_string(), "bad request: second connect (3501)");
    assert!(!disconnect.reconnects());
}

#[test]
fn disconnects_say_whether_to_come_back() {
    let table: Vec<String> = Disconnect::ALL
        .iter()
        .map(|disconnect| {
            let push = DisconnectPush::from(disconnect.clone());
            let back = if push.reconnect { "" } else { ", stay away" };
            format!("{} {}{back}", push.code, push.reason)
        })
        .collect();
    expect![[r#"
        3000 connection closed
        3001 shutdown
        3004 internal server error
        3005 connection expired
        3006 subscription expired
        3008 slow
        3009 write error
        3010 insufficient state
        3011 force reconnect
        3012 no pong
        3013 too many requests
        3014 state invalidated
        3500 invalid token, stay away
        3501 bad request, stay away
        3502 stale, stay away
        3503 force disconnect, stay away
        3504 connection limit, stay away
        3505 channel limit, stay away
        3506 inappropriate protocol, stay away
        3507 permission denied, stay away
        3508 not available, stay away
        3509 too many errors, stay away"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn applications_have_ranges_of_their_own() {
    let reconnects = |code| Disconnect { code, reason: "".into() }.reconnects();
    let borders = [(3499, true), (3500, false), (3999, false), (4000, true), (4499, true)];
    for (code, expected) in borders.into_iter().chain([(4500, false), (4999, false), (5000, true)])
    {
        assert_eq!(reconnects(code), expected, "{code}");
    }
}

#[test]
fn an_unsubscribe_has_number_and_reason() {
    let push = Unsubscribe::from(UnsubscribeCode::InsufficientState);
    assert_eq!((push.code, push.reason.as_str()), (2500, "insufficient state"));
}
