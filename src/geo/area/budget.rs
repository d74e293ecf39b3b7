//! [`Budget`]: how long it may take to compare two areas; [`Purse`]: one with many.

use super::arc::Arc;

/// Steps of 10 to 20 ns that one comparison may still take. What is not told when they are spent is
/// taken to meet.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    /// What is left when it took no more than it takes with shapes that mean no harm.
    ample: usize,
}

/// What comparing one shape with many areas may take beyond what it takes with shapes that mean no
/// harm: 10 to 20 ms in all.
#[derive(Debug)]
pub(crate) struct Purse {
    left: usize,
}

impl Default for Purse {
    fn default() -> Self {
        Self { left: PURSE_STEPS }
    }
}

impl Purse {
    /// For two areas of so many pieces together.
    pub(super) fn budget(&self, pieces: usize) -> Budget {
        let ample = self.left.min(STEPS);
        Budget { left: ample + FAIR_STEPS + PIECE_STEPS * pieces, ample }
    }

    pub(super) fn pay(&mut self, budget: &Budget) {
        self.left -= budget.ample.saturating_sub(budget.left);
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}

impl Budget {
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

/// As many as that in all.
const PURSE_STEPS: usize = 1_000_000;
/// What any two shapes may take, beside their pieces.
const FAIR_STEPS: usize = 4_000;
/// About 3 ms, which is more than to compare each edge of a polygon of a thousand vertices with
/// each of another.
const STEPS: usize = 200_000;
/// More for each piece.
const PIECE_STEPS: usize = 32;
/// To tell whether a polygon has a place.
pub(super) const LOOK_STEPS: usize = 5;
/// To look at a piece of a great circle, at its place, or at its distance.
pub(super) const ARC_STEPS: usize = 10;
