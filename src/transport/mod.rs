//! Byte transports to clients: they own sockets and framing and know nothing of commands, sessions
//! or channels. One implementation of [`Transport`] is one connection.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;

pub(crate) mod websocket;

/// Whether messages are text (JSON) or binary (Protobuf); fixed for a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Text,
    Binary,
}

/// What a client sent.
#[derive(Debug)]
pub(crate) enum Received {
    /// One whole message, reassembled, unmasked, valid UTF-8 if it is text, within the size limit.
    Message(Format, Bytes),
    /// The peer said goodbye, or the connection broke. Nothing follows.
    Closed,
    /// The peer broke the framing rules. The connection must be closed with this code, which comes
    /// from RFC 6455 (1002, 1003, 1007, 1008, 1009), before anything else is read.
    Violation { code: u16, reason: &'static str },
}

/// The one socket of a connection task. Every method is cancel-safe: a dropped future loses nothing
/// that was read or queued.
pub(crate) trait Transport: Send {
    /// The next message. While it waits it also writes what is queued. Never call it again after
    /// `Closed` or `Violation`.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;

    /// Queues one outgoing message, the concatenation of `head` and `body`, behind those queued
    /// before. `body` is shared with other connections: large ones are kept by reference, small
    /// ones copied. Never blocks; the caller bounds what it queues by [`Transport::queued_bytes`].
    fn queue(&mut self, head: &[u8], body: &Bytes);

    /// Bytes queued and not yet given to the kernel.
    fn queued_bytes(&self) -> usize;

    /// Writes until nothing is queued, several messages to a system call. An error means that the
    /// connection is gone.
    fn flush(&mut self) -> impl Future<Output = std::io::Result<()>> + Send;

    /// Sends what is queued, then the transport's close with code and reason, waits a moment for
    /// the peer's answer, and shuts the socket down. The caller bounds the time. After `Closed` it
    /// only finishes what is still due (an answer to the peer's goodbye); messages queued once it
    /// was called are dropped.
    fn close(&mut self, code: u16, reason: &str) -> impl Future<Output = ()> + Send;

    /// Forgets what is queued, so that a close can go out at once; a message of which the first
    /// bytes are written stays. Without effect once the close itself is queued.
    fn discard_queued(&mut self);

    fn peer(&self) -> SocketAddr;
}
