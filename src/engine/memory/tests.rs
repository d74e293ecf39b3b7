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

#[test]
fn history_past_the_cap_of_bytes_drops_the_oldest_of_the_partition() {
    run(async {
        let three = 3 * weight(&publication("x"));
        let sink = TestSink::new(100);
        let engine = engine(&shares(three, 10, 10), sink);
        let [busy, quiet] = neighbours();
        let publish =
            async |channel| engine.publish(channel, publication("x"), kept(), at(0)).await.unwrap();
        publish(&quiet).await;
        publish(&busy).await;
        publish(&busy).await;
        assert_eq!(offsets(&*engine, &quiet).await, [1], "at the cap");
        assert_eq!(offsets(&*engine, &busy).await, [1, 2], "at the cap");
        let ages = async || (offsets(&*engine, &quiet).await, offsets(&*engine, &busy).await);
        publish(&busy).await;
        assert_eq!(ages().await.0.len() + ages().await.1.len(), 3, "one past it");
        for _ in 0..3 {
            publish(&busy).await;
        }
        assert_eq!(ages().await, (vec![], vec![4, 5, 6]));
        assert_eq!(all(&*engine, &quiet).await.top.offset, 1);
    });
}

#[test]
fn a_publication_that_alone_is_past_the_cap_leaves_a_hole() {
    run(async {
        let sink = TestSink::new(100);
        let engine = engine(&shares(weight(&publication("x")), 10, 10), sink.clone());
        let [channel] = neighbours();
        engine.publish(&channel, publication("x"), kept(), at(0)).await.unwrap();
        assert_eq!(offsets(&*engine, &channel).await, [1]);
        engine.publish(&channel, publication("xx"), kept(), at(0)).await.unwrap();
        let page = all(&*engine, &channel).await;
        assert_eq!((page.publications.len(), page.top.offset), (0, 2));
        assert_eq!(sink.take().len(), 2, "it was distributed all the same");
    });
}

#[test]
fn a_stream_past_the_cap_displaces_the_one_that_was_idle_longest() {
    run(async {
        let engine = engine(&shares(10_000, 2, 10), TestSink::new(100));
        let [first, second, third] = neighbours();
        let publish = async |channel| {
            engine.publish(channel, publication("x"), kept(), at(0)).await.unwrap().epoch
        };
        let before = [publish(&first).await, publish(&second).await];
        // A read counts as use.
        assert_eq!(all(&*engine, &first).await.top.epoch, before[0]);
        let _ = all(&*engine, &third).await;
        assert_eq!(all(&*engine, &first).await.top.epoch, before[0]);
        let again = all(&*engine, &second).await;
        assert_eq!((again.publications.len(), again.top.offset), (0, 0));
        assert_ne!(again.top.epoch, before[1]);
    });
}

#[test]
fn an_idempotency_key_past_the_cap_displaces_the_oldest() {
    run(async {
        let engine = engine(&shares(10_000, 2, 2), TestSink::new(100));
        let [channel] = neighbours();
        let publish = async |key| {
            engine.publish(&channel, publication("x"), keyed(key), at(0)).await.unwrap().offset
        };
        assert_eq!((publish("a").await, publish("b").await), (1, 2));
        assert_eq!((publish("a").await, publish("b").await), (1, 2), "at the cap");
        assert_eq!(publish("c").await, 3);
        assert_eq!((publish("c").await, publish("b").await), (3, 2));
        assert_eq!(publish("a").await, 4);
    });
}

#[test]
fn a_key_is_remembered_without_retention_and_for_its_time_alone() {
    run(async {
        let sink = TestSink::new(100);
        let engine = engine(&MemoryOptions::default(), sink.clone());
        let channel = channel("a");
        for (second, events) in [(0, 1), (299, 0), (300, 1)] {
            let options = PublishOptions { retention: None, ..keyed("k") };
            let answer = engine.publish(&channel, publication("x"), options, at(second)).await;
            assert_eq!(answer, Ok(Position::default()));
            assert_eq!(sink.take().len(), events, "at second {second}");
        }
        assert_eq!(sink.places_free(), 100, "places that were not used are given back");
    });
}

#[test]
fn a_stream_without_meta_ttl_lasts_as_long_as_the_engine_says() {
    run(async {
        let history_meta_ttl = Duration::from_secs(100);
        let options = MemoryOptions { history_meta_ttl, ..MemoryOptions::default() };
        let engine = engine(&options, TestSink::new(100));
        let channel = channel("a");
        let retention = Retention { ttl: Duration::from_secs(1), meta_ttl: None, ..KEPT };
        let top = async |second| {
            engine.history(&channel, EVERYTHING, retention, at(second)).await.unwrap().top
        };
        let options = PublishOptions { retention: Some(retention), idempotency_key: None };
        let first = engine.publish(&channel, publication("x"), options, at(0)).await.unwrap();
        assert_eq!(top(99).await, first);
        assert_eq!(top(198).await, first, "a read prolongs it");
        let next = top(298).await;
        assert_eq!(next.offset, 0);
        assert_ne!(next.epoch, first.epoch);
    });
}

#[test]
fn expiry_gives_everything_back_in_bounded_calls() {
    run(async {
        let engine = MemoryEngine::new(&MemoryOptions::default(), 7, TestSink::new(1_000_000));
        let most = limits::EXPIRY_STEPS * limits::EXPIRY_ROUNDS;
        let channel = channel("a");
        let retention = Retention { size: usize::MAX, ..KEPT };
        for number in 0..=most {
            let key = (number % 2 == 0).then(|| number.to_string());
            let options = PublishOptions { retention: Some(retention), idempotency_key: key };
            engine.publish(&channel, publication("x"), options, at(0)).await.unwrap();
        }
        let bytes = || {
            let state = engine.lock(channel.partition()).unwrap();
            (state.streams.bytes(), state.streams.len())
        };
        engine.expire(at(3_599));
        assert_eq!(bytes(), ((most + 1) * weight(&publication("x")), 1));
        // The keys went with the call before.
        engine.expire(at(3_600));
        assert_eq!(bytes(), (weight(&publication("x")), 1), "one is past what a call drops");
        engine.expire(at(3_600));
        assert_eq!(bytes(), (0, 1), "the position stays");
        engine.expire(at(36_000));
        assert_eq!(bytes(), (0, 0));
    });
}

#[test]
fn publishers_whose_clocks_were_read_in_another_order_are_served() {
    run(async {
        let engine = engine(&MemoryOptions::default(), TestSink::new(100));
        let channel = channel("a");
        let mut accepted = Vec::new();
        for second in [5, 3, 4] {
            engine.publish(&channel, publication("x"), keyed("k"), at(second)).await.unwrap();
            engine.publish(&channel, publication("x"), kept(), at(second)).await.unwrap();
            accepted.push(at(second).moment);
        }
        let page = all(&*engine, &channel).await;
        let found: Vec<_> = page.publications[1..].iter().map(|one| one.accepted).collect();
        assert_eq!(found, accepted, "the time is the publisher's");
    });
}

#[test]
fn engines_of_different_runs_share_no_epoch() {
    run(async {
        let mut epochs = std::collections::HashSet::new();
        for boot in 0..3 {
            let sink = TestSink::new(100);
            let engine = MemoryEngine::new(&MemoryOptions::default(), boot, sink);
            for number in 0..200 {
                let channel = channel(&format!("room:{number}"));
                assert!(epochs.insert(all(&engine, &channel).await.top.epoch));
            }
        }
    });
}

/// A sink that breaks under the partition's lock.
#[derive(Debug)]
struct BrokenSink;

impl EventSink for BrokenSink {
    fn reserve(&self, _: Partition) -> Pending<'_, Result<Box<dyn Place>, EngineError>> {
        Box::pin(async { Ok(Box::new(Self) as Box<dyn Place>) })
    }
}

impl Place for BrokenSink {
    fn emit(self: Box<Self>, _: Event) {
        panic!("the sink is broken");
    }
}

#[test]
fn a_partition_that_failed_halfway_refuses_and_the_others_go_on() {
    run(async {
        let engine = engine(&MemoryOptions::default(), Arc::new(BrokenSink));
        let [channel] = neighbours();
        let (broken, name) = (Arc::clone(&engine), channel.clone());
        let publish = async move { broken.publish(&name, publication("x"), kept(), at(0)).await };
        assert!(tokio::spawn(publish).await.is_err_and(|error| error.is_panic()));
        let refused = engine.history(&channel, EVERYTHING, KEPT, at(0)).await;
        assert_eq!(refused, Err(EngineError::Unavailable("a partition has failed")));
        engine.expire(at(1));
        let other = (0..).map(|number| self::channel(&number.to_string()));
        let mut other = other.filter(|other| other.partition() != channel.partition());
        assert_eq!(all(&*engine, &other.next().unwrap()).await.top.offset, 0);
    });
}

#[test]
fn a_channel_without_members_takes_no_memory() {
    run(async {
        let presence = MemoryPresence::new();
        let channel = channel("a");
        let client = crate::base::ClientId(1);
        presence.remove(&channel, client).await.unwrap();
        assert_eq!(presence.channels(), 0);
        presence.add(&channel, client, Arc::default()).await.unwrap();
        assert_eq!(presence.channels(), 1);
        presence.remove(&channel, client).await.unwrap();
        assert_eq!(presence.channels(), 0);
    });
}
