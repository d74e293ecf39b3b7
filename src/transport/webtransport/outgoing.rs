//! The queue of messages of one session. JSON goes out as lines of ASCII: the JavaScript SDK decodes
//! each piece that it reads by itself, so a character that the network cuts would be lost. Small
//! messages are copied into one run of bytes, large bodies stay shared. QUIC keeps what it was given
//! until it is acknowledged; here nothing stays.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;

use crate::transport::Format;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// What goes before `tail`, in order.
    sealed: VecDeque<Bytes>,
    /// Whole messages, to which further ones are added; the last one may be without its body.
    tail: Vec<u8>,
    queued_bytes: usize,
    /// Some of what was queued since it was last empty has been written.
    begun: bool,
}

impl Outgoing {
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued_bytes == 0
    }

    /// Queues the concatenation of `head` and `body` as one message.
    pub(super) fn message(&mut self, format: Format, head: &[u8], body: &Bytes) {
        self.part(format, head);
        if is_shareable(format, body) {
            self.body(body);
        } else {
            self.body(&in_ascii(body));
        }
        if format == Format::Text {
            self.raw(b"\n");
        }
        if self.tail.len() > TAIL_BYTES {
            self.seal();
        }
    }

    /// Queues bytes that are no message.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.part(Format::Binary, bytes);
    }

    /// What is to be written, in order; empty if there is nothing.
    pub(super) fn chunks(&mut self) -> &mut [Bytes] {
        self.seal();
        self.sealed.make_contiguous()
    }

    /// So many bytes of the chunks were written and cut off from them.
    pub(super) fn wrote(&mut self, bytes: usize) {
        assert!(bytes <= self.queued_bytes, "no more is written than was queued");
        self.queued_bytes -= bytes;
        self.begun = true;
        while self.sealed.front().is_some_and(Bytes::is_empty) {
            self.sealed.pop_front();
        }
        if self.queued_bytes == 0 {
            *self = Self::default();
        }
    }

    /// Forgets everything. Whether the stream may now end within a message, so that nothing that
    /// follows could be read.
    pub(super) fn discard(&mut self) -> bool {
        let cut = self.begun;
        *self = Self::default();
        cut
    }

    /// Bytes of memory held besides shared bodies.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.sealed.capacity() * size_of::<Bytes>() + self.tail.capacity()
    }

    fn body(&mut self, body: &Bytes) {
        if body.len() < SHARED_BYTES_MIN {
            return self.raw(body);
        }
        self.seal();
        self.queued_bytes += body.len();
        self.sealed.push_back(body.clone());
    }

    fn part(&mut self, format: Format, bytes: &[u8]) {
        let before = self.tail.len();
        if is_shareable(format, bytes) {
            self.tail.extend_from_slice(bytes);
        } else {
            escape(&mut self.tail, bytes);
        }
        self.queued_bytes += self.tail.len() - before;
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.sealed.push_back(std::mem::take(&mut self.tail).into());
        }
    }
}

thread_local! {
    /// The last body that was not ASCII, and the same in ASCII: most go to many sessions. What is kept
    /// cannot change, and no other lies where it does.
    static ESCAPED: RefCell<(Bytes, Bytes)> = RefCell::default();
}

/// A body in ASCII, shared by those that this thread writes one after the other.
fn in_ascii(body: &Bytes) -> Bytes {
    ESCAPED.with_borrow_mut(|(last, ascii)| {
        if (last.as_ptr(), last.len()) != (body.as_ptr(), body.len()) {
            let mut escaped = Vec::with_capacity(2 * body.len());
            escape(&mut escaped, body);
            (*last, *ascii) = (body.clone(), escaped.into());
        }
        ascii.clone()
    })
}

/// Whether bytes go out as they are.
fn is_shareable(format: Format, bytes: &[u8]) -> bool {
    format == Format::Binary || bytes.is_ascii()
}

/// JSON in ASCII: in valid JSON other characters stand within strings alone, where `\uXXXX` means
/// the same (RFC 8259 section 7).
fn escape(target: &mut Vec<u8>, json: &[u8]) {
    for chunk in json.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
            let (ascii, other) = rest.split_at(at);
            target.extend_from_slice(ascii.as_bytes());
            let mut characters = other.chars();
            let character = characters.next().expect("it begins with one that is not ASCII");
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u32| {
                    let digit = char::from_digit(u32::from(*unit >> shift & 0xF), 16);
                    digit.expect("four bits are a digit") as u8
                };
                target.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            rest = characters.as_str();
        }
        target.extend_from_slice(rest.as_bytes());
        debug_assert!(chunk.invalid().is_empty(), "JSON is UTF-8");
    }
}

/// Bodies from this size on are kept by reference.
const SHARED_BYTES_MIN: usize = 8 << 10;
/// Bytes that small messages fill before another run is begun.
const TAIL_BYTES: usize = 16 << 10;
