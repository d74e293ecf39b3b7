//! The server API: `POST /api/<method>`, bodies and answers as Centrifugo's, so that its
//! server-side libraries work.

mod batch;
mod bodies;
mod geo;
mod methods;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::front::{Answer, json, text};
use super::{ApiOptions, Shared};
use crate::base::limits;
use crate::protocol::{ClientError, ErrorCode};

/// What a method answers: its result as JSON text.
type Outcome = Result<Box<RawValue>, ClientError>;

/// How a body could not be read.
enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &str,
    request: Request<Incoming>,
) -> Answer {
    if request.method() != Method::POST {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only POST");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let doors = shared.doors();
    if !is_authorized(&doors.api, request.headers()) {
        return text(StatusCode::UNAUTHORIZED, "X-API-Key: missing or wrong");
    }
    let transport_errors = doors.api.transport_errors
        || request.headers().get(ERROR_MODE).is_some_and(|mode| mode == "transport");
    let body = match read(request).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return text(StatusCode::PAYLOAD_TOO_LARGE, "body: over 4 MiB"),
        Err(Unread::TooSlow) => return text(StatusCode::REQUEST_TIMEOUT, "body: took too long"),
        Err(Unread::Broken) => return text(StatusCode::BAD_REQUEST, "body: incomplete"),
    };
    if method == "batch" {
        return match batch::run(&shared.node, &body).await {
            Ok(replies) => json(StatusCode::OK, write(&replies)),
            Err(error) => failed(&error, transport_errors),
        };
    }
    match methods::call(&shared.node, method, &body).await {
        None => text(StatusCode::NOT_FOUND, "no such method"),
        Some(Ok(result)) => json(StatusCode::OK, write(&Success { result })),
        Some(Err(error)) => failed(&error, transport_errors),
    }
}

#[derive(Serialize)]
struct Success {
    result: Box<RawValue>,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Fault<'a>,
}

/// An error as the API writes it.
#[derive(Serialize)]
struct Fault<'a> {
    code: u32,
    message: &'a str,
}

impl<'a> From<&'a ClientError> for Fault<'a> {
    fn from(error: &'a ClientError) -> Self {
        Self { code: error.code, message: &error.message }
    }
}

fn failed(error: &ClientError, transport_errors: bool) -> Answer {
    let status = if transport_errors { status(error.code) } else { StatusCode::OK };
    json(status, write(&Failure { error: error.into() }))
}

fn status(code: u32) -> StatusCode {
    let is = |row: ErrorCode| row.number() == code;
    if is(ErrorCode::Internal) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else if is(ErrorCode::UnknownChannel) || is(ErrorCode::MethodNotFound) {
        StatusCode::NOT_FOUND
    } else if is(ErrorCode::PermissionDenied) {
        StatusCode::FORBIDDEN
    } else if is(ErrorCode::TooManyRequests) || is(ErrorCode::LimitExceeded) {
        StatusCode::TOO_MANY_REQUESTS
    } else if is(ErrorCode::NotAvailable) {
        StatusCode::NOT_IMPLEMENTED
    } else {
        StatusCode::BAD_REQUEST
    }
}

fn write(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("answers are plain data")
}

fn is_authorized(api: &ApiOptions, headers: &HeaderMap) -> bool {
    if api.insecure {
        return true;
    }
    let Some(key) = api.key.as_deref().filter(|key| !key.is_empty()) else { return false };
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
        .map(|(_, key)| key);
    let given = headers.get(API_KEY).map(HeaderValue::as_bytes).or(bearer);
    given.is_some_and(|given| equal_in_constant_time(given, key.as_bytes()))
}

/// Takes the same time wherever the first difference is; the length is no secret.
fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |sum, (left, right)| sum | (left ^ right));
    left.len() == right.len() && std::hint::black_box(differences) == 0
}

async fn read(request: Request<Incoming>) -> Result<Bytes, Unread> {
    let body = Limited::new(request.into_body(), limits::API_BODY_BYTES);
    match timeout(limits::API_BODY_TIMEOUT, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_broken)) => Err(Unread::Broken),
        Err(_elapsed) => Err(Unread::TooSlow),
    }
}

const API_KEY: &str = "x-api-key";
const ERROR_MODE: &str = "x-centrifugo-error-mode";
const SCHEME: &[u8] = b"apikey ";
