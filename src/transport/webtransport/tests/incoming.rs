use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::super::incoming::{Incoming, Violation};
use crate::transport::Format::{self, Binary, Text};

/// All messages of a stream that comes in pieces of these lengths, over and over, each at most 100
/// bytes; then what broke the rules.
fn cut(format: Format, bytes: &[u8], lengths: &[usize]) -> (Vec<Vec<u8>>, Option<Violation>) {
    let (mut incoming, mut found) = (Incoming::new(format, 100), Vec::new());
    let mut lengths = lengths.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = lengths.next().map_or(1, |length| (*length).clamp(1, rest.len()));
        let (mut piece, after) = rest.split_at(length);
        rest = after;
        loop {
            match incoming.next(&mut piece) {
                Ok(Some(message)) => found.push(message.to_vec()),
                Ok(None) => break,
                Err(violation) => return (found, Some(violation)),
            }
        }
        assert!(piece.is_empty(), "what is not the end of a message is taken");
        assert!(incoming.capacity() <= 256, "{} bytes kept", incoming.capacity());
    }
    (found, None)
}

#[track_caller]
fn check(format: Format, bytes: &[u8], expected: &[&[u8]], violation: Option<&str>) {
    for first in 1..=bytes.len() {
        for lengths in [&[first, bytes.len()][..], &[first], &[1]] {
            let (found, broken) = cut(format, bytes, lengths);
            assert_eq!(found, expected, "cut by {lengths:?}");
            assert_eq!(broken.map(|Violation(reason)| reason), violation, "cut by {lengths:?}");
        }
    }
}

#[test]
fn lines_are_whole_wherever_the_stream_is_cut() {
    check(Text, b"{}\n{\"id\":1}\n", &[b"{}", b"{\"id\":1}"], None);
    check(
        Text,
        "\n \r\n{\"a\":\"\u{fc}\u{1f980}\"}\r\n\n".as_bytes(),
        &["{\"a\":\"\u{fc}\u{1f980}\"}\r".as_bytes()],
        None,
    );
    // Without its end a line is none.
    check(Text, b"{}\n{}", &[b"{}"], None);
}

#[test]
fn a_line_has_a_bound() {
    let line = |length: usize| [vec![b'x'; length], b"\n".to_vec()].concat();
    check(Text, &line(100), &[&[b'x'; 100]], None);
    let large = Some("bad request: message too large");
    check(Text, &[line(3), line(101)].concat(), &[b"xxx"], large);
    check(Text, &[b'x'; 101], &[], large);
    check(Text, b"{}\n\"\xFF\"\n", &[b"{}"], Some("bad request: not UTF-8"));
}

#[test]
fn delimited_messages_are_whole_wherever_the_stream_is_cut() {
    check(Binary, &[0, 2, 8, 1, 0], &[&[0], &[2, 8, 1], &[0]], None);
    let longest = [&[100][..], &[7; 100]].concat();
    check(Binary, &[&longest[..], &[1, 1]].concat(), &[&longest, &[1, 1]], None);
    // A length may have more digits than it needs.
    check(Binary, &[0x82, 0x80, 0, 5, 6, 9], &[&[0x82, 0x80, 0, 5, 6]], None);
}

#[test]
fn a_delimited_message_has_a_bound() {
    let large = Some("bad request: message too large");
    check(Binary, &[1, 1, 101], &[&[1, 1]], large);
    check(Binary, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], &[], large);
    let no_number = Some("bad request: a message's length is no number");
    check(Binary, &[0x80; 5], &[], no_number);
    check(Binary, &[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &[&[0]], no_number);
}

#[test]
fn memory_is_given_back_between_messages() {
    for (format, bytes) in [(Text, &b"{\"id\":1}\n"[..]), (Binary, &[3, 1, 2, 3])] {
        let mut incoming = Incoming::new(format, 100);
        for byte in bytes {
            let mut byte = std::slice::from_ref(byte);
            incoming.next(&mut byte).unwrap();
        }
        assert_eq!(incoming.capacity(), 0);
    }
}

proptest! {
    #[test]
    fn cuts_do_not_change_what_is_told(
        noise in vec(any::<u8>(), 0..400),
        lengths in vec(1_usize..50, 1..9),
    ) {
        for format in [Text, Binary] {
            assert_eq!(cut(format, &noise, &lengths), cut(format, &noise, &[noise.len()]));
        }
    }
}
