use std::collections::BTreeMap;

use super::*;
use crate::geo::numbers::Numbers;

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
        let kept: usize = self.index.cells.values().map(|cell| cell.ids.len()).sum();
        assert_eq!(kept, self.points.len(), "each point is in one cell");
        assert!(self.index.cells.values().all(|cell| !cell.ids.is_empty()), "no cell is empty");
        for (id, point) in &self.points {
            let place = self.index.place(*id).expect("each point has its place");
            let cell = &self.index.cells[&place.key];
            assert_eq!(cell.ids[place.index as usize], *id, "and the place has the point");
            assert_eq!(cell.points[place.index as usize], *point);
        }
    }
}

fn run(seed: u64, rounds: usize) -> usize {
    let mut numbers = Numbers(seed);
    let centers: Vec<Point> = (0..6).map(|_| numbers.hard_place()).collect();
    let some = |numbers: &mut Numbers| centers[numbers.below(6) as usize];
    let (mut pair, mut found) = (Pair::default(), 0);
    for _ in 0..rounds {
        let id = numbers.below(300);
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
    let found: usize = (0..12).map(|seed| run(seed, 1500)).sum();
    assert!(found > 10_000, "{found} found");
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
