//! [`Zones`]: areas by name. A node's own are set by its operator; countries and cities come with
//! the program.

mod built_in;

pub(crate) use built_in::{COUNTRIES, find as built_in, prepare};

use std::collections::BTreeMap;
use std::sync::Arc;

use super::area::Area;
use super::point::Point;

/// The zones of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zones {
    own: BTreeMap<Arc<str>, Arc<Area>>,
}

impl Zones {
    /// The area of a zone as it is now. A node's own zones come before those of the program.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Area>> {
        self.own.get(name).cloned().or_else(|| built_in(name))
    }

    /// Adds a zone, or replaces the one of that name.
    pub(crate) fn set(&mut self, name: Arc<str>, area: Arc<Area>) {
        self.own.insert(name, area);
    }

    /// Whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.own.remove(name).is_some()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.own.len()
    }

    /// The node's own zones, by name.
    pub(crate) fn own(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Area>)> {
        self.own.iter()
    }

    /// Names of the zones that contain a place: the node's own, then the program's.
    pub(crate) fn at(&self, point: &Point) -> Vec<Arc<str>> {
        let own = self.own.iter().filter(|(_, area)| area.contains(point));
        own.map(|(name, _)| name.clone()).chain(built_in::at(point).cloned()).collect()
    }
}
