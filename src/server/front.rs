//! One TCP connection of a client or a backend: HTTP/1.1, then perhaps a WebSocket.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::admission::Admitted;
use super::opening::Opening;
use super::refusals::{Asked, Reason};
use super::stream::{Patient, Stream};
use super::{Shared, api};
use crate::base::limits;
use crate::node::{self, Agreement};
use crate::transport::websocket::{self, Accepted, WebSocket};

/// The transport's name in metrics and logs.
const WEBSOCKET: &str = "websocket";

pub(super) type Answer = Response<Full<Bytes>>;

/// A WebSocket that was agreed on; the connection takes it up when the answer is sent.
#[derive(Debug)]
struct Upgrade {
    agreement: Agreement,
    admitted: Admitted,
}

type Agreed = Arc<OnceLock<Upgrade>>;

/// What all connections of the client listener share.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) shared: Arc<Shared>,
    pub(super) opening: Opening,
    /// Idle HTTP connections end with it.
    pub(super) closing: CancellationToken,
}

pub(super) async fn serve(front: Arc<Front>, stream: TcpStream, peer: SocketAddr) {
    let shared = &front.shared;
    let (stream, client) = match front.opening.open(stream, peer).await {
        Ok(opened) => opened,
        Err(refused) => {
            return shared.refusals.connection(peer, &refused, shared.node.clock.moment());
        }
    };
    let agreed = Agreed::default();
    // In a box, so that the HTTP connection's buffers and state are gone while the WebSocket lives.
    let Some((mut stream, leftover)) = Box::pin(http(&front, &agreed, stream, client)).await else {
        return;
    };
    let Some(upgrade) = Arc::into_inner(agreed).and_then(OnceLock::into_inner) else {
        // TLS says goodbye; the rest of the world sees the end of the connection.
        drop(timeout(limits::CLOSE_TIMEOUT, stream.shutdown()).await);
        return;
    };
    let Upgrade { agreement, admitted } = upgrade;
    let most = shared.options.websocket.message_size_limit;
    let socket = WebSocket::new(stream, client, agreement.format, most, leftover);
    node::serve(shared.node.clone(), socket, agreement).await;
    drop(admitted);
}

/// Serves HTTP until the connection ends or becomes something else; the stream and what was read
/// from it too far.
async fn http(
    front: &Front,
    agreed: &Agreed,
    stream: Stream,
    client: SocketAddr,
) -> Option<(Stream, Bytes)> {
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let (shared, agreed) = (front.shared.clone(), agreed.clone());
        Box::pin(
            async move { Ok::<_, Infallible>(answer(&shared, &agreed, client, request).await) },
        )
    });
    let mut connection = connection(TokioIo::new(Patient::new(stream)), service);
    let mut closing = pin!(front.closing.cancelled());
    let mut is_closing = false;
    let mut first = pin!(sleep(limits::HEADER_TIMEOUT));
    let served = poll_fn(|context| {
        if !has_asked.load(Ordering::Relaxed) && first.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(Served::Silent));
        }
        if !is_closing && closing.as_mut().poll(context).is_ready() {
            is_closing = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(context).map_ok(|()| Served::Whole)
    });
    match served.await {
        Ok(Served::Whole) => {}
        Ok(Served::Silent) => {
            debug!("no request in time");
            return None;
        }
        Err(error) => {
            debug!(%error, "HTTP connection ended");
            return None;
        }
    }
    let parts = connection.into_parts();
    // A copy: the buffer behind it has 8 KiB and would live as long as the connection.
    let leftover = Bytes::copy_from_slice(&parts.read_buf);
    Some((parts.io.into_inner().into_inner(), leftover))
}

/// How HTTP ends.
enum Served {
    Whole,
    /// No request came.
    Silent,
}

/// HTTP/1.1 with the limits that hold for every listener.
pub(super) fn connection<I, S>(io: I, service: S) -> http1::Connection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible>,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_IDLE)
        .max_buf_size(limits::HTTP_BUFFER_BYTES)
        .serve_connection(io, service)
}

async fn answer(
    shared: &Arc<Shared>,
    agreed: &Agreed,
    client: SocketAddr,
    request: Request<Incoming>,
) -> Answer {
    let path = request.uri().path();
    if shared.options.websocket.enabled && path == shared.options.websocket.handler_prefix {
        return upgrade(shared, agreed, client, &request);
    }
    if let Some(method) = path.strip_prefix("/api/").filter(|_| shared.doors().api.enabled) {
        let method = method.to_owned();
        return api::answer(shared, &method, request).await;
    }
    let page = shared.pages.answer(request.method(), path);
    page.unwrap_or_else(|| match websocket::is_asked_for(request.headers()) {
        true => refuse(shared, client, &request, Reason::Path),
        false => text(StatusCode::NOT_FOUND, "no such path"),
    })
}

fn upgrade(
    shared: &Arc<Shared>,
    agreed: &Agreed,
    client: SocketAddr,
    request: &Request<Incoming>,
) -> Answer {
    if shared.is_draining() {
        return refuse(shared, client, request, Reason::Draining);
    }
    let Accepted { format, native_ping, headers } = match websocket::accept(
        request,
        &shared.doors().origins,
    ) {
        Ok(accepted) => accepted,
        Err(refused) if refused.status == StatusCode::FORBIDDEN => {
            return refuse(shared, client, request, Reason::Origin);
        }
        Err(refused) => {
            debug!(peer = %client, status = %refused.status, why = refused.text, "no WebSocket");
            let mut response = text(refused.status, refused.text);
            response.headers_mut().extend(refused.headers);
            return response;
        }
    };
    let admitted = match shared.admission.admit(shared.node.clock.moment()) {
        Ok(admitted) => admitted,
        Err(turned) => return refuse(shared, client, request, turned.into()),
    };
    let agreement =
        Agreement { transport: WEBSOCKET, format, native_ping, pushes_end: false, extras: false };
    if agreed.set(Upgrade { agreement, admitted }).is_err() {
        return text(StatusCode::BAD_REQUEST, "a second upgrade on one connection");
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

/// Answers that there is no session.
fn refuse(
    shared: &Shared,
    peer: SocketAddr,
    request: &Request<Incoming>,
    reason: Reason,
) -> Answer {
    let origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let asked = Asked { transport: WEBSOCKET, peer, path: request.uri().path(), origin };
    shared.refusals.request(asked, reason, shared.node.clock.moment());
    let (status, words) = reason.answer();
    text(StatusCode::from_u16(status).expect("a status"), words)
}

/// A short answer in words.
pub(super) fn text(status: StatusCode, words: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(words.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
