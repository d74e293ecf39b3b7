//! What areas are to one another, to circles and to distances, against samples.

use super::oracle::{Sampled, sampled};
use super::towards;
use crate::geo::area::{Area, Circle, Extent, Relation};
use crate::geo::numbers::{Numbers, long_runs};
use crate::geo::point::{FARTHEST, Metres, Point};
use std::f64::consts::TAU;

/// Pairs of areas.
const PAIRS: u64 = 1500;
/// Places for each pair.
const PLACES: u32 = 8;

#[test]
fn areas_are_to_one_another_what_their_samples_are() {
    let met = (0..PAIRS * long_runs(27)).filter(|seed| check_pair(*seed)).count();
    assert!(met > 100, "{met} pairs meet: too few to tell anything");
}

/// Whether the pair meets.
fn check_pair(seed: u64) -> bool {
    let mut numbers = Numbers(seed);
    let around = numbers.hard_place();
    let size = numbers.between(10.0, 3e6);
    let one = sampled(&mut numbers, around, size);
    let beside = numbers.near(around.unit, Metres(size * 2.0));
    let smaller = numbers.between(size / 10.0, size * 2.0);
    let other = sampled(&mut numbers, beside, smaller);
    let meets = one.area.meets(&other.area);
    assert_eq!(meets, other.area.meets(&one.area), "seed {seed}: {:?} {:?}", one.area, other.area);
    if let Some(expected) = one.meets(&other) {
        assert_eq!(meets, expected, "seed {seed}: {:?} {:?}", one.area, other.area);
    }
    let within = one.area.is_within(&other.area);
    let both = Area::Union(vec![one.area.clone(), other.area.clone()]);
    assert!(one.area.is_within(&both), "seed {seed}");
    for _ in 0..PLACES {
        let place = one.place(&mut numbers);
        let is_in = one.area.contains(&place);
        let in_other = other.area.contains(&place);
        assert!(!is_in || !in_other || meets, "seed {seed}: {place:?} is in both");
        assert!(!within || !is_in || in_other, "seed {seed}: {place:?} is not in the outer one");
        assert_eq!(both.contains(&place), is_in || in_other, "seed {seed}: {place:?}");
        check_distance(&one, &place, seed);
        check_surroundings(&one.area, &place, &mut numbers, seed);
        check_surroundings(&both, &place, &mut numbers, seed);
    }
    meets
}

/// The distance of the edge is that of its samples.
fn check_distance(of: &Sampled, place: &Point, seed: u64) {
    let found = of.area.edge_distance(place).0;
    let line = of.line_distance(place.unit);
    let expected = (line - of.reach).abs();
    let doubt = of.gap + 2.0;
    assert!(found >= expected - doubt, "seed {seed}: {place:?} {found} {expected} {of:?}");
    // Between two cells of an area is no edge.
    let all_edges = !matches!(of.area, Area::Cells(_));
    // Samples are farther than the line, which outside is farther from the edge as well.
    let most = expected + if !of.is_region && line < of.reach + of.gap { doubt } else { 2.0 };
    assert!(!all_edges || found <= most, "seed {seed}: {place:?} {found} {expected}");
    if !of.is_region {
        let is_in = of.area.contains(place);
        assert!(is_in || line > of.reach, "seed {seed}: {place:?} is {line} m away");
        assert!(!is_in || line <= of.reach + of.gap + 1e-6, "seed {seed}: {place:?} {line}");
    }
}

/// No box, circle, safe distance or relation tells what is not so.
fn check_surroundings(area: &Area, place: &Point, numbers: &mut Numbers, seed: u64) {
    let is_in = area.contains(place);
    if is_in {
        let (lat, lng) = (place.at.lat(), place.at.lng());
        let holds = |one: &Extent| {
            one.south <= lat && lat <= one.north && one.west <= lng && lng <= one.east
        };
        assert!(area.extent().iter().any(holds), "seed {seed}: {place:?} {:?}", area.extent());
        let (center, radius) = area.cap().unwrap();
        assert!(center.distance(place) <= radius, "seed {seed}: {place:?} {center:?} {radius:?}");
    }
    let safe = area.safe_distance(place);
    let found = area.edge_distance(place);
    assert!(safe.0 <= found.0 + 1.0, "seed {seed}: {place:?} {safe:?} {found:?}");
    if safe.0.is_finite() && safe.0 > 1e-3 {
        let moved = moved(place, safe.0 - 1e-3, numbers);
        assert_eq!(area.contains(&moved), is_in, "seed {seed}: {place:?} {safe:?} {moved:?}");
    }
    let radius = numbers.between(1e-3, 2.0) * found.0.clamp(0.1, 1e7);
    let circle = Circle::new(*place, Metres(radius));
    let relation = area.relation(&circle);
    for _ in 0..4 {
        let inside = moved(place, radius * 0.999_999, numbers);
        let is_in = area.contains(&inside);
        assert!(!is_in || relation != Relation::Outside, "seed {seed}: {circle:?} {inside:?}");
        assert!(is_in || relation != Relation::Inside, "seed {seed}: {circle:?} {inside:?}");
    }
    let meets = area.meets(&Area::Circle(circle));
    assert!(relation != Relation::Inside || meets, "seed {seed}: {circle:?}");
    assert!(relation != Relation::Outside || !meets, "seed {seed}: {circle:?}");
}

/// At most so many metres away.
fn moved(place: &Point, most: f64, numbers: &mut Numbers) -> Point {
    let metres = most * [1.0, numbers.share()][numbers.below(2) as usize];
    towards(*place, numbers.share() * TAU, metres.min(FARTHEST.0))
}
