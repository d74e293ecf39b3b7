//! RFC 6455 frames from a client: bytes in, events out. Pure and incremental: it keeps the state of
//! one frame and the payload that arrived, never reserves memory by an announced length, and holds
//! at most twice the bytes of the message under way (itself bounded). After a [`Violation`] it must
//! not be fed again.

use bytes::Bytes;

use crate::base::limits::{CLOSE_REASON_BYTES, FRAMES_WITHOUT_DATA};
use crate::transport::Format;

/// What a client said, control frames in the order in which they came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A whole message, reassembled and unmasked; valid UTF-8 if it is text.
    Message(Format, Bytes),
    Ping(Box<[u8]>),
    Pong,
    /// The peer's goodbye with its code, if it gave one.
    Close(Option<u16>),
}

/// A broken rule, with the close code that RFC 6455 section 7.4.1 gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: u16,
    pub(super) reason: &'static str,
}

#[derive(Debug)]
pub(super) struct Parser {
    /// Payload of the data message under way, unmasked.
    message: Vec<u8>,
    /// Payload of the control frame under way; apart, because control frames come between fragments.
    control: Box<[u8]>,
    message_bytes_max: u32,
    frame: Frame,
    /// Kind of the message under way, from its first frame to its last.
    format: Option<Format>,
    /// Frames in a row that brought no data, see [`FRAMES_WITHOUT_DATA`].
    barren: u16,
}

/// The frame under way.
#[derive(Debug)]
struct Frame {
    /// While the length is read, that part of it which arrived; then the payload bytes to come.
    left: u64,
    mask: [u8; 4],
    step: Step,
    opcode: Opcode,
    last: bool,
}

/// What the next byte of the input is. Numbers count the bytes of that kind still to come.
#[derive(Clone, Copy, Debug)]
enum Step {
    Opcode,
    Size,
    Length16(u8),
    Length64(u8),
    Mask(u8),
    Payload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Parser {
    /// A message of `message_bytes_max` passes, one byte more is a violation.
    pub(super) fn new(message_bytes_max: usize) -> Parser {
        Parser {
            message: Vec::new(),
            control: Box::default(),
            message_bytes_max: u32::try_from(message_bytes_max).unwrap_or(u32::MAX),
            frame: Frame::START,
            format: None,
            barren: 0,
        }
    }

    /// Takes bytes from the front of `input` until they make an event or are used up.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        loop {
            while !matches!(self.frame.step, Step::Payload) {
                let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
                *input = rest;
                self.header_byte(byte)?;
            }
            self.payload(input);
            if self.frame.left > 0 {
                return Ok(None);
            }
            let frame = std::mem::replace(&mut self.frame, Frame::START);
            if let Some(event) = self.finish(&frame)? {
                return Ok(Some(event));
            }
        }
    }

    /// The connection has nothing more to read for the moment: whoever floods does not pause.
    pub(super) fn ran_dry(&mut self) {
        self.barren = 0;
    }

    /// Bytes of memory held for the message and for the control frame under way.
    #[cfg(test)]
    pub(super) fn capacities(&self) -> (usize, usize) {
        (self.message.capacity(), self.control.len())
    }

    /// Every rule is judged at the first byte that shows it broken.
    fn header_byte(&mut self, byte: u8) -> Result<(), Violation> {
        match self.frame.step {
            Step::Opcode => self.first_byte(byte),
            Step::Size => self.size_byte(byte),
            Step::Length16(to_come) => {
                self.frame.left = (self.frame.left << 8) | u64::from(byte);
                self.frame.step = Step::Length16(to_come - 1);
                if to_come > 1 {
                    return Ok(());
                }
                check(self.frame.left >= 126, PROTOCOL_ERROR, "length not minimally encoded")?;
                self.announced()
            }
            Step::Length64(to_come) => {
                let first = to_come == 8;
                check(!first || byte & 0x80 == 0, PROTOCOL_ERROR, "length over 63 bits")?;
                self.frame.left = (self.frame.left << 8) | u64::from(byte);
                self.frame.step = Step::Length64(to_come - 1);
                if to_come > 1 {
                    return Ok(());
                }
                let minimal = self.frame.left > u64::from(u16::MAX);
                check(minimal, PROTOCOL_ERROR, "length not minimally encoded")?;
                self.announced()
            }
            Step::Mask(to_come) => {
                let [_, b, c, d] = self.frame.mask;
                self.frame.mask = [b, c, d, byte];
                self.frame.step = if to_come > 1 { Step::Mask(to_come - 1) } else { Step::Payload };
                Ok(())
            }
            Step::Payload => unreachable!("payload is not read byte by byte"),
        }
    }

    fn first_byte(&mut self, byte: u8) -> Result<(), Violation> {
        // RSV1 will mark a compressed message once permessage-deflate is negotiated.
        check(byte & 0x70 == 0, PROTOCOL_ERROR, "reserved bit set")?;
        let last = byte & 0x80 != 0;
        let opcode = match byte & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return Err(Violation { code: PROTOCOL_ERROR, reason: "unknown opcode" }),
        };
        let under_way = self.format.is_some();
        match opcode {
            Opcode::Continuation => {
                check(under_way, PROTOCOL_ERROR, "continuation without a message")?;
            }
            Opcode::Text | Opcode::Binary => {
                check(!under_way, PROTOCOL_ERROR, "message inside another")?;
                let text = opcode == Opcode::Text;
                self.format = Some(if text { Format::Text } else { Format::Binary });
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                check(last, PROTOCOL_ERROR, "fragmented control frame")?;
            }
        }
        self.frame = Frame { step: Step::Size, opcode, last, ..Frame::START };
        Ok(())
    }

    fn size_byte(&mut self, byte: u8) -> Result<(), Violation> {
        check(byte & 0x80 != 0, PROTOCOL_ERROR, "frame not masked")?;
        let size = byte & 0x7F;
        let small = size <= 125 || !self.frame.opcode.is_control();
        check(small, PROTOCOL_ERROR, "control frame over 125 bytes")?;
        match size {
            126 => self.frame.step = Step::Length16(2),
            127 => self.frame.step = Step::Length64(8),
            _ => {
                self.frame.left = u64::from(size);
                return self.announced();
            }
        }
        Ok(())
    }

    /// The length is known, nothing of the payload has been taken.
    fn announced(&mut self) -> Result<(), Violation> {
        let control = self.frame.opcode.is_control();
        if !control {
            let length = self.message.len() as u64 + self.frame.left;
            let fits = length <= u64::from(self.message_bytes_max);
            check(fits, MESSAGE_TOO_BIG, "message too big")?;
        }
        if control || (self.frame.left == 0 && !self.frame.last) {
            self.barren += 1;
            let few = self.barren <= FRAMES_WITHOUT_DATA;
            check(few, POLICY_VIOLATION, "too many frames without data")?;
        }
        self.frame.step = Step::Mask(4);
        Ok(())
    }

    fn payload(&mut self, input: &mut &[u8]) {
        let frame = &mut self.frame;
        let take = usize::try_from(frame.left).map_or(input.len(), |left| left.min(input.len()));
        let (chunk, rest) = input.split_at(take);
        *input = rest;
        frame.left -= chunk.len() as u64;
        if frame.opcode.is_control() {
            // It nearly always comes whole, so growing costs nothing.
            let mut control = std::mem::take(&mut self.control).into_vec();
            append_unmasked(&mut control, chunk, frame.mask);
            self.control = control.into_boxed_slice();
        } else {
            append_unmasked(&mut self.message, chunk, frame.mask);
        }
        frame.mask.rotate_left(chunk.len() % 4);
    }

    /// The frame is whole.
    fn finish(&mut self, frame: &Frame) -> Result<Option<Event>, Violation> {
        match frame.opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                if !frame.last {
                    return Ok(None);
                }
                let format = self.format.take().expect("set by the first frame of the message");
                let message = std::mem::take(&mut self.message);
                self.barren = 0;
                if format == Format::Text {
                    let valid = simdutf8::basic::from_utf8(&message).is_ok();
                    check(valid, INVALID_PAYLOAD, "text is not valid UTF-8")?;
                }
                Ok(Some(Event::Message(format, message.into())))
            }
            Opcode::Ping => Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Box::default();
                Ok(Some(Event::Pong))
            }
            Opcode::Close => close(&std::mem::take(&mut self.control)).map(Some),
        }
    }
}

impl Frame {
    const START: Frame = Frame {
        left: 0,
        mask: [0; 4],
        step: Step::Opcode,
        opcode: Opcode::Continuation,
        last: true,
    };
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// Reads the body of a close frame: nothing, or a code and a reason (RFC 6455 section 5.5.1).
fn close(body: &[u8]) -> Result<Event, Violation> {
    if body.is_empty() {
        return Ok(Event::Close(None));
    }
    let Some((&code, reason)) = body.split_first_chunk::<2>() else {
        return Err(Violation { code: PROTOCOL_ERROR, reason: "close code cut short" });
    };
    let code = u16::from_be_bytes(code);
    check(may_be_sent(code), PROTOCOL_ERROR, "invalid close code")?;
    let valid = simdutf8::basic::from_utf8(reason).is_ok();
    check(valid, INVALID_PAYLOAD, "close reason is not valid UTF-8")?;
    Ok(Event::Close(Some(code)))
}

/// Whether a close frame may carry the code: defined by RFC 6455 section 7.4.1 or registered since
/// (1012 to 1014), not one of those that only stand for the lack of a frame (1005, 1006, 1015), or
/// in the ranges of libraries and applications.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Eight bytes at a time, which the compiler widens to vectors.
fn append_unmasked(target: &mut Vec<u8>, chunk: &[u8], mask: [u8; 4]) {
    let begun = target.len();
    target.extend_from_slice(chunk);
    let payload = target.get_mut(begun..).unwrap_or_default();
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

fn check(holds: bool, code: u16, reason: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { code, reason }) }
}

const PROTOCOL_ERROR: u16 = 1002;
const INVALID_PAYLOAD: u16 = 1007;
const POLICY_VIOLATION: u16 = 1008;
const MESSAGE_TOO_BIG: u16 = 1009;

const _: () = assert!(CLOSE_REASON_BYTES + 2 == 125);
