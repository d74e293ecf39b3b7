//! Cases by name: those that others are known to get wrong among them.

use h3o::{CellIndex, Resolution};

use super::{bbox, point, polygon, ring, towards};
use crate::geo::area::{Area, Circle, Relation};
use crate::geo::numbers::Numbers;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point};

fn circle(lat: f64, lng: f64, radius: f64) -> Area {
    Area::Circle(Circle::new(point(lat, lng), Metres(radius)))
}

fn line(corners: &[(f64, f64)], half_width: f64) -> Area {
    let places = corners.iter().map(|&(lng, lat)| LatLng::new(lat, lng).unwrap()).collect();
    Area::routes(&[places], Metres(half_width)).unwrap()
}

// === Circles ===

#[test]
fn a_circle_is_round_and_no_square() {
    // 944 m to the north and as far to the east: 1,336 m.
    let center = point(33.4, -111.9);
    let corner = towards(towards(center, 0.0, 944.0), std::f64::consts::FRAC_PI_2, 944.0);
    assert!((center.distance(&corner).0 - 1335.0).abs() < 5.0);
    assert!(!circle(33.4, -111.9, 1000.0).contains(&corner));
}

#[test]
fn a_circle_beside_the_antimeridian_has_its_other_side() {
    let area = circle(0.0, 179.99, 5000.0);
    assert!(area.contains(&point(0.0, -179.99)) && area.contains(&point(0.0, 180.0)));
    assert!(!area.contains(&point(0.0, -179.9)), "12 km away: the exit is seen");
    let on = circle(0.0, 180.0, 10_000.0);
    assert!(on.contains(&point(0.0, 179.95)) && on.contains(&point(0.0, -179.95)));
}

#[test]
fn a_circle_over_a_pole_has_places_of_every_longitude() {
    for lat in [89.9, -89.9] {
        let area = circle(lat, 0.0, 20_000.0);
        assert!(area.contains(&point(lat.signum() * 90.0, 77.0)));
        assert!(area.contains(&point(lat.signum() * 89.95, 180.0)));
        assert!(!area.contains(&point(lat, 180.0)));
    }
}

#[test]
fn radii_from_a_millimetre_to_the_whole_earth_are_what_they_say() {
    let center = point(52.0, 13.0);
    let far: Point = center.unit.opposite().to_lat_lng().into();
    for radius in [1e-3, 1.0, FARTHEST.0 / 2.0, FARTHEST.0 * 0.999_999] {
        let area = circle(52.0, 13.0, radius);
        assert!(area.contains(&towards(center, 1.0, radius * (1.0 - 1e-6))), "{radius}");
        assert!(!area.contains(&towards(center, 1.0, radius * (1.0 + 1e-6))), "{radius}");
        assert!(!area.contains(&far));
    }
    for radius in [FARTHEST.0, 1e300] {
        let area = circle(52.0, 13.0, radius);
        assert!(area.contains(&far) && area.edge_distance(&far) == Metres(f64::INFINITY));
    }
    let none = circle(52.0, 13.0, 0.0);
    assert!(none.contains(&center) && !none.contains(&towards(center, 0.0, 1e-3)));
}

#[test]
fn a_circle_inside_a_polygon_meets_it() {
    let area = bbox(0.0, 0.0, 10.0, 10.0).unwrap();
    assert!(area.meets(&circle(5.0, 5.0, 100.0)), "555 km from every edge");
    assert!(area.meets(&circle(10.0, 10.0, 0.0)) && !area.meets(&circle(10.1, 5.0, 11_000.0)));
    assert!(area.meets(&circle(10.1, 5.0, 11_500.0)));
}

// === Polygons ===

#[test]
fn a_vertex_exactly_on_the_antimeridian_may_be_written_either_way() {
    for middle in [180.0, -180.0] {
        let area = polygon(&[&[(170.0, 0.0), (middle, -10.0), (-170.0, 0.0), (middle, 10.0)]]);
        let area = area.unwrap();
        for (lat, lng) in [(10.0, 180.0), (-10.0, -180.0), (0.0, 175.0), (0.0, -170.0)] {
            assert!(area.contains(&point(lat, lng)), "{middle}: {lat},{lng}");
        }
        assert!(!area.contains(&point(10.001, 180.0)) && !area.contains(&point(0.0, 0.0)));
    }
}

#[test]
fn holes_on_either_side_of_the_antimeridian_are_open() {
    let shell = [(160.0, -10.0), (-160.0, -10.0), (-160.0, 10.0), (160.0, 10.0)];
    let west = [(165.0, -5.0), (175.0, -5.0), (175.0, 5.0), (165.0, 5.0)];
    let east = [(-175.0, -5.0), (-165.0, -5.0), (-165.0, 5.0), (-175.0, 5.0)];
    let area = polygon(&[&shell, &west, &east]).unwrap();
    for sign in [1.0, -1.0] {
        assert!(!area.contains(&point(0.0, sign * 170.0)));
        assert!(
            area.contains(&point(0.0, sign * 175.0)) && area.contains(&point(5.0, sign * 170.0))
        );
    }
    assert!(area.contains(&point(0.0, 180.0)));
}

#[test]
fn a_ring_may_be_larger_than_a_hemisphere() {
    // All but the south beyond 60: closed over the nearer pole it would be that cap, so a band is
    // written out.
    let area = bbox(-180.0, -60.0, 180.0, 90.0).unwrap();
    assert!(area.contains(&point(90.0, 5.0)) && area.contains(&point(-60.0, 180.0)));
    assert!(!area.contains(&point(-60.001, 180.0)) && !area.contains(&point(-90.0, 0.0)));
    let wide = bbox(-170.0, -80.0, 170.0, 80.0).unwrap();
    assert!(wide.contains(&point(0.0, 0.0)) && !wide.contains(&point(0.0, 175.0)));
    let (_, radius) = wide.cap().unwrap();
    assert!(radius.0 > FARTHEST.0 / 2.0);
}

#[test]
fn a_band_round_the_earth_may_have_a_hole() {
    let band = [(-180.0, 40.0), (180.0, 40.0), (180.0, 50.0), (-180.0, 50.0)];
    let hole = [(175.0, 44.0), (-175.0, 44.0), (-175.0, 46.0), (175.0, 46.0)];
    assert!(polygon(&[&band]).unwrap().contains(&point(45.0, 180.0)));
    let over_its_ends = polygon(&[&band, &hole]).unwrap();
    for lng in [179.0, 180.0, -180.0, -179.0] {
        assert!(!over_its_ends.contains(&point(45.0, lng)), "{lng}");
        assert!(over_its_ends.contains(&point(46.0, lng)));
    }
    let hole = [(5.0, 44.0), (15.0, 44.0), (15.0, 46.0), (5.0, 46.0)];
    let area = polygon(&[&band, &hole]).unwrap();
    assert!(!area.contains(&point(45.0, 10.0)) && area.contains(&point(45.0, 180.0)));
}

#[test]
fn where_a_band_meets_itself_it_has_no_edge() {
    let band = bbox(-180.0, 40.0, 180.0, 50.0).unwrap();
    let away = band.edge_distance(&point(44.0, 180.0)).0;
    assert!((away - 4.0 * 111_195.08).abs() < 2.0, "{away}");
    assert!(bbox(175.0, 41.0, -175.0, 49.0).unwrap().is_within(&band));
    let antarctica = [
        (-180.0, -90.0),
        (180.0, -90.0),
        (180.0, -84.0),
        (90.0, -70.0),
        (-90.0, -70.0),
        (-180.0, -84.0),
    ];
    let antarctica = polygon(&[&antarctica]).unwrap();
    let near = Circle::new(point(-86.0, 180.0), Metres(1000.0));
    assert_eq!(antarctica.relation(&near), Relation::Inside);
    let open = [(-180.0, 42.0), (180.0, 42.0), (180.0, 48.0), (-180.0, 48.0)];
    let written = [(-180.0, 40.0), (180.0, 40.0), (180.0, 50.0), (-180.0, 50.0)];
    let two = polygon(&[&written, &open]).unwrap();
    assert!(!two.contains(&point(45.0, 180.0)) && two.contains(&point(48.0, 180.0)));
    assert!(two.contains(&point(50.0, -180.0)) && !two.contains(&point(50.001, 180.0)));
    let cap = [(0.0, 40.0), (90.0, 40.0), (180.0, 40.0), (-90.0, 40.0)];
    let hole = [(0.0, 80.0), (90.0, 80.0), (180.0, 80.0), (-90.0, 80.0)];
    let area = polygon(&[&cap, &hole]).unwrap();
    assert!(area.contains(&point(60.0, 180.0)) && area.contains(&point(80.0, 0.0)));
    assert!(!area.contains(&point(85.0, 3.0)) && !area.contains(&point(90.0, 0.0)));
}

#[test]
fn an_edge_of_exactly_half_a_turn_is_straight_as_it_is_written() {
    let area = polygon(&[&[(-90.0, 0.0), (90.0, 0.0), (90.0, 10.0), (-90.0, 10.0)]]).unwrap();
    assert!(area.contains(&point(5.0, 0.0)) && !area.contains(&point(5.0, 180.0)));
}

#[test]
fn a_hole_that_only_touches_the_shell_from_outside_is_refused() {
    // A notch from the north, and a triangle in it that has all its corners on the shell.
    let shell =
        [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (8.0, 10.0), (5.0, 2.0), (2.0, 10.0), (0.0, 10.0)];
    let hole = [(8.0, 10.0), (5.0, 5.0), (2.0, 10.0)];
    let fault = polygon(&[&shell, &hole]).unwrap_err();
    assert_eq!(fault.to_string(), "[0][1]: a hole that is not inside its polygon");
}

#[test]
fn many_polygons_are_found_by_their_longitudes() {
    let boxes: Vec<_> = (0..60_i32)
        .map(|index| {
            let west = f64::from(index) * 6.0 - 180.0;
            let corners = [(west, 0.0), (west + 6.0, 0.0), (west + 6.0, 5.0), (west, 5.0)];
            vec![ring(&corners)]
        })
        .collect();
    let area = Area::polygons(&boxes).unwrap();
    for step in 0..=3600 {
        let lng = f64::from(step) * 0.1 - 180.0;
        assert!(area.contains(&point(5.0, lng)) && !area.contains(&point(5.001, lng)), "{lng}");
    }
    let wedge = vec![ring(&[(10.0, 80.0), (20.0, 80.0), (15.0, 90.0)])];
    let area = Area::polygons(&[boxes, vec![wedge]].concat()).unwrap();
    assert!(area.contains(&point(90.0, -170.0)), "the pole is one place");
}

// === Meeting and lying within ===

#[test]
fn an_edge_over_the_antimeridian_meets_a_band_on_either_side() {
    let band = bbox(-180.0, 40.0, 180.0, 50.0).unwrap();
    let across = [(-175.0, 60.0), (-174.0, 60.0), (166.0, 30.0), (165.0, 30.0)];
    let across = polygon(&[&across]).unwrap();
    assert!(across.meets(&band) && band.meets(&across));
}

#[test]
fn polygons_that_touch_a_pole_meet_there_whatever_their_longitudes() {
    let wedge = |lng: f64| polygon(&[&[(lng, 80.0), (lng + 10.0, 80.0), (lng + 5.0, 90.0)]]);
    assert!(wedge(0.0).unwrap().meets(&wedge(100.0).unwrap()));
    let south = polygon(&[&[(0.0, -80.0), (10.0, -80.0), (5.0, -90.0)]]).unwrap();
    assert!(!wedge(0.0).unwrap().meets(&south));
}

#[test]
fn an_area_that_touches_the_edge_from_inside_is_within() {
    let outer = bbox(0.0, 0.0, 10.0, 10.0).unwrap();
    for inner in [bbox(0.0, 0.0, 5.0, 5.0), bbox(0.0, 2.0, 10.0, 8.0), bbox(0.0, 0.0, 10.0, 10.0)] {
        assert!(inner.unwrap().is_within(&outer));
    }
    let over = bbox(170.0, 0.0, -170.0, 10.0).unwrap();
    assert!(bbox(175.0, 0.0, -175.0, 10.0).unwrap().is_within(&over));
    assert!(!bbox(175.0, 0.0, -165.0, 10.0).unwrap().is_within(&over));
}

#[test]
fn an_area_over_a_notch_or_a_hole_of_another_is_not_within_it() {
    let notched = [
        (0.0, 0.0),
        (10.0, 0.0),
        (10.0, 10.0),
        (6.0, 10.0),
        (6.0, 6.0),
        (4.0, 6.0),
        (4.0, 10.0),
        (0.0, 10.0),
    ];
    let notched = polygon(&[&notched]).unwrap();
    // The northern edge runs over the notch from corner to corner, and crosses no edge.
    assert!(!bbox(2.0, 2.0, 8.0, 10.0).unwrap().is_within(&notched));
    assert!(bbox(0.0, 0.0, 10.0, 6.0).unwrap().is_within(&notched));
    let shell = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
    let hole = [(4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0)];
    let holed = polygon(&[&shell, &hole]).unwrap();
    assert!(!bbox(3.0, 3.0, 7.0, 7.0).unwrap().is_within(&holed));
    assert!(!bbox(4.0, 4.0, 6.0, 6.0).unwrap().is_within(&holed), "what the hole is");
    assert!(bbox(1.0, 1.0, 3.0, 9.0).unwrap().is_within(&holed));
    let band = bbox(-180.0, 70.0, 180.0, 85.0).unwrap();
    let cap = polygon(&[&[(0.0, 80.0), (90.0, 80.0), (180.0, 80.0), (-90.0, 80.0)]]).unwrap();
    assert!(!cap.is_within(&band), "the pole is not in the band");
}

// === Routes and ways ===

#[test]
fn legs_of_a_millimetre_and_repeated_places_are_where_they_are() {
    let start = point(52.0, 13.0);
    let mut places = vec![start.at, start.at];
    for step in 1..50 {
        places.push(towards(start, f64::from(step), f64::from(step % 7) * 1e-3).at);
    }
    let area = Area::routes(&[places], Metres(1.0)).unwrap();
    for bearing in 0..32 {
        let bearing = f64::from(bearing) * 0.2;
        assert!(area.contains(&towards(start, bearing, 0.99)), "{bearing}");
        assert!(!area.contains(&towards(start, bearing, 1.01)), "{bearing}");
    }
}

#[test]
fn a_line_without_width_has_its_own_places() {
    let area = line(&[(179.0, 10.0), (-179.0, 12.0), (-178.0, -5.0)], 0.0);
    let middle = |a: Point, b: Point| {
        let unit = crate::geo::point::UnitVector {
            x: a.unit.x + b.unit.x,
            y: a.unit.y + b.unit.y,
            z: a.unit.z + b.unit.z,
        };
        Point::from(unit.normalised().to_lat_lng())
    };
    let between = middle(point(10.0, 179.0), point(12.0, -179.0));
    assert!(area.contains(&point(12.0, -179.0)) && area.contains(&between));
    assert!(!area.contains(&towards(between, 0.0, 0.01)));
    assert!(area.meets(&bbox(179.9, 0.0, -179.9, 20.0).unwrap()));
    assert!(area.meets(&circle(11.0, 180.0, 3000.0)) && !area.meets(&circle(0.0, 180.0, 3000.0)));
}

#[test]
fn a_way_over_a_pole_meets_what_is_there() {
    let fence = circle(90.0, 0.0, 1000.0);
    assert!(fence.meets_way(&point(85.0, 10.0), &point(85.0, -170.0)));
    assert!(!fence.meets_way(&point(85.0, 10.0), &point(85.0, 100.0)));
    let fence = bbox(-0.01, -0.01, 0.01, 0.01).unwrap();
    assert!(!fence.meets_way(&point(0.0, 179.9), &point(0.0, -179.9)));
    assert!(fence.meets_way(&point(-1.0, 0.0), &point(1.0, 0.0)));
    assert!(fence.meets_way(&point(0.0, 0.0), &point(0.0, 0.0)), "standing still inside");
    assert!(!fence.meets_way(&point(1.0, 0.0), &point(1.0, 0.0)));
}

// === Cells ===

#[test]
fn pentagons_and_their_disks_have_what_h3_says_and_end_where_they_end() {
    let mut numbers = Numbers(12);
    for resolution in [Resolution::Zero, Resolution::Three, Resolution::Eight] {
        for pentagon in resolution.pentagons() {
            let cells: Vec<CellIndex> = pentagon.grid_disk(1);
            assert_eq!(cells.len(), 6);
            let area = Area::cells(&cells).unwrap();
            let (center, radius) = area.cap().unwrap();
            for _ in 0..50 {
                let place = numbers.near(center.unit, Metres(radius.0 * 0.8));
                let at = h3o::LatLng::new(place.at.lat(), place.at.lng()).unwrap();
                let expected = cells.contains(&at.to_cell(resolution));
                assert_eq!(area.contains(&place), expected, "{pentagon} {place:?}");
                let distance = area.edge_distance(&place);
                let circle = Circle::new(place, Metres((distance.0 - 2.0).max(0.0) * 0.9));
                let told = area.relation(&circle);
                let right = if expected { Relation::Inside } else { Relation::Outside };
                assert!(told == right || distance.0 < 20.0, "{pentagon} {place:?} {distance:?}");
            }
        }
    }
}

#[test]
fn no_cell_reaches_beyond_its_circle() {
    let mut numbers = Numbers(5);
    for round in 0..500_usize {
        let mut resolutions = Resolution::range(Resolution::Zero, Resolution::Fifteen);
        let resolution = resolutions.nth(round % 16).unwrap();
        let place = numbers.hard_place();
        let at = h3o::LatLng::new(place.at.lat(), place.at.lng()).unwrap();
        let pentagon = resolution.pentagons().nth(round % 12).unwrap();
        for cell in pentagon.grid_disk::<Vec<_>>(1).into_iter().chain([at.to_cell(resolution)]) {
            let (center, radius) = Area::cells(&[cell]).unwrap().cap().unwrap();
            for corner in cell.boundary().iter() {
                let distance = center.distance(&point(corner.lat(), corner.lng()));
                assert!(distance <= radius, "{cell} {distance:?} {radius:?}");
            }
        }
    }
}

#[test]
fn all_cells_of_the_earth_are_all_of_it() {
    let cells: Vec<CellIndex> = CellIndex::base_cells().collect();
    let area = Area::cells(&cells).unwrap();
    let mut numbers = Numbers(1);
    for _ in 0..200 {
        let place = numbers.hard_place();
        assert!(area.contains(&place) && area.meets(&circle(place.at.lat(), place.at.lng(), 0.0)));
        assert_eq!(area.edge_distance(&place), Metres(f64::INFINITY));
    }
}

#[test]
fn cells_of_several_resolutions_are_one_area() {
    let at = h3o::LatLng::new(52.5, 13.4).unwrap();
    let (fine, coarse) = (at.to_cell(Resolution::Nine), at.to_cell(Resolution::Four));
    let other = h3o::LatLng::new(-33.9, 151.2).unwrap().to_cell(Resolution::Seven);
    let area = Area::cells(&[fine, coarse, other, fine]).unwrap();
    assert!(area.contains(&point(52.5, 13.4)) && area.contains(&point(-33.9, 151.2)));
    assert!(!area.contains(&point(0.0, 0.0)));
    assert!(area.meets(&Area::cells(&[fine]).unwrap()));
    let neighbour = coarse.grid_disk::<Vec<_>>(1).into_iter().find(|cell| *cell != coarse);
    let neighbour = Area::cells(&[neighbour.unwrap()]).unwrap();
    assert!(neighbour.meets(&area), "they share an edge");
}

#[test]
fn the_place_that_stands_for_a_shape_is_in_it() {
    let horseshoe = [
        (0.0, 0.0),
        (9.0, 0.0),
        (9.0, 9.0),
        (8.0, 9.0),
        (8.0, 1.0),
        (1.0, 1.0),
        (1.0, 9.0),
        (0.0, 9.0),
    ];
    let east: Vec<(f64, f64)> = horseshoe.iter().map(|(lng, lat)| (lng + 175.0, *lat)).collect();
    let over: Vec<(f64, f64)> = east
        .iter()
        .map(|(lng, lat)| (if *lng > 180.0 { lng - 360.0 } else { *lng }, *lat))
        .collect();
    for ring in [&horseshoe[..], &over[..]] {
        let area = polygon(&[ring]).unwrap();
        assert!(area.contains(&area.center().unwrap()), "{:?}", area.center());
    }
    let square = polygon(&[&[(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)]]).unwrap();
    assert_eq!(square.center().unwrap(), point(1.0, 2.0), "the middle, where that is inside");
}

/// A turn that is added to a longitude and taken off again may leave other last digits: the ring's
/// first and last edge, which share a corner, seem to cross there.
#[test]
fn a_ring_round_a_pole_may_begin_at_any_of_its_vertices() {
    let vertices = [
        (11.08146543961446, 61.2),
        (71.25047828703889, 66.7),
        (88.0324408804924, 86.1),
        (135.6588726755978, 83.1),
        (-149.5036582542614, 69.9),
        (-81.02056704436244, 77.3),
        (-7.961540350415291, 79.4),
    ];
    for south in [1.0, -1.0] {
        let mut ring = ring(&vertices.map(|(lng, lat)| (lng, lat * south)));
        for _ in 0..2 {
            for start in 0..ring.len() {
                ring.rotate_left(1);
                let area = Area::polygons(&[vec![ring.clone()]]);
                let area = area.unwrap_or_else(|fault| panic!("from {start}: {fault}"));
                assert!(area.contains(&point(89.0 * south, 11.1)));
                assert!(!area.contains(&point(60.0 * south, 11.1)));
            }
            ring.reverse();
        }
    }
}
