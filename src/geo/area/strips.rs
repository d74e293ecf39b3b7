//! [`Strips`]: numbered ranges of longitude by strips, so that a place looks at a few of them.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strips {
    west: f64,
    per_degree: f64,
    /// Where each strip's numbers begin in `numbers`, and the end.
    starts: Box<[u32]>,
    numbers: Box<[u32]>,
}

impl Strips {
    /// Of ranges between two longitudes; of what is beyond, the last strip has it. A number may
    /// have more than one range.
    pub(super) fn new(ranges: &[(u32, f64, f64)], west: f64, east: f64) -> Self {
        let width = (east - west).max(f64::MIN_POSITIVE);
        let mut count = ranges.len().div_ceil(2).clamp(1, STRIPS);
        let per_degree = |count: usize| (f64_of(count) / width).min(1e300);
        let strips_of = |count: usize, low: f64, high: f64| {
            let first = index(per_degree(count), low - west, count);
            first..=index(per_degree(count), high - west, count)
        };
        // Long ranges are in many strips: fewer strips, and the memory is bounded.
        let all = |count: usize| -> usize {
            let of = |(_, low, high): &(u32, f64, f64)| strips_of(count, *low, *high).count();
            ranges.iter().map(of).sum()
        };
        while count > 1 && all(count) > NUMBERS * ranges.len() {
            count /= 2;
        }
        let mut strips = vec![Vec::new(); count];
        for (number, low, high) in ranges {
            for strip in &mut strips[strips_of(count, *low, *high)] {
                strip.push(*number);
            }
        }
        let mut starts = Vec::with_capacity(count + 1);
        let mut numbers = Vec::new();
        for mut strip in strips {
            strip.dedup();
            starts.push(u32_of(numbers.len()));
            numbers.extend(strip);
        }
        starts.push(u32_of(numbers.len()));
        let (starts, numbers) = (starts.into(), numbers.into());
        Self { west, per_degree: per_degree(count), starts, numbers }
    }

    /// Numbers of the ranges that have a longitude, and of others.
    pub(super) fn at(&self, lng: f64) -> &[u32] {
        let strip = index(self.per_degree, lng - self.west, self.starts.len() - 1);
        &self.numbers[self.starts[strip] as usize..self.starts[strip + 1] as usize]
    }
}

/// Monotone in `x`, so that a place and the ranges over it meet in one strip.
fn index(per_degree: f64, x: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast of a float saturates, and the minimum bounds it"
    )]
    let strip = (x * per_degree) as usize;
    strip.min(count - 1)
}

pub(super) fn u32_of(count: usize) -> u32 {
    u32::try_from(count).expect("the vertices of an area are bounded")
}

fn f64_of(count: usize) -> f64 {
    f64::from(u32_of(count))
}

/// Most strips.
const STRIPS: usize = 4096;
/// Strips that a range is in, on average, at most.
const NUMBERS: usize = 6;
