//! Routes: everything at most so far from a line whose legs are great circles.

use super::Extent;
use super::arc::Arc;
use super::arcs::Arcs;
use super::caps::{Cap, Caps};
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point, UnitVector};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    legs: Arcs,
    pub(super) half_width: Metres,
    /// A place of the line that stands for it.
    center: Point,
}

impl Route {
    pub(super) fn new(lines: &[Vec<LatLng>], half_width: Metres) -> Result<Self, GeoError> {
        let count: usize = lines.iter().map(Vec::len).sum();
        if count > limits::POLYGON_VERTICES {
            let most = limits::POLYGON_VERTICES;
            return Err(GeoError::new("", format_args!("{count} positions; at most {most}")));
        }
        let is_length = half_width.0.is_finite() && half_width.0 >= 0.0;
        assert!(is_length, "half a width is a length");
        let mut legs = Vec::with_capacity(count);
        for (line_index, line) in lines.iter().enumerate() {
            for (index, ends) in line.windows(2).enumerate() {
                let (a, b): (UnitVector, UnitVector) = (ends[0].into(), ends[1].into());
                if a.distance(b).0 > FARTHEST.0 * (1.0 - 1e-9) {
                    let path = format!("[{line_index}][{}]", index + 1);
                    return Err(GeoError::new(path, "the antipode of the position before"));
                }
                legs.push(Arc::new(a, b));
            }
        }
        if legs.is_empty() {
            return Err(GeoError::new("", "a line has at least 2 positions"));
        }
        let center = legs[legs.len() / 2].a.to_lat_lng().into();
        Ok(Self { legs: Arcs::new(legs), half_width, center })
    }

    /// At least one, of the same width, as one; the first says where the centre is.
    pub(super) fn joined(parts: Vec<Self>) -> Self {
        let (half_width, center) = (parts[0].half_width, parts[0].center);
        let legs = parts.iter().flat_map(Self::legs).copied().collect();
        Self { legs: Arcs::new(legs), half_width, center }
    }

    pub(super) fn legs(&self) -> &[Arc] {
        self.legs.as_slice()
    }

    pub(super) fn line(&self) -> &Arcs {
        &self.legs
    }

    /// Where each line begins.
    pub(super) fn starts(&self) -> impl Iterator<Item = LatLng> {
        let legs = self.legs();
        let is_start = |index: &usize| *index == 0 || legs[index - 1].b != legs[*index].a;
        (0..legs.len()).filter(is_start).map(|index| legs[index].a.to_lat_lng())
    }

    pub(super) fn contains(&self, unit: UnitVector) -> bool {
        self.is_line_within(unit, self.half_width.0 + DOUBT)
    }

    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        Metres(self.edge_below(unit, f64::INFINITY))
    }

    /// The distance of the edge where it is less than `most`, or `most`.
    pub(super) fn edge_below(&self, unit: UnitVector, most: f64) -> f64 {
        let line = self.legs.nearest(unit, self.half_width.0 + most);
        (line - self.half_width.0).abs().min(most)
    }

    /// At most the distance of the edge.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        let outside = self.legs.safe_distance(unit).0 - self.half_width.0;
        if outside > 0.0 { Metres(outside) } else { self.edge_distance(unit) }
    }

    /// Whether the line itself is at most so many metres away.
    fn is_line_within(&self, unit: UnitVector, reach: f64) -> bool {
        self.legs.is_within(unit, reach)
    }

    pub(super) fn center(&self) -> Point {
        self.center
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        self.widened(&self.caps().root()).to_circle()
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        let caps: Vec<Cap> = self.caps().cover(BOXES).iter().map(|cap| self.widened(cap)).collect();
        Extent::of_caps(&caps)
    }

    /// Round the legs themselves.
    fn caps(&self) -> &Caps {
        self.legs.caps().expect("a route has legs")
    }

    fn widened(&self, cap: &Cap) -> Cap {
        Cap { radius: (cap.radius + self.half_width.0 + 2.0 * DOUBT).min(FARTHEST.0), ..*cap }
    }
}

/// A place on the line is on it, whatever rounding says: a tenth of a micrometre.
pub(super) const DOUBT: f64 = 1e-7;
/// Boxes round one route.
const BOXES: usize = 32;
