//! WebSocket (RFC 6455), server side only: no masking on the way out, no client. It exists because
//! it must share encoded messages between connections, hold no buffers while idle and lose nothing
//! when a future is dropped, all at once. Compression is not negotiated; the places where it will
//! be are `handshake::accept` and the reserved bits in `frame`.

#![warn(clippy::indexing_slicing, clippy::string_slice)]

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::limits::READ_BYTES;
use crate::transport::{Format, Received, Transport, Turn, boxed, resume};

mod frame;
mod handshake;
mod outgoing;
#[cfg(test)]
mod tests;

pub(crate) use handshake::{Accepted, accept, is_asked_for};

/// One connection after the handshake.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    io: S,
    parser: frame::Parser,
    /// Bytes that were read behind the last message; the parser has not seen them. Boxed because an
    /// idle connection has none.
    rest: Option<Box<Bytes>>,
    outgoing: outgoing::Outgoing,
    peer: SocketAddr,
    format: Format,
    phase: Phase,
    /// Our close frame is queued or sent: nothing may follow it.
    said_goodbye: bool,
}

/// What is still to be expected from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages.
    Open,
    /// It broke the rules: its bytes are not looked at any more.
    Violated,
    /// As `Violated`, and our side is shut down.
    Shut,
    /// Nothing: its close frame came.
    SaidGoodbye,
    /// Nothing, and nothing can be sent either.
    Gone,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WebSocket<S> {
    /// Takes over a connection whose handshake is done. `leftover` is what was read from it behind
    /// the request; messages go out in `format`, and one of more than `message_bytes_max` that
    /// comes in is a violation.
    pub(crate) fn new(
        io: S,
        peer: SocketAddr,
        format: Format,
        message_bytes_max: usize,
        leftover: Bytes,
    ) -> WebSocket<S> {
        WebSocket {
            io,
            parser: frame::Parser::new(message_bytes_max),
            rest: boxed(leftover),
            outgoing: outgoing::Outgoing::default(),
            peer,
            format,
            phase: Phase::Open,
            said_goodbye: false,
        }
    }

    /// Bytes of memory held besides this struct and shared bodies.
    #[cfg(test)]
    fn capacity(&self) -> usize {
        let (message, control) = self.parser.capacities();
        self.rest.as_ref().map_or(0, |rest| rest.len())
            + message
            + control
            + self.outgoing.capacity()
    }

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

    /// Reads once. The space lives on the stack, inside a poll, so that neither the connection nor
    /// its future holds a buffer while it waits.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(cx, &mut buffer) else {
            self.parser.ran_dry();
            return Poll::Pending;
        };
        let mut input = buffer.filled();
        if read.is_err() || input.is_empty() {
            self.phase = Phase::Gone;
            return Poll::Ready(Some(Received::Closed));
        }
        let received = self.digest(&mut input);
        if self.phase == Phase::Open {
            self.rest = boxed(Bytes::copy_from_slice(input));
        }
        Poll::Ready(received)
    }

    /// Parses `input` up to the first message or the end of the conversation, and answers control
    /// frames on the way.
    fn digest(&mut self, input: &mut &[u8]) -> Option<Received> {
        loop {
            match self.parser.next(input) {
                Ok(None) => return None,
                Ok(Some(frame::Event::Message(format, message))) => {
                    return Some(Received::Message(format, message));
                }
                Ok(Some(frame::Event::Ping(payload))) => {
                    if !self.said_goodbye {
                        self.outgoing.pong(payload);
                    }
                }
                Ok(Some(frame::Event::Pong)) => return Some(Received::Pong),
                Ok(Some(frame::Event::Close(code))) => {
                    self.phase = Phase::SaidGoodbye;
                    self.say_goodbye(code, "");
                    return Some(Received::Closed);
                }
                Err(frame::Violation { code, reason }) => {
                    self.phase = Phase::Violated;
                    return Some(Received::Violation { code, reason });
                }
            }
        }
    }

    fn say_goodbye(&mut self, code: Option<u16>, reason: &str) {
        if !self.said_goodbye {
            self.outgoing.close(code, reason);
            self.said_goodbye = true;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase == Phase::Gone {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        let written = ready!(self.outgoing.poll_write(&mut self.io, cx));
        if written.is_err() {
            self.phase = Phase::Gone;
        }
        Poll::Ready(written)
    }

    /// Waits for the peer's goodbye, or, if it broke the rules, for the end of its bytes: hanging up
    /// with bytes unread would reset the connection, and the peer might never see the close frame.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.poll_write(cx).is_ready();
        // Reading goes on while writing waits, as a peer stuck in writing to us would not read.
        while self.phase == Phase::Open && self.poll_receive(cx).is_ready() {}
        if matches!(self.phase, Phase::Violated | Phase::Shut) && self.poll_drain(cx).is_ready() {
            self.phase = Phase::Gone;
        }
        match self.phase {
            Phase::Gone => return Poll::Ready(()),
            Phase::Open | Phase::Shut => return Poll::Pending,
            Phase::Violated | Phase::SaidGoodbye => {}
        }
        if !written {
            return Poll::Pending;
        }
        let shut = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        if self.phase == Phase::Violated && shut.is_ok() {
            self.phase = Phase::Shut;
            return Poll::Pending;
        }
        self.phase = Phase::Gone;
        Poll::Ready(())
    }

    /// Reads to the end without looking.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Transport for WebSocket<S> {
    fn poll_turn(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Turn> {
        loop {
            if self.phase != Phase::Open {
                return Poll::Ready(Turn::Received(Received::Closed));
            }
            if !self.outgoing.is_idle() {
                match self.poll_write(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Turn::Flushed),
                    Poll::Ready(Err(_)) => continue,
                    Poll::Pending => {}
                }
            }
            if !reading {
                return Poll::Pending;
            }
            let queued_bytes = self.outgoing.queued_bytes();
            match self.poll_receive(cx) {
                Poll::Ready(received) => {
                    // The answer to a goodbye leaves now if it can; `close` sees to the rest.
                    if self.phase == Phase::SaidGoodbye && self.poll_write(cx).is_pending() {
                        tracing::trace!("no room for the answer to a close frame");
                    }
                    return Poll::Ready(Turn::Received(received));
                }
                // A pong was queued: it is not to wait for the peer's next words.
                Poll::Pending if self.outgoing.queued_bytes() > queued_bytes => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn queue(&mut self, _row: Option<u32>, head: &[u8], body: &Bytes) {
        if !self.said_goodbye && self.phase != Phase::Gone {
            self.outgoing.message(self.format, head, body);
        }
    }

    fn queued_bytes(&self) -> usize {
        self.outgoing.queued_bytes()
    }

    fn queue_ping(&mut self) {
        if !self.said_goodbye {
            self.outgoing.ping();
        }
    }

    async fn close(&mut self, code: u16, reason: &str) {
        self.say_goodbye(Some(code), reason);
        poll_fn(|cx| self.poll_close(cx)).await;
    }

    fn discard_queued(&mut self) {
        if !self.said_goodbye {
            self.outgoing.discard();
        }
    }

    fn peer(&self) -> SocketAddr {
        self.peer
    }
}
