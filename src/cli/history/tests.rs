//! The command as a person types it.

use clap::Parser;
use expect_test::expect;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: HistoryArgs,
}

#[test]
fn asks_for_what_was_typed() {
    let body = |words: &[&str]| {
        body(&Cli::try_parse_from([&["history"], words].concat()).unwrap().arguments)
    };
    assert_eq!(body(&["a"]), r#"{"channel":"a","limit":100,"reverse":false}"#);
    let all = body(&["a", "--limit", "0", "--reverse", "--since", "3:e:f"]);
    expect![[r#"{"channel":"a","limit":0,"reverse":true,"since":{"epoch":"e:f","offset":3}}"#]]
        .assert_eq(&all);
    assert!(Cli::try_parse_from(["history", "a", "--limit", "-1"]).is_err());
}

#[test]
fn shows_publications_and_the_top() {
    let result = r#"{"publications":[{"data":{"a":1},"offset":4},{"data":2,"offset":5}],
        "offset":5,"epoch":"e"}"#;
    let shown = show(&RawValue::from_string(result.to_owned()).unwrap()).unwrap();
    expect![[r#"
        4 {"a":1}
        5 2
        position 5:e"#]]
    .assert_eq(&shown);
}
