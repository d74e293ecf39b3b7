use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::geo::numbers::{Numbers, long_runs, point};

/// A query, and who applies its steps.
struct Watched {
    live: LiveNearest,
    received: BTreeSet<u32>,
}

/// All points with whether they are accepted, and the queries.
#[derive(Default)]
struct Model {
    index: PointIndex,
    points: BTreeMap<u32, (Point, bool)>,
    watched: Vec<Watched>,
    steps: usize,
    searches: usize,
}

impl Model {
    fn accepts(points: &BTreeMap<u32, (Point, bool)>, id: u32) -> bool {
        points.get(&id).is_some_and(|(_, accepted)| *accepted)
    }

    fn watch(&mut self, to: Point, count: usize, within: Option<Metres>) {
        let mut live = LiveNearest::new(to, count, within);
        live.start(&self.index, |id| Self::accepts(&self.points, id));
        let received = live.list().map(|(id, _)| id).collect();
        self.watched.push(Watched { live, received });
    }

    fn change(&mut self, id: u32, after: Option<(Point, bool)>) {
        let before = match after {
            Some(after) => self.points.insert(id, after),
            None => self.points.remove(&id),
        };
        match after {
            Some((point, _)) => self.index.insert(id, point),
            None => self.index.remove(id),
        }
        for Watched { live, received } in &mut self.watched {
            // As its owner does: only what is in reach before or after is told.
            let in_reach = |place: &Option<(Point, bool)>| {
                place.is_some_and(|(place, _)| {
                    let reach = live.reach().map(|radius| Circle::new(live.to, radius));
                    reach.is_none_or(|circle| circle.contains(place.unit))
                })
            };
            if !in_reach(&before) && !in_reach(&after) {
                continue;
            }
            let mut asked = 0;
            let steps =
                live.handle_moved(id, after.map(|(point, _)| point), &self.index, |other| {
                    asked += 1;
                    Self::accepts(&self.points, other)
                });
            self.searches += usize::from(asked > 1);
            self.steps += steps.len();
            for Step { id: told, change } in steps {
                let is_right = match change {
                    Change::Enter => received.insert(told),
                    Change::Exit => received.remove(&told),
                    Change::Move => told == id && received.contains(&told),
                };
                assert!(is_right, "{change:?} of {told}");
                assert!(received.len() <= live.count, "never more than asked for");
            }
        }
    }

    fn recenter(&mut self, number: usize, to: Point) {
        let Watched { live, received } = &mut self.watched[number];
        let (added, removed) = live.recenter(to, &self.index, |id| Self::accepts(&self.points, id));
        assert!(removed.iter().all(|id| received.remove(id)), "what left was there");
        assert!(added.into_iter().all(|id| received.insert(id)), "what came was not");
    }

    fn check(&self, seed: u64) {
        for Watched { live, received } in &self.watched {
            let limit = Circle::new(live.to, live.within.unwrap_or(FARTHEST));
            let mut expected: Vec<(f64, u32)> = self
                .points
                .iter()
                .filter(|(_, (point, accepted))| *accepted && limit.contains(point.unit))
                .map(|(id, (point, _))| (live.to.unit.chord_squared(point.unit), *id))
                .collect();
            expected.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            expected.truncate(live.count);
            let expected: Vec<(u32, Metres)> = expected
                .into_iter()
                .map(|(_, id)| (id, live.to.distance(&self.points[&id].0)))
                .collect();
            assert_eq!(live.list().collect::<Vec<_>>(), expected, "seed {seed}: {live:?}");
            let ids: BTreeSet<u32> = expected.iter().map(|(id, _)| *id).collect();
            assert_eq!(received, &ids, "seed {seed}: the receiver has the list");
            assert!(live.known.len() <= 2 * live.kept(), "seed {seed}: bounded");
        }
    }
}

fn run(seed: u64, rounds: usize) -> (usize, usize) {
    let mut numbers = Numbers(seed);
    let centers: Vec<Point> = (0..3).map(|_| numbers.hard_place()).collect();
    let mut model = Model::default();
    for _ in 0..8 {
        let to = centers[numbers.below(3) as usize];
        let most = Metres(numbers.between(100.0, 1e7));
        let within = (numbers.below(2) == 0).then_some(most);
        let count = numbers.below(6) as usize + 1;
        model.watch(to, count, within);
    }
    for _ in 0..rounds {
        let id = numbers.below(100);
        let center = centers[numbers.below(3) as usize];
        let length = Metres(numbers.between(1.0, 50_000.0));
        let place = match numbers.below(4) {
            0 => numbers.hard_place(),
            // Many are equally far: all where another is.
            1 => model.points.values().next().map_or(center, |(place, _)| *place),
            _ => numbers.near(center.unit, length),
        };
        match numbers.below(40) {
            // Lists lose what they show more often than chance would have it.
            0..16 => {
                let live = &model.watched[numbers.below(8) as usize].live;
                let shown = live.list().map(|(id, _)| id).next();
                model.change(shown.unwrap_or(id), None);
            }
            16..20 => {
                let known = model.points.get(&id).copied();
                model.change(id, known.map(|(place, accepted)| (place, !accepted)));
            }
            20 => {
                let number = numbers.below(8) as usize;
                model.recenter(number, place);
            }
            _ => model.change(id, Some((place, numbers.below(4) > 0))),
        }
        model.check(seed);
    }
    (model.steps, model.searches)
}

#[test]
fn the_list_is_what_a_scan_finds_and_the_receiver_has_it() {
    let (mut steps, mut searches) = (0, 0);
    for seed in 0..long_runs(20) * 16 {
        let more = run(seed, 600);
        (steps, searches) = (steps + more.0, searches + more.1);
    }
    assert!(steps > 5_000 && searches > 50, "{steps} steps, {searches} searches");
}

#[test]
fn departures_are_made_good_without_a_search() {
    let mut model = Model::default();
    for id in 0..100 {
        model.change(id, Some((point(1.0 + f64::from(id) / 1000.0, 1.0), true)));
    }
    model.watch(point(1.0, 1.0), 10, None);
    let reach = model.watched[0].live.reach();
    for id in 0..9 {
        model.change(id, None);
        model.check(0);
    }
    assert_eq!(model.searches, 0);
    assert_eq!(model.watched[0].live.reach(), reach, "and without a new area");
    model.change(9, None);
    model.check(0);
    assert_eq!(model.searches, 1, "the surplus of nine is used up");
}

#[test]
fn equally_far_points_are_listed_by_number() {
    let mut model = Model::default();
    model.watch(point(0.0, 180.0), 2, Some(Metres(1_000.0)));
    let place = point(0.001, -179.999);
    for id in [7, 3, 5, 1] {
        model.change(id, Some((place, true)));
        model.check(0);
    }
    let ids: Vec<u32> = model.watched[0].live.list().map(|(id, _)| id).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn reach_is_everywhere_only_while_all_there_is_is_known() {
    let mut model = Model::default();
    model.watch(point(10.0, 10.0), 1, None);
    model.watch(point(10.0, 10.0), 1, Some(Metres(500.0)));
    assert_eq!(model.watched[0].live.reach(), None);
    assert_eq!(model.watched[1].live.reach(), Some(Metres(500.0)));
    for id in 0..100 {
        model.change(id, Some((point(10.0 + f64::from(id) * 1e-5, 10.0), true)));
        model.check(0);
    }
    assert!(model.watched.iter().all(|one| one.live.reach() < Some(Metres(200.0))));
    assert!(model.watched.iter().all(|one| one.live.reach().is_some()));
}
