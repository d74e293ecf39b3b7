//! The server API, as a backend calls it: one connection, one request at a time.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::dial::{Address, DialError};
use super::tls::Trust;
use crate::base::limits;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{url}: {why}")]
    Url { url: String, why: &'static str },
    #[error("{url}: {source}")]
    Unreachable { url: String, source: DialError },
    #[error("{url}: {}", in_words(source))]
    Http { url: String, source: hyper::Error },
    #[error("{url}: no answer within {} s", limits::CLIENT_TIMEOUT.as_secs())]
    TooSlow { url: String },
    #[error("{url}: the server answered {status} {text}")]
    Status { url: String, status: StatusCode, text: String },
    #[error("{url}: the answer is not one of the server API")]
    Malformed { url: String },
    /// The API's own answer.
    #[error("the server refused: {message} ({code})")]
    Refused { code: u32, message: String },
}

fn in_words(error: &hyper::Error) -> String {
    match error.is_parse() {
        true => "the answer is not HTTP; where TLS is spoken, the URL begins with https://".into(),
        false => error.to_string(),
    }
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Box<RawValue>>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: u32,
    #[serde(default)]
    message: String,
}

/// A connection to the server API.
#[derive(Debug)]
pub(crate) struct ApiClient {
    url: String,
    path: String,
    host: HeaderValue,
    key: Option<HeaderValue>,
    requests: SendRequest<Full<Bytes>>,
    /// Drives the connection, and ends with the client.
    _connection: JoinSet<()>,
}

impl ApiClient {
    /// Connects to `url`, such as `http://127.0.0.1:8000/api`; `trust` is for `https`.
    pub(crate) async fn open(
        url: &str,
        key: Option<&str>,
        trust: &Trust,
    ) -> Result<Self, ApiError> {
        let wrong = |why| ApiError::Url { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_invalid| wrong("not a URL"))?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("a URL names a host"))?;
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_invalid| wrong("not a host's name"))?;
        let key = key.filter(|key| !key.is_empty()).map(|key| {
            let mut key = HeaderValue::from_str(key)
                .map_err(|_invalid| wrong("the API key has characters that no header may have"))?;
            key.set_sensitive(true);
            Ok(key)
        });
        let key = key.transpose()?;
        let address = Address::new(authority, is_secure).map_err(wrong)?;
        let stream = timeout(limits::CLIENT_TIMEOUT, address.dial(trust))
            .await
            .map_err(|_elapsed| ApiError::TooSlow { url: url.to_owned() })?
            .map_err(|source| ApiError::Unreachable { url: url.to_owned(), source })?;
        let http = |source| ApiError::Http { url: url.to_owned(), source };
        let (requests, connection) = handshake(TokioIo::new(stream)).await.map_err(http)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Its end shows in the request that is under way.
            drop(connection.await);
        });
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { url: url.to_owned(), path, host, key, requests, _connection: tasks })
    }

    /// Calls a method with a body of JSON; its result as JSON text.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        body: impl Into<Bytes>,
    ) -> Result<Box<RawValue>, ApiError> {
        let asked = timeout(limits::CLIENT_TIMEOUT, self.ask(method, body.into())).await;
        asked.unwrap_or_else(|_elapsed| Err(ApiError::TooSlow { url: self.url.clone() }))
    }

    async fn ask(&mut self, method: &str, body: Bytes) -> Result<Box<RawValue>, ApiError> {
        let http = |source| ApiError::Http { url: self.url.clone(), source };
        let mut request = Request::post(format!("{}/{method}", self.path))
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key.clone());
        }
        let request = request.body(Full::new(body)).map_err(|_invalid| ApiError::Url {
            url: self.url.clone(),
            why: "not the path of an API",
        })?;
        self.requests.ready().await.map_err(http)?;
        let response = self.requests.send_request(request).await.map_err(http)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::API_ANSWER_BYTES).collect().await;
        let malformed = || ApiError::Malformed { url: self.url.clone() };
        let body = body.map_err(|_cut_or_too_long| malformed())?.to_bytes();
        match serde_json::from_slice(&body) {
            Ok(Answer { error: Some(Fault { code, message }), .. }) => {
                Err(ApiError::Refused { code, message })
            }
            Ok(Answer { result: Some(result), .. }) if status == StatusCode::OK => Ok(result),
            _ if status == StatusCode::OK => Err(malformed()),
            _ => {
                let text = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
                Err(ApiError::Status { url: self.url.clone(), status, text })
            }
        }
    }
}
