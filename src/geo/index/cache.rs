//! [`CellCache`]: for small cells that were asked for, the shapes that contain them and those whose
//! edge may go through them.

use std::collections::HashMap;

use crate::geo::area::Extent;
use crate::geo::cell::CellKey;
use crate::geo::point::LatLng;

/// Cells by the tile of degrees of the place that was asked for, so that all near a change are
/// dropped together. A cell over a border of tiles may be in both.
#[derive(Debug, Default)]
pub(super) struct CellCache {
    tiles: HashMap<Tile, HashMap<CellKey, Sides>>,
    /// Of all cells together, in ids.
    weight: usize,
}

/// The shapes of a cell.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// Those that contain the whole cell.
    pub(super) inner: Box<[u32]>,
    /// Those of which some place of the cell may be, and some not.
    pub(super) edge: Box<[u32]>,
}

/// Numbers of a row from the south pole and of a column from the antimeridian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    row: u16,
    column: u16,
}

impl CellCache {
    pub(super) fn get(&self, at: LatLng, key: CellKey) -> Option<&Sides> {
        self.tiles.get(&Tile::of(at))?.get(&key)
    }

    /// Keeps a cell. Other tiles are dropped until all that is kept weighs `most` or less; what
    /// alone weighs more is not kept.
    pub(super) fn put(&mut self, at: LatLng, key: CellKey, sides: Sides, most: usize) {
        let tile = Tile::of(at);
        while self.weight + sides.weight() > most {
            let other = self.tiles.keys().find(|other| **other != tile).copied();
            let Some(dropped) = other.or_else(|| self.tiles.keys().next().copied()) else { return };
            self.drop_tile(dropped);
        }
        self.weight += sides.weight();
        let replaced = self.tiles.entry(tile).or_default().insert(key, sides);
        self.weight -= replaced.map_or(0, |sides| sides.weight());
    }

    /// Drops every cell with a place in the box, if no place of a cell is farther than `reach`
    /// degrees from another, and perhaps more.
    pub(super) fn forget(&mut self, bounds: Extent, reach: f64) {
        if self.tiles.is_empty() {
            return;
        }
        let (south, north) = (bounds.south - reach, bounds.north + reach);
        // Meridians meet at the poles: there a cell may be as wide as the box around it.
        let farthest = south.abs().max(north.abs());
        let wide = if farthest > 89.0 { 360.0 } else { reach / farthest.to_radians().cos() };
        let (west, east) = (bounds.west - wide, bounds.east + wide);
        let (rows, columns) = (row(south)..=row(north), column(west)..=column(east));
        // A box that goes over the antimeridian comes in two parts; what is added to it does not.
        let over = (west < -180.0).then(|| column(west + 360.0));
        let under = (east > 180.0).then(|| column(east - 360.0));
        let is_near = |tile: &Tile| {
            let beyond = over.is_some_and(|from| tile.column >= from)
                || under.is_some_and(|to| tile.column <= to);
            rows.contains(&tile.row) && (columns.contains(&tile.column) || beyond)
        };
        let near: Vec<Tile> = self.tiles.keys().filter(|tile| is_near(tile)).copied().collect();
        near.into_iter().for_each(|tile| self.drop_tile(tile));
    }

    fn drop_tile(&mut self, tile: Tile) {
        let dropped = self.tiles.remove(&tile).into_iter().flatten();
        self.weight -= dropped.map(|(_, sides)| sides.weight()).sum::<usize>();
    }
}

impl Sides {
    fn weight(&self) -> usize {
        CELL_WEIGHT + self.inner.len() + self.edge.len()
    }
}

impl Tile {
    fn of(at: LatLng) -> Self {
        Self { row: row(at.lat()), column: column(at.lng()) }
    }
}

fn row(lat: f64) -> u16 {
    tile(lat + 90.0, 180.0)
}

fn column(lng: f64) -> u16 {
    tile(lng + 180.0, 360.0)
}

fn tile(degrees: f64, most: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2880")]
    let tile = (degrees.clamp(0.0, most) * TILES_PER_DEGREE) as u16;
    tile
}

/// Tiles are at most 14 km wide.
const TILES_PER_DEGREE: f64 = 8.0;
/// Of a cell without shapes, in ids: key, headers and room in the table.
const CELL_WEIGHT: usize = 20;

#[cfg(test)]
impl CellCache {
    pub(super) fn assert_weight(&self, most: usize) {
        let cells = self.tiles.values().flat_map(HashMap::values);
        assert_eq!(self.weight, cells.map(Sides::weight).sum::<usize>());
        assert!(self.weight <= most, "{} is over {most}", self.weight);
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }
}
