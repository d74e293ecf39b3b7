//! Areas against brute force, and the cases that others got wrong.

mod bounds;
mod cases;
mod hostile;
pub(in crate::geo) mod oracle;
mod relations;
mod second_opinion;

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::geo::numbers::{Numbers, long_runs};
use crate::geo::point::{EARTH_RADIUS, UnitVector};
use oracle::{POLE, TURN, UNIT};

pub(in crate::geo) fn point(lat: f64, lng: f64) -> Point {
    LatLng::new(lat, lng).unwrap().into()
}

fn ring(corners: &[(f64, f64)]) -> Vec<Vertex> {
    corners.iter().map(|&(lng, lat)| Vertex { lng, lat }).collect()
}

fn polygon(rings: &[&[(f64, f64)]]) -> Result<Area, GeoError> {
    Area::polygons(&[rings.iter().map(|corners| ring(corners)).collect()])
}

fn bbox(west: f64, south: f64, east: f64, north: f64) -> Result<Area, GeoError> {
    Area::bbox(Vertex { lng: west, lat: south }, Vertex { lng: east, lat: north })
}

fn grid(ring: &[(i64, i64)]) -> Vec<Vertex> {
    let eighths = |value: i64| f64::from(i32::try_from(value).unwrap()) / UNIT;
    ring.iter().map(|&(x, y)| Vertex { lng: eighths(x), lat: eighths(y) }).collect()
}

/// A ring that does not cross itself: corners at growing angles round a centre, which may lie at
/// the antimeridian, or all round a pole.
fn star() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let center = prop_oneof![
        (-1400_i64..1400, -600_i64..600),
        (prop_oneof![Just(1440_i64), Just(-1440), Just(1430), Just(-1433)], -600_i64..600),
    ];
    let round = (center, prop::collection::vec(4_i64..100, 3..24)).prop_map(|((x, y), radii)| {
        let count = radii.len();
        let corners = radii.iter().enumerate().map(|(index, radius)| {
            let part = u16::try_from(360 * index / count).unwrap();
            let angle = f64::from(part).to_radians();
            let radius = f64::from(i32::try_from(*radius).unwrap());
            let dx = rounded(angle.cos() * radius);
            let dy = rounded(angle.sin() * radius);
            let lng = (x + dx + TURN / 2).rem_euclid(TURN) - TURN / 2;
            (lng, (y + dy).clamp(-POLE, POLE))
        });
        corners.collect()
    });
    let cap = (prop::collection::vec(80_i64..700, 4..20), any::<bool>(), -1440_i64..1440).prop_map(
        |(lats, north, start)| {
            let count = i64::try_from(lats.len()).unwrap();
            let corners = lats.iter().enumerate().map(|(index, lat)| {
                let lng = start + TURN * i64::try_from(index).unwrap() / count;
                let lng = (lng + TURN / 2).rem_euclid(TURN) - TURN / 2;
                (lng, if north { *lat } else { -*lat })
            });
            corners.collect()
        },
    );
    prop_oneof![3 => round, 1 => cap]
}

#[expect(clippy::cast_possible_truncation, reason = "a number of at most some hundreds")]
fn rounded(number: f64) -> i64 {
    number.round() as i64
}

fn compare(ring: &[(i64, i64)], seed: u64, places: usize) -> usize {
    let Ok(area) = Area::polygons(&[vec![grid(ring)]]) else { return 0 };
    let mut numbers = Numbers(seed);
    let mut next = move |below: i64| i64::from(numbers.below(u32::try_from(below).unwrap()));
    for index in 0..places {
        let corner = ring[usize::try_from(next(i64::try_from(ring.len()).unwrap())).unwrap()];
        let (x, y) = match index % 4 {
            0 => corner,
            1 => (corner.0 + next(9) - 4, corner.1 + next(9) - 4),
            2 => (next(TURN + 1) - TURN / 2, next(2 * POLE + 1) - POLE),
            _ => (corner.0 + next(201) - 100, corner.1 + next(201) - 100),
        };
        let (x, y) = ((x + TURN / 2).rem_euclid(TURN) - TURN / 2, y.clamp(-POLE, POLE));
        let vertex = grid(&[(x, y)])[0];
        let found = area.contains(&point(vertex.lat, vertex.lng));
        assert_eq!(found, oracle::side(ring, (x, y)) >= 0, "{ring:?} at {x},{y}");
    }
    places
}

proptest! {
    #[test]
    fn polygons_are_what_the_oracle_counts(ring in star(), seed in any::<u64>()) {
        compare(&ring, seed, 400 * long_runs(10));
    }

    /// Turning the Earth, mirroring it, or walking the ring the other way changes no answer.
    #[test]
    fn answers_do_not_depend_on_where_and_how_a_ring_is_written(
        ring in star(), turn in -1440_i64..1440, first in 0_usize..24,
        x in -1439_i64..=1440, y in -719_i64..720,
    ) {
        let wrap = |x: i64| (x + TURN / 2).rem_euclid(TURN) - TURN / 2;
        let sum: i64 = ring.iter().map(|corner| corner.1).sum();
        prop_assume!(sum != 0);
        let ask = |ring: &[(i64, i64)], x: i64, y: i64| {
            let place = grid(&[(x, y)])[0];
            let area = Area::polygons(&[vec![grid(ring)]]).ok();
            area.map(|area| area.contains(&point(place.lat, place.lng)))
        };
        let plain = ask(&ring, x, y);
        let turned: Vec<_> = ring.iter().map(|&(x, y)| (wrap(x + turn), y)).collect();
        prop_assert_eq!(ask(&turned, wrap(x + turn), y), plain);
        let mirrored: Vec<_> = ring.iter().map(|&(x, y)| (x, -y)).collect();
        prop_assert_eq!(ask(&mirrored, x, -y), plain);
        let mut walked = ring.clone();
        walked.rotate_left(first % ring.len());
        walked.reverse();
        prop_assert_eq!(ask(&walked, x, y), plain);
    }

    /// Circles are distances, at every radius and everywhere.
    #[test]
    fn circles_are_distances(
        lat in -90.0..=90.0_f64, lng in -180.0..=180.0_f64,
        other_lat in -90.0..=90.0_f64, other_lng in -180.0..=180.0_f64, power in -3.0..7.4_f64,
    ) {
        let (center, place) = (point(lat, lng), point(other_lat, other_lng));
        let circle = |radius| Area::Circle(Circle::new(center, Metres(radius)));
        let away = center.distance(&place).0;
        let radius = 10.0_f64.powf(power);
        prop_assert_eq!(circle(radius).contains(&place), away <= radius);
        prop_assert!(circle(away).contains(&place), "a place on the edge is inside");
        prop_assert!(away == 0.0 || !circle(away * (1.0 - 1e-9)).contains(&place));
        let boxes = circle(radius).extent();
        if away <= radius {
            let (lat, lng) = (place.at.lat(), place.at.lng());
            let holds = |one: &Extent| {
                one.south <= lat && lat <= one.north && one.west <= lng && lng <= one.east
            };
            prop_assert!(boxes.iter().any(holds), "{boxes:?} lose {lat},{lng}");
        }
    }

    /// Two circles meet where their radii reach, and a polygon's distance is that of its edges.
    #[test]
    fn shapes_meet_where_a_place_is_in_both(
        ring in star(), x in -1439_i64..=1440, y in -719_i64..720, radius in 1.0..2_000_000.0_f64,
    ) {
        let Ok(area) = Area::polygons(&[vec![grid(&ring)]]) else { return Ok(()) };
        let at = grid(&[(x, y)])[0];
        let center = point(at.lat, at.lng);
        let circle = Circle::new(center, Metres(radius));
        // Sampled on the circle and within it.
        let witness = (0..64).any(|step| {
            let share = f64::from(step % 8 + 1) / 8.0;
            let place = towards(center, f64::from(step) * 0.7, radius * share * 0.999);
            area.contains(&place)
        });
        let meets = area.meets(&Area::Circle(circle));
        prop_assert!(!witness || meets, "a place of both is a place where they meet");
        let inside = area.contains(&center);
        match area.relation(&circle) {
            Relation::Inside => prop_assert!(inside && meets),
            Relation::Outside => prop_assert!(!inside && !witness),
            Relation::Mixed => {}
        }
        let (cap, reach) = area.cap().unwrap();
        prop_assert!(!inside || cap.distance(&center).0 <= reach.0);
    }
}

/// The place so many metres from another in a direction.
pub(in crate::geo) fn towards(from: Point, bearing: f64, metres: f64) -> Point {
    let pole = UnitVector { x: 0.0, y: 0.0, z: 1.0 };
    let mut east = pole.cross(from.unit).normalised();
    if east.dot(east) < 0.5 {
        east = UnitVector { x: 0.0, y: 1.0, z: 0.0 };
    }
    let north = from.unit.cross(east);
    let angle = metres / EARTH_RADIUS.0;
    let mix = |e: f64, n: f64, u: f64| {
        (e * bearing.sin() + n * bearing.cos()) * angle.sin() + u * angle.cos()
    };
    let unit = UnitVector {
        x: mix(east.x, north.x, from.unit.x),
        y: mix(east.y, north.y, from.unit.y),
        z: mix(east.z, north.z, from.unit.z),
    };
    unit.to_lat_lng().into()
}

#[test]
fn shapes_that_are_none_are_refused_by_their_path() {
    let square = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
    let hole = |ring: &[(f64, f64)]| polygon(&[&square, ring]);
    let told = [
        polygon(&[&[(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0)]]),
        polygon(&[&[(0.0, 0.0), (2.0, 0.0), (0.0, 0.0)]]),
        polygon(&[&[(0.0, 0.0), (2.0, 0.0), (4.0, 0.0)]]),
        polygon(&[&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (4.0, 9.0), (4.0, 4.0), (0.0, 4.0)]]),
        polygon(&[&[(0.0, 0.0), (1.0, 91.0), (1.0, 1.0)]]),
        polygon(&[&[(0.0, 0.0), (f64::NAN, 1.0), (1.0, 1.0)]]),
        hole(&square),
        hole(&[(5.0, 5.0), (6.0, 5.0), (6.0, 6.0)]),
        hole(&[(3.0, 3.0), (6.0, 3.0), (6.0, 3.5)]),
        Area::polygons(&[]),
        bbox(1.0, 2.0, 1.0, 3.0),
        bbox(1.0, 3.0, 2.0, 2.0),
        bbox(1.0, f64::NAN, 2.0, 2.0),
        Area::routes(&[vec![LatLng::new(0.0, 0.0).unwrap()]], Metres(1.0)),
        Area::routes(
            &[vec![LatLng::new(0.0, 0.0).unwrap(), LatLng::new(0.0, 180.0).unwrap()]],
            Metres(1.0),
        ),
    ];
    let lines: Vec<String> = told
        .into_iter()
        .map(|told| told.map_or_else(|fault| fault.to_string(), |_| "taken".to_owned()))
        .collect();
    expect![[r#"
        [0][0][2]: the ring crosses or touches itself
        [0][0]: fewer than 3 different vertices
        [0][0][2]: the ring crosses or touches itself
        [0][0][3]: the ring crosses or touches itself
        [0][0][1]: lat: 91 is outside -90..90
        [0][0][1]: lng: NaN is outside -180..180
        [0][1][0]: rings cross
        [0][1]: a hole that is not inside its polygon
        [0][1][0]: rings cross
        no polygon
        east: 1 is west as well: no width
        north: 2 is not above south, 3
        south: NaN is outside -90..90
        a line has at least 2 positions
        [0][1]: the antipode of the position before"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_ring_may_be_written_in_any_way_that_is_one() {
    let plain = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
    let closed = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0)];
    let doubled = [(0.0, 0.0), (4.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
    for ring in [&plain[..], &closed[..], &doubled[..]] {
        let area = polygon(&[ring]).unwrap();
        assert!(area.contains(&point(2.0, 2.0)) && area.contains(&point(4.0, 4.0)));
        assert!(area.contains(&point(0.0, 2.0)) && !area.contains(&point(2.0, 4.000_001)));
    }
}

#[test]
fn the_edge_of_a_hole_belongs_to_the_polygon_and_an_island_in_it_as_well() {
    let shell = ring(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]);
    let hole = ring(&[(2.0, 2.0), (8.0, 2.0), (8.0, 8.0), (2.0, 8.0)]);
    let island = ring(&[(4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0)]);
    let area = Area::polygons(&[vec![shell, hole], vec![island]]).unwrap();
    let is_in = |lat, lng| area.contains(&point(lat, lng));
    assert!(is_in(1.0, 1.0) && is_in(2.0, 5.0) && is_in(2.0, 2.0) && is_in(5.0, 5.0));
    assert!(!is_in(3.0, 3.0) && !is_in(3.9, 5.0));
    let touching = [(0.0, 5.0), (3.0, 4.0), (3.0, 6.0)];
    let plain = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
    let touched = polygon(&[&plain, &touching]).unwrap();
    assert!(touched.contains(&point(5.0, 0.0)) && !touched.contains(&point(5.0, 2.0)));
}

#[test]
fn areas_go_over_the_antimeridian_both_ways() {
    let east = polygon(&[&[(170.0, -5.0), (-170.0, -5.0), (-170.0, 5.0), (170.0, 5.0)]]).unwrap();
    let west = polygon(&[&[(-170.0, -5.0), (170.0, -5.0), (170.0, 5.0), (-170.0, 5.0)]]).unwrap();
    let boxed = bbox(170.0, -5.0, -170.0, 5.0).unwrap();
    for area in [&east, &west, &boxed] {
        for lng in [170.0, 175.0, 180.0, -180.0, -175.0, -170.0] {
            assert!(area.contains(&point(0.0, lng)), "{lng}");
        }
        assert!(!area.contains(&point(0.0, 169.9)) && !area.contains(&point(0.0, 0.0)));
    }
    let holes = [(175.0, -1.0), (-175.0, -1.0), (-175.0, 1.0), (175.0, 1.0)];
    let shell = [(170.0, -5.0), (-170.0, -5.0), (-170.0, 5.0), (170.0, 5.0)];
    let holed = polygon(&[&shell, &holes]).unwrap();
    assert!(!holed.contains(&point(0.0, 180.0)) && holed.contains(&point(0.0, 175.0)));
    assert!(holed.contains(&point(2.0, -179.0)));
    let both = Area::polygons(&[
        vec![ring(&[(170.0, 40.0), (180.0, 40.0), (180.0, 50.0), (170.0, 50.0)])],
        vec![ring(&[(-180.0, 40.0), (-170.0, 40.0), (-170.0, 50.0), (-180.0, 50.0)])],
    ]);
    assert!(both.unwrap().contains(&point(40.0, 180.0)));
}

#[test]
fn a_ring_round_a_pole_closes_over_the_nearer_one() {
    let north = polygon(&[&[(0.0, 70.0), (90.0, 70.0), (180.0, 70.0), (-90.0, 70.0)]]).unwrap();
    assert!(north.contains(&point(90.0, 33.0)) && north.contains(&point(80.0, -135.0)));
    assert!(north.contains(&point(70.0, 45.0)) && !north.contains(&point(69.0, 45.0)));
    assert!(!north.contains(&point(-90.0, 0.0)));
    let south = polygon(&[&[(0.0, -70.0), (-90.0, -70.0), (180.0, -70.0), (90.0, -70.0)]]).unwrap();
    assert!(south.contains(&point(-90.0, 33.0)) && !south.contains(&point(90.0, 0.0)));
    let band = bbox(-180.0, 40.0, 180.0, 50.0).unwrap();
    for lng in [-179.0, 0.0, 90.0, 180.0] {
        assert!(band.contains(&point(45.0, lng)) && !band.contains(&point(39.0, lng)));
    }
    let wedge = bbox(10.0, 80.0, 20.0, 90.0).unwrap();
    assert!(wedge.contains(&point(90.0, -100.0)), "the pole is one place");
}

#[test]
fn routes_have_their_whole_width_and_their_ends() {
    let at = |lat, lng| LatLng::new(lat, lng).unwrap();
    let line = vec![at(0.0, 179.0), at(0.0, -179.0), at(1.0, -179.0)];
    let route = Area::routes(&[line], Metres(1000.0)).unwrap();
    let degree = FARTHEST.0 / 180.0;
    let metres = |metres: f64| metres / degree;
    assert!(route.contains(&point(metres(999.0), 180.0)));
    assert!(!route.contains(&point(metres(1001.0), 180.0)));
    assert!(route.contains(&point(0.0, 179.0 - metres(999.0))));
    assert!(!route.contains(&point(0.0, 179.0 - metres(1001.0))));
    let way = Area::routes(&[vec![at(-1.0, 180.0), at(1.0, 180.0)]], Metres(0.0)).unwrap();
    assert!(route.meets(&way));
}

#[test]
fn cells_contain_what_h3_puts_into_them() {
    let cells: Vec<CellIndex> =
        ["8928308280fffff", "8009fffffffffff"].iter().map(|text| text.parse().unwrap()).collect();
    let area = Area::cells(&cells).unwrap();
    let center = h3o::LatLng::from(cells[0]);
    assert!(area.contains(&point(center.lat(), center.lng())));
    assert!(!area.contains(&point(-center.lat(), center.lng())));
    let pentagon = h3o::LatLng::from(cells[1]);
    assert!(area.contains(&point(pentagon.lat(), pentagon.lng())));
    let circle = Circle::new(point(center.lat(), center.lng()), Metres(10.0));
    let area = Area::cells(&cells[..1]).unwrap();
    assert_eq!(area.relation(&circle), Relation::Inside);
}

#[test]
fn an_area_is_within_another_only_if_all_of_it_is() {
    let square = polygon(&[&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]]).unwrap();
    let circle = |lat, lng, radius| Area::Circle(Circle::new(point(lat, lng), Metres(radius)));
    assert!(circle(5.0, 5.0, 100_000.0).is_within(&square));
    assert!(!circle(5.0, 5.0, 800_000.0).is_within(&square));
    assert!(!circle(5.0, 11.0, 1000.0).is_within(&square));
    assert!(bbox(1.0, 1.0, 2.0, 2.0).unwrap().is_within(&square));
    assert!(!bbox(9.0, 1.0, 12.0, 2.0).unwrap().is_within(&square));
    assert!(circle(5.0, 5.0, 1.0).is_within(&circle(5.0, 5.0, 2.0)));
}

#[test]
fn a_way_meets_what_lies_across_it() {
    let fence = Area::Circle(Circle::new(point(0.0, 0.0), Metres(5000.0)));
    let far = Area::Circle(Circle::new(point(0.0, 180.0), Metres(5000.0)));
    let (from, to) = (point(0.0, 179.9), point(0.0, -179.9));
    assert!(!fence.meets_way(&from, &to), "the short way is over the antimeridian");
    assert!(far.meets_way(&from, &to));
}
