//! What is printed, against a node in this process.

use bytes::Bytes;
use clap::Parser;
use expect_test::{Expect, expect};
use tokio::sync::mpsc;

use super::*;
use crate::client::tests::Served;
use crate::client::{ApiClient, Trust};
use crate::protocol::ClientInfo;
use crate::session::SessionOptions;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: SubscribeArgs,
}

fn arguments(words: &[&str]) -> SubscribeArgs {
    Cli::try_parse_from([&["sub"], words].concat()).unwrap().arguments
}

fn check(kind: Kind<'_>, expected: &Expect) {
    let event = Event { channel: "a", kind };
    expected.assert_eq(&format!("{}\n{}\n", event.text().unwrap_or_default(), event.json()));
}

fn somebody() -> ClientInfo {
    ClientInfo {
        user: "42".to_owned(),
        client: "c-1".to_owned(),
        conn_info: Bytes::from_static(br#"{"name":"A"}"#),
        ..ClientInfo::default()
    }
}

#[test]
fn shows_publications() {
    let mut publication =
        Publication { data: Bytes::from_static(b"{\"b\":\n1}"), ..Publication::default() };
    check(
        Kind::Publication(&publication),
        &expect![[r#"
            {"b": 1}
            {"channel":"a","event":"publication","data":{"b": 1}}
        "#]],
    );
    publication.offset = 7;
    publication.tags = [("kind".to_owned(), "alert".to_owned())].into();
    publication.info = Some(somebody());
    publication.data = Bytes::from_static(&[0xFF, 0]);
    check(
        Kind::Publication(&publication),
        &expect![[r##"
            7 base64:/wA= #kind=alert @42
            {"channel":"a","event":"publication","b64data":"/wA=","offset":7,"tags":{"kind":"alert"},"info":{"user":"42","client":"c-1","conn_info":{"name":"A"}}}
        "##]],
    );
}

#[test]
fn shows_who_comes_and_goes() {
    check(
        Kind::Join(&somebody()),
        &expect![[r#"
            + 42
            {"channel":"a","event":"join","info":{"user":"42","client":"c-1","conn_info":{"name":"A"}}}
        "#]],
    );
    let anonymous = ClientInfo { client: "c-2".to_owned(), ..ClientInfo::default() };
    check(
        Kind::Leave(&anonymous),
        &expect![[r#"
            - c-2
            {"channel":"a","event":"leave","info":{"user":"","client":"c-2"}}
        "#]],
    );
}

#[test]
fn shows_the_subscription_to_programs_alone() {
    let mut result = SubscribeResult { offset: 3, epoch: "e".to_owned(), ..Default::default() };
    check(
        Kind::Subscribed(&result),
        &expect![[r#"

            {"channel":"a","event":"subscribed","offset":3,"epoch":"e","recoverable":false}
        "#]],
    );
    (result.recoverable, result.was_recovering) = (true, true);
    check(
        Kind::Subscribed(&result),
        &expect![[r#"

            {"channel":"a","event":"subscribed","offset":3,"epoch":"e","recoverable":true,"recovered":false}
        "#]],
    );
    check(
        Kind::Unsubscribed(&UnsubscribeCode::Server.into()),
        &expect![[r#"

            {"channel":"a","event":"unsubscribed","code":2000,"reason":"server unsubscribe"}
        "#]],
    );
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    let words = ["sub", "a", "--since", "7:e", "--token", "hush", "--count", "2"];
    let shown = format!("{:?}", Cli::try_parse_from(words).unwrap().arguments);
    assert!(!shown.contains("hush"), "{shown}");
    for words in [&[][..], &["a", "--since", "7"], &["a", "--since", "x:e"], &["a", "--count", "0"]]
    {
        assert!(Cli::try_parse_from([&["sub"], words].concat()).is_err(), "{words:?}");
    }
}

#[tokio::test]
async fn recovers_what_was_missed_between_two_connections() {
    let served = Served::open().await;
    let (url, token) = (served.url(), served.token("42"));
    for encoding in [&["--protobuf"][..], &[]] {
        let (events, mut printed) = mpsc::channel(16);
        let words = [&["a", "--url", &url, "--token", &token, "--count", "3"], encoding].concat();
        let mut listener =
            Listener::new(&arguments(&words).watch, arguments(&words).request(), |event| {
                if !matches!(event.kind, Kind::Join(_) | Kind::Leave(_)) {
                    events.try_send((event.text(), event.json())).unwrap();
                }
            });
        let mut api = ApiClient::open(&served.api(), None, &Trust::Public).await.unwrap();
        let drive = async {
            printed.recv().await.unwrap();
            for (method, body) in [
                ("publish", r#"{"channel":"a","data":1}"#),
                ("disconnect", r#"{"user":"42","disconnect":{"code":3011,"reason":"again"}}"#),
                ("publish", r#"{"channel":"a","data":2}"#),
                ("publish", r#"{"channel":"a","data":3}"#),
            ] {
                api.call(method, body).await.unwrap();
            }
        };
        let (ended, ()) = tokio::join!(listener.listen(), drive);
        ended.unwrap();
        let mut texts = Vec::new();
        let mut recovered = 0;
        while let Ok((text, json)) = printed.try_recv() {
            texts.extend(text.and_then(|text| text.split(' ').nth(1).map(str::to_owned)));
            recovered += usize::from(json.contains(r#""recovered":true"#));
        }
        assert_eq!((texts.join(","), recovered), ("1,2,3".to_owned(), 1));
    }
}

#[tokio::test]
async fn begins_where_it_is_told_to() {
    let served = Served::open().await;
    let mut api = ApiClient::open(&served.api(), None, &Trust::Public).await.unwrap();
    let mut epoch = String::new();
    for _ in 0..4 {
        let result = api.call("publish", r#"{"channel":"a","data":1}"#).await.unwrap();
        let result: serde_json::Value = serde_json::from_str(result.get()).unwrap();
        result["epoch"].as_str().unwrap().clone_into(&mut epoch);
    }
    let since = format!("2:{epoch}");
    let mut texts = Vec::new();
    let words = ["a", "--url", &served.url(), "--since", &since, "--count", "2"];
    let mut listener =
        Listener::new(&arguments(&words).watch, arguments(&words).request(), |event| {
            texts.extend(event.text())
        });
    listener.listen().await.unwrap();
    assert_eq!(texts, ["3 1", "4 1"]);
}

#[tokio::test]
async fn ends_where_coming_back_would_not_help() {
    let served = Served::start(SessionOptions::default(), None).await;
    let url = served.url();
    let listen = async |words: &[&str]| {
        Listener::new(&arguments(words).watch, arguments(words).request(), |_| ())
            .listen()
            .await
            .unwrap_err()
    };
    let refused = listen(&["a", "--url", &url, "--token", "no.such.token"]).await;
    assert!(refused.contains("invalid token") && refused.ends_with("(3500)"), "{refused}");
    let open = Served::open().await;
    let refused = listen(&["", "--url", &open.url()]).await;
    assert!(refused.ends_with(" (107)"), "{refused}");
    let refused = listen(&["a", "--url", "ws://127.0.0.1:1/"]).await;
    assert!(refused.starts_with("ws://127.0.0.1:1/: "), "{refused}");
}

#[test]
fn waits_longer_after_each_failure_but_not_for_ever() {
    for failures in [0, 1, 2, 5, 6, 100, 1_000] {
        let most = BACKOFF_MIN.mul_f64(2_f64.powi(failures.min(10))).min(BACKOFF_MAX);
        let pause = backoff(u32::try_from(failures).unwrap());
        assert!((BACKOFF_MIN..=most).contains(&pause), "{failures}: {pause:?}");
    }
}
