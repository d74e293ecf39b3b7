//! [`Caps`]: a tree of circles round the pieces of a boundary or line, so that what is near a place
//! is found without looking at all of it.

use super::arc::{ZERO, plus};
use super::budget::Budget;
use crate::geo::point::{EARTH_RADIUS, FARTHEST, Metres, Point, UnitVector};

/// All places within so many metres of a centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cap {
    pub(super) center: UnitVector,
    pub(super) radius: f64,
}

impl Cap {
    /// One that has all the others.
    pub(super) fn round(caps: &[Self]) -> Self {
        let sum = caps.iter().fold(ZERO, |sum, cap| plus(sum, cap.center));
        let long = sum.dot(sum) > 1e-6;
        let center = if long { sum.normalised() } else { caps[0].center };
        let reach = |cap: &Self| center.distance(cap.center).0 + cap.radius;
        let radius = caps.iter().map(reach).fold(0.0, f64::max) * (1.0 + 1e-12) + 1e-7;
        Self { center, radius: radius.min(FARTHEST.0) }
    }

    pub(super) fn to_circle(self) -> (Point, Metres) {
        // Degrees are rounded, and the circle with them.
        (self.center.to_lat_lng().into(), Metres((self.radius + 1e-6).min(FARTHEST.0)))
    }

    /// Whether some place of it may be at most `reach` metres from one of the other. A straight line
    /// through the Earth is shorter than the way, and sooner computed.
    fn may_be_near(&self, other: &Self, reach: f64) -> bool {
        let angle = (self.radius + other.radius + reach) / EARTH_RADIUS.0;
        self.center.chord_squared(other.center) <= angle * angle * (1.0 + 1e-9) + 1e-28
    }

    /// No place of it is nearer than so many metres; negative inside.
    pub(super) fn gap(&self, unit: UnitVector) -> f64 {
        self.center.distance(unit).0 - self.radius
    }
}

/// Circles round numbered pieces, round each few of those, and so on. Pieces that follow one
/// another should lie near one another, as those of a ring or line do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Caps {
    /// First those of the pieces, last one that has all.
    levels: Vec<Vec<Cap>>,
}

impl Caps {
    /// Of at least one piece.
    pub(super) fn new(pieces: Vec<Cap>) -> Self {
        assert!(!pieces.is_empty(), "a boundary has pieces");
        let mut levels = vec![pieces];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            levels.push(last.chunks(FAN).map(Cap::round).collect());
        }
        Self { levels }
    }

    /// One that has every piece.
    pub(super) fn root(&self) -> Cap {
        self.levels[self.levels.len() - 1][0]
    }

    /// At most `most` that together have every piece.
    pub(super) fn cover(&self, most: usize) -> &[Cap] {
        let level = self.levels.iter().find(|level| level.len() <= most);
        level.expect("the last level has one cap, and most is at least that")
    }

    /// At most the distance of the nearest piece, as far as the circles tell.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        let mut best = f64::INFINITY;
        self.nearest(unit, &mut best, &mut |piece, best| {
            *best = best.min(self.levels[0][piece].gap(unit).max(0.0));
        });
        Metres(best)
    }

    /// Shows pieces of which some place may be nearer than `best`, near ones first; seeing one may
    /// lower `best`.
    pub(super) fn nearest(
        &self,
        unit: UnitVector,
        best: &mut f64,
        see: &mut impl FnMut(usize, &mut f64),
    ) {
        let top = self.levels.len() - 1;
        if self.levels[top][0].gap(unit) < *best {
            self.descend(top, 0, unit, best, see);
        }
    }

    fn descend(
        &self,
        level: usize,
        index: usize,
        unit: UnitVector,
        best: &mut f64,
        see: &mut impl FnMut(usize, &mut f64),
    ) {
        let Some(below) = level.checked_sub(1) else { return see(index, best) };
        let mut parts = [(f64::INFINITY, 0); FAN];
        let range = children(index, self.levels[below].len());
        let count = range.len();
        for (part, child) in parts.iter_mut().zip(range) {
            *part = (self.levels[below][child].gap(unit), child);
        }
        let parts = &mut parts[..count];
        parts.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        for (gap, child) in parts {
            if *gap < *best {
                self.descend(below, *child, unit, best, see);
            }
        }
    }

    /// Whether `see` says yes to a piece whose circle `may` does not rule out, nor one above it.
    pub(super) fn any(
        &self,
        may: &impl Fn(&Cap) -> bool,
        see: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        self.any_below(self.levels.len() - 1, 0, may, see)
    }

    fn any_below(
        &self,
        level: usize,
        index: usize,
        may: &impl Fn(&Cap) -> bool,
        see: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        if !may(&self.levels[level][index]) {
            return false;
        }
        let Some(below) = level.checked_sub(1) else { return see(index) };
        children(index, self.levels[below].len())
            .any(|child| self.any_below(below, child, may, see))
    }

    /// Whether `see` says yes to a piece of this one and one of the other that may be at most
    /// `reach` metres apart, or it may not be told.
    pub(super) fn any_pair(
        &self,
        other: &Self,
        reach: f64,
        budget: &mut Budget,
        see: &mut impl FnMut(usize, usize, &mut Budget) -> bool,
    ) -> bool {
        let tops = (self.levels.len() - 1, other.levels.len() - 1);
        self.any_pair_below((tops.0, 0), (other, tops.1, 0), reach, budget, see)
    }

    fn any_pair_below(
        &self,
        (level, index): (usize, usize),
        (other, other_level, other_index): (&Self, usize, usize),
        reach: f64,
        budget: &mut Budget,
        see: &mut impl FnMut(usize, usize, &mut Budget) -> bool,
    ) -> bool {
        let one = &self.levels[level][index];
        let two = &other.levels[other_level][other_index];
        if !one.may_be_near(two, reach) {
            return false;
        }
        if !budget.spend(1) {
            return true;
        }
        if level == 0 && other_level == 0 {
            return see(index, other_index, budget);
        }
        if other_level == 0 || (level > 0 && one.radius >= two.radius) {
            return children(index, self.levels[level - 1].len()).any(|child| {
                let at = (other, other_level, other_index);
                self.any_pair_below((level - 1, child), at, reach, budget, see)
            });
        }
        children(other_index, other.levels[other_level - 1].len()).any(|child| {
            let at = (other, other_level - 1, child);
            self.any_pair_below((level, index), at, reach, budget, see)
        })
    }
}

fn children(index: usize, count: usize) -> std::ops::Range<usize> {
    index * FAN..((index + 1) * FAN).min(count)
}

/// Circles in one of the next level.
const FAN: usize = 4;
