//! What every engine must keep to, as tests that take the engine as an argument. An engine calls
//! [`broker_contract`] and [`presence_contract`] in its own tests; servers behind it must be empty.

mod model;
mod sink;

pub(crate) use sink::TestSink;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::JoinSet;

use crate::base::{ClientId, Moment, Now, UnixMillis};
use crate::channel::{
    Channel, ClientDetails, Event, EventKind, HistoryPage, HistoryQuery, Position, Publication,
    Recovery, RecoveryMode, Since, recover, recovery_query,
};
use crate::engine::{
    Broker, EngineError, EventSink, Presence, PresenceCounts, PublishOptions, Retention,
};

/// Declares a test for each duty of a broker. `$make` takes the sink and gives an empty engine as
/// `Arc<dyn Broker>`.
macro_rules! broker_contract {
    ($make:expr) => {
        $crate::engine::contract::broker_contract! { $make =>
            agrees_with_a_plain_list
            emits_in_the_order_of_offsets_whoever_publishes
            answers_a_repeated_key_once
            appends_nothing_while_the_sink_is_full
            appends_nothing_for_a_sink_that_has_gone
            loses_and_repeats_nothing_when_publishers_go_away
            recovers_what_was_missed
            recovers_what_an_area_missed_whatever_happened_elsewhere
        }
    };
    ($make:expr => $($duty:ident)+) => {
        $(#[test]
        fn $duty() {
            $crate::engine::contract::run($crate::engine::contract::$duty(&$make));
        })+
    };
}

/// Declares a test for each duty of a presence. `$make` gives an empty one as `Arc<dyn Presence>`.
macro_rules! presence_contract {
    ($make:expr) => {
        $crate::engine::contract::broker_contract! { $make => counts_as_a_plain_list_does }
    };
}

pub(crate) use {broker_contract, presence_contract};

pub(crate) type MakeBroker<'a> = &'a dyn Fn(Arc<dyn EventSink>) -> Arc<dyn Broker>;

pub(crate) fn run(duty: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(duty);
}

/// Both clocks at `seconds` after their start.
pub(crate) fn at(seconds: u64) -> Now {
    Now {
        moment: Moment::default().after(Duration::from_secs(seconds)),
        unix: UnixMillis(1_700_000_000_000 + seconds * 1000),
    }
}

pub(crate) fn channel(name: &str) -> Channel {
    Channel::parse(name).expect("a test's channel has a valid name")
}

pub(crate) fn publication(data: impl Into<Bytes>) -> Publication {
    Publication { data: data.into(), ..Publication::default() }
}

/// Up to 1,000 publications for an hour.
pub(crate) const KEPT: Retention = Retention {
    size: 1_000,
    ttl: Duration::from_secs(3_600),
    meta_ttl: Some(Duration::from_secs(36_000)),
    buckets: None,
};

pub(crate) fn kept() -> PublishOptions {
    PublishOptions { retention: Some(KEPT), idempotency_key: None }
}

pub(crate) fn keyed(key: &str) -> PublishOptions {
    PublishOptions { idempotency_key: Some(key.into()), ..kept() }
}

pub(crate) const EVERYTHING: HistoryQuery =
    HistoryQuery { limit: usize::MAX, since: None, reverse: false, audience: None };

/// Everything that a stream keeps, at second 0.
pub(crate) async fn all(broker: &dyn Broker, channel: &Channel) -> HistoryPage {
    broker.history(channel, EVERYTHING, KEPT, at(0)).await.expect("history is answered")
}

fn published(event: Event) -> (Channel, Arc<Publication>, Arc<str>) {
    match event.kind {
        EventKind::Publication { publication, epoch } => (event.channel, publication, epoch),
        other => panic!("a publication was due: {other:?}"),
    }
}

/// Random operations, answered as the plain lists of the model answer them.
pub(crate) async fn agrees_with_a_plain_list(make: MakeBroker<'_>) {
    let mut runner = TestRunner::new(Config { cases: 400, ..Config::default() });
    let runtime = tokio::runtime::Handle::current();
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&model::operations(), |operations| {
            let sink = TestSink::new(usize::MAX >> 4);
            let broker = make(sink.clone());
            runtime.block_on(model::Model::default().check(&*broker, &sink, operations))
        })
    });
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}

/// Eight publishers, five channels, a sink with few places that is emptied meanwhile.
pub(crate) async fn emits_in_the_order_of_offsets_whoever_publishes(make: MakeBroker<'_>) {
    const PUBLISHERS: usize = 8;
    const EACH: usize = 250;
    let sink = TestSink::new(3);
    let broker = make(sink.clone());
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let mut answers = Vec::new();
            for number in 0..EACH {
                let channel = channel(&format!("room:{}", (publisher + number) % 5));
                let data = Bytes::from(format!("{publisher}/{number}"));
                let answer = broker.publish(&channel, publication(data.clone()), kept(), at(0));
                let position = answer.await.expect("a publish is answered");
                answers.push((channel, position, data));
            }
            answers
        });
    }
    let mut events = Vec::new();
    while events.len() < PUBLISHERS * EACH {
        events.extend(sink.some().await);
    }
    let mut answers = HashMap::new();
    for (channel, position, data) in publishers.join_all().await.into_iter().flatten() {
        assert_eq!(answers.insert(data, (channel, position)), None);
    }
    let mut tops: HashMap<Channel, u64> = HashMap::new();
    for (channel, publication, epoch) in events.into_iter().map(published) {
        let top = tops.entry(channel.clone()).or_default();
        *top += 1;
        assert_eq!(publication.offset, *top, "{channel}");
        let answered = answers.remove(&publication.data);
        assert_eq!(answered, Some((channel, Position { offset: *top, epoch })));
    }
    assert!(answers.is_empty(), "answered but not emitted: {answers:?}");
    assert_eq!(tops.len(), 5);
}

/// One key from many publishers at once, in one channel; the same key in another channel counts
/// for itself.
pub(crate) async fn answers_a_repeated_key_once(make: MakeBroker<'_>) {
    let sink = TestSink::new(100);
    let broker = make(sink.clone());
    let mut publishers = JoinSet::new();
    for number in 0..8 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let data = Bytes::from(number.to_string());
            broker.publish(&channel("a"), publication(data), keyed("k"), at(0)).await
        });
    }
    let answers: HashSet<_> = publishers
        .join_all()
        .await
        .into_iter()
        .map(|answer| answer.map(|position| (position.offset, position.epoch)).expect("answered"))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(sink.take().len(), 1);
    assert_eq!(all(&*broker, &channel("a")).await.publications.len(), 1);
    let other = broker.publish(&channel("b"), publication("x"), keyed("k"), at(0)).await;
    assert_eq!(other.map(|position| position.offset), Ok(1));
    assert_eq!(sink.take().len(), 1);
}

/// The wait for a place comes before the append, and a publisher that gives up while it waits has
/// published nothing.
pub(crate) async fn appends_nothing_while_the_sink_is_full(make: MakeBroker<'_>) {
    let sink = TestSink::new(1);
    let broker = make(sink.clone());
    let channel = channel("a");
    let publish = |data: &'static str| broker.publish(&channel, publication(data), kept(), at(0));
    assert_eq!(publish("one").await.map(|position| position.offset), Ok(1));

    let mut given_up = publish("two");
    sink.until_full(&mut given_up).await;
    assert_eq!(all(&*broker, &channel).await.top.offset, 1);
    drop(given_up);
    let mut patient = publish("three");
    sink.until_full(&mut patient).await;
    assert_eq!(all(&*broker, &channel).await.top.offset, 1);

    assert_eq!(sink.take().len(), 1);
    assert_eq!(patient.await.map(|position| position.offset), Ok(2));
    let (_, emitted, _) = published(sink.take().remove(0));
    assert_eq!((emitted.offset, &*emitted.data), (2, &b"three"[..]));
    assert_eq!(all(&*broker, &channel).await.publications.len(), 2);
}

pub(crate) async fn appends_nothing_for_a_sink_that_has_gone(make: MakeBroker<'_>) {
    let sink = TestSink::new(1);
    let broker = make(sink.clone());
    let channel = channel("a");
    sink.close();
    let refused = broker.publish(&channel, publication("x"), keyed("k"), at(0)).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    let refused = broker.emit(&channel, EventKind::Join(Arc::default())).await;
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    assert_eq!(all(&*broker, &channel).await.top.offset, 0);
}

/// Publishers are stopped at whatever point they have come to. What was emitted is what history
/// has, without holes, nothing twice, and whatever was answered is among it.
pub(crate) async fn loses_and_repeats_nothing_when_publishers_go_away(make: MakeBroker<'_>) {
    let sink = TestSink::new(2);
    let broker = make(sink.clone());
    let mut answered: Vec<(u64, Bytes)> = Vec::new();
    let mut emitted: Vec<Arc<Publication>> = Vec::new();
    for round in 0..40 {
        let mut publishers = JoinSet::new();
        for number in 0..10 {
            let broker = Arc::clone(&broker);
            publishers.spawn(async move {
                let data = Bytes::from(format!("{round}/{number}"));
                let publish = publication(data.clone());
                let answer = broker.publish(&channel("a"), publish, kept(), at(0)).await;
                (answer.expect("a publish is answered").offset, data)
            });
        }
        let due = emitted.len() + round % 7;
        while emitted.len() < due {
            emitted.extend(sink.some().await.into_iter().map(|event| published(event).1));
        }
        publishers.abort_all();
        while let Some(outcome) = publishers.join_next().await {
            answered.extend(outcome.ok());
        }
    }
    emitted.extend(sink.take().into_iter().map(|event| published(event).1));
    let history = all(&*broker, &channel("a")).await;
    assert_eq!(history.publications, emitted);
    assert!(emitted.iter().zip(1..).all(|(one, due)| one.offset == due));
    assert_eq!(history.top.offset, emitted.len() as u64);
    let of_offset: HashMap<_, _> = emitted.iter().map(|one| (one.offset, &one.data)).collect();
    let of_data: HashSet<_> = emitted.iter().map(|one| &one.data).collect();
    assert_eq!(of_data.len(), emitted.len(), "nothing was emitted twice");
    assert!(answered.iter().all(|(offset, data)| of_offset.get(offset) == Some(&data)));
    assert!(!answered.is_empty(), "no publisher ever got through");
}

/// The whole way of a subscriber that comes back: position, query, judgement.
pub(crate) async fn recovers_what_was_missed(make: MakeBroker<'_>) {
    const LIMIT: usize = 5;
    let sink = TestSink::new(1_000);
    let broker = make(sink.clone());
    let channel = channel("a");
    let seen = all(&*broker, &channel).await.top;
    let try_from = async |offset, epoch: &str, mode| {
        let since = Since { offset, epoch: epoch.into() };
        let query = recovery_query(&since, LIMIT, mode);
        let page = broker.history(&channel, query, KEPT, at(0)).await.expect("answered");
        match recover(page, &since, LIMIT, mode) {
            Recovery::Recovered(found) => Some(found.iter().map(|p| p.offset).collect::<Vec<_>>()),
            Recovery::Lost => None,
        }
    };
    assert_eq!(try_from(0, &seen.epoch, RecoveryMode::Stream).await, Some(vec![]));
    assert_eq!(try_from(0, &seen.epoch, RecoveryMode::Cache).await, None);
    for _ in 0..8 {
        broker.publish(&channel, publication("x"), kept(), at(0)).await.expect("answered");
    }
    assert_eq!(try_from(8, &seen.epoch, RecoveryMode::Stream).await, Some(vec![]));
    assert_eq!(try_from(3, &seen.epoch, RecoveryMode::Stream).await, Some(vec![4, 5, 6, 7, 8]));
    assert_eq!(try_from(2, &seen.epoch, RecoveryMode::Stream).await, None);
    assert_eq!(try_from(9, &seen.epoch, RecoveryMode::Stream).await, None);
    assert_eq!(try_from(7, "of another stream", RecoveryMode::Stream).await, None);
    assert_eq!(try_from(7, "", RecoveryMode::Stream).await, Some(vec![8]));
    assert_eq!(try_from(2, &seen.epoch, RecoveryMode::Cache).await, Some(vec![8]));

    broker.remove_history(&channel).await.expect("answered");
    assert_eq!(try_from(8, &seen.epoch, RecoveryMode::Stream).await, Some(vec![]));
    assert_eq!(try_from(7, &seen.epoch, RecoveryMode::Stream).await, None);
    assert_eq!(try_from(7, &seen.epoch, RecoveryMode::Cache).await, None);
}

/// In a channel of geo events: a busy place beside a quiet one, and something wide.
pub(crate) async fn recovers_what_an_area_missed_whatever_happened_elsewhere(make: MakeBroker<'_>) {
    const LIMIT: usize = 5;
    let (quiet, busy) = (1, 2);
    let by_place = Retention { size: 20, buckets: Some(1 << 20), ..KEPT };
    let sink = TestSink::new(10_000);
    let broker = make(sink.clone());
    let channel = channel("a");
    let publish = async |spot: usize| {
        let place = Some(Arc::new(model::place(spot)));
        let publication = Publication { place, ..publication("x") };
        let options = PublishOptions { retention: Some(by_place), idempotency_key: None };
        broker.publish(&channel, publication, options, at(0)).await.expect("answered").offset
    };
    let try_from = async |spot, offset| {
        let since = Since { offset, epoch: String::new() };
        let query = HistoryQuery {
            audience: Some(model::audience(spot)),
            ..recovery_query(&since, LIMIT, RecoveryMode::Stream)
        };
        let page = broker.history(&channel, query, by_place, at(0)).await.expect("answered");
        match recover(page, &since, LIMIT, RecoveryMode::Stream) {
            Recovery::Recovered(found) => Some(found.iter().map(|p| p.offset).collect::<Vec<_>>()),
            Recovery::Lost => None,
        }
    };
    let mut due = Vec::new();
    for _ in 0..3 {
        for _ in 0..1_000 {
            publish(busy).await;
        }
        due.push(publish(quiet).await);
    }
    assert_eq!(try_from(quiet, 0).await, Some(due.clone()));
    assert_eq!(try_from(quiet, due[1]).await, Some(vec![due[2]]));
    assert_eq!(try_from(busy, 0).await, None);
    assert_eq!(try_from(busy, 3_000).await, Some(vec![3_001, 3_002]));
    assert_eq!(try_from(busy, 2_990).await, None, "more than the limit");
    assert_eq!(try_from(quiet, 3_004).await, None, "above the top");

    let wide = publish(model::WIDE).await;
    assert_eq!(try_from(0, 0).await, Some(vec![wide]));
    broker.remove_history(&channel).await.expect("answered");
    assert_eq!(try_from(quiet, due[2]).await, None, "the wide one may have been for all");
    assert_eq!(try_from(quiet, wide).await, Some(vec![]));
    let next = publish(quiet).await;
    assert_eq!(try_from(quiet, wide).await, Some(vec![next]));
}

/// Random joins and leaves of clients whose users change, against a list.
pub(crate) async fn counts_as_a_plain_list_does(make: &dyn Fn() -> Arc<dyn Presence>) {
    let presence = make();
    let mut members: HashMap<(u64, u128), Arc<ClientDetails>> = HashMap::new();
    for (joins, room, client, user) in model::walk(2_000) {
        let name = channel(&format!("room:{room}"));
        if joins {
            let details =
                Arc::new(ClientDetails { user: user.to_string(), ..ClientDetails::default() });
            presence.add(&name, ClientId(client), Arc::clone(&details)).await.expect("answered");
            members.insert((room, client), details);
        } else {
            presence.remove(&name, ClientId(client)).await.expect("answered");
            members.remove(&(room, client));
        }
        let mut due: Vec<_> = members.iter().filter(|((other, _), _)| *other == room).collect();
        due.sort_by_key(|((_, client), _)| *client);
        let mut found = presence.members(&name).await.expect("answered");
        found.sort_by_key(|(client, _)| *client);
        assert_eq!(found.len(), due.len());
        assert!(
            found
                .iter()
                .zip(&due)
                .all(|((id, is), ((_, due_id), due))| { id.0 == *due_id && is == *due })
        );
        let users: HashSet<_> = due.iter().map(|(_, details)| &details.user).collect();
        let counts = PresenceCounts { clients: due.len(), users: users.len() };
        assert_eq!(presence.counts(&name).await, Ok(counts));
    }
}
