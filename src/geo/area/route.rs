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
        Ok(Self { legs: Arcs::new(legs), half_width })
    }

    pub(super) fn legs(&self) -> &[Arc] {
        self.legs.as_slice()
    }

    pub(super) fn contains(&self, unit: UnitVector) -> bool {
        self.is_line_within(unit, self.half_width.0 + DOUBT)
    }

    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        Metres((self.legs.distance(unit) - self.half_width.0).abs())
    }

    /// At most the distance of the edge.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        let outside = self.legs.safe_distance(unit).0 - self.half_width.0;
        if outside > 0.0 { Metres(outside) } else { self.edge_distance(unit) }
    }

    /// Whether the line itself is at most so many metres away.
    pub(super) fn is_line_within(&self, unit: UnitVector, reach: f64) -> bool {
        self.legs.is_within(unit, reach)
    }

    /// Whether the two lines are at most `reach` metres apart somewhere.
    pub(super) fn is_line_near(&self, other: &Self, reach: f64) -> bool {
        let (ours, theirs) = (self.legs(), other.legs());
        self.caps().any_pair(other.caps(), reach, &mut |one, two| {
            ours[one].is_within_of(&theirs[two], reach)
        })
    }

    pub(super) fn center(&self) -> Point {
        self.legs()[self.legs().len() / 2].a.to_lat_lng().into()
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
