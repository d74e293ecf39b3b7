//! What bounds WebTransport: handshakes, connections, and what one that does not read may hold.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use quinn::{Connecting, ConnectionError, Endpoint, TransportConfig};
use serde_json::json;
use tokio::net::UdpSocket;

use crate::client::Client;
use crate::node::{Node, token};
use crate::time::within;
use crate::webtransport::{Session, start};
use crate::webtransport_raw::{CONTROL, Raw, RawSession, request, status};

/// The first packets of clients that are never heard of again.
struct Halves {
    endpoint: Endpoint,
    node: SocketAddr,
}

/// A client on whose way to the node only some packets are let through.
struct Half {
    _connecting: Connecting,
    /// What the client takes for the node.
    tap: UdpSocket,
    /// What the node takes for the client.
    socket: UdpSocket,
    node: SocketAddr,
}

impl Halves {
    fn of(node: &Node) -> Halves {
        let node = node.addresses["webtransport"].as_str().unwrap().parse().unwrap();
        Halves { endpoint: Raw::endpoint(), node }
    }

    /// Begins a handshake from this address.
    async fn begin(&self, from: [u8; 4]) -> Half {
        let half = self.begin_half(from).await;
        half.pass_on().await;
        half
    }

    /// A client whose first packet waits.
    async fn begin_half(&self, from: [u8; 4]) -> Half {
        let tap = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let _connecting = self.endpoint.connect(tap.local_addr().unwrap(), "localhost").unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::from(from), 0)).await.unwrap();
        Half { _connecting, tap, socket, node: self.node }
    }

    /// The same, and proves the address, for which the node asks.
    async fn begin_proven(&self, from: [u8; 4]) {
        let half = self.begin(from).await;
        let mut packet = [0; 1500];
        let length = within("a retry", half.socket.recv(&mut packet)).await.unwrap();
        let client = self.endpoint.local_addr().unwrap();
        half.tap.send_to(&packet[..length], client).await.unwrap();
        half.pass_on().await;
    }

    /// As many as it takes until the node asks for proofs; how many.
    async fn keep_busy(&self, node: &Node, from: [u8; 4]) -> usize {
        let mut begun = 0;
        // Each of them holds its place for 5 s.
        while node.metric(RETRIED).await == 0 {
            assert!(begun < 1000, "1,000 handshakes");
            for _ in 0..16 {
                self.begin(from).await;
                begun += 1;
            }
        }
        begun
    }
}

impl Half {
    /// Hands the client's next packet to the node: its bytes.
    async fn pass_on(&self) -> usize {
        let mut packet = [0; 1500];
        let length = within("a packet", self.tap.recv(&mut packet)).await.unwrap();
        self.socket.send_to(&packet[..length], self.node).await.unwrap();
        length
    }
}

const RETRIED: &str = "nearcast_quic_connections{outcome=\"retried\"}";
const REFUSED: &str = "nearcast_quic_connections{outcome=\"refused\"}";

/// Whoever writes an address that is not his keeps nobody out who has it.
#[tokio::test]
async fn addresses_must_prove_themselves_while_many_handshakes_are_under_way() {
    let node = start(&[]).await;
    let halves = Halves::of(&node);
    let begun = halves.keep_busy(&node, [127, 0, 0, 1]).await;
    assert!((257..512).contains(&begun), "after {begun} handshakes");
    RawSession::connected(&node).await;
    assert_eq!(node.metric(REFUSED).await, 0);
}

#[tokio::test]
async fn one_address_has_a_share_of_the_handshakes() {
    let node = start(&[]).await;
    let halves = Halves::of(&node);
    halves.keep_busy(&node, [127, 0, 1, 1]).await;
    let mut begun = 0;
    while node.metric(REFUSED).await == 0 {
        assert!(begun < 1000, "1,000 handshakes");
        for _ in 0..16 {
            halves.begin_proven([127, 0, 1, 2]).await;
            begun += 1;
        }
    }
    assert!(begun >= 256, "after {begun} handshakes");
    RawSession::connected(&node).await;
}

#[tokio::test]
async fn who_says_no_more_after_the_handshake_keeps_nobody_out() {
    let node = start(&[]).await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(Raw::dial_from(Raw::endpoint(), &node).await);
    }
    RawSession::connected(&node).await;
    assert_eq!(node.metric(RETRIED).await, 0);
}

const INFLIGHT: &str = "nearcast_client_connections_inflight{transport=\"webtransport\"}";

/// An address that is not the client's is not flooded: quinn answers three times what came, and at
/// most a packet more.
#[tokio::test]
async fn who_is_not_proven_is_sent_little() {
    let node = start(&[]).await;
    let halves = Halves::of(&node);
    let half = halves.begin_half([127, 0, 1, 1]).await;
    let sent = half.pass_on().await;
    let mut got = 0;
    let answers = async {
        loop {
            let mut packet = [0; 1500];
            got += half.socket.recv(&mut packet).await.unwrap();
        }
    };
    drop(tokio::time::timeout(Duration::from_secs(8), answers).await);
    assert!((1..=3 * sent + 1200).contains(&got), "{got} bytes for {sent}");
}

#[tokio::test]
async fn connections_have_a_limit_of_their_own() {
    let node = start(&[("webtransport.connection_limit", "2")]).await;
    let _sessions = (Session::connect(&node).await, Session::connect(&node).await);
    let third = Raw::try_dial(&Raw::endpoint(), &node, "localhost").await;
    assert!(matches!(third, Err(ConnectionError::ConnectionClosed(_))), "{third:?}");
    node.wait_for_metric(REFUSED, 1).await;
    Client::connect(&node).await;
}

#[tokio::test]
async fn a_protocol_that_nobody_serves_is_refused_in_the_handshake() {
    let node = start(&[]).await;
    for protocols in [&[b"hq".to_vec()][..], &[]] {
        let endpoint = Raw::endpoint_speaking(protocols);
        let dialled = Raw::try_dial(&endpoint, &node, "localhost").await;
        match dialled.unwrap_err() {
            // no_application_protocol of TLS.
            ConnectionError::ConnectionClosed(close) => {
                assert_eq!(close.error_code, quinn::TransportErrorCode::crypto(120));
            }
            other => panic!("{other}"),
        }
    }
    RawSession::connected(&node).await;
}

#[tokio::test]
async fn limits_of_a_websocket_are_those_of_a_session() {
    let node = start(&[("client.connection_rate_limit", "1")]).await;
    let _first = RawSession::connected(&node).await;
    let raw = Raw::dial(&node).await;
    let _control = raw.uni(CONTROL).await;
    let (_send, mut receive) = raw.bi(&request()).await;
    assert_eq!(status(&mut receive).await, "429");

    let settings = [
        ("client.user_connection_limit", "1"),
        ("client.channel_limit", "1"),
        ("client.stale_close_delay", "1s"),
    ];
    let node = start(&settings).await;
    let ann = json!({"token": token(&json!({"sub": "ann"}))});
    let mut session = Session::connect_as(&node, ann.clone()).await;
    let mut second = Session::open(&node).await;
    second.command(json!({ "connect": ann })).await;
    assert_eq!(second.message().await["push"]["disconnect"]["code"], 3504);
    let subscribe = |channel: &str| json!({"subscribe": {"channel": channel}});
    assert!(session.ask(subscribe("a")).await["subscribe"].is_object());
    assert_eq!(session.ask(subscribe("b")).await["error"]["code"], 106);
    let silent = Session::open(&node).await;
    assert_eq!(silent.closed().await.0, 3502);
}

#[tokio::test]
async fn who_answers_no_ping_is_gone() {
    let settings = [("client.ping_interval", "2s"), ("client.pong_timeout", "1s")];
    let node = start(&settings).await;
    let mut session = RawSession::connected(&node).await;
    assert_eq!(session.close_code().await, Some(3012));
    node.wait_for_metric(INFLIGHT, 0).await;
}

/// A hundred that never read, of small messages, which are copied for each.
#[tokio::test]
async fn hundreds_that_do_not_read_hold_a_bounded_memory() {
    const SESSIONS: usize = 100;
    let node = start(&[("client.queue_max_size", "131072")]).await;
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(4096_u32.into());
    let endpoint = Raw::endpoint_with(transport);
    let deaf = (0..SESSIONS).map(async |_| {
        let mut session = RawSession::connected_from(endpoint.clone(), &node).await;
        session.say(r#"{"id":2,"subscribe":{"channel":"plain:a"}}"#).await;
        session.hear().await;
        session
    });
    let deaf = join_all(deaf).await;
    let mut reader = Client::connect(&node).await;
    reader.subscribe("plain:a").await;
    let before = node.resident_kib();
    let slow = "nearcast_client_num_server_disconnects{code=\"3008\"}";
    let filling = "x".repeat(1000);
    let (mut number, mut most) = (0, before);
    while node.metric(slow).await < SESSIONS as u64 {
        assert!(number < 4000, "4 MB wait for each");
        for _ in 0..50 {
            node.api("publish", &json!({"channel": "plain:a", "data": [number, filling]})).await;
            assert_eq!(reader.publication().await[0], number);
            number += 1;
        }
        most = most.max(node.resident_kib());
    }
    // For each its queue, what QUIC holds and what a write buffer may: 128 + 128 + 64 KiB.
    let each = (most - before) / SESSIONS as u64;
    assert!(each < 480, "{each} KiB each");
    drop(deaf);
    node.wait_for_metric(INFLIGHT, 0).await;
}

/// Streams that come and go give their places back, and nothing else.
#[tokio::test]
async fn streams_that_come_and_go_cost_nothing() {
    let node = start(&[]).await;
    let mut session = RawSession::connected(&node).await;
    let connection = session.raw.connection.clone();
    let before = node.resident_kib();
    let churn = async {
        for number in 0..10_000_u32 {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            send.write_all(&[0x40, 0x41, 0]).await.unwrap();
            match number % 2 {
                0 => send.reset(1_u8.into()).unwrap(),
                _ => send.finish().unwrap(),
            }
            receive.stop(1_u8.into()).unwrap();
        }
    };
    // Whether they come to their bound or go on, the session goes on.
    drop(tokio::time::timeout(Duration::from_secs(2), churn).await);
    session.say(r#"{"id":2,"ping":{}}"#).await;
    assert!(session.hear().await.contains("\"id\":2"));
    assert!(node.resident_kib() < before + 1024);
}
