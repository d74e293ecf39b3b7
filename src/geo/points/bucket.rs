//! [`Bucket`]: the points of one square, rounded, and tested eight at a time.
//!
//! A point is kept as how far it is from the square's centre along the three axes of space, in a
//! unit that makes the farthest fit 16 bits, so that there is little to read. What rounding could
//! decide either way is left to the exact place.

use pulp::{Arch, Simd, WithSimd};

use crate::geo::pack::{LANES, Pack, Plain};
use crate::geo::point::UnitVector;

/// Points in blocks of eight; the last block may have empty lanes.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    blocks: Vec<Block>,
    /// Lanes in use; all before the first empty one.
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    x: [i16; LANES],
    y: [i16; LANES],
    z: [i16; LANES],
    ids: [u32; LANES],
}

/// Where a point of a square is, in units from its centre.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offset {
    x: i16,
    y: i16,
    z: i16,
}

/// How a bucket is asked: from where, and up to which chords.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    x: f32,
    y: f32,
    z: f32,
    /// Square of the unit, in Earth radii.
    unit_squared: f32,
}

/// Squares of chords in units: certainly within the chord up to the first, and certainly not above
/// the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub(super) sure: f32,
    pub(super) near: f32,
}

impl Offset {
    /// `reach` is that of the square, which the place is in.
    pub(super) fn of(place: UnitVector, center: UnitVector, reach: f64) -> Self {
        let scale = UNITS / reach;
        let rounded = |length: f64| {
            // Casts round towards zero, and all that is cast is positive.
            #[expect(clippy::cast_possible_truncation, reason = "offsets are within the reach")]
            let whole = (length * scale + (UNITS + 1.5)) as i32;
            i16::try_from(whole - HALF).expect("no place is farther than the reach")
        };
        Self {
            x: rounded(place.x - center.x),
            y: rounded(place.y - center.y),
            z: rounded(place.z - center.z),
        }
    }
}

impl Search {
    /// From a place that may be anywhere. Center and reach are those of the square.
    pub(super) fn of(place: UnitVector, center: UnitVector, reach: f64) -> Self {
        let scale = UNITS / reach;
        Self {
            x: narrow((place.x - center.x) * scale),
            y: narrow((place.y - center.y) * scale),
            z: narrow((place.z - center.z) * scale),
            unit_squared: narrow(1.0 / (scale * scale)),
        }
    }
}

impl Band {
    pub(super) fn of(chord: f64, reach: f64) -> Self {
        let (doubt, scale) = (Self::doubt(chord, reach), UNITS / reach);
        let squared = |chord: f64| if chord > 0.0 { (chord * scale).powi(2) } else { -1.0 };
        let (sure, near) = (squared(chord - doubt), squared(chord + doubt));
        Self { sure: narrow(sure), near: narrow(near) }
    }

    /// Twice as much as a chord of that length may be longer or shorter than it looks.
    ///
    /// Each of the three parts of an offset is half a unit wrong, √3/2 units together. With
    /// u = 2⁻²⁴, the other end of a chord d is u(reach + d) wrong, differences are rounded by u d,
    /// and the sum of their squares and its conversion add less than 3u d: altogether below
    /// 2.7e-5 reach + 3e-7 d.
    pub(super) fn doubt(chord: f64, reach: f64) -> f64 {
        1e-6 * chord + 6e-5 * reach
    }
}

impl Bucket {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.blocks.iter().flat_map(|block| block.ids).take(self.len())
    }

    /// Which place it has.
    pub(super) fn push(&mut self, id: u32, offset: Offset) -> u32 {
        let at = self.len;
        if self.len() == self.blocks.len() * LANES {
            if self.blocks.len() == self.blocks.capacity() {
                // A quarter more instead of twice as much.
                self.blocks.reserve_exact(1 + self.blocks.len() / 4);
            }
            self.blocks.push(EMPTY);
        }
        self.len += 1;
        self.set(at, id, offset);
        at
    }

    pub(super) fn set(&mut self, at: u32, id: u32, offset: Offset) {
        let (block, lane) = (&mut self.blocks[at as usize / LANES], at as usize % LANES);
        (block.x[lane], block.y[lane], block.z[lane]) = (offset.x, offset.y, offset.z);
        block.ids[lane] = id;
    }

    /// The last point takes the free place, if it is another: its number.
    pub(super) fn swap_remove(&mut self, at: u32) -> Option<u32> {
        assert!(at < self.len, "a point is where it is said to be");
        let last = self.len - 1;
        let (block, lane) = (self.blocks[last as usize / LANES], last as usize % LANES);
        let offset = Offset { x: block.x[lane], y: block.y[lane], z: block.z[lane] };
        self.set(at, block.ids[lane], offset);
        self.set(last, 0, Offset::default());
        self.len = last;
        if (last as usize).is_multiple_of(LANES) {
            self.blocks.pop();
            if self.blocks.len() * 2 < self.blocks.capacity() {
                self.blocks.shrink_to(self.blocks.len() + self.blocks.len() / 4);
            }
        }
        (at != last).then(|| block.ids[lane])
    }

    /// Appends the points that are within of a place; `exact` decides for those that are too close
    /// to call.
    pub(super) fn within(
        &self,
        arch: Arch,
        search: Search,
        band: Band,
        found: &mut Vec<u32>,
        exact: &mut impl FnMut(u32) -> bool,
    ) {
        let before = found.len();
        found.resize(before + self.blocks.len() * LANES, 0);
        let mut close = Vec::new();
        let bucket = self;
        let room = &mut found[before..];
        let sure = match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V3(pack) => {
                let scan = Scan { bucket, search, band, found: room, close: &mut close, pack };
                Simd::vectorize(pack, scan)
            }
            _ => {
                let pack = Plain;
                arch.dispatch(Scan { bucket, search, band, found: room, close: &mut close, pack })
            }
        };
        found.truncate(before + sure);
        found.extend(close.into_iter().filter(|id| exact(*id)));
    }

    /// Shows points with the squares of their rounded chords, of those over `beyond` and up to
    /// `most`, which are squares in units as those of a [`Band`].
    pub(super) fn between(
        &self,
        arch: Arch,
        search: Search,
        (beyond, most): (f32, f32),
        see: impl FnMut(u32, f32),
    ) {
        let bucket = self;
        match arch {
            #[cfg(target_arch = "x86_64")]
            Arch::V3(pack) => {
                Simd::vectorize(pack, Measure { bucket, search, beyond, most, see, pack });
            }
            _ => {
                let pack = Plain;
                arch.dispatch(Measure { bucket, search, beyond, most, see, pack });
            }
        }
    }
}

struct Scan<'a, P> {
    bucket: &'a Bucket,
    search: Search,
    band: Band,
    /// Room for every lane: ids that match are written to the front.
    found: &'a mut [u32],
    close: &'a mut Vec<u32>,
    pack: P,
}

impl<P: Pack> WithSimd for Scan<'_, P> {
    /// How many were found.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let mut len = 0;
        for (block, used) in self.bucket.used() {
            let squares = block.squares(self.search);
            let sure = self.pack.at_most(squares, self.band.sure) & used;
            let near = self.pack.at_most(squares, self.band.near) & used;
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

struct Measure<'a, F, P> {
    bucket: &'a Bucket,
    search: Search,
    beyond: f32,
    most: f32,
    see: F,
    pack: P,
}

impl<F: FnMut(u32, f32), P: Pack> WithSimd for Measure<'_, F, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        for (block, used) in self.bucket.used() {
            let squares = block.squares(self.search);
            let before = self.pack.at_most(squares, self.beyond);
            let mut bits = self.pack.at_most(squares, self.most) & !before & used;
            while bits != 0 {
                let lane = bits.trailing_zeros() as usize;
                (self.see)(block.ids[lane], squares[lane] * self.search.unit_squared);
                bits &= bits - 1;
            }
        }
    }
}

impl Bucket {
    /// Blocks, and a bit for each lane that is in use.
    #[inline(always)]
    fn used(&self) -> impl Iterator<Item = (&Block, u8)> {
        let mut left = self.len();
        self.blocks.iter().map(move |block| {
            let lanes = left.min(LANES);
            left -= lanes;
            (block, u8::MAX >> (LANES - lanes))
        })
    }
}

impl Block {
    /// Squares of the chords to a place, in units.
    #[inline(always)]
    fn squares(&self, from: Search) -> [f32; LANES] {
        let mut squares = [0.0; LANES];
        for (lane, square) in squares.iter_mut().enumerate() {
            let x = f32::from(self.x[lane]) - from.x;
            let y = f32::from(self.y[lane]) - from.y;
            let z = f32::from(self.z[lane]) - from.z;
            *square = x * x + y * y + z * z;
        }
        squares
    }
}

fn narrow(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the band covers the rounding")]
    let narrow = number as f32;
    narrow
}

/// As many as the reach has.
const UNITS: f64 = 32_766.0;
/// Added to whole units to make all of them positive.
const HALF: i32 = 32_767;
const EMPTY: Block = Block { x: [0; LANES], y: [0; LANES], z: [0; LANES], ids: [0; LANES] };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::numbers::Numbers;

    /// What is found, in order, of what the exact test was asked, and what measuring shows, in bits.
    type Told = (Vec<u32>, Vec<u32>, Vec<(u32, u32)>);

    fn told(bucket: &Bucket, arch: Arch, search: Search, band: Band) -> Told {
        let (mut found, mut asked, mut shown) = (vec![7], Vec::new(), Vec::new());
        bucket.within(arch, search, band, &mut found, &mut |id| {
            asked.push(id);
            id.is_multiple_of(2)
        });
        bucket.between(arch, search, (band.sure, band.near), |id, square| {
            shown.push((id, square.to_bits()));
        });
        (found, asked, shown)
    }

    fn hard_number(numbers: &mut Numbers) -> i16 {
        let ends = [i16::MIN, -i16::MAX, -1, 0, 1, i16::MAX];
        match numbers.below(3) {
            0 => ends[numbers.below(6) as usize],
            _ => u16::try_from(numbers.below(65_536)).unwrap().cast_signed(),
        }
    }

    #[test]
    fn every_processor_finds_the_same_points() {
        let mut numbers = Numbers(12);
        let (mut sure, mut close) = (0, 0);
        for round in 0..20_000 {
            let mut bucket = Bucket::default();
            for id in 0..numbers.below(40) {
                let mut next = || hard_number(&mut numbers);
                bucket.push(id, Offset { x: next(), y: next(), z: next() });
            }
            let mut next = || f32::from(hard_number(&mut numbers));
            let search = Search { x: next(), y: next(), z: next(), unit_squared: 1.7e-9 };
            // Up to exactly the squares of points that are there, and of none.
            let squares: Vec<f32> =
                bucket.blocks.iter().flat_map(|block| block.squares(search)).collect();
            let mut bound = || match numbers.below(8) {
                0 => -1.0,
                1 => f32::INFINITY,
                one => squares.get(one as usize * 5 - 10).copied().unwrap_or(0.0),
            };
            let (one, other) = (bound(), bound());
            let band = Band { sure: one.min(other), near: one.max(other) };
            let plain = told(&bucket, Arch::Scalar, search, band);
            assert_eq!(plain, told(&bucket, Arch::new(), search, band), "round {round}");
            sure += plain.0.len() - 1;
            close += plain.2.len();
        }
        assert!(sure > 20_000 && close > 20_000, "{sure} found, {close} between");
    }
}
