//! Frames to messages, and messages to bytes, in either encoding.

use std::marker::PhantomData;

use bytes::Bytes;
use memchr::memchr;

use super::command::Command;
use super::field::Object;
use super::reply::Reply;
use super::{JsonFault, json, protobuf};
use crate::base::Encoding;

/// A message that stands by itself on the wire.
pub(crate) trait WireMessage: Object + prost::Message {}

impl<M: Object + prost::Message> WireMessage for M {}

/// Why bytes are not the messages they should be; a client that sent them is disconnected with
/// 3501. No text repeats what was sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("no command in the frame")]
    Empty,
    #[error(transparent)]
    Text(#[from] JsonFault),
    /// Not JSON, or not that of the message. `fault` begins with the path of fields; `at` is near
    /// the fault, in bytes from the start of the message.
    #[error("{fault}, at byte {at}")]
    Json { at: usize, fault: String },
    #[error("a message's length is cut off or no number")]
    Prefix,
    #[error("a message of {announced} bytes where {remaining} are left")]
    Truncated { announced: usize, remaining: usize },
    #[error(transparent)]
    Protobuf(#[from] prost::DecodeError),
}

impl DecodeError {
    pub(super) fn of_json(error: &serde_json::Error, text: &str) -> Self {
        let at = json::offset(error, text);
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let fault = whole.strip_suffix(&place).unwrap_or(&whole);
        // "offset: invalid type: string \"secret\", expected u64": the value is the client's; what
        // leads to it and what follows the last "expected" is ours.
        let value = [": invalid type: ", ": invalid value: ", "invalid type: ", "invalid value: "];
        let ours = value.iter().find_map(|start| fault.split_once(start));
        let fault = match ours {
            None => fault.to_owned(),
            Some((path, rest)) => {
                let (_theirs, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
                let colon = if path.is_empty() { "" } else { ": " };
                format!("{path}{colon}expected {expected}")
            }
        };
        Self::Json { at, fault }
    }
}

/// Reads a frame's commands one by one, so that those before a bad one are carried out.
pub(crate) fn decode_commands(encoding: Encoding, frame: &Bytes) -> CommandReader {
    FrameReader { encoding, rest: frame.clone(), state: State::Fresh, message: PhantomData }
}

/// Reads a frame's replies, as a client does.
pub(crate) fn decode_replies(encoding: Encoding, frame: &Bytes) -> FrameReader<Reply> {
    FrameReader { encoding, rest: frame.clone(), state: State::Fresh, message: PhantomData }
}

pub(crate) type CommandReader = FrameReader<Command>;

/// The messages of one frame. Ends after the first error; a frame without a message is one.
///
/// In Protobuf, bytes fields share the frame's memory: whoever keeps one for long copies it, or a
/// hundred bytes hold on to a frame of 64 KiB.
#[derive(Debug)]
pub(crate) struct FrameReader<M> {
    encoding: Encoding,
    rest: Bytes,
    state: State,
    message: PhantomData<fn() -> M>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Read,
    Done,
}

impl<M: WireMessage> FrameReader<M> {
    fn read(&mut self) -> Option<Result<M, DecodeError>> {
        match self.encoding {
            Encoding::Json => self.next_line().map(|line| json::message(&line)),
            Encoding::Protobuf if self.rest.is_empty() => None,
            Encoding::Protobuf => Some(protobuf::message(&mut self.rest)),
        }
    }

    fn next_line(&mut self) -> Option<Bytes> {
        while !self.rest.is_empty() {
            let end = memchr(b'\n', &self.rest).map_or(self.rest.len(), |at| at + 1);
            let line = self.rest.split_to(end);
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        None
    }
}

impl<M: WireMessage> Iterator for FrameReader<M> {
    type Item = Result<M, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.state {
            State::Fresh => Some(self.read().unwrap_or(Err(DecodeError::Empty))),
            State::Read => self.read(),
            State::Done => None,
        };
        let more = matches!(item, Some(Ok(_)));
        self.state = if more { State::Read } else { State::Done };
        item
    }
}

impl<M: WireMessage> std::iter::FusedIterator for FrameReader<M> {}

/// One message as a frame or a part of one: JSON without a line break (those of a frame are joined
/// by `\n`), Protobuf behind its length (those of a frame follow one another).
pub(crate) fn encode<M: WireMessage>(encoding: Encoding, message: &M) -> Bytes {
    match encoding {
        Encoding::Json => serde_json::to_vec(message).expect("wire types are plain data").into(),
        Encoding::Protobuf => message.encode_length_delimited_to_vec().into(),
    }
}

/// [`encode`] of a reply.
pub(crate) fn encode_reply(encoding: Encoding, reply: &Reply) -> Bytes {
    encode(encoding, reply)
}

/// The server's ping and the client's pong: an empty message.
pub(crate) fn ping(encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => Bytes::from_static(b"{}"),
        Encoding::Protobuf => Bytes::from_static(&[0]),
    }
}
