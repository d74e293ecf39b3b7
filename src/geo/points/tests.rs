use std::collections::BTreeMap;

use super::square::{Spot, Square};
use super::*;
use crate::geo::numbers::{Numbers, long_runs, point};

/// An index, and beside it what it is held against: every point is asked.
#[derive(Default)]
struct Pair {
    index: PointIndex,
    points: BTreeMap<u32, Point>,
}

impl Pair {
    fn check_within(&self, area: &Area, seed: u64) -> usize {
        let expected: Vec<u32> =
            self.points.iter().filter(|(_, at)| area.contains(at)).map(|(id, _)| *id).collect();
        let mut found = Vec::new();
        self.index.within(area, &mut found);
        found.sort_unstable();
        assert_eq!(found, expected, "seed {seed}: {area:?}");
        found.len()
    }

    fn check_nearest(&self, to: &Point, count: usize, within: Option<Metres>, seed: u64) {
        let accepts = |id: u32| !id.is_multiple_of(5);
        let mut expected: Vec<(u32, Metres)> = self
            .points
            .iter()
            .map(|(id, at)| (*id, to.distance(at)))
            .filter(|(id, away)| accepts(*id) && within.is_none_or(|most| *away <= most))
            .collect();
        // As the index does: by the chord, which orders as the distance does.
        let chord = |id: &u32| to.unit.chord_squared(self.points[id].unit);
        expected.sort_by(|one, other| {
            chord(&one.0).total_cmp(&chord(&other.0)).then(one.0.cmp(&other.0))
        });
        expected.truncate(count);
        assert_eq!(self.index.nearest(to, count, within, accepts), expected, "seed {seed}: {to:?}");
    }

    fn assert_invariants(&self) {
        assert_eq!(self.index.len(), self.points.len());
        self.index.tree.assert_invariants();
        for (id, point) in &self.points {
            assert_eq!(self.index.tree.place(*id).map(|place| place.point), Some(*point));
        }
    }
}

/// Hard for this index too: edges and corners of the cube, and lines between its squares.
fn hard_place(numbers: &mut Numbers) -> Point {
    let near = Metres(numbers.between(1e-3, 1e5));
    let mut side = || f64::from(numbers.below(3)) - 1.0;
    let (x, y, z) = (side(), side(), side());
    let on_cube = UnitVector { x, y, z }.normalised();
    match numbers.below(4) {
        0 if on_cube.dot(on_cube) > 0.5 => numbers.near(on_cube, near),
        1 => {
            let angle = |steps: u32| (f64::from(steps) - 16.0) * PI / 64.0;
            let (p, q) = (angle(numbers.below(33)).tan(), angle(numbers.below(33)).tan());
            let on_line = UnitVector { x: 1.0, y: p, z: q }.normalised();
            numbers.near(on_line, Metres(near.0 / 1e4))
        }
        _ => numbers.hard_place(),
    }
}

fn run(seed: u64, rounds: usize, ids: u32) -> usize {
    let mut numbers = Numbers(seed);
    let centers: Vec<Point> = (0..6).map(|_| hard_place(&mut numbers)).collect();
    let some = |numbers: &mut Numbers| centers[numbers.below(6) as usize];
    let (mut pair, mut found) = (Pair::default(), 0);
    for _ in 0..rounds {
        let id = numbers.below(ids);
        match numbers.below(8) {
            0 => {
                pair.points.remove(&id);
                pair.index.remove(id);
            }
            1..4 => {
                // A little move, mostly within the cell.
                let at = pair.points.get(&id).copied().unwrap_or_else(|| some(&mut numbers));
                let length = Metres(numbers.between(0.1, 2000.0));
                let at = numbers.near(at.unit, length);
                pair.points.insert(id, at);
                pair.index.insert(id, at);
            }
            4 => {
                let (center, length) = (some(&mut numbers), numbers.between(1.0, 100_000.0));
                let at = numbers.near(center.unit, Metres(length));
                pair.points.insert(id, at);
                pair.index.insert(id, at);
            }
            5 => {
                let (center, radius) = (some(&mut numbers), numbers.between(1.0, 2e7));
                found +=
                    pair.check_within(&Area::Circle(Circle::new(center, Metres(radius))), seed);
            }
            6 => {
                let (to, count) = (some(&mut numbers), numbers.below(30) as usize + 1);
                let most = Metres(numbers.between(10.0, 1e7));
                let within = (numbers.below(2) == 0).then_some(most);
                pair.check_nearest(&to, count, within, seed);
            }
            _ => {
                let center = some(&mut numbers);
                let corners: Vec<_> = (0..3)
                    .map(|_| numbers.at_distance(center.unit, Metres(20_000.0)).at)
                    .map(|at| crate::geo::Vertex { lng: at.lng(), lat: at.lat() })
                    .collect();
                if let Ok(area) = Area::polygons(&[vec![corners]]) {
                    found += pair.check_within(&area, seed);
                }
            }
        }
    }
    pair.assert_invariants();
    found
}

#[test]
fn what_is_found_is_what_a_scan_finds() {
    let found: usize = (0..long_runs(20) * 12).map(|seed| run(seed, 1500, 300)).sum();
    assert!(found > 10_000, "{found} found");
}

#[test]
fn what_is_found_among_many_is_what_a_scan_finds() {
    let found: usize = (0..long_runs(20) * 2).map(|seed| run(seed, 8000, 2000)).sum();
    assert!(found > 100_000, "{found} found");
}

/// Grows to thousands of points, crowded and scattered, and shrinks again.
fn grow_and_shrink(seed: u64, most: u32) {
    let mut numbers = Numbers(seed);
    let centers: Vec<Point> = (0..4).map(|_| hard_place(&mut numbers)).collect();
    let mut pair = Pair::default();
    let mut ids: Vec<u32> = (0..most).collect();
    for (step, id) in ids.iter().enumerate() {
        let center = centers[numbers.below(4) as usize];
        let length = Metres(numbers.between(0.01, 3e5));
        let at = match numbers.below(8) {
            0 => hard_place(&mut numbers),
            1 => center,
            _ => numbers.near(center.unit, length),
        };
        pair.points.insert(*id, at);
        pair.index.insert(*id, at);
        if step.is_power_of_two() {
            pair.assert_invariants();
        }
    }
    let leaves = pair.index.tree.assert_invariants();
    assert!(leaves > 20, "seed {seed}: {leaves} buckets");
    for _ in 0..12 {
        let center = centers[numbers.below(4) as usize];
        let to = numbers.near(center.unit, Metres(1000.0));
        // Exactly as far as a point, so that it is on the edge.
        let edge = pair.points[&numbers.below(most)];
        let radius = to.distance(&edge);
        assert!(pair.check_within(&Area::Circle(Circle::new(to, radius)), seed) > 0);
        pair.check_nearest(&to, 1 + numbers.below(100) as usize, None, seed);
        pair.check_nearest(&center, 1 + numbers.below(100) as usize, Some(radius), seed);
    }
    for left in (0..ids.len()).rev() {
        let id = ids.swap_remove(numbers.below(u32::try_from(left + 1).unwrap()) as usize);
        pair.points.remove(&id);
        pair.index.remove(id);
        if left.is_power_of_two() || left == 0 {
            let leaves = pair.index.tree.assert_invariants();
            assert!(leaves <= left.max(1), "seed {seed}: {leaves} buckets of {left} points");
            pair.assert_invariants();
            let radius = Metres(numbers.between(1.0, 2e7));
            pair.check_within(&Area::Circle(Circle::new(centers[0], radius)), seed);
            pair.check_nearest(&centers[1], 20, None, seed);
        }
    }
}

#[test]
fn crowds_come_and_go() {
    for seed in 0..long_runs(20) * 4 {
        grow_and_shrink(seed, 3000);
    }
}

#[test]
fn parts_of_an_area_that_overlap_show_a_point_once() {
    let mut pair = Pair::default();
    let mut numbers = Numbers(5);
    let center = point(20.0, 179.99);
    for id in 0..500 {
        let at = numbers.near(center.unit, Metres(20_000.0));
        pair.points.insert(id, at);
        pair.index.insert(id, at);
    }
    let part = |lng| Area::Circle(Circle::new(point(20.0, lng), Metres(5_000.0)));
    let area = Area::Union(vec![part(179.99), part(-179.99), Area::Empty, part(10.0)]);
    assert!(pair.check_within(&area, 5) > 20);
}

#[test]
fn nobody_is_asked_of_twice() {
    let mut numbers = Numbers(6);
    let mut index = PointIndex::default();
    for id in 0..3000 {
        index.insert(id, numbers.anywhere());
    }
    let mut asked = BTreeMap::<u32, u32>::new();
    let found = index.nearest(&numbers.anywhere(), 5, None, |id| {
        *asked.entry(id).or_default() += 1;
        false
    });
    assert!(found.is_empty() && asked.len() == 3000, "all are refused");
    assert!(asked.values().all(|times| *times == 1));
}

#[test]
fn the_squares_that_a_circle_meets_have_every_place_of_it() {
    let mut numbers = Numbers(7);
    let mut seen = 0;
    for _ in 0..long_runs(20) * 20_000 {
        let center = hard_place(&mut numbers);
        let radius = Metres(numbers.between(1e-3, 2e7));
        let at = match numbers.below(2) {
            0 => numbers.at_distance(center.unit, radius),
            _ => hard_place(&mut numbers),
        };
        let circle = Circle::new(center, radius);
        let spot = Spot::of(at.unit);
        let mut square = Square::of(spot.side);
        while !square.is_smallest() {
            square = square.quarter(square.quarter_of(spot));
            assert!(square.contains(spot));
        }
        let (middle, reach) = square.disc();
        assert!(middle.chord_squared(at.unit) <= reach * reach, "{at:?} is in its square");
        if circle.contains(at.unit) {
            let chord = chord_of(&circle);
            let view = spot.side.view(center.unit, chord).expect("the side is seen");
            let steps = view.steps(chord).expect("and some of it is in the circle");
            assert!(steps.have(spot), "{circle:?} {at:?} {steps:?} {spot:?}");
            seen += 1;
        }
    }
    assert!(seen > 5_000, "{seen} seen");
}

#[test]
fn the_nearest_is_found_on_the_other_side_of_the_earth() {
    let mut pair = Pair::default();
    let far: Point = crate::geo::LatLng::new(-10.0, 180.0).unwrap().into();
    pair.points.insert(1, far);
    pair.index.insert(1, far);
    let here: Point = crate::geo::LatLng::new(10.0, 0.0).unwrap().into();
    pair.check_nearest(&here, 5, None, 0);
    assert_eq!(pair.index.nearest(&here, 5, None, |_| true).len(), 1);
}

#[test]
fn antipodes_are_told_apart_though_their_chords_hardly_are() {
    let (mut numbers, mut pair) = (Numbers(9), Pair::default());
    let here = point(40.0, -5.0);
    for id in 0..1000 {
        let at = numbers.near(here.unit.opposite(), Metres(2_000.0));
        pair.points.insert(id, at);
        pair.index.insert(id, at);
    }
    for count in [1, 7, 100] {
        pair.check_nearest(&here, count, None, 9);
        let within = here.distance(&pair.points[&500]);
        pair.check_nearest(&here, count, Some(within), 9);
        pair.check_within(&Area::Circle(Circle::new(here, within)), 9);
    }
}

#[test]
fn peers_of_the_field_and_we_agree_on_the_nearest() {
    let places = [
        (1, 5.0, 5.0),
        (2, 19.0, 19.0),
        (3, 12.0, 19.0),
        (4, -5.0, 5.0),
        (5, 33.0, 21.0),
        (6, 52.0, 13.0),
    ];
    let mut index = PointIndex::default();
    for (id, lat, lng) in places {
        index.insert(id, crate::geo::LatLng::new(lat, lng).unwrap().into());
    }
    let to: Point = crate::geo::LatLng::new(20.0, 20.0).unwrap().into();
    let ids = |found: Vec<(u32, Metres)>| found.iter().map(|one| one.0).collect::<Vec<_>>();
    assert_eq!(ids(index.nearest(&to, 10, None, |_| true)), [2, 3, 5, 1, 4, 6]);
    let near = index.nearest(&to, 10, Some(Metres(1_500_000.0)), |_| true);
    let told: Vec<String> = near.iter().map(|one| format!("{:.1}", one.1.0 / 1000.0)).collect();
    assert_eq!(told, ["152.8", "895.9", "1448.9"]);
    assert_eq!(ids(near), [2, 3, 5]);
}
