//! What comes before a WebSocket: right and wrong requests, and those that never end.

use std::time::Duration;

use tokio::time::timeout;

use crate::client::Client;
use crate::node::Node;
use crate::raw::{LAST, Raw, TEXT, announce, frame, upgrade};
use crate::time::now;

/// What the log tells of pages that may not connect.
pub(crate) const REFUSED_PAGE: &str = "a page was refused for its Origin";

/// The counter of requests that were refused.
pub(crate) fn refused(transport: &str, reason: &str) -> String {
    format!("nearcast_client_requests_refused{{reason=\"{reason}\",transport=\"{transport}\"}}")
}

/// Sends one request: the status of the answer and the whole head.
async fn status(node: &Node, request: &str) -> (u16, String) {
    let mut raw = Raw::dial(node.http).await;
    raw.write(request.as_bytes()).await;
    let head = raw.head().await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
}

#[tokio::test]
async fn an_upgrade_is_answered_by_its_headers() {
    let mut node = Node::start(&[]).await;
    node.expect_warning(REFUSED_PAGE);
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 101),
        (&[("Connection", "keep-alive, upgrade"), ("Upgrade", "WebSocket")], 101),
        (&[("Origin", "https://app.example.com")], 101),
        (&[("Origin", "HTTPS://APP.example.com")], 101),
        (&[("Origin", "https://evil.example")], 403),
        (&[("Origin", "https://app.example.com.evil.example")], 403),
        (&[("Origin", "http://app.example.com")], 403),
        (&[("Origin", "null")], 403),
        (&[("Connection", "keep-alive")], 426),
        (&[("Upgrade", "h2c")], 426),
        (&[("Upgrade", "")], 426),
        (&[("Sec-WebSocket-Version", "8")], 426),
        (&[("Sec-WebSocket-Version", "")], 426),
        (&[("Sec-WebSocket-Key", "")], 400),
        (&[("Sec-WebSocket-Key", "c2hvcnQ=")], 400),
        (&[("Sec-WebSocket-Key", "not base64 at all!!!!!!!")], 400),
    ];
    for (headers, expected) in cases {
        let (got, head) = status(&node, &upgrade("/connection/websocket", headers)).await;
        assert_eq!(got, *expected, "{headers:?}: {head}");
        if got == 426 {
            assert!(head.to_lowercase().contains("sec-websocket-version: 13"), "{head}");
        }
    }
    let post = upgrade("/connection/websocket", &[]).replacen("GET", "POST", 1);
    assert_eq!(status(&node, &post).await.0, 405);
    let old = upgrade("/connection/websocket", &[]).replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert_eq!(status(&node, &old).await.0, 426);
    assert_eq!(status(&node, &upgrade("/elsewhere", &[])).await.0, 404);
    assert_eq!(node.metric(&refused("websocket", "origin")).await, 4);
    assert_eq!(node.metric(&refused("websocket", "path")).await, 1);
    // Once a minute, and with what may have to be changed.
    let log = node.log();
    let told: Vec<&String> = log.iter().filter(|line| line.contains(REFUSED_PAGE)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let wanted = ["origin=\"https://evil.example\"", "option=\"client.allowed_origins\""];
    assert!(wanted.iter().all(|part| told[0].contains(part)), "{told:?}");
}

#[tokio::test]
async fn who_is_refused_is_counted_and_told_of() {
    let settings = [("client.connection_limit", "1"), ("log.level", "debug")];
    let mut node = Node::start(&settings).await;
    node.expect_warning(REFUSED_PAGE);
    let client = Client::connect(&node).await;
    assert_eq!(status(&node, &upgrade("/connection/websocket", &[])).await.0, 503);
    assert_eq!(node.metric(&refused("websocket", "limit")).await, 1);
    node.wait_for_log("reason=\"limit\"").await;
    // What else is not found is no session that anybody wanted.
    assert_eq!(status(&node, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n").await.0, 404);
    assert_eq!(node.metric(&refused("websocket", "path")).await, 0);
    let long = format!("/{}", "x".repeat(4000));
    assert_eq!(status(&node, &upgrade(&long, &[])).await.0, 404);
    let origin = format!("https://{}.example", "y".repeat(4000));
    let request = upgrade("/connection/websocket", &[("Origin", &origin)]);
    assert_eq!(status(&node, &request).await.0, 403);
    node.wait_for_log(REFUSED_PAGE).await;
    for line in node.log().iter().filter(|line| line.contains(" refused")) {
        assert!(line.len() < 1000, "{line}");
    }
    drop(client);

    let node = Node::start(&[("client.connection_rate_limit", "1")]).await;
    let mut turned = 0;
    while turned == 0 {
        turned += u64::from(status(&node, &upgrade("/connection/websocket", &[])).await.0 == 429);
    }
    assert_eq!(node.metric(&refused("websocket", "rate")).await, turned);
}

#[tokio::test]
async fn the_subprotocol_chooses_the_codec() {
    let node = Node::start(&[]).await;
    let cases = [
        ("/connection/websocket", "", None, true),
        ("/connection/websocket", "centrifuge-json", Some("centrifuge-json"), true),
        ("/connection/websocket", "centrifuge-protobuf", Some("centrifuge-protobuf"), false),
        ("/connection/websocket", "x, centrifuge-protobuf", Some("centrifuge-protobuf"), false),
        ("/connection/websocket?cf_protocol=protobuf", "", None, false),
        ("/connection/websocket?format=protobuf", "", None, false),
    ];
    for (target, offered, selected, is_json) in cases {
        let mut raw = Raw::dial(node.http).await;
        raw.write(upgrade(target, &[("Sec-WebSocket-Protocol", offered)]).as_bytes()).await;
        let head = raw.head().await.to_lowercase();
        let line = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(line, selected, "{target} {offered}: {head}");
        // The wrong kind of frame tells which codec was taken.
        if is_json {
            raw.binary(b"x").await
        } else {
            raw.text("{}").await
        }
        assert_eq!(raw.close_code().await, Some(3506), "{target} {offered}");
    }
    // An empty offer is none (the Python SDK sends it).
    let empty = "Sec-WebSocket-Protocol: \r\n\r\n";
    let request = upgrade("/connection/websocket", &[]).replacen("\r\n\r\n", "\r\n", 1) + empty;
    assert_eq!(status(&node, &request).await.0, 101);
}

#[tokio::test]
async fn frames_that_follow_the_request_at_once_are_read() {
    let node = Node::start(&[]).await;
    let mut raw = Raw::dial(node.http).await;
    let connect = frame(LAST | TEXT, br#"{"id":1,"connect":{}}"#);
    let request = upgrade("/connection/websocket", &[]);
    raw.write(&[request.as_bytes(), &connect].concat()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101"));
    let (_, reply) = raw.frame().await.unwrap();
    assert!(String::from_utf8(reply).unwrap().starts_with(r#"{"id":1,"connect":{"client":"#));
}

#[tokio::test]
async fn bytes_that_are_no_request_end_the_connection() {
    let node = Node::start(&[]).await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(2000));
    let hostile: [&[u8]; 7] = [
        b"\x00\xff\x17\x03\x01 nothing like HTTP\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in hostile {
        let mut raw = Raw::dial(node.http).await;
        raw.write(bytes).await;
        let answer = raw.end().await;
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    Client::connect(&node).await;
}

#[tokio::test]
async fn headers_must_be_complete_in_five_seconds() {
    let node = Node::start(&[]).await;
    let (mut silent, mut half) = (Raw::dial(node.http).await, Raw::dial(node.http).await);
    half.write(b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\n").await;
    let start = now();
    let ((), ()) = tokio::join!(
        async {
            let answer = half.end().await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
        },
        async { assert_eq!(silent.end().await, b"") },
    );
    let took = start.elapsed();
    assert!(took > Duration::from_millis(4500) && took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn a_connection_that_has_asked_may_rest_before_it_asks_again() {
    let node = Node::start(&[]).await;
    let mut raw = Raw::dial(node.http).await;
    for _ in 0..2 {
        raw.write(b"HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        let end = timeout(Duration::from_millis(5500), raw.stream.readable()).await;
        assert!(end.is_err(), "the server hung up");
    }
}

#[tokio::test]
async fn a_client_without_a_connect_is_closed_as_stale() {
    let node = Node::start(&[("client.stale_close_delay", "300ms")]).await;
    let start = now();
    let mut silent = Client::open(&node).await;
    // Bytes that never become a message do not help.
    let mut slow = Raw::open(node.http, "").await;
    slow.write(&announce(LAST | TEXT, 100)).await;
    assert_eq!(silent.close_code().await, 3502);
    assert_eq!(slow.close_code().await, Some(3502));
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(node.metric("nearcast_client_num_server_disconnects{code=\"3502\"}").await, 2);
}
