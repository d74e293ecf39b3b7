//! TLS on the client listener.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Client;
use crate::http;
use crate::node::{API_KEY, Node};
use crate::raw::Raw;
use crate::time::{now, within};

/// Writes a certificate for `localhost` and its key.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

async fn secured(folder: &Path) -> Node {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    Node::start(&[("tls.certificate", &certificate), ("tls.key", &key)]).await
}

/// Dials with TLS, trusting one certificate.
async fn dial(
    node: &Node,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = within("a connection", TcpStream::connect(node.http)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    within("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

#[tokio::test]
async fn wss_and_https_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let node = secured(folder.path()).await;
    let stream = dial(&node, &certificate).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/connection/websocket").await;
    client.enter(json!({})).await;
    client.subscribe("a").await;
    let body = json!({"channel": "a", "data": "z".repeat(60_000)}).to_string();
    let request = http::request("POST", "/api/publish", &[("X-API-Key", API_KEY)], body.as_bytes());
    let answer = http::exchange_over(dial(&node, &certificate).await.unwrap(), request).await;
    assert_eq!(answer.json()["result"]["offset"], 1);
    assert_eq!(client.publication().await, "z".repeat(60_000));
    // The operator's listener stays in the clear.
    assert_eq!(node.get("/health").await.status, 200);
    // Many clients with large messages at once.
    let mut clients = Vec::new();
    for _ in 0..20 {
        let stream = dial(&node, &certificate).await.unwrap();
        let mut client = Client::over(stream, "ws://localhost/connection/websocket").await;
        client.enter(json!({})).await;
        client.subscribe("b").await;
        clients.push(client);
    }
    for n in 0..20 {
        let publish = json!({"channel": "b", "data": [n, "w".repeat(40_000)]});
        client.ask(json!({"publish": publish})).await;
    }
    for client in &mut clients {
        for n in 0..20 {
            assert_eq!(client.publication().await[0], n);
        }
    }
}

#[tokio::test]
async fn plain_tcp_to_a_tls_listener_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let node = secured(folder.path()).await;
    let start = now();
    let mut plain = Raw::dial(node.http).await;
    plain.write(b"GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = plain.end().await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(4));
    // Nothing, or half a handshake, is closed in time.
    let (mut silent, mut half) = (Raw::dial(node.http).await, Raw::dial(node.http).await);
    half.write(b"\x16\x03\x01\x02\x00\x01\x00").await;
    let start = now();
    let (first, second) = tokio::join!(silent.end(), half.end());
    assert!(first.is_empty() && second.len() <= 7, "{first:?} {second:?}");
    let took = start.elapsed();
    assert!(took > Duration::from_millis(4500) && took < Duration::from_secs(8), "{took:?}");
    dial(&node, &certificate).await.unwrap();
}

#[tokio::test]
async fn sighup_takes_up_another_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let mut node = secured(folder.path()).await;
    let stream = dial(&node, &first).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/connection/websocket").await;
    client.enter(json!({})).await;
    let second = certify(folder.path());
    node.signal("HUP");
    node.wait_for_log("reloaded").await;
    dial(&node, &second).await.unwrap();
    dial(&node, &first).await.unwrap_err();
    assert!(client.ask(json!({"ping": {}})).await["error"].is_null());
    // A file that is no certificate changes nothing.
    node.expect_warning("the certificate was not reloaded");
    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    node.signal("HUP");
    node.wait_for_log("the certificate was not reloaded").await;
    dial(&node, &second).await.unwrap();
}

#[tokio::test]
async fn a_drain_says_goodbye_under_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let mut node = secured(folder.path()).await;
    let stream = dial(&node, &certificate).await.unwrap();
    let mut client = Client::over(stream, "ws://localhost/connection/websocket").await;
    client.enter(json!({})).await;
    node.signal("TERM");
    assert_eq!(client.close_code().await, 3001);
    assert_eq!(node.exit_code().await, Some(0));
}
