//! Reads a server's frames just far enough to count them: where they end, and the sequence numbers
//! inside. Protobuf carries the published JSON as it is, so one scan does for both
//! encodings.

use memchr::memmem::Finder;

use crate::base::Encoding;

/// What a frame from the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// Messages, perhaps several in one frame.
    Messages(&'a [u8]),
    /// The protocol's ping, to be answered by [`pong`].
    Ping,
    /// Code and reason.
    Closed(u16, &'a [u8]),
    /// A frame that matters to nobody here.
    Nothing,
}

/// Takes the first whole WebSocket frame off `bytes`; `None` where it is not there yet. Servers do not mask.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Option<Heard<'a>> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second & 0x7F {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (u64::from(length), rest),
    };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(match first & 0xF {
        0x0..=0x2 if payload == b"{}" || payload == [0] => Heard::Ping,
        0x0..=0x2 => Heard::Messages(payload),
        0x8 => match payload.split_first_chunk() {
            Some((code, reason)) => Heard::Closed(u16::from_be_bytes(*code), reason),
            None => Heard::Closed(1005, b""),
        },
        _ => Heard::Nothing,
    })
}

/// Takes the first whole message off the `bytes` of a WebTransport stream.
pub(super) fn next_on_stream<'a>(encoding: Encoding, bytes: &mut &'a [u8]) -> Option<Heard<'a>> {
    let end = match encoding {
        Encoding::Json => memchr::memchr(b'\n', bytes)? + 1,
        Encoding::Protobuf => {
            let (mut length, mut digits) = (0, 0);
            loop {
                let byte = *bytes.get(digits)?;
                length |= usize::from(byte & 0x7F).checked_shl(7 * u32::try_from(digits).ok()?)?;
                digits += 1;
                if byte & 0x80 == 0 {
                    break digits.checked_add(length)?;
                }
            }
        }
    };
    let (message, rest) = bytes.split_at_checked(end)?;
    *bytes = rest;
    Some(match message.trim_ascii_end() {
        b"{}" | [0] => Heard::Ping,
        b"" => Heard::Nothing,
        _ => Heard::Messages(message),
    })
}

/// Finds the numbers of publications in messages.
#[derive(Clone, Debug)]
pub(super) struct Sequences(Finder<'static>);

impl Sequences {
    pub(super) fn new() -> Self {
        Self(Finder::new(MARK))
    }

    /// The first number in `messages`, which go on behind it.
    pub(super) fn take(&self, messages: &mut &[u8]) -> Option<u64> {
        let at = self.0.find(messages)?;
        let (_before, found) = messages.split_at_checked(at + MARK.len())?;
        let digits = found.iter().take_while(|byte| byte.is_ascii_digit());
        *messages = found;
        Some(digits.fold(0_u64, |number, digit| {
            number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        }))
    }
}

/// Published data of about `bytes` bytes that carries a sequence number.
pub(super) fn data(sequence: u64, bytes: usize) -> String {
    let mark = std::str::from_utf8(MARK).expect("written in this file");
    let bare = format!(r#"{{{mark}{sequence},"pad":""}}"#);
    let padding = "x".repeat(bytes.saturating_sub(bare.len()));
    format!(r#"{{{mark}{sequence},"pad":"{padding}"}}"#)
}

/// The opcode of a text frame.
pub(super) const TEXT: u8 = 1;
/// The opcode of a binary frame.
pub(super) const BINARY: u8 = 2;

/// A whole frame as clients send it: masked, here with a mask of zeros, which leaves the payload as
/// it is.
pub(super) fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, 0x80, &[0; 4], payload)
}

/// A whole frame as servers send it.
pub(super) fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(opcode, 0, &[], payload)
}

fn frame(opcode: u8, masked: u8, mask: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    bytes.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..=125), _) => bytes.push(masked | short),
        (_, Ok(length)) => {
            bytes.push(masked | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(mask);
    bytes.extend_from_slice(payload);
    bytes
}

const MARK: &[u8] = br#""seq":"#;

#[cfg(test)]
mod tests;
