//! Messages in the bytes of the session's stream: lines of JSON, or Protobuf behind its length.
//! Pure, and fed as bytes come. Memory grows with what came, never with what was announced, and an
//! idle session holds none.

use bytes::Bytes;
use memchr::memchr;

use crate::transport::Format;

#[derive(Debug)]
pub(super) struct Incoming {
    format: Format,
    message_bytes_max: usize,
    /// What came of a message: of a line without its end, or of a length and what follows it.
    partial: Vec<u8>,
}

/// The client broke a rule of the stream: the reason to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation(pub(super) &'static str);

const TOO_LARGE: Violation = Violation("bad request: message too large");
const NOT_UTF8: Violation = Violation("bad request: not UTF-8");
const NO_LENGTH: Violation = Violation("bad request: a message's length is no number");

impl Incoming {
    pub(super) fn new(format: Format, message_bytes_max: usize) -> Self {
        Self { format, message_bytes_max, partial: Vec::new() }
    }

    /// Takes from `input` up to the end of the next message; all of it, if none ends there. A line
    /// is told without its end, empty lines are not told; a Protobuf message is told with its length.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Bytes>, Violation> {
        match self.format {
            Format::Text => self.next_line(input),
            Format::Binary => self.next_delimited(input),
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.partial.capacity()
    }

    fn next_line(&mut self, input: &mut &[u8]) -> Result<Option<Bytes>, Violation> {
        while !input.is_empty() {
            let end = memchr(b'\n', input);
            let (line, rest) = input.split_at(end.unwrap_or(input.len()));
            if self.partial.len() + line.len() > self.message_bytes_max {
                return Err(TOO_LARGE);
            }
            *input = rest.get(1..).unwrap_or_default();
            if end.is_none() {
                self.partial.extend_from_slice(line);
                break;
            }
            let line = self.complete(line);
            if line.trim_ascii().is_empty() {
                continue;
            }
            if simdutf8::basic::from_utf8(&line).is_err() {
                return Err(NOT_UTF8);
            }
            return Ok(Some(line));
        }
        Ok(None)
    }

    fn next_delimited(&mut self, input: &mut &[u8]) -> Result<Option<Bytes>, Violation> {
        loop {
            // The length by itself first: it may be cut anywhere.
            let missing = match length(&self.partial)? {
                Some((_, body)) if body > self.message_bytes_max => return Err(TOO_LARGE),
                Some((header, body)) => header + body - self.partial.len(),
                None => 1,
            };
            if missing == 0 {
                return Ok(Some(self.complete(&[])));
            }
            let (here, rest) = input.split_at(missing.min(input.len()));
            if here.is_empty() {
                return Ok(None);
            }
            self.partial.extend_from_slice(here);
            *input = rest;
        }
    }

    /// The message that ends with these bytes.
    fn complete(&mut self, end: &[u8]) -> Bytes {
        if self.partial.is_empty() {
            return Bytes::copy_from_slice(end);
        }
        let mut message = std::mem::take(&mut self.partial);
        message.extend_from_slice(end);
        message.into()
    }
}

/// How many bytes the length takes that `bytes` begin with, and what it says; `None` while it is
/// cut off.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let mut length = 0_usize;
    for (at, byte) in bytes.iter().take(LENGTH_BYTES).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 1, length)));
        }
    }
    if bytes.len() < LENGTH_BYTES { Ok(None) } else { Err(NO_LENGTH) }
}

/// Digits of a message's length: 35 bits, far beyond any limit.
const LENGTH_BYTES: usize = 5;
