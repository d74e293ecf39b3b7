//! What is written is read back, in both encodings, whole and in parts.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Sample as _, text};
use crate::base::Encoding;
use crate::protocol::codec::WireMessage;
use crate::protocol::{
    Command, DecodeError, Join, Leave, Publication, Push, PushBody, PushTarget, Refresh, Reply,
    Subscribe, Unsubscribe, decode_commands, decode_replies, encode, encode_push_body, json,
    push_head,
};

/// Reply, push, publication, client info.
const LEVELS: u32 = 4;

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Json), Just(Encoding::Protobuf)]
}

fn push_body() -> impl Strategy<Value = PushBody> {
    prop_oneof![
        3 => Publication::sample(LEVELS).prop_map(PushBody::Pub),
        1 => Join::sample(LEVELS).prop_map(PushBody::Join),
        1 => Leave::sample(LEVELS).prop_map(PushBody::Leave),
        1 => Unsubscribe::sample(LEVELS).prop_map(PushBody::Unsubscribe),
        1 => Subscribe::sample(LEVELS).prop_map(PushBody::Subscribe),
        1 => Refresh::sample(LEVELS).prop_map(PushBody::Refresh),
    ]
}

#[derive(Clone, Debug)]
enum Target {
    Channel(String),
    Id(u32),
    Session,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        text().prop_filter_map("a channel has a name", |name| {
            (!name.is_empty()).then_some(Target::Channel(name))
        }),
        // Longer than a length of one byte.
        (127..=255_usize).prop_map(|length| Target::Channel("x".repeat(length))),
        (1..=u32::MAX).prop_map(Target::Id),
        Just(Target::Session),
    ]
}

fn frame<M: WireMessage>(encoding: Encoding, messages: &[M]) -> Bytes {
    let encoded: Vec<Bytes> = messages.iter().map(|message| encode(encoding, message)).collect();
    match encoding {
        Encoding::Json => encoded.join(&b'\n').into(),
        Encoding::Protobuf => encoded.concat().into(),
    }
}

proptest! {
    #[test]
    fn commands_of_a_frame_are_read_in_order(
        encoding in encoding(),
        commands in vec(Command::sample(LEVELS), 1..4),
    ) {
        let frame = frame(encoding, &commands);
        let read: Result<Vec<_>, _> = decode_commands(encoding, &frame).collect();
        prop_assert_eq!(read, Ok(commands));
    }

    #[test]
    fn replies_of_a_frame_are_read_in_order(
        encoding in encoding(),
        replies in vec(Reply::sample(LEVELS), 1..4),
    ) {
        let frame = frame(encoding, &replies);
        let read: Result<Vec<_>, _> = decode_replies(encoding, &frame).collect();
        prop_assert_eq!(read, Ok(replies));
    }

    #[test]
    fn json_is_one_line_without_zeros(reply in Reply::sample(LEVELS)) {
        let json = encode(Encoding::Json, &reply);
        prop_assert!(!json.contains(&b'\n') && !json.contains(&b'\r'));
        // A zero field of ours would have to be spelled with its name; data may hold such words,
        // so messages without data are looked at.
        let bare = Reply { id: reply.id, error: reply.error, ..Reply::default() };
        let json: serde_json::Value =
            serde_json::from_slice(&encode(Encoding::Json, &bare)).unwrap();
        let error = json.get("error").and_then(|error| error.as_object()).into_iter().flatten();
        for (_, value) in json.as_object().unwrap().iter().chain(error) {
            prop_assert!(
                !matches!(value, serde_json::Value::Null | serde_json::Value::Bool(false))
            );
            prop_assert_ne!(value, 0);
            prop_assert_ne!(value, "");
        }
    }

    #[test]
    fn head_and_body_are_one_reply(
        encoding in encoding(),
        body in push_body(),
        target in target(),
        mut before in vec(any::<u8>(), 0..4),
    ) {
        let target = match &target {
            Target::Channel(name) => PushTarget::Channel(name),
            Target::Id(id) => PushTarget::Id(*id),
            Target::Session => PushTarget::Session,
        };
        let shared = encode_push_body(encoding, &body);
        let start = before.len();
        push_head(encoding, &target, shared.len(), &mut before);
        before.extend_from_slice(&shared);
        let joined = Bytes::from(before).slice(start..);

        let whole = Reply { push: Some(body.into_push(&target)), ..Reply::default() };
        prop_assert_eq!(&joined, &encode(encoding, &whole));
        let read: Result<Vec<_>, _> = decode_replies(encoding, &joined).collect();
        prop_assert_eq!(read, Ok(vec![whole]));
    }

    #[test]
    fn a_cut_frame_gives_the_commands_before_the_cut(
        encoding in encoding(),
        commands in vec(Command::sample(2), 1..3),
    ) {
        let whole = frame(encoding, &commands);
        let mut borders = vec![];
        let mut length = 0;
        for command in &commands {
            length += encode(encoding, command).len();
            borders.push(length);
            length += usize::from(encoding == Encoding::Json);
        }
        for cut in 0..whole.len() {
            let read: Vec<_> = decode_commands(encoding, &whole.slice(..cut)).collect();
            let complete = borders.iter().filter(|&&border| border <= cut).count();
            let at_border = borders.contains(&cut)
                || (encoding == Encoding::Json && borders.contains(&(cut.wrapping_sub(1))));
            prop_assert_eq!(read.len(), complete + usize::from(!at_border), "cut at {}", cut);
            for (index, item) in read.iter().enumerate() {
                prop_assert_eq!(item.as_ref().ok(), commands.get(index).filter(|_| index < complete));
            }
            prop_assert_eq!(cut == 0, read == [Err(DecodeError::Empty)]);
        }
    }

    #[test]
    fn a_push_is_read_bare(push in Push::sample(3)) {
        let json = encode(Encoding::Json, &push);
        prop_assert_eq!(json::message::<Push>(&json), Ok(push));
    }
}
