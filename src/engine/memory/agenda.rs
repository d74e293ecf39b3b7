//! An order of slots by a moment that mostly moves later.

use std::collections::BTreeSet;

use crate::base::Moment;

/// Each slot is filed at most once, at its true moment or before it. A moment that moves later is
/// left as it was filed, so that the usual publication does not touch the order; whoever takes the
/// first slot compares it with the truth and files it again. A slot becomes stale only by an
/// operation on it and is then filed again once, hence amortised O(log n) an operation.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    filed: BTreeSet<(Moment, usize)>,
}

impl Agenda {
    /// The slot that was filed earliest, and where.
    pub(super) fn first(&self) -> Option<(Moment, usize)> {
        self.filed.first().copied()
    }

    /// How many slots are filed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.filed.len()
    }

    /// Files a slot exactly at `due`, or takes it out. `at` is where this slot is filed: its owner
    /// keeps that and passes it to every call.
    pub(super) fn set(&mut self, at: &mut Option<Moment>, due: Option<Moment>, slot: usize) {
        if let Some(moment) = *at {
            let found = self.filed.remove(&(moment, slot));
            debug_assert!(found, "a slot is filed where its owner says");
        }
        if let Some(moment) = due {
            self.filed.insert((moment, slot));
        }
        *at = due;
    }

    /// As [`Agenda::set`], but leaves the slot where it is unless `due` is before that.
    pub(super) fn advance(&mut self, at: &mut Option<Moment>, due: Option<Moment>, slot: usize) {
        let earlier = match (*at, due) {
            (Some(filed), Some(due)) => due < filed,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if earlier {
            self.set(at, due, slot);
        }
    }
}
