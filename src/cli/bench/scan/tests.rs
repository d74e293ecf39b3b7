//! Frames as servers write them, and anything else.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::protocol::{Publication, PushBody, PushTarget, encode_push_body, push_head};

fn frames(mut bytes: &[u8]) -> (Vec<Heard<'_>>, usize) {
    let heard = std::iter::from_fn(|| next(&mut bytes)).collect();
    (heard, bytes.len())
}

/// A push as a server of the protocol writes it.
fn push(encoding: Encoding, sequence: u64, bytes: usize) -> Vec<u8> {
    let data = Bytes::from(data(sequence, bytes));
    let event = Publication { data, offset: sequence, ..Publication::default() };
    let body = encode_push_body(encoding, &PushBody::Pub(event));
    let mut out = Vec::new();
    push_head(encoding, &PushTarget::Channel("bench"), body.len(), &mut out);
    out.extend_from_slice(&body);
    out
}

#[test]
fn data_has_the_size_that_was_asked_for() {
    for bytes in [20, 200, 100_000] {
        assert_eq!(data(1_234, bytes).len(), bytes.max(21));
        crate::protocol::is_json(data(u64::MAX, bytes).as_bytes()).unwrap();
    }
}

#[test]
fn cuts_messages_out_of_a_stream_however_it_comes() {
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let end: &[u8] = if encoding == Encoding::Json { b"\n" } else { b"" };
        let ping: &[u8] = if encoding == Encoding::Json { b"{}" } else { &[0] };
        let message = [&push(encoding, 7, 200)[..], end].concat();
        let stream = [&message[..], ping, end, &message].concat();
        for cut in 0..=stream.len() {
            let mut heard = Vec::new();
            let mut rest = &stream[..cut];
            while let Some(one) = next_on_stream(encoding, &mut rest) {
                heard.push(one);
            }
            let unread = [rest, &stream[cut..]].concat();
            let mut rest = &unread[..];
            while let Some(one) = next_on_stream(encoding, &mut rest) {
                heard.push(one);
            }
            let expected = [Heard::Messages(&message), Heard::Ping, Heard::Messages(&message)];
            assert_eq!((&heard[..], rest), (&expected[..], &b""[..]), "cut at {cut}");
        }
    }
    assert_eq!(next_on_stream(Encoding::Protobuf, &mut &[0xFF; 20][..]), None);
}

#[test]
fn knows_pings_and_closes() {
    let close = server_frame(8, &[&3001_u16.to_be_bytes()[..], b"shutdown"].concat());
    let bytes = [&server_frame(TEXT, b"{}")[..], &server_frame(BINARY, &[0]), &close].concat();
    let expected = vec![Heard::Ping, Heard::Ping, Heard::Closed(3001, b"shutdown")];
    assert_eq!(frames(&bytes), (expected, 0));
    assert_eq!(frames(&server_frame(8, b"")), (vec![Heard::Closed(1005, b"")], 0));
    assert_eq!(frames(&server_frame(10, b"a")), (vec![Heard::Nothing], 0));
}

fn numbers(scan: &Sequences, mut messages: &[u8]) -> Vec<u64> {
    std::iter::from_fn(|| scan.take(&mut messages)).collect()
}

proptest! {
    #[test]
    fn finds_every_publication_in_order(
        sizes in prop::collection::vec(prop_oneof![21..300_usize, 60_000..70_000_usize], 1..8),
        first in 0..u64::MAX / 2,
        joined in 1..4_usize,
        json in any::<bool>(),
    ) {
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let (opcode, between) = if json { (TEXT, &b"\n"[..]) } else { (BINARY, &b""[..]) };
        let pushes: Vec<_> =
            (first..).zip(&sizes).map(|(sequence, &bytes)| push(encoding, sequence, bytes)).collect();
        let sent: Vec<u8> = pushes
            .chunks(joined)
            .flat_map(|some| server_frame(opcode, &some.join(between)))
            .collect();
        let (heard, left) = frames(&sent);
        let scan = Sequences::new();
        let numbers: Vec<u64> = heard
            .iter()
            .flat_map(|heard| match heard {
                Heard::Messages(messages) => numbers(&scan, messages),
                _ => Vec::new(),
            })
            .collect();
        prop_assert_eq!(left, 0);
        prop_assert_eq!(numbers, (first..).take(sizes.len()).collect::<Vec<_>>());
    }

    #[test]
    fn takes_nothing_before_a_frame_is_whole(length in 0..70_000_usize, cut in any::<prop::sample::Index>()) {
        let frame = server_frame(TEXT, &vec![b'a'; length]);
        let part = &frame[..cut.index(frame.len())];
        prop_assert_eq!(frames(part), (Vec::new(), part.len()));
    }

    #[test]
    fn bytes_are_never_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (heard, left) = frames(&bytes);
        let mut payloads = 0;
        for heard in heard {
            if let Heard::Messages(messages) = heard {
                payloads += messages.len();
                numbers(&Sequences::new(), messages);
            }
        }
        prop_assert!(payloads + left <= bytes.len());
    }
}
