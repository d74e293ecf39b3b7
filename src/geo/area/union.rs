//! Areas of parts: those of one kind are one part, so that it is indexed as a whole.

use super::Area;
use super::polygon::Polygons;
use super::route::Route;
use crate::geo::point::Metres;

impl Area {
    /// Every part together; the first one says where the centre is.
    pub(crate) fn union(parts: Vec<Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        let (mut polygons, mut lines) = (Gathered::default(), Gathered::default());
        for part in flat(parts) {
            match part {
                Self::Polygons(part) => polygons.add(part, &mut kept),
                Self::Route(part) if part.half_width == Metres(0.0) => lines.add(part, &mut kept),
                part => kept.push(part),
            }
        }
        polygons.put(&mut kept, |parts| Self::Polygons(Polygons::joined(parts)));
        lines.put(&mut kept, |parts| Self::Route(Route::joined(parts)));
        Self::Union(kept)
    }
}

/// Parts without parts.
fn flat(parts: Vec<Area>) -> Vec<Area> {
    let flat = parts.into_iter().flat_map(|part| match part {
        Area::Union(parts) => flat(parts),
        Area::Empty => Vec::new(),
        part => vec![part],
    });
    flat.collect()
}

/// Parts of one kind, and the place of the first among all.
struct Gathered<T> {
    at: usize,
    parts: Vec<T>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self { at: 0, parts: Vec::new() }
    }
}

impl<T> Gathered<T> {
    fn add(&mut self, part: T, kept: &mut Vec<Area>) {
        if self.parts.is_empty() {
            self.at = kept.len();
            kept.push(Area::Empty);
        }
        self.parts.push(part);
    }

    fn put(self, kept: &mut [Area], join: impl Fn(Vec<T>) -> Area) {
        if !self.parts.is_empty() {
            kept[self.at] = join(self.parts);
        }
    }
}
