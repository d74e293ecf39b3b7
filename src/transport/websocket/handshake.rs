//! Whether an HTTP request becomes a WebSocket (RFC 6455 section 4.2), and of which kind. Pure:
//! request in, answer out; sending the answer and taking over the connection is the caller's.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hyper::header::{
    ALLOW, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, StatusCode, Version};
use ring::digest;

use crate::transport::{Format, Origins, asks};

/// An answer with status 101 and these headers makes the connection a WebSocket.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) format: Format,
    /// The client wants WebSocket ping frames instead of the protocol's own pings.
    pub(crate) native_ping: bool,
    pub(crate) headers: HeaderMap,
}

/// The answer to a request that does not become a WebSocket.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// One sentence for the body.
    pub(crate) text: &'static str,
    /// What the status demands: the version we speak, the method we allow.
    pub(crate) headers: HeaderMap,
}

/// Decides a request. The order of the checks is that of RFC 6455 section 4.2.1, except that the
/// origin comes before the key, so that a browser's user learns the cause that can be mended.
pub(crate) fn accept<B>(request: &Request<B>, origins: &Origins) -> Result<Accepted, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "A WebSocket is opened with GET."));
    }
    if request.version() != Version::HTTP_11 {
        return Err(refused(StatusCode::UPGRADE_REQUIRED, "A WebSocket is opened over HTTP/1.1."));
    }
    if !is_asked_for(headers) || !has_token(headers, &CONNECTION, "upgrade") {
        let text = "Only WebSocket here: the Upgrade and Connection headers are missing or wrong.";
        return Err(refused(StatusCode::UPGRADE_REQUIRED, text));
    }
    if single(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let text = "Only version 13 of WebSocket is spoken.";
        return Err(refused(StatusCode::UPGRADE_REQUIRED, text));
    }
    if !is_from(headers, origins) {
        return Err(refused(StatusCode::FORBIDDEN, "The Origin is not allowed."));
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_nonce(key));
    let Some(key) = key else {
        let text = "Sec-WebSocket-Key must be 16 bytes in base64, once.";
        return Err(refused(StatusCode::BAD_REQUEST, text));
    };
    let mut answer = HeaderMap::with_capacity(4);
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept_value(key));
    // Sec-WebSocket-Extensions is left unanswered: no extension is in force.
    let query = request.uri().query().unwrap_or_default();
    let format = match subprotocol(headers) {
        Some((name, format)) => {
            answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
            format
        }
        None => Format::of_query(query),
    };
    let native_ping = asks(query, "cf_ws_frame_ping_pong=true");
    Ok(Accepted { format, native_ping, headers: answer })
}

/// Whether a request wants a WebSocket, rightly or not.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

fn refused(status: StatusCode, text: &'static str) -> Refused {
    let mut headers = HeaderMap::new();
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    Refused { status, text, headers }
}

/// The subprotocol to select. A client that offers none that we know, or an empty header (the
/// Python SDK), gets no answer to its offer, as from Centrifugo.
fn subprotocol(headers: &HeaderMap) -> Option<(&'static str, Format)> {
    [("centrifuge-protobuf", Format::Binary), ("centrifuge-json", Format::Text)]
        .into_iter()
        .find(|(name, _)| tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|offer| offer == *name))
}

/// Whether the one Origin, if there is any, may come in.
fn is_from(headers: &HeaderMap, origins: &Origins) -> bool {
    let mut lines = headers.get_all(ORIGIN).iter();
    let Some(line) = lines.next() else { return true };
    let (Ok(origin), None) = (line.to_str(), lines.next()) else { return false };
    origins.allow(origin, headers.get(HOST).and_then(|host| host.to_str().ok()))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|candidate| candidate.eq_ignore_ascii_case(token))
}

/// Items of a comma-separated header, which may be sent in several lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// The value of a header that must not be repeated.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?.to_str().ok()?.trim();
    lines.next().is_none().then_some(value)
}

fn is_nonce(key: &str) -> bool {
    let mut nonce = [0; 18];
    NONCE.decode_slice(key, &mut nonce).is_ok_and(|bytes| bytes == 16)
}

fn accept_value(key: &str) -> HeaderValue {
    // The RFC asks for SHA-1; nothing depends on its strength.
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let value = STANDARD.encode(hash.finish());
    HeaderValue::try_from(value).expect("base64 is visible ASCII")
}

/// Two bits behind the 16 bytes are free; clients that set them are let in everywhere else.
const NONCE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
