//! [`CircleGrid`]: circles of about one size, by the cells of a hexagonal grid.

use std::collections::HashMap;

use h3o::Resolution;
use pulp::Arch;

use super::block::{Blocks, Units};
use crate::geo::area::Circle;
use crate::geo::cell::{CellKey, Covered, FaceHint, HexGrid};
use crate::geo::point::{Metres, Point};

/// Circles with radii up to a bound, each in every cell that it touches. The owner keeps the exact
/// circles and tells the old one when it changes.
#[derive(Debug)]
pub(super) struct CircleGrid {
    grid: &'static HexGrid,
    units: Units,
    cells: HashMap<CellKey, Cell>,
    hint: FaceHint,
    arch: Arch,
    old: Vec<Covered>,
    new: Vec<Covered>,
}

/// What is known of the circles that touch a cell.
#[derive(Debug, Default)]
struct Cell {
    /// Those that contain the whole cell.
    inner: Vec<u32>,
    /// Those whose edge may go through it.
    edge: Blocks,
}

impl CircleGrid {
    pub(super) fn new(resolution: Resolution) -> Self {
        let grid = HexGrid::at(resolution);
        let radius_max = Self::radius_max(resolution);
        // Neither a centre nor a place in a cell is farther from the cell's centre.
        let farthest = Metres(radius_max.0 + grid.reach().0);
        Self {
            units: Units::for_offsets_to(farthest),
            grid,
            cells: HashMap::new(),
            hint: FaceHint::default(),
            arch: Arch::new(),
            old: Vec::new(),
            new: Vec::new(),
        }
    }

    /// Radii up to this are held.
    pub(super) fn radius_max(resolution: Resolution) -> Metres {
        Metres(HexGrid::at(resolution).reach().0 * RADIUS_IN_REACHES)
    }

    /// Adds a circle (no `old`), removes one (no `new`) or changes one. Where the cells stay the
    /// same, as they mostly do for a circle that follows somebody, only offsets are written.
    pub(super) fn change(&mut self, id: u32, old: Option<&Circle>, new: Option<&Circle>) {
        let (mut old_cells, mut new_cells) =
            (std::mem::take(&mut self.old), std::mem::take(&mut self.new));
        self.cover(old, &mut old_cells);
        self.cover(new, &mut new_cells);
        let mut before = old_cells.iter().peekable();
        for covered in &new_cells {
            while let Some(gone) = before.next_if(|gone| gone.key < covered.key) {
                self.leave(id, gone);
            }
            let circle = new.expect("a circle covers the cells");
            match before.next_if(|same| same.key == covered.key) {
                Some(same) if same.inner && covered.inner => {}
                Some(same) if same.inner == covered.inner => {
                    let rounded = self.units.circle(circle, covered.center);
                    let cell = self.cells.get_mut(&covered.key).expect("it covers the cell");
                    cell.edge.write(id, rounded);
                }
                Some(same) => {
                    self.leave(id, same);
                    self.enter(id, circle, covered);
                }
                None => self.enter(id, circle, covered),
            }
        }
        before.for_each(|gone| self.leave(id, gone));
        (self.old, self.new) = (old_cells, new_cells);
    }

    /// Appends the circles that contain the point. `exact` tells of those that are too close to
    /// call.
    pub(super) fn matches(
        &mut self,
        point: &Point,
        found: &mut Vec<u32>,
        mut exact: impl FnMut(u32) -> bool,
    ) {
        if self.cells.is_empty() {
            return;
        }
        let key = self.grid.key(point, &mut self.hint);
        let Some(cell) = self.cells.get(&key) else { return };
        found.extend_from_slice(&cell.inner);
        if cell.edge.is_empty() {
            return;
        }
        let offset = self.units.offset(point.unit, self.grid.center(key));
        cell.edge.matches(self.arch, &self.units, offset, found, &mut exact);
    }

    /// Appends the circles that may meet the cap, some perhaps more than once.
    pub(super) fn near(&mut self, cap: &Circle, found: &mut Vec<u32>) {
        let mut cells = Vec::new();
        let most = CAP_CELLS.min(self.cells.len());
        // What a cap and a circle share lies in a cell that both touch.
        if self.grid.cover(cap, most, &mut cells) {
            let cells = cells.iter().filter_map(|covered| self.cells.get(&covered.key));
            cells.for_each(|cell| cell.all(found));
        } else {
            self.cells.values().for_each(|cell| cell.all(found));
        }
    }

    fn cover(&self, circle: Option<&Circle>, cells: &mut Vec<Covered>) {
        cells.clear();
        if let Some(circle) = circle {
            let whole = self.grid.cover(circle, usize::MAX, cells);
            assert!(whole, "radii are bounded, and so are the cells");
            cells.sort_unstable_by_key(|covered| covered.key);
        }
    }

    fn enter(&mut self, id: u32, circle: &Circle, covered: &Covered) {
        let cell = self.cells.entry(covered.key).or_default();
        if covered.inner {
            cell.inner.push(id);
        } else {
            cell.edge.push(id, self.units.circle(circle, covered.center));
        }
    }

    fn leave(&mut self, id: u32, covered: &Covered) {
        let cell = self.cells.get_mut(&covered.key).expect("a circle is in the cells it covers");
        if covered.inner {
            let at = cell.inner.iter().position(|one| *one == id);
            cell.inner.swap_remove(at.expect("a circle is in the cells it covers"));
        } else {
            cell.edge.remove(id);
        }
        if cell.inner.is_empty() && cell.edge.is_empty() {
            self.cells.remove(&covered.key);
        }
    }
}

impl Cell {
    fn all(&self, found: &mut Vec<u32>) {
        found.extend_from_slice(&self.inner);
        found.extend(self.edge.ids());
    }
}

/// The largest radius, in reaches of a cell: 5,032 m at resolution 7, where a circle of 2.5 km
/// touches a dozen cells and one of 5 km thirty.
const RADIUS_IN_REACHES: f64 = 3.25;
/// Cells of a cap that are looked up one by one.
const CAP_CELLS: usize = 1024;

#[cfg(test)]
impl CircleGrid {
    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn crowded(&self) -> usize {
        self.cells.values().filter(|cell| cell.edge.is_crowded()).count()
    }

    /// Every circle is once in each cell that it covers, and in no other.
    pub(super) fn assert_invariants(&self, circles: &std::collections::BTreeMap<u32, Circle>) {
        let mut expected: HashMap<(CellKey, u32), bool> = HashMap::new();
        for (id, circle) in circles {
            let mut cells = Vec::new();
            self.cover(Some(circle), &mut cells);
            for covered in cells {
                let again = expected.insert((covered.key, *id), covered.inner);
                assert_eq!(again, None, "a cell is covered once");
            }
        }
        for (key, cell) in &self.cells {
            cell.edge.assert_invariants();
            let inner = cell.inner.iter().map(|id| (*id, true));
            for (id, inner) in inner.chain(cell.edge.ids().map(|id| (id, false))) {
                assert_eq!(expected.remove(&(*key, id)), Some(inner), "{id} in {key:?}");
            }
        }
        assert_eq!(expected, HashMap::new(), "circles missing in cells");
    }
}
