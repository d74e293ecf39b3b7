//! [`PointIndex`]: many points that move, and which of them are in an area or nearest to a place.
//! Each point is once in its own H3 cell of resolution 8, and a move within the cell changes one
//! record. Cells are found by where they are, never by way of other cells that hold points.

use std::collections::HashMap;

use h3o::Resolution;

use super::area::{Area, Circle};
use super::cell::{CellKey, Covered, FaceHint, HexGrid};
use super::point::{FARTHEST, Metres, Point, chord_squared_of};

/// Points by number. Numbers are small and reused: the index of a slot that its owner keeps.
#[derive(Debug)]
pub(crate) struct PointIndex {
    grid: &'static HexGrid,
    cells: HashMap<CellKey, Cell>,
    /// By number: where each point is.
    places: Vec<Option<InCell>>,
    len: usize,
    hint: FaceHint,
}

/// The points of one cell, in no order.
#[derive(Debug, Default)]
struct Cell {
    points: Vec<Point>,
    ids: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct InCell {
    key: CellKey,
    index: u32,
}

impl Default for PointIndex {
    fn default() -> Self {
        Self {
            grid: HexGrid::at(Resolution::Eight),
            cells: HashMap::new(),
            places: Vec::new(),
            len: 0,
            hint: FaceHint::default(),
        }
    }
}

impl PointIndex {
    /// Adds a point, or moves the one of that number.
    pub(crate) fn insert(&mut self, id: u32, point: Point) {
        let key = self.grid.key(&point, &mut self.hint);
        if let Some(place) = self.place(id) {
            if place.key == key {
                let cell = self.cells.get_mut(&key).expect("a point's cell is there");
                cell.points[place.index as usize] = point;
                return;
            }
            self.take_out(place);
            self.len -= 1;
        }
        let cell = self.cells.entry(key).or_default();
        let index = u32::try_from(cell.ids.len()).expect("numbers of points are 32 bits");
        cell.points.push(point);
        cell.ids.push(id);
        let slot = id as usize;
        if self.places.len() <= slot {
            self.places.resize(slot + 1, None);
        }
        self.places[slot] = Some(InCell { key, index });
        self.len += 1;
    }

    /// Nothing where there is no such point.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(place) = self.place(id) else { return };
        self.take_out(place);
        self.places[id as usize] = None;
        self.len -= 1;
        if self.len == 0 {
            // What once was large gives its memory back.
            (self.places, self.cells) = (Vec::new(), HashMap::new());
        }
    }

    pub(crate) fn point(&self, id: u32) -> Option<Point> {
        let place = self.place(id)?;
        Some(self.cells[&place.key].points[place.index as usize])
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends each point in the area once, in no order.
    pub(crate) fn within(&self, area: &Area, found: &mut Vec<u32>) {
        match area {
            Area::Circle(circle) => self.each_in(circle, |id, _, _| found.push(id)),
            area => {
                let Some((center, radius)) = area.cap() else { return };
                self.each_in(&Circle::new(center, radius), |id, point, _| {
                    if area.contains(point) {
                        found.push(id);
                    }
                });
            }
        }
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
        let most = Metres(within.unwrap_or(FARTHEST).0.min(FARTHEST.0));
        let mut radius = Metres(self.grid.reach().0.min(most.0));
        let mut found = Vec::new();
        // All points within a radius are seen: where there are enough, the nearest are among them.
        loop {
            found.clear();
            self.each_in(&Circle::new(*to, radius), |id, _, chord| {
                if accepts(id) {
                    found.push((id, chord));
                }
            });
            if found.len() >= count || radius >= most {
                break;
            }
            radius = Metres((radius.0 * 2.0).min(most.0));
        }
        let order = |one: &(u32, f64), other: &(u32, f64)| {
            one.1.total_cmp(&other.1).then(one.0.cmp(&other.0))
        };
        if found.len() > count {
            found.select_nth_unstable_by(count, order);
            found.truncate(count);
        }
        found.sort_unstable_by(order);
        let distance = |(id, _): &(u32, f64)| {
            let place = self.place(*id).expect("what was found is there");
            let point = &self.cells[&place.key].points[place.index as usize];
            (*id, to.distance(point))
        };
        found.iter().map(distance).collect()
    }

    /// Shows each point in a circle, with the square of its chord to the centre.
    fn each_in(&self, circle: &Circle, mut see: impl FnMut(u32, &Point, f64)) {
        let center = circle.center.unit;
        let mut look = |cell: &Cell, inner: bool| {
            for (id, point) in cell.ids.iter().zip(&cell.points) {
                if inner || circle.contains(point.unit) {
                    see(*id, point, center.chord_squared(point.unit));
                }
            }
        };
        let mut covered: Vec<Covered> = Vec::new();
        let worthwhile = self.cells.len().clamp(8, CELLS_LOOKED_UP);
        if self.grid.cover(circle, worthwhile, &mut covered) {
            for one in covered {
                if let Some(cell) = self.cells.get(&one.key) {
                    look(cell, one.inner);
                }
            }
            return;
        }
        let reach = Metres((circle.radius.0 + self.grid.reach().0).min(FARTHEST.0));
        let far = chord_squared_of(reach) * (1.0 + 1e-9);
        for (key, cell) in &self.cells {
            if circle.radius >= FARTHEST || self.grid.center(*key).chord_squared(center) <= far {
                look(cell, false);
            }
        }
    }

    fn place(&self, id: u32) -> Option<InCell> {
        self.places.get(id as usize).copied().flatten()
    }

    /// The last point of the cell takes the free place.
    fn take_out(&mut self, place: InCell) {
        let cell = self.cells.get_mut(&place.key).expect("a point's cell is there");
        let index = place.index as usize;
        cell.points.swap_remove(index);
        cell.ids.swap_remove(index);
        if let Some(moved) = cell.ids.get(index) {
            let moved = self.places[*moved as usize].as_mut().expect("a point has its place");
            moved.index = place.index;
        }
        if cell.ids.is_empty() {
            self.cells.remove(&place.key);
        }
    }
}

/// Cells that are looked up one by one at most; an area of more has all cells with points looked
/// at instead.
const CELLS_LOOKED_UP: usize = 16_384;

#[cfg(test)]
mod tests;
