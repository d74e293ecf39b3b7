//! TLS on the client listener.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use quinn::ConnectionError;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, HandshakeKind, RootCertStore};
use rustls::{SupportedProtocolVersion, version};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Client;
use crate::http;
use crate::node::{API_KEY, Node, Settings};
use crate::raw::Raw;
use crate::time::{now, within};
use crate::webtransport_raw::{Raw as Quic, RawSession};

/// Writes a certificate for `localhost` and its key.
pub(crate) fn certify(folder: &Path) -> CertificateDer<'static> {
    certify_until(folder, 2120)
}

/// The same, valid to the beginning of this year.
pub(crate) fn certify_until(folder: &Path, year: i32) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    made.der().clone()
}

/// Serves WebTransport as well.
async fn secured(folder: &Path) -> Node {
    secured_with(folder, &[]).await
}

/// A node with this certificate and these settings.
pub(crate) async fn secured_with(folder: &Path, settings: Settings<'_>) -> Node {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    let tls = [("tls.certificate", certificate.as_str()), ("tls.key", &key)];
    crate::webtransport::start(&[&tls, settings].concat()).await
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// A client that trusts one certificate; it remembers the tickets that it gets.
fn trusting(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn dial_with(
    node: &Node,
    connector: &TlsConnector,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = within("a connection", TcpStream::connect(node.http)).await?;
    shake_hands(stream, connector, name).await
}

async fn shake_hands(
    stream: TcpStream,
    connector: &TlsConnector,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name).unwrap();
    within("a handshake", connector.connect(name, stream)).await
}

/// TLS on a connection on which something was said before.
pub(crate) async fn secure(
    stream: TcpStream,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    shake_hands(stream, &trusting(trusted, BOTH), "localhost").await
}

/// Dials with TLS, trusting one certificate.
pub(crate) async fn dial(
    node: &Node,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    dial_with(node, &trusting(trusted, BOTH), "localhost").await
}

pub(crate) const URL: &str = "ws://localhost/connection/websocket";

/// The certificate that QUIC shows.
async fn shown(node: &Node) -> CertificateDer<'static> {
    let identity = Quic::dial(node).await.connection.peer_identity().unwrap();
    identity.downcast::<Vec<CertificateDer<'static>>>().unwrap().remove(0)
}

#[tokio::test]
async fn wss_and_https_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let node = secured(folder.path()).await;
    let stream = dial(&node, &certificate).await.unwrap();
    let mut client = Client::over(stream, URL).await;
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
        let mut client = Client::over(stream, URL).await;
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
    let mut client = Client::over(stream, URL).await;
    client.enter(json!({})).await;
    assert_eq!(shown(&node).await, first);
    let mut session = RawSession::connected(&node).await;
    let second = certify(folder.path());
    node.signal("HUP");
    node.wait_for_log("reloaded").await;
    dial(&node, &second).await.unwrap();
    dial(&node, &first).await.unwrap_err();
    assert_eq!(shown(&node).await, second);
    assert!(client.ask(json!({"ping": {}})).await["error"].is_null());
    session.say(r#"{"id":2,"ping":{}}"#).await;
    assert!(session.hear().await.contains("\"id\":2"));
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
    let mut client = Client::over(stream, URL).await;
    client.enter(json!({})).await;
    node.signal("TERM");
    assert_eq!(client.close_code().await, 3001);
    assert_eq!(node.exit_code().await, Some(0));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_certificate_that_clients_see_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let hash = |der: &[u8]| hex(ring::digest::digest(&ring::digest::SHA256, der).as_ref());
    let first = certify(folder.path());
    let mut node = secured(folder.path()).await;
    assert_eq!(node.addresses["certificate_sha256"], hash(&first));
    assert_eq!(node.addresses["certificate_by_hash"], false, "it is good for 120 years");
    let told = |node: &Node, event: &str, certificate: &[u8]| {
        let log = node.log();
        let line = log.iter().find(|line| line.contains(event)).unwrap();
        let sha256 = format!("sha256=\"{}\"", hash(certificate));
        let dated = "names=\"localhost\" not_after=\"2120-01-01T00:00:00Z\"";
        assert!(["/cert.pem\"", dated, &sha256].iter().all(|part| line.contains(part)), "{line}");
    };
    told(&node, " a certificate is in use", &first);
    let second = certify(folder.path());
    node.signal("HUP");
    node.wait_for_log("another certificate is in use").await;
    told(&node, "another certificate is in use", &second);

    let mut node = crate::webtransport::start(&[]).await;
    node.wait_for_log("names=\"localhost 127.0.0.1 ::1\"").await;
    assert_eq!(node.addresses["certificate_sha256"], hash(&shown(&node).await));
    assert_eq!(node.addresses["certificate_by_hash"], true);
    let gauge = "nearcast_tls_certificate_expiry_seconds{certificate=\"development\"}";
    let left = node.metric(gauge).await;
    assert!((12 * 86_400..13 * 86_400).contains(&left), "{left}");
}

#[test]
fn a_start_tells_faults_as_config_check_does() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("key.pem"), path("cert.pem"));
    let settings = [
        ("listen.http", "127.0.0.1:0"),
        ("listen.admin", "off"),
        ("tls.certificate", certificate.as_str()),
        ("tls.key", &key),
    ];
    let (code, log) = crate::node::run(&["serve"], &settings);
    assert_eq!(code, Some(1), "{log}");
    let told = format!(
        "tls.certificate = {certificate:?} (file): no certificate in the file, but a private key: \
         tls.certificate and tls.key may be the wrong way round\n"
    );
    assert!(log.contains(&told), "{log}");
}

/// Why a client does not trust the server.
async fn distrust(
    node: &Node,
    trusted: &CertificateDer<'static>,
    name: &'static str,
) -> CertificateError {
    let error = dial_with(node, &trusting(trusted, BOTH), name).await.unwrap_err();
    match *error.into_inner().expect("an error of TLS").downcast().expect("an error of rustls") {
        Error::InvalidCertificate(why) => why,
        other => panic!("{other}"),
    }
}

/// What a client of QUIC holds against the server.
async fn quic_distrust(node: &Node, trusted: &CertificateDer<'static>, name: &str) -> String {
    let endpoint = Quic::endpoint_trusting(trusted);
    match Quic::try_dial(&endpoint, node, name).await.unwrap_err() {
        ConnectionError::TransportError(fault) => fault.reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn clients_are_told_apart_what_is_wrong_with_a_certificate() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificate = certify_until(folder.path(), 2020);
    let stranger = certify(elsewhere.path());
    let mut node = secured(folder.path()).await;
    node.expect_warning("the certificate has expired");
    let why = distrust(&node, &certificate, "localhost").await;
    assert!(matches!(why, CertificateError::ExpiredContext { .. }), "{why:?}");
    let why = quic_distrust(&node, &certificate, "localhost").await;
    assert!(why.contains("certificate expired"), "{why}");
    let certificate = certify(folder.path());
    node.wait_for_log("another certificate is in use").await;
    let why = distrust(&node, &certificate, "example.com").await;
    assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{why:?}");
    let why = quic_distrust(&node, &certificate, "example.com").await;
    assert!(why.contains("not valid for name \"example.com\""), "{why}");
    // The key of another, under the same name.
    let why = distrust(&node, &stranger, "localhost").await;
    assert_eq!(why, CertificateError::BadSignature);
    let why = quic_distrust(&node, &stranger, "localhost").await;
    assert!(why.contains("BadSignature"), "{why}");
    dial(&node, &certificate).await.unwrap();
    Quic::try_dial(&Quic::endpoint_trusting(&certificate), &node, "localhost").await.unwrap();
    node.wait_for_metric("nearcast_quic_connections{outcome=\"failed\"}", 3).await;
    node.wait_for_metric("nearcast_quic_connections{outcome=\"accepted\"}", 1).await;
}

/// Who signs: its name, and by whom it is signed.
fn authority(
    name: &str,
    by: Option<&Issuer<'static, KeyPair>>,
) -> (Issuer<'static, KeyPair>, Certificate) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let made = match by {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    (Issuer::new(params, key), made.unwrap())
}

#[tokio::test]
async fn a_chain_is_shown_whole_and_missed_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (root, trusted) = authority("root", None);
    let (middle, link) = authority("middle", Some(&root));
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &middle).unwrap();
    std::fs::write(folder.path().join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    let mut node = secured(folder.path()).await;
    let why = distrust(&node, trusted.der(), "localhost").await;
    assert_eq!(why, CertificateError::UnknownIssuer);
    let why = quic_distrust(&node, trusted.der(), "localhost").await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    std::fs::write(folder.path().join("cert.pem"), leaf.pem() + &link.pem()).unwrap();
    node.wait_for_log("another certificate is in use").await;
    dial(&node, trusted.der()).await.unwrap();
    Quic::try_dial(&Quic::endpoint_trusting(trusted.der()), &node, "localhost").await.unwrap();
}

#[tokio::test]
async fn a_thousand_sessions_outlive_their_certificate() {
    const SESSIONS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let mut node = secured(folder.path()).await;
    let mut clients = Vec::new();
    while clients.len() < SESSIONS {
        let mut opening = JoinSet::new();
        for _ in 0..50 {
            let stream = dial(&node, &first).await.unwrap();
            opening.spawn(async move {
                let mut client = Client::over(stream, URL).await;
                client.enter(json!({})).await;
                client.subscribe("a").await;
                client
            });
        }
        clients.extend(opening.join_all().await);
    }
    let second = certify(folder.path());
    node.wait_for_log("another certificate is in use").await;
    assert_eq!(node.metric("nearcast_tls_certificate_reloads{outcome=\"ok\"}").await, 1);
    assert_eq!(node.metric("nearcast_node_num_clients").await, SESSIONS as u64);
    dial(&node, &first).await.unwrap_err();
    let mut late = Client::over(dial(&node, &second).await.unwrap(), URL).await;
    late.enter(json!({})).await;
    late.ask(json!({"publish": {"channel": "a", "data": "still here"}})).await;
    for client in &mut clients {
        assert_eq!(client.publication().await, "still here");
    }
}

#[tokio::test]
async fn a_thousand_quic_sessions_outlive_their_certificate() {
    const SESSIONS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    // On a busy machine it takes longer than the usual pings.
    let settings = [("webtransport.address_limit", "2000"), ("client.ping_interval", "300s")];
    let mut node = secured_with(folder.path(), &settings).await;
    let endpoint = Quic::endpoint_trusting(&first);
    let mut sessions = Vec::new();
    while sessions.len() < SESSIONS {
        let opening = (0..50).map(async |_| {
            let mut session = RawSession::connected_from(endpoint.clone(), &node).await;
            session.say(r#"{"id":2,"subscribe":{"channel":"a"}}"#).await;
            session.hear().await;
            session
        });
        sessions.extend(join_all(opening).await);
    }
    let second = certify(folder.path());
    node.wait_for_log("another certificate is in use").await;
    assert_eq!(node.metric("nearcast_node_num_clients").await, SESSIONS as u64);
    quic_distrust(&node, &first, "localhost").await;
    let mut late = RawSession::connected_from(Quic::endpoint_trusting(&second), &node).await;
    late.say(r#"{"id":2,"publish":{"channel":"a","data":"still here"}}"#).await;
    for session in &mut sessions {
        assert!(session.hear().await.contains("still here"));
    }
}

#[tokio::test]
async fn a_bad_pair_leaves_the_old_one_in_use() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = certify(folder.path());
    let mut node = secured(folder.path()).await;
    let stream = dial(&node, &first).await.unwrap();
    let mut client = Client::over(stream, URL).await;
    client.enter(json!({})).await;
    certify(elsewhere.path());
    std::fs::copy(elsewhere.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    node.expect_warning("the certificate was not reloaded");
    node.wait_for_log("the certificate was not reloaded").await;
    let told = node.log().into_iter().find(|line| line.contains("was not reloaded")).unwrap();
    assert!(told.contains("tls.key ") && told.contains("not the key of the certificate"), "{told}");
    assert_eq!(node.metric("nearcast_tls_certificate_reloads{outcome=\"failed\"}").await, 1);
    dial(&node, &first).await.unwrap();
    assert!(client.ask(json!({"ping": {}})).await["error"].is_null());
}

/// How a client's next connection begins, after which it has tickets for another.
async fn greet(node: &Node, connector: &TlsConnector) -> Option<HandshakeKind> {
    let stream = dial_with(node, connector, "localhost").await.unwrap();
    let kind = stream.get_ref().1.handshake_kind();
    let mut client = Client::over(stream, URL).await;
    client.enter(json!({})).await;
    kind
}

#[tokio::test]
async fn sessions_are_resumed_by_ticket_until_the_certificate_changes() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let mut node = secured(folder.path()).await;
    let mut connectors: Vec<_> = BOTH.iter().map(|version| trusting(&first, &[*version])).collect();
    for connector in &connectors {
        assert_eq!(greet(&node, connector).await, Some(HandshakeKind::Full));
        assert_eq!(greet(&node, connector).await, Some(HandshakeKind::Resumed));
        assert_eq!(greet(&node, connector).await, Some(HandshakeKind::Resumed));
    }
    let second = certify(folder.path());
    node.signal("HUP");
    node.wait_for_log("reloaded").await;
    for connector in &mut connectors {
        // A ticket that is not accepted falls back to a handshake, which shows the certificate.
        dial_with(&node, connector, "localhost").await.unwrap_err();
        *connector = trusting(&second, BOTH);
        assert_eq!(greet(&node, connector).await, Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn both_versions_speak_http_1_and_nothing_older_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let node = secured(folder.path()).await;
    for (version, wanted) in BOTH.iter().zip([0x303_u16, 0x304]) {
        let mut config = (**trusting(&certificate, &[*version]).config()).clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let stream = dial_with(&node, &connector, "localhost").await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(b"http/1.1".as_slice()));
        assert_eq!(session.protocol_version().map(u16::from), Some(wanted));
    }
    // A hello of TLS 1.0, as it was: the answer is an alert.
    let mut old = Raw::dial(node.http).await;
    let mut hello = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01".to_vec();
    hello.extend([7; 32]);
    hello.extend(b"\x00\x00\x02\x00\x2f\x01\x00");
    old.write(&hello).await;
    let answer = old.end().await;
    assert!(answer.starts_with(&[0x15]), "{answer:?}");
}
