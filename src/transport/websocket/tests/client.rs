//! Frames as a client would send them, right or wrong.

pub(super) const LAST: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// A masked frame; `first` is the first byte as it stands.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked(first, payload, [0x37, 0xFA, 0x21, 0x3D])
}

pub(super) fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// First byte and length, without the mask.
pub(super) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(LAST | CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A server frame as a client reads it.
pub(super) type Answer = (u8, Vec<u8>);

/// Reads whole server frames from the front of `bytes`; none may be masked, fragmented or carry a
/// length longer than need be. The second value is what is left.
pub(super) fn answers(mut bytes: &[u8]) -> (Vec<Answer>, &[u8]) {
    let mut answers = Vec::new();
    while let Some((opcode, length, header)) = answer_header(bytes) {
        let Some(payload) = bytes.get(header..header + length) else { break };
        answers.push((opcode, payload.to_vec()));
        bytes = &bytes[header + length..];
    }
    (answers, bytes)
}

fn answer_header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(first & 0xF0, LAST, "every server frame is a whole message without extensions");
    let (length, header) = match second {
        0..=125 => (u64::from(second), 2),
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()), 10),
        _ => panic!("a server does not mask"),
    };
    let shortest = match length {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    assert_eq!(header, shortest);
    Some((first & 0xF, usize::try_from(length).unwrap(), header))
}
