//! [`Arcs`]: pieces of great circles of which the nearest is found without a look at each.

use super::arc::Arc;
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

    /// Metres to the nearest; infinite where there are none.
    pub(super) fn distance(&self, unit: UnitVector) -> f64 {
        self.nearest(unit, f64::INFINITY)
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

    /// Whether `see` says so of one of those in caps that may have one.
    pub(super) fn any(
        &self,
        may: &impl Fn(&Cap) -> bool,
        see: &mut impl FnMut(&Arc) -> bool,
    ) -> bool {
        self.caps().is_some_and(|caps| caps.any(may, &mut |arc| see(&self.arcs[arc])))
    }

    /// The distance of the nearest that is nearer than `most`, or `most`.
    fn nearest(&self, unit: UnitVector, most: f64) -> f64 {
        let mut best = most;
        if let Some(caps) = self.caps() {
            caps.nearest(unit, &mut best, &mut |arc, best| {
                *best = best.min(self.arcs[arc].distance(unit).0);
            });
        }
        best
    }
}
