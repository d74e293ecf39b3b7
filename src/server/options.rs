//! What an operator sets about listeners, the server API and the life of the process.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::base::limits;

#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    /// TCP: client transports and the server API; `None` is `"off"`.
    pub(crate) http: Option<SocketAddr>,
    /// TCP: health and metrics; `None` is `"off"`.
    pub(crate) admin: Option<SocketAddr>,
    /// Proxies in front of `http`, which say whom they speak for by PROXY protocol v2; empty for
    /// none, else nobody else may connect.
    pub(crate) proxies: Vec<IpNet>,
    /// UDP: WebTransport; `None` is `"off"`.
    pub(crate) quic: Option<SocketAddr>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) api: ApiOptions,
    pub(crate) websocket: WebSocketOptions,
    pub(crate) webtransport: WebTransportOptions,
    /// Origins of web pages that may connect; see the handshake for the patterns.
    pub(crate) allowed_origins: Vec<String>,
    /// Connections of this node at a time; `None` is unlimited.
    pub(crate) connection_limit: Option<usize>,
    /// Connections that one user may have on this node; `None` is unlimited.
    pub(crate) user_connection_limit: Option<usize>,
    /// New connections a second; `None` is unlimited.
    pub(crate) connection_rate_limit: Option<usize>,
    /// Over how long a drain spreads its disconnects.
    pub(crate) shutdown_spread: Duration,
    /// When a drain ends, whatever is left.
    pub(crate) shutdown_timeout: Duration,
    /// Lanes of the node, a power of two; `None` takes the number of cores rounded up.
    pub(crate) lanes: Option<usize>,
    /// Bytes that wait for one client before it is closed as slow (`client.queue_max_size`).
    pub(crate) queue_max_size: usize,
    pub(crate) prometheus: bool,
    pub(crate) health: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one documented option of the operator")]
#[derive(Clone)]
pub(crate) struct ApiOptions {
    pub(crate) enabled: bool,
    /// What `X-API-Key` (or `Authorization: apikey …`) must carry; `None` refuses every request.
    pub(crate) key: Option<String>,
    /// No key needed: development only.
    pub(crate) insecure: bool,
    /// Errors as HTTP status codes rather than 200 with an `error` (`http_api.error_mode`).
    pub(crate) transport_errors: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct WebSocketOptions {
    pub(crate) enabled: bool,
    /// Path of the endpoint.
    pub(crate) handler_prefix: String,
    /// Bytes of one message from a client.
    pub(crate) message_size_limit: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct WebTransportOptions {
    /// Path of the endpoint.
    pub(crate) handler_prefix: String,
    /// Bytes of one message from a client.
    pub(crate) message_size_limit: usize,
    /// QUIC connections of this node at a time; `None` is unlimited.
    pub(crate) connection_limit: Option<usize>,
    /// QUIC connections from one IP address (of IPv6, from one /64); `None` is unlimited.
    pub(crate) address_limit: Option<usize>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let local = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self {
            http: local(8000),
            admin: local(9000),
            proxies: Vec::new(),
            quic: local(8000),
            tls: None,
            api: ApiOptions::default(),
            websocket: WebSocketOptions::default(),
            webtransport: WebTransportOptions::default(),
            allowed_origins: Vec::new(),
            connection_limit: None,
            user_connection_limit: None,
            connection_rate_limit: None,
            shutdown_spread: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(30),
            lanes: None,
            queue_max_size: limits::QUEUE_BYTES,
            prometheus: true,
            health: true,
        }
    }
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { enabled: true, key: None, insecure: false, transport_errors: false }
    }
}

/// The key is a secret and stays out of logs.
impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiOptions")
            .field("enabled", &self.enabled)
            .field("key", &self.key.as_ref().map(|_| "[redacted]"))
            .field("insecure", &self.insecure)
            .field("transport_errors", &self.transport_errors)
            .finish()
    }
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            handler_prefix: "/connection/websocket".to_owned(),
            message_size_limit: limits::MESSAGE_BYTES,
        }
    }
}

impl Default for WebTransportOptions {
    fn default() -> Self {
        Self {
            handler_prefix: "/connection/webtransport".to_owned(),
            message_size_limit: limits::MESSAGE_BYTES,
            connection_limit: Some(20_000),
            address_limit: Some(1000),
        }
    }
}
