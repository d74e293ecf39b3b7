//! One POST over a connection of its own.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::rt::{Read, Write};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("not an http or https address")]
    Address,
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

/// Sends it; any answer of 200 to 299 takes it.
pub(super) async fn post(address: &str, message: Message) -> Result<(), PostError> {
    let uri: Uri = address.parse().map_err(|_not_an_address| PostError::Address)?;
    let host = uri.host().ok_or(PostError::Address)?.to_owned();
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream = TcpStream::connect((name.as_str(), port)).await?;
    if is_secure {
        let name = ServerName::try_from(name).map_err(|_not_a_name| PostError::Address)?;
        let stream = TlsConnector::from(TLS.clone()).connect(name, stream).await?;
        return send(TokioIo::new(stream), &uri, &host, message).await;
    }
    send(TokioIo::new(stream), &uri, &host, message).await
}

async fn send(
    stream: impl Read + Write + Unpin + Send + 'static,
    uri: &Uri,
    host: &str,
    message: Message,
) -> Result<(), PostError> {
    let (mut requests, connection) = handshake(stream).await?;
    // It ends with this call, whatever becomes of it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let request = Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header("x-nearcast-signature", message.signature)
        .header("x-nearcast-delivery", message.id)
        .body(Full::new(message.body))
        .map_err(|_bad_header| PostError::Address)?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    // What it says is of no use, but a connection that is cut looks like a failure to the other.
    let read = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    drop(read);
    if status.is_success() { Ok(()) } else { Err(PostError::Status(status)) }
}

/// Bytes of an answer that are read.
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
