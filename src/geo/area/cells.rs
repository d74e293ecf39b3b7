//! Areas of H3 cells. A place is in one cell of each resolution, as H3 assigns it: those on the
//! border of two cells are in one of them, so that cells, unlike other areas, have only a part of
//! their edge.

use std::collections::HashSet;

use h3o::{CellIndex, Resolution};

use super::Extent;
use super::arc::Arc;
use super::arcs::Arcs;
use super::budget::{ARC_STEPS, Budget};
use super::caps::{Cap, Caps};
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point, UnitVector};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cells {
    cells: HashSet<CellIndex>,
    /// Those that there are, coarse ones first.
    resolutions: Vec<Resolution>,
    /// Where the area ends: edges between a cell and one that is not in the area. They are great
    /// circles.
    edges: Arcs,
    /// Round whole cells.
    caps: Caps,
}

impl Cells {
    pub(super) fn new(cells: &[CellIndex]) -> Result<Self, GeoError> {
        if cells.len() > limits::AREA_CELLS {
            let why = format_args!("{} cells; at most {}", cells.len(), limits::AREA_CELLS);
            return Err(GeoError::new("", why));
        }
        if cells.is_empty() {
            return Err(GeoError::new("", "no cell"));
        }
        let set: HashSet<CellIndex> = cells.iter().copied().collect();
        let mut sorted: Vec<CellIndex> = set.iter().copied().collect();
        sorted.sort_unstable();
        let mut resolutions: Vec<Resolution> =
            sorted.iter().map(|cell| cell.resolution()).collect();
        resolutions.sort_unstable();
        resolutions.dedup();
        let mut edges = Vec::new();
        for edge in sorted.iter().flat_map(|cell| cell.edges()) {
            if !set.contains(&edge.destination()) {
                let line = edge.boundary();
                edges.extend(line.windows(2).map(|ends| Arc::new(unit(ends[0]), unit(ends[1]))));
            }
        }
        let edges = Arcs::new(edges);
        let caps = Caps::new(sorted.iter().map(|cell| cap(*cell)).collect());
        Ok(Self { cells: set, resolutions, edges, caps })
    }

    pub(super) fn contains(&self, at: LatLng) -> bool {
        let at = h3o::LatLng::new(at.lat(), at.lng()).expect("a place is finite");
        self.resolutions.iter().any(|resolution| self.cells.contains(&at.to_cell(*resolution)))
    }

    /// The distance of the nearest edge that is nearer than `most`, or `most`.
    pub(super) fn edge_below(&self, unit: UnitVector, most: f64) -> f64 {
        self.edges.nearest(unit, most)
    }

    /// Whether an edge may be at most so many metres away.
    pub(super) fn is_edge_within(&self, unit: UnitVector, reach: f64) -> bool {
        self.edges.is_within(unit, reach)
    }

    /// At most the distance of the nearest edge.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        self.edges.safe_distance(unit)
    }

    pub(super) fn edges(&self) -> &Arcs {
        &self.edges
    }

    /// How many cells and edges there are.
    pub(super) fn count(&self) -> usize {
        self.cells.len() + self.edges.as_slice().len()
    }

    /// Whether a place is in a cell, or it may not be told.
    pub(super) fn has(&self, at: LatLng, budget: &mut Budget) -> bool {
        let unit = at.into();
        let is_near = self.caps.any(&|cap| cap.gap(unit) <= 0.0, &mut |_| true);
        // Mostly h3o takes a third of a microsecond to tell a cell.
        is_near && (!budget.spend(4 * ARC_STEPS * self.resolutions.len()) || self.contains(at))
    }

    /// Whether the two have a cell in common.
    pub(super) fn shares(&self, other: &Self) -> bool {
        self.cells.iter().any(|cell| other.cells.contains(cell))
    }

    /// The middle of each cell.
    pub(super) fn centers(&self) -> impl Iterator<Item = LatLng> {
        self.cells.iter().map(|cell| place(h3o::LatLng::from(*cell)))
    }

    pub(super) fn center(&self) -> Point {
        self.cap().0
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        self.caps.root().to_circle()
    }

    /// The edge of the finest cell, which is how far its corners are from its centre.
    pub(super) fn least_radius(&self) -> Metres {
        let finest = self.resolutions.last().expect("an area of cells has a resolution");
        Metres(finest.edge_length_m())
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        Extent::of_caps(self.caps.cover(BOXES))
    }
}

fn cap(cell: CellIndex) -> Cap {
    let radius = cell.resolution().edge_length_m() * FARTHEST_CORNER + BORDER;
    Cap { center: unit(h3o::LatLng::from(cell)), radius: radius.min(FARTHEST.0) }
}

fn place(at: h3o::LatLng) -> LatLng {
    LatLng::new(at.lat().clamp(-90.0, 90.0), at.lng().clamp(-180.0, 180.0))
        .expect("H3 gives places on the Earth")
}

fn unit(at: h3o::LatLng) -> UnitVector {
    place(at).into()
}

/// Metres within which the edges that two cells share are the same, and a place may be in either.
pub(super) const BORDER: f64 = 1e-3;
/// From the centre of a cell to its corners, at most, in average edges of its resolution: where it
/// was measured it is 1.13.
const FARTHEST_CORNER: f64 = 1.2;
/// Boxes round the cells of one area.
const BOXES: usize = 16;
