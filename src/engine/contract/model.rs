//! An engine as plain lists, searched from end to end, and random operations for both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::base::Now;
use crate::channel::{
    Audience, Channel, Event, EventKind, HistoryPage, HistoryQuery, Position, Publication, Since,
};
use crate::engine::contract::{TestSink, at, channel, publication};
use crate::engine::{Broker, PublishOptions, Retention};
use crate::geo::{Area, Circle, LatLng, Metres, Place, Purse};

/// The window of idempotency keys that [`crate::engine::PublishOptions`] promises, in seconds.
const KEY_TTL: u64 = 300;

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Publish {
        room: usize,
        spot: usize,
        key: Option<u8>,
        retention: Option<Retention>,
    },
    Announce {
        room: usize,
        joined: bool,
    },
    History {
        room: usize,
        limit: usize,
        since: Option<Presented>,
        reverse: bool,
        /// In rooms by place: around which spot.
        around: Option<usize>,
        retention: Retention,
    },
    Remove {
        room: usize,
    },
    Expire,
    Pass {
        seconds: u64,
    },
}

/// A position as a client presents it: the epoch is unknown, right or another.
#[derive(Clone, Debug)]
pub(super) struct Presented {
    offset: u64,
    epoch: Option<bool>,
}

pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 0..80)
}

fn operation() -> impl Strategy<Value = Operation> {
    let room = 0..4_usize;
    let key = prop::option::weighted(0.3, 0..3_u8);
    let limit = prop_oneof![0..6_usize, Just(usize::MAX)];
    let presented = (0..12_u64, prop::option::of(prop::bool::weighted(0.8)))
        .prop_map(|(offset, epoch)| Presented { offset, epoch });
    let since = prop::option::of(presented);
    let around = prop::option::weighted(0.8, 0..SPOTS.len());
    prop_oneof![
        8 => (room.clone(), 0..=SPOTS.len(), key, prop::option::weighted(0.9, retention()))
            .prop_map(|(room, spot, key, retention)| {
                let retention = retention.map(|retention| in_room(room, retention));
                Operation::Publish { room, spot, key, retention }
            }),
        1 => (room.clone(), any::<bool>())
            .prop_map(|(room, joined)| Operation::Announce { room, joined }),
        6 => (room.clone(), limit, since, any::<bool>(), around, retention()).prop_map(
            |(room, limit, since, reverse, around, retention)| {
                let (around, retention) =
                    (around.filter(|_| is_by_place(room)), in_room(room, retention));
                Operation::History { room, limit, since, reverse, around, retention }
            }
        ),
        1 => room.prop_map(|room| Operation::Remove { room }),
        1 => Just(Operation::Expire),
        4 => prop_oneof![4 => 0..8_u64, 1 => 0..400_u64]
            .prop_map(|seconds| Operation::Pass { seconds }),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    (1..6_usize, 1..30_u64, 1..60_u64).prop_map(|(size, ttl, meta_ttl)| Retention {
        size,
        ttl: Duration::from_secs(ttl),
        meta_ttl: Some(Duration::from_secs(meta_ttl)),
        buckets: None,
    })
}

/// Channels of geo events.
fn is_by_place(room: usize) -> bool {
    room >= 2
}

fn in_room(room: usize, retention: Retention) -> Retention {
    Retention { buckets: is_by_place(room).then_some(1 << 30), ..retention }
}

/// Random `(joins, room, client, user)`, the same in every run.
pub(super) fn walk(steps: usize) -> impl Iterator<Item = (bool, u64, u128, u64)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..steps).map(move |_| (next(2) == 0, next(3), u128::from(next(6)), next(3)))
}

#[derive(Debug, Default)]
pub(super) struct Model {
    second: u64,
    published: u64,
    lives: HashMap<usize, Life>,
    /// The answer and the second at which it is forgotten.
    answers: HashMap<(usize, u8), (Position, u64)>,
    /// Every epoch of every life.
    epochs: HashSet<Arc<str>>,
}

/// One life of a stream.
#[derive(Debug)]
struct Life {
    epoch: Arc<str>,
    top: u64,
    kept: Vec<Kept>,
    /// In a room by place: the highest offset that each spot lost.
    lost: HashMap<usize, u64>,
    retention: Retention,
    used: u64,
}

#[derive(Debug)]
struct Kept {
    /// The second of its append.
    taken: u64,
    spot: usize,
    publication: Publication,
}

impl Life {
    /// Drops what does not pass, in order of offsets.
    fn retain(&mut self, passes: impl Fn(usize, &Kept) -> bool) {
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.kept)
            .into_iter()
            .enumerate()
            .partition(|(index, one)| passes(*index, one));
        self.kept = kept.into_iter().map(|(_, one)| one).collect();
        self.lost.extend(gone.into_iter().map(|(_, one)| (one.spot, one.publication.offset)));
    }

    /// Keeps the newest, in a room by place those of each spot.
    fn trim(&mut self, by_place: bool, size: usize) {
        let spots: Vec<usize> = self.kept.iter().map(|one| one.spot).collect();
        self.retain(|index, one| {
            let newer = spots[index + 1..].iter().filter(|spot| !by_place || **spot == one.spot);
            newer.count() < size
        });
    }

    fn ended(&self, second: u64) -> bool {
        let lasts = self.retention.meta_ttl.max(Some(self.retention.ttl)).expect("set");
        self.used + lasts.as_secs() <= second
    }
}

impl Model {
    pub(super) async fn check(
        mut self,
        broker: &dyn Broker,
        sink: &TestSink,
        operations: Vec<Operation>,
    ) -> Result<(), TestCaseError> {
        for operation in operations {
            self.sweep();
            let now = at(self.second);
            match operation {
                Operation::Publish { room, spot, key, retention } => {
                    self.publish(broker, sink, (room, spot, key), retention).await?;
                }
                Operation::Announce { room, joined } => {
                    let details = Arc::default();
                    let kind =
                        if joined { EventKind::Join(details) } else { EventKind::Leave(details) };
                    let answer = broker.emit(&name(room), kind).await;
                    prop_assert_eq!(answer, Ok(()));
                    let events = sink.take();
                    let right = match &events[..] {
                        [Event { channel, kind: EventKind::Join(_) }] => {
                            joined && *channel == name(room)
                        }
                        [Event { channel, kind: EventKind::Leave(_) }] => {
                            !joined && *channel == name(room)
                        }
                        _ => false,
                    };
                    prop_assert!(right, "{:?}", events);
                }
                Operation::History { room, limit, since, reverse, around, retention } => {
                    let since = since.map(|since| self.since(room, &since));
                    let audience = around.map(audience);
                    let query = HistoryQuery { limit, since, reverse, audience };
                    let page = broker.history(&name(room), query.clone(), retention, now).await;
                    let page = page.expect("history is answered");
                    self.touch(room, &page.top.epoch, retention)?;
                    prop_assert_eq!(page, self.page(room, &query, around));
                }
                Operation::Remove { room } => {
                    prop_assert_eq!(broker.remove_history(&name(room)).await, Ok(()));
                    self.lives.entry(room).and_modify(|life| life.retain(|_, _| false));
                }
                Operation::Expire => broker.expire(now),
                Operation::Pass { seconds } => self.second += seconds,
            }
            prop_assert_eq!(sink.take().len(), 0, "an event too many");
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        broker: &dyn Broker,
        sink: &TestSink,
        (room, spot, key): (usize, usize, Option<u8>),
        retention: Option<Retention>,
    ) -> Result<(), TestCaseError> {
        self.published += 1;
        let now = at(self.second);
        let idempotency_key = key.map(|key| format!("key {key}"));
        let options = PublishOptions { retention, idempotency_key };
        let mut publication = publication(self.published.to_string());
        publication.place = is_by_place(room).then(|| Arc::new(place(spot)));
        let answer = broker.publish(&name(room), publication.clone(), options, now).await;
        let answer = answer.expect("a publish is answered");
        if let Some((earlier, _)) = key.and_then(|key| self.answers.get(&(room, key))) {
            prop_assert_eq!(&answer, earlier);
            return Ok(());
        }
        let Now { moment, unix } = now;
        (publication.accepted, publication.time) = (moment, unix);
        match retention {
            None => prop_assert_eq!(&answer, &Position::default()),
            Some(retention) => {
                self.touch(room, &answer.epoch, retention)?;
                let life = self.lives.get_mut(&room).expect("touched");
                life.retention = retention;
                life.top += 1;
                prop_assert_eq!(answer.offset, life.top);
                publication.offset = life.top;
                life.kept.push(Kept { taken: self.second, spot, publication: publication.clone() });
                life.trim(is_by_place(room), retention.size);
            }
        }
        if let Some(key) = key {
            self.answers.insert((room, key), (answer.clone(), self.second + KEY_TTL));
        }
        let events = sink.take();
        prop_assert_eq!(events.len(), 1);
        let EventKind::Publication { publication: emitted, epoch } = &events[0].kind else {
            return Err(TestCaseError::fail(format!("no publication: {events:?}")));
        };
        prop_assert_eq!(&events[0].channel, &name(room));
        prop_assert_eq!(&**emitted, &publication);
        prop_assert_eq!(epoch, &answer.epoch);
        Ok(())
    }

    /// Forgets what has ended by the model's second.
    fn sweep(&mut self) {
        let second = self.second;
        self.answers.retain(|_, (_, until)| *until > second);
        self.lives.retain(|_, life| !life.ended(second));
        for life in self.lives.values_mut() {
            let ttl = life.retention.ttl.as_secs();
            life.retain(|_, one| one.taken + ttl > second);
        }
    }

    /// Marks a stream as used; a life that begins must have an epoch that never was.
    fn touch(
        &mut self,
        room: usize,
        epoch: &Arc<str>,
        retention: Retention,
    ) -> Result<(), TestCaseError> {
        if let Some(life) = self.lives.get_mut(&room) {
            life.used = self.second;
            prop_assert_eq!(epoch, &life.epoch);
            return Ok(());
        }
        prop_assert!(!epoch.is_empty() && self.epochs.insert(Arc::clone(epoch)), "{}", epoch);
        let epoch = Arc::clone(epoch);
        let (kept, lost) = (Vec::new(), HashMap::new());
        let life = Life { epoch, top: 0, kept, lost, retention, used: self.second };
        self.lives.insert(room, life);
        Ok(())
    }

    fn since(&self, room: usize, presented: &Presented) -> Since {
        let epoch = match (presented.epoch, self.lives.get(&room)) {
            (None, _) => String::new(),
            (Some(true), Some(life)) => life.epoch.to_string(),
            (Some(_), _) => "another".into(),
        };
        Since { offset: presented.offset, epoch }
    }

    fn page(&self, room: usize, query: &HistoryQuery, around: Option<usize>) -> HistoryPage {
        let life = &self.lives[&room];
        let one = |kept: &Kept| Arc::new(kept.publication.clone());
        let mut kept: Vec<_> = life.kept.iter().map(one).collect();
        if query.reverse {
            kept.reverse();
        }
        let since = query.since.as_ref();
        let other_epoch = since.is_some_and(|s| !s.epoch.is_empty() && *s.epoch != *life.epoch);
        kept.retain(|one| match since {
            _ if other_epoch => false,
            None => true,
            Some(since) if query.reverse => one.offset < since.offset,
            Some(since) => one.offset > since.offset,
        });
        let complete = around.map(|around| {
            let who = audience(around);
            kept.retain(|one| who.gets(one, &mut Purse::default()));
            let after = since.filter(|_| !query.reverse).map_or(0, |since| since.offset);
            let lost = |spot| life.lost.get(&spot).is_some_and(|lost| *lost > after);
            !other_epoch && kept.len() <= query.limit && !lost(around) && !lost(WIDE)
        });
        kept.truncate(query.limit);
        let top = Position { offset: life.top, epoch: Arc::clone(&life.epoch) };
        HistoryPage { publications: kept, top, complete }
    }
}

fn name(room: usize) -> Channel {
    channel(&format!("room:{room}"))
}

fn circle(spot: usize, radius_m: f64) -> Area {
    let (lat, lng) = SPOTS[spot];
    let center = LatLng::new(lat, lng).expect("a spot is on the Earth");
    Area::Circle(Circle::new(center.into(), Metres(radius_m)))
}

/// Whoever has a kilometre around a spot.
pub(super) fn audience(spot: usize) -> Arc<Audience> {
    Arc::new(Audience { area: Arc::new(circle(spot, 1_000.0)), ..Audience::default() })
}

/// At a spot, or the wide one around the first.
pub(super) fn place(spot: usize) -> Place {
    let shape = (spot == WIDE).then(|| Arc::new(circle(0, 200_000.0)));
    let at = circle(if spot == WIDE { 0 } else { spot }, 0.0).center().expect("a circle has one");
    Place { at, shape }
}

/// Far from each other; the last one on the antimeridian.
const SPOTS: [(f64, f64); 3] = [(52.5, 13.4), (-33.9, 151.2), (64.0, 180.0)];
/// Of an event that is wide.
pub(super) const WIDE: usize = SPOTS.len();
