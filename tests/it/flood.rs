//! Bad input in bulk: the node's memory stays as it was, and a healthy client notices nothing.

use std::cell::Cell;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::node::Node;
use crate::random::Random;
use crate::raw::{BINARY, LAST, Raw, TEXT, announce, frame, upgrade};
use crate::time::is_long;

const SEED: u64 = 7;
const TASKS: usize = 8;
/// What memory may grow by after the first tenth.
const GROWTH_KIB: u64 = 16 << 10;

/// Commands that are answered by an error, or not at all; the connection goes on.
const MISTAKES: &[&str] = &[
    r#"{"id":9,"subscribe":{"channel":"nowhere:a"}}"#,
    r#"{"id":9,"subscribe":{"channel":""}}"#,
    r#"{"id":9,"subscribe":{"channel":"a","type":1}}"#,
    r#"{"id":9,"subscribe":{"channel":"a","tf":{"op":"and"}}}"#,
    r#"{"id":9,"subscribe":{"channel":"a","token":"x.y.z"}}"#,
    r#"{"id":9,"publish":{"channel":"nowhere:a","data":{}}}"#,
    r#"{"id":9,"publish":{"channel":"a"}}"#,
    r#"{"id":9,"history":{"channel":"plain:a","limit":-5}}"#,
    r#"{"id":9,"presence":{"channel":"plain:a"}}"#,
    r#"{"id":9,"rpc":{"method":"none","data":[]}}"#,
    r#"{"id":9,"sub_refresh":{"channel":"a","token":"x"}}"#,
    r#"{"id":9,"unsubscribe":{"channel":"never-had"}}"#,
    r#"{"send":{"data":[1,2,3]}}"#,
];

/// Messages that end the connection.
const FATAL: &[&str] = &[
    "",
    "{}",
    "nonsense",
    r#"{"id":9}"#,
    r#"{"id":9,"connect":{}}"#,
    r#"{"id":0,"subscribe":{"channel":"a"}}"#,
    r#"{"id":9,"subscribe":{"channel":[]}}"#,
    r#"{"id":-9,"ping":{}}"#,
    "[[[[[[[[[[[[[[[[",
];

/// Frames that end the connection, whatever was said before.
fn broken_frame(random: &mut Random) -> Vec<u8> {
    let length = random.below(200);
    let noise = random.bytes(length);
    match random.below(9) {
        0 => frame(LAST | TEXT, format!(r#"{{"id":1,"a":{}"#, "[".repeat(20_000)).as_bytes()),
        1 => frame(LAST | TEXT, b"\"\xff\xfe\""),
        2 => [&[LAST | TEXT, 2][..], b"{}"].concat(),
        3 => announce(LAST | TEXT, 1 << (17 + random.below(46))),
        4 => frame(LAST | BINARY, &noise),
        5 => frame(LAST | 0x70 | TEXT, &noise),
        6 => frame(LAST, &noise),
        7 => frame(LAST | TEXT, &vec![b' '; 65_537]),
        _ => frame(LAST | 0x5, &noise),
    }
}

/// Bytes in place of a request.
fn broken_request(random: &mut Random) -> Vec<u8> {
    let length = 1 + random.below(300);
    match random.below(4) {
        0 => [random.bytes(length), b"\r\n\r\n".to_vec()].concat(),
        1 => upgrade("/connection/websocket", &[("Sec-WebSocket-Key", "x")]).into_bytes(),
        2 => upgrade("/connection/websocket", &[("Origin", "null")]).into_bytes(),
        _ => b"GET /connection/websocket HTTP/1.1\r\nHost\r\n\r\n".to_vec(),
    }
}

/// One connection's worth of bad input: how many inputs.
async fn misbehave(node: &Node, random: &mut Random) -> usize {
    match random.below(10) {
        0 => {
            let mut raw = Raw::dial(node.http).await;
            raw.write(&broken_request(random)).await;
            let answer = raw.head().await;
            assert!(answer.starts_with("HTTP/1.1 4"), "seed {SEED}: {answer}");
            1
        }
        1 => {
            // Hangs up in the middle of a request or of a frame.
            let request = upgrade("/connection/websocket", &[]).into_bytes();
            let whole = [request, frame(LAST | TEXT, br#"{"id":1,"connect":{}}"#)].concat();
            let mut raw = Raw::dial(node.http).await;
            raw.write(&whole[..random.below(whole.len())]).await;
            1
        }
        2 => {
            let mut raw = Raw::open(node.http, "?cf_protocol=protobuf").await;
            // The announced length is never there: no message of chance is a connect by chance.
            let length = random.below(100);
            let noise = [vec![0xFF, 0xFF, 0x7F], random.bytes(length)].concat();
            raw.binary(&noise).await;
            assert_eq!(raw.close_code().await, Some(3501), "seed {SEED}");
            1
        }
        3 => {
            let mut raw = Raw::open(node.http, "").await;
            raw.write(&broken_frame(random)).await;
            let code = raw.close_code().await;
            let fitting = [1002, 1007, 1009, 3501, 3506];
            assert!(code.is_some_and(|code| fitting.contains(&code)), "seed {SEED}: {code:?}");
            1
        }
        _ => insist(node, random).await,
    }
}

/// Mistake upon mistake on one connection, then something fatal.
async fn insist(node: &Node, random: &mut Random) -> usize {
    let mut raw = Raw::open(node.http, "").await;
    let count = 1 + random.below(30);
    let mut commands = vec![r#"{"id":1,"connect":{}}"#];
    commands.extend((0..count).map(|_| *random.pick(MISTAKES)));
    raw.text(&commands.join("\n")).await;
    if random.below(2) == 0 {
        raw.text(random.pick::<&str>(FATAL)).await;
        assert_eq!(raw.close_code().await, Some(3501), "seed {SEED}");
    } else {
        raw.write(&broken_frame(random)).await;
        assert!(raw.close_code().await.is_some(), "seed {SEED}");
    }
    count + 1
}

/// Sends `count` bad inputs from several connections at a time.
async fn flood(node: &Arc<Node>, count: usize, seed: u64) {
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let node = node.clone();
        let mut random = Random::new(seed + u64::try_from(number).unwrap());
        tasks.spawn(async move {
            let mut sent = 0;
            while sent < count / TASKS {
                sent += misbehave(&node, &mut random).await;
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_bad_inputs_leave_no_trace() {
    let is_full = !cfg!(debug_assertions) || is_long();
    let part = if is_full { 10_000 } else { 1_000 };
    let mut node = Node::start(&[]).await;
    node.expect_warning(crate::handshake::REFUSED_PAGE);
    let node = Arc::new(node);
    let mut healthy = Client::connect(&node).await;
    healthy.subscribe("healthy").await;
    let mut warm = 0;
    for round in 0..10_u64 {
        let publish = json!({"channel": "healthy", "data": round});
        let is_over = Cell::new(false);
        let flooding = async {
            flood(&node, part, SEED + round * 1000).await;
            is_over.set(true);
        };
        let living = async {
            let mut heard = 0;
            while !is_over.get() {
                node.api("publish", &publish).await;
                assert_eq!(healthy.publication().await, round);
                heard += 1;
            }
            heard
        };
        let ((), heard) = tokio::join!(flooding, living);
        assert!(heard > 0, "the healthy client heard nothing in round {round}");
        let resident = node.resident_kib();
        if round == 0 {
            warm = resident;
        }
        assert!(resident < warm + GROWTH_KIB, "{warm} KiB grew to {resident} in round {round}");
    }
    node.wait_for_metric("nearcast_client_connections_inflight{transport=\"websocket\"}", 1).await;
    assert_eq!(node.metric("nearcast_node_num_clients").await, 1);
    assert_eq!(node.metric("nearcast_node_num_subscriptions").await, 1);
    assert_eq!(node.metric("nearcast_node_connection_panics").await, 0);
}
