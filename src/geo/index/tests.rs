use std::collections::BTreeMap;

use super::*;
use crate::geo::area::Vertex;
use crate::geo::numbers::{Numbers, long_runs, point};
use crate::geo::point::{FARTHEST, Metres};

/// An index, and beside it what it is held against: every area is asked.
#[derive(Default)]
struct Pair {
    index: AreaIndex,
    areas: BTreeMap<u32, Arc<Area>>,
    compared: usize,
    found: usize,
}

impl Pair {
    fn insert(&mut self, id: u32, area: Area) {
        let area = Arc::new(area);
        self.areas.insert(id, area.clone());
        self.index.insert(id, area);
    }

    fn remove(&mut self, id: u32) {
        self.areas.remove(&id);
        self.index.remove(id);
    }

    fn check(&mut self, place: &Place, seed: u64) {
        let has = |(id, area): (&u32, &Arc<Area>)| area.has(place).then_some(*id);
        let expected: Vec<u32> = self.areas.iter().filter_map(has).collect();
        let mut found = vec![u32::MAX];
        self.index.matches(place, &mut found);
        assert_eq!(found.remove(0), u32::MAX, "what was there before stays");
        found.sort_unstable();
        if found != expected {
            let wrong = |id: &&u32| found.contains(id) != expected.contains(id);
            let ids: Vec<&u32> = found.iter().chain(&expected).filter(wrong).collect();
            let areas: Vec<_> = ids.iter().map(|id| self.areas.get(id)).collect();
            panic!("seed {seed}, {place:?}: {found:?} is not {expected:?}: {areas:?}");
        }
        self.compared += self.areas.len();
        self.found += found.len();
    }
}

fn at(point: Point) -> Place {
    Place { at: point, shape: None }
}

fn some_circle(numbers: &mut Numbers, centers: &[Point]) -> Circle {
    let center = match numbers.below(4) {
        0 => numbers.hard_place(),
        _ => centers[slot(numbers.below(8))],
    };
    let radius = match numbers.below(20) {
        0 => 0.0,
        1 => FARTHEST.0,
        2 => FARTHEST.0 / 2.0,
        3 => CircleGrid::radius_max(RESOLUTIONS[slot(numbers.below(4))]).0,
        4..8 => numbers.between(1e-3, 2e7),
        8..12 => numbers.between(1e3, 1e5),
        _ => numbers.between(10.0, 5032.0),
    };
    Circle::new(center, Metres(radius))
}

fn some_area(numbers: &mut Numbers, centers: &[Point]) -> Area {
    match numbers.below(14) {
        0 => Area::Empty,
        12 => some_polygon(numbers, centers),
        13 => some_route(numbers, centers),
        1..4 => Area::Union(vec![
            Area::Circle(some_circle(numbers, centers)),
            Area::Circle(some_circle(numbers, centers)),
        ]),
        _ => Area::Circle(some_circle(numbers, centers)),
    }
}

/// A triangle or more round a centre, on which it may lie over a pole or the antimeridian.
fn some_polygon(numbers: &mut Numbers, centers: &[Point]) -> Area {
    let center = centers[slot(numbers.below(8))];
    let radius = Metres(numbers.between(10.0, 300_000.0));
    let corners: Vec<Vertex> = (0..3 + numbers.below(5))
        .map(|_| numbers.at_distance(center.unit, radius).at)
        .map(|at| Vertex { lng: at.lng(), lat: at.lat() })
        .collect();
    // Corners in any order mostly cross.
    Area::polygons(&[vec![corners[..3].to_vec()]]).unwrap_or_default()
}

fn some_route(numbers: &mut Numbers, centers: &[Point]) -> Area {
    let center = centers[slot(numbers.below(8))];
    let length = Metres(numbers.between(10.0, 300_000.0));
    let line = (0..4).map(|_| numbers.near(center.unit, length).at).collect();
    let half_width = Metres(numbers.between(1.0, 10_000.0));
    Area::routes(&[line], half_width).unwrap_or_default()
}

/// At an edge, at a centre, near one, or at a hard place.
fn some_place(numbers: &mut Numbers, pair: &Pair, centers: &[Point]) -> Point {
    let id = numbers.below(IDS);
    match (numbers.below(8), pair.areas.get(&id).map(|area| &**area)) {
        (0, _) => numbers.hard_place(),
        (1, Some(Area::Circle(circle))) => circle.center,
        (2..5, Some(Area::Circle(circle))) => {
            let doubt = numbers.between(1e-9, 10.0) * (numbers.share() - 0.5);
            numbers.at_distance(circle.center.unit, Metres((circle.radius.0 + doubt).max(0.0)))
        }
        (5..7, Some(Area::Circle(circle))) => numbers.near(circle.center.unit, circle.radius),
        _ => {
            let center = centers[slot(numbers.below(8))];
            let distance = Metres(numbers.between(1.0, 1e5));
            numbers.near(center.unit, distance)
        }
    }
}

/// Areas come, go and change around a few places while they are asked.
fn run(seed: u64, rounds: usize) -> usize {
    let mut numbers = Numbers(seed);
    let centers: Vec<Point> = (0..8).map(|_| numbers.hard_place()).collect();
    let mut pair = Pair::default();
    for _ in 0..rounds {
        let id = numbers.below(IDS);
        match numbers.below(10) {
            0..4 => {
                let area = some_area(&mut numbers, &centers);
                pair.insert(id, area);
            }
            4..7 => {
                // Somebody moves a little, as circles that follow do.
                if let Some(Area::Circle(circle)) = pair.areas.get(&id).map(|area| &**area) {
                    let distance = Metres(numbers.between(0.1, 1e4));
                    let center = numbers.near(circle.center.unit, distance);
                    pair.insert(id, Area::Circle(Circle::new(center, circle.radius)));
                }
            }
            7..9 => pair.remove(id),
            _ => {}
        }
        let place = some_place(&mut numbers, &pair, &centers);
        pair.check(&at(place), seed);
        // The same few cells again and again, whatever changes around them.
        let center = centers[slot(numbers.below(8))];
        let again = numbers.near(center.unit, Metres(100.0));
        pair.check(&at(again), seed);
    }
    pair.index.assert_invariants();
    assert!(pair.found > pair.compared / 100, "too little is found to tell anything");
    for id in 0..IDS {
        pair.remove(id);
    }
    pair.index.assert_invariants();
    let grids = pair.index.grids.iter().flatten();
    assert!(grids.map(|grid| grid.cells()).all(|cells| cells == 0), "an empty cell is dropped");
    pair.compared
}

#[test]
fn finds_what_asking_every_area_finds() {
    let compared: usize = (1..=10 * long_runs(20)).map(|seed| run(seed, 400)).sum();
    assert!(compared > 100_000, "{compared} comparisons");
}

#[test]
fn an_area_that_is_replaced_or_removed_is_found_no_more() {
    let mut numbers = Numbers(1);
    let (here, there) = (numbers.anywhere(), numbers.anywhere());
    let circle = |center, radius| Area::Circle(Circle::new(center, Metres(radius)));
    let mut pair = Pair::default();
    for radius in [0.0, 100.0, 6e3, 1e5, 1e6, 5e6] {
        pair.insert(3, circle(here, radius));
        pair.check(&at(here), 1);
        pair.insert(3, circle(there, 10.0));
        pair.check(&at(here), 1);
        pair.check(&at(there), 1);
        pair.remove(3);
        pair.remove(3);
        pair.check(&at(there), 1);
    }
    assert_eq!(pair.found, 12, "the same found each time");
}

#[test]
fn a_crowd_in_one_place_that_moves_and_goes_is_found() {
    let mut numbers = Numbers(2);
    let here = numbers.anywhere();
    let mut pair = Pair::default();
    let crowded = |pair: &Pair| pair.index.grids[0].as_ref().map_or(0, |grid| grid.crowded());
    for round in 0..3 {
        for id in (0..2000).step_by(1 + round) {
            let center = numbers.near(here.unit, Metres(2000.0));
            pair.insert(id, Area::Circle(Circle::new(center, Metres(2000.0))));
        }
        pair.check(&at(here), 2);
        pair.index.assert_invariants();
    }
    assert!(crowded(&pair) > 0, "no crowd");
    for id in (0..2000).filter(|id| id % 10 > 0) {
        pair.remove(id);
    }
    pair.check(&at(here), 2);
    pair.index.assert_invariants();
    assert_eq!(crowded(&pair), 0);
    assert!(pair.found > 2000, "{} found", pair.found);
}

impl AreaIndex {
    fn assert_invariants(&mut self) {
        let shapes = self
            .areas
            .iter()
            .flatten()
            .filter(|area| !matches!(***area, Area::Empty | Area::Circle(_)));
        let boxes = shapes.map(|area| area.extent().len()).sum();
        self.shapes.get_or_insert_default().assert_invariants(boxes);
        for (number, grid) in self.grids.iter().enumerate() {
            let kept = |area: &Arc<Area>| match Kept::of(Some(area)) {
                Kept::Grid(grid, circle) if grid == number => Some(*circle),
                _ => None,
            };
            let areas = (0..).zip(&self.areas);
            let circles = areas.filter_map(|(id, area)| Some((id, kept(area.as_ref()?)?)));
            if let Some(grid) = grid {
                grid.assert_invariants(&circles.collect());
            }
        }
    }
}

#[test]
fn areas_near_a_shape_are_asked_and_far_ones_mostly_not() {
    let mut numbers = Numbers(8);
    let centers: Vec<Point> = (0..8).map(|_| numbers.hard_place()).collect();
    let mut pair = Pair::default();
    for id in 0..1000 {
        let area = some_area(&mut numbers, &centers);
        pair.insert(id, area);
    }
    let (mut asked, mut met) = (0, 0);
    for _ in 0..300 {
        let cap = some_circle(&mut numbers, &centers);
        let touches = |circle: &Circle| {
            circle.center.distance(&cap.center).0 <= circle.radius.0 + cap.radius.0
        };
        let near = pair.index.near(&Area::Circle(cap));
        assert!(near.is_sorted_by(|one, other| one < other), "each once");
        for (id, area) in &pair.areas {
            if parts(area).iter().any(touches) {
                assert!(near.contains(id), "{area:?} near {cap:?}");
                met += 1;
            }
        }
        asked += near.len();
    }
    assert!(met > 10_000 && asked < 2 * met, "{asked} asked, {met} met");
}

fn parts(area: &Area) -> Vec<Circle> {
    match area {
        Area::Circle(circle) => vec![*circle],
        Area::Union(unions) => unions.iter().flat_map(parts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn changes_over_the_border_of_a_tile_are_seen() {
    let mut numbers = Numbers(5);
    let borders = [
        (45.03, 10.0),
        (45.0, 10.03),
        (0.03, 180.0),
        (0.03, -180.0),
        (89.9995, 10.0),
        (-90.0, 0.0),
    ];
    for (lat, lng) in borders {
        let border = point(lat, lng);
        let mut pair = Pair::default();
        for _ in 0..200 {
            let part = |numbers: &mut Numbers| {
                let radius = Metres(numbers.between(1.0, 100.0));
                Area::Circle(Circle::new(numbers.near(border.unit, Metres(150.0)), radius))
            };
            let id = numbers.below(3);
            match numbers.below(3) {
                0 => pair.remove(id),
                _ => pair.insert(id, Area::Union(vec![part(&mut numbers)])),
            }
            for _ in 0..5 {
                let place = numbers.near(border.unit, Metres(150.0));
                pair.check(&at(place), 5);
            }
        }
    }
}

#[test]
fn the_cells_that_were_asked_for_are_bounded() {
    let mut numbers = Numbers(4);
    let mut pair = Pair::default();
    let here = numbers.anywhere();
    for id in 0..100 {
        let parts = (0..2).map(|_| {
            let center = numbers.near(here.unit, Metres(1e4));
            Area::Circle(Circle::new(center, Metres(3e4)))
        });
        pair.insert(id, Area::Union(parts.collect()));
    }
    let mut heaviest = 0;
    for _ in 0..500 {
        let place = numbers.near(here.unit, Metres(5e4));
        pair.check(&at(place), 4);
        let boxes = 200;
        heaviest = heaviest.max(pair.index.shapes.get_or_insert_default().assert_invariants(boxes));
    }
    assert!(heaviest > 10_000, "{heaviest}: the bound was never near");
}

const IDS: u32 = 120;
