//! Bytes from a network: nothing panics, nothing is allocated by announcement, nothing deep passes,
//! and no error repeats what was sent.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::json_value;
use crate::base::Encoding;
use crate::base::limits;
use crate::protocol::{
    Command, DecodeError, JsonFault, Message, decode_commands, decode_replies, encode, is_json,
};

fn first(encoding: Encoding, frame: impl Into<Bytes>) -> Result<Command, DecodeError> {
    decode_commands(encoding, &frame.into()).next().expect("a reader is never silent")
}

/// `levels` arrays within one another.
fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// What levels a value has, found the recursive way.
fn levels(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        serde_json::Value::Object(items) => 1 + items.values().map(levels).max().unwrap_or(0),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => 0,
    }
}

/// The pieces of JSON, so that chance makes valid texts and nearly valid ones.
fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"a\"",
        "\"\\\\\"",
        "\"\\\"[\"",
        "\"",
        "1",
        "-1.5",
        "0",
        "true",
        "null",
        "tru",
        " ",
        "\n",
        "\\",
        "é",
        "\u{1}",
    ];
    vec(proptest::sample::select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_commands_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let frame = Bytes::from(bytes);
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let items: Vec<_> = decode_commands(encoding, &frame).collect();
            prop_assert!(!items.is_empty());
            prop_assert!(items.iter().rev().skip(1).all(Result::is_ok));
            prop_assert!(decode_replies(encoding, &frame).count() > 0);
        }
        prop_assert!(is_json(&frame).is_err() || std::str::from_utf8(&frame).is_ok());
    }

    #[test]
    fn a_flipped_byte_is_a_command_or_an_error(
        command in <Command as super::Sample>::sample(3),
        position in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            let mut frame = encode(encoding, &command).to_vec();
            let position = position.index(frame.len());
            frame[position] = byte;
            prop_assert!(decode_commands(encoding, &frame.into()).count() > 0);
        }
    }

    #[test]
    fn json_is_told_from_what_is_not(text in nearly_json()) {
        let oracle: Result<serde_json::Value, _> = serde_json::from_str(&text);
        prop_assert_eq!(is_json(text.as_bytes()).is_ok(), oracle.is_ok());
    }

    #[test]
    fn levels_are_counted(value in json_value(), pretty in any::<bool>(), around in 100..140_usize) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let text = format!("{}{text}{}", "[".repeat(around), "]".repeat(around));
        let expected = if around + levels(&value) > limits::JSON_DEPTH {
            Err(JsonFault::Depth)
        } else {
            Ok(())
        };
        prop_assert_eq!(is_json(text.as_bytes()), expected);
    }

    #[test]
    fn errors_do_not_repeat_what_was_sent(
        field in proptest::sample::select(vec!["id", "connect", "subscribe", "rpc", "sub_refresh"]),
        inner in proptest::sample::select(vec!["token", "offset", "subs", "tf", "track", "data"]),
        value in proptest::sample::select(vec![
            "SECRET", "SECRET, expected SECRET", "SECRET at line 1 column 1",
            ": invalid type: SECRET", "\\\", expected SECRET",
        ]),
        shape in 0..6_u8,
    ) {
        let frame = match shape {
            0 => format!(r#"{{"{field}":"{value}"}}"#),
            1 => format!(r#"{{"{field}":{{"{inner}":["{value}"]}}}}"#),
            2 => format!(r#"{{"{field}":{{"{inner}":{{"{value}":"{value}"}}}}}}"#),
            3 => format!(r#"{{"{field}":{{"{inner}":"{value}"}}}}"#),
            4 => format!(r#"{{"{field}":{{"{inner}":"{value}"#),
            _ => format!(r#""{value}""#),
        };
        if let Err(error) = first(Encoding::Json, frame) {
            let said = error.to_string();
            prop_assert!(!said.contains("SECRET"), "{}", said);
        }
    }
}

#[test]
fn frames_may_be_as_deep_as_the_limit() {
    let frame = |levels| format!(r#"{{"rpc":{{"data":{}}}}}"#, nested(levels - 2));
    let rpc = first(Encoding::Json, frame(limits::JSON_DEPTH)).unwrap().rpc.unwrap();
    assert_eq!(rpc.data, nested(limits::JSON_DEPTH - 2));
    let deeper = first(Encoding::Json, frame(limits::JSON_DEPTH + 1));
    assert_eq!(deeper, Err(DecodeError::Text(JsonFault::Depth)));

    assert_eq!(is_json(nested(128).as_bytes()), Ok(()));
    assert_eq!(is_json(nested(129).as_bytes()), Err(JsonFault::Depth));
    // Nothing recurses over what is refused, nor over what is skipped.
    assert_eq!(is_json("[".repeat(10_000_000).as_bytes()), Err(JsonFault::Depth));
    assert_eq!(
        first(Encoding::Json, r#"{"x":"#.repeat(60_000)).unwrap_err(),
        JsonFault::Depth.into()
    );
}

#[test]
fn brackets_in_strings_are_no_levels() {
    let text = format!(r#"["{}","\"{}","\\"]"#, "[".repeat(1000), "{".repeat(1000));
    assert_eq!(is_json(text.as_bytes()), Ok(()));
}

#[test]
fn filters_may_not_recurse_without_end() {
    let filter = |levels: usize| {
        let open = r#"{"op":"not","nodes":["#;
        format!(r#"{{"subscribe":{{"tf":{}{}}}}}"#, open.repeat(levels), "]}".repeat(levels))
    };
    let command = first(Encoding::Json, filter(50)).unwrap();
    assert_eq!(first(Encoding::Protobuf, encode(Encoding::Protobuf, &command)), Ok(command));
    assert_eq!(first(Encoding::Json, filter(64)), Err(JsonFault::Depth.into()));

    let mut node = Vec::new();
    for _ in 0..5000 {
        let mut outer = vec![0x32];
        prost::encoding::encode_varint(node.len() as u64, &mut outer);
        outer.append(&mut node);
        node = outer;
    }
    let mut frame = vec![0x6a];
    prost::encoding::encode_varint(node.len() as u64, &mut frame);
    frame.append(&mut node);
    let mut subscribe = vec![0x2a];
    prost::encoding::encode_varint(frame.len() as u64, &mut subscribe);
    subscribe.append(&mut frame);
    let mut frame = Vec::new();
    prost::encoding::encode_varint(subscribe.len() as u64, &mut frame);
    frame.append(&mut subscribe);
    let error = first(Encoding::Protobuf, frame).unwrap_err();
    assert!(error.to_string().ends_with("recursion limit reached"), "{error}");
}

#[test]
fn announced_lengths_are_not_believed() {
    let huge = b"\x80\x80\x80\x80\x80\x80\x80\x80\x10";
    let announced = usize::try_from(1_u64 << 60).unwrap();
    assert_eq!(
        first(Encoding::Protobuf, &huge[..]),
        Err(DecodeError::Truncated { announced, remaining: 0 })
    );
    // The same length on a message, a string, bytes, and an entry of a map.
    for keys in [&[0x22][..], &[0x22, 0x0b, 0x0a], &[0x22, 0x0b, 0x12], &[0x22, 0x0b, 0x1a]] {
        let mut frame = vec![u8::try_from(keys.len() + huge.len()).unwrap()];
        frame.extend_from_slice(keys);
        frame.extend_from_slice(huge);
        assert!(matches!(first(Encoding::Protobuf, frame), Err(DecodeError::Protobuf(_))));
    }
    assert_eq!(first(Encoding::Protobuf, vec![0xff; 20]), Err(DecodeError::Prefix));
    assert_eq!(first(Encoding::Protobuf, vec![0x80]), Err(DecodeError::Prefix));
}

#[test]
fn bytes_are_slices_of_a_protobuf_frame() {
    let command = Command {
        send: Some(crate::protocol::SendRequest { data: Bytes::from(vec![b'7'; 1000]) }),
        ..Command::default()
    };
    let frame = encode(Encoding::Protobuf, &command);
    let data = first(Encoding::Protobuf, frame.clone()).unwrap().send.unwrap().data;
    assert!(frame.as_ptr_range().contains(&data.as_ptr()));
}

#[test]
fn data_is_embedded_as_it_is_on_one_line() {
    let embed = |data: &'static str| {
        let message = Message { data: Bytes::from_static(data.as_bytes()) };
        String::from_utf8(encode(Encoding::Json, &message).to_vec()).unwrap()
    };
    assert_eq!(embed("{\"a\":\r\n  1.00}"), r#"{"data":{"a":    1.00}}"#);
    assert_eq!(embed(r#""\n\u00e9""#), r#"{"data":"\n\u00e9"}"#);
    assert_eq!(embed("18446744073709551616"), r#"{"data":18446744073709551616}"#);
    // What would break the frame does not get into it.
    assert_eq!(embed("\"\n\""), r#"{"data":" "}"#);
    for broken in ["{", "1}", "1,\"x\":2", "\"\t\"", "abc", " "] {
        assert_eq!(embed(broken), r#"{"data":null}"#);
    }
}
