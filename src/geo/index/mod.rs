//! [`AreaIndex`]: many areas, and which of them a place is in.
//!
//! Circles lie in hexagonal grids, each in one whose cells are about its size; of other areas a
//! tree knows the boxes. Whatever these say, the exact area decides: the result is that of asking
//! every area.

mod block;
mod cache;
mod circles;
mod shapes;

use std::collections::HashMap;
use std::sync::Arc;

use h3o::Resolution;

use self::circles::CircleGrid;
use self::shapes::Shapes;
use super::area::{Area, Circle, Place, Purse};
use super::point::Point;

/// Areas by number. Numbers are small and reused: the index of a slot that its owner keeps.
#[derive(Debug, Default)]
pub(crate) struct AreaIndex {
    areas: Vec<Option<Arc<Area>>>,
    /// By [`RESOLUTIONS`]; made when the first circle comes.
    grids: [Option<Box<CircleGrid>>; RESOLUTIONS.len()],
    /// Circles that are too large for every grid. Each is a good part of the Earth, so that asking
    /// them all costs little more than what is found.
    wide: HashMap<u32, Circle>,
    /// Made when the first comes: many channels have none.
    shapes: Option<Box<Shapes>>,
}

/// Where an area is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept<'a> {
    Nowhere,
    /// The place of the grid in [`RESOLUTIONS`].
    Grid(usize, &'a Circle),
    Wide(&'a Circle),
    Shapes(&'a Area),
}

impl AreaIndex {
    /// Adds an area, or replaces the one of that number.
    pub(crate) fn insert(&mut self, id: u32, area: Arc<Area>) {
        let at = slot(id);
        if self.areas.len() <= at {
            self.areas.resize(at + 1, None);
        }
        let old = self.areas[at].replace(area.clone());
        self.change(id, old.as_deref(), Some(&area));
    }

    /// Nothing where there is no such area.
    pub(crate) fn remove(&mut self, id: u32) {
        if let Some(old) = self.areas.get_mut(slot(id)).and_then(Option::take) {
            self.change(id, Some(&old), None);
        }
    }

    /// Appends each area that contains (or, for a shape, meets) the place once, in no order.
    pub(crate) fn matches(&mut self, place: &Place, found: &mut Vec<u32>) {
        match &place.shape {
            None => self.containing(&place.at, found),
            Some(shape) => self.meeting(shape, found),
        }
    }

    fn containing(&mut self, point: &Point, found: &mut Vec<u32>) {
        let areas = &self.areas;
        let contains = |id| areas[slot(id)].as_ref().is_some_and(|area| area.contains(point));
        for grid in self.grids.iter_mut().flatten() {
            grid.matches(point, found, contains);
        }
        let wide = self.wide.iter().filter(|(_, circle)| circle.contains(point.unit));
        found.extend(wide.map(|(id, _)| *id));
        if let Some(shapes) = self.shapes.as_mut().filter(|shapes| !shapes.is_empty()) {
            let area_of = |id| &**areas[slot(id)].as_ref().expect("what is indexed is there");
            shapes.containing(point, area_of, found);
        }
    }

    fn meeting(&mut self, shape: &Area, found: &mut Vec<u32>) {
        let mut near = self.near(shape);
        let mut purse = Purse::default();
        let areas = &self.areas;
        near.retain(|id| {
            let area = areas[slot(*id)].as_ref();
            area.is_some_and(|area| area.meets_for(shape, &mut purse))
        });
        found.append(&mut near);
    }

    /// All areas that may meet the shape, each once.
    fn near(&mut self, shape: &Area) -> Vec<u32> {
        let mut near = Vec::new();
        if let Some((center, radius)) = shape.cap() {
            let cap = Circle::new(center, radius);
            self.grids.iter_mut().flatten().for_each(|grid| grid.near(&cap, &mut near));
            near.extend(self.wide.keys());
            if let Some(shapes) = &mut self.shapes {
                shapes.near(shape, &mut near);
            }
            near.sort_unstable();
            near.dedup();
        }
        near
    }

    fn change(&mut self, id: u32, old: Option<&Area>, new: Option<&Area>) {
        let (before, after) = (Kept::of(old), Kept::of(new));
        if let (Kept::Grid(from, old), Kept::Grid(to, new)) = (before, after)
            && from == to
        {
            return self.grid(to).change(id, Some(old), Some(new));
        }
        match before {
            Kept::Nowhere => {}
            Kept::Grid(grid, circle) => self.grid(grid).change(id, Some(circle), None),
            Kept::Wide(_) => {
                self.wide.remove(&id);
            }
            Kept::Shapes(area) => self.shapes.get_or_insert_default().remove(id, area),
        }
        match after {
            Kept::Nowhere => {}
            Kept::Grid(grid, circle) => self.grid(grid).change(id, None, Some(circle)),
            Kept::Wide(circle) => {
                self.wide.insert(id, *circle);
            }
            Kept::Shapes(area) => self.shapes.get_or_insert_default().add(id, area),
        }
    }

    fn grid(&mut self, grid: usize) -> &mut CircleGrid {
        self.grids[grid].get_or_insert_with(|| Box::new(CircleGrid::new(RESOLUTIONS[grid])))
    }
}

impl<'a> Kept<'a> {
    fn of(area: Option<&'a Area>) -> Self {
        match area {
            None | Some(Area::Empty) => Self::Nowhere,
            Some(Area::Circle(circle)) => {
                let fits = |resolution| circle.radius <= CircleGrid::radius_max(resolution);
                match RESOLUTIONS.iter().position(|resolution| fits(*resolution)) {
                    Some(grid) => Self::Grid(grid, circle),
                    None => Self::Wide(circle),
                }
            }
            Some(area) => Self::Shapes(area),
        }
    }
}

fn slot(id: u32) -> usize {
    usize::try_from(id).expect("addresses have 32 bits or more")
}

/// Of the grids that circles lie in: radii up to 5 km, 35 km, 246 km and 1,726 km.
const RESOLUTIONS: [Resolution; 4] =
    [Resolution::Seven, Resolution::Five, Resolution::Three, Resolution::One];

#[cfg(test)]
mod tests;
