//! What a view of objects has still to tell: the rest of its snapshot, and changes that wait for
//! their time. Bounded by the objects of the area: each key waits once, with its latest state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::base::Moment;
use crate::channel::{Change, Happening, Object, Reason, Sighting};
use crate::geo::Metres;

/// Something to tell of one object.
#[derive(Clone, Debug)]
pub(in crate::session) struct Telling {
    pub(in crate::session) happening: Happening,
    pub(in crate::session) reason: Reason,
    pub(in crate::session) change: Arc<Change>,
    pub(in crate::session) distance: Option<Metres>,
}

/// How often, and from which distance on, an object's moves are told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Least time between two rounds; each object is told at most once in one.
    pub(super) interval: Option<Duration>,
    /// A move is told when the object is so far from where it was last told to be, or when its data
    /// or tags are others than those that were told.
    pub(super) min_move: Option<Metres>,
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    pace: Pace,
    /// What the client has not been shown yet of the objects that were there when it joined.
    snapshot: BTreeMap<Arc<str>, Sighting>,
    /// By key, with the order in which they came.
    waiting: HashMap<Arc<str>, (u64, Telling)>,
    order: u64,
    /// Nothing goes out before the client has the whole snapshot.
    pub(super) is_held: bool,
    /// When the next round may go out.
    next: Moment,
    /// Objects as they were last told, for `min_move`.
    told: HashMap<Arc<str>, Arc<Object>>,
    /// Changes that were overtaken by later ones, since this was last asked.
    skipped: usize,
}

impl Backlog {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, is_held: true, ..Self::default() }
    }

    /// The objects that are in the area as the subscription begins.
    pub(super) fn begin(&mut self, snapshot: &[Sighting]) {
        self.snapshot =
            snapshot.iter().map(|one| (one.object.fix.key.clone(), one.clone())).collect();
    }

    /// The next objects of the snapshot, by key.
    pub(super) fn next_page(&mut self, count: usize) -> Vec<Sighting> {
        let mut page = Vec::with_capacity(count.min(self.snapshot.len()));
        while page.len() < count
            && let Some((_, sighting)) = self.snapshot.pop_first()
        {
            self.note(&sighting);
            page.push(sighting);
        }
        page
    }

    /// Whether the client has still to be shown objects that were there when it joined.
    pub(super) fn has_snapshot(&self) -> bool {
        !self.snapshot.is_empty()
    }

    /// Takes a change; what is told at once comes back.
    pub(super) fn offer(&mut self, telling: Telling, now: Moment) -> Option<Telling> {
        let key = telling.change.object.fix.key.clone();
        if let Some(sighting) = self.snapshot.get_mut(&key) {
            self.skipped += 1;
            if telling.happening == Happening::Exit {
                self.snapshot.remove(&key);
            } else {
                sighting.object = telling.change.object.clone();
                sighting.distance = telling.distance;
            }
            return None;
        }
        let free = !self.is_held && self.snapshot.is_empty();
        if free && self.waiting.is_empty() && (self.pace.interval.is_none() || self.next <= now) {
            self.begin_round(now);
            return self.let_out(telling);
        }
        self.wait(key, telling);
        None
    }

    /// What is due, in the order in which it came.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Telling> {
        if self.is_held || !self.snapshot.is_empty() || self.waiting.is_empty() || self.next > now {
            return Vec::new();
        }
        self.begin_round(now);
        let mut all: Vec<_> = self.waiting.drain().map(|(_, waiting)| waiting).collect();
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().filter_map(|(_, telling)| self.let_out(telling)).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let waits = !self.is_held && self.snapshot.is_empty() && !self.waiting.is_empty();
        waits.then_some(self.next)
    }

    /// Objects that the area no longer has, of which the client is told elsewhere: nothing of them
    /// waits any more.
    pub(super) fn forget(&mut self, key: &str) {
        self.snapshot.remove(key);
        self.waiting.remove(key);
        self.told.remove(key);
    }

    /// An object that the client was told of elsewhere.
    pub(super) fn note(&mut self, sighting: &Sighting) {
        if self.pace.min_move.is_some() {
            self.told.insert(sighting.object.fix.key.clone(), sighting.object.clone());
        }
    }

    pub(super) fn take_skipped(&mut self) -> usize {
        std::mem::take(&mut self.skipped)
    }

    fn begin_round(&mut self, now: Moment) {
        if let Some(interval) = self.pace.interval {
            self.next = now.after(interval);
        }
    }

    fn wait(&mut self, key: Arc<str>, telling: Telling) {
        self.order += 1;
        let Some((order, before)) = self.waiting.remove(&key) else {
            self.waiting.insert(key, (self.order, telling));
            return;
        };
        self.skipped += 1;
        let Some(happening) = before.happening.and_then(telling.happening) else {
            self.skipped += 1;
            return;
        };
        let reason = happening.reason(before.reason, telling.reason);
        self.waiting.insert(key, (order, Telling { happening, reason, ..telling }));
    }

    /// What of it is worth telling.
    fn let_out(&mut self, telling: Telling) -> Option<Telling> {
        let Some(least) = self.pace.min_move else { return Some(telling) };
        let object = &telling.change.object;
        let key = &object.fix.key;
        if telling.happening == Happening::Move
            && self.told.get(key).is_some_and(|told| is_little(told, object, least))
        {
            self.skipped += 1;
            return None;
        }
        if telling.happening == Happening::Exit {
            self.told.remove(key);
        } else {
            self.told.insert(key.clone(), object.clone());
        }
        Some(telling)
    }
}

/// Whether an object is the same but for a move shorter than `least`.
fn is_little(told: &Object, object: &Object, least: Metres) -> bool {
    let (told, fix) = (&told.fix, &object.fix);
    told.point.distance(&fix.point) < least && told.data == fix.data && told.tags == fix.tags
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "the other happenings are not conflated")]
mod tests {
    use std::collections::BTreeMap as Map;

    use proptest::prelude::*;

    use super::*;
    use crate::channel::{Fix, Object};
    use crate::geo::LatLng;

    fn change(key: u8, lat: f64) -> Arc<Change> {
        let fix = Fix::bare(&key.to_string(), LatLng::new(lat, 0.0).unwrap().into());
        Arc::new(Change::new(Arc::new(Object { fix, suspect: false })))
    }

    fn telling(happening: Happening, change: Arc<Change>) -> Telling {
        Telling { happening, reason: Reason::Moved, change, distance: None }
    }

    /// What a client that is told holds.
    #[derive(Debug, Default)]
    struct Client(Map<Arc<str>, Arc<Object>>);

    impl Client {
        fn see(&mut self, telling: Telling) {
            let object = telling.change.object.clone();
            let key = object.fix.key.clone();
            match telling.happening {
                Happening::Enter => assert!(self.0.insert(key, object).is_none(), "enters once"),
                Happening::Move => {
                    assert!(self.0.insert(key, object).is_some(), "moves what is there");
                }
                Happening::Exit => assert!(self.0.remove(&key).is_some(), "leaves once"),
                other => panic!("{other:?} is not conflated"),
            }
        }
    }

    proptest! {
        /// However slowly it is told, a client ends with the true state, and never hears of an
        /// object in the wrong order.
        #[test]
        fn what_was_skipped_is_never_missed(
            steps in prop::collection::vec((0_u8..6, 0_u64..30, 0_u8..4, any::<bool>()), 1..200),
            at_start in prop::collection::btree_set(0_u8..6, 0..6),
            interval in prop::option::of(1_u64..50),
        ) {
            let interval = interval.map(Duration::from_nanos);
            let mut backlog = Backlog::new(Pace { interval, min_move: None });
            let mut truth: Map<Arc<str>, Arc<Object>> = Map::new();
            let mut client = Client::default();
            let first: Vec<Sighting> = at_start
                .iter()
                .map(|key| Sighting { object: change(*key, 1.0).object.clone(), distance: None })
                .collect();
            truth.extend(first.iter().map(|one| (one.object.fix.key.clone(), one.object.clone())));
            backlog.begin(&first);
            let (mut now, mut lat) = (Moment(0), 2.0);
            for (key, pause, page, moves) in steps {
                now = Moment(now.0 + pause);
                lat += 0.01;
                let change = change(key, lat);
                let name = change.object.fix.key.clone();
                let happening = match truth.contains_key(&name) {
                    false => Happening::Enter,
                    true if moves => Happening::Move,
                    true => Happening::Exit,
                };
                match happening {
                    Happening::Exit => truth.remove(&name),
                    Happening::Enter | Happening::Move => {
                        truth.insert(name, change.object.clone())
                    }
                    other => unreachable!("{other:?} is not conflated"),
                };
                if let Some(told) = backlog.offer(telling(happening, change), now) {
                    client.see(told);
                }
                for sighting in backlog.next_page(usize::from(page)) {
                    client.0.insert(sighting.object.fix.key.clone(), sighting.object);
                }
                backlog.is_held &= backlog.has_snapshot();
                backlog.due(now).into_iter().for_each(|told| client.see(told));
            }
            for sighting in backlog.next_page(100) {
                client.0.insert(sighting.object.fix.key.clone(), sighting.object);
            }
            backlog.is_held = false;
            if let Some(at) = backlog.next_deadline() {
                backlog.due(at.max(now)).into_iter().for_each(|told| client.see(told));
            }
            prop_assert_eq!(backlog.next_deadline(), None);
            prop_assert_eq!(client.0, truth);
        }
    }

    #[test]
    fn a_client_hears_of_moves_no_more_often_than_it_asked() {
        let interval = Some(Duration::from_nanos(100));
        let mut backlog = Backlog::new(Pace { interval, min_move: None });
        backlog.is_held = false;
        let tell = |backlog: &mut Backlog, at, lat| {
            backlog.offer(telling(Happening::Move, change(1, lat)), Moment(at)).is_some()
        };
        assert!(tell(&mut backlog, 0, 1.0));
        assert!(!tell(&mut backlog, 10, 1.1));
        assert!(!tell(&mut backlog, 50, 1.2));
        assert_eq!(backlog.next_deadline(), Some(Moment(100)));
        let due = backlog.due(Moment(100));
        assert_eq!(due.len(), 1);
        assert!((due[0].change.object.fix.point.at.lat() - 1.2).abs() < 1e-9);
        assert_eq!(backlog.take_skipped(), 1);
        assert!(!tell(&mut backlog, 150, 1.3), "the next round is at 200");
    }

    #[test]
    fn small_moves_are_told_when_they_add_up() {
        let min_move = Some(Metres(1000.0));
        let mut backlog = Backlog::new(Pace { interval: None, min_move });
        backlog.is_held = false;
        let mut tell =
            |happening, lat| backlog.offer(telling(happening, change(1, lat)), Moment(0)).is_some();
        assert!(tell(Happening::Enter, 0.0));
        assert!(!tell(Happening::Move, 0.005));
        assert!(tell(Happening::Move, 0.01), "1.1 km from where it was last told to be");
        assert!(!tell(Happening::Move, 0.011));
        assert!(tell(Happening::Exit, 0.012));
    }

    #[test]
    fn other_data_or_tags_are_told_however_small_the_move() {
        let min_move = Some(Metres(1000.0));
        let mut backlog = Backlog::new(Pace { interval: None, min_move });
        backlog.is_held = false;
        let mut tell = |data: &'static str, kind: &str, lat| {
            let point = LatLng::new(lat, 0.0).unwrap().into();
            let tags = [("kind".to_owned(), kind.to_owned())].into();
            let fix = Fix { data: data.into(), tags, ..Fix::bare("a", point) };
            let change = Arc::new(Change::new(Arc::new(Object { fix, suspect: false })));
            backlog.offer(telling(Happening::Move, change), Moment(0)).is_some()
        };
        assert!(tell("busy", "taxi", 0.0));
        assert!(!tell("busy", "taxi", 0.0002));
        assert!(tell("free", "taxi", 0.0004), "another state, 22 m away");
        assert!(!tell("free", "taxi", 0.0004));
        assert!(tell("free", "bus", 0.0004));
    }
}
