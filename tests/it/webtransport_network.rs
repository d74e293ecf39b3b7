//! WebTransport over a network that loses, doubles and turns round packets: what is told arrives all
//! the same, once and in order, and fixes by datagram never go back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use quinn::TransportConfig;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::geo_events::{near, view};
use crate::node::Node;
use crate::random::Random;
use crate::time::{is_long, now, within};
use crate::webtransport_raw::{Raw, RawSession};

const INFLIGHT: &str = "nearcast_client_connections_inflight{transport=\"webtransport\"}";

/// Packets of one client to a node and back; ends when it is dropped.
struct Network {
    address: SocketAddr,
    /// Each packet is lost or doubled in so many cases of a hundred, or comes behind some of those
    /// after it.
    percent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Network {
    /// One that is good at first.
    async fn to(node: &Node, random: Random) -> Network {
        let target: SocketAddr = node.addresses["webtransport"].as_str().unwrap().parse().unwrap();
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        back.connect(target).await.unwrap();
        let address = front.local_addr().unwrap();
        let percent = Arc::<AtomicUsize>::default();
        let late = Vec::new();
        let way = Way { front, back, client: None, percent: percent.clone(), random, late };
        Network { address, percent, task: tokio::spawn(way.run()) }
    }
}

struct Way {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
    percent: Arc<AtomicUsize>,
    random: Random,
    /// What comes later than it should: when, whether to the node, and the packet.
    late: Vec<(Instant, bool, Vec<u8>)>,
}

impl Way {
    async fn run(mut self) {
        let (mut there, mut here) = ([0; 2048], [0; 2048]);
        loop {
            let due = self.late.iter().map(|(at, ..)| *at).min();
            let due = due.unwrap_or_else(|| now() + Duration::from_secs(60));
            tokio::select! {
                Ok((length, client)) = self.front.recv_from(&mut there) => {
                    self.client = Some(client);
                    self.carry(true, &there[..length]).await;
                }
                Ok(length) = self.back.recv(&mut here) => self.carry(false, &here[..length]).await,
                () = sleep_until(due) => {
                    let (over, late) = std::mem::take(&mut self.late)
                        .into_iter()
                        .partition(|(at, ..)| *at <= now());
                    self.late = late;
                    for (_, to_node, packet) in over {
                        self.send(to_node, &packet).await;
                    }
                }
            }
        }
    }

    async fn carry(&mut self, to_node: bool, packet: &[u8]) {
        let percent = self.percent.load(Ordering::Relaxed);
        let chance = self.random.below(100);
        if chance < percent {
            return;
        }
        if self.random.below(100) < percent {
            let delay = Duration::from_millis(1 + self.random.below(8) as u64);
            self.late.push((now() + delay, to_node, packet.to_vec()));
        } else {
            self.send(to_node, packet).await;
        }
        if chance < 2 * percent {
            self.send(to_node, packet).await;
        }
    }

    async fn send(&self, to_node: bool, packet: &[u8]) {
        let sent = match (to_node, self.client) {
            (true, _) => self.back.send(packet).await,
            (false, Some(client)) => self.front.send_to(packet, client).await,
            (false, None) => return,
        };
        // A node or client that is gone is no fault of the network.
        drop(sent);
    }
}

/// A session that moves one object by datagrams while it hears publications: what it heard.
async fn ride(node: &Node, percent: usize, seed: u64, fixes: u64) -> Vec<Value> {
    let network = Network::to(node, Random::new(seed)).await;
    let raw = Raw::dial_to(Raw::endpoint(), network.address).await.unwrap();
    let mut session = RawSession::over(raw).await;
    session.say(r#"{"id":1,"connect":{"data":{"webtransport":{"datagrams":true}}}}"#).await;
    session.say(r#"{"id":2,"subscribe":{"channel":"news"}}"#).await;
    let mut heard = String::new();
    while !heard.contains("\"id\":2") {
        heard += &session.hear().await;
    }
    network.percent.store(percent, Ordering::Relaxed);
    for seq in 1..=fixes {
        let lat = 52.0 + seq as f64 * 1e-5;
        let fix = json!({
            "seq": seq, "channel": "drivers:city", "key": format!("d{seed}"), "lat": lat, "lng": 13.0,
        });
        // The session's id, a quarter of it, comes before.
        let datagram = [&[0], fix.to_string().as_bytes()].concat();
        session.raw.connection.send_datagram(datagram.into()).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while heard.matches("\"pub\"").count() < PUBLICATIONS {
        heard += &session.hear().await;
    }
    let messages = heard.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    messages
        .map(|message| message["push"]["pub"]["data"].clone())
        .filter(|data| !data.is_null())
        .collect()
}

const PUBLICATIONS: usize = 100;

#[tokio::test]
async fn hundreds_are_told_all_and_objects_never_go_back_over_a_bad_network() {
    let listen = [("listen.webtransport", "127.0.0.1:0"), ("webtransport.address_limit", "off")];
    for percent in [1, 20] {
        let node = Node::start_with(crate::geo_events::FILE, &listen).await;
        let (sessions, fixes) = if is_long() { (300, 400) } else { (100, 100) };
        let mut watcher = Client::connect(&node).await;
        view(&mut watcher, "drivers:city", near(52.0, 13.0, 5000.0)).await;
        let rides = join_all((1..=sessions).map(|seed| ride(&node, percent, seed, fixes)));
        let news = async {
            node.wait_for_metric(INFLIGHT, sessions).await;
            // Its subscribers are there once each has been answered.
            while node.api("channels", &json!({})).await["channels"]["news"]["num_clients"]
                != sessions
            {
                tokio::task::yield_now().await;
            }
            for number in 0..PUBLICATIONS {
                let data = json!([number, "x".repeat(500)]);
                node.api("publish", &json!({"channel": "news", "data": data})).await;
            }
        };
        let (heard, ()) = tokio::join!(rides, news);
        for one in heard {
            let numbers: Vec<_> = one.iter().map(|data| data[0].as_u64().unwrap()).collect();
            assert!(numbers.into_iter().eq(0..PUBLICATIONS as u64), "{percent} %: {one:?}");
        }
        let mut last = std::collections::HashMap::<String, f64>::new();
        let mut told = 0_u64;
        while let Some(object) = watcher.publication_within(500).await {
            if object["event"] == "exit" {
                continue;
            }
            let (key, lat) = (object["key"].as_str().unwrap(), object["lat"].as_f64().unwrap());
            let before = last.insert(key.to_owned(), lat);
            assert!(before.is_none_or(|before| before < lat), "{percent} %: {key} went back");
            told += 1;
        }
        assert_eq!(last.len() as u64, sessions);
        let least = sessions * fixes * (100 - 3 * percent as u64) / 100;
        assert!(told >= least, "{percent} %: {told} of {}", sessions * fixes);
        let late = node.metric("nearcast_geo_datagrams_dropped{reason=\"late\"}").await;
        assert!(late > 0, "{percent} %: nothing was late or doubled");
    }
}

/// A client whose QUIC would give a silent connection up after 30 s, on which nobody pings.
#[tokio::test]
async fn a_silent_session_is_kept_alive() {
    let node = crate::webtransport::start(&[("client.ping_interval", "300s")]).await;
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(30).try_into().unwrap()));
    let endpoint = Raw::endpoint_with(transport);
    let mut session = RawSession::connected_from(endpoint, &node).await;
    let patience = Duration::from_secs(32);
    let lost = tokio::time::timeout(patience, session.raw.connection.closed()).await;
    assert!(lost.is_err(), "{lost:?}");
    session.say(r#"{"id":2,"ping":{}}"#).await;
    assert!(session.hear().await.contains("\"id\":2"));
}

/// A client that is gone without a word, whose QUIC would be patient for a second.
#[tokio::test]
async fn who_vanishes_is_given_up_when_its_patience_ends() {
    let node = crate::webtransport::start(&[]).await;
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(1).try_into().unwrap()));
    let network = Network::to(&node, Random::new(1)).await;
    let raw = Raw::dial_to(Raw::endpoint_with(transport), network.address).await.unwrap();
    let mut session = RawSession::over(raw).await;
    session.say(r#"{"id":1,"connect":{}}"#).await;
    session.hear().await;
    drop(network);
    let start = now();
    within("the end", node.wait_for_metric(INFLIGHT, 0)).await;
    assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
}
