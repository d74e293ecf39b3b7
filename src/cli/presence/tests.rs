//! What the answers look like.

use expect_test::expect;

use super::*;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[test]
fn shows_who_is_there() {
    let result = r#"{"presence":{"c-1":{"user":"42","client":"c-1","conn_info":{"name":"A"}},
        "c-2":{"client":"c-2"}}}"#;
    expect![[r#"
        c-1 42 {"name":"A"}
        c-2 anonymous"#]]
    .assert_eq(&show_members(&raw(result)).unwrap());
    assert_eq!(show_members(&raw(r#"{"presence":{}}"#)).unwrap(), "nobody");
    assert_eq!(show_members(&raw("1")), None);
}

#[test]
fn shows_how_many_are_there() {
    let result = r#"{"num_clients":3,"num_users":2}"#;
    assert_eq!(show_counts(&raw(result)).unwrap(), "3 clients, 2 users");
}
