//! Squares on the six sides of a cube around the Earth, halved again and again.
//!
//! A side is seen from the centre of the Earth under two angles, −45…45 degrees each. Steps of
//! equal angles divide it, so that every line of the division is part of a great circle and no
//! square is less than 0.7 times as wide as another of its level. Poles and the antimeridian are
//! places as any.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, SQRT_2};

use crate::geo::point::UnitVector;

/// A side of the cube, by the axis that goes through its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    X,
    Y,
    Z,
    MinusX,
    MinusY,
    MinusZ,
}

/// The smallest square that a place is in, 7 to 10 metres wide: whole steps along both angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) side: Side,
    pub(super) i: u32,
    pub(super) j: u32,
}

/// All spots of a side whose steps begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Square {
    /// Its first spot.
    corner: Spot,
    /// It is two to that power of spots wide.
    bits: u32,
}

/// A circle's centre as one side sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    angles: (f64, f64),
    /// Sines of the angles between the centre and the axes that the two angles turn about.
    sines: (f64, f64),
}

/// First and last steps along both angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    i: (u32, u32),
    j: (u32, u32),
}

impl Side {
    pub(super) const ALL: [Self; 6] =
        [Self::X, Self::Y, Self::Z, Self::MinusX, Self::MinusY, Self::MinusZ];

    fn of(unit: UnitVector) -> Self {
        let UnitVector { x, y, z } = unit;
        let (along_x, along_y, along_z) = (x.abs(), y.abs(), z.abs());
        if along_x >= along_y && along_x >= along_z {
            if x > 0.0 { Self::X } else { Self::MinusX }
        } else if along_y >= along_z {
            if y > 0.0 { Self::Y } else { Self::MinusY }
        } else if z > 0.0 {
            Self::Z
        } else {
            Self::MinusZ
        }
    }

    /// Towards the middle of the side, and along the two axes across.
    fn turned(self, unit: UnitVector) -> (f64, f64, f64) {
        let UnitVector { x, y, z } = unit;
        match self {
            Self::X => (x, y, z),
            Self::Y => (y, z, x),
            Self::Z => (z, x, y),
            Self::MinusX => (-x, y, z),
            Self::MinusY => (-y, z, x),
            Self::MinusZ => (-z, x, y),
        }
    }

    /// The reverse, of length one.
    fn unit(self, depth: f64, p: f64, q: f64) -> UnitVector {
        let (x, y, z) = match self {
            Self::X => (depth, p, q),
            Self::Y => (q, depth, p),
            Self::Z => (p, q, depth),
            Self::MinusX => (-depth, p, q),
            Self::MinusY => (q, -depth, p),
            Self::MinusZ => (p, q, -depth),
        };
        UnitVector { x, y, z }.normalised()
    }

    /// `None` where no place of the side is within that chord of the centre.
    pub(super) fn view(self, center: UnitVector, chord: f64) -> Option<View> {
        let (depth, p, q) = self.turned(center);
        // Places of a side are at a depth of 1/√3 or more, and the depth changes by no more than
        // the chord.
        if depth + chord < DEPTH_LEAST {
            return None;
        }
        let angles = (p.atan2(depth), q.atan2(depth));
        let sine = |across: f64| (across * across + depth * depth).sqrt();
        Some(View { angles, sines: (sine(p), sine(q)) })
    }
}

impl Spot {
    pub(super) fn of(unit: UnitVector) -> Self {
        let side = Side::of(unit);
        let (depth, p, q) = side.turned(unit);
        Self { side, i: step((p / depth).atan()), j: step((q / depth).atan()) }
    }
}

impl Square {
    pub(super) fn of(side: Side) -> Self {
        Self { corner: Spot { side, i: 0, j: 0 }, bits: SPOT_BITS }
    }

    /// Whether it is a single spot.
    pub(super) fn is_smallest(&self) -> bool {
        self.bits == 0
    }

    pub(super) fn contains(&self, spot: Spot) -> bool {
        let Spot { side, i, j } = self.corner;
        side == spot.side
            && i == spot.i >> self.bits << self.bits
            && j == spot.j >> self.bits << self.bits
    }

    /// Which of its four quarters a spot of it is in.
    pub(super) fn quarter_of(&self, spot: Spot) -> usize {
        let bit = self.bits - 1;
        ((spot.i >> bit & 1) << 1 | spot.j >> bit & 1) as usize
    }

    pub(super) fn quarter(&self, number: usize) -> Self {
        let Spot { side, i, j } = self.corner;
        let bits = self.bits - 1;
        let (far_i, far_j) = (u32::from(number & 2 != 0), u32::from(number & 1 != 0));
        Self { corner: Spot { side, i: i | far_i << bits, j: j | far_j << bits }, bits }
    }

    /// Which of its quarters meet steps that meet it.
    pub(super) fn quarters_in(&self, steps: &Steps) -> [bool; 4] {
        let half = 1 << (self.bits - 1);
        let (i, j) = (self.corner.i + half, self.corner.j + half);
        let (near_i, far_i) = (steps.i.0 < i, steps.i.1 >= i);
        let (near_j, far_j) = (steps.j.0 < j, steps.j.1 >= j);
        [near_i && near_j, near_i && far_j, far_i && near_j, far_i && far_j]
    }

    /// How wide it is, as an angle in radians, at least at one place.
    pub(super) fn angle(&self) -> f64 {
        FRAC_PI_2 * f64::from(1_u32 << self.bits) / SPOTS
    }

    /// The centre, and the longest chord from there to any place of the square.
    ///
    /// A square is a polygon of great circles less than a quarter of the Earth from its centre, so
    /// that a circle around the centre that has its corners has all of it.
    pub(super) fn disc(&self) -> (UnitVector, f64) {
        let Spot { side, i, j } = self.corner;
        let width = 1_u32 << self.bits;
        let along = |steps: f64| (FRAC_PI_2 * (steps / SPOTS - 0.5)).tan();
        let place = |i: f64, j: f64| side.unit(1.0, along(i), along(j));
        let (west, south) = (f64::from(i), f64::from(j));
        let (east, north) = (f64::from(i + width), f64::from(j + width));
        let center = place((west + east) / 2.0, (south + north) / 2.0);
        let corners = [(west, south), (west, north), (east, south), (east, north)];
        let farthest = corners
            .map(|(i, j)| center.chord_squared(place(i, j)))
            .into_iter()
            .fold(0.0, f64::max)
            .sqrt();
        (center, farthest + DOUBT)
    }
}

impl View {
    /// Steps that have every place of the side within a chord of the centre.
    ///
    /// Seen along an axis, a circle of angular radius ρ whose centre is at an angle with sine s to
    /// that axis spans asin(sin ρ / s) to both sides, as a circle spans longitudes around a pole;
    /// it spans all where it reaches the axis.
    pub(super) fn steps(&self, chord: f64) -> Option<Steps> {
        let full = Steps { i: (0, SPOT_LAST), j: (0, SPOT_LAST) };
        // A quarter of the circumference and more.
        if chord >= SQRT_2 - 1e-6 {
            return Some(full);
        }
        let sine = chord * (1.0 - chord * chord / 4.0).sqrt();
        let range = |angle: f64, axis_sine: f64| {
            let ratio = sine / axis_sine;
            if ratio.is_nan() || ratio >= 1.0 - 1e-9 {
                return Some((0, SPOT_LAST));
            }
            // Not less than the arc sine: the two are equal at 0 and 1, and the quotient of
            // asin x − x and x³ grows in between.
            let half = ratio + (FRAC_PI_2 - 1.0) * ratio.powi(3) + DOUBT;
            let is_seen = angle - half <= FRAC_PI_2 / 2.0 && angle + half >= -FRAC_PI_2 / 2.0;
            is_seen.then(|| (step(angle - half), step(angle + half)))
        };
        let i = range(self.angles.0, self.sines.0)?;
        let j = range(self.angles.1, self.sines.1)?;
        Some(Steps { i, j })
    }
}

#[cfg(test)]
impl Steps {
    pub(super) fn have(&self, spot: Spot) -> bool {
        let is_in = |range: (u32, u32), step| (range.0..=range.1).contains(&step);
        is_in(self.i, spot.i) && is_in(self.j, spot.j)
    }
}

/// Which step an angle falls on, from −45 degrees; beyond the first and last, those.
fn step(angle: f64) -> u32 {
    let steps = (angle * FRAC_2_PI + 0.5) * SPOTS;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such a cast stops at the ends of the range"
    )]
    let whole = steps as u32;
    whole.min(SPOT_LAST)
}

const SPOT_BITS: u32 = 20;
const SPOT_LAST: u32 = (1 << SPOT_BITS) - 1;
const SPOTS: f64 = (1_u32 << SPOT_BITS) as f64;
/// 1/√3, less what rounding could be off.
const DEPTH_LEAST: f64 = 0.577_350_268;
/// Far more than rounding could be off: 0.6 mm.
const DOUBT: f64 = 1e-10;
