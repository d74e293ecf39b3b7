//! [`Area`]: a closed set of places. A place on the edge is inside.

use std::sync::Arc;

use h3o::CellIndex;

use super::error::GeoError;
use super::point::{FARTHEST, LatLng, Metres, Point, UnitVector, chord_squared_of};

/// A closed set of places on the Earth.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Area {
    /// No place: what follows an object that is not there.
    #[default]
    Empty,
    Circle(Circle),
    /// Every part together.
    Union(Vec<Area>),
}

/// All places within a distance of a centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Circle {
    pub(crate) center: Point,
    pub(crate) radius: Metres,
    /// Certainly inside below the first, certainly outside above the second: between them lies
    /// what rounding could decide either way, and the distance itself decides.
    band: (f64, f64),
}

impl Circle {
    /// A radius of half the circumference or more is the whole Earth. It must be finite and not
    /// negative; 0 is the centre alone.
    pub(crate) fn new(center: Point, radius: Metres) -> Self {
        assert!(radius.0.is_finite() && radius.0 >= 0.0, "a radius is a length");
        let edge = chord_squared_of(radius);
        let band = if radius.0 >= FARTHEST.0 {
            (f64::INFINITY, f64::INFINITY)
        } else {
            // Unit vectors are exact to about 2e-16 in each coordinate.
            let doubt = 1e-12 * edge + 1e-15 * edge.sqrt() + 1e-31;
            (edge - doubt, edge + doubt)
        };
        Self { center, radius, band }
    }

    pub(crate) fn contains(&self, unit: UnitVector) -> bool {
        let chord = self.center.unit.chord_squared(unit);
        chord < self.band.0
            || (chord <= self.band.1 && self.center.unit.distance(unit) <= self.radius)
    }
}

impl Area {
    /// Whether an event of that place is in the area: a point that it contains, a shape that it
    /// meets.
    pub(crate) fn has(&self, place: &Place) -> bool {
        match &place.shape {
            None => self.contains(&place.at),
            Some(shape) => self.meets(shape),
        }
    }

    pub(crate) fn contains(&self, point: &Point) -> bool {
        match self {
            Self::Empty => false,
            Self::Circle(circle) => circle.contains(point.unit),
            Self::Union(parts) => parts.iter().any(|part| part.contains(point)),
        }
    }
}

/// Where an event is: a point, or something larger that is met rather than contained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The point itself, or one that stands for the shape: of its history bucket, of distances.
    pub(crate) at: Point,
    pub(crate) shape: Option<Arc<Area>>,
}

/// A vertex of a ring or line as GeoJSON has it: in range, but longitude 180 and −180 stay apart,
/// for they say on which side of the antimeridian an edge runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Vertex {
    pub(crate) lng: f64,
    pub(crate) lat: f64,
}

// === What shapes will be ===

impl Area {
    /// One or more polygons, each an outer ring and its holes, closed or not. Paths in errors are
    /// `[polygon][ring][vertex]`.
    pub(crate) fn polygons(polygons: &[Vec<Vec<Vertex>>]) -> Result<Self, GeoError> {
        let _ = polygons;
        Err(GeoError::new("", "polygons are not supported"))
    }

    /// All places between two parallels and two meridians; `west` over `east` goes over the
    /// antimeridian. Paths in errors are `west`, `south`, `east`, `north`.
    pub(crate) fn bbox(southwest: Vertex, northeast: Vertex) -> Result<Self, GeoError> {
        let _ = (southwest, northeast);
        Err(GeoError::new("", "boxes are not supported"))
    }

    /// H3 cells. Paths in errors are `[index]`.
    pub(crate) fn cells(cells: &[CellIndex]) -> Result<Self, GeoError> {
        let _ = cells;
        Err(GeoError::new("", "cells are not supported"))
    }

    /// All places at most `half_width` from one of the lines, whose legs are great circles. Paths
    /// in errors are `[line][vertex]`.
    pub(crate) fn routes(lines: &[Vec<LatLng>], half_width: Metres) -> Result<Self, GeoError> {
        let _ = (lines, half_width);
        Err(GeoError::new("", "routes are not supported"))
    }

    /// Whether the two have a place in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let _ = other;
        false
    }

    /// Whether every place of this one is in `other`; may say no where that is hard to tell.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let _ = other;
        false
    }

    /// Distance to the nearest place of the boundary, from inside or outside; infinite where there
    /// is none.
    pub(crate) fn edge_distance(&self, point: &Point) -> Metres {
        let _ = point;
        Metres(f64::INFINITY)
    }

    /// Whether the great circle from one place to the other meets the area.
    pub(crate) fn meets_way(&self, from: &Point, to: &Point) -> bool {
        let _ = (from, to);
        false
    }

    /// A place that stands for the area: the centre of a circle, of a shape that of its extent.
    pub(crate) fn center(&self) -> Option<Point> {
        None
    }
}
