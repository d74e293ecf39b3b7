//! Frames to commands, and replies to bytes, in either encoding.

use bytes::Bytes;
use memchr::memchr;
use prost::Message as _;

use super::command::Command;
use super::reply::Reply;
use super::{JsonFault, json, protobuf};
use crate::base::Encoding;

/// Why a frame is bad; the connection ends with 3501. No text repeats what the client sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("no command in the frame")]
    Empty,
    #[error("{0}")]
    Json(JsonFault),
    /// JSON, but not that of a command. `at` counts bytes from the start of the command.
    #[error("byte {at} of the command: {fault}")]
    Field { at: usize, fault: String },
    #[error("the length of a command is not a number")]
    Prefix,
    #[error("a command of {announced} bytes where {remaining} are left")]
    Truncated { announced: usize, remaining: usize },
    #[error(transparent)]
    Protobuf(#[from] prost::DecodeError),
}

impl DecodeError {
    pub(super) fn of_json(error: &serde_json::Error, text: &str) -> Self {
        let at = json::offset(error, text);
        if !error.is_data() {
            return Self::Json(JsonFault::Syntax { at });
        }
        // "invalid type: string \"secret\", expected u32 at line 1 column 8": the value is the
        // client's, what follows the last "expected" is ours.
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let fault = whole.strip_suffix(&place).unwrap_or(&whole);
        let fault = match fault.rsplit_once(", expected ") {
            Some((_theirs, expected)) => format!("expected {expected}"),
            None if fault.starts_with("duplicate field `") => fault.to_owned(),
            None => "invalid value".to_owned(),
        };
        Self::Field { at, fault }
    }
}

/// Reads a frame's commands one by one, so that those before a bad one are carried out.
pub(crate) fn decode_commands(encoding: Encoding, frame: &Bytes) -> CommandReader {
    CommandReader { encoding, rest: frame.clone(), state: State::Fresh }
}

/// The commands of one frame. Ends after the first error; a frame without a command is one.
///
/// In Protobuf, bytes fields share the frame's memory: whoever keeps one for long copies it, or a
/// hundred bytes hold on to a frame of 64 KiB.
#[derive(Debug)]
pub(crate) struct CommandReader {
    encoding: Encoding,
    rest: Bytes,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Read,
    Done,
}

impl CommandReader {
    fn next_line(&mut self) -> Option<Bytes> {
        while !self.rest.is_empty() {
            let end = memchr(b'\n', &self.rest);
            let line = self.rest.split_to(end.map_or(self.rest.len(), |at| at + 1));
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        None
    }

    fn read(&mut self) -> Option<Result<Command, DecodeError>> {
        match self.encoding {
            Encoding::Json => self.next_line().map(|line| json::command(&line)),
            Encoding::Protobuf if self.rest.is_empty() => None,
            Encoding::Protobuf => Some(protobuf::command(&mut self.rest)),
        }
    }
}

impl Iterator for CommandReader {
    type Item = Result<Command, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let item = self.read().or((self.state == State::Fresh).then_some(Err(DecodeError::Empty)));
        self.state = match item {
            Some(Ok(_)) => State::Read,
            Some(Err(_)) | None => State::Done,
        };
        item
    }
}

impl std::iter::FusedIterator for CommandReader {}

/// One message: JSON without a line break, Protobuf behind its length.
pub(crate) fn encode_reply(encoding: Encoding, reply: &Reply) -> Bytes {
    match encoding {
        Encoding::Json => serde_json::to_vec(reply).expect("wire types are plain data").into(),
        Encoding::Protobuf => reply.encode_length_delimited_to_vec().into(),
    }
}

/// The server's ping, an empty reply.
pub(crate) fn ping(encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => Bytes::from_static(b"{}"),
        Encoding::Protobuf => Bytes::from_static(&[0]),
    }
}
