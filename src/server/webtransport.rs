//! One QUIC connection of a client, from its request to the end of its session.

use std::sync::Arc;

use quinn::Connection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::admission::Admitted;
use super::refusals::{Asked, Reason};
use crate::base::limits;
use crate::node::{self, Agreement};
use crate::transport::webtransport::{Request, Status, WebTransport};

/// The transport's name in metrics and logs.
const WEBTRANSPORT: &str = "webtransport";
/// HTTP/3, in TLS.
pub(super) const PROTOCOL: &[u8] = b"h3";

/// Serves a client until its session ends; `stop` ends what has not become one.
pub(super) async fn serve(shared: &Arc<Shared>, connection: Connection, stop: &CancellationToken) {
    // In a box, so that what a request needs is gone while the session lives.
    let opened = Box::pin(async {
        match timeout(limits::HEADER_TIMEOUT, Request::read(connection)).await {
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
    node::serve(shared.node.clone(), link, agreement).await;
}

/// Answers a request: with a session, if everything is right.
async fn open(shared: &Shared, request: Request) -> Option<(WebTransport, Agreement, Admitted)> {
    let admitted = match decide(shared, &request) {
        Ok(admitted) => admitted,
        Err(reason) => {
            let (path, origin) = (request.path(), request.origin());
            let asked = Asked { transport: WEBTRANSPORT, peer: request.peer(), path, origin };
            shared.refusals.request(asked, reason, shared.node.clock.moment());
            let (status, _) = reason.answer();
            let status = Status::try_from_u32(status.into()).expect("a status");
            drop(timeout(limits::CLOSE_TIMEOUT, request.refuse(status)).await);
            return None;
        }
    };
    let agreement = Agreement {
        transport: WEBTRANSPORT,
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

/// Everything that is checked before there is a session.
fn decide(shared: &Shared, request: &Request) -> Result<Admitted, Reason> {
    if request.path() != shared.options.webtransport.handler_prefix {
        return Err(Reason::Path);
    }
    if !request.is_from(&shared.doors().origins) {
        return Err(Reason::Origin);
    }
    if shared.is_draining() {
        return Err(Reason::Draining);
    }
    shared.admission.admit(shared.node.clock.moment()).map_err(Reason::from)
}
