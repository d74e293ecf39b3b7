//! At every bound and one past it, and what areas cost that are written to cost much.

use h3o::{CellIndex, Resolution};

use super::{point, polygon};
use crate::base::limits;
use crate::geo::area::{Area, Vertex};
use crate::geo::point::{LatLng, Metres};

/// A ring of that many vertices, of which all slanted edges lie over one another on the map.
fn comb(vertices: usize, slant: f64) -> Vec<Vertex> {
    let tooth = |index: u32| {
        let lng = f64::from(index) * 1e-5;
        [Vertex { lng, lat: 0.0 }, Vertex { lng: lng + 5e-6 + slant, lat: 10.0 }]
    };
    let teeth = u32::try_from(vertices / 2).unwrap();
    let mut ring: Vec<Vertex> = (0..teeth).flat_map(tooth).take(vertices - 1).collect();
    ring.push(Vertex { lng: 20.0, lat: -1.0 });
    ring
}

#[test]
fn as_many_vertices_and_cells_as_the_bounds_say_and_no_more() {
    let most = limits::SHAPE_VERTICES;
    let circle = |count: usize| -> Vec<Vertex> {
        let count_f64 = f64::from(u32::try_from(count).unwrap());
        let at = |index: u32| {
            let angle = f64::from(index) / count_f64 * std::f64::consts::TAU;
            Vertex { lng: 10.0 * angle.cos(), lat: 10.0 * angle.sin() }
        };
        (0..u32::try_from(count).unwrap()).map(at).collect()
    };
    let largest = Area::polygons(&[vec![circle(most)]]).unwrap();
    assert!(largest.contains(&point(9.999, 0.0)) && !largest.contains(&point(10.001, 0.0)));
    let fault = Area::polygons(&[vec![circle(most + 1)]]).unwrap_err();
    assert_eq!(fault.fault, format!("{} vertices; at most {most}", most + 1));

    let most = limits::POLYGON_VERTICES;
    let places = |count: usize| vec![vec![LatLng::new(0.0, 0.0).unwrap(); count]];
    assert!(Area::routes(&places(most), Metres(1.0)).unwrap().contains(&point(0.0, 0.0)));
    let fault = Area::routes(&places(most + 1), Metres(1.0)).unwrap_err();
    assert_eq!(fault.fault, format!("{} positions; at most {most}", most + 1));

    let most = limits::AREA_CELLS;
    let cell = h3o::LatLng::new(52.0, 13.0).unwrap().to_cell(Resolution::Ten);
    let cells: Vec<CellIndex> = cell.grid_disk::<Vec<_>>(40);
    assert!(Area::cells(&cells[..most]).unwrap().contains(&point(52.0, 13.0)));
    let fault = Area::cells(&cells[..=most]).unwrap_err();
    assert_eq!(fault.fault, format!("{} cells; at most {most}", most + 1));
    assert_eq!(Area::cells(&[]).unwrap_err().fault, "no cell");
}

/// Looked at as far as the bound on steps goes: at most what the distance is.
#[test]
fn the_distance_of_edges_round_the_earth_is_not_too_large() {
    let corner = |index: u32| Vertex {
        lng: if index.is_multiple_of(2) { -85.0 } else { 85.0 },
        lat: 60.0 + f64::from(index) * 0.01,
    };
    let mut ring: Vec<Vertex> = (0..998).map(corner).collect();
    ring.push(Vertex { lng: -86.0, lat: 70.1 });
    let area = Area::polygons(&[vec![ring]]).unwrap();
    let degree = 111_195.08;
    for (lat, lng, degrees) in [(90.0, 0.0, 20.1), (59.0, -85.0, 1.0), (-30.0, -85.0, 90.0)] {
        let found = area.edge_distance(&point(lat, lng)).0;
        assert!(found <= degrees * degree + 1.0, "{lat},{lng}: {found}");
        assert!(area.safe_distance(&point(lat, lng)).0 <= degrees * degree);
    }
    let band = Area::bbox(Vertex { lng: -180.0, lat: 40.0 }, Vertex { lng: 180.0, lat: 50.0 });
    let band = band.unwrap();
    for (lat, degrees) in [(60.0, 10.0), (90.0, 40.0), (44.0, 4.0), (-90.0, 130.0)] {
        let found = band.edge_distance(&point(lat, 12.3)).0 / degree;
        assert!((found - degrees).abs() < 1e-4, "{lat}: {found}");
    }
}

#[test]
fn a_thousand_vertices_that_all_lie_over_one_another_are_an_area() {
    for slant in [0.0, 4.1, 10.0] {
        let area = Area::polygons(&[vec![comb(1000, slant)]]).unwrap();
        assert!(area.contains(&point(-1.0, 20.0)) && !area.contains(&point(11.0, 10.0)));
        let mut crossed = comb(1000, slant);
        crossed.swap(500, 600);
        let fault = Area::polygons(&[vec![crossed]]).unwrap_err();
        assert!(fault.fault.contains("crosses"), "{fault}");
    }
    // All thousand edges overlap in longitude and in latitude.
    let zigzag: Vec<(f64, f64)> = (0..1000)
        .map(|index| (if index % 2 == 0 { 0.0 } else { 10.0 }, f64::from(index) * 1e-3))
        .collect();
    polygon(&[&zigzag]).unwrap_err();
}
