//! The bytes of HTTP/3 (RFC 9114) and of capsules (RFC 9297) around a session. Pure. SETTINGS, QPACK
//! and the checks of a request are `wtransport-proto`'s. The records are cut here: that crate knows
//! whole ones only, takes the payload of an unknown frame for frames, and writes no capsule.

use std::borrow::Cow;

use bytes::Bytes;
use wtransport_proto::bytes::{BytesReader, BytesWriter};
use wtransport_proto::error::ErrorCode;
use wtransport_proto::frame::Frame;
use wtransport_proto::headers::Headers;
use wtransport_proto::ids::StatusCode;
use wtransport_proto::session::{HeadersParseError, SessionRequest, SessionResponse};
use wtransport_proto::settings::Settings;
use wtransport_proto::varint::VarInt;

use crate::base::limits::{CAPSULE_REASON_BYTES, H3_RECORD_BYTES};

/// Types of frames.
pub(super) const DATA: u64 = 0x0;
pub(super) const HEADERS: u64 = 0x1;
pub(super) const SETTINGS: u64 = 0x4;
/// What a bidirectional stream of a session begins with, before the session's id.
pub(super) const SESSION_STREAM: u64 = 0x41;
/// What a unidirectional one begins with.
const SESSION_UNI_STREAM: u64 = 0x54;
/// The type of a control stream.
pub(super) const CONTROL: u64 = 0x0;
/// The types of QPACK's streams.
pub(super) const QPACK_ENCODER: u64 = 0x2;
pub(super) const QPACK_DECODER: u64 = 0x3;
/// The capsule `CLOSE_WEBTRANSPORT_SESSION`.
pub(super) const CLOSE: u64 = 0x2843;

/// Cuts bytes, as they come, into records of type, length and payload: the frames of a stream, or
/// the capsules in its DATA frames. Types that nobody wants are skipped, however long.
#[derive(Debug)]
pub(super) struct Records {
    wanted: &'static [u64],
    /// What came of a header, or of a wanted payload.
    partial: Vec<u8>,
    /// Type and payload's length of the record whose payload comes.
    open: Option<(u64, usize)>,
    /// Bytes to come that nobody wants.
    skipped: u64,
}

/// A whole record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: u64,
    pub(super) payload: Vec<u8>,
}

impl Records {
    pub(super) const fn new(wanted: &'static [u64]) -> Self {
        Self { wanted, partial: Vec::new(), open: None, skipped: 0 }
    }

    /// Takes from `input` up to the end of the next wanted record; all of it, if none ends there.
    /// A wanted record of more than [`H3_RECORD_BYTES`] is an error, found before it is read.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Record>, ErrorCode> {
        loop {
            if self.skipped > 0 {
                let here = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(input.len());
                take(input, here);
                self.skipped -= here as u64;
                if self.skipped > 0 {
                    return Ok(None);
                }
            }
            if let Some((kind, length)) = self.open {
                self.partial.extend_from_slice(take(input, length - self.partial.len()));
                if self.partial.len() < length {
                    return Ok(None);
                }
                self.open = None;
                return Ok(Some(Record { kind, payload: std::mem::take(&mut self.partial) }));
            }
            let [byte] = *take(input, 1) else { return Ok(None) };
            self.partial.push(byte);
            let mut header = self.partial.as_slice();
            let (Some(kind), Some(length)) = (header.get_varint(), header.get_varint()) else {
                continue;
            };
            self.partial = Vec::new();
            let (kind, length) = (kind.into_inner(), length.into_inner());
            if !self.wanted.contains(&kind) {
                self.skipped = length;
                continue;
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > H3_RECORD_BYTES {
                return Err(ErrorCode::ExcessiveLoad);
            }
            self.open = Some((kind, length));
        }
    }

    /// How many bytes surely come before the end of the next wanted record.
    pub(super) fn missing(&self) -> usize {
        match self.open {
            _ if self.skipped > 0 => usize::try_from(self.skipped).unwrap_or(usize::MAX),
            Some((_, length)) => length - self.partial.len(),
            None => 1,
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.partial.capacity()
    }
}

/// Cuts up to `count` bytes off.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

/// A control stream of either side: its type and the settings that browsers look for. Chromium and Firefox know
/// WebTransport's draft 2 by `ENABLE_WEBTRANSPORT`, Safari and newer Chromium draft 7 by
/// `WEBTRANSPORT_MAX_SESSIONS`; both want datagrams and extended CONNECT. QPACK has no dynamic table
/// here, so no stream of its own either.
pub(crate) fn control_stream() -> Vec<u8> {
    let settings = Settings::builder()
        .qpack_max_table_capacity(VarInt::from_u32(0))
        .qpack_blocked_streams(VarInt::from_u32(0))
        .enable_connect_protocol()
        .enable_h3_datagrams()
        .enable_webtransport()
        .webtransport_max_sessions(VarInt::from_u32(1))
        .build();
    let mut bytes = Vec::new();
    put(&mut bytes, CONTROL);
    put_frame(&mut bytes, &settings.generate_frame());
    bytes
}

/// What a unidirectional stream of a session begins with.
pub(super) fn stream_head(session: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, SESSION_UNI_STREAM);
    put(&mut bytes, session);
    bytes
}

/// Checks the payload of a SETTINGS frame.
pub(super) fn check_settings(payload: &[u8]) -> Result<(), ErrorCode> {
    Settings::with_frame(&Frame::new_settings(Cow::Borrowed(payload))).map(drop)
}

/// Why the payload of a HEADERS frame is not a request for a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestFault {
    #[error("the headers cannot be decoded: {0}")]
    Headers(ErrorCode),
    #[error(transparent)]
    Request(#[from] HeadersParseError),
}

pub(super) fn read_request(payload: &[u8]) -> Result<SessionRequest, RequestFault> {
    let frame = Frame::new_headers(Cow::Borrowed(payload));
    let headers = Headers::with_frame(&frame).map_err(RequestFault::Headers)?;
    Ok(SessionRequest::try_from(headers)?)
}

/// The HEADERS frame that answers a request.
pub(super) fn response(status: StatusCode) -> Vec<u8> {
    let mut bytes = Vec::new();
    let response = SessionResponse::with_status_code(status);
    put_frame(&mut bytes, &response.headers().generate_frame());
    bytes
}

/// The DATA frame with the capsule that ends a session; the reason is cut at a character's border.
pub(super) fn close_capsule(code: u16, reason: &str) -> Vec<u8> {
    let end = reason.floor_char_boundary(CAPSULE_REASON_BYTES);
    let reason = reason.get(..end).unwrap_or_default();
    let mut capsule = Vec::new();
    put(&mut capsule, CLOSE);
    put(&mut capsule, (size_of::<u32>() + reason.len()) as u64);
    capsule.extend_from_slice(&u32::from(code).to_be_bytes());
    capsule.extend_from_slice(reason.as_bytes());
    let mut bytes = Vec::new();
    put_frame(&mut bytes, &Frame::new_data(Cow::Owned(capsule)));
    bytes
}

/// Code and reason in the payload of a `CLOSE_WEBTRANSPORT_SESSION`.
pub(super) fn read_close(payload: &[u8]) -> Result<(u32, Cow<'_, str>), ErrorCode> {
    let (code, reason) = payload.split_first_chunk().ok_or(ErrorCode::Datagram)?;
    Ok((u32::from_be_bytes(*code), String::from_utf8_lossy(reason)))
}

/// What a datagram holds for the session of this stream (RFC 9297 section 2.1); `None` if it is not
/// the session's.
pub(super) fn datagram(datagram: Bytes, stream: u64) -> Option<Bytes> {
    let mut rest: &[u8] = &datagram;
    let quarter = rest.get_varint()?.into_inner();
    (quarter.checked_mul(4)? == stream).then(|| datagram.slice_ref(rest))
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    let number = VarInt::try_from(number).expect("our own numbers and stream ids fit");
    bytes.put_varint(number).expect("a vector takes every byte");
}

fn put_frame(bytes: &mut Vec<u8>, frame: &Frame<'_>) {
    frame.write(bytes).expect("a vector takes every byte");
}
