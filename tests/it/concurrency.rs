//! Many publishers and subscribers at once: every subscriber sees every publication of its channel
//! from its position on, once and in order.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::node::Node;
use crate::protobuf::ProtobufClient;
use crate::random::Random;

const CHANNELS: usize = 4;
const PUBLISHERS: usize = 8;
const SUBSCRIBERS: usize = 50;
const SEED: u64 = 20;

/// The last offset of every channel, once nothing more is published.
type Tops = watch::Receiver<Option<[u64; CHANNELS]>>;

/// Whoever can subscribe and listen, in either codec.
enum Listener {
    Json(Box<Client>),
    Protobuf(Box<ProtobufClient>),
}

impl Listener {
    async fn connect(node: &Node, by_json: bool) -> Listener {
        if by_json {
            Listener::Json(Box::new(Client::connect(node).await))
        } else {
            Listener::Protobuf(Box::new(ProtobufClient::connect(node).await))
        }
    }

    /// Subscribes: the position.
    async fn subscribe(&mut self, channel: &str) -> u64 {
        match self {
            Listener::Protobuf(client) => client.subscribe(channel).await,
            Listener::Json(client) => {
                let subscribe = json!({"channel": channel, "positioned": true});
                let reply = client.ask(json!({"subscribe": subscribe})).await;
                assert_eq!(reply["subscribe"]["positioned"], true, "{reply}");
                reply["subscribe"]["offset"].as_u64().unwrap_or(0)
            }
        }
    }

    /// The next publication: offset and data.
    async fn publication(&mut self) -> (u64, Value) {
        match self {
            Listener::Protobuf(client) => {
                let publication = client.publication().await;
                (publication.offset, serde_json::from_slice(&publication.data).unwrap())
            }
            Listener::Json(client) => {
                let push = client.message().await;
                let publication = &push["push"]["pub"];
                let offset = publication["offset"].as_u64();
                (offset.unwrap_or_else(|| panic!("{push}")), publication["data"].clone())
            }
        }
    }
}

fn channel(number: usize) -> String {
    format!("room{number}")
}

/// Publishes `[publisher, count]` to channels by chance: how much to each.
async fn publish(node: Arc<Node>, number: usize, rounds: usize) -> [u64; CHANNELS] {
    let mut random = Random::new(SEED + u64::try_from(number).unwrap());
    let mut json_client = Client::connect(&node).await;
    let mut protobuf_client = ProtobufClient::connect(&node).await;
    let mut counts = [0; CHANNELS];
    for count in 0..rounds {
        let at = random.below(CHANNELS);
        let data = json!([number, count]);
        match number % 4 {
            0 => {
                let publish = json!({"channel": channel(at), "data": data});
                let reply = json_client.ask(json!({"publish": publish})).await;
                assert!(reply["publish"].is_object(), "{reply}");
            }
            1 => {
                let bytes = data.to_string().into_bytes();
                assert_eq!(protobuf_client.publish(&channel(at), &bytes).await, Ok(()));
            }
            _ => {
                node.api("publish", &json!({"channel": channel(at), "data": data})).await;
            }
        }
        counts[at] += 1;
    }
    counts
}

/// Joins and leaves by chance until everything is published: how many publications it saw.
async fn listen(node: Arc<Node>, number: usize, mut tops: Tops) -> usize {
    let mut random = Random::new(SEED + 1000 + u64::try_from(number).unwrap());
    let mut seen = 0;
    loop {
        let mut listener = Listener::connect(&node, random.below(2) == 0).await;
        let at = random.below(CHANNELS);
        let mut position = listener.subscribe(&channel(at)).await;
        let mut last_counts = [None; PUBLISHERS];
        let mut patience = random.below(200);
        loop {
            let top = tops.borrow_and_update().map(|tops| tops[at]);
            if top == Some(position) {
                return seen;
            }
            if patience == 0 && top.is_none() {
                // Hangs up without a word.
                break;
            }
            let (offset, data) = tokio::select! {
                next = listener.publication() => next,
                changed = tops.changed() => {
                    changed.unwrap();
                    continue;
                }
            };
            assert_eq!(offset, position + 1, "seed {SEED}, subscriber {number}, channel {at}");
            position = offset;
            let publisher = usize::try_from(data[0].as_u64().unwrap()).unwrap();
            let count = data[1].as_u64();
            assert!(count > last_counts[publisher], "seed {SEED}: {data} came late");
            last_counts[publisher] = count;
            patience = patience.saturating_sub(1);
            seen += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_sees_every_offset_once_and_in_order() {
    let rounds = if cfg!(debug_assertions) { 300 } else { 2000 };
    let node = Arc::new(Node::start(&[]).await);
    let (done, tops) = watch::channel(None);
    let mut listeners = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        listeners.spawn(listen(node.clone(), number, tops.clone()));
    }
    let mut publishers = JoinSet::new();
    for number in 0..PUBLISHERS {
        publishers.spawn(publish(node.clone(), number, rounds));
    }
    let mut sums = [0; CHANNELS];
    for counts in publishers.join_all().await {
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    for (at, sum) in sums.iter().enumerate() {
        let top = node.api("history", &json!({"channel": channel(at)})).await;
        assert_eq!(top["offset"], *sum, "what was acknowledged is what is there");
    }
    done.send_replace(Some(sums));
    let seen: usize = listeners.join_all().await.iter().sum();
    assert!(seen > PUBLISHERS * rounds, "{seen} deliveries are no crowd");
    node.wait_for_metric("nearcast_node_num_subscriptions", 0).await;
    assert_eq!(node.metric("nearcast_node_connection_panics").await, 0);
}
