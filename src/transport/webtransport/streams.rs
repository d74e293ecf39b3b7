//! Streams of their own for some rows of messages: what waits in one of them holds up no other. All
//! together they may hold some bytes beside the session's stream; where that is too much, the fullest
//! of those that have not moved for a while is given up.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use quinn::{Connection, SendStream, WriteError};
use tokio::time::{Sleep, sleep};

use super::outgoing::Outgoing;
use super::{http3, no_code, poll_some};
use crate::base::limits;
use crate::transport::Format;

#[derive(Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    queued_bytes: usize,
    /// Runs while too much waits.
    patience: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Stream {
    row: u32,
    /// `None` for a row that goes with the session's stream, as no other could be had.
    send: Option<SendStream>,
    outgoing: Outgoing,
    /// Nothing follows what is queued.
    ended: bool,
    /// It has taken some of what was queued since too much waits.
    moved: bool,
}

impl Streams {
    /// Whether the row has a stream, which is opened if it is new and the client allows one more.
    pub(super) fn open(&mut self, row: u32, connection: &Connection, session: u64) -> bool {
        if let Some(stream) = self.list.iter().find(|stream| stream.row == row) {
            return stream.send.is_some();
        }
        let taken = self.list.iter().filter(|stream| stream.send.is_some()).count();
        let free = taken < limits::STREAMS;
        let send =
            free.then(|| connection.open_uni().now_or_never()).flatten().and_then(Result::ok);
        let mut outgoing = Outgoing::default();
        if send.is_some() {
            outgoing.raw(&http3::stream_head(session));
            self.queued_bytes += outgoing.queued_bytes();
        }
        let opened = send.is_some();
        self.list.push(Stream { row, send, outgoing, ended: false, moved: true });
        opened
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

    /// Hands to QUIC what the windows take. Ready with a row whose stream had to be given up, since
    /// the client stopped it or too much waits there.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<u32, quinn::ConnectionError>> {
        let mut at = 0;
        while let Some(stream) = self.list.get_mut(at) {
            let before = stream.outgoing.queued_bytes();
            let written = stream.poll_write(cx);
            self.queued_bytes -= before - stream.outgoing.queued_bytes();
            match written {
                Poll::Ready(Ok(())) if stream.ended => self.list.swap_remove(at).finish(),
                Poll::Ready(Ok(())) | Poll::Pending => at += 1,
                Poll::Ready(Err(WriteError::ConnectionLost(fault))) => {
                    return Poll::Ready(Err(fault));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(self.give_up(at))),
            }
        }
        if self.queued_bytes <= limits::STREAMS_BYTES {
            self.patience = None;
            return Poll::Pending;
        }
        loop {
            let patience = self.patience.get_or_insert_with(|| {
                self.list.iter_mut().for_each(|stream| stream.moved = false);
                Box::pin(sleep(STUCK_TIME))
            });
            ready!(patience.as_mut().poll(cx));
            self.patience = None;
            let stuck = self.list.iter().enumerate().filter(|(_, stream)| stream.is_stuck());
            if let Some((at, _)) = stuck.max_by_key(|(_, stream)| stream.outgoing.queued_bytes()) {
                return Poll::Ready(Ok(self.give_up(at)));
            }
        }
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

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Ok(())) };
        while !self.outgoing.is_empty() {
            ready!(poll_some(send, &mut self.outgoing, cx))?;
            self.moved = true;
        }
        Poll::Ready(Ok(()))
    }

    fn is_stuck(&self) -> bool {
        !self.moved && !self.outgoing.is_empty()
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

/// How long a stream that takes nothing may hold up others.
const STUCK_TIME: Duration = Duration::from_millis(250);
