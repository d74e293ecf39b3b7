//! The caps against plain lists that are searched from end to end.

use proptest::prelude::*;

use super::*;
use crate::base::Partition;
use crate::channel::weight;
use crate::geo::{LatLng, Place};

const STREAMS: usize = 3;
const META_TTL: u64 = 40;

#[derive(Clone, Debug)]
enum Step {
    Append {
        room: usize,
        data: usize,
        size: usize,
        ttl: u64,
        meta_ttl: Option<u64>,
    },
    /// Into buckets, of which the channel may have so many bytes.
    AppendAt {
        room: usize,
        spot: u8,
        data: usize,
        size: usize,
        ttl: u64,
        bytes_max: usize,
    },
    Read {
        room: usize,
    },
    Clear {
        room: usize,
    },
    Expire {
        steps: usize,
    },
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let room = 0..6_usize;
    let ttl = prop_oneof![1..60_u64, 500..600_u64];
    prop_oneof![
        8 => (room.clone(), 0..400_usize, 1..5_usize, ttl, prop::option::of(1..60_u64))
            .prop_map(|(room, data, size, ttl, meta_ttl)| {
                Step::Append { room, data, size, ttl, meta_ttl }
            }),
        4 => room.clone().prop_map(|room| Step::Read { room }),
        1 => room.prop_map(|room| Step::Clear { room }),
        2 => (1..4_usize).prop_map(|steps| Step::Expire { steps }),
        2 => (0..30_u64).prop_map(Step::Pass),
    ]
}

/// As [`step`], with places in some.
fn step_by_place() -> impl Strategy<Value = Step> {
    let bytes_max = prop_oneof![500..4_000_usize, Just(1 << 30)];
    let at = (0..6_usize, 0..12_u8, 0..400_usize, 0..5_usize, 1..60_u64, bytes_max);
    prop_oneof![
        1 => step(),
        1 => at.prop_map(|(room, spot, data, size, ttl, bytes_max)| {
            Step::AppendAt { room, spot, data, size, ttl, bytes_max }
        }),
    ]
}

/// A stream of the model: moments are numbers, and no two appends share one.
#[derive(Debug)]
struct Plain {
    room: usize,
    kept: Vec<(u64, usize)>,
    top: u64,
    ttl: u64,
    meta_ttl: u64,
    used: u64,
}

/// Channel, top and moments of what is kept.
type Facts = (String, u64, Vec<u64>);

#[derive(Debug)]
struct Model {
    bytes_max: usize,
    now: u64,
    /// Last used last.
    streams: Vec<Plain>,
}

impl Model {
    fn take_up(&mut self, room: usize, ttl: u64, meta_ttl: u64) -> &mut Plain {
        let now = self.now;
        let found = self.streams.iter().position(|one| one.room == room);
        let mut stream = found
            .map(|index| self.streams.remove(index))
            .filter(|one| one.used + one.meta_ttl.max(one.ttl) > now);
        if stream.is_none() && self.streams.len() == STREAMS {
            self.streams.remove(0);
        }
        let mut stream = stream.take().unwrap_or(Plain {
            room,
            kept: Vec::new(),
            top: 0,
            ttl,
            meta_ttl,
            used: now,
        });
        stream.used = now;
        self.streams.push(stream);
        self.streams.last_mut().expect("just pushed")
    }

    fn append(&mut self, room: usize, bytes: usize, size: usize, ttl: u64, meta_ttl: u64) {
        let now = self.now;
        let stream = self.take_up(room, ttl, meta_ttl);
        stream.kept.retain(|(taken, _)| taken + stream.ttl > now);
        (stream.ttl, stream.meta_ttl) = (ttl, meta_ttl);
        stream.top += 1;
        stream.kept.push((now, bytes));
        stream.kept.drain(..stream.kept.len().saturating_sub(size));
        while self.bytes() > self.bytes_max {
            let heads = self.streams.iter_mut().filter(|one| !one.kept.is_empty());
            heads.min_by_key(|one| one.kept[0].0).expect("there are bytes").kept.remove(0);
        }
    }

    fn bytes(&self) -> usize {
        self.streams.iter().flat_map(|one| &one.kept).map(|(_, bytes)| bytes).sum()
    }

    fn expire(&mut self) {
        let now = self.now;
        for stream in &mut self.streams {
            stream.kept.retain(|(taken, _)| taken + stream.ttl > now);
        }
        self.streams.retain(|one| one.used + one.meta_ttl.max(one.ttl) > now);
    }

    /// Every stream, last used last.
    fn facts(&self) -> Vec<Facts> {
        let facts = |one: &Plain| {
            let taken = one.kept.iter().map(|(taken, _)| *taken).collect();
            (one.room.to_string(), one.top, taken)
        };
        self.streams.iter().map(facts).collect()
    }
}

impl Streams {
    /// As [`Model::facts`], by taking the orders apart.
    fn facts(&mut self) -> Vec<Facts> {
        let mut order = Vec::new();
        while let Some(slot) = self.recency.first() {
            self.recency.remove(slot);
            order.push(slot);
        }
        order
            .into_iter()
            .map(|slot| {
                self.recency.push_back(slot);
                let entry = occupied(&mut self.slots, slot);
                let query =
                    HistoryQuery { limit: usize::MAX, since: None, reverse: false, audience: None };
                // Read before all time, so that nothing has expired.
                let page = entry.stream.read(&query, Moment(0));
                let taken = page.publications.iter().map(|one| one.accepted.0).collect();
                (entry.channel.to_string(), page.top.offset, taken)
            })
            .collect()
    }

    fn assert_consistent(&self) {
        let entries = || self.slots.iter().flatten();
        assert_eq!(entries().count(), self.by_channel.len());
        assert_eq!(entries().map(|one| one.stream.bytes()).sum::<usize>(), self.bytes);
        assert!(self.bytes <= self.caps.bytes && self.by_channel.len() <= self.caps.streams);
        assert!(self.slots.len() <= self.caps.streams, "slots are used again");
        for entry in entries() {
            let filed = entry.in_deadline.expect("every stream has a deadline");
            assert!(filed <= entry.deadline(), "a deadline would be missed");
            let missed = entry
                .stream
                .age()
                .is_some_and(|oldest| entry.in_age.is_none_or(|filed| filed > oldest));
            assert!(!missed, "what is oldest would not be found");
            assert_eq!(entry.stream.age().is_some(), entry.stream.bytes() > 0);
        }
        assert_eq!(self.by_deadline.len(), self.by_channel.len());
        assert_eq!(self.by_age.len(), entries().filter(|one| one.in_age.is_some()).count());
    }
}

fn run(step: Step, streams: &mut Streams, model: &mut Model) {
    model.now += 1;
    let now = Moment(model.now);
    let name = |room: usize| Channel::parse(&room.to_string()).expect("a valid name");
    match step {
        Step::Append { room, data, size, ttl, meta_ttl } => {
            let data = bytes::Bytes::from(vec![b'x'; data]);
            let one = Publication { data, accepted: now, ..Publication::default() };
            let bytes = weight(&one);
            let retention = Retention {
                size,
                ttl: Duration::from_nanos(ttl),
                meta_ttl: meta_ttl.map(Duration::from_nanos),
                buckets: None,
            };
            let _ = streams.append(&name(room), one, retention, now);
            model.append(room, bytes, size, ttl, meta_ttl.unwrap_or(META_TTL));
        }
        Step::AppendAt { room, spot, data, size, ttl: ttl_nanos, bytes_max } => {
            let center = LatLng::new(f64::from(spot) * 5.0, 0.0).expect("on the Earth");
            let place = Some(Arc::new(Place { at: center.into(), shape: None }));
            let data = bytes::Bytes::from(vec![b'x'; data]);
            let one = Publication { data, place, accepted: now, ..Publication::default() };
            let ttl = Duration::from_nanos(ttl_nanos);
            let retention = Retention { size, ttl, meta_ttl: None, buckets: Some(bytes_max) };
            let (_, position) = streams.append(&name(room), one, retention, now);
            let plain = model.take_up(room, ttl_nanos, META_TTL);
            (plain.ttl, plain.meta_ttl, plain.top) = (ttl_nanos, META_TTL, plain.top + 1);
            assert_eq!(position.offset, plain.top);
        }
        Step::Read { room } => {
            let retention =
                Retention { size: 1, ttl: Duration::from_nanos(5), meta_ttl: None, buckets: None };
            let query = HistoryQuery { limit: 0, since: None, reverse: false, audience: None };
            let page = streams.read(&name(room), &query, retention, now);
            let top = page.finish(&query).top.offset;
            assert_eq!(top, model.take_up(room, 5, META_TTL).top);
        }
        Step::Clear { room } => {
            streams.clear(&name(room));
            for stream in model.streams.iter_mut().filter(|one| one.room == room) {
                stream.kept.clear();
            }
        }
        Step::Expire { steps } => {
            loop {
                let taken = streams.expire(now, steps);
                assert!(taken <= steps);
                if taken < steps {
                    break;
                }
            }
            model.expire();
        }
        Step::Pass(time) => model.now += time,
    }
}

fn empty() -> (Streams, Model) {
    let bytes_max = 2_000;
    let partition = Partition::all().next().expect("there is a partition");
    let caps =
        Caps { bytes: bytes_max, streams: STREAMS, meta_ttl: Duration::from_nanos(META_TTL) };
    let streams = Streams::new(caps, Epochs::new(1, partition));
    (streams, Model { bytes_max, now: 0, streams: Vec::new() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn keeps_and_drops_what_plain_lists_would(steps in prop::collection::vec(step(), 0..150)) {
        let (mut streams, mut model) = empty();
        for step in steps {
            run(step, &mut streams, &mut model);
            streams.assert_consistent();
            prop_assert_eq!(streams.facts(), model.facts());
        }
    }

    /// What is in buckets has a model of its own; here it is the caps that count.
    #[test]
    fn streams_with_buckets_keep_to_the_caps_as_others_do(
        steps in prop::collection::vec(step_by_place(), 0..150),
    ) {
        let (mut streams, mut model) = empty();
        for step in steps {
            run(step, &mut streams, &mut model);
            streams.assert_consistent();
            let tops = |facts: Vec<Facts>| -> Vec<(String, u64)> {
                facts.into_iter().map(|(room, top, _)| (room, top)).collect()
            };
            prop_assert_eq!(tops(streams.facts()), tops(model.facts()));
        }
    }
}
