//! [`Shapes`]: areas of any kind, by the boxes around them.

use rstar::{AABB, RTree, RTreeObject};

use super::extent::{Bounds, extent};
use crate::geo::area::Area;
use crate::geo::point::LatLng;

/// Boxes of areas. The owner keeps the areas, tests them exactly, and tells the old one when one
/// changes.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    tree: RTree<Boxed>,
    /// Added since the last look, not yet in the tree: many at once are built into a better tree
    /// than one by one, and faster.
    pending: Vec<Boxed>,
    /// Removals since the tree was built. It never joins underfull nodes, so that many removals
    /// leave it hollow.
    removals: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Boxed {
    id: u32,
    bounds: AABB<[f64; 2]>,
}

impl RTreeObject for Boxed {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.bounds
    }
}

impl Shapes {
    pub(super) fn is_empty(&self) -> bool {
        self.tree.size() == 0 && self.pending.is_empty()
    }

    pub(super) fn add(&mut self, id: u32, area: &Area) {
        self.pending.extend(boxes(id, area));
    }

    /// The area must be the one that was added.
    pub(super) fn remove(&mut self, id: u32, area: &Area) {
        self.settle();
        for boxed in boxes(id, area) {
            let removed = self.tree.remove(&boxed);
            assert!(removed.is_some(), "an area is in the tree with each of its boxes");
            self.removals += 1;
        }
    }

    /// Appends areas with a box around the place, each once.
    pub(super) fn around(&mut self, at: LatLng, found: &mut Vec<u32>) {
        self.meeting(Bounds::of(at), found);
    }

    /// Appends areas with a box that meets one of the boxes of the other area, each once.
    pub(super) fn near(&mut self, area: &Area, found: &mut Vec<u32>) {
        let before = found.len();
        extent(area).into_iter().for_each(|bounds| self.meeting(bounds, found));
        dedup(found, before);
    }

    fn meeting(&mut self, bounds: Bounds, found: &mut Vec<u32>) {
        self.settle();
        let before = found.len();
        let hits = self.tree.locate_in_envelope_intersecting(envelope(bounds));
        found.extend(hits.map(|boxed| boxed.id));
        dedup(found, before);
    }

    /// Brings the tree up to date.
    fn settle(&mut self) {
        let hollow = self.removals > REBUILD_MIN.max(self.tree.size());
        if hollow || self.pending.len() > REBUILD_MIN.max(self.tree.size() / 4) {
            let mut all: Vec<Boxed> = self.tree.drain().collect();
            all.append(&mut self.pending);
            self.tree = RTree::bulk_load(all);
            self.removals = 0;
        }
        self.pending.drain(..).for_each(|boxed| self.tree.insert(boxed));
    }
}

fn boxes(id: u32, area: &Area) -> impl Iterator<Item = Boxed> {
    extent(area).into_iter().map(move |bounds| Boxed { id, bounds: envelope(bounds) })
}

fn envelope(bounds: Bounds) -> AABB<[f64; 2]> {
    AABB::from_corners([bounds.west, bounds.south], [bounds.east, bounds.north])
}

/// Of what was appended to the first `before`, keeps one of each.
fn dedup(found: &mut Vec<u32>, before: usize) {
    found[before..].sort_unstable();
    let mut last = None;
    let mut at = 0;
    found.retain(|id| {
        let keep = at < before || last != Some(*id);
        at += 1;
        last = Some(*id);
        keep
    });
}

/// Changes that a tree takes one by one, however small it is.
const REBUILD_MIN: usize = 64;
