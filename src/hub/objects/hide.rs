//! [`Hide`]: the zones of a namespace in which nothing is shown.

use crate::geo::{AreaIndex, Place, Point, Zones};

#[derive(Debug, Default)]
pub(super) struct Hide {
    names: Vec<String>,
    /// Where there are names.
    areas: Option<Box<AreaIndex>>,
    /// Of the last look-up, kept for its room.
    found: Vec<u32>,
}

impl Hide {
    /// Takes the zones of these names as they are now. A name without a zone hides nothing.
    pub(super) fn new(names: &[String], zones: &Zones) -> Self {
        let mut areas = (!names.is_empty()).then(Box::<AreaIndex>::default);
        for (id, name) in (0..).zip(names) {
            if let (Some(areas), Some(area)) = (&mut areas, zones.find(name)) {
                areas.insert(id, area);
            }
        }
        Self { names: names.to_vec(), areas, found: Vec::new() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn has(&self, zone: &str) -> bool {
        self.names.iter().any(|name| name == zone)
    }

    pub(super) fn covers(&mut self, point: &Point) -> bool {
        let Some(areas) = &mut self.areas else { return false };
        self.found.clear();
        areas.matches(&Place { at: *point, shape: None }, &mut self.found);
        !self.found.is_empty()
    }
}
