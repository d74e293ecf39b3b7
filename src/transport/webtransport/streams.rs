//! Streams of their own for some rows of messages: what waits in one of them holds up no other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use quinn::{Connection, ConnectionError, SendStream, StoppedError, VarInt, WriteError};

use super::outgoing::Outgoing;
use super::{http3, no_code, poll_some};
use crate::base::limits;
use crate::transport::Format;

#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    queued_bytes: usize,
}

#[derive(Debug)]
struct Stream {
    row: u32,
    /// `None` for a row that goes with the session's stream, as no other could be had.
    send: Option<SendStream>,
    stopped: Option<Stopped>,
    outgoing: Outgoing,
    /// Nothing follows what is queued.
    ended: bool,
}

/// Ready when the client stops a stream, or has all of it.
struct Stopped(Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send>>);

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped").finish_non_exhaustive()
    }
}

impl Streams {
    /// Whether the row has a stream, which is opened if it is new and the client allows one more.
    pub(super) fn open(&mut self, row: u32, connection: &Connection, session: u64) -> bool {
        if let Some(stream) = self.list.iter().find(|stream| stream.row == row) {
            return stream.send.is_some();
        }
        if self.count() >= limits::STREAMS
            && let Some(ended) = self.list.iter().position(|stream| stream.ended)
        {
            // Its subscription is over, and its client takes its time.
            self.give_up(ended);
        }
        let has_room = self.count() < limits::STREAMS;
        let opened = has_room.then(|| connection.open_uni().now_or_never()).flatten();
        let mut stream = Stream::of(row);
        if let Some(Ok(send)) = opened {
            stream.outgoing.raw(&http3::stream_head(session));
            stream.stopped = Some(Stopped(Box::pin(send.stopped())));
            stream.send = Some(send);
        }
        self.queued_bytes += stream.outgoing.queued_bytes();
        let is_open = stream.send.is_some();
        self.list.push(stream);
        is_open
    }

    fn count(&self) -> usize {
        self.list.iter().filter(|stream| stream.send.is_some()).count()
    }

    /// Queues a message on the stream of a row that has one.
    pub(super) fn message(&mut self, row: u32, format: Format, head: &[u8], body: &Bytes) {
        let stream = self.list.iter_mut().find(|stream| stream.row == row).expect("it is open");
        let before = stream.outgoing.queued_bytes();
        stream.outgoing.message(format, head, body);
        self.queued_bytes += stream.outgoing.queued_bytes() - before;
    }

    /// Nothing follows in the row: its stream ends behind what is queued.
    pub(super) fn end(&mut self, row: u32) {
        let Some(at) = self.list.iter().position(|stream| stream.row == row) else { return };
        let stream = self.list.get_mut(at).expect("found just above");
        stream.ended = true;
        if stream.outgoing.is_empty() {
            self.list.swap_remove(at).finish();
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Bytes that wait in the row's stream; `None` if it has none.
    pub(super) fn bytes_of(&self, row: u32) -> Option<usize> {
        let stream = self.list.iter().find(|stream| stream.row == row && stream.send.is_some());
        stream.map(|stream| stream.outgoing.queued_bytes())
    }

    /// Gives the fullest up where they hold more than so many bytes together: its row.
    pub(super) fn cut(&mut self, bytes_max: usize) -> Option<u32> {
        if self.queued_bytes <= bytes_max {
            return None;
        }
        let all = self.list.iter().enumerate();
        let (fullest, _) = all.max_by_key(|(_, stream)| stream.outgoing.queued_bytes())?;
        Some(self.give_up(fullest))
    }

    /// A row whose stream the client has stopped, which it may do while nothing is to be written.
    pub(super) fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<u32> {
        let stopped = self.list.iter_mut().position(|stream| stream.poll_stopped(cx).is_ready());
        stopped.map_or(Poll::Pending, |at| Poll::Ready(self.give_up(at)))
    }

    /// Hands to QUIC what the windows take. Ready when one of them has nothing left.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let (mut at, mut is_one_whole) = (0, false);
        while let Some(stream) = self.list.get_mut(at) {
            let before = stream.outgoing.queued_bytes();
            let written = stream.poll_write(cx)?;
            self.queued_bytes -= before - stream.outgoing.queued_bytes();
            is_one_whole |= before > 0 && written.is_ready();
            if stream.ended && written.is_ready() {
                self.list.swap_remove(at).finish();
            } else {
                at += 1;
            }
        }
        if is_one_whole { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Gives up whatever still waits.
    pub(super) fn discard(&mut self) {
        for stream in &mut self.list {
            if !stream.outgoing.is_empty() {
                stream.reset();
            }
        }
        *self = Self::default();
    }

    fn give_up(&mut self, at: usize) -> u32 {
        let mut stream = self.list.swap_remove(at);
        self.queued_bytes -= stream.outgoing.queued_bytes();
        stream.reset();
        stream.row
    }
}

impl Stream {
    /// A row without a stream.
    fn of(row: u32) -> Self {
        Self { row, send: None, stopped: None, outgoing: Outgoing::default(), ended: false }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Ok(())) };
        while !self.outgoing.is_empty() {
            match ready!(poll_some(send, &mut self.outgoing, cx)) {
                Ok(()) => {}
                Err(WriteError::ConnectionLost(fault)) => return Poll::Ready(Err(fault)),
                // The client has stopped it, as [`Streams::poll_stopped`] tells.
                Err(_) => drop(self.outgoing.discard()),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Stopped(stopped)) = &mut self.stopped else { return Poll::Pending };
        let is_stopped = matches!(ready!(stopped.as_mut().poll(cx)), Ok(Some(_)));
        self.stopped = None;
        if is_stopped { Poll::Ready(()) } else { Poll::Pending }
    }

    fn reset(&mut self) {
        if let Some(send) = &mut self.send {
            // It may have been stopped or lost meanwhile.
            drop(send.reset(no_code()));
        }
    }

    fn finish(mut self) {
        if let Some(send) = &mut self.send {
            drop(send.finish());
        }
    }
}
