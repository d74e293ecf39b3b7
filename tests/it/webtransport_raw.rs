//! A client of WebTransport that does what a proper one would not: over quinn, frame by frame.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig};
use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use wtransport_proto::frame::Frame;
use wtransport_proto::headers::Headers;

use crate::node::Node;
use crate::time::within;

/// A stream with control's type and empty SETTINGS.
pub(crate) const CONTROL: &[u8] = &[0, 4, 0];
/// What a stream of the session begins with.
pub(crate) const SESSION: &[u8] = &[0x40, 0x41, 0];

#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) endpoint: Endpoint,
    pub(crate) connection: Connection,
}

/// A session, its stream opened; nothing was said on it.
#[derive(Debug)]
pub(crate) struct RawSession {
    pub(crate) raw: Raw,
    pub(crate) connect: (SendStream, RecvStream),
    pub(crate) stream: (SendStream, RecvStream),
    _control: SendStream,
}

impl Raw {
    /// A QUIC connection on which nothing was said.
    pub(crate) async fn dial(node: &Node) -> Raw {
        Raw::dial_from(Raw::endpoint(), node).await
    }

    pub(crate) fn endpoint() -> Endpoint {
        Raw::endpoint_with(TransportConfig::default())
    }

    pub(crate) fn endpoint_with(transport: TransportConfig) -> Endpoint {
        let mut tls = tls_config(RootCertStore::empty());
        let takes_all = Arc::new(Trusting(tls.crypto_provider().clone()));
        tls.dangerous().set_certificate_verifier(takes_all);
        endpoint(tls, transport)
    }

    /// Offers these protocols (ALPN).
    pub(crate) fn endpoint_speaking(protocols: &[Vec<u8>]) -> Endpoint {
        let mut tls = tls_config(RootCertStore::empty());
        tls.alpn_protocols = protocols.to_vec();
        let takes_all = Arc::new(Trusting(tls.crypto_provider().clone()));
        tls.dangerous().set_certificate_verifier(takes_all);
        endpoint(tls, TransportConfig::default())
    }

    /// Looks at certificates, and trusts those that this one has signed.
    pub(crate) fn endpoint_trusting(certificate: &CertificateDer<'static>) -> Endpoint {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        endpoint(tls_config(roots), TransportConfig::default())
    }

    /// Several connections can share a socket.
    pub(crate) async fn dial_from(endpoint: Endpoint, node: &Node) -> Raw {
        let connection = Raw::try_dial(&endpoint, node, "localhost").await.unwrap();
        Raw { endpoint, connection }
    }

    pub(crate) async fn try_dial(
        endpoint: &Endpoint,
        node: &Node,
        name: &str,
    ) -> Result<Connection, ConnectionError> {
        let address = node.addresses["webtransport"].as_str().unwrap().parse().unwrap();
        within("a QUIC connection", endpoint.connect(address, name).unwrap()).await
    }

    /// To a node behind something else.
    pub(crate) async fn dial_to(
        endpoint: Endpoint,
        address: SocketAddr,
    ) -> Result<Raw, ConnectionError> {
        let connecting = endpoint.connect(address, "localhost").unwrap();
        let connection = within("a QUIC connection", connecting).await?;
        Ok(Raw { endpoint, connection })
    }

    pub(crate) async fn uni(&self, bytes: &[u8]) -> SendStream {
        let mut stream = within("a stream", self.connection.open_uni()).await.unwrap();
        within("sending", stream.write_all(bytes)).await.unwrap();
        stream
    }

    pub(crate) async fn bi(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut send, receive) = within("a stream", self.connection.open_bi()).await.unwrap();
        within("sending", send.write_all(bytes)).await.unwrap();
        (send, receive)
    }

    /// Pieces of streams that have left.
    pub(crate) fn sent(&self) -> u64 {
        self.connection.stats().frame_tx.stream
    }

    /// Waits until so many have, so that what follows goes in other packets.
    pub(crate) async fn has_sent(&self, pieces: u64) {
        let leaving = async {
            while self.sent() < pieces {
                tokio::task::yield_now().await;
            }
        };
        within("a packet", leaving).await;
    }

    /// The code of HTTP/3 with which the server ends the connection.
    pub(crate) async fn end(&self) -> u64 {
        match within("the end", self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            end => panic!("{end:?} in place of a code"),
        }
    }

    /// Goes on from another port.
    pub(crate) fn rebind(&self) {
        self.endpoint.rebind(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    }
}

impl RawSession {
    pub(crate) async fn open(node: &Node) -> RawSession {
        RawSession::over(Raw::dial(node).await).await
    }

    pub(crate) async fn over(raw: Raw) -> RawSession {
        let control = raw.uni(CONTROL).await;
        let (send, mut receive) = raw.bi(&request()).await;
        assert_eq!(status(&mut receive).await, "200");
        let stream = raw.bi(SESSION).await;
        RawSession { raw, connect: (send, receive), stream, _control: control }
    }

    pub(crate) async fn connected(node: &Node) -> RawSession {
        RawSession::connected_from(Raw::endpoint(), node).await
    }

    pub(crate) async fn connected_from(endpoint: Endpoint, node: &Node) -> RawSession {
        let mut session = RawSession::over(Raw::dial_from(endpoint, node).await).await;
        session.say(r#"{"id":1,"connect":{}}"#).await;
        assert!(session.hear().await.contains("\"client\""));
        session
    }

    pub(crate) async fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        within("sending", self.stream.0.write_all(line.as_bytes())).await.unwrap();
    }

    /// What comes next, to the end of a line.
    pub(crate) async fn hear(&mut self) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\n") {
            let mut some = [0; 1024];
            let length = within("a message", self.stream.1.read(&mut some)).await.unwrap().unwrap();
            heard.extend_from_slice(&some[..length]);
        }
        String::from_utf8(heard).unwrap()
    }

    /// The code in the capsule that ends the session, if there is one before the end.
    pub(crate) async fn close_code(&mut self) -> Option<u32> {
        let rest = within("the end", self.connect.1.read_to_end(4096)).await.ok()?;
        // DATA, its length; the capsule 0x2843, its length; the code.
        let capsule = rest.get(1..)?.strip_prefix(&rest[1..2])?.strip_prefix(&[0x68, 0x43])?;
        let (_length, code) = capsule.split_first()?;
        code.first_chunk().copied().map(u32::from_be_bytes)
    }
}

/// The status in the HEADERS frame that comes next.
pub(crate) async fn status(stream: &mut RecvStream) -> String {
    let mut head = [0; 2];
    within("an answer", stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[0], 1, "no HEADERS");
    let mut payload = vec![0; usize::from(head[1])];
    within("an answer", stream.read_exact(&mut payload)).await.unwrap();
    let headers = Headers::with_frame(&Frame::new_headers(payload.into())).unwrap();
    headers.get(":status").unwrap().to_owned()
}

/// The HEADERS frame of a proper request.
pub(crate) fn request() -> Vec<u8> {
    headers(&[
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":protocol", "webtransport"),
        (":authority", "localhost"),
        (":path", crate::webtransport::PATH),
    ])
}

pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let headers: Headers = fields.iter().copied().collect();
    let mut bytes = Vec::new();
    headers.generate_frame().write(&mut bytes).unwrap();
    bytes
}

fn tls_config(roots: RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls
}

fn endpoint(tls: rustls::ClientConfig, transport: TransportConfig) -> Endpoint {
    let tls = QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

/// Takes every certificate.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("QUIC has TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
