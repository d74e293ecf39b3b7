//! Byte transports to clients: they own sockets and framing and know nothing of commands, sessions
//! or channels. One implementation of [`Transport`] is one connection.

use std::future::Future;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

mod origins;
pub(crate) mod websocket;
pub(crate) mod webtransport;

pub(crate) use origins::Origins;

/// Whether messages are text (JSON) or binary (Protobuf); fixed for a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Text,
    Binary,
}

impl Format {
    /// What a URL's query asks for; text, if nothing.
    fn of_query(query: &str) -> Self {
        let binary = asks(query, "cf_protocol=protobuf") || asks(query, "format=protobuf");
        if binary { Self::Binary } else { Self::Text }
    }
}

/// What a client sent.
#[derive(Debug)]
pub(crate) enum Received {
    /// One whole message, reassembled, unmasked, valid UTF-8 if it is text, within the size limit.
    Message(Format, Bytes),
    /// A datagram: it may have overtaken others, and others may be lost.
    Datagram(Bytes),
    /// The answer to a ping of the transport's own, asked for or not.
    Pong,
    /// The peer said goodbye, or the connection broke. Nothing follows.
    Closed,
    /// The peer broke the framing rules. The connection must be closed with this code before
    /// anything else is read; on a WebSocket it comes from RFC 6455 (1002, 1003, 1007, 1009).
    Violation { code: u16, reason: &'static str },
}

/// A step of a connection.
#[derive(Debug)]
pub(crate) enum Turn {
    Received(Received),
    /// What was queued has been given to the kernel; of a transport with rows, that of one of them.
    Flushed,
    /// The client does not want a row any more: what was in it and not read is lost.
    Lost {
        row: u32,
    },
}

/// The one socket of a connection task. Nothing that was read or queued is lost when the caller
/// polls something else in between.
pub(crate) trait Transport: Send {
    /// Writes what is queued, several messages to a system call, and if `reading` reads the next
    /// message meanwhile; whichever ends first. Pending for ever without anything queued and
    /// without `reading`. Never to be polled again after `Closed` or `Violation`.
    fn poll_turn(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<Turn>;

    /// Queues one outgoing message, the concatenation of `head` and `body`, behind those queued
    /// before. `body` is shared with other connections: large ones are kept by reference, small
    /// ones copied. Never blocks; the caller bounds what it queues by [`Transport::queued_in`] and
    /// [`Transport::cut_row`]. Messages of one row keep their order, and a transport that can does not
    /// let other rows wait for them.
    fn queue(&mut self, row: Option<u32>, head: &[u8], body: &Bytes);

    /// Nothing follows in this row.
    fn end_row(&mut self, _row: u32) {}

    /// Queues a ping of the transport's own.
    fn queue_ping(&mut self);

    /// Bytes queued and not yet given to the kernel.
    fn queued_bytes(&self) -> usize;

    /// Of those, the bytes for which a message in this row would wait; without a row, one of none.
    fn queued_in(&self, _row: Option<u32>) -> usize {
        self.queued_bytes()
    }

    /// Where rows that wait by themselves hold more than so many bytes together, cuts the fullest of
    /// them off: what was in it and not read is lost.
    fn cut_row(&mut self, _bytes_max: usize) -> Option<u32> {
        None
    }

    /// Forgets what is queued, so that a close can go out at once.
    fn discard_queued(&mut self);

    /// Sends what is queued, then the transport's close with code and reason, waits for the peer's
    /// answer, and shuts the socket down. The caller bounds the time. Harmless after the end.
    fn close(&mut self, code: u16, reason: &str) -> impl Future<Output = ()> + Send;

    fn peer(&self) -> SocketAddr;
}

/// Digests what was read before; what is left of it.
fn resume<T>(
    mut rest: Box<Bytes>,
    digest: impl FnOnce(&mut &[u8]) -> T,
) -> (T, Option<Box<Bytes>>) {
    let mut input: &[u8] = &rest;
    let digested = digest(&mut input);
    let left = input.len();
    rest.advance(rest.len() - left);
    (digested, (left > 0).then_some(rest))
}

/// What was read too far; nothing while there is none, as in idle connections.
fn boxed(rest: Bytes) -> Option<Box<Bytes>> {
    (!rest.is_empty()).then(|| Box::new(rest))
}

/// Whether a URL's query has this pair.
fn asks(query: &str, pair: &str) -> bool {
    query.split('&').any(|candidate| candidate == pair)
}
