//! Shapes of as many positions as a client may send, written to cost much: that they are taken, are
//! told apart rightly, and in how many steps.

use std::f64::consts::TAU;

use super::{point, ring};
use crate::base::limits;
use crate::geo::area::budget::Purse;
use crate::geo::area::kernel::Kernel;
use crate::geo::area::{Area, Circle, Vertex};
use crate::geo::point::{LatLng, Metres};

/// Positions of each.
const MOST: u32 = 1000;
const _: () = assert!(MOST as usize == limits::POLYGON_VERTICES);

fn vertex(lng: f64, lat: f64) -> Vertex {
    Vertex { lng, lat }
}

fn one(ring: Vec<Vertex>) -> Area {
    Area::polygons(&[vec![ring]]).unwrap()
}

fn collection(rings: Vec<Vec<Vertex>>) -> Area {
    Area::union(rings.into_iter().map(one).collect())
}

/// Two arms round one another, many times; what lies between them is not inside.
fn spiral(turns: f64, share: f64) -> Vec<Vertex> {
    let half = MOST / 2;
    let arm = |index: u32, width: f64| {
        let angle = f64::from(index) / f64::from(half) * turns * TAU;
        let radius = 0.1 + 0.01 * (angle / TAU + width);
        vertex(13.0 + radius * angle.cos(), 52.0 + radius * angle.sin())
    };
    let there = (0..half).map(|index| arm(index, 0.0));
    there.chain((0..half).rev().map(|index| arm(index, share))).collect()
}

/// Long teeth, all slanted the same way, that begin so far to the east.
fn comb(offset: f64, slant: f64) -> Vec<Vertex> {
    let tooth = |index: u32| {
        let lng = offset + f64::from(index) * 1e-3;
        [vertex(lng, 0.0), vertex(lng + 1e-4 + slant, 10.0), vertex(lng + 2e-4, 0.0)]
    };
    let mut ring: Vec<Vertex> = (0..MOST / 3 - 1).flat_map(tooth).collect();
    ring.push(vertex(5.0, -1.0 - offset));
    ring
}

/// The same from the other side: its teeth lie between those of the comb at 0.
fn opposite(slant: f64) -> Vec<Vertex> {
    let at = |lng: f64, lat: f64| vertex(lng + (slant + 1e-4) * lat / 10.0, lat);
    let tooth = |index: u32| {
        let lng = 5e-4 + f64::from(index) * 1e-3;
        [at(lng, 10.5), at(lng + 1e-4, 0.5), at(lng + 2e-4, 10.5)]
    };
    let mut ring: Vec<Vertex> = (0..MOST / 3 - 1).flat_map(tooth).collect();
    ring.push(vertex(5.0 + slant, 20.0));
    ring
}

/// Thin quadrangles side by side, of which all boxes lie over one another.
fn slivers(count: u32, offset: f64) -> Vec<Vec<Vertex>> {
    let sliver = |index: u32| {
        let at = offset + f64::from(index) * 1e-2;
        [(at, 0.0), (at + 1e-3, 0.0), (at + 30.001, 30.0), (at + 30.0, 30.0)]
    };
    (0..count).map(|index| ring(&sliver(index))).collect()
}

/// Round the pole, one about another.
fn bands(count: u32) -> Vec<Vec<Vertex>> {
    let band = |index: u32| {
        let lat = 60.0 + f64::from(index) * 1e-6;
        [(-170.0, lat), (170.0, lat), (170.0, lat + 5e-7), (-170.0, lat + 5e-7)]
            .map(|(lng, lat)| vertex(lng, lat))
    };
    (0..count).map(|index| band(index).to_vec()).collect()
}

/// Whether they meet, told for certain in at most so many steps.
fn meets_in(one: &Area, other: &Area, steps: usize) -> bool {
    let kernels = [one, other].map(Area::kernels);
    let pieces = kernels.iter().flatten().map(Kernel::pieces).sum();
    let mut budget = Purse::default().budget(pieces);
    let most = budget.left();
    let meet = kernels[0].iter().any(|a| kernels[1].iter().any(|b| a.meets(b, &mut budget)));
    let taken = most - budget.left();
    assert!(budget.left() > 0, "it could not be told");
    assert!(taken <= steps, "{taken} steps");
    assert_eq!(one.meets(other), meet);
    meet
}

#[test]
fn what_many_comparisons_may_take_is_bounded_and_easy_ones_stay_exact() {
    let (ours, theirs) = (collection(slivers(240, 0.0)), collection(slivers(240, 5e-3)));
    let mut purse = Purse::default();
    let told: Vec<bool> = (0..20).map(|_| ours.meets_for(&theirs, &mut purse)).collect();
    let exact = told.iter().take_while(|meets| !**meets).count();
    assert!((2..19).contains(&exact), "{exact} were told exactly");
    assert!(told[exact..].iter().all(|meets| *meets), "what cannot be told is taken to meet");
    assert!(purse.left() < 100_000);
    let far = collection(slivers(240, 40.0));
    assert!(!ours.meets_for(&far, &mut purse), "this is easily told");
}

#[test]
fn a_place_inside_stands_for_shapes_of_which_little_is_inside() {
    let mut shapes = vec![one(spiral(25.0, 0.5)), one(spiral(25.0, 1e-3))];
    for slant in [0.0, 4.1, 10.0] {
        shapes.extend([one(comb(0.0, slant)), one(opposite(slant))]);
    }
    shapes.push(collection(slivers(240, 0.0)));
    for area in shapes {
        let center = area.center().unwrap();
        assert!(area.contains(&center), "{center:?}");
    }
}

#[test]
fn combs_within_one_another_are_told_apart() {
    for slant in [0.0, 4.1, 10.0] {
        let (ours, theirs) = (one(comb(0.0, slant)), one(opposite(slant)));
        assert!(!meets_in(&ours, &theirs, 150_000), "slant {slant}");
        assert!(!meets_in(&theirs, &ours, 150_000), "slant {slant}");
        let touching = one(comb(5e-4, slant));
        assert!(meets_in(&touching, &theirs, 150_000), "slant {slant}");
    }
}

#[test]
fn many_thin_polygons_are_told_apart_from_many_others() {
    let (ours, theirs) = (collection(slivers(240, 0.0)), collection(slivers(240, 5e-3)));
    assert!(!meets_in(&ours, &theirs, 250_000) && !meets_in(&theirs, &ours, 250_000));
    let across: Vec<Vec<Vertex>> = slivers(240, 0.0)
        .into_iter()
        .map(|ring| ring.into_iter().map(|one| vertex(one.lat, one.lng)).rev().collect())
        .collect();
    assert!(meets_in(&ours, &collection(across), 1000));
    let far = collection(slivers(240, 40.0));
    assert!(!meets_in(&ours, &far, 1000));
}

#[test]
fn the_distance_of_many_bands_round_a_pole_is_found_in_one_search() {
    let rings = bands(245);
    let together = Area::polygons(&rings.iter().map(|ring| vec![ring.clone()]).collect::<Vec<_>>());
    let together = together.unwrap();
    let apart = Area::Union(rings.iter().cloned().map(one).collect());
    for (lat, lng) in [(90.0, 0.0), (89.0, 3.0), (59.0, 0.0), (60.0, 180.0)] {
        let place = point(lat, lng);
        let (found, expected) =
            (collection(rings.clone()).edge_distance(&place), together.edge_distance(&place));
        assert_eq!(found, expected);
        assert!((apart.edge_distance(&place).0 - expected.0).abs() <= 25.0, "{lat},{lng}");
    }
    let degrees = together.edge_distance(&point(90.0, 0.0)).0 / 111_195.08;
    assert!((29.0..30.0).contains(&degrees), "no more than it is: {degrees}");
}

#[test]
fn parts_of_one_kind_are_one_and_the_first_is_the_centre() {
    let dot = |lat, lng| Area::Circle(Circle::new(point(lat, lng), Metres(0.0)));
    let square = |at: f64| one(ring(&[(at, 0.0), (at + 1.0, 0.0), (at + 1.0, 1.0), (at, 1.0)]));
    let line = |lat: f64| {
        let ends = [0.0, 1.0].map(|lng| LatLng::new(lat, lng).unwrap());
        Area::routes(&[ends.to_vec()], Metres(0.0)).unwrap()
    };
    let parts = vec![line(7.0), square(0.0), dot(5.0, 5.0), line(9.0), square(3.0)];
    let area = Area::union(vec![Area::Union(parts), dot(6.0, 6.0), Area::Empty]);
    let Area::Union(kept) = &area else { panic!("{area:?}") };
    assert_eq!(kept.len(), 4);
    assert_eq!(area.center(), line(7.0).center());
    for (lat, lng) in [(0.5, 0.5), (0.5, 3.5), (5.0, 5.0), (6.0, 6.0), (9.0, 1.0)] {
        assert!(area.contains(&point(lat, lng)), "{lat},{lng}");
    }
    assert!(!area.contains(&point(0.5, 2.0)) && !area.contains(&point(8.0, 0.5)));
}
