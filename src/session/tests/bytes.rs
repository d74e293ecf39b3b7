//! Whatever bytes a client sends, the session answers or ends and never panics.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{Client, context};
use crate::base::Encoding;
use crate::protocol::{decode_commands, encode};

fn feed(encoding: Encoding, connected: bool, frames: Vec<Vec<u8>>) -> Client {
    let context = context(|_| ());
    let mut client = if connected {
        Client::connected(context, encoding)
    } else {
        Client::new(context, encoding)
    };
    for frame in frames {
        if client.closed.is_some() || !client.session.accepts_frames() {
            break;
        }
        client.frame(&Bytes::from(frame));
        client.settle();
    }
    client
}

/// A command of any method, with any of the fields that requests have, mostly of their type.
fn command() -> impl Strategy<Value = Value> {
    let methods = [
        "connect",
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
        "ping",
        "send",
        "rpc",
        "refresh",
        "sub_refresh",
        "unknown",
    ];
    let id = prop_oneof![1 => Just(0), 9 => any::<u32>()];
    (id, prop::sample::select(methods.to_vec()), vec(field(), 0..6))
        .prop_map(|(id, method, fields)| json!({"id": id, method: Value::from_iter(fields)}))
}

fn field() -> impl Strategy<Value = (String, Value)> {
    let text = prop_oneof![
        "(open|forced|crowd|cache|users|\\$open|nowhere):[a-c#,u]{0,3}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let texts = prop::sample::select(&["channel", "token", "epoch", "method", "key", "delta"][..]);
    let number = prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(-1),
        any::<i64>(),
        any::<i32>().prop_map(i64::from),
    ];
    let numbers = prop::sample::select(&["offset", "flag", "type", "phase", "limit"][..]);
    let flags = ["recover", "recoverable", "positioned", "join_leave", "reverse", "removed"];
    let channel = "(open|forced|crowd|cache):[a-c]".prop_map(Value::from);
    prop_oneof![
        4 => channel.prop_map(|name| ("channel".to_owned(), name)),
        2 => (texts, text).prop_map(|(name, text)| (name.to_owned(), text)),
        2 => (numbers, number).prop_map(|(name, number)| (name.to_owned(), number.into())),
        2 => (prop::sample::select(flags.to_vec()), any::<bool>())
            .prop_map(|(name, flag)| (name.to_owned(), flag.into())),
        1 => any::<i32>().prop_map(|data| ("data".to_owned(), json!({"n": data}))),
        1 => any::<u64>().prop_map(|offset| ("since".to_owned(), json!({"offset": offset}))),
    ]
}

fn frame(encoding: Encoding, commands: &[Value]) -> Vec<u8> {
    let lines: Vec<String> = commands.iter().map(Value::to_string).collect();
    let lines = lines.join("\n");
    match encoding {
        Encoding::Json => lines.into_bytes(),
        Encoding::Protobuf => decode_commands(Encoding::Json, &lines.into())
            .filter_map(Result::ok)
            .flat_map(|command| encode(encoding, &command))
            .collect(),
    }
}

fn encoding() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Json), Just(Encoding::Protobuf)]
}

proptest! {
    #[test]
    fn arbitrary_bytes_end_the_connection(
        encoding in encoding(),
        connected: bool,
        frame in vec(any::<u8>(), 0..300),
    ) {
        let client = feed(encoding, connected, vec![frame]);
        if encoding == Encoding::Json {
            prop_assert_eq!(client.closed.map(|end| end.code), Some(3501));
        }
    }

    #[test]
    fn arbitrary_commands_are_answered_or_end_the_connection(
        encoding in encoding(),
        connected: bool,
        frames in vec(vec(command(), 1..5), 1..10),
    ) {
        let frames = frames.iter().map(|commands| frame(encoding, commands)).collect();
        let client = feed(encoding, connected, frames);
        prop_assert!(client.closed.is_some() || client.session.accepts_frames());
    }

    #[test]
    fn damaged_frames_do_not_panic(
        encoding in encoding(),
        commands in vec(command(), 1..5),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = frame(encoding, &commands);
        for (place, byte) in damage {
            if !frame.is_empty() {
                let place = place.index(frame.len());
                frame[place] = byte;
            }
        }
        let client = feed(encoding, true, vec![frame]);
        prop_assert!(client.closed.is_some() || client.session.accepts_frames());
    }
}
