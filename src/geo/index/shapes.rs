//! [`Shapes`]: areas of any kind, by the boxes around them.

use h3o::Resolution;
use rstar::{AABB, RTree, RTreeObject};

use super::cache::{CellCache, Sides};
use crate::geo::area::{Area, Circle, Extent, Relation};
use crate::geo::cell::{CellKey, FaceHint, HexGrid};
use crate::geo::point::{EARTH_RADIUS, Metres, Point};

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
    /// What the tree and the areas said of cells that were asked for.
    cache: CellCache,
    hint: FaceHint,
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
        self.forget(area);
        self.pending.extend(boxes(id, area));
    }

    /// The area must be the one that was added.
    pub(super) fn remove(&mut self, id: u32, area: &Area) {
        self.forget(area);
        self.settle();
        for boxed in boxes(id, area) {
            let removed = self.tree.remove(&boxed);
            assert!(removed.is_some(), "an area is in the tree with each of its boxes");
            self.removals += 1;
        }
    }

    /// Appends the areas that contain the point.
    pub(super) fn containing<'a>(
        &mut self,
        point: &Point,
        area_of: impl Fn(u32) -> &'a Area,
        found: &mut Vec<u32>,
    ) {
        let key = HexGrid::at(RESOLUTION).key(point, &mut self.hint);
        let append = |sides: &Sides, found: &mut Vec<u32>| {
            found.extend_from_slice(&sides.inner);
            let edge = sides.edge.iter().copied();
            found.extend(edge.filter(|id| area_of(*id).contains(point)));
        };
        if let Some(sides) = self.cache.get(point.at, key) {
            return append(sides, found);
        }
        let sides = self.sides(key, &area_of);
        append(&sides, found);
        self.cache.put(point.at, key, sides, self.cache_max());
    }

    fn cache_max(&self) -> usize {
        CACHE_MIN + CACHE_PER_AREA * self.tree.size()
    }

    fn sides<'a>(&mut self, key: CellKey, area_of: &impl Fn(u32) -> &'a Area) -> Sides {
        let grid = HexGrid::at(RESOLUTION);
        let center = grid.center(key).to_lat_lng();
        let cell = Circle::new(center.into(), Metres(grid.reach().0 + 0.01));
        let mut near = Vec::new();
        self.near(&Area::Circle(cell), &mut near);
        let (mut inner, mut edge) = (Vec::new(), Vec::new());
        for id in near {
            match area_of(id).relation(&cell) {
                Relation::Inside => inner.push(id),
                Relation::Mixed => edge.push(id),
                Relation::Outside => {}
            }
        }
        Sides { inner: inner.into(), edge: edge.into() }
    }

    fn forget(&mut self, area: &Area) {
        // Across a cell it is twice the reach from its centre.
        let reach = HexGrid::at(RESOLUTION).reach().0 * 2.1 / EARTH_RADIUS.0;
        for bounds in area.extent() {
            self.cache.forget(bounds, reach.to_degrees());
        }
    }

    /// Appends areas with a box that meets one of the boxes of the other area, each once.
    pub(super) fn near(&mut self, area: &Area, found: &mut Vec<u32>) {
        let before = found.len();
        area.extent().into_iter().for_each(|bounds| self.meeting(bounds, found));
        dedup(found, before);
    }

    fn meeting(&mut self, bounds: Extent, found: &mut Vec<u32>) {
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
    area.extent().into_iter().map(move |bounds| Boxed { id, bounds: envelope(bounds) })
}

fn envelope(bounds: Extent) -> AABB<[f64; 2]> {
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

/// Of the cells of the cache, 200 m from centre to corner.
const RESOLUTION: Resolution = Resolution::Nine;
/// How much the cache may hold, in ids of 4 bytes, and more for each box of an area.
const CACHE_MIN: usize = 4096;
const CACHE_PER_AREA: usize = 32;
/// Changes that a tree takes one by one, however small it is.
const REBUILD_MIN: usize = 64;

#[cfg(test)]
impl Shapes {
    /// The weight of the cache.
    pub(super) fn assert_invariants(&mut self, boxes: usize) -> usize {
        self.settle();
        assert_eq!(self.tree.size(), boxes, "each box is in the tree once");
        // Removals lower the bound, which is kept when the next cell comes.
        self.cache.assert_weight(self.cache_max() + CACHE_PER_AREA * self.removals);
        self.cache.weight()
    }
}
