//! [`Budget`]: how long it may take to compare two areas.

use super::arc::Arc;

/// Steps of 10 to 20 ns that one comparison may still take. What is not told when they are spent is
/// taken to meet.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// For two areas of so many pieces together.
    pub(super) fn of(pieces: usize) -> Self {
        Self { left: STEPS + PIECE_STEPS * pieces }
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Whether there were so many left.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether two arcs are within `reach` metres of one another, or it may not be told.
    pub(super) fn are_near(&mut self, one: &Arc, other: &Arc, reach: f64) -> bool {
        if !self.spend(1) {
            return true;
        }
        let aside = one.is_aside_of(other, reach) || other.is_aside_of(one, reach);
        !aside && (!self.spend(ARC_STEPS) || one.is_within_of(other, reach))
    }
}

/// About 3 ms, which is more than to compare each edge of a polygon of a thousand vertices with
/// each of another.
const STEPS: usize = 200_000;
/// More for each piece.
const PIECE_STEPS: usize = 32;
/// To tell whether a polygon has a place.
pub(super) const LOOK_STEPS: usize = 5;
/// To look at a piece of a great circle, at its place, or at its distance.
pub(super) const ARC_STEPS: usize = 10;
