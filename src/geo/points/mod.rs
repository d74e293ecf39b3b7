//! [`PointIndex`]: many points that move, and which of them are in an area or nearest to a place.
//!
//! Points are in the buckets of a [`tree`](Tree) of squares that follows how dense they are: a move
//! within its square changes one record, and the others are found without looking at empty space.
//! A grid of H3 cells would be as right, but one size of cell is too large for a crowd and too
//! small for an ocean, and its cells are not parts of one another.

mod bucket;
mod candidates;
mod square;
mod tree;

use std::f64::consts::PI;

use pulp::Arch;

use super::area::{Area, Circle};
use super::point::{FARTHEST, Metres, Point, UnitVector, chord_squared_of};
use bucket::{Band, Search};
use candidates::Candidates;
use square::Side;
use tree::{Leaf, Tree};

/// Points by number. Numbers are small and reused: the index of a slot that its owner keeps.
#[derive(Debug)]
pub(crate) struct PointIndex {
    tree: Tree,
    arch: Arch,
}

impl Default for PointIndex {
    fn default() -> Self {
        Self { tree: Tree::default(), arch: Arch::new() }
    }
}

impl PointIndex {
    /// Adds a point, or moves the one of that number.
    pub(crate) fn insert(&mut self, id: u32, point: Point) {
        self.tree.put(id, point);
    }

    /// Nothing where there is no such point.
    pub(crate) fn remove(&mut self, id: u32) {
        self.tree.remove(id);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Appends each point in the area once, in no order.
    pub(crate) fn within(&self, area: &Area, found: &mut Vec<u32>) {
        match area {
            Area::Empty => {}
            Area::Circle(circle) => self.within_circle(circle, found),
            // Parts may be far apart, with much between them.
            Area::Union(parts) => {
                let mut all = Vec::new();
                parts.iter().for_each(|part| self.within(part, &mut all));
                all.sort_unstable();
                all.dedup();
                found.append(&mut all);
            }
            Area::Polygons(_) | Area::Cells(_) | Area::Route(_) => {
                let Some((center, radius)) = area.cap() else { return };
                let mut near = Vec::new();
                self.within_circle(&Circle::new(center, radius), &mut near);
                found.extend(near.into_iter().filter(|id| area.contains(self.place_of(*id))));
            }
        }
    }

    /// The `count` points nearest to a place that `accepts` lets through, none farther than
    /// `within`, nearest first, equal distances by number. `accepts` is asked of a point at most
    /// once.
    pub(crate) fn nearest(
        &self,
        to: &Point,
        count: usize,
        within: Option<Metres>,
        mut accepts: impl FnMut(u32) -> bool,
    ) -> Vec<(u32, Metres)> {
        let limit = Circle::new(*to, within.unwrap_or(FARTHEST));
        let farthest = chord_of(&limit);
        let mut candidates = Candidates::new(count);
        let (mut before, mut chord) = (None, self.first_chord(to.unit, count).min(farthest));
        // Between one chord and the next, each point is seen once; up to the last, all were.
        loop {
            let is_last = chord >= farthest;
            let mut doubt = 0.0_f64;
            self.visit(to.unit, chord, |leaf, away| {
                let reach = leaf.reach;
                let leaf_doubt = Band::doubt(chord, reach);
                doubt = doubt.max(leaf_doubt);
                let limit_chord = candidates.limit() + leaf_doubt;
                if away - reach > limit_chord {
                    return;
                }
                let beyond = before.map_or(-1.0, |before| Band::of(before, reach).sure);
                let band = Band::of(chord, reach);
                let most = if is_last { band.near } else { band.sure };
                let most = most.min(Band::of(limit_chord, reach).near);
                let sure = (farthest - Band::doubt(farthest, reach)).max(0.0).powi(2);
                let search = Search::of(to.unit, leaf.center, reach);
                leaf.bucket.between(self.arch, search, (beyond, most), |id, square| {
                    let is_within =
                        f64::from(square) < sure || limit.contains(self.place_of(id).unit);
                    if is_within && accepts(id) {
                        candidates.push(id, square);
                    }
                });
                candidates.drop_far(doubt);
            });
            if is_last {
                candidates.near(doubt);
                return self.rank(to, count, candidates.all()).0;
            }
            if let Some(near) = candidates.near(doubt) {
                let (nearest, last) = self.rank(to, count, near);
                if last <= chord - 2.0 * doubt {
                    return nearest;
                }
            }
            (before, chord) = (Some(chord), (2.0 * chord).min(farthest));
        }
    }

    /// The nearest of the candidates, and the chord to the last of them.
    fn rank(
        &self,
        to: &Point,
        count: usize,
        candidates: &[(f32, u32)],
    ) -> (Vec<(u32, Metres)>, f64) {
        let exact = |(_, id): &(f32, u32)| {
            let place = self.place_of(*id);
            (to.unit.chord_squared(place.unit), *id)
        };
        let by_distance = |one: &(f64, u32), other: &(f64, u32)| {
            one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
        };
        let mut exact: Vec<(f64, u32)> = candidates.iter().map(exact).collect();
        if exact.len() > count {
            exact.select_nth_unstable_by(count, by_distance);
            exact.truncate(count);
        }
        exact.sort_unstable_by(by_distance);
        let last = exact.last().map_or(0.0, |(square, _)| square.sqrt());
        let distance = |(_, id): (f64, u32)| (id, to.distance(self.place_of(id)));
        (exact.into_iter().map(distance).collect(), last)
    }

    /// How far to look first, so that there are likely a few more than asked for.
    fn first_chord(&self, to: UnitVector, count: usize) -> f64 {
        let (square, len) = self.tree.surroundings(to);
        let as_number = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let wanted = 4.0 + 1.5 * as_number(count);
        square.angle() * (wanted / (PI * as_number(len.max(1)))).sqrt()
    }

    fn within_circle(&self, circle: &Circle, found: &mut Vec<u32>) {
        let center = circle.center.unit;
        let chord = chord_of(circle);
        self.visit(center, chord, |leaf, away| {
            if away + leaf.reach < chord * (1.0 - 1e-6) {
                found.extend(leaf.bucket.ids());
                return;
            }
            let (search, band) =
                (Search::of(center, leaf.center, leaf.reach), Band::of(chord, leaf.reach));
            let mut exact = |id| circle.contains(self.place_of(id).unit);
            leaf.bucket.within(self.arch, search, band, found, &mut exact);
        });
    }

    /// Visits each bucket that may have points within a chord of a place, with the chord to its
    /// centre.
    fn visit<'a>(&'a self, center: UnitVector, chord: f64, mut visit: impl FnMut(&'a Leaf, f64)) {
        for side in Side::ALL {
            let Some(view) = side.view(center, chord) else { continue };
            let Some(steps) = view.steps(chord) else { continue };
            self.tree.visit(side, &steps, &mut |leaf: &'a Leaf| {
                let away = center.chord_squared(leaf.center);
                let farthest = chord + leaf.reach;
                if away <= farthest * farthest {
                    visit(leaf, away.sqrt());
                }
            });
        }
    }

    fn place_of(&self, id: u32) -> &Point {
        &self.tree.place(id).expect("a point of a bucket has its place").point
    }
}

fn chord_of(circle: &Circle) -> f64 {
    chord_squared_of(circle.radius).sqrt()
}

#[cfg(test)]
mod tests;
