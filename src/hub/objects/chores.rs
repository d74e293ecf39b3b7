//! [`Chores`]: what a channel still has to do for subscriptions when its lane has looked at enough
//! objects for the moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fences::Mover;
use crate::base::Moment;
use crate::geo::Area;

/// By the slot of the viewer, each of which has one at a time.
#[derive(Debug, Default)]
pub(super) struct Chores {
    all: BTreeMap<u32, Chore>,
    /// The last one that was done: those behind it come first.
    last: u32,
    due: Option<Moment>,
}

#[derive(Clone, Debug)]
pub(super) enum Chore {
    /// A list of the nearest is short.
    Fill,
    /// What the area follows has gone on; only the last place counts.
    Shift(Arc<Area>, Mover),
}

impl Chores {
    /// Adds what is to be done for a viewer, instead of what was.
    pub(super) fn put(&mut self, slot: u32, chore: Chore, due: Moment) {
        self.all.insert(slot, chore);
        self.due.get_or_insert(due);
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.all.remove(&slot);
        if self.all.is_empty() {
            self.due = None;
        }
    }

    /// When something may be done.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.due
    }

    /// Something to do, each in its turn.
    pub(super) fn next(&mut self) -> Option<(u32, Chore)> {
        let behind = self.all.range(self.last.saturating_add(1)..).next();
        let slot = *behind.or_else(|| self.all.first_key_value())?.0;
        self.last = slot;
        Some((slot, self.all.remove(&slot)?))
    }

    /// What is left waits until then.
    pub(super) fn wait(&mut self, until: Moment) {
        self.due = (!self.all.is_empty()).then_some(until);
    }
}
