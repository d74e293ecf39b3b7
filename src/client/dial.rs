//! The way to a server: TCP, and TLS over it where the URL's scheme says so.

use std::io;
use std::sync::Arc;

use hyper::http::uri::Authority;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::tls::{HandshakeFault, Trust};

pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Tcp(#[from] io::Error),
    #[error(transparent)]
    Tls(HandshakeFault),
}

/// Where a server listens.
#[derive(Debug)]
pub(super) struct Address {
    /// Without the brackets that an IPv6 address has in a URL.
    host: String,
    port: u16,
    /// What its certificate must be for; `None` where it speaks no TLS.
    name: Option<ServerName<'static>>,
}

impl Address {
    pub(super) fn new(authority: &Authority, is_secure: bool) -> Result<Self, &'static str> {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = is_secure.then(|| ServerName::try_from(host.clone())).transpose();
        let name = name.map_err(|_no_name| "not a name that a certificate may have")?;
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { host, port, name })
    }

    /// Connects, for HTTP/1.1.
    pub(super) async fn dial(self, trust: &Trust) -> Result<Stream, DialError> {
        let stream = TcpStream::connect((self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(name) = self.name else { return Ok(Either::Left(stream)) };
        let connector = TlsConnector::from(Arc::new(trust.config(b"http/1.1")));
        let secured = connector.connect(name, stream).await;
        secured.map(Either::Right).map_err(|fault| DialError::Tls(HandshakeFault::new(fault)))
    }
}
