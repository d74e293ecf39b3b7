//! Listeners and what they serve: client transports and the server API on one address, health and
//! metrics on another. The life of a node in a process is here: start, drain, stop.

mod admin;
mod admission;
mod api;
mod front;
mod listener;
mod opening;
mod options;
mod pages;
mod proxy;
mod quic;
mod refusals;
mod stream;
mod throttle;
mod tls;
mod webtransport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quinn::Endpoint;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::base::limits;
use crate::node::Node;
use crate::transport::Origins;

pub(crate) use options::{ApiOptions, ServerOptions, TlsFiles};
pub(crate) use pages::Pages;
pub(crate) use tls::{Development, TlsError, TlsFault, development, examine, read_pem};

use admission::Admission;
use front::Front;
use opening::Opening;
use refusals::Refusals;
use tls::Certificates;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{option} {address}: cannot listen: {source}")]
    Bind { option: &'static str, address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot make a certificate for development: {0}")]
    Development(#[from] rcgen::Error),
}

/// Where a server listens; `None` for what is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) webtransport: Option<SocketAddr>,
    /// SHA-256 of the certificate that clients are shown as the server starts, in hexadecimal;
    /// `None` if they are shown none.
    pub(crate) certificate_sha256: Option<String>,
    /// Whether browsers take it by that hash.
    pub(crate) certificate_by_hash: bool,
}

impl Addresses {
    fn tell(&self) {
        let shown =
            |at: Option<SocketAddr>| at.map_or_else(|| "off".to_owned(), |at| at.to_string());
        info!(
            http = shown(self.http),
            admin = shown(self.admin),
            webtransport = shown(self.webtransport),
            "listening"
        );
    }
}

/// A node that listens.
#[derive(Debug)]
pub(crate) struct Server {
    shared: Arc<Shared>,
    addresses: Addresses,
    certificates: Option<Arc<Certificates>>,
    /// The client listeners, their connections, and what ends the listeners and idle connections.
    listeners: TaskTracker,
    clients: TaskTracker,
    closing: CancellationToken,
    /// The same for the operator.
    operators: TaskTracker,
    closed: CancellationToken,
}

/// Who may come in; what a reload changes of a server.
#[derive(Debug)]
struct Doors {
    origins: Origins,
    api: ApiOptions,
}

/// What every connection of a server shares.
#[derive(Debug)]
struct Shared {
    node: Arc<Node>,
    options: ServerOptions,
    pages: Pages,
    /// Replaced as a whole when the configuration is read again.
    doors: watch::Sender<Arc<Doors>>,
    admission: Arc<Admission>,
    refusals: Refusals,
    draining: AtomicBool,
}

impl Server {
    /// Binds and serves, on the current runtime.
    pub(crate) async fn start(
        node: Arc<Node>,
        options: ServerOptions,
        pages: Pages,
    ) -> Result<Self, StartError> {
        let (clock, metrics) = (node.clock, &node.metrics);
        let open = |files: &TlsFiles| Certificates::open(files.clone(), clock, metrics.clone());
        let own = options.tls.as_ref().map(open).transpose()?;
        let certificates = match (&own, options.quic) {
            (None, Some(_)) => Some(Certificates::for_development(clock, metrics.clone())?),
            _ => own.clone(),
        };
        let http = bind("listen.http", options.http).await?;
        let admin = bind("listen.admin", options.admin).await?;
        let quic = bind_quic(options.quic, certificates.as_ref())?;
        let hash = certificates.as_ref().map(|certificates| certificates.hash());
        let address = |listener: &Option<TcpListener>| {
            listener.as_ref().and_then(|listener| listener.local_addr().ok())
        };
        let addresses = Addresses {
            http: address(&http),
            admin: address(&admin),
            webtransport: quic.as_ref().and_then(|endpoint| endpoint.local_addr().ok()),
            certificate_by_hash: hash.as_ref().is_some_and(|(_, by_hash)| *by_hash),
            certificate_sha256: hash.map(|(sha256, _)| sha256),
        };
        let shared = Arc::new(Shared {
            refusals: Refusals::new(node.metrics.clone()),
            node,
            pages,
            doors: watch::Sender::new(Arc::new(Doors::of(&options))),
            admission: Admission::new(options.connection_limit, options.connection_rate_limit),
            draining: AtomicBool::new(false),
            options,
        });
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let (listeners, clients) = (TaskTracker::new(), TaskTracker::new());
        let operators = TaskTracker::new();
        if let Some(listener) = http {
            let front = Arc::new(Front {
                shared: shared.clone(),
                opening: Opening::new(&shared.options.proxies, own.as_ref()),
                closing: closing.clone(),
            });
            let (connections, stop) = (clients.clone(), closing.clone());
            listeners.spawn(listener::run(listener, connections, stop, move |stream, peer| {
                front::serve(front.clone(), stream, peer)
            }));
        }
        if let Some(endpoint) = quic {
            let (connections, stop) = (clients.clone(), closing.clone());
            listeners.spawn(quic::run(shared.clone(), endpoint, connections, stop));
        }
        if let Some(listener) = admin {
            let connections = operators.clone();
            let (shared, closed) = (shared.clone(), closed.clone());
            operators.spawn(listener::run(
                listener,
                connections,
                closed.clone(),
                move |stream, _| admin::serve(shared.clone(), stream, closed.clone()),
            ));
        }
        if let Some(certificates) = &certificates {
            operators.spawn(tls::follow(certificates.clone(), closed.clone()));
        }
        addresses.tell();
        Ok(Self { shared, addresses, certificates, listeners, clients, closing, operators, closed })
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.shared.node
    }

    /// Takes the API's key and the origins from `options`, and reads certificate and key again; all
    /// for what comes from now on.
    pub(crate) fn reload(&self, options: &ServerOptions) -> Result<(), TlsError> {
        self.shared.doors.send_replace(Arc::new(Doors::of(options)));
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())
    }

    /// Drains: nobody connects any more, clients are told to reconnect elsewhere over
    /// `shutdown_spread`, and what is left after `shutdown_timeout` is dropped.
    pub(crate) async fn shut_down(self) {
        let options = &self.shared.options;
        let (spread, deadline) = (options.shutdown_spread, options.shutdown_timeout);
        self.shared.draining.store(true, Ordering::Relaxed);
        self.closing.cancel();
        self.listeners.close();
        self.clients.close();
        info!(connections = self.clients.len(), ?spread, ?deadline, "draining");
        let drained = async {
            self.shared.node.drain(spread).await;
            // Only then no other connection comes.
            self.listeners.wait().await;
            self.clients.wait().await;
        };
        let in_time = tokio::time::timeout(deadline, drained).await.is_ok();
        if !in_time {
            warn!(left = self.clients.len(), "the drain took too long; dropping what is left");
        }
        // The operator could ask until the last client was gone.
        self.closed.cancel();
        self.operators.close();
        drop(tokio::time::timeout(limits::CLOSE_TIMEOUT, self.operators.wait()).await);
        self.shared.node.stop();
        info!("stopped");
    }
}

impl Doors {
    fn of(options: &ServerOptions) -> Self {
        let origins = Origins::new(options.allowed_origins.clone());
        Self { origins, api: options.api.clone() }
    }
}

impl Shared {
    fn doors(&self) -> Arc<Doors> {
        self.doors.borrow().clone()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// A UDP socket for QUIC.
fn bind_quic(
    address: Option<SocketAddr>,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Option<Endpoint>, StartError> {
    let (Some(address), Some(certificates)) = (address, certificates) else { return Ok(None) };
    let option = "listen.webtransport";
    let bound = quic::bind(address, certificates.clone());
    bound.map(Some).map_err(|source| StartError::Bind { option, address, source })
}

async fn bind(
    option: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|source| StartError::Bind { option, address, source })
}
