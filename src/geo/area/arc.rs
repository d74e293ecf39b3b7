//! Pieces of great circles.

use super::caps::Cap;
use crate::geo::point::{EARTH_RADIUS, Metres, UnitVector};

/// The great circle from one place to another, shorter than half of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arc {
    pub(super) a: UnitVector,
    pub(super) b: UnitVector,
    /// Across the plane of both, of length one; zero for a single place.
    normal: UnitVector,
}

impl Arc {
    pub(super) fn new(a: UnitVector, b: UnitVector) -> Self {
        // The same as the cross product of the ends, which for near ones is all rounding: legs of
        // a millimetre would be metres off.
        let normal = minus(a, b).cross(plus(a, b)).normalised();
        Self { a, b, normal }
    }

    pub(super) fn distance(&self, unit: UnitVector) -> Metres {
        if self.normal != ZERO && self.has_foot_of(unit) {
            let off = self.normal.dot(unit).abs();
            let along = self.normal.cross(unit);
            // The arcsine loses digits near a quarter of the Earth.
            let angle = if off < 0.5 { off.asin() } else { off.atan2(along.dot(along).sqrt()) };
            return Metres(EARTH_RADIUS.0 * angle);
        }
        let nearer = self.a.chord_squared(unit) < self.b.chord_squared(unit);
        if nearer { self.a.distance(unit) } else { self.b.distance(unit) }
    }

    /// Whether the place's foot on the great circle is between the ends.
    fn has_foot_of(&self, unit: UnitVector) -> bool {
        let along = self.normal.cross(unit);
        along.dot(self.a) < 0.0 && along.dot(self.b) > 0.0
    }

    /// A circle that has all of it.
    pub(super) fn cap(&self) -> Cap {
        let middle = plus(self.a, self.b).normalised();
        let radius = middle.distance(self.a).0;
        Cap { center: middle, radius: radius * (1.0 + 1e-9) + 1e-6 }
    }

    /// Whether some place of one is at most `reach` metres from some place of the other: where they
    /// do not cross they are nearest at an end of one of them.
    pub(super) fn is_within_of(&self, other: &Self, reach: f64) -> bool {
        if self.is_aside_of(other, reach) || other.is_aside_of(self, reach) {
            return false;
        }
        self.crosses(other)
            || self.distance(other.a).0 <= reach
            || self.distance(other.b).0 <= reach
            || other.distance(self.a).0 <= reach
            || other.distance(self.b).0 <= reach
    }

    /// Whether the other lies on one side of this one's great circle, farther than `reach` metres:
    /// soon told, and so it is of most pairs.
    pub(super) fn is_aside_of(&self, other: &Self, reach: f64) -> bool {
        let (a, b) = (self.normal.dot(other.a), self.normal.dot(other.b));
        // At least the sine of the angle, and what rounding may be off.
        let least = reach / EARTH_RADIUS.0 + 1e-14;
        (a > least && b > least) || (a < -least && b < -least)
    }

    /// Whether two have a place in common, ends aside.
    fn crosses(&self, other: &Self) -> bool {
        let sides = |arc: &Self, by: &Self| arc.normal.dot(by.a) * arc.normal.dot(by.b) < 0.0;
        // Great circles cross twice; the arcs do where both are on the same half.
        let line = self.normal.cross(other.normal);
        let middle = |arc: &Self| line.dot(plus(arc.a, arc.b));
        sides(self, other) && sides(other, self) && middle(self) * middle(other) > 0.0
    }
}

pub(super) fn plus(a: UnitVector, b: UnitVector) -> UnitVector {
    UnitVector { x: a.x + b.x, y: a.y + b.y, z: a.z + b.z }
}

fn minus(a: UnitVector, b: UnitVector) -> UnitVector {
    UnitVector { x: a.x - b.x, y: a.y - b.y, z: a.z - b.z }
}

pub(super) const ZERO: UnitVector = UnitVector { x: 0.0, y: 0.0, z: 0.0 };
