use bytes::{Buf, Bytes};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use serde_json::Value;

use super::super::outgoing::Outgoing;
use crate::transport::Format::{self, Binary, Text};

/// Writes at most so many bytes, as a stream does whose window is that wide.
fn write(outgoing: &mut Outgoing, most: usize, written: &mut Vec<u8>) {
    let mut left = most;
    for chunk in outgoing.chunks() {
        let here = chunk.len().min(left);
        written.extend_from_slice(&chunk.split_to(here));
        left -= here;
        if chunk.has_remaining() {
            break;
        }
    }
    outgoing.wrote(most - left);
}

fn written(format: Format, messages: &[(&str, Bytes)]) -> Vec<u8> {
    let (mut outgoing, mut bytes) = (Outgoing::default(), Vec::new());
    for (head, body) in messages {
        outgoing.message(format, head.as_bytes(), body);
    }
    let queued = outgoing.queued_bytes();
    write(&mut outgoing, usize::MAX, &mut bytes);
    assert_eq!((queued, outgoing.is_empty(), outgoing.capacity()), (bytes.len(), true, 0));
    bytes
}

#[test]
fn json_goes_out_as_lines_of_ascii() {
    let body = Bytes::from("\"Gr\u{fc}\u{df}e \u{20ac} \u{1f980}\"}");
    let expected = b"{\"\\u00fc\":\"Gr\\u00fc\\u00dfe \\u20ac \\ud83e\\udd80\"}\n{}\n";
    let messages = [("{\"\u{fc}\":", body), ("", Bytes::from("{}"))];
    assert_eq!(written(Text, &messages), expected);
}

#[test]
fn protobuf_goes_out_as_it_is() {
    let messages = [("\u{3}\u{8}", Bytes::from_static(&[1, 0xFF])), ("", Bytes::from_static(&[0]))];
    assert_eq!(written(Binary, &messages), [3, 8, 1, 0xFF, 0]);
}

#[test]
fn large_bodies_are_shared_unless_they_must_change() {
    let (mut outgoing, plain) = (Outgoing::default(), Bytes::from(vec![b'x'; 100_000]));
    outgoing.message(Text, b"{", &plain);
    assert!(outgoing.capacity() < 1000, "{}", outgoing.capacity());
    assert_eq!(outgoing.chunks()[1].as_ptr(), plain.as_ptr());
    let mut changed = vec![b'x'; 100_000];
    changed.extend_from_slice("\u{fc}".as_bytes());
    let sent = written(Text, &[("", changed.into())]);
    assert!(sent.ends_with(b"xx\\u00fc\n"));
}

#[test]
fn what_is_forgotten_in_the_middle_is_told() {
    let mut outgoing = Outgoing::default();
    outgoing.message(Text, b"", &Bytes::from("{}"));
    assert!(!outgoing.discard());
    assert!(outgoing.is_empty() && outgoing.chunks().is_empty());
    outgoing.message(Text, b"", &Bytes::from("{}"));
    write(&mut outgoing, 1, &mut Vec::new());
    assert!(outgoing.discard());
    // All that came before was whole.
    outgoing.message(Text, b"", &Bytes::from("{}"));
    write(&mut outgoing, 3, &mut Vec::new());
    outgoing.message(Text, b"", &Bytes::from("{}"));
    assert!(!outgoing.discard());
}

proptest! {
    #[test]
    fn what_is_queued_is_written_in_order(
        steps in vec((any::<String>(), 0_usize..20_000, 0_usize..30_000), 1..20),
    ) {
        let (mut outgoing, mut bytes) = (Outgoing::default(), Vec::new());
        let mut expected = Vec::new();
        for (text, filling, window) in steps {
            let value = Value::from(text + &"y".repeat(filling));
            outgoing.message(Text, b"[", &Bytes::from(format!("{value}]")));
            expected.push(Value::from(vec![value]));
            write(&mut outgoing, window, &mut bytes);
        }
        write(&mut outgoing, usize::MAX, &mut bytes);
        assert!(bytes.is_ascii() && outgoing.is_empty());
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let heard: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(heard, expected);
    }
}
