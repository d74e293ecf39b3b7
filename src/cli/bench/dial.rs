//! Opens connections by the thousand: plain bytes, no client library's buffers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::Uri;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, split};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::scan::{self, Heard};
use super::webtransport::{Fault, Sessions};
use super::wire::{Reading, Writing};
use super::{BenchError, ServerArgs};
use crate::base::{Encoding, limits};
use crate::cli::secret::Secret;
use crate::client::HandshakeFault;
use crate::clock::Clock;
use crate::protocol::{
    Command, ConnectRequest, Reply, SubscribeRequest, decode_replies, encode, ping,
};

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// WebSocket and the client protocol.
    Protocol(Encoding),
    /// The client protocol on a stream of WebTransport.
    Stream(Encoding),
    /// WebSocket alone.
    WebSocket,
    /// Nothing but the frames: a byte says who connects, see [`floor`](super::floor).
    Tcp,
}

impl Speech {
    /// Of the client protocol, if that is spoken.
    pub(super) fn encoding(self) -> Option<Encoding> {
        match self {
            Self::Protocol(encoding) | Self::Stream(encoding) => Some(encoding),
            Self::WebSocket | Self::Tcp => None,
        }
    }

    /// Takes what the server said first off `bytes`; `None` where not all of it is there yet.
    pub(super) fn next<'a>(self, bytes: &mut &'a [u8]) -> Option<Heard<'a>> {
        match self {
            Self::Stream(encoding) => scan::next_on_stream(encoding, bytes),
            Self::Protocol(_) | Self::WebSocket | Self::Tcp => scan::next(bytes),
        }
    }

    /// Commands as a client sends them at once.
    pub(super) fn commands(self, commands: &[Command]) -> Vec<u8> {
        let encoding = self.encoding().unwrap_or(Encoding::Json);
        let commands: Vec<Bytes> =
            commands.iter().map(|command| encode(encoding, command)).collect();
        match encoding {
            Encoding::Json => self.frame(&commands.join(&b"\n"[..])),
            Encoding::Protobuf => self.frame(&commands.concat()),
        }
    }

    /// The answer to a server's ping; empty where nobody pings.
    pub(super) fn pong(self) -> Vec<u8> {
        self.encoding().map(|encoding| self.frame(&ping(encoding))).unwrap_or_default()
    }

    fn frame(self, messages: &[u8]) -> Vec<u8> {
        match self {
            Self::Protocol(Encoding::Protobuf) => scan::client_frame(scan::BINARY, messages),
            Self::Stream(Encoding::Protobuf) => messages.to_vec(),
            Self::Stream(Encoding::Json) => [messages, b"\n"].concat(),
            _ => scan::client_frame(scan::TEXT, messages),
        }
    }
}

/// What carries the bytes.
enum Way {
    Tcp,
    Tls(TlsConnector, ServerName<'static>),
    WebTransport(Box<Sessions>),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "Tcp",
            Self::Tls(..) => "Tls",
            Self::WebTransport(_) => "WebTransport",
        })
    }
}

/// Opens connections to one server.
#[derive(Debug)]
pub(super) struct Dialer {
    server: SocketAddr,
    way: Way,
    /// The second and third byte of the loopback addresses that this run connects from.
    sources: [u8; 2],
    /// The HTTP request that asks for a WebSocket.
    upgrade: String,
    pub(super) speech: Speech,
    token: String,
}

/// An open connection, and what was read from it too far.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) reading: Reading,
    pub(super) writing: Writing,
    pub(super) unread: Vec<u8>,
}

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// `area` is the data of the subscribe command, empty for none.
    Subscriber {
        channel: String,
        area: Bytes,
    },
    Publisher,
}

impl Role {
    pub(super) fn subscriber(channel: &str) -> Self {
        Self::Subscriber { channel: channel.to_owned(), area: Bytes::new() }
    }
}

impl Dialer {
    pub(super) async fn new(server: &ServerArgs) -> Result<Self, BenchError> {
        let wrong = |why| BenchError::Url(server.url.clone(), why);
        let uri: Uri = server.url.parse().map_err(|_invalid| wrong("not a URL"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let host = uri.host().ok_or_else(|| wrong("a URL names a host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if scheme == "ws" { 80 } else { 443 });
        let mut found = lookup_host((host, port))
            .await
            .map_err(|source| BenchError::Connect { number: 0, source })?;
        let address = found.next().ok_or_else(|| wrong("the host has no address"))?;
        let trust = server.trust();
        let encoding = if server.protobuf { Encoding::Protobuf } else { Encoding::Json };
        let way = match scheme {
            "ws" => Way::Tcp,
            "wss" => {
                let tls = Arc::new(trust.config(b"http/1.1"));
                let name = ServerName::try_from(host.to_owned());
                Way::Tls(tls.into(), name.map_err(|_invalid| wrong("not a server's name"))?)
            }
            "https" if server.plain => return Err(wrong("WebTransport is of the protocol")),
            "https" => {
                let url = match server.protobuf {
                    true if uri.query().is_some() => format!("{uri}&cf_protocol=protobuf"),
                    true => format!("{uri}?cf_protocol=protobuf"),
                    false => uri.to_string(),
                };
                Way::WebTransport(Box::new(
                    Sessions::new(address, host, &url, &trust).map_err(wrong)?,
                ))
            }
            _ => return Err(wrong("must begin with ws://, wss:// or https://")),
        };
        let speech = match &way {
            _ if server.plain => Speech::WebSocket,
            Way::WebTransport(_) => Speech::Stream(encoding),
            Way::Tcp | Way::Tls(..) => Speech::Protocol(encoding),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            server: address,
            way,
            sources: random_sources(),
            upgrade: upgrade(host, port, path, speech),
            speech,
            token: server.token.as_ref().map(Secret::expose).unwrap_or_default().to_owned(),
        })
    }

    /// Plain TCP.
    pub(super) fn floor(server: SocketAddr) -> Self {
        Self {
            server,
            way: Way::Tcp,
            sources: random_sources(),
            upgrade: String::new(),
            speech: Speech::Tcp,
            token: String::new(),
        }
    }

    /// Opens `count` connections, so many at a time; `opened` hears how long each took.
    pub(super) async fn open_all(
        &self,
        count: usize,
        concurrency: usize,
        role: impl Fn(usize) -> Role,
        opened: impl Fn(Duration) + Copy,
    ) -> Result<Vec<Link>, BenchError> {
        let clock = Clock::new();
        stream::iter(0..count)
            .map(|number| {
                let role = role(number);
                async move {
                    let start = clock.moment();
                    let link = self.open(number, &role).await?;
                    opened(clock.moment().since(start));
                    Ok(link)
                }
            })
            .buffer_unordered(concurrency.max(1))
            .try_collect()
            .await
    }

    /// Opens one connection to the point where it would receive.
    pub(super) async fn open(&self, number: usize, role: &Role) -> Result<Link, BenchError> {
        let opened = timeout(limits::CLIENT_TIMEOUT, self.open_without_limit(number, role)).await;
        opened.unwrap_or_else(|_elapsed| {
            Err(BenchError::Connect { number, source: std::io::ErrorKind::TimedOut.into() })
        })
    }

    async fn open_without_limit(&self, number: usize, role: &Role) -> Result<Link, BenchError> {
        let failed = |source| BenchError::Connect { number, source };
        let (reading, writing) = self.connect(number).await?;
        let mut link = Link { reading, writing, unread: Vec::new() };
        match self.speech {
            Speech::Tcp => {
                let who = if *role == Role::Publisher { PUBLISHER } else { SUBSCRIBER };
                link.writing.send(&[who]).await.map_err(failed)?;
                link.reading.read_u8().await.map_err(failed)?;
            }
            Speech::WebSocket => link.upgrade(number, &self.upgrade).await?,
            Speech::Protocol(encoding) => {
                link.upgrade(number, &self.upgrade).await?;
                link.begin(number, (self.speech, encoding), &self.token, role).await?;
            }
            Speech::Stream(encoding) => {
                link.begin(number, (self.speech, encoding), &self.token, role).await?;
            }
        }
        Ok(link)
    }

    /// On loopback every source address has ports of its own, of which one alone has too few; those
    /// of an earlier run stay taken for a minute (TIME_WAIT), so each run has its own addresses.
    fn source(&self, number: usize) -> Option<Ipv4Addr> {
        let [second, third] = self.sources;
        let last = u8::try_from(1 + number % 250).unwrap_or(1);
        let is_here = matches!(self.server.ip(), IpAddr::V4(ip) if ip.is_loopback());
        is_here.then(|| Ipv4Addr::new(127, second, third, last))
    }

    async fn connect(&self, number: usize) -> Result<(Reading, Writing), BenchError> {
        let failed = |source| BenchError::Connect { number, source };
        match &self.way {
            Way::Tcp => {
                let stream = self.connect_tcp(number).await.map_err(failed)?;
                let (read, write) = stream.into_split();
                Ok((Box::new(read), Writing::new(write)))
            }
            Way::Tls(connector, name) => {
                let stream = self.connect_tcp(number).await.map_err(failed)?;
                let stream = connector.connect(name.clone(), stream).await;
                let in_words = |fault| failed(std::io::Error::other(HandshakeFault::new(fault)));
                let stream = stream.map_err(in_words)?;
                let (read, write) = split(stream);
                Ok((Box::new(read), Writing::new(write)))
            }
            // A server may count by address.
            Way::WebTransport(sessions) => {
                let source = self.source(number / CONNECTIONS_PER_ADDRESS);
                sessions.open(source).await.map_err(|fault| match fault {
                    Fault::Network(source) => failed(source),
                    Fault::Refused(why) => BenchError::Refused { number, why },
                })
            }
        }
    }

    async fn connect_tcp(&self, number: usize) -> std::io::Result<TcpStream> {
        let stream = match self.source(number / CONNECTIONS_PER_SOURCE) {
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((source, 0).into())?;
                socket.connect(self.server).await?
            }
            None => TcpStream::connect(self.server).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Link {
    async fn upgrade(&mut self, number: usize, request: &str) -> Result<(), BenchError> {
        let failed = |source| BenchError::Connect { number, source };
        self.writing.send(request.as_bytes()).await.map_err(failed)?;
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await.map_err(failed)?;
        };
        let rest = self.unread.split_off(end);
        let head = std::mem::replace(&mut self.unread, rest);
        if head.starts_with(b"HTTP/1.1 101") {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        Err(BenchError::Refused { number, why: line })
    }

    /// Connects, and subscribes if that is the role, in one frame as SDKs do.
    async fn begin(
        &mut self,
        number: usize,
        (speech, encoding): (Speech, Encoding),
        token: &str,
        role: &Role,
    ) -> Result<(), BenchError> {
        let failed = |source| BenchError::Connect { number, source };
        let connect = ConnectRequest { token: token.to_owned(), ..ConnectRequest::default() };
        let mut commands = vec![Command { id: 1, connect: Some(connect), ..Command::default() }];
        if let Role::Subscriber { channel, area } = role {
            let (channel, data) = (channel.clone(), area.clone());
            let subscribe = SubscribeRequest { channel, data, ..SubscribeRequest::default() };
            commands.push(Command { id: 2, subscribe: Some(subscribe), ..Command::default() });
        }
        let last = commands.len();
        self.writing.send(&speech.commands(&commands)).await.map_err(failed)?;
        loop {
            let mut bytes = &self.unread[..];
            while let Some(heard) = speech.next(&mut bytes) {
                let done = is_answered(encoding, &heard, last)
                    .map_err(|why| BenchError::Refused { number, why })?;
                if done {
                    self.unread = bytes.to_vec();
                    return Ok(());
                }
            }
            self.unread = bytes.to_vec();
            self.read_more().await.map_err(failed)?;
        }
    }

    async fn read_more(&mut self) -> std::io::Result<()> {
        if self.reading.read_buf(&mut self.unread).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if self.unread.len() > limits::CLIENT_MESSAGE_BYTES {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }
}

/// Whether the frame brings the reply of that id; an error of any command is one.
fn is_answered(encoding: Encoding, heard: &Heard<'_>, id: usize) -> Result<bool, String> {
    match heard {
        Heard::Closed(code, reason) => Err(format!("{} ({code})", String::from_utf8_lossy(reason))),
        Heard::Ping | Heard::Nothing => Ok(false),
        Heard::Messages(messages) => {
            let mut answered = false;
            for reply in decode_replies(encoding, &Bytes::copy_from_slice(messages)) {
                let Reply { id: of, error, .. } = reply.map_err(|fault| fault.to_string())?;
                if let Some(error) = error {
                    return Err(format!("{} ({})", error.message, error.code));
                }
                answered |= usize::try_from(of) == Ok(id);
            }
            Ok(answered)
        }
    }
}

fn upgrade(host: &str, port: u16, path: &str, speech: Speech) -> String {
    let protocol = match speech {
        Speech::Protocol(Encoding::Protobuf) => "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n",
        _ => "",
    };
    let key = STANDARD.encode(b"nearcast bench!!");
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}\r\n"
    )
}

fn random_sources() -> [u8; 2] {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

/// Linux gives about 28,000 ports to one pair of addresses.
const CONNECTIONS_PER_SOURCE: usize = 20_000;

/// Few enough for a server's limit by address.
const CONNECTIONS_PER_ADDRESS: usize = 500;

/// First byte of a plain connection, and of the answer to it.
pub(super) const SUBSCRIBER: u8 = b'S';
/// First byte of the connection that publishes.
pub(super) const PUBLISHER: u8 = b'P';
