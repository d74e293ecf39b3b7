//! The queue of server frames of one connection. Small messages are copied into one run of bytes,
//! large bodies stay shared; several go out with one system call. Memory is given back as soon as
//! it is written: an idle connection holds none. A frame, once begun, is always finished.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use crate::base::limits::CLOSE_REASON_BYTES;
use crate::transport::Format;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// What goes before `tail`, in order.
    sealed: VecDeque<Segment>,
    /// Whole frames, to which further ones are added.
    tail: Vec<u8>,
    /// Bytes of the first segment (the tail, if none is sealed) that the kernel has taken.
    written: usize,
    queued_bytes: usize,
    /// Bytes to be written until the last queued pong is out; 0 if none is queued.
    pong_distance: usize,
    /// The latest ping's payload, waiting for the queued pongs to go out.
    pong: Option<Box<[u8]>>,
    /// The stream under us (TLS) may hold bytes that were written to it.
    unflushed: bool,
}

#[derive(Debug)]
enum Segment {
    /// Whole frames, the last one perhaps without its body.
    Frames(Vec<u8>),
    /// The body of the last frame of the segment before.
    Body(Bytes),
}

impl Outgoing {
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Whether there is nothing to write and nothing to flush.
    pub(super) fn is_idle(&self) -> bool {
        self.queued_bytes == 0 && !self.unflushed
    }

    /// Queues the concatenation of `head` and `body` as one message.
    pub(super) fn message(&mut self, format: Format, head: &[u8], body: &Bytes) {
        let opcode = match format {
            Format::Text => TEXT,
            Format::Binary => BINARY,
        };
        let copied = if body.len() < SHARED_BYTES_MIN { body.as_ref() } else { &[] };
        self.append(opcode, head.len() + body.len(), [head, copied]);
        if copied.len() < body.len() {
            self.seal();
            self.sealed.push_back(Segment::Body(body.clone()));
        }
    }

    pub(super) fn ping(&mut self) {
        self.append(PING, 0, [&[], &[]]);
    }

    /// Queues the answer to a ping. In a longer queue only one pong waits, and only the latest ping
    /// is answered after it (RFC 6455 section 5.5.3 allows that), so pings cannot make it grow.
    pub(super) fn pong(&mut self, payload: Box<[u8]>) {
        if self.pong_distance == 0 || self.queued_bytes < EVERY_PING_BYTES {
            self.append(PONG, payload.len(), [&payload, &[]]);
            self.pong_distance = self.queued_bytes;
            self.pong = None;
        } else {
            self.pong = Some(payload);
        }
    }

    /// Queues a close frame; the reason is cut at a character's border to what a frame can carry.
    pub(super) fn close(&mut self, code: Option<u16>, reason: &str) {
        let end = reason.floor_char_boundary(CLOSE_REASON_BYTES);
        let reason = reason.get(..end).unwrap_or_default().as_bytes();
        match code {
            Some(code) => self.append(CLOSE, 2 + reason.len(), [&code.to_be_bytes(), reason]),
            None => self.append(CLOSE, 0, [&[], &[]]),
        }
    }

    /// Forgets every frame of which no byte has been written.
    pub(super) fn discard(&mut self) {
        let end = match self.sealed.front() {
            // Its header is written, so the frame is begun even where the body is not.
            Some(Segment::Body(body)) => body.len(),
            Some(Segment::Frames(frames)) => begun_frame_end(frames, self.written),
            None => begun_frame_end(&self.tail, self.written),
        };
        let mut kept = end;
        self.sealed.retain_mut(|segment| {
            segment.truncate(kept);
            kept -= segment.bytes().len();
            !segment.bytes().is_empty()
        });
        self.tail.truncate(kept);
        self.queued_bytes = end - self.written;
        self.pong_distance = self.pong_distance.min(self.queued_bytes);
        self.pong = None;
        self.advance(0);
    }

    /// Writes until nothing is queued and the stream is flushed. What was written is remembered
    /// here and not in the caller, who may stop polling at any time.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.queued_bytes > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.gather(&mut slices);
            let slices = slices.get(..count).expect("no more were gathered than there are");
            let io = Pin::new(&mut *io);
            let written = ready!(match slices {
                // Most often; the kernel takes a plain buffer with less ado.
                [one] => io.poll_write(cx, one),
                several => io.poll_write_vectored(cx, several),
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Bytes of memory held besides shared bodies.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        let frames = self.sealed.iter().map(|segment| match segment {
            Segment::Frames(frames) => frames.capacity(),
            Segment::Body(_) => 0,
        });
        let segments = self.sealed.capacity() * size_of::<Segment>();
        let pong = self.pong.as_ref().map_or(0, |pong| pong.len());
        segments + frames.sum::<usize>() + self.tail.capacity() + pong
    }

    /// Adds a frame to the tail: its header for `length` bytes, and those that are copied. A tail that
    /// grew to its bound is sealed first, because bytes written from its front are given back only
    /// with the whole of it.
    fn append(&mut self, opcode: u8, length: usize, copied: [&[u8]; 2]) {
        let [head, body] = copied;
        let bytes = HEADER_BYTES_MAX + head.len() + body.len();
        if self.tail.len() + bytes > TAIL_BYTES {
            self.seal();
        }
        let begun = self.tail.len();
        self.tail.reserve(bytes);
        self.tail.push(LAST | opcode);
        if let Ok(small @ ..=125) = u8::try_from(length) {
            self.tail.push(small);
        } else if let Ok(medium) = u16::try_from(length) {
            self.tail.push(126);
            self.tail.extend_from_slice(&medium.to_be_bytes());
        } else {
            self.tail.push(127);
            self.tail.extend_from_slice(&(length as u64).to_be_bytes());
        }
        self.queued_bytes += self.tail.len() - begun + length;
        self.tail.extend_from_slice(head);
        self.tail.extend_from_slice(body);
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.sealed.push_back(Segment::Frames(std::mem::take(&mut self.tail)));
        }
    }

    fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let segments = self.sealed.iter().map(Segment::bytes);
        let segments = segments.chain([self.tail.as_slice()]);
        let mut skip = self.written;
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(segments) {
            *slice =
                IoSlice::new(bytes.get(skip..).expect("written bytes lie in the first segment"));
            skip = 0;
            count += 1;
        }
        count
    }

    fn advance(&mut self, bytes: usize) {
        assert!(bytes <= self.queued_bytes, "no more is written than was queued");
        self.queued_bytes -= bytes;
        self.written += bytes;
        while let Some(first) = self.sealed.front() {
            let length = first.bytes().len();
            if self.written < length {
                break;
            }
            self.written -= length;
            self.sealed.pop_front();
        }
        if self.queued_bytes == 0 {
            self.sealed = VecDeque::new();
            self.tail = Vec::new();
            self.written = 0;
        }
        self.pong_distance = self.pong_distance.saturating_sub(bytes);
        if self.pong_distance == 0
            && let Some(payload) = self.pong.take()
        {
            self.pong(payload);
        }
    }
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Frames(frames) => frames,
            Segment::Body(body) => body,
        }
    }

    fn truncate(&mut self, bytes: usize) {
        match self {
            Segment::Frames(frames) => frames.truncate(bytes),
            Segment::Body(body) => body.truncate(bytes),
        }
    }
}

/// Where the frame ends in which byte `at` lies; `at` itself if a frame ends there. It may be
/// beyond `frames`, if the body is shared. Our own headers tell: `frames` begins with one.
fn begun_frame_end(frames: &[u8], at: usize) -> usize {
    let mut end = 0;
    while end < at {
        let frame = frames.get(end..).unwrap_or_default();
        end += match *frame {
            [_, 126, a, b, ..] => 4 + usize::from(u16::from_be_bytes([a, b])),
            [_, 127, a, b, c, d, e, f, g, h, ..] => {
                let length = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                10 + usize::try_from(length).expect("made from a usize")
            }
            [_, length, ..] => 2 + usize::from(length),
            _ => unreachable!("a frame's header lies whole in one segment"),
        };
    }
    end
}

const LAST: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A header without a mask.
const HEADER_BYTES_MAX: usize = 10;
/// Bodies from this size on are kept by reference: below it a copy costs less than the bookkeeping
/// and a slice more in the system call.
const SHARED_BYTES_MIN: usize = 8 << 10;
/// Bytes that small messages fill before another segment is begun.
const TAIL_BYTES: usize = 16 << 10;
/// While less waits, every ping is answered.
const EVERY_PING_BYTES: usize = 4 << 10;
/// Segments handed over in one system call.
const SLICES: usize = 64;
