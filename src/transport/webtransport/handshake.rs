//! From a QUIC connection to a session: SETTINGS both ways, the client's request, our answer, and
//! the stream that carries the protocol. Bounding the time is the caller's.

use std::net::SocketAddr;

use quinn::{Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendStream};
use wtransport_proto::bytes::BytesReader;
use wtransport_proto::error::ErrorCode;
pub(crate) use wtransport_proto::ids::StatusCode as Status;
use wtransport_proto::session::SessionRequest;

use super::http3::{self, Record, RequestFault};
use super::{
    CLOSE, CONNECT_READ_BYTES, Connect, Critical, DATA, Datagrams, HEADERS, Incoming, Outgoing,
    Phase, Records, WebTransport, h3,
};
use crate::telemetry::Migrations;
use crate::transport::{Format, Origins};

/// Why a connection does not become a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Write(#[from] quinn::WriteError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Cut(#[from] ReadExactError),
    #[error("a rule of HTTP/3 is broken: {0}")]
    Protocol(#[from] ErrorCode),
    #[error(transparent)]
    Request(#[from] RequestFault),
}

/// A client's request for a session, not answered yet.
#[derive(Debug)]
pub(crate) struct Request {
    connection: Connection,
    critical: Critical,
    connect: Connect,
    request: SessionRequest,
}

impl Request {
    /// Waits for the request. A peer that breaks the rules of HTTP/3 is told so.
    pub(crate) async fn read(connection: Connection) -> Result<Request, Fault> {
        let read = async {
            let ours = send_settings(&connection);
            let theirs = receive_settings(&connection);
            let ((ours, theirs), (connect, request)) = tokio::try_join!(
                async { tokio::try_join!(ours, theirs) },
                receive_request(&connection)
            )?;
            Ok((Critical { _ours: ours, _theirs: theirs }, connect, request))
        };
        match read.await {
            Ok((critical, connect, request)) => {
                Ok(Request { connection, critical, connect, request })
            }
            Err(fault) => {
                let code = match &fault {
                    Fault::Protocol(code) => *code,
                    Fault::Request(RequestFault::Headers(code)) => *code,
                    Fault::Request(RequestFault::Request(_)) => ErrorCode::RequestRejected,
                    _ => ErrorCode::ClosedCriticalStream,
                };
                connection.close(h3(code), b"");
                Err(fault)
            }
        }
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target().0
    }

    /// Whether it comes from no page, or from one that may connect.
    pub(crate) fn is_from(&self, origins: &Origins) -> bool {
        let host = Some(self.request.authority());
        self.origin().is_none_or(|origin| origins.allow(origin, host))
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    pub(crate) fn origin(&self) -> Option<&str> {
        self.request.origin()
    }

    /// How the client wants its messages.
    pub(crate) fn format(&self) -> Format {
        Format::of_query(self.target().1)
    }

    fn target(&self) -> (&str, &str) {
        let path = self.request.path();
        path.split_once('?').unwrap_or((path, ""))
    }

    /// Answers that there is no session, and waits until the client is gone.
    pub(crate) async fn refuse(mut self, status: Status) {
        if self.connect.send.write_all(&http3::response(status)).await.is_ok() {
            drop(self.connect.send.finish());
            self.connection.closed().await;
        }
    }

    /// Answers that there is a session, and waits for the stream that carries the protocol. Of the
    /// client's other streams none is accepted, so they come to their bound and stay there.
    pub(crate) async fn accept(
        mut self,
        message_bytes_max: usize,
        migrations: Migrations,
    ) -> Result<WebTransport, Fault> {
        let format = self.format();
        self.connect.send.write_all(&http3::response(Status::OK)).await?;
        let session = u64::from(self.connect.send.id());
        let (send, receive) = loop {
            let (send, mut receive) = self.connection.accept_bi().await?;
            let is_session = read_varint(&mut receive).await? == http3::SESSION_STREAM
                && read_varint(&mut receive).await? == session;
            if is_session {
                break (send, receive);
            }
        };
        Ok(WebTransport {
            peer: self.connection.remote_address(),
            datagrams: Datagrams::of(&self.connection),
            connection: self.connection,
            _critical: self.critical,
            connect: self.connect,
            send,
            receive,
            incoming: Incoming::new(format, message_bytes_max),
            rest: None,
            outgoing: Outgoing::default(),
            streams: None,
            format,
            phase: Phase::Open,
            cut: false,
            migrations,
        })
    }
}

async fn send_settings(connection: &Connection) -> Result<SendStream, Fault> {
    let mut stream = connection.open_uni().await?;
    stream.write_all(&http3::control_stream()).await?;
    Ok(stream)
}

/// Waits for the client's control stream and its settings. The streams of QPACK, which has no dynamic
/// table here, may come before it and carry nothing; what else does is refused.
async fn receive_settings(connection: &Connection) -> Result<Vec<RecvStream>, Fault> {
    let mut kept = Vec::new();
    loop {
        let mut stream = connection.accept_uni().await?;
        match read_varint(&mut stream).await? {
            http3::CONTROL => {
                let mut frames = Records::new(&[http3::SETTINGS]);
                let settings = receive_frame(&mut stream, &mut frames).await?;
                http3::check_settings(&settings.payload)?;
                kept.push(stream);
                return Ok(kept);
            }
            http3::QPACK_ENCODER | http3::QPACK_DECODER => kept.push(stream),
            _ => {}
        }
    }
}

async fn receive_request(connection: &Connection) -> Result<(Connect, SessionRequest), Fault> {
    let (send, mut receive) = connection.accept_bi().await?;
    let mut frames = Records::new(&[DATA, HEADERS]);
    let frame = receive_frame(&mut receive, &mut frames).await?;
    if frame.kind != HEADERS {
        return Err(ErrorCode::FrameUnexpected.into());
    }
    let request = http3::read_request(&frame.payload)?;
    Ok((Connect { send, receive, frames, capsules: Records::new(&[CLOSE]) }, request))
}

/// The next of the frames that are wanted; nothing behind it is read.
async fn receive_frame(stream: &mut RecvStream, frames: &mut Records) -> Result<Record, Fault> {
    loop {
        let mut space = [0; CONNECT_READ_BYTES];
        let missing = frames.missing().min(space.len());
        let (space, _) = space.split_at_mut(missing);
        let read = stream.read(space).await?.ok_or(ErrorCode::ClosedCriticalStream)?;
        let mut input = space.get(..read).expect("no more is read than there is room for");
        if let Some(record) = frames.next(&mut input)? {
            return Ok(record);
        }
    }
}

async fn read_varint(stream: &mut RecvStream) -> Result<u64, Fault> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        bytes.extend_from_slice(&byte);
        if let Some(number) = bytes.as_slice().get_varint() {
            return Ok(number.into_inner());
        }
    }
}
