//! Areas of H3 cells.

use std::collections::HashSet;

use h3o::{CellIndex, Resolution};

use super::polygon::Polygons;
use super::{Extent, Vertex};
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point, UnitVector};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cells {
    cells: HashSet<CellIndex>,
    /// Those that there are, coarse ones first.
    resolutions: Vec<Resolution>,
    outline: Polygons,
}

impl Cells {
    pub(super) fn new(cells: &[CellIndex]) -> Result<Self, GeoError> {
        if cells.len() > limits::AREA_CELLS {
            let why = format_args!("{} cells; at most {}", cells.len(), limits::AREA_CELLS);
            return Err(GeoError::new("", why));
        }
        let cells: HashSet<CellIndex> = cells.iter().copied().collect();
        let mut resolutions: Vec<Resolution> = cells.iter().map(|cell| cell.resolution()).collect();
        resolutions.sort_unstable();
        resolutions.dedup();
        let mut sorted: Vec<CellIndex> = cells.iter().copied().collect();
        sorted.sort_unstable();
        let outlines: Vec<_> = sorted.iter().map(|cell| vec![outline(*cell)]).collect();
        Ok(Self { outline: Polygons::new(&outlines)?, cells, resolutions })
    }

    pub(super) fn contains(&self, at: LatLng) -> bool {
        let Ok(at) = h3o::LatLng::new(at.lat(), at.lng()) else { return false };
        self.resolutions.iter().any(|resolution| self.cells.contains(&at.to_cell(*resolution)))
    }

    /// The cells as polygons.
    pub(super) fn outline(&self) -> &Polygons {
        &self.outline
    }

    /// To a little less than the true distance: edges of cells are great circles.
    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        let coarsest = self.resolutions.first().map_or(0.0, |one| one.edge_length_m());
        // What a great circle bows from a straight line over the length of an edge, at most.
        let bow = coarsest * coarsest / 1e7;
        Metres((self.outline.edge_distance(unit).0 - bow).max(0.0))
    }

    pub(super) fn center(&self) -> Point {
        self.outline.center()
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        let (center, radius) = self.outline.cap();
        (center, Metres((radius.0 * 1.1).min(FARTHEST.0)))
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        let of = |cell: &CellIndex| {
            let center = point(h3o::LatLng::from(*cell));
            let far = cell.boundary();
            let far = far.iter().map(|corner| center.distance(&point(*corner)).0);
            Extent::of_circle(center, Metres(far.fold(0.0, f64::max) * 1.01))
        };
        self.cells.iter().flat_map(of).collect()
    }
}

fn point(at: h3o::LatLng) -> Point {
    LatLng::new(at.lat().clamp(-90.0, 90.0), at.lng().clamp(-180.0, 180.0))
        .expect("H3 gives places on the Earth")
        .into()
}

fn outline(cell: CellIndex) -> Vec<Vertex> {
    let corner = |at: &h3o::LatLng| {
        let at = point(*at).at;
        Vertex { lng: at.lng(), lat: at.lat() }
    };
    cell.boundary().iter().map(corner).collect()
}
