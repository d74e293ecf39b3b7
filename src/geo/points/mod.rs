//! [`PointIndex`]: many points that move, and which of them are in an area or nearest to a place.
//!
//! Points are in the buckets of a [`tree`](Tree) of squares that follows how dense they are: a move
//! within its square changes one record, and the others are found without looking at empty space.
//! A grid of H3 cells would be as right, but one size of cell is too large for a crowd and too small
//! for an ocean, and its cells are not parts of one another.

mod bucket;
mod square;
mod tree;

use std::f64::consts::PI;

use pulp::Arch;

use super::area::{Area, Circle};
use super::point::{FARTHEST, Metres, Point, UnitVector, chord_squared_of};
use bucket::{Band, Search};
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
        // Of candidates, squares of their rounded chords.
        let mut candidates: Vec<(f32, u32)> = Vec::with_capacity(8 + 2 * count.min(100));
        let (mut before, mut chord) = (None, self.first_chord(to.unit, count).min(farthest));
        // Between one chord and the next, each point is seen once; up to the last, all were.
        loop {
            let is_last = chord >= farthest;
            let mut doubt = 0.0_f64;
            self.visit(to.unit, chord, |leaf, _| {
                let reach = leaf.reach;
                doubt = doubt.max(Band::doubt(chord, reach));
                let beyond = before.map_or(-1.0, |before| Band::of(before, reach).sure);
                let band = Band::of(chord, reach);
                let most = if is_last { band.near } else { band.sure };
                let sure = (farthest - Band::doubt(farthest, reach)).max(0.0).powi(2);
                let search = Search::of(to.unit, leaf.center, reach);
                leaf.bucket.between(self.arch, search, (beyond, most), |id, square| {
                    let is_within =
                        f64::from(square) < sure || limit.contains(self.place_of(id).unit);
                    if is_within && accepts(id) {
                        candidates.push((square, id));
                    }
                });
            });
            let known = if is_last { f64::INFINITY } else { chord - 2.0 * doubt };
            if let Some(nearest) = self.choose(to, count, doubt, known, &mut candidates) {
                return nearest;
            }
            (before, chord) = (Some(chord), (2.0 * chord).min(farthest));
        }
    }

    /// The nearest of the candidates, if all up to the last of them are `known`: the chord up to
    /// which every point is a candidate.
    fn choose(
        &self,
        to: &Point,
        count: usize,
        doubt: f64,
        known: f64,
        candidates: &mut [(f32, u32)],
    ) -> Option<Vec<(u32, Metres)>> {
        let mut near = &*candidates;
        if candidates.len() > count {
            let by_square = |one: &(f32, u32), other: &(f32, u32)| one.0.total_cmp(&other.0);
            let (_, last, _) = candidates.select_nth_unstable_by(count, by_square);
            // Rounding may have put it before or after others.
            let most = (f64::from(last.0).sqrt() + doubt).powi(2);
            let len = partition(candidates, |one| f64::from(one.0) <= most);
            near = &candidates[..len];
        } else if candidates.len() < count && known.is_finite() {
            return None;
        }
        let exact = |(_, id): &(f32, u32)| {
            let place = self.place_of(*id);
            (to.unit.chord_squared(place.unit), *id)
        };
        let mut exact: Vec<(f64, u32)> = near.iter().map(exact).collect();
        exact.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        exact.truncate(count);
        let is_known = exact.last().is_none_or(|(square, _)| square.sqrt() <= known);
        let distance = |(_, id): (f64, u32)| (id, to.distance(self.place_of(id)));
        is_known.then(|| exact.into_iter().map(distance).collect())
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
        self.visit(center, chord, |leaf, is_inner| {
            if is_inner {
                found.extend(leaf.bucket.ids());
                return;
            }
            let (search, band) =
                (Search::of(center, leaf.center, leaf.reach), Band::of(chord, leaf.reach));
            let mut exact = |id| circle.contains(self.place_of(id).unit);
            leaf.bucket.within(self.arch, search, band, found, &mut exact);
        });
    }

    /// Visits each bucket that may have points within a chord of a place, with whether all its
    /// points are.
    fn visit<'a>(&'a self, center: UnitVector, chord: f64, mut visit: impl FnMut(&'a Leaf, bool)) {
        for side in Side::ALL {
            let Some(view) = side.view(center, chord) else { continue };
            let Some(steps) = view.steps(chord) else { continue };
            self.tree.visit(side, &steps, &mut |leaf: &'a Leaf| {
                let away = center.chord_squared(leaf.center);
                let farthest = chord + leaf.reach;
                if away <= farthest * farthest {
                    let is_inner = away.sqrt() + leaf.reach < chord * (1.0 - 1e-6);
                    visit(leaf, is_inner);
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

/// Moves those that pass to the front: how many there are.
fn partition<T>(all: &mut [T], passes: impl Fn(&T) -> bool) -> usize {
    let mut len = 0;
    for at in 0..all.len() {
        if passes(&all[at]) {
            all.swap(len, at);
            len += 1;
        }
    }
    len
}

#[cfg(test)]
mod tests;
