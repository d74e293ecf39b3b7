//! WebTransport over HTTP/3, server side only: one session a QUIC connection, the protocol on the
//! client's first bidirectional stream. Bytes are quinn's, SETTINGS and QPACK `wtransport-proto`'s;
//! what is between is here, because it must say why a session ends, live in the connection's one
//! task and hold no buffers while idle, see `docs/decisions/0010-own-webtransport-sessions.md`.

#![warn(clippy::indexing_slicing, clippy::string_slice)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::io::ReadBuf;
use tokio::time::{sleep, timeout};
use tracing::debug;
use wtransport_proto::error::ErrorCode;

use crate::base::limits;
use crate::telemetry::Migrations;
use crate::transport::{Format, Received, Transport, Turn, boxed, resume};

mod handshake;
mod http3;
mod incoming;
mod outgoing;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use handshake::{Request, Status};
pub(crate) use http3::control_stream;

use http3::{CLOSE, DATA, HEADERS, Records};
use incoming::{Incoming, Violation};
use outgoing::Outgoing;
use streams::Streams;

/// One session, on a QUIC connection of its own; with it the connection ends.
#[derive(Debug)]
pub(crate) struct WebTransport {
    connection: Connection,
    _critical: Critical,
    connect: Connect,
    send: SendStream,
    receive: RecvStream,
    incoming: Incoming,
    /// Bytes that were read behind the last message. Boxed because an idle session has none.
    rest: Option<Box<Bytes>>,
    outgoing: Outgoing,
    /// Of rows that have one of their own. Boxed because few sessions ask for them.
    streams: Option<Box<Streams>>,
    datagrams: Datagrams,
    format: Format,
    phase: Phase,
    /// What was said last ends within a message: nothing that follows could be read.
    cut: bool,
    peer: SocketAddr,
    migrations: Migrations,
}

/// Streams that may not end before the connection (RFC 9114 section 6.2.1), and ends when dropped.
#[derive(Debug)]
struct Critical {
    _ours: SendStream,
    _theirs: Vec<RecvStream>,
}

/// The stream of the CONNECT request; its end is the session's.
#[derive(Debug)]
struct Connect {
    send: SendStream,
    receive: RecvStream,
    frames: Records,
    capsules: Records,
}

/// The client's datagrams; the oldest of those that wait are dropped.
struct Datagrams {
    /// Kept from poll to poll: quinn wakes no other.
    next: Pin<Box<dyn Future<Output = Result<Bytes, ConnectionError>> + Send>>,
}

/// What is still to be expected from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages.
    Open,
    /// Its stream ended or broke the rules, and is not looked at any more; the session goes on.
    Silent,
    /// Nothing: it ended the session.
    Ended,
    /// Nothing, and nothing can be sent either.
    Gone,
}

impl Datagrams {
    fn of(connection: &Connection) -> Self {
        let connection = connection.clone();
        Self { next: Box::pin(async move { connection.read_datagram().await }) }
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").finish_non_exhaustive()
    }
}

impl Connect {
    /// Looks for the capsule that ends the session.
    fn digest(&mut self, mut input: &[u8]) -> Result<bool, ErrorCode> {
        while let Some(frame) = self.frames.next(&mut input)? {
            // A second HEADERS frame holds trailers, which say nothing.
            if frame.kind != DATA {
                continue;
            }
            let mut payload = frame.payload.as_slice();
            if let Some(capsule) = self.capsules.next(&mut payload)? {
                let (code, reason) = http3::read_close(&capsule.payload)?;
                debug!(code, %reason, "the client ends the session");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ready when the client has ended the session: by a capsule, or by the end of the stream.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        loop {
            let mut space = [const { MaybeUninit::uninit() }; CONNECT_READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            match ready!(self.receive.poll_read_buf(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Phase::Ended),
                Ok(()) => match self.digest(buffer.filled()) {
                    Ok(false) => {}
                    Ok(true) => return Poll::Ready(Phase::Ended),
                    Err(code) => {
                        debug!(%code, "the CONNECT stream breaks the rules");
                        return Poll::Ready(Phase::Ended);
                    }
                },
                Err(ReadError::ConnectionLost(_)) => return Poll::Ready(Phase::Gone),
                Err(_) => return Poll::Ready(Phase::Ended),
            }
        }
    }
}

impl WebTransport {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        if let Some(rest) = self.rest.take() {
            let (received, rest) = resume(rest, |input| self.digest(input));
            if self.phase == Phase::Open {
                self.rest = rest;
            }
            if let Some(received) = received {
                return Poll::Ready(received);
            }
        }
        loop {
            if let Some(received) = ready!(self.poll_read(cx)) {
                return Poll::Ready(received);
            }
        }
    }

    /// Reads once. The space lives on the stack, inside a poll, so that neither the session nor its
    /// future holds a buffer while it waits.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        let mut space = [const { MaybeUninit::uninit() }; limits::READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        let read = ready!(self.receive.poll_read_buf(cx, &mut buffer));
        let mut input = buffer.filled();
        if read.is_err() || input.is_empty() {
            let lost = matches!(read, Err(ReadError::ConnectionLost(_)));
            self.phase = if lost { Phase::Gone } else { Phase::Silent };
            return Poll::Ready(Some(Received::Closed));
        }
        self.notice_migration();
        let received = self.digest(&mut input);
        if self.phase == Phase::Open {
            self.rest = boxed(Bytes::copy_from_slice(input));
        }
        Poll::Ready(received)
    }

    /// The next datagram of the session.
    fn poll_datagram(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            let Ok(datagram) = ready!(self.datagrams.next.as_mut().poll(cx)) else {
                self.phase = Phase::Gone;
                return Poll::Ready(Received::Closed);
            };
            self.datagrams = Datagrams::of(&self.connection);
            // Of a session that there never was, or cut off in its id.
            let Some(payload) = http3::datagram(datagram, self.connect.send.id().into()) else {
                continue;
            };
            self.notice_migration();
            return Poll::Ready(Received::Datagram(payload));
        }
    }

    fn digest(&mut self, input: &mut &[u8]) -> Option<Received> {
        match self.incoming.next(input) {
            Ok(message) => message.map(|message| Received::Message(self.format, message)),
            Err(Violation(reason)) => {
                self.phase = Phase::Silent;
                // The protocol's own code: SDKs do not know RFC 6455's on this transport.
                Some(Received::Violation { code: BAD_REQUEST, reason })
            }
        }
    }

    /// QUIC goes on by itself when a phone changes its network.
    fn notice_migration(&mut self) {
        let peer = self.connection.remote_address();
        if peer != self.peer {
            debug!(from = %self.peer, to = %peer, "the client has another address");
            self.peer = peer;
            self.migrations.count();
        }
    }

    /// Hands what is queued for the session's stream to QUIC, as far as its window reaches.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        while !self.outgoing.is_empty() {
            ready!(poll_some(&mut self.send, &mut self.outgoing, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Hands what is queued for all streams to QUIC. Ready when one has nothing left.
    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let waited = self.outgoing.queued_bytes();
        if let Poll::Ready(Err(fault)) = self.poll_write(cx) {
            let lost = matches!(fault, WriteError::ConnectionLost(_));
            self.phase = if lost { Phase::Gone } else { Phase::Silent };
            return Poll::Ready(Turn::Received(Received::Closed));
        }
        match self.streams.as_mut().map(|streams| streams.poll_write(cx)) {
            Some(Poll::Ready(Ok(()))) => return Poll::Ready(Turn::Flushed),
            Some(Poll::Ready(Err(_))) => {
                self.phase = Phase::Gone;
                return Poll::Ready(Turn::Received(Received::Closed));
            }
            Some(Poll::Pending) | None => {}
        }
        let is_whole = waited > 0 && self.outgoing.is_empty();
        if is_whole { Poll::Ready(Turn::Flushed) } else { Poll::Pending }
    }

    /// Ready when everything that was queued is written, or never will be.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(phase) = self.connect.poll_end(cx) {
            self.phase = phase;
            return Poll::Ready(());
        }
        while self.queued_bytes() > 0 {
            if let Turn::Received(_) = ready!(self.poll_write_all(cx)) {
                break;
            }
        }
        Poll::Ready(())
    }

    async fn say_goodbye(&mut self, code: u16, reason: &str) {
        // What the client still says is not looked at, and is not to keep it from listening.
        drop(self.receive.stop(no_code()));
        let says_why = !self.cut && !self.outgoing.is_empty();
        if !self.cut {
            drop(timeout(FLUSH_TIMEOUT, poll_fn(|cx| self.poll_flush(cx))).await);
        }
        let flushed = !self.cut && self.outgoing.is_empty();
        // What waits in a stream fills the connection's window, for which the capsule would wait too.
        if !flushed {
            drop(self.send.reset(no_code()));
        }
        if let Some(mut streams) = self.streams.take() {
            streams.discard();
        }
        drop(self.send.finish());
        if flushed && says_why {
            self.let_it_sink_in().await;
        }
        if matches!(self.phase, Phase::Ended | Phase::Gone) {
            return;
        }
        if self.connect.send.write_all(&http3::close_capsule(code, reason)).await.is_ok() {
            drop(self.connect.send.finish());
            // Closing the connection now would overtake the capsule.
            self.phase = poll_fn(|cx| self.connect.poll_end(cx)).await;
            // So would it with what a browser has still to tell its page.
            drop(timeout(TELL_TIME, self.connection.closed()).await);
        }
    }

    /// The JavaScript SDK forgets what it has read and not dispatched when it hears that the session
    /// has ended: it gets the time to read why, and takes its leave by itself.
    async fn let_it_sink_in(&mut self) {
        let stopped = self.send.stopped();
        let heard = async {
            drop(stopped.await);
            sleep(DISPATCH_TIME).await;
        };
        let ended = poll_fn(|cx| self.connect.poll_end(cx));
        let phase = tokio::select! {
            phase = ended => Some(phase),
            () = heard => None,
            () = sleep(FLUSH_TIMEOUT) => None,
        };
        self.phase = phase.unwrap_or(self.phase);
    }
}

impl Transport for WebTransport {
    fn poll_turn(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Turn> {
        loop {
            if self.phase != Phase::Open {
                return Poll::Ready(Turn::Received(Received::Closed));
            }
            let stopped = self.streams.as_mut().map(|streams| streams.poll_stopped(cx));
            if let Some(Poll::Ready(row)) = stopped {
                return Poll::Ready(Turn::Lost { row });
            }
            if self.queued_bytes() > 0
                && let Poll::Ready(turn) = self.poll_write_all(cx)
            {
                return Poll::Ready(turn);
            }
            if !reading {
                return Poll::Pending;
            }
            if let Poll::Ready(received) = self.poll_receive(cx) {
                return Poll::Ready(Turn::Received(received));
            }
            if let Poll::Ready(received) = self.poll_datagram(cx) {
                return Poll::Ready(Turn::Received(received));
            }
            // What the client said before it ended the session came first.
            self.phase = ready!(self.connect.poll_end(cx));
        }
    }

    fn queue(&mut self, row: Option<u32>, head: &[u8], body: &Bytes) {
        if self.cut || matches!(self.phase, Phase::Ended | Phase::Gone) {
            return;
        }
        if let Some(row) = row {
            let streams = self.streams.get_or_insert_default();
            if streams.open(row, &self.connection, self.connect.send.id().into()) {
                return streams.message(row, self.format, head, body);
            }
        }
        self.outgoing.message(self.format, head, body);
    }

    fn end_row(&mut self, row: u32) {
        if let Some(streams) = &mut self.streams {
            streams.end(row);
        }
    }

    /// Not needed: no client agrees on pings of this transport's own.
    fn queue_ping(&mut self) {}

    fn queued_bytes(&self) -> usize {
        self.outgoing.queued_bytes() + self.streams.as_ref().map_or(0, |one| one.queued_bytes())
    }

    fn queued_in(&self, row: Option<u32>) -> usize {
        let own = self.streams.as_ref().zip(row).and_then(|(streams, row)| streams.bytes_of(row));
        own.unwrap_or_else(|| self.outgoing.queued_bytes())
    }

    fn cut_row(&mut self, bytes_max: usize) -> Option<u32> {
        self.streams.as_mut()?.cut(bytes_max)
    }

    fn discard_queued(&mut self) {
        self.cut |= self.outgoing.discard();
        if let Some(mut streams) = self.streams.take() {
            streams.discard();
        }
    }

    async fn close(&mut self, code: u16, reason: &str) {
        if matches!(self.phase, Phase::Open | Phase::Silent) {
            self.say_goodbye(code, reason).await;
        }
        self.connection.close(h3(ErrorCode::NoError), b"");
    }

    fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// The connection is the session's own, however it ends.
impl Drop for WebTransport {
    fn drop(&mut self) {
        self.connection.close(h3(ErrorCode::NoError), b"");
    }
}

/// Writes as much of what is queued as the window takes.
fn poll_some(
    send: &mut SendStream,
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
) -> Poll<Result<(), WriteError>> {
    let written = pin!(send.write_chunks(outgoing.chunks())).poll(cx);
    outgoing.wrote(ready!(written)?.bytes);
    Poll::Ready(Ok(()))
}

fn h3(code: ErrorCode) -> VarInt {
    VarInt::from_u64(code.to_code().into_inner()).expect("one variable-length integer is another")
}

/// What ends a stream of a session without a code of the application's: its code 0, as HTTP/3 has
/// it (draft-ietf-webtrans-http3 section 4.3).
fn no_code() -> VarInt {
    VarInt::from_u64(0x52e4_a40f_a8db).expect("48 bits")
}

/// The disconnect "bad request".
const BAD_REQUEST: u16 = 3501;
/// Bytes read from the CONNECT stream at once.
const CONNECT_READ_BYTES: usize = 512;
/// What a page needs to dispatch what it has read.
const DISPATCH_TIME: Duration = Duration::from_millis(100);
/// What a browser needs to tell its page why the session has ended.
const TELL_TIME: Duration = Duration::from_millis(150);
/// How long the goodbye waits for what was queued before it, and then for that to be heard.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(400);

const _: () = assert!(2 * FLUSH_TIMEOUT.as_millis() < limits::CLOSE_TIMEOUT.as_millis());
