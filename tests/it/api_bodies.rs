//! The server API as HTTP: who may call it, bodies that are wrong, statuses.

use serde_json::{Value, json};

use crate::http;
use crate::node::{API_KEY, Node};

#[tokio::test]
async fn only_the_key_opens_the_api() {
    let node = Node::start(&[]).await;
    let apikey = format!("apikey {API_KEY}");
    let shouted = format!("ApiKey {API_KEY}");
    let longer = format!("{API_KEY}x");
    let cases: [(&[(&str, &str)], u16); 10] = [
        (&[("X-API-Key", API_KEY)], 200),
        (&[("Authorization", &apikey)], 200),
        (&[("Authorization", &shouted)], 200),
        (&[], 401),
        (&[("X-API-Key", "")], 401),
        (&[("X-API-Key", "wrong")], 401),
        (&[("X-API-Key", &longer)], 401),
        (&[("X-API-Key", &API_KEY[1..])], 401),
        (&[("Authorization", API_KEY)], 401),
        (&[("Authorization", "Bearer x")], 401),
    ];
    for (headers, status) in cases {
        let answer = node.post_api("info", headers, b"{}").await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    // Who has no key learns of no method.
    assert_eq!(node.post_api("nothing", &[], b"{}").await.status, 401);
    let key = [("X-API-Key", API_KEY)];
    assert_eq!(node.post_api("nothing", &key, b"{}").await.status, 404);
    assert_eq!(node.post_api("", &key, b"{}").await.status, 404);
    for method in ["GET", "PUT", "DELETE"] {
        let request = http::request(method, "/api/info", &key, b"");
        let answer = http::exchange(node.http, request).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("Allow"), Some("POST"));
    }
}

#[tokio::test]
async fn without_a_key_in_the_configuration_nobody_may() {
    let node = Node::start(&[("http_api.key", "")]).await;
    for headers in [&[][..], &[("X-API-Key", "")], &[("X-API-Key", API_KEY)]] {
        assert_eq!(node.post_api("info", headers, b"{}").await.status, 401);
    }
}

#[tokio::test]
async fn the_api_can_be_switched_off() {
    let node = Node::start(&[("http_api.disabled", "true")]).await;
    let answer = node.post_api("info", &[("X-API-Key", API_KEY)], b"{}").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_malformed_body_is_answered_by_the_name_of_its_field() {
    let node = Node::start(&[]).await;
    let cases = [
        ("publish", "{", ""),
        ("publish", "[]", ""),
        ("publish", "null", ""),
        ("publish", r#"{"channel":"a","data":{}} x"#, ""),
        ("publish", "\u{feff}{}", ""),
        ("publish", "", "channel"),
        ("publish", r#"{"data":{}}"#, "channel"),
        ("publish", r#"{"channel":"a"}"#, "data"),
        ("publish", r#"{"channel":7,"data":{}}"#, "channel"),
        ("publish", r#"{"channel":"a","data":{},"tags":{"k":1}}"#, "tags.k"),
        ("publish", r#"{"channel":"a","data":{},"tags":[]}"#, "tags"),
        ("publish", r#"{"channel":"a","data":{},"skip_history":"yes"}"#, "skip_history"),
        ("publish", r#"{"channel":"a","b64data":"***"}"#, "b64data"),
        ("publish", r#"{"channel":"a","b64data":"bm90IGpzb24="}"#, "data"),
        ("publish", r#"{"channel":"a","data":{},"b64data":"e30="}"#, "data and b64data"),
        ("broadcast", r#"{"channels":"a","data":{}}"#, "channels"),
        ("broadcast", r#"{"channels":["a",7],"data":{}}"#, "channels[1]"),
        (
            "subscribe",
            r#"{"user":"u","channel":"a","override":{"presence":{"value":1}}}"#,
            "override.presence.value",
        ),
        (
            "subscribe",
            r#"{"user":"u","channel":"a","recover_since":{"offset":-1}}"#,
            "recover_since.offset",
        ),
        ("disconnect", r#"{"user":"u","whitelist":[1]}"#, "whitelist[0]"),
        ("disconnect", r#"{"user":"u","disconnect":{"code":"x"}}"#, "disconnect.code"),
        ("disconnect", r#"{"user":"u","disconnect":{"code":70000}}"#, "disconnect.code"),
        ("disconnect", r#"{"user":"u","client":"no-uuid"}"#, "client"),
        ("refresh", r#"{"user":"u","expire_at":"soon"}"#, "expire_at"),
        ("history", r#"{"channel":"a","since":{"offset":"x"}}"#, "since.offset"),
        ("history", r#"{"channel":"a","limit":1.5}"#, "limit"),
        ("channels", r#"{"pattern":[]}"#, "pattern"),
        ("batch", r#"{"commands":{}}"#, "commands"),
        ("batch", r#"{"commands":[7]}"#, "commands[0]"),
        ("info", "{", ""),
    ];
    for (method, body, field) in cases {
        let answer = node.post_api(method, &[("X-API-Key", API_KEY)], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text());
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], 107, "{method} {body}: {error}");
        let message = error["message"].as_str().unwrap();
        let named = format!("bad request: {field}");
        assert!(message.starts_with(&named), "{method} {body}: {message:?} names no {field:?}");
    }
    let deep =
        format!(r#"{{"channel":"a","data":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let answer = node.post_api("publish", &[("X-API-Key", API_KEY)], deep.as_bytes()).await;
    assert_eq!(answer.json()["error"]["code"], 107);
}

#[tokio::test]
async fn a_body_may_have_4_mib_and_no_more() {
    let node = Node::start(&[]).await;
    let key = [("X-API-Key", API_KEY)];
    let body = |length: usize| {
        let mut body = br#"{"channel":"a","data":{}}"#.to_vec();
        body.resize(length, b' ');
        body
    };
    let answer = node.post_api("publish", &key, &body(4 << 20)).await;
    assert_eq!(answer.json()["result"]["offset"], 1);
    for length in [(4 << 20) + 1, 5 << 20, 16 << 20] {
        assert_eq!(node.post_api("publish", &key, &body(length)).await.status, 413, "{length}");
    }
    // A body whose end never comes costs what came, and nothing is published.
    let request = http::request("POST", "/api/publish", &key, &body(1000));
    let mut raw = crate::raw::Raw::dial(node.http).await;
    raw.write(&request[..request.len() - 500]).await;
    drop(raw);
    let page = node.api("history", &json!({"channel": "a"})).await;
    assert_eq!(page["offset"], 1);
}

#[tokio::test]
async fn errors_become_statuses_where_the_backend_asks_for_it() {
    let node = Node::start(&[]).await;
    let headers = [("X-API-Key", API_KEY), ("X-Centrifugo-Error-Mode", "transport")];
    let cases = [
        ("publish", json!({"channel": "nowhere:a", "data": {}}), 404, 102),
        ("publish", json!({"data": {}}), 400, 107),
        ("history", json!({"channel": "plain:a"}), 501, 108),
        ("history", json!({"channel": "a", "since": {"offset": 1, "epoch": "x"}}), 400, 112),
    ];
    for (method, body, status, code) in &cases {
        let bytes = body.to_string().into_bytes();
        let answer = node.post_api(method, &headers, &bytes).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (*status, &json!(code)));
        let answer = node.post_api(method, &headers[..1], &bytes).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (200, &json!(code)));
    }
    let fine = node.post_api("info", &headers, b"{}").await;
    assert_eq!((fine.status, fine.header("Content-Type")), (200, Some("application/json")));
    let node = Node::start(&[("http_api.error_mode", "transport")]).await;
    let answer = node.post_api("publish", &headers[..1], b"{}").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let node = Node::start(&[]).await;
    let mut raw = crate::raw::Raw::dial(node.http).await;
    let request = http::request("POST", "/api/publish", &[("X-API-Key", API_KEY)], DATA);
    let request = String::from_utf8(request).unwrap().replace("Connection: close\r\n", "");
    // Pipelined.
    raw.write(request.repeat(3).as_bytes()).await;
    let last = String::from_utf8(http::request("GET", "/", &[], b"")).unwrap();
    raw.write(last.as_bytes()).await;
    let answers = String::from_utf8(raw.end().await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 404 Not Found").count(), 1, "{answers}");
    let page: Value = node.api("history", &json!({"channel": "a"})).await;
    assert_eq!(page["offset"], 3);
}

const DATA: &[u8] = br#"{"channel":"a","data":{}}"#;
