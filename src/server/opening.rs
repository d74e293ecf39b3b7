//! What comes before HTTP on a connection of the client listener: whom a proxy speaks for, and the
//! TLS handshake.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustls::{ALL_VERSIONS, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::proxy::{self, ProxyError};
use super::stream::Stream;
use super::tls::Certificates;
use crate::base::limits;

/// How connections open.
#[derive(Debug)]
pub(super) struct Opening {
    /// Where proxies are; empty: there are none.
    proxies: Vec<IpNet>,
    /// `None`: in the clear.
    tls: Option<Arc<ServerConfig>>,
}

/// Why a connection does not get as far as HTTP.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("not one of the proxies (listen.proxy_protocol_from)")]
    NoProxy,
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("took too long")]
    Slow,
}

impl Refused {
    /// In metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoProxy | Self::Proxy(_) => "proxy",
            Self::Tls(_) => "tls",
            Self::Slow => "slow",
        }
    }
}

impl Opening {
    /// With TLS 1.2 and 1.3 where there are certificates.
    pub(super) fn new(proxies: &[IpNet], certificates: Option<&Arc<Certificates>>) -> Self {
        let config = |all: &Arc<Certificates>| all.server_config(ALL_VERSIONS, &[b"http/1.1"]);
        Self { proxies: proxies.to_vec(), tls: certificates.map(|all| Arc::new(config(all))) }
    }

    /// The stream that HTTP is spoken on, and the client's address. All of it takes at most as long
    /// as request headers may.
    pub(super) async fn open(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<(Stream, SocketAddr), Refused> {
        let open = async {
            let (stream, client) = self.identify(stream, peer).await?;
            Ok((self.secure(stream).await?, client))
        };
        timeout(limits::HEADER_TIMEOUT, open).await.unwrap_or(Err(Refused::Slow))
    }

    /// Who the client is. Where there are proxies nobody else is believed, so nobody else may connect.
    async fn identify(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<(TcpStream, SocketAddr), Refused> {
        if self.proxies.is_empty() {
            return Ok((stream, peer));
        }
        // A listener for both families shows IPv4 in the clothes of IPv6.
        let address = peer.ip().to_canonical();
        if !self.proxies.iter().any(|network| network.contains(&address)) {
            return Err(Refused::NoProxy);
        }
        let client = proxy::client(&mut stream).await?;
        Ok((stream, client.unwrap_or(peer)))
    }

    async fn secure(&self, stream: TcpStream) -> Result<Stream, Refused> {
        let Some(config) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let handshake = TlsAcceptor::from(config.clone()).accept(stream);
        handshake.await.map(|stream| Stream::Tls(Box::new(stream))).map_err(Refused::Tls)
    }
}
