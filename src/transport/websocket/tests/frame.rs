use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::Index;

use super::super::frame::{Event, Parser};
use super::client;
use crate::base::limits::{FRAMES_WITHOUT_DATA, MESSAGE_BYTES};
use crate::transport::Format;

/// Everything that the bytes say; the last item is the violation's code, if there is one.
fn parse(parser: &mut Parser, mut input: &[u8]) -> Result<Vec<Event>, u16> {
    let mut events = Vec::new();
    while let Some(event) = parser.next(&mut input).map_err(|violation| violation.code)? {
        events.push(event);
    }
    assert!(input.is_empty(), "without an event all is taken");
    Ok(events)
}

fn code(bytes: &[u8]) -> Option<u16> {
    parse(&mut Parser::new(MESSAGE_BYTES), bytes).err()
}

/// One message cut into fragments, with control frames before each.
#[derive(Clone, Debug)]
struct Sent {
    format: Format,
    payload: Vec<u8>,
    cuts: Vec<Index>,
    controls: Vec<(Index, bool, Vec<u8>)>,
    mask: [u8; 4],
}

fn sent() -> impl Strategy<Value = Sent> {
    let payload = prop_oneof![
        ".{0,40}".prop_map(|text| (Format::Text, text.into_bytes())),
        vec(any::<u8>(), 0..300).prop_map(|bytes| (Format::Binary, bytes)),
        (any::<u8>(), 60_000..=65_536_usize)
            .prop_map(|(byte, length)| (Format::Binary, vec![byte; length])),
        (60_000..=65_536_usize).prop_map(|length| (Format::Text, vec![b'x'; length])),
    ];
    let control = (any::<Index>(), any::<bool>(), vec(any::<u8>(), 0..=125));
    (payload, vec(any::<Index>(), 0..5), vec(control, 0..3), any::<[u8; 4]>()).prop_map(
        |((format, payload), cuts, controls, mask)| Sent { format, payload, cuts, controls, mask },
    )
}

/// Appends what goes over the wire, and what is to come out.
fn send(sent: &Sent, wire: &mut Vec<u8>, expected: &mut Vec<Event>) {
    let mut cuts: Vec<usize> =
        sent.cuts.iter().map(|cut| cut.index(sent.payload.len() + 1)).collect();
    cuts.extend([0, sent.payload.len()]);
    cuts.sort_unstable();
    let fragments = cuts.len() - 1;
    for (at, bounds) in cuts.windows(2).enumerate() {
        for (_, ping, payload) in
            sent.controls.iter().filter(|(place, ..)| place.index(fragments) == at)
        {
            let opcode = if *ping { client::PING } else { client::PONG };
            wire.extend(client::masked(client::LAST | opcode, payload, sent.mask));
            expected.push(if *ping { Event::Ping(payload.clone().into()) } else { Event::Pong });
        }
        let opcode = match (at, sent.format) {
            (0, Format::Text) => client::TEXT,
            (0, Format::Binary) => client::BINARY,
            _ => client::CONTINUATION,
        };
        let last = if at + 1 == fragments { client::LAST } else { 0 };
        wire.extend(client::masked(last | opcode, &sent.payload[bounds[0]..bounds[1]], sent.mask));
    }
    expected.push(Event::Message(sent.format, sent.payload.clone().into()));
}

proptest! {
    // Each case parses up to 400 kB, in the worst case byte by byte.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reads_what_was_sent_however_it_is_cut(
        messages in vec(sent(), 0..6),
        cuts in vec(any::<Index>(), 0..12),
        every in prop_oneof![Just(1_usize), 1..20_000_usize],
    ) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            send(message, &mut wire, &mut expected);
        }
        // Once at random places, once at regular ones, down to single bytes.
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        places.extend([0, wire.len()]);
        places.sort_unstable();
        let mut parser = Parser::new(MESSAGE_BYTES);
        let mut events = Vec::new();
        for bounds in places.windows(2) {
            events.extend(parse(&mut parser, &wire[bounds[0]..bounds[1]]).unwrap());
        }
        assert_eq!(events, expected);

        let mut parser = Parser::new(MESSAGE_BYTES);
        let mut events = Vec::new();
        for chunk in wire.chunks(every) {
            events.extend(parse(&mut parser, chunk).unwrap());
        }
        assert_eq!(events, expected);
    }
}

proptest! {
    #[test]
    fn survives_any_bytes_within_its_memory(
        chunks in vec(vec(any::<u8>(), 0..600), 0..40),
        start in vec(sent(), 0..2),
    ) {
        let bytes_max = 1_000;
        let mut parser = Parser::new(bytes_max);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        start.iter().for_each(|message| send(message, &mut wire, &mut expected));
        for chunk in std::iter::once(wire).chain(chunks) {
            let ended = parse(&mut parser, &chunk).is_err();
            let (message, control) = parser.capacities();
            assert!(message <= 2 * bytes_max && control <= 250, "{message} {control}");
            if ended {
                break;
            }
        }
    }

    #[test]
    fn a_cut_stream_yields_a_prefix(messages in vec(sent(), 1..4), cut in any::<Index>()) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        messages.iter().for_each(|message| send(message, &mut wire, &mut expected));
        let events =
            parse(&mut Parser::new(MESSAGE_BYTES), &wire[..cut.index(wire.len())]).unwrap();
        assert!(events.len() < expected.len());
        assert_eq!(events, expected[..events.len()]);
    }
}

#[test]
fn holds_nothing_between_messages() {
    let mut parser = Parser::new(MESSAGE_BYTES);
    let wire = [
        client::frame(client::LAST | client::BINARY, &[7; 30_000]),
        client::frame(client::LAST | client::PING, &[7; 125]),
        client::frame(client::LAST | client::PONG, &[7; 125]),
    ];
    assert_eq!(parse(&mut parser, &wire.concat()).unwrap().len(), 3);
    assert_eq!(parser.capacities(), (0, 0));
}

#[test]
fn takes_memory_for_what_came_and_not_for_what_was_announced() {
    let mut parser = Parser::new(MESSAGE_BYTES);
    let wire = client::frame(client::LAST | client::BINARY, &[7; MESSAGE_BYTES]);
    assert_eq!(parse(&mut parser, &wire[..20]), Ok(vec![]));
    assert!(parser.capacities().0 < 100);
}

#[test]
fn the_size_limit_is_inclusive_and_judged_by_the_announcement() {
    let first = client::LAST | client::BINARY;
    assert_eq!(code(&client::frame(first, &[0; MESSAGE_BYTES])), None);
    assert_eq!(code(&client::header(first, MESSAGE_BYTES as u64 + 1)), Some(1009));
    assert_eq!(code(&client::header(first, u64::MAX >> 1)), Some(1009));

    // Over all fragments: 65,536 in two pieces pass, a byte more does not.
    let begin = client::frame(client::BINARY, &[0; MESSAGE_BYTES - 1]);
    let end = client::LAST | client::CONTINUATION;
    assert_eq!(code(&[begin.clone(), client::frame(end, &[0])].concat()), None);
    assert_eq!(code(&[begin, client::header(end, 2)].concat()), Some(1009));
}

#[test]
fn control_frames_pass_beside_a_message_at_the_limit() {
    let wire = [
        client::frame(client::BINARY, &[0; MESSAGE_BYTES]),
        client::frame(client::LAST | client::PING, &[1; 125]),
        client::frame(client::LAST | client::CONTINUATION, &[]),
    ];
    let events = parse(&mut Parser::new(MESSAGE_BYTES), &wire.concat()).unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1], Event::Message(Format::Binary, Bytes::from_static(&[0; MESSAGE_BYTES])));
}

#[test]
fn lengths_must_be_minimal_and_below_64_bits() {
    let first = client::LAST | client::TEXT;
    for length in [0_u16, 1, 125] {
        let wire = [&[first, 0xFE][..], &length.to_be_bytes()].concat();
        assert_eq!(code(&wire), Some(1002), "{length}");
    }
    for length in [0_u64, 125, 126, 65_535, 1 << 63, u64::MAX] {
        let wire = [&[first, 0xFF][..], &length.to_be_bytes()].concat();
        assert_eq!(code(&wire), Some(1002), "{length}");
    }
    assert_eq!(code(&[first, 0xFE, 0, 126]), None);
    assert_eq!(code(&[first, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]), None);
}

#[test]
fn every_first_byte_is_judged_alone() {
    for first in 0..=u8::MAX {
        let (last, reserved, opcode) = (first & 0x80 != 0, first & 0x70 != 0, first & 0xF);
        let passes = !reserved && (matches!(opcode, 1 | 2) || matches!(opcode, 8..=10) && last);
        assert_eq!(code(&[first]), (!passes).then_some(1002), "{first:#x}");
    }
}

#[test]
fn an_unmasked_frame_is_refused_before_its_payload() {
    for first in [client::TEXT, client::BINARY, client::CLOSE, client::PING, client::PONG] {
        assert_eq!(code(&[client::LAST | first, 0x05]), Some(1002));
    }
}

#[test]
fn frames_without_data_are_bounded_until_a_pause_or_a_message() {
    let bound = usize::from(FRAMES_WITHOUT_DATA);
    let pong = client::frame(client::LAST | client::PONG, b"");
    let empty = client::frame(client::CONTINUATION, b"");
    let begin = client::frame(client::BINARY, b"1");
    let message = client::frame(client::LAST | client::BINARY, b"1");

    assert_eq!(code(&pong.repeat(bound)), None);
    assert_eq!(code(&pong.repeat(bound + 1)), Some(1008));
    assert_eq!(code(&[begin.clone(), empty.repeat(bound)].concat()), None);
    assert_eq!(code(&[begin, empty.repeat(bound + 1)].concat()), Some(1008));
    let interrupted = [pong.repeat(bound), message, pong.repeat(bound)].concat();
    assert_eq!(code(&interrupted), None);

    let mut parser = Parser::new(MESSAGE_BYTES);
    assert_eq!(parse(&mut parser, &pong.repeat(bound)).unwrap().len(), bound);
    parser.ran_dry();
    assert_eq!(parse(&mut parser, &pong.repeat(bound)).unwrap().len(), bound);
    assert_eq!(parse(&mut parser, &pong), Err(1008));
}
