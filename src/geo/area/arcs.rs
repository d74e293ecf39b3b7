//! [`Arcs`]: pieces of great circles of which the nearest is found without a look at each.

use super::arc::Arc;
use super::budget::{ARC_STEPS, Budget};
use super::caps::{Cap, Caps};
use crate::geo::point::{Metres, UnitVector};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arcs {
    arcs: Vec<Arc>,
    /// None where there are no arcs.
    caps: Option<Caps>,
}

impl Arcs {
    /// Arcs that follow one another should lie near one another.
    pub(super) fn new(arcs: Vec<Arc>) -> Self {
        let caps: Vec<Cap> = arcs.iter().map(Arc::cap).collect();
        Self { arcs, caps: (!caps.is_empty()).then(|| Caps::new(caps)) }
    }

    pub(super) fn as_slice(&self) -> &[Arc] {
        &self.arcs
    }

    pub(super) fn caps(&self) -> Option<&Caps> {
        self.caps.as_ref()
    }

    /// As [`Self::is_within`], or it may not be told.
    pub(super) fn may_be_within(&self, unit: UnitVector, reach: f64, budget: &mut Budget) -> bool {
        let reach = reach.next_up();
        let mut best = reach;
        if let Some(caps) = self.caps() {
            caps.nearest(unit, &mut best, &mut |arc, best| {
                let may_look = budget.spend(ARC_STEPS);
                let away =
                    if may_look { self.arcs[arc].distance(unit).0 } else { f64::NEG_INFINITY };
                *best = best.min(away);
            });
        }
        best < reach
    }

    /// Whether two are at most `reach` metres apart, or it may not be told.
    pub(super) fn is_near(&self, other: &Self, reach: f64, budget: &mut Budget) -> bool {
        let (Some(caps), Some(other_caps)) = (self.caps(), other.caps()) else { return false };
        caps.any_pair(other_caps, reach, budget, &mut |one, two, budget| {
            budget.are_near(&self.arcs[one], &other.arcs[two], reach)
        })
    }

    /// Whether one is at most so many metres away.
    pub(super) fn is_within(&self, unit: UnitVector, reach: f64) -> bool {
        let reach = reach.next_up();
        self.nearest(unit, reach) < reach
    }

    /// At most the distance of the nearest.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        self.caps().map_or(Metres(f64::INFINITY), |caps| caps.safe_distance(unit))
    }

    /// The distance of the nearest that is nearer than `most`, or `most`.
    pub(super) fn nearest(&self, unit: UnitVector, most: f64) -> f64 {
        let mut best = most;
        if let Some(caps) = self.caps() {
            caps.nearest(unit, &mut best, &mut |arc, best| {
                *best = best.min(self.arcs[arc].distance(unit).0);
            });
        }
        best
    }
}
