//! The cases of the Autobahn test suite, sections 1 to 7, against an echo server: what the client
//! sends, and every frame that it must get back. Each runs whole, in odd pieces and byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::WebSocket;
use super::client::{
    self, Answer, BINARY, CLOSE, CONTINUATION, LAST, PING, PONG, TEXT, close, frame,
};
use crate::base::limits::MESSAGE_BYTES;
use crate::transport::{Format, Received, Transport};

async fn echo(io: DuplexStream, format: Format) {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut socket = WebSocket::new(io, peer, format, MESSAGE_BYTES, Bytes::new());
    loop {
        match super::receive(&mut socket).await {
            Received::Pong => {}
            Received::Datagram(_) => unreachable!("a WebSocket has none"),
            Received::Message(_, message) => socket.queue(None, &[], &message),
            Received::Violation { code, reason } => return socket.close(code, reason).await,
            Received::Closed => return socket.close(1000, "").await,
        }
    }
}

/// Sends `wire` in pieces, then end of file; everything that comes back.
async fn converse(wire: &[u8], piece: usize, format: Format) -> Vec<Answer> {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (mut reader, mut writer) = tokio::io::split(client);
    let mut received = Vec::new();
    let conversation = async {
        tokio::join!(
            echo(server, format),
            async {
                for piece in wire.chunks(piece) {
                    // The server is free to hang up early.
                    if writer.write_all(piece).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                writer.shutdown().await.unwrap();
            },
            async { reader.read_to_end(&mut received).await.unwrap() },
        )
    };
    tokio::time::timeout(Duration::from_secs(20), conversation).await.expect("it comes to an end");
    let (answers, rest) = client::answers(&received);
    assert!(rest.is_empty(), "the last frame is cut");
    answers
}

async fn check_as(format: Format, name: &str, sent: &[&[u8]], expected: &[Answer]) {
    let wire = sent.concat();
    for piece in [usize::MAX, 997, 1] {
        let answers = converse(&wire, piece, format).await;
        assert!(answers == expected, "{name} in pieces of {piece}: {}", show(&answers));
    }
}

async fn check(name: &str, sent: &[&[u8]], expected: &[Answer]) {
    check_as(Format::Text, name, sent, expected).await;
}

fn show(answers: &[Answer]) -> String {
    let lines = answers.iter().map(|(opcode, payload)| {
        let start = payload.len().min(40);
        format!("{opcode:x} {} {:?}", payload.len(), String::from_utf8_lossy(&payload[..start]))
    });
    lines.collect::<Vec<_>>().join(", ")
}

fn text(payload: impl AsRef<[u8]>) -> Answer {
    (TEXT, payload.as_ref().to_vec())
}

fn pong(payload: impl AsRef<[u8]>) -> Answer {
    (PONG, payload.as_ref().to_vec())
}

fn closed(code: u16) -> Answer {
    (CLOSE, code.to_be_bytes().to_vec())
}

fn broken(code: u16, reason: &str) -> Answer {
    (CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[tokio::test]
async fn section_1_sizes() {
    let bye = close(1000, "");
    for size in [0, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = vec![b'*'; size];
        let sent = frame(LAST | TEXT, &payload);
        check("1.1", &[&sent, &bye], &[text(&payload), closed(1000)]).await;
        let payload = vec![0xFE; size];
        let sent = frame(LAST | BINARY, &payload);
        let expected = [(BINARY, payload), closed(1000)];
        check_as(Format::Binary, "1.2", &[&sent, &bye], &expected).await;
    }
    let sent = frame(LAST | TEXT, &vec![b'*'; 65_537]);
    check("9.1", &[&sent], &[broken(1009, "message too big")]).await;
}

#[tokio::test]
async fn section_2_pings_and_pongs() {
    let bye = close(1000, "");
    let binary = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    for payload in [&b""[..], b"Hello, world!", &binary, &[0xFE; 125]] {
        let sent = frame(LAST | PING, payload);
        check("2.1-2.4", &[&sent, &bye], &[pong(payload), closed(1000)]).await;
    }
    let long = frame(LAST | PING, &[0xFE; 126]);
    check("2.5", &[&long], &[broken(1002, "control frame over 125 bytes")]).await;
    let unasked = frame(LAST | PONG, b"unsolicited pong payload");
    check("2.7-2.8", &[&unasked, &bye], &[closed(1000)]).await;
    let ping = frame(LAST | PING, b"ping payload");
    check("2.9", &[&unasked, &ping, &bye], &[pong("ping payload"), closed(1000)]).await;

    let sent: Vec<u8> = (0..10).flat_map(|n| frame(LAST | PING, &[b'p', n])).collect();
    let mut expected: Vec<_> = (0..10).map(|n| pong([b'p', n])).collect();
    expected.push(closed(1000));
    check("2.10-2.11", &[&sent, &bye], &expected).await;
}

#[tokio::test]
async fn section_3_reserved_bits() {
    let (hello, ping) = (frame(LAST | TEXT, b"Hello"), frame(LAST | PING, b""));
    let refused = broken(1002, "reserved bit set");
    for bits in 1..8 {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            let bad = frame(LAST | (bits << 4) | opcode, b"");
            check("3.1-3.7", &[&bad, &hello], std::slice::from_ref(&refused)).await;
            let expected = [text("Hello"), refused.clone()];
            check("3.2-3.4", &[&hello, &bad, &ping], &expected).await;
        }
    }
}

#[tokio::test]
async fn section_4_opcodes() {
    let (hello, ping) = (frame(LAST | TEXT, b"Hello"), frame(LAST | PING, b""));
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"reserved opcode payload"] {
            let bad = frame(LAST | opcode, payload);
            let expected = [text("Hello"), broken(1002, "unknown opcode")];
            check("4", &[&hello, &bad, &ping], &expected).await;
        }
    }
}

#[tokio::test]
async fn section_5_fragmentation() {
    let bye = close(1000, "");
    let one = frame(TEXT, b"fragment1");
    let two = frame(CONTINUATION, b"fragment2");
    let end = frame(LAST | CONTINUATION, b"fragment3");
    let ping = frame(LAST | PING, b"ping");
    let whole = text("fragment1fragment2fragment3");
    for opcode in [PING, PONG, CLOSE] {
        let bad = [frame(opcode, b""), frame(LAST | CONTINUATION, b"")].concat();
        check("5.1-5.2", &[&bad], &[broken(1002, "fragmented control frame")]).await;
    }
    check("5.3-5.5", &[&one, &two, &end, &bye], &[whole.clone(), closed(1000)]).await;
    let sent: [&[u8]; 5] = [&one, &ping, &two, &end, &bye];
    check("5.6-5.8", &sent, &[pong("ping"), whole.clone(), closed(1000)]).await;

    let hello = frame(LAST | TEXT, b"Hello");
    let nothing = broken(1002, "continuation without a message");
    for stray in [&end, &two] {
        check("5.9-5.14", &[stray, &hello], std::slice::from_ref(&nothing)).await;
        let expected = [whole.clone(), nothing.clone()];
        check("5.15", &[&one, &two, &end, stray, &hello], &expected).await;
    }
    check("5.18", &[&one, &hello], &[broken(1002, "message inside another")]).await;
    let sent: [&[u8]; 9] = [&one, &two, &ping, &two, &two, &ping, &end, &ping, &bye];
    let long = text("fragment1fragment2fragment2fragment2fragment3");
    check("5.19-5.20", &sent, &[pong("ping"), pong("ping"), long, pong("ping"), closed(1000)])
        .await;
}

#[tokio::test]
async fn section_6_utf8() {
    let bye = close(1000, "");
    let (begin, middle) = (frame(TEXT, b""), frame(CONTINUATION, b""));
    let end = frame(LAST | CONTINUATION, b"");
    check("6.1.2", &[&begin, &middle, &end, &bye], &[text(""), closed(1000)]).await;
    let payload = frame(CONTINUATION, b"middle frame payload");
    let expected = [text("middle frame payload"), closed(1000)];
    check("6.1.3", &[&begin, &payload, &end, &bye], &expected).await;

    let greek = "Hello-µ@ßöäüàá-UTF-8!! κόσμε \u{10FFFF}\u{FFFE}\u{0}";
    let whole = frame(LAST | TEXT, greek.as_bytes());
    check("6.2.1", &[&whole, &bye], &[text(greek), closed(1000)]).await;
    for cut in 1..greek.len() {
        let (begin, end) = greek.as_bytes().split_at(cut);
        let sent = [frame(TEXT, begin), frame(LAST | CONTINUATION, end)].concat();
        check("6.2.2-6.2.4", &[&sent, &bye], &[text(greek), closed(1000)]).await;
    }
}

#[tokio::test]
async fn section_6_invalid_utf8() {
    let invalid: &[&[u8]] = &[
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80edited",
        b"\x80",
        b"\xBF",
        b"\x80\xBF\x80",
        b"\xC0 ",
        b"\xDF ",
        b"\xE0 ",
        b"\xF7 ",
        b"\xFB ",
        b"\xFD ",
        b"\xC0",
        b"\xE0\x80",
        b"\xF0\x80\x80",
        b"\xF8\x80\x80\x80",
        b"\xDF",
        b"\xEF\xBF",
        b"\xF7\xBF\xBF",
        b"\xFE",
        b"\xFF",
        b"\xFE\xFE\xFF\xFF",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xF0\x80\x80\xAF",
        b"\xC1\xBF",
        b"\xE0\x9F\xBF",
        b"\xF0\x8F\xBF\xBF",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xED\xAD\xBF",
        b"\xED\xBF\xBF",
        b"\xED\xA0\x80\xED\xB0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
    ];
    let refused = broken(1007, "text is not valid UTF-8");
    for bytes in invalid {
        let whole = frame(LAST | TEXT, bytes);
        check("6.3-6.22", &[&whole], std::slice::from_ref(&refused)).await;
        for cut in 0..bytes.len() {
            let (begin, end) = bytes.split_at(cut);
            let sent = [frame(TEXT, begin), frame(LAST | CONTINUATION, end)].concat();
            check("6.3-6.4", &[&sent], std::slice::from_ref(&refused)).await;
        }
        let binary = frame(LAST | BINARY, bytes);
        let expected = [(BINARY, bytes.to_vec()), closed(1000)];
        check_as(Format::Binary, "1.2", &[&binary, &close(1000, "")], &expected).await;
    }
}

#[tokio::test]
async fn section_7_close_handling() {
    let bye = close(1000, "");
    let (hello, ping) = (frame(LAST | TEXT, b"Hello"), frame(LAST | PING, b""));
    check("7.1.1", &[&hello, &bye], &[text("Hello"), closed(1000)]).await;
    check("7.1.2", &[&bye, &bye], &[closed(1000)]).await;
    check("7.1.3", &[&bye, &ping], &[closed(1000)]).await;
    check("7.1.4", &[&bye, &hello], &[closed(1000)]).await;
    let (begin, end) = (frame(TEXT, b"a"), frame(LAST | CONTINUATION, b"b"));
    check("7.1.5", &[&begin, &bye, &end], &[closed(1000)]).await;

    check("7.3.1", &[&frame(LAST | CLOSE, b"")], &[(CLOSE, vec![])]).await;
    let cut = frame(LAST | CLOSE, b"a");
    check("7.3.2", &[&cut], &[broken(1002, "close code cut short")]).await;
    check("7.3.4", &[&close(1000, "Hello World!")], &[closed(1000)]).await;
    check("7.3.5", &[&close(1000, &"*".repeat(123))], &[closed(1000)]).await;
    let long = close(1000, &"*".repeat(124));
    check("7.3.6", &[&long], &[broken(1002, "control frame over 125 bytes")]).await;
    let reason = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited";
    let invalid = frame(LAST | CLOSE, &[&1000_u16.to_be_bytes()[..], reason].concat());
    check("7.5.1", &[&invalid], &[broken(1007, "close reason is not valid UTF-8")]).await;
}

#[tokio::test]
async fn section_7_close_codes() {
    let codes = [1000..=1003, 1007..=1014, 3000..=3000, 3999..=4000, 4999..=4999];
    for code in codes.into_iter().flatten() {
        check("7.7", &[&close(code, "")], &[closed(code)]).await;
    }
    let refused = broken(1002, "invalid close code");
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check("7.9, 7.13", &[&close(code, "")], std::slice::from_ref(&refused)).await;
        check("7.9, 7.13", &[&close(code, "reason")], std::slice::from_ref(&refused)).await;
    }
}
