//! The UDP listener: QUIC connections, handed on by the protocol that they agree on (ALPN). Its task
//! alone knows how many connections each address has.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{
    Connecting, Connection, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime,
    TransportConfig,
};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use socket2::SockRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, error, warn};

use super::admission::{Admission, Admitted};
use super::{Shared, webtransport};
use crate::base::limits;

/// What all connections of the listener share.
#[derive(Debug)]
pub(super) struct Quic {
    shared: Arc<Shared>,
    /// Counts connections, sessions or not.
    admission: Arc<Admission>,
    /// One permit for each handshake that may be under way.
    handshakes: Arc<Semaphore>,
    /// Nobody comes in any more, and handshakes end.
    stop: CancellationToken,
}

/// A QUIC connection that was let in, and what it counts against.
#[derive(Debug)]
struct Arrival {
    connecting: Connecting,
    /// The client's address is its own.
    proven: bool,
    handshake: OwnedSemaphorePermit,
    admitted: Admitted,
}

/// What became of a QUIC connection that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Its handshake has completed.
    Accepted,
    /// It has to prove its address first.
    Retried,
    Refused,
    /// Its handshake has not completed, or not in time.
    Failed,
}

impl Outcome {
    /// In metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Retried => "retried",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A socket, and connections on it from now on.
pub(super) fn bind(
    address: SocketAddr,
    certificates: Arc<dyn ResolvesServerCert>,
) -> io::Result<Endpoint> {
    let socket = UdpSocket::bind(address)?;
    // One socket for everybody: what comes while its task is busy waits there, or is lost. The system
    // gives as much of it as its administrator allows.
    if let Err(fault) = SockRef::from(&socket).set_recv_buffer_size(limits::QUIC_SOCKET_BYTES) {
        warn!(%fault, "the receive buffer of the UDP socket stays as it is");
    }
    let (config, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
    Endpoint::new(config, Some(server_config(certificates)), socket, runtime)
}

/// Lets connections in until `stop`; then refuses them, and waits until those that are there have
/// ended.
pub(super) async fn run(
    shared: Arc<Shared>,
    endpoint: Endpoint,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let options = &shared.options.webtransport;
    let mut crowd = Crowd::of(options.address_limit);
    let mut arriving = Crowd::of(Some(limits::QUIC_HANDSHAKES_ADDRESS));
    let quic = Arc::new(Quic {
        admission: Admission::new(options.connection_limit, None),
        handshakes: Arc::new(Semaphore::new(limits::QUIC_HANDSHAKES)),
        stop: stop.clone(),
        shared: shared.clone(),
    });
    let (mut handshakes, mut sessions) = (JoinSet::new(), JoinSet::new());
    while !(handshakes.is_empty() && sessions.is_empty() && stop.is_cancelled()) {
        let incoming = tokio::select! {
            () = stop.cancelled(), if handshakes.is_empty() && sessions.is_empty() => break,
            Some(shaken) = handshakes.join_next() => {
                let Shaken { origin, proven, arrived } = shaken.expect(NEVER_PANICS);
                if proven {
                    arriving.leave(origin);
                }
                match arrived {
                    Some(arrived) => drop(sessions.spawn(serve(quic.clone(), arrived, origin))),
                    None => crowd.leave(origin),
                }
                continue;
            }
            Some(ended) = sessions.join_next() => {
                crowd.leave(ended.expect(NEVER_PANICS));
                continue;
            }
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        let origin = Crowd::origin(incoming.remote_address().ip());
        match quic.admit(incoming, (&crowd, &arriving)) {
            Ok(arrival) => {
                crowd.enter(origin);
                if arrival.proven {
                    arriving.enter(origin);
                }
                handshakes.spawn(shake_hands(quic.clone(), arrival, connections.token(), origin));
            }
            Err(outcome) => quic.count(outcome),
        }
    }
    // What was said last is on its way yet.
    drop(timeout(limits::CLOSE_TIMEOUT, endpoint.wait_idle()).await);
}

/// A QUIC connection whose handshake is done, and what it counts against until it ends.
#[derive(Debug)]
struct Arrived {
    connection: Connection,
    admitted: Admitted,
    counted: TaskTrackerToken,
}

/// What became of a handshake.
#[derive(Debug)]
struct Shaken {
    origin: IpAddr,
    proven: bool,
    arrived: Option<Arrived>,
}

const NEVER_PANICS: &str = "a connection's task is never aborted and never panics";

async fn shake_hands(
    quic: Arc<Quic>,
    arrival: Arrival,
    counted: TaskTrackerToken,
    origin: IpAddr,
) -> Shaken {
    let Arrival { connecting, proven, handshake, admitted } = arrival;
    let shaken = AssertUnwindSafe(quic.shake_hands(connecting)).catch_unwind().await;
    let connection = quic.survived(shaken).flatten();
    quic.count(if connection.is_some() { Outcome::Accepted } else { Outcome::Failed });
    drop(handshake);
    let arrived = connection.map(|connection| Arrived { connection, admitted, counted });
    Shaken { origin, proven, arrived }
}

async fn serve(quic: Arc<Quic>, arrived: Arrived, origin: IpAddr) -> IpAddr {
    let Arrived { connection, admitted: _admitted, counted: _counted } = arrived;
    let served = AssertUnwindSafe(quic.serve(connection)).catch_unwind().await;
    quic.survived(served);
    origin
}

impl Quic {
    /// What a task came to; nothing where a fault of ours ended it.
    fn survived<T>(&self, done: thread::Result<T>) -> Option<T> {
        if done.is_err() {
            error!("a QUIC connection ended by a fault of the server");
            self.shared.node.metrics.panicked();
        }
        done.ok()
    }

    /// Whether a connection may come in; otherwise what became of it. Under load an address must prove
    /// that it can hear us (a stateless retry, one more round trip) before it costs any memory.
    fn admit(&self, incoming: Incoming, crowds: (&Crowd, &Crowd)) -> Result<Arrival, Outcome> {
        let busy = self.handshakes.available_permits() < limits::QUIC_HANDSHAKES_VALIDATED;
        let proven = incoming.remote_address_validated();
        if busy && incoming.may_retry() && !proven {
            let retried = incoming.retry().is_ok();
            debug_assert!(retried, "it may be retried");
            return Err(Outcome::Retried);
        }
        let peer = incoming.remote_address();
        let (handshake, admitted) = match self.places(Crowd::origin(peer.ip()), proven, crowds) {
            Ok(places) => places,
            Err(why) => {
                debug!(%peer, why, "QUIC connection refused");
                incoming.refuse();
                return Err(Outcome::Refused);
            }
        };
        match incoming.accept() {
            Ok(connecting) => Ok(Arrival { connecting, proven, handshake, admitted }),
            Err(fault) => {
                debug!(%fault, "no QUIC connection");
                Err(Outcome::Failed)
            }
        }
    }

    /// What a connection from there counts against; otherwise what has no room for it. An address
    /// has a share of the handshakes from when it is proven: before, anybody may write it.
    fn places(
        &self,
        origin: IpAddr,
        proven: bool,
        (crowd, arriving): (&Crowd, &Crowd),
    ) -> Result<(OwnedSemaphorePermit, Admitted), &'static str> {
        if self.stop.is_cancelled() {
            return Err("shutting down");
        }
        if !crowd.has_room(origin) {
            return Err("webtransport.address_limit");
        }
        if proven && !arriving.has_room(origin) {
            return Err("handshakes of this address");
        }
        let handshake = self.handshakes.clone().try_acquire_owned();
        let handshake = handshake.map_err(|_none_left| "handshakes")?;
        let admitted = self.admission.admit(self.shared.node.clock.moment());
        Ok((handshake, admitted.map_err(|_turned| "webtransport.connection_limit")?))
    }

    fn count(&self, outcome: Outcome) {
        self.shared.node.metrics.quic_connection(outcome.name());
    }

    async fn serve(&self, connection: Connection) {
        match protocol(&connection) {
            protocol if protocol == webtransport::PROTOCOL => {
                webtransport::serve(&self.shared, connection, &self.stop).await;
            }
            // TLS agrees on nothing but what is offered.
            protocol => debug!(?protocol, "a protocol that nobody serves"),
        }
    }

    /// The connection once both sides have said that the handshake is done.
    async fn shake_hands(&self, connecting: Connecting) -> Option<Connection> {
        let peer = connecting.remote_address();
        let shaken = tokio::select! {
            shaken = timeout(limits::HEADER_TIMEOUT, connecting) => shaken,
            () = self.stop.cancelled() => {
                debug!(%peer, "no QUIC handshake in a drain");
                return None;
            }
        };
        match shaken {
            Ok(Ok(connection)) => return Some(connection),
            Ok(Err(fault)) => debug!(%peer, %fault, "no QUIC handshake"),
            Err(_elapsed) => debug!(%peer, "the QUIC handshake took too long"),
        }
        None
    }
}

/// What ALPN agreed on; empty if nothing.
fn protocol(connection: &Connection) -> Vec<u8> {
    let agreed = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    agreed.and_then(|agreed| agreed.protocol).unwrap_or_default()
}

/// How many connections each address has; an IPv6 address is its network, as one client has all of
/// that.
#[derive(Debug)]
struct Crowd {
    most: Option<usize>,
    present: HashMap<IpAddr, usize>,
}

impl Crowd {
    fn of(most: Option<usize>) -> Self {
        Self { most, present: HashMap::new() }
    }

    fn origin(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Ipv6Addr::from(network).into()
            }
            address @ IpAddr::V4(_) => address,
        }
    }

    fn has_room(&self, origin: IpAddr) -> bool {
        let present = self.present.get(&origin).copied().unwrap_or_default();
        self.most.is_none_or(|most| present < most)
    }

    fn enter(&mut self, origin: IpAddr) {
        *self.present.entry(origin).or_default() += 1;
    }

    fn leave(&mut self, origin: IpAddr) {
        let present = self.present.get_mut(&origin).expect("who leaves has entered");
        *present -= 1;
        if *present == 0 {
            self.present.remove(&origin);
        }
    }
}

fn server_config(certificates: Arc<dyn ResolvesServerCert>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    tls.alpn_protocols = vec![webtransport::PROTOCOL.to_vec()];
    // A full handshake costs one signature; sessions to resume would cost memory and tickets.
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(tls).expect("the provider has QUIC's first cipher");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport_config()));
    config.migration(true);
    config.max_incoming(limits::QUIC_HANDSHAKES);
    config.incoming_buffer_size(limits::QUIC_INCOMING_BYTES);
    config.incoming_buffer_size_total(limits::QUIC_INCOMING_BYTES * 64);
    config
}

/// Windows bound what one connection can make us hold; nothing of them is held while it is idle.
fn transport_config() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        // The request and the session's stream, and two that are refused.
        .max_concurrent_bidi_streams(4_u8.into())
        // Control, QPACK's two, and one of those that are there to be ignored.
        .max_concurrent_uni_streams(4_u8.into())
        .stream_receive_window(limits::QUIC_STREAM_BYTES.into())
        .receive_window(limits::QUIC_CONNECTION_BYTES.into())
        .send_window(limits::QUIC_SEND_BYTES)
        .datagram_receive_buffer_size(Some(limits::QUIC_DATAGRAM_BYTES))
        .datagram_send_buffer_size(limits::QUIC_DATAGRAM_BYTES)
        .max_idle_timeout(Some(IDLE_TIMEOUT.try_into().expect("less than 2^62 ms")))
        .keep_alive_interval(Some(KEEP_ALIVE));
    config
}

/// Longer than the protocol's pings take to find that a client is gone (25 s and 8 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(40);
/// Below the 30 s after which browsers and routers forget a silent connection, and above the
/// interval of the protocol's pings: by default those are the only thing that wakes a phone.
const KEEP_ALIVE: Duration = Duration::from_secs(27);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_each_by_itself_and_forgotten() {
        let mut crowd = Crowd::of(Some(2));
        let origin = |text: &str| Crowd::origin(text.parse().unwrap());
        crowd.enter(origin("10.0.0.1"));
        assert!(crowd.has_room(origin("10.0.0.1")));
        crowd.enter(origin("::ffff:10.0.0.1"));
        assert!(!crowd.has_room(origin("10.0.0.1")));
        assert!(crowd.has_room(origin("10.0.0.2")));
        crowd.enter(origin("2001:db8::1"));
        crowd.enter(origin("2001:db8::ffff:0:0:1"));
        assert!(!crowd.has_room(origin("2001:db8::5")));
        assert!(crowd.has_room(origin("2001:db8:0:1::5")));
        for gone in ["10.0.0.1", "10.0.0.1", "2001:db8::7", "2001:db8::8"] {
            crowd.leave(origin(gone));
        }
        assert_eq!(crowd.present.len(), 0);
    }
}
