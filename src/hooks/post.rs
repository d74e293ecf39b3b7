//! One POST over a connection of its own.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::rt::{Read, Write};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::address::{Address, AddressError};

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("address: {0}")]
    Address(#[from] AddressError),
    #[error("not a name that a certificate may have")]
    Name,
    #[error("not a header")]
    Header,
    #[error("unreachable: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("answered {0}")]
    Status(StatusCode),
}

/// A message and what goes into its headers.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) body: Bytes,
    pub(super) signature: String,
    /// The same for every attempt.
    pub(super) id: String,
}

/// What is left of the answer to a message that was taken. What it says is of no use, but a
/// connection that is cut looks like a failure to the other side.
#[derive(Debug)]
pub(super) struct Rest {
    body: Incoming,
    /// The connection, which ends with this.
    _driver: JoinSet<hyper::Result<()>>,
}

impl Rest {
    /// Reads it, up to a bound; it may never end.
    pub(super) async fn read(self) {
        drop(Limited::new(self.body, ANSWER_BYTES).collect().await);
    }
}

/// Sends it; any answer of 200 to 299 takes it, as soon as its head is here.
pub(super) async fn post(address: &str, message: Message) -> Result<Rest, PostError> {
    let address = Address::parse(address)?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    if address.is_secure {
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_not_a_name| PostError::Name)?;
        let stream = TlsConnector::from(TLS.clone()).connect(name, stream).await?;
        return send(TokioIo::new(stream), &address, message).await;
    }
    send(TokioIo::new(stream), &address, message).await
}

async fn send(
    stream: impl Read + Write + Unpin + Send + 'static,
    address: &Address,
    message: Message,
) -> Result<Rest, PostError> {
    let (mut requests, connection) = handshake(stream).await?;
    // It ends with this call, unless the message is taken.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::post(&address.path)
        .header(HOST, &address.authority)
        .header(CONTENT_TYPE, "application/json")
        .header("x-nearcast-signature", message.signature)
        .header("x-nearcast-delivery", message.id)
        .body(Full::new(message.body))
        .map_err(|_bad_header| PostError::Header)?;
    let response = requests.send_request(request).await?;
    match response.status() {
        status if status.is_success() => Ok(Rest { body: response.into_body(), _driver: driver }),
        status => Err(PostError::Status(status)),
    }
}

/// Bytes of an answer's body that are read.
const ANSWER_BYTES: usize = 64 << 10;

static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has suites of every version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
});
