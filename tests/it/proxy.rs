//! Clients behind a proxy that speaks the PROXY protocol.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Client;
use crate::node::{Node, Settings};
use crate::raw::{Raw, upgrade};
use crate::time::{now, within};
use crate::tls::{URL, certify, secure, secured_with};

/// This machine is a proxy.
const TRUSTED: Settings<'_> =
    &[("listen.proxy_protocol_from", r#"["127.0.0.1"]"#), ("log.level", "debug")];

const REFUSED: &str = "a connection to listen.http was refused";

/// What the log told of connections that were refused.
fn refusals(node: &Node) -> Vec<String> {
    node.log().into_iter().filter(|line| line.contains(REFUSED)).collect()
}

/// A header of TCP over IPv4, for this client, with 40 bytes of other things to tell.
fn header(client: [u8; 4]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x34".to_vec();
    bytes.extend(client);
    bytes.extend([10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]);
    bytes.extend([0x04, 0, 37]);
    bytes.extend([7; 37]);
    bytes
}

/// What a proxy says of itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0";

async fn dial(node: &Node, first: &[u8]) -> Raw {
    let mut raw = Raw::dial(node.http).await;
    raw.write(first).await;
    raw
}

#[tokio::test]
async fn the_client_behind_a_proxy_is_who_is_told_of() {
    let mut node = Node::start(TRUSTED).await;
    let mut client = Client::over(dial(&node, &header([203, 0, 113, 7])).await.stream, URL).await;
    client.enter(json!({})).await;
    node.wait_for_log("peer=203.0.113.7:12345").await;
    // The header comes in pieces, and the first request at once with its end.
    let head = header([203, 0, 113, 8]);
    let mut raw = dial(&node, &head[..5]).await;
    raw.write(&head[5..20]).await;
    let upgrade = upgrade("/connection/websocket", &[]);
    raw.write(&[&head[20..], upgrade.as_bytes()].concat()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    raw.text(r#"{"id":1,"connect":{}}"#).await;
    node.wait_for_log("peer=203.0.113.8:12345").await;
}

#[tokio::test]
async fn a_proxy_may_speak_for_itself() {
    let mut node = Node::start(TRUSTED).await;
    let raw = dial(&node, LOCAL).await;
    let own = format!("peer={}", raw.stream.local_addr().unwrap());
    let mut client = Client::over(raw.stream, URL).await;
    client.enter(json!({})).await;
    node.wait_for_log(&own).await;
}

#[tokio::test]
async fn who_is_no_proxy_is_refused() {
    let proxies = [("listen.proxy_protocol_from", r#"["10.0.0.0/8", "::1"]"#)];
    let mut node = Node::start(&proxies).await;
    node.expect_warning(REFUSED);
    for first in [header([203, 0, 113, 7]), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()] {
        assert_eq!(dial(&node, &first).await.end().await, b"");
    }
    node.wait_for_metric("nearcast_client_connections_refused{reason=\"proxy\"}", 2).await;
    let told = refusals(&node);
    assert_eq!(told.len(), 1, "once a minute: {told:?}");
    let wanted = ["peer=127.0.0.1:", "not one of the proxies", "\"listen.proxy_protocol_from\""];
    assert!(wanted.iter().all(|part| told[0].contains(part)), "{told:?}");
    // The operator's listener has no proxy in front of it.
    assert_eq!(node.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_tells_nothing_is_refused() {
    let mut node = Node::start(TRUSTED).await;
    node.expect_warning(REFUSED);
    let garbage: &[&[u8]] = &[
        b"GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b01234567890",
    ];
    for first in garbage {
        assert_eq!(dial(&node, first).await.end().await, b"", "{first:?}");
    }
    node.wait_for_metric("nearcast_client_connections_refused{reason=\"proxy\"}", 4).await;
    let told = refusals(&node);
    assert_eq!(told.len(), 1, "once a minute: {told:?}");
    assert!(told[0].contains("not a PROXY protocol header (version 2)"), "{told:?}");
    // Half a header is waited for as long as request headers.
    let start = now();
    assert_eq!(dial(&node, &LOCAL[..15]).await.end().await, b"");
    let took = start.elapsed();
    assert!(took > Duration::from_millis(4500) && took < Duration::from_secs(8), "{took:?}");
    node.wait_for_metric("nearcast_client_connections_refused{reason=\"slow\"}", 1).await;
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let mut node = secured_with(folder.path(), TRUSTED).await;
    node.expect_warning(REFUSED);
    let raw = dial(&node, &header([203, 0, 113, 9])).await;
    let stream = secure(raw.stream, &certificate).await.unwrap();
    let mut client = Client::over(stream, URL).await;
    client.enter(json!({})).await;
    node.wait_for_log("peer=203.0.113.9:12345").await;
    // Neither without it nor within.
    secure(Raw::dial(node.http).await.stream, &certificate).await.unwrap_err();
    let raw = dial(&node, LOCAL).await;
    let mut stream = secure(raw.stream, &certificate).await.unwrap();
    stream.write_all(&header([203, 0, 113, 10])).await.unwrap();
    let mut answer = Vec::new();
    drop(within("an answer", stream.read_to_end(&mut answer)).await);
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
}
