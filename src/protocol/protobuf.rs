//! Protobuf: messages behind their length.

use bytes::Bytes;

use super::codec::DecodeError;

/// Takes one message off the frame. The length is held against what is there before anything is
/// made of it; bytes fields are slices of the frame.
pub(super) fn message<M: prost::Message + Default>(frame: &mut Bytes) -> Result<M, DecodeError> {
    let announced =
        prost::decode_length_delimiter(&mut *frame).map_err(|_cause| DecodeError::Prefix)?;
    if announced > frame.len() {
        return Err(DecodeError::Truncated { announced, remaining: frame.len() });
    }
    Ok(M::decode(frame.split_to(announced))?)
}
