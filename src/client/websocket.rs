//! One session over WebSocket. It belongs to one task and does nothing between calls: pings are
//! answered while a reply or a push is waited for, and whoever does not wait is a slow client.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::Uri;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::dial::{Address, DialError, Stream};
use super::tls::Trust;
use crate::base::{Encoding, limits};
#[cfg(test)]
use crate::protocol::ConnectResult;
use crate::protocol::{
    ClientError, Command, ConnectRequest, DecodeError, Disconnect, FrameReader, Push, Reply,
    SubscribeRequest, SubscribeResult, decode_replies, encode, ping,
};

/// Where to connect, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    /// `ws://host[:port]/path`, or `wss`.
    pub(crate) url: String,
    /// For `wss`.
    pub(crate) trust: Trust,
    /// Empty for none.
    pub(crate) token: String,
    pub(crate) encoding: Encoding,
}

/// The token is a secret and stays out of logs.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("url", &self.url)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{url}: {why}")]
    Url { url: String, why: &'static str },
    #[error("{url}: {source}")]
    Unreachable { url: String, source: DialError },
    #[error("{url}: no answer within {} s", limits::CLIENT_TIMEOUT.as_secs())]
    TooSlow { url: String },
    #[error("{url}: {}", handshake(source))]
    Handshake { url: String, source: Box<tungstenite::Error> },
    /// The server's answer to the connect command.
    #[error("the server refused the connection: {0}")]
    Refused(ClientError),
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The server's answer; the session goes on.
    #[error(transparent)]
    Refused(#[from] ClientError),
    /// The session is over.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// How a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The server's word, in the close frame; codes below 3000 are the transport's.
    #[error("the server closed the connection: {0}")]
    Closed(Disconnect),
    #[error("the connection broke: {0}")]
    Broken(Box<tungstenite::Error>),
    #[error("the connection ended without a close frame")]
    Cut,
    #[error("the server has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the server sent what is no reply: {0}")]
    Malformed(#[from] DecodeError),
    /// More than [`limits::CLIENT_BACKLOG`] pushes came before a reply.
    #[error("more pushes than can be kept came before the reply")]
    Backlog,
}

impl Ended {
    /// Whether an SDK would come back.
    pub(crate) fn reconnects(&self) -> bool {
        match self {
            Self::Closed(disconnect) => disconnect.code != TOO_BIG && disconnect.reconnects(),
            Self::Broken(_) | Self::Cut | Self::Silent(_) | Self::Backlog => true,
            Self::Malformed(_) => false,
        }
    }
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Client {
    socket: WebSocketStream<Stream>,
    encoding: Encoding,
    frame: Option<FrameReader<Reply>>,
    /// What came while a reply was waited for, at most [`limits::CLIENT_BACKLOG`].
    backlog: VecDeque<Push>,
    last_id: u32,
    /// The server pinged and was not answered yet.
    owes_pong: bool,
    answers_pings: bool,
    /// The longest silence that the server announced, with grace; `None` before it did, and where
    /// it does not ping.
    silence_max: Option<Duration>,
    #[cfg(test)]
    connected: ConnectResult,
}

impl Client {
    /// Connects, and opens the session.
    pub(crate) async fn open(target: &Target) -> Result<Self, ConnectError> {
        let opened = timeout(limits::CLIENT_TIMEOUT, Self::open_without_limit(target)).await;
        opened.unwrap_or_else(|_elapsed| Err(ConnectError::TooSlow { url: target.url.clone() }))
    }

    async fn open_without_limit(target: &Target) -> Result<Self, ConnectError> {
        let mut session = Self {
            socket: shake_hands(target).await?,
            encoding: target.encoding,
            frame: None,
            backlog: VecDeque::new(),
            last_id: 0,
            owes_pong: false,
            answers_pings: false,
            silence_max: None,
            #[cfg(test)]
            connected: ConnectResult::default(),
        };
        let request = ConnectRequest {
            token: target.token.clone(),
            name: "nearcast".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ConnectRequest::default()
        };
        let command = Command { connect: Some(request), ..Command::default() };
        let reply = session.call(command).await.map_err(|error| match error {
            CallError::Refused(error) => ConnectError::Refused(error),
            CallError::Ended(ended) => ConnectError::Ended(ended),
        })?;
        let connected = reply.connect.unwrap_or_default();
        session.answers_pings = connected.pong;
        session.silence_max = (connected.ping > 0)
            .then(|| Duration::from_secs(connected.ping.into()) + limits::PING_GRACE);
        #[cfg(test)]
        {
            session.connected = connected;
        }
        Ok(session)
    }

    /// What the server said when the session opened.
    #[cfg(test)]
    pub(crate) fn connected(&self) -> &ConnectResult {
        &self.connected
    }

    /// Subscribes to `request.channel`.
    pub(crate) async fn subscribe(
        &mut self,
        request: SubscribeRequest,
    ) -> Result<SubscribeResult, CallError> {
        let command = Command { subscribe: Some(request), ..Command::default() };
        Ok(self.call(command).await?.subscribe.unwrap_or_default())
    }

    /// Sends a command, whose id is chosen here, and waits for its reply. Pushes that come before
    /// it are kept for [`next_push`](Self::next_push). Not cancel-safe: the reply of a call that
    /// was given up is dropped when it comes.
    pub(crate) async fn call(&mut self, mut command: Command) -> Result<Reply, CallError> {
        self.last_id += 1;
        command.id = self.last_id;
        self.send(&command).await?;
        let waited = timeout(limits::CLIENT_TIMEOUT, self.reply(self.last_id)).await;
        let reply = waited.unwrap_or(Err(Ended::Silent(limits::CLIENT_TIMEOUT)))?;
        match reply.error {
            None => Ok(reply),
            Some(error) => Err(CallError::Refused(ClientError {
                code: error.code,
                message: error.message.into(),
                temporary: error.temporary,
            })),
        }
    }

    /// Sends a command as it is.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<(), Ended> {
        let message = self.message(encode(self.encoding, command));
        self.socket.send(message).await.map_err(broken)
    }

    /// The next push. Cancel-safe.
    pub(crate) async fn next_push(&mut self) -> Result<Push, Ended> {
        if let Some(push) = self.backlog.pop_front() {
            return Ok(push);
        }
        loop {
            if let Some(push) = self.next_reply().await?.push {
                return Ok(push);
            }
        }
    }

    /// Says goodbye; what the server still has to say is not waited for.
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: 1000.into(), reason: Utf8Bytes::default() };
        drop(timeout(limits::CLOSE_TIMEOUT, self.socket.close(Some(frame))).await);
    }

    async fn reply(&mut self, id: u32) -> Result<Reply, Ended> {
        loop {
            let mut reply = self.next_reply().await?;
            if reply.id == id {
                return Ok(reply);
            }
            if let Some(push) = reply.push.take() {
                if self.backlog.len() == limits::CLIENT_BACKLOG {
                    return Err(Ended::Backlog);
                }
                self.backlog.push_back(push);
            }
        }
    }

    /// The next reply or push; pings are answered.
    async fn next_reply(&mut self) -> Result<Reply, Ended> {
        loop {
            if self.owes_pong {
                let pong = self.message(ping(self.encoding));
                self.socket.feed(pong).await.map_err(broken)?;
                self.owes_pong = false;
            }
            if let Some(reply) = self.frame.as_mut().and_then(Iterator::next) {
                let reply = reply?;
                if reply != Reply::default() {
                    return Ok(reply);
                }
                self.owes_pong = self.answers_pings;
                continue;
            }
            self.socket.flush().await.map_err(broken)?;
            let frame = self.next_frame().await?;
            self.frame = Some(decode_replies(self.encoding, &frame));
        }
    }

    async fn next_frame(&mut self) -> Result<Bytes, Ended> {
        loop {
            let message = match self.silence_max {
                None => self.socket.next().await,
                Some(most) => timeout(most, self.socket.next())
                    .await
                    .map_err(|_elapsed| Ended::Silent(most))?,
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(broken(error)),
                None => return Err(Ended::Cut),
            }
        }
    }

    fn message(&self, bytes: Bytes) -> Message {
        match self.encoding {
            Encoding::Json => {
                Message::Text(Utf8Bytes::try_from(bytes).expect("JSON is written as UTF-8"))
            }
            Encoding::Protobuf => Message::Binary(bytes),
        }
    }
}

async fn shake_hands(target: &Target) -> Result<WebSocketStream<Stream>, ConnectError> {
    let url = || target.url.clone();
    let address = address(&target.url).map_err(|why| ConnectError::Url { url: url(), why })?;
    let handshake_fault = |source| ConnectError::Handshake { url: url(), source: Box::new(source) };
    let mut request = target.url.as_str().into_client_request().map_err(handshake_fault)?;
    if target.encoding == Encoding::Protobuf {
        let name = HeaderValue::from_static("centrifuge-protobuf");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    let stream = address
        .dial(&target.trust)
        .await
        .map_err(|source| ConnectError::Unreachable { url: url(), source })?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::CLIENT_MESSAGE_BYTES))
        .max_frame_size(Some(limits::CLIENT_MESSAGE_BYTES));
    let (socket, _response) =
        client_async_with_config(request, stream, Some(config)).await.map_err(handshake_fault)?;
    Ok(socket)
}

/// Where a `ws://` or `wss://` URL leads.
fn address(url: &str) -> Result<Address, &'static str> {
    let uri: Uri = url.parse().map_err(|_invalid| "not a URL")?;
    let is_secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        _ => return Err("must begin with ws:// or wss://"),
    };
    Address::new(uri.authority().ok_or("a URL names a host")?, is_secure)
}

fn broken(error: tungstenite::Error) -> Ended {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Ended::Cut,
        error => Ended::Broken(Box::new(error)),
    }
}

fn closed(frame: Option<CloseFrame>) -> Ended {
    match frame {
        None => Ended::Cut,
        Some(frame) => Ended::Closed(Disconnect {
            code: frame.code.into(),
            reason: frame.reason.as_str().to_owned().into(),
        }),
    }
}

/// Says what a server answered instead of agreeing, with the reason in its body if there is one.
fn handshake(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let why = String::from_utf8_lossy(body);
            format!("the server answered {} {}", response.status(), why.trim()).trim().to_owned()
        }
        tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => {
            "the answer is not HTTP; where TLS is spoken, the URL begins with wss://".to_owned()
        }
        error => error.to_string(),
    }
}

/// WebSocket: a message was too big (RFC 6455 section 7.4.1). Trying again would not help.
const TOO_BIG: u16 = 1009;
