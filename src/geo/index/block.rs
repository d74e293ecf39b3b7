//! [`Blocks`]: the circles whose edge goes through a cell, rounded, and tested eight at a time.
//!
//! A cell has a plane of its own: it touches the sphere at the cell's centre, and places are
//! projected on it at right angles. Offsets from the centre, and radii, are rounded to a unit that
//! makes the largest fit 16 bits. What rounding and the plane could decide either way, a narrow
//! band along the edge, is left to the exact circle.

use std::collections::HashMap;

use pulp::{Arch, Simd, WithSimd};

use crate::geo::area::Circle;
use crate::geo::cell::Axes;
use crate::geo::pack::{LANES, Pack, Plain};
use crate::geo::point::{EARTH_RADIUS, Metres, UnitVector, chord_squared_of};

/// Circles in blocks of eight; the last block may have empty lanes.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// Lanes in use; all before the first empty one.
    len: usize,
    /// Lanes by id where there are so many that a search would be felt: a crowd in one place whose
    /// circles move with it.
    lanes: Option<Box<Lanes>>,
}

/// Apart, so that it is one pointer in the many cells without a crowd.
#[derive(Debug)]
struct Lanes {
    by_id: HashMap<u32, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    x: [i16; LANES],
    y: [i16; LANES],
    radius: [i16; LANES],
    ids: [u32; LANES],
}

/// A circle as a cell sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rounded {
    x: i16,
    y: i16,
    radius: i16,
}

/// The unit of one grid, and how wide the band is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    /// Earth radii in units.
    scale: f64,
    /// How much shorter than the straight line between two places it can be on the plane.
    shortest: f32,
}

impl Units {
    /// For places up to `farthest` from the centres of cells.
    pub(super) fn for_offsets_to(farthest: Metres) -> Self {
        let sine = (farthest.0 / EARTH_RADIUS.0).sin();
        // On the way between two places, one unit on the plane goes along at most 1/cos on the
        // sphere.
        let shortest = (1.0 - sine * sine).sqrt();
        Self { scale: f64::from(UNITS) / sine, shortest: narrow(shortest) - 1e-6 }
    }

    /// From a cell's centre.
    pub(super) fn offset(&self, place: UnitVector, center: UnitVector) -> (f64, f64) {
        let (x, y) = Axes::at(center).offset(place);
        (x * self.scale, y * self.scale)
    }

    /// `center` is that of the cell.
    pub(super) fn circle(&self, circle: &Circle, center: UnitVector) -> Rounded {
        let (x, y) = self.offset(circle.center.unit, center);
        let radius = chord_squared_of(circle.radius).sqrt() * self.scale;
        Rounded { x: rounded(x), y: rounded(y), radius: rounded(radius) }
    }
}

impl Blocks {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.blocks.iter().flat_map(|block| block.ids).take(self.len)
    }

    pub(super) fn push(&mut self, id: u32, circle: Rounded) {
        if self.len == self.blocks.len() * LANES {
            // A quarter more instead of twice as much: most of the memory is here.
            if self.blocks.len() == self.blocks.capacity() {
                self.blocks.reserve_exact(1 + self.blocks.len() / 4);
            }
            self.blocks.push(EMPTY);
        }
        self.set(self.len, id, circle);
        self.len += 1;
        if let Some(lanes) = &mut self.lanes {
            lanes.by_id.insert(id, self.len - 1);
        } else if self.len > CROWD {
            self.lanes = Some(Box::new(Lanes { by_id: self.ids().zip(0..).collect() }));
        }
    }

    /// The circle must be there.
    pub(super) fn write(&mut self, id: u32, circle: Rounded) {
        let at = self.position(id);
        self.set(at, id, circle);
    }

    /// The circle must be there.
    pub(super) fn remove(&mut self, id: u32) {
        let (at, last) = (self.position(id), self.len - 1);
        let (block, lane) = (self.blocks[last / LANES], last % LANES);
        if let Some(lanes) = &mut self.lanes {
            lanes.by_id.insert(block.ids[lane], at);
            lanes.by_id.remove(&id);
        }
        if last < CROWD / 2 {
            self.lanes = None;
        }
        let moved = Rounded { x: block.x[lane], y: block.y[lane], radius: block.radius[lane] };
        self.set(at, block.ids[lane], moved);
        self.set(last, 0, NOWHERE);
        self.len = last;
        if last % LANES == 0 {
            self.blocks.pop();
            if self.blocks.len() * 2 < self.blocks.capacity() {
                self.blocks.shrink_to(self.blocks.len() + self.blocks.len() / 4);
            }
        }
    }

    /// Appends the circles that contain a place, which is told by its offset. `exact` decides for
    /// those that are too close to call.
    pub(super) fn matches(
        &self,
        arch: Arch,
        units: &Units,
        offset: (f64, f64),
        found: &mut Vec<u32>,
        exact: &mut impl FnMut(u32) -> bool,
    ) {
        let before = found.len();
        found.resize(before + self.blocks.len() * LANES, 0);
        let mut close = Vec::new();
        let plain = Scan {
            blocks: &self.blocks,
            x: narrow(offset.0),
            y: narrow(offset.1),
            shortest: units.shortest,
            found: &mut found[before..],
            close: &mut close,
            pack: Plain,
        };
        let sure = match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V3(pack) => Simd::vectorize(pack, plain.packed_by(pack)),
            _ => arch.dispatch(plain),
        };
        found.truncate(before + sure);
        found.extend(close.into_iter().filter(|id| exact(*id)));
    }

    fn position(&self, id: u32) -> usize {
        let at = match &self.lanes {
            Some(lanes) => lanes.by_id.get(&id).copied(),
            None => self.ids().position(|one| one == id),
        };
        at.expect("a circle is in the cells it covers")
    }

    fn set(&mut self, at: usize, id: u32, circle: Rounded) {
        let (block, lane) = (&mut self.blocks[at / LANES], at % LANES);
        block.x[lane] = circle.x;
        block.y[lane] = circle.y;
        block.radius[lane] = circle.radius;
        block.ids[lane] = id;
    }
}

/// The test of all circles of a cell, compiled for each kind of processor.
struct Scan<'a, P> {
    blocks: &'a [Block],
    x: f32,
    y: f32,
    shortest: f32,
    /// Room for every lane: ids that match are written to the front.
    found: &'a mut [u32],
    close: &'a mut Vec<u32>,
    pack: P,
}

impl<'a> Scan<'a, Plain> {
    #[cfg(target_arch = "x86_64")]
    fn packed_by<P: Pack>(self, pack: P) -> Scan<'a, P> {
        let Self { blocks, x, y, shortest, found, close, pack: Plain } = self;
        Scan { blocks, x, y, shortest, found, close, pack }
    }
}

impl<P: Pack> WithSimd for Scan<'_, P> {
    /// How many were found.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let mut len = 0;
        for block in self.blocks {
            let (sure, near) = block.test(self.x, self.y, self.shortest);
            // All are written, and those that do not match written over: a branch would be wrong
            // half of the time.
            let room = self.found[len..].first_chunk_mut().expect("room for every lane");
            *room = self.pack.to_front(block.ids, sure);
            len += sure.count_ones() as usize;
            if sure != near {
                let close = (0..LANES).filter(|lane| (sure ^ near) >> lane & 1 == 1);
                self.close.extend(close.map(|lane| block.ids[lane]));
            }
        }
        len
    }
}

impl Block {
    /// A bit per lane, whether the place is certainly in the circle, and whether it may be.
    #[inline(always)]
    fn test(&self, x: f32, y: f32, shortest: f32) -> (u8, u8) {
        let (mut sure, mut near) = (0, 0);
        for lane in 0..LANES {
            let (dx, dy) = (f32::from(self.x[lane]) - x, f32::from(self.y[lane]) - y);
            let away = dx * dx + dy * dy;
            let radius = f32::from(self.radius[lane]);
            let (least, most) = ((radius * shortest - BAND).max(0.0), radius + BAND);
            sure |= u8::from(away < least * least) << lane;
            near |= u8::from(away <= most * most) << lane;
        }
        (sure, near)
    }
}

/// Nearest, for offsets and radii that the units were made for.
fn rounded(number: f64) -> i16 {
    assert!(number.abs() <= f64::from(i16::MAX), "{number} units are too far off");
    #[expect(clippy::cast_possible_truncation, reason = "asserted just above")]
    let rounded = number.round() as i16;
    rounded
}

fn narrow(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the band covers the rounding")]
    let narrow = number as f32;
    narrow
}

/// Circles whose lanes are found by a search, of up to about 1 µs.
const CROWD: usize = 512;
/// Units to the farthest offset: all of 16 bits, but for the empty lanes'.
const UNITS: f32 = 32_000.0;
/// Units. An offset is up to 0.71 wrong, a radius 0.5, and the 32-bit computation on numbers up to
/// 46,000 up to 0.02.
const BAND: f32 = 1.5;
/// Farther from every place in the cell than a band.
const NOWHERE: Rounded = Rounded { x: i16::MAX, y: i16::MAX, radius: 0 };
const EMPTY: Block = Block {
    x: [NOWHERE.x; LANES],
    y: [NOWHERE.y; LANES],
    radius: [NOWHERE.radius; LANES],
    ids: [0; LANES],
};

#[cfg(test)]
impl Blocks {
    pub(super) fn assert_invariants(&self) {
        assert_eq!(self.blocks.len(), self.len.div_ceil(LANES), "no block is empty");
        let unused = self.blocks.iter().flat_map(|block| block.x).skip(self.len);
        assert!(unused.into_iter().all(|x| x == NOWHERE.x), "unused lanes are nowhere");
        if let Some(lanes) = &self.lanes {
            assert_eq!(lanes.by_id, self.ids().zip(0..).collect(), "each id has its lane");
        }
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.lanes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::numbers::Numbers;

    /// What is found, in order, and of what the exact test was asked.
    fn told(blocks: &Blocks, arch: Arch, offset: (f64, f64)) -> (Vec<u32>, Vec<u32>) {
        let (mut found, mut asked) = (vec![7], Vec::new());
        blocks.matches(arch, &units(), offset, &mut found, &mut |id| {
            asked.push(id);
            id.is_multiple_of(2)
        });
        (found, asked)
    }

    fn units() -> Units {
        Units::for_offsets_to(Metres(7_000.0))
    }

    fn hard_number(numbers: &mut Numbers) -> i16 {
        let ends = [i16::MIN, -i16::MAX, -32_000, -1, 0, 1, 32_000, i16::MAX];
        match numbers.below(3) {
            0 => ends[numbers.below(8) as usize],
            _ => rounded(numbers.share() * 65_534.0 - 32_767.0),
        }
    }

    #[test]
    fn every_processor_finds_the_same_circles() {
        let mut numbers = Numbers(11);
        let (mut sure, mut close) = (0, 0);
        for round in 0..20_000 {
            let mut blocks = Blocks::default();
            for id in 0..numbers.below(40) {
                let (x, y) = (hard_number(&mut numbers), hard_number(&mut numbers));
                blocks.push(id, Rounded { x, y, radius: hard_number(&mut numbers).max(0) });
            }
            let mut offset =
                (f64::from(hard_number(&mut numbers)), f64::from(hard_number(&mut numbers)));
            if let Some(block) = blocks.blocks.first() {
                // On one circle's edge, or on that of its band.
                let radius = f64::from(block.radius[0]);
                let shorter = radius * f64::from(units().shortest);
                let band = f64::from(BAND);
                let edges = [radius, radius + band, shorter - band, shorter];
                let away = edges[numbers.below(4) as usize];
                offset = match numbers.below(3) {
                    0 => offset,
                    1 => (f64::from(block.x[0]) + away, f64::from(block.y[0])),
                    _ => (f64::from(block.x[0]), f64::from(block.y[0]) - away),
                };
            }
            let plain = told(&blocks, Arch::Scalar, offset);
            assert_eq!(plain, told(&blocks, Arch::new(), offset), "round {round}");
            sure += plain.0.len() - 1;
            close += plain.1.len();
        }
        assert!(sure > 20_000 && close > 5_000, "{sure} found, {close} close");
    }
}
