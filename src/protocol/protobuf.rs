//! Protobuf: messages behind their length.

use bytes::{Buf, Bytes};
use prost::Message as _;

use super::codec::DecodeError;
use super::command::Command;

/// Takes one command off the frame. The length is held against what is there before anything is
/// made of it; bytes fields are slices of the frame.
pub(super) fn command(frame: &mut Bytes) -> Result<Command, DecodeError> {
    let announced = prost::decode_length_delimiter(&mut *frame)
        .map_err(|_overflow_or_end| DecodeError::Prefix)?;
    if announced > frame.remaining() {
        return Err(DecodeError::Truncated { announced, remaining: frame.remaining() });
    }
    Ok(Command::decode(frame.split_to(announced))?)
}
