use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use wtransport_proto::error::ErrorCode;
use wtransport_proto::ids::StatusCode;

use super::super::http3::{
    CLOSE, DATA, HEADERS, Record, Records, SETTINGS, check_settings, close_capsule, control_stream,
    datagram, read_close, read_request, response,
};
use crate::base::limits::{CAPSULE_REASON_BYTES, H3_RECORD_BYTES};

const WANTED: &[u64] = &[DATA, HEADERS];

/// All records of a stream that comes in pieces of these lengths, over and over.
fn cut(bytes: &[u8], lengths: &[usize]) -> Result<Vec<Record>, ErrorCode> {
    let (mut records, mut found) = (Records::new(WANTED), Vec::new());
    let mut lengths = lengths.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = lengths.next().map_or(1, |length| (*length).clamp(1, rest.len()));
        let (mut piece, after) = rest.split_at(length);
        rest = after;
        while let Some(record) = records.next(&mut piece)? {
            found.push(record);
        }
        assert!(piece.is_empty(), "what is not the end of a record is taken");
        assert!(records.missing() > 0);
    }
    Ok(found)
}

fn record(kind: u64, payload: &[u8]) -> Record {
    Record { kind, payload: payload.to_vec() }
}

#[test]
fn records_are_whole_wherever_the_stream_is_cut() {
    let unknown = [&[0x40, 0x5F, 0x41, 0x2C][..], &[9; 300]].concat();
    let stream = [&[1, 3, 7, 8, 9][..], &unknown, &[0, 0], &[0x40, 0, 0x40, 2, 5, 6]].concat();
    let expected = vec![record(HEADERS, &[7, 8, 9]), record(DATA, &[]), record(DATA, &[5, 6])];
    for first in 1..stream.len() {
        assert_eq!(cut(&stream, &[first, stream.len()]).unwrap(), expected, "cut at {first}");
    }
    assert_eq!(cut(&stream, &[1]).unwrap(), expected);
}

#[test]
fn a_record_is_no_longer_than_its_bound() {
    let of = |length: usize| {
        let length = u32::try_from(length).unwrap() | 0x8000_0000;
        [&[1][..], &length.to_be_bytes()].concat()
    };
    let longest = [of(H3_RECORD_BYTES), vec![3; H3_RECORD_BYTES]].concat();
    assert_eq!(cut(&longest, &[1000]).unwrap()[0].payload.len(), H3_RECORD_BYTES);
    // It is refused by what it announces, and nothing is kept for it.
    let mut records = Records::new(WANTED);
    let refused = records.next(&mut of(H3_RECORD_BYTES + 1).as_slice());
    assert_eq!(refused.unwrap_err(), ErrorCode::ExcessiveLoad);
    assert_eq!(records.capacity(), 0);
    // One that nobody wants may be of any length.
    let endless = [&[0x21][..], &[0xFF; 8], &[1; 4096]].concat();
    assert_eq!(cut(&endless, &[100]).unwrap(), vec![]);
}

#[test]
fn memory_is_given_back_between_records() {
    let mut records = Records::new(WANTED);
    let mut stream = [&[1, 0x60, 0][..], &[1; 8192], &[0x21, 1, 1]].concat();
    stream.truncate(5000);
    records.next(&mut stream.as_slice()).unwrap();
    assert!(records.capacity() >= 4997);
    let rest = [vec![1; 8192 - 4997], vec![0x21, 1, 1]].concat();
    let mut input = rest.as_slice();
    assert!(records.next(&mut input).unwrap().is_some());
    assert!(records.next(&mut input).unwrap().is_none());
    assert_eq!(records.capacity(), 0);
}

#[test]
fn our_control_stream_has_what_browsers_look_for() {
    let stream = control_stream();
    assert_eq!(stream[0], 0);
    let mut records = Records::new(&[SETTINGS]);
    let settings = records.next(&mut &stream[1..]).unwrap().unwrap().payload;
    check_settings(&settings).unwrap();
    // Extended CONNECT, datagrams, WebTransport's draft 2 and draft 7.
    let told: [&[u8]; 4] = [
        &[0x08, 1],
        &[0x33, 1],
        &[0xAB, 0x60, 0x37, 0x42, 1],
        &[0xC0, 0, 0, 0, 0xC6, 0x71, 0x70, 0x6A, 1],
    ];
    for setting in told {
        let is_there = settings.windows(setting.len()).any(|window| window == setting);
        assert!(is_there, "{setting:x?} in {settings:x?}");
    }
}

#[test]
fn the_capsule_that_says_goodbye_is_read_as_it_was_written() {
    for (code, reason) in [(3001, "shutdown"), (1000, ""), (u16::MAX, "Gr\u{fc}\u{df}e")] {
        let frames = cut(&close_capsule(code, reason), &[1]).unwrap();
        let mut capsules = Records::new(&[CLOSE]);
        let capsule = capsules.next(&mut frames[0].payload.as_slice()).unwrap().unwrap();
        assert_eq!(read_close(&capsule.payload).unwrap(), (code.into(), reason.into()));
    }
    let long = format!("x{}", "\u{fc}".repeat(CAPSULE_REASON_BYTES));
    let payload = &cut(&close_capsule(1, &long), &[1]).unwrap()[0].payload;
    let reason = long.get(..CAPSULE_REASON_BYTES - 1).unwrap();
    assert!(payload.ends_with(reason.as_bytes()));
    assert_eq!(read_close(&[0, 0, 1]).unwrap_err(), ErrorCode::Datagram);
}

#[test]
fn an_answer_has_its_status() {
    assert_eq!(&response(StatusCode::OK)[..4], &[1, 7, 0, 0]);
    assert_eq!(cut(&response(StatusCode::NOT_FOUND), &[1]).unwrap().len(), 1);
}

#[test]
fn a_datagram_is_one_sessions() {
    let of = |bytes: &'static [u8]| datagram(Bytes::from_static(bytes), 0);
    assert_eq!(of(&[0, b'a', b'b']).unwrap(), "ab");
    assert_eq!(of(&[0x40, 0]).unwrap(), "");
    for other in [&[][..], &[1, b'a'], &[0x40], &[0xFF; 8]] {
        assert_eq!(of(other), None);
    }
    assert_eq!(datagram(Bytes::from_static(&[1, 7]), 4).unwrap(), &[7][..]);
}

proptest! {
    #[test]
    fn noise_is_an_error_or_nothing(
        noise in vec(any::<u8>(), 0..400),
        lengths in vec(1_usize..50, 1..9),
    ) {
        drop(cut(&noise, &lengths));
        drop(read_request(&noise));
        drop(read_request(&[&[0, 0], noise.as_slice()].concat()));
        assert!(check_settings(&noise).is_ok() || !noise.is_empty());
        drop(read_close(&noise));
    }

    #[test]
    fn cuts_do_not_change_records(
        payloads in vec((0_u8..0x40, vec(any::<u8>(), 0..0x3F)), 0..9),
        lengths in vec(1_usize..50, 1..9),
    ) {
        let of = |(kind, payload): &(u8, Vec<u8>)| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[*kind, length], payload.as_slice()].concat()
        };
        let stream: Vec<u8> = payloads.iter().flat_map(of).collect();
        let expected: Vec<Record> = payloads
            .iter()
            .filter(|(kind, _)| WANTED.contains(&u64::from(*kind)))
            .map(|(kind, payload)| record(u64::from(*kind), payload))
            .collect();
        assert_eq!(cut(&stream, &lengths).unwrap(), expected);
    }
}
