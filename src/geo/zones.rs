//! [`Zones`]: areas by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::area::Area;

/// The zones of a node: its own, and those that come with the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zones {
    own: BTreeMap<Arc<str>, Arc<Area>>,
}

impl Zones {
    /// The area of a zone as it is now.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Area>> {
        self.own.get(name).cloned()
    }

    /// Adds a zone, or replaces the one of that name.
    pub(crate) fn set(&mut self, name: Arc<str>, area: Arc<Area>) {
        self.own.insert(name, area);
    }

    /// Whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.own.remove(name).is_some()
    }
}
