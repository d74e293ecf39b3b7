//! One QUIC connection of a client, from its handshake to the end of its session.

use std::sync::Arc;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::admission::{Admitted, Turned};
use super::quic::Arrival;
use crate::base::limits;
use crate::node::{self, Agreement};
use crate::transport::webtransport::{Request, Status, WebTransport};

/// HTTP/3, in TLS.
pub(super) const PROTOCOL: &[u8] = b"h3";

/// Serves a client until its session ends; `stop` ends what has not become one.
pub(super) async fn serve(shared: &Arc<Shared>, arrival: Arrival, stop: &CancellationToken) {
    let Arrival { connecting, handshake, admitted: _admitted } = arrival;
    // In a box, so that what a handshake needs is gone while the session lives.
    let opened = Box::pin(async {
        let asked = async { Request::read(connecting.await?).await };
        match timeout(limits::HEADER_TIMEOUT, asked).await {
            Ok(Ok(request)) => open(shared, request).await,
            Ok(Err(fault)) => {
                debug!(%fault, "no WebTransport request");
                None
            }
            Err(_elapsed) => {
                debug!("the WebTransport request took too long");
                None
            }
        }
    });
    let opened = tokio::select! {
        opened = opened => opened,
        () = stop.cancelled() => return debug!("no session in a drain"),
    };
    let Some((link, agreement, _counted)) = opened else { return };
    drop(handshake);
    node::serve(shared.node.clone(), link, agreement).await;
}

/// Answers a request: with a session, if everything is right.
async fn open(shared: &Shared, request: Request) -> Option<(WebTransport, Agreement, Admitted)> {
    let admitted = match decide(shared, &request) {
        Ok(admitted) => admitted,
        Err((status, why)) => {
            debug!(%status, why, origin = request.origin(), "WebTransport refused");
            drop(timeout(limits::CLOSE_TIMEOUT, request.refuse(status)).await);
            return None;
        }
    };
    let agreement = Agreement {
        transport: "webtransport",
        format: request.format(),
        native_ping: false,
        pushes_end: true,
        extras: true,
    };
    let most = shared.options.webtransport.message_size_limit;
    let accepted = request.accept(most, shared.node.metrics.migrations());
    let link = timeout(limits::HEADER_TIMEOUT, accepted).await;
    match link {
        Ok(Ok(link)) => Some((link, agreement, admitted)),
        Ok(Err(fault)) => {
            debug!(%fault, "a session without a stream");
            None
        }
        Err(_elapsed) => {
            debug!("the stream of a session took too long");
            None
        }
    }
}

/// Everything that is checked before there is a session; otherwise the status that says why.
fn decide(shared: &Shared, request: &Request) -> Result<Admitted, (Status, &'static str)> {
    let unavailable = Status::try_from_u32(503).expect("a status");
    if request.path() != shared.options.webtransport.handler_prefix {
        return Err((Status::NOT_FOUND, "no such path"));
    }
    if !request.is_from(&shared.doors().origins) {
        return Err((Status::FORBIDDEN, "the Origin is not allowed"));
    }
    if shared.is_draining() {
        return Err((unavailable, "shutting down"));
    }
    shared.admission.admit(shared.node.clock.moment()).map_err(|turned| match turned {
        Turned::Full => (unavailable, "connection limit"),
        Turned::TooFast => (Status::TOO_MANY_REQUESTS, "connection rate limit"),
    })
}
