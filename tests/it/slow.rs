//! Clients that do not read, or not fast: what they cost, and what the others notice.

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use crate::client::Client;
use crate::node::Node;
use crate::raw::{LAST, Raw, TEXT, frame, upgrade};
use crate::time::{now, within};

/// A subscriber that never reads again, with as little room in its kernel as it can have.
pub(crate) async fn deaf(node: &Node, channel: &str) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = within("a connection", socket.connect(node.http)).await.unwrap();
    let subscribe = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
    let commands = format!("{}\n{subscribe}", r#"{"id":1,"connect":{}}"#);
    let request = upgrade("/connection/websocket", &[]).into_bytes();
    let bytes = [request, frame(LAST | TEXT, commands.as_bytes())].concat();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("\"subscribe\"") {
        let mut some = [0; 512];
        let length = within("the reply", stream.read(&mut some)).await.unwrap();
        assert_ne!(length, 0, "the connection ended: {heard}");
        heard.push_str(&String::from_utf8_lossy(&some[..length]));
    }
    stream
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_and_slows_nobody() {
    let node = Node::start(&[]).await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        let mut reader = Client::connect(&node).await;
        reader.subscribe("plain:a").await;
        readers.push(reader);
    }
    let mut deaf = deaf(&node, "plain:a").await;
    let before = node.resident_kib();
    let slow = "nearcast_client_num_server_disconnects{code=\"3008\"}";
    let filling = "x".repeat(32 << 10);
    let (mut number, mut most) = (0, before);
    // 1 MiB and what the kernel takes; much more than that must not be needed.
    while node.metric(slow).await == 0 {
        assert!(number < 1024, "32 MiB wait for one client");
        node.api("publish", &json!({"channel": "plain:a", "data": [number, filling]})).await;
        for reader in &mut readers {
            assert_eq!(reader.publication().await[0], number);
        }
        number += 1;
        most = most.max(node.resident_kib());
    }
    assert!(number >= 32, "cut after {number} publications");
    assert!(most < before + (12 << 10), "{before} KiB grew to {most}");
    assert_eq!(node.metric(slow).await, 1);
    node.wait_for_metric("nearcast_client_connections_inflight{transport=\"websocket\"}", 3).await;
    // It hears the end when it does read.
    let mut rest = Vec::new();
    drop(within("the end", deaf.read_to_end(&mut rest)).await);
    for reader in &mut readers {
        node.api("publish", &json!({"channel": "plain:a", "data": ["last"]})).await;
        while reader.publication().await[0] != "last" {}
    }
    let stats = node.api("channels", &json!({})).await;
    assert_eq!(stats["channels"]["plain:a"]["num_clients"], 3);
}

#[tokio::test]
async fn the_server_ends_what_does_not_read_past_all_that_waits() {
    let settings = [
        ("client.queue_max_size", "67108864"),
        ("shutdown.spread", "0s"),
        ("shutdown.timeout", "25s"),
    ];
    let mut node = Node::start(&settings).await;
    let _deaf = deaf(&node, "plain:a").await;
    let filling = "x".repeat(256 << 10);
    // More than any kernel takes.
    for _ in 0..64 {
        node.api("publish", &json!({"channel": "plain:a", "data": filling})).await;
    }
    let start = now();
    node.signal("TERM");
    assert_eq!(node.exit_code().await, Some(0));
    assert!(start.elapsed() < std::time::Duration::from_secs(12), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_is_not_cut() {
    let node = Node::start(&[]).await;
    let mut slow = Raw::over(deaf(&node, "plain:a").await);
    let filling = "y".repeat(32 << 10);
    let (mut published, mut read) = (0, 0);
    while read < 400 {
        // At most 24 publications, 768 KiB, are on their way.
        while published < 400.min(read + 24) {
            let body = json!({"channel": "plain:a", "data": [published, filling]});
            node.api("publish", &body).await;
            published += 1;
        }
        let (opcode, payload) = slow.frame().await.unwrap();
        assert_eq!(opcode, TEXT, "cut after {read} publications: {payload:?}");
        for line in payload.split(|byte| *byte == b'\n') {
            let push: Value = serde_json::from_slice(line).unwrap();
            if push != json!({}) {
                assert_eq!(push["push"]["pub"]["data"][0], read);
                read += 1;
            }
        }
    }
    assert_eq!(node.metric("nearcast_client_num_server_disconnects{code=\"3008\"}").await, 0);
}
