use std::time::Duration;

use super::*;
use crate::channel::weight;
use crate::engine::contract::{
    EVERYTHING, KEPT, TestSink, all, at, broker_contract, channel, kept, keyed, presence_contract,
    publication, run,
};
use crate::engine::{Place, Presence};

fn engine(options: &MemoryOptions, sink: Arc<dyn EventSink>) -> Arc<dyn Broker> {
    Arc::new(MemoryEngine::new(options, 7, sink))
}

broker_contract!(|sink| engine(&MemoryOptions::default(), sink));
presence_contract!(|| Arc::new(MemoryPresence::new()) as Arc<dyn Presence>);

/// Options with these shares for each partition.
fn shares(bytes: usize, streams: usize, keys: usize) -> MemoryOptions {
    MemoryOptions {
        history_bytes_max: bytes * limits::PARTITIONS,
        streams_max: streams * limits::PARTITIONS,
        idempotency_keys_max: keys * limits::PARTITIONS,
        ..MemoryOptions::default()
    }
}

/// Channels that share a partition.
fn neighbours<const N: usize>() -> [Channel; N] {
    let partition = channel("room:0").partition();
    let mut found = (0..)
        .map(|number| channel(&format!("room:{number}")))
        .filter(|channel| channel.partition() == partition);
    std::array::from_fn(|_| found.next().expect("there are enough numbers"))
}

async fn offsets(broker: &dyn Broker, channel: &Channel) -> Vec<u64> {
    all(broker, channel).await.publications.iter().map(|one| one.offset).collect()
}
