//! Clients of WebTransport that break rules, move, or do not read: what becomes of them, and what
//! they cost.

use std::time::Duration;

use futures_util::future::join_all;
use quinn::Endpoint;
use serde_json::json;

use crate::client::Client;
use crate::node::Node;
use crate::random::Random;
use crate::time::{is_long, within};
use crate::webtransport::start;
use crate::webtransport_raw::{CONTROL, Raw, RawSession, SESSION, headers, request, status};

const INFLIGHT: &str = "nearcast_client_connections_inflight{transport=\"webtransport\"}";

#[tokio::test]
async fn a_session_goes_on_from_another_address() {
    let node = start(&[]).await;
    let mut session = RawSession::connected(&node).await;
    session.say(r#"{"id":2,"subscribe":{"channel":"a"}}"#).await;
    session.hear().await;
    for round in 1..=2 {
        session.raw.rebind();
        session.say(r#"{"id":3,"ping":{}}"#).await;
        assert!(session.hear().await.contains("\"id\":3"));
        node.api("publish", &json!({"channel": "a", "data": round})).await;
        assert!(session.hear().await.contains("\"pub\""));
        // The address counts once a message has come from it.
        session.say(r#"{"id":4,"ping":{}}"#).await;
        session.hear().await;
        node.wait_for_metric("nearcast_quic_migrations", round).await;
    }
    assert_eq!(node.metric(INFLIGHT).await, 1);
}

#[tokio::test]
async fn what_breaks_http3_is_refused_by_its_code() {
    let node = start(&[]).await;
    let (frame_unexpected, settings, excessive, rejected, decompression) =
        (0x105, 0x109, 0x107, 0x10B, 0x200);
    let get = headers(&[(":method", "GET"), (":scheme", "https"), (":path", "/")]);
    let huge = [&[1, 0x80, 0, 0x80, 0][..], &[0; 64]].concat();
    let dynamic = [1, 3, 0, 0, 0x80];
    let endless = [&[1, 16, 0, 0, 0x51, 0x7F][..], &[0xFF; 12]].concat();
    for (control, asked, code) in [
        (CONTROL, &[0, 1, 0][..], frame_unexpected),
        (CONTROL, &get, rejected),
        (CONTROL, &huge, excessive),
        (CONTROL, &dynamic, decompression),
        (CONTROL, &endless, decompression),
        // HTTP/2's setting 2 must not be sent.
        (&[0, 4, 2, 2, 0], &request(), settings),
        (&[0, 4, 4, 0x33, 1, 0x33, 1], &request(), settings),
    ] {
        let raw = Raw::dial(&node).await;
        let _control = raw.uni(control).await;
        let _asked = raw.bi(asked).await;
        assert_eq!(raw.end().await, code, "{control:?} {asked:?}");
    }
    assert_eq!(
        node.metric("nearcast_client_connections_accepted{transport=\"webtransport\"}").await,
        0
    );
}

#[tokio::test]
async fn what_is_unknown_is_skipped() {
    let node = start(&[]).await;
    let raw = Raw::dial(&node).await;
    // A reserved stream, QPACK's, then control with an unknown setting, each cut in pieces.
    let _reserved = raw.uni(&[0x21, 1, 2, 3]).await;
    let _encoder = raw.uni(&[2]).await;
    let mut control = raw.uni(&[0]).await;
    for piece in [&[0x21, 2, 9][..], &[9, 4], &[3, 0x40], &[0x99, 1]] {
        within("sending", control.write_all(piece)).await.unwrap();
    }
    let reserved = [&[0x40, 0x5F, 0x44, 0][..], &[7; 1024]].concat();
    let (mut send, mut receive) = raw.bi(&reserved).await;
    for byte in request() {
        within("sending", send.write_all(&[byte])).await.unwrap();
    }
    assert_eq!(status(&mut receive).await, "200");
    // A stream of another session comes first.
    let _other = raw.bi(&[0x40, 0x41, 4]).await;
    let (mut talk, mut hear) = raw.bi(SESSION).await;
    within("sending", talk.write_all(b"{\"id\":1,\"connect\":{}}\n")).await.unwrap();
    let mut some = [0; 512];
    assert!(within("a reply", hear.read(&mut some)).await.unwrap().unwrap() > 20);
    // A capsule that nobody knows, and the one that says goodbye, in several DATA frames.
    let unknown = [&[0, 0x44, 4, 0x40, 0x50, 0x44, 0][..], &[1; 1024]].concat();
    for bytes in [&unknown[..], &[0, 3, 0x68, 0x43, 6], &[0, 6, 0, 0, 0, 77, b'o', b'k']] {
        assert_eq!(node.metric(INFLIGHT).await, 1);
        within("sending", send.write_all(bytes)).await.unwrap();
    }
    node.wait_for_metric(INFLIGHT, 0).await;
    assert_eq!(raw.end().await, 0x100);
}

/// A session whose request, or whose stream, comes in two parts, each in packets of its own.
async fn session_in_two_parts(node: &Node, endpoint: Endpoint, at: usize) {
    let commands = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"ping\":{}}\n";
    let stream = [SESSION, commands.as_bytes()].concat();
    let request = request();
    let raw = Raw::dial_from(endpoint, node).await;
    let _control = raw.uni(CONTROL).await;
    raw.has_sent(1).await;
    let (first, second) = request.split_at(at.min(request.len()));
    let (mut send, mut receive) = raw.bi(first).await;
    raw.has_sent(2).await;
    send.write_all(second).await.unwrap();
    assert_eq!(status(&mut receive).await, "200", "cut at {at}");
    let (first, second) = stream.split_at(at.saturating_sub(request.len()).max(1));
    let sent = raw.sent();
    let (mut send, mut receive) = raw.bi(first).await;
    raw.has_sent(sent + 1).await;
    send.write_all(second).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("\"id\":2") {
        let mut some = [0; 1024];
        let length = within("a reply", receive.read(&mut some)).await.unwrap();
        let length = length.unwrap_or_else(|| panic!("cut at {at}: {heard}"));
        heard.push_str(std::str::from_utf8(&some[..length]).unwrap());
    }
    assert!(heard.contains("\"client\""), "cut at {at}: {heard}");
}

#[tokio::test]
async fn a_session_is_the_same_wherever_its_bytes_are_cut() {
    let node = start(&[]).await;
    let endpoint = Raw::endpoint();
    // The stream has 44 bytes.
    let borders: Vec<usize> = (1..request().len() + 44).collect();
    for some in borders.chunks(25) {
        let sessions = some.iter().map(|at| session_in_two_parts(&node, endpoint.clone(), *at));
        join_all(sessions).await;
    }
}

#[tokio::test]
async fn streams_that_are_reset_end_the_session() {
    let node = start(&[]).await;
    for number in 0_u8..5 {
        let mut session = RawSession::connected(&node).await;
        let (connect, stream) = (&mut session.connect, &mut session.stream);
        match number {
            0 => stream.0.reset(1_u8.into()).unwrap(),
            1 => stream.0.finish().unwrap(),
            2 => connect.0.reset(1_u8.into()).unwrap(),
            3 => connect.0.finish().unwrap(),
            _ => session.raw.connection.close(0_u8.into(), b""),
        }
        node.wait_for_metric(INFLIGHT, 0).await;
        if number < 2 {
            assert_eq!(session.close_code().await, Some(1000));
        }
    }
    // A stream that the client does not want to read any more is found when something is said.
    let mut session = RawSession::connected(&node).await;
    session.stream.1.stop(1_u8.into()).unwrap();
    session.say(r#"{"id":2,"ping":{}}"#).await;
    node.wait_for_metric(INFLIGHT, 0).await;
}

#[tokio::test]
async fn ten_thousand_streams_are_a_few() {
    let node = start(&[]).await;
    let mut session = RawSession::connected(&node).await;
    let before = node.resident_kib();
    let connection = session.raw.connection.clone();
    let mut opened = Vec::new();
    let opening = async {
        for _ in 0..10_000 {
            let mut uni = connection.open_uni().await.unwrap();
            uni.write_all(&[0x40, 0x54, 0]).await.unwrap();
            opened.push(uni);
        }
    };
    let patience = Duration::from_secs(1);
    assert!(tokio::time::timeout(patience, opening).await.is_err(), "no bound");
    assert!(opened.len() < 8, "{} streams", opened.len());
    session.say(r#"{"id":2,"ping":{}}"#).await;
    assert!(session.hear().await.contains("\"id\":2"));
    assert!(node.resident_kib() < before + 1024);
}

#[tokio::test]
async fn a_session_that_never_reads_is_cut_and_slows_nobody() {
    let node = start(&[]).await;
    let mut reader = Client::connect(&node).await;
    reader.subscribe("plain:a").await;
    let mut deaf = RawSession::connected(&node).await;
    deaf.say(r#"{"id":2,"subscribe":{"channel":"plain:a"}}"#).await;
    deaf.hear().await;
    let before = node.resident_kib();
    let slow = "nearcast_client_num_server_disconnects{code=\"3008\"}";
    let filling = "x".repeat(32 << 10);
    let (mut number, mut most) = (0, before);
    while node.metric(slow).await == 0 {
        // quinn's client lets 1.25 MB wait in a stream that nobody reads.
        assert!(number < 256, "8 MiB wait for one client");
        node.api("publish", &json!({"channel": "plain:a", "data": [number, filling]})).await;
        assert_eq!(reader.publication().await[0], number);
        number += 1;
        most = most.max(node.resident_kib());
    }
    assert!(number >= 32, "cut after {number} publications");
    assert!(most < before + (12 << 10), "{before} KiB grew to {most}");
    assert_eq!(deaf.close_code().await, Some(3008));
    node.wait_for_metric(INFLIGHT, 0).await;
}

/// One connection's worth of noise.
async fn misbehave(node: &Node, mut random: Random) {
    let length = 1 + random.below(300);
    let noise = random.bytes(length);
    match random.below(4) {
        0 => {
            let raw = Raw::dial(node).await;
            let (_uni, _bi) = (raw.uni(&noise).await, raw.bi(&noise).await);
        }
        1 => {
            let raw = Raw::dial(node).await;
            let _control = raw.uni(CONTROL).await;
            let payload = [
                &[
                    1,
                    0x40 | u8::try_from(length >> 8).unwrap(),
                    u8::try_from(length & 0xFF).unwrap(),
                ],
                &noise[..],
            ];
            let (_send, mut receive) = raw.bi(&payload.concat()).await;
            drop(within("an answer", receive.read(&mut [0; 8])).await);
        }
        2 => {
            let mut session = RawSession::open(node).await;
            within("sending", session.stream.0.write_all(&noise)).await.unwrap();
            session.say("").await;
            let code = session.close_code().await;
            assert_eq!(code, Some(3501), "{noise:?}");
        }
        _ => {
            let mut session = RawSession::connected(node).await;
            within("sending", session.connect.0.write_all(&noise)).await.unwrap();
            drop(session);
        }
    }
}

#[tokio::test]
async fn noise_leaves_no_trace() {
    let node = start(&[]).await;
    let mut random = Random::new(11);
    let mut warm = 0;
    for round in 0..4 {
        // Two hundred, or thousands, many at a time.
        for _ in 0..if is_long() { 100 } else { 2 } {
            let seeds: Vec<u64> = (0..25).map(|_| random.number()).collect();
            join_all(seeds.into_iter().map(|seed| misbehave(&node, Random::new(seed)))).await;
        }
        let resident = node.resident_kib();
        if round == 0 {
            warm = resident;
        }
        assert!(resident < warm + (8 << 10), "{warm} KiB grew to {resident}");
    }
    node.wait_for_metric(INFLIGHT, 0).await;
    assert_eq!(node.metric("nearcast_node_connection_panics").await, 0);
}

#[tokio::test]
async fn idle_sessions_are_small() {
    let count = if is_long() { 2000 } else { 200 };
    let node =
        start(&[("webtransport.address_limit", "off"), ("client.ping_interval", "1h")]).await;
    let endpoint = Raw::endpoint();
    let mut sessions = Vec::new();
    let open = async || {
        let mut session = RawSession::over(Raw::dial_from(endpoint.clone(), &node).await).await;
        session.say(r#"{"id":1,"connect":{}}"#).await;
        session.say(r#"{"id":2,"subscribe":{"channel":"a"}}"#).await;
        while !session.hear().await.contains("\"id\":2") {}
        session
    };
    // What the process needs for the first ones it keeps.
    for _ in 0..20 {
        sessions.push(open().await);
    }
    let before = node.resident_kib();
    for _ in 0..count {
        sessions.push(open().await);
    }
    let grown = node.resident_kib() - before;
    eprintln!("{grown} KiB for {count} sessions");
    assert!(grown < 40 * count, "{grown} KiB for {count} sessions");
    assert_eq!(node.metric(INFLIGHT).await, count + 20);
}
