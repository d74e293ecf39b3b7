//! Circles: a dot product and no trigonometry for each candidate.

use crate::geo::point::{FARTHEST, Metres, Point, UnitVector, chord_squared_of};

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

    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        if self.radius.0 >= FARTHEST.0 {
            return Metres(f64::INFINITY);
        }
        Metres((self.center.unit.distance(unit).0 - self.radius.0).abs())
    }
}
