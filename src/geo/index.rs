//! [`AreaIndex`]: many areas, and which of them a place is in.

use std::collections::HashMap;
use std::sync::Arc;

use super::area::{Area, Place};

/// Areas by number. Numbers are small and reused: the index of a slot that its owner keeps.
#[derive(Debug, Default)]
pub(crate) struct AreaIndex {
    areas: HashMap<u32, Arc<Area>>,
}

impl AreaIndex {
    /// Adds an area, or replaces the one of that number.
    pub(crate) fn insert(&mut self, id: u32, area: Arc<Area>) {
        self.areas.insert(id, area);
    }

    /// Nothing where there is no such area.
    pub(crate) fn remove(&mut self, id: u32) {
        self.areas.remove(&id);
    }

    /// Appends each area that contains (or, for a shape, meets) the place once, in no order.
    pub(crate) fn matches(&mut self, place: &Place, found: &mut Vec<u32>) {
        let hits = self.areas.iter().filter(|(_, area)| area.contains(&place.at));
        found.extend(hits.map(|(id, _)| *id));
    }
}
