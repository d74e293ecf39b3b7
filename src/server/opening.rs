//! What comes before HTTP on a connection of the client listener: its TLS handshake.

use std::io;
use std::sync::Arc;

use rustls::{ALL_VERSIONS, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::stream::Stream;
use super::tls::Certificates;
use crate::base::limits;

/// How connections open.
#[derive(Debug)]
pub(super) struct Opening {
    /// `None`: in the clear.
    tls: Option<Arc<ServerConfig>>,
}

/// Why a connection does not get as far as HTTP.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("the TLS handshake took too long")]
    Slow,
}

impl Opening {
    /// With TLS 1.2 and 1.3 where there are certificates.
    pub(super) fn new(certificates: Option<&Arc<Certificates>>) -> Self {
        let config = |all: &Arc<Certificates>| all.server_config(ALL_VERSIONS, &[b"http/1.1"]);
        Self { tls: certificates.map(|all| Arc::new(config(all))) }
    }

    /// All of it takes at most as long as request headers may.
    pub(super) async fn open(&self, stream: TcpStream) -> Result<Stream, Refused> {
        let opened = timeout(limits::HEADER_TIMEOUT, self.secure(stream)).await;
        opened.unwrap_or(Err(Refused::Slow))
    }

    async fn secure(&self, stream: TcpStream) -> Result<Stream, Refused> {
        let Some(config) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let handshake = TlsAcceptor::from(config.clone()).accept(stream);
        handshake.await.map(|stream| Stream::Tls(Box::new(stream))).map_err(Refused::Tls)
    }
}
