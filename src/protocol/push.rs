//! Pushes in two parts, so that an event is encoded once: a body that all subscribers share, and a
//! short head for each of them. Head and body together are one [`Reply`](super::Reply).

use bytes::Bytes;
use prost::encoding::{encode_varint, encoded_len_varint};

#[cfg(test)]
use super::reply::Push;
use super::reply::{Join, Leave, Publication, Refresh, Subscribe, Unsubscribe};
use crate::base::Encoding;

/// What a push tells.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is by far the most frequent: a box would be an allocation per event"
)]
pub(crate) enum PushBody {
    Pub(Publication),
    Join(Join),
    Leave(Leave),
    Unsubscribe(Unsubscribe),
    Subscribe(Subscribe),
    Refresh(Refresh),
}

/// What a push is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushTarget<'a> {
    Channel(&'a str),
    /// The id that the subscribe reply gave in place of the channel, from 1.
    Id(u32),
    /// The session itself: refresh.
    Session,
}

/// Field numbers of `Push`, as keys: number and wire type.
const fn length_delimited(number: u8) -> u8 {
    number << 3 | 2
}

const REPLY_PUSH: u8 = length_delimited(4);
const PUSH_ID: u8 = 1 << 3;
const PUSH_CHANNEL: u8 = length_delimited(2);

/// Encodes what all subscribers share. It is no message by itself: [`push_head`] goes before it.
pub(crate) fn encode_push_body(encoding: Encoding, body: &PushBody) -> Bytes {
    match body {
        PushBody::Pub(event) => encode(encoding, "pub", 4, event),
        PushBody::Join(event) => encode(encoding, "join", 5, event),
        PushBody::Leave(event) => encode(encoding, "leave", 6, event),
        PushBody::Unsubscribe(event) => encode(encoding, "unsubscribe", 7, event),
        PushBody::Subscribe(event) => encode(encoding, "subscribe", 9, event),
        PushBody::Refresh(event) => encode(encoding, "refresh", 12, event),
    }
}

fn encode<E>(encoding: Encoding, name: &str, number: u8, event: &E) -> Bytes
where
    E: prost::Message + serde::Serialize,
{
    let mut out = Vec::new();
    match encoding {
        Encoding::Json => {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            serde_json::to_writer(&mut out, event).expect("wire types are plain data");
            out.extend_from_slice(b"}}");
        }
        Encoding::Protobuf => {
            out.push(length_delimited(number));
            event.encode_length_delimited(&mut out).expect("a vector grows");
        }
    }
    out.into()
}

/// Appends the head of a push to `out`; a body of `body_bytes` from [`encode_push_body`] in the
/// same encoding must follow it.
pub(crate) fn push_head(
    encoding: Encoding,
    target: &PushTarget<'_>,
    body_bytes: usize,
    out: &mut Vec<u8>,
) {
    debug_assert!(*target != PushTarget::Id(0), "ids are given from 1");
    match encoding {
        Encoding::Json => json_head(target, out),
        Encoding::Protobuf => protobuf_head(target, body_bytes, out),
    }
}

fn json_head(target: &PushTarget<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"push\":{");
    match target {
        PushTarget::Channel(channel) => {
            out.extend_from_slice(b"\"channel\":");
            // Once for each delivery, and hardly any name has something to escape.
            if channel
                .bytes()
                .all(|byte| matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\'))
            {
                out.push(b'"');
                out.extend_from_slice(channel.as_bytes());
                out.push(b'"');
            } else {
                serde_json::to_writer(&mut *out, channel).expect("a string is JSON");
            }
            out.push(b',');
        }
        PushTarget::Id(id) => {
            out.extend_from_slice(b"\"id\":");
            serde_json::to_writer(&mut *out, id).expect("a number is JSON");
            out.push(b',');
        }
        PushTarget::Session => {}
    }
}

fn protobuf_head(target: &PushTarget<'_>, body_bytes: usize, out: &mut Vec<u8>) {
    let target_bytes = match target {
        PushTarget::Channel(channel) => 1 + varint_bytes(channel.len()) + channel.len(),
        PushTarget::Id(id) => 1 + encoded_len_varint(u64::from(*id)),
        PushTarget::Session => 0,
    };
    let push_bytes = target_bytes + body_bytes;
    let reply_bytes = 1 + varint_bytes(push_bytes) + push_bytes;
    encode_varint(reply_bytes as u64, out);
    out.push(REPLY_PUSH);
    encode_varint(push_bytes as u64, out);
    match target {
        PushTarget::Channel(channel) => {
            out.push(PUSH_CHANNEL);
            encode_varint(channel.len() as u64, out);
            out.extend_from_slice(channel.as_bytes());
        }
        PushTarget::Id(id) => {
            out.push(PUSH_ID);
            encode_varint(u64::from(*id), out);
        }
        PushTarget::Session => {}
    }
}

fn varint_bytes(value: usize) -> usize {
    encoded_len_varint(value as u64)
}

#[cfg(test)]
impl PushBody {
    /// The same push as one struct.
    pub(crate) fn into_push(self, target: &PushTarget<'_>) -> Push {
        let mut push = Push::default();
        match target {
            PushTarget::Channel(channel) => (*channel).clone_into(&mut push.channel),
            PushTarget::Id(id) => push.id = i64::from(*id),
            PushTarget::Session => {}
        }
        match self {
            Self::Pub(event) => push.r#pub = Some(event),
            Self::Join(event) => push.join = Some(event),
            Self::Leave(event) => push.leave = Some(event),
            Self::Unsubscribe(event) => push.unsubscribe = Some(event),
            Self::Subscribe(event) => push.subscribe = Some(event),
            Self::Refresh(event) => push.refresh = Some(event),
        }
        push
    }
}
