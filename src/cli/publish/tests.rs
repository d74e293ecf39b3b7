//! The command as a person types it.

use clap::Parser;
use expect_test::expect;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: PublishArgs,
}

fn type_in(words: &[&str], input: &str) -> Result<String, String> {
    let cli = Cli::try_parse_from([&["pub"], words].concat())
        .map_err(|error| error.render().to_string())?;
    body(&cli.arguments, input.as_bytes())
}

#[test]
fn sends_the_data_as_it_was_typed() {
    let words = ["a", r#" {"z": 1.00, "a": 12345678901234567890123} "#, "--tag", "k=v=w"];
    let words = [&words[..], &["--tag", "b=", "--idempotency-key", "once"]].concat();
    expect![[r#"{"channel":"a","data":{"z": 1.00, "a": 12345678901234567890123},"tags":{"b":"","k":"v=w"},"idempotency_key":"once"}"#]]
        .assert_eq(&type_in(&words, "").unwrap());
    assert_eq!(type_in(&["a", "-"], " [1]\n").unwrap(), r#"{"channel":"a","data":[1]}"#);
    assert_eq!(type_in(&["a", "-1"], "").unwrap(), r#"{"channel":"a","data":-1}"#);
}

#[test]
fn refuses_data_that_is_not_json() {
    for (data, input) in [("{", ""), ("", ""), ("word", ""), ("-", "1 2"), ("-", "")] {
        let refused = type_in(&["a", data], input).unwrap_err();
        assert!(refused.starts_with("DATA: not JSON"), "{data}: {refused}");
    }
    let deep = "[".repeat(limits::JSON_DEPTH + 1);
    assert!(type_in(&["a", &deep], "").unwrap_err().contains("nested deeper"));
    let long = " ".repeat(limits::API_BODY_BYTES) + "1";
    assert!(type_in(&["a", "-"], &long).unwrap_err().starts_with("standard input: over"));
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    for words in [&["a"][..], &["a", "1", "--tag", "k"], &["a", "1", "--tag", "=v"], &[]] {
        assert!(type_in(words, "").is_err(), "{words:?}");
    }
}

#[test]
fn shows_where_it_stands() {
    let show = |text: &str| show(&RawValue::from_string(text.to_owned()).unwrap());
    assert_eq!(show("{}").unwrap(), "published");
    assert_eq!(show(r#"{"offset":3,"epoch":"e"}"#).unwrap(), "published, position 3:e");
    assert_eq!(show("[[]]"), None);
}
