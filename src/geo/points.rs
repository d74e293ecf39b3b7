//! [`PointIndex`]: many points that move, and which of them are in an area or nearest to a place.

use std::collections::HashMap;

use super::area::Area;
use super::point::{Metres, Point};

/// Points by number. Numbers are small and reused: the index of a slot that its owner keeps.
#[derive(Debug, Default)]
pub(crate) struct PointIndex {
    points: HashMap<u32, Point>,
}

impl PointIndex {
    /// Adds a point, or moves the one of that number.
    pub(crate) fn insert(&mut self, id: u32, point: Point) {
        self.points.insert(id, point);
    }

    /// Nothing where there is no such point.
    pub(crate) fn remove(&mut self, id: u32) {
        self.points.remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Appends each point in the area once, in no order.
    pub(crate) fn within(&self, area: &Area, found: &mut Vec<u32>) {
        found.extend(self.points.iter().filter(|(_, at)| area.contains(at)).map(|(id, _)| *id));
    }

    /// The `count` points nearest to a place that `accepts` lets through, none farther than
    /// `within`, nearest first, equal distances by number.
    pub(crate) fn nearest(
        &self,
        to: &Point,
        count: usize,
        within: Option<Metres>,
        mut accepts: impl FnMut(u32) -> bool,
    ) -> Vec<(u32, Metres)> {
        let mut all: Vec<_> = self
            .points
            .iter()
            .map(|(id, at)| (*id, to.distance(at)))
            .filter(|(id, distance)| within.is_none_or(|most| *distance <= most) && accepts(*id))
            .collect();
        all.sort_by(|one, other| one.1.0.total_cmp(&other.1.0).then(one.0.cmp(&other.0)));
        all.truncate(count);
        all
    }
}
