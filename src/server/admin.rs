//! The operator's listener: health, readiness, metrics.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::front::{Answer, connection, json, text};
use super::stream::{Patient, Stream};

pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    let mut connection =
        pin!(connection(TokioIo::new(Patient::new(Stream::Plain(stream))), service));
    tokio::select! {
        served = connection.as_mut() => {
            if let Err(error) = served {
                debug!(%error, "admin connection ended");
            }
        }
        () = stop.cancelled() => {}
    }
}

async fn answer(shared: &Shared, request: &Request<Incoming>) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    match request.uri().path() {
        "/health" if shared.options.health => json(StatusCode::OK, "{}"),
        "/ready" if shared.options.health && shared.is_draining() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
        }
        "/ready" if shared.options.health => json(StatusCode::OK, "{}"),
        "/metrics" if shared.options.prometheus => {
            let mut response = text(StatusCode::OK, shared.node.render_metrics().await);
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        _ => text(StatusCode::NOT_FOUND, "no such path"),
    }
}
