//! Deltas in the format of Fossil (<https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki>),
//! which released SDKs apply: `<target bytes>\n`, then copies `<bytes>@<offset>,` from the base and
//! insertions `<bytes>:<data>`, then `<checksum>;`. Numbers are in base 64.
//!
//! Equal parts are found as rsync and Fossil find them, by a rolling hash over blocks of the base,
//! so a part that moved is copied as well. First of all a place is compared with where the last
//! copy would go on: changes in place, the most frequent, need no search, and the one true copy
//! wins over look-alikes in documents that repeat themselves.

use crate::base::limits;

/// Bytes of a block, as in Fossil: the shortest part of the base that is found.
const BLOCK: usize = 16;
/// Blocks of one hash that are looked at for one place.
const CANDIDATES: usize = 16;

/// How `target` is made of `base`; `None` where that takes no fewer bytes than `target` itself, or
/// where one of them exceeds [`limits::DELTA_BYTES`]. The patch of a text is a text: no insertion
/// begins or ends within a character.
pub(crate) fn patch(base: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if base.len() > limits::DELTA_BYTES || target.len() > limits::DELTA_BYTES {
        return None;
    }
    let mut writer = Writer::new(target);
    let index = Index::new(base);
    let is_text = simdutf8::basic::from_utf8(target).is_ok();
    let mut search = Search { base, target, is_text, index, probes: base.len() + target.len() };
    // What lies before `done` is written; `shift` leads from the target to the last copy's source.
    let (mut done, mut at, mut shift) = (0, 0, 0);
    let mut hash = search.hash_at(0);
    while let Some(rolling) = hash {
        let Some(copy) = search.find(rolling, done, at, shift) else {
            hash = search.roll(rolling, at);
            at += 1;
            continue;
        };
        writer.insert(done, copy.target);
        writer.copy(&copy);
        if writer.out.len() >= target.len() {
            return None;
        }
        done = copy.target + copy.bytes;
        at = done;
        // Wraps where the source lies before the target: it is added with a wrap, too.
        shift = copy.base.wrapping_sub(copy.target);
        hash = search.hash_at(at);
    }
    writer.insert(done, target.len());
    let patch = writer.finish();
    (patch.len() < target.len()).then_some(patch)
}

/// A part of the base that the target repeats.
#[derive(Clone, Copy, Debug)]
struct Copied {
    base: usize,
    target: usize,
    bytes: usize,
}

// === Search ===

struct Search<'a> {
    base: &'a [u8],
    target: &'a [u8],
    is_text: bool,
    index: Index,
    /// Candidates that may still be looked at: the work is bounded whatever the data.
    probes: usize,
}

/// Blocks of the base by their hash.
struct Index {
    /// The last block of each bucket, plus one; 0 for none.
    heads: Vec<u32>,
    /// The block before in the same bucket, likewise.
    before: Vec<u32>,
    shift: u32,
}

impl Index {
    fn new(base: &[u8]) -> Self {
        let blocks = base.len() / BLOCK;
        let bits = (blocks.next_power_of_two() * 2).trailing_zeros();
        let mut index =
            Self { heads: vec![0; 1 << bits], before: vec![0; blocks], shift: 32 - bits };
        // Equal blocks in a row, such as zeros or spaces, are one candidate, not many.
        let mut last: &[u8] = &[];
        for (block, number) in base.chunks_exact(BLOCK).zip(1_u32..) {
            if block != last {
                let bucket = index.bucket(hash_of(block));
                index.before[number as usize - 1] = index.heads[bucket];
                index.heads[bucket] = number;
            }
            last = block;
        }
        index
    }

    fn bucket(&self, hash: u32) -> usize {
        // The high bits of the product depend on all bits of the hash.
        (hash.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    /// Offsets in the base of blocks whose hash falls in the bucket of this one, last first.
    fn blocks(&self, hash: u32) -> impl Iterator<Item = usize> {
        let first = self.heads[self.bucket(hash)];
        let numbers = std::iter::successors(Some(first), |&number| {
            self.before.get((number as usize).wrapping_sub(1)).copied()
        });
        numbers.take_while(|&number| number > 0).map(|number| (number as usize - 1) * BLOCK)
    }
}

/// Of the weights of a block's bytes: `WEIGHT` to the power of their distance from its end.
const WEIGHT: u32 = 0x0100_0193;
const FIRST_WEIGHT: u32 = WEIGHT.wrapping_pow(15);
const _: () = assert!(BLOCK == 16, "the first byte of a block is 15 from its end");

fn hash_of(block: &[u8]) -> u32 {
    block.iter().fold(0, |hash: u32, &byte| hash.wrapping_mul(WEIGHT).wrapping_add(u32::from(byte)))
}

impl Search<'_> {
    /// The hash of the block of the target that begins at `at`, if one does.
    fn hash_at(&self, at: usize) -> Option<u32> {
        self.target.get(at..at + BLOCK).map(hash_of)
    }

    /// The hash of the next block, after that at `at`.
    fn roll(&self, hash: u32, at: usize) -> Option<u32> {
        let (out, next) = (self.target[at], *self.target.get(at + BLOCK)?);
        let without = hash.wrapping_sub(u32::from(out).wrapping_mul(FIRST_WEIGHT));
        Some(without.wrapping_mul(WEIGHT).wrapping_add(u32::from(next)))
    }

    /// The best copy around the block at `at`, that begins at or after `done`.
    fn find(&mut self, hash: u32, done: usize, at: usize, shift: usize) -> Option<Copied> {
        if let Some(copy) = self.extend(at.wrapping_add(shift), done, at) {
            return Some(copy);
        }
        let mut best: Option<Copied> = None;
        let mut seen = 0;
        for base in self.index.blocks(hash).take(CANDIDATES.min(self.probes)) {
            seen += 1;
            if let Some(copy) = self.extend(base, done, at)
                && best.is_none_or(|best| copy.bytes > best.bytes)
            {
                best = Some(copy);
            }
        }
        self.probes -= seen;
        best
    }

    /// The copy of the block at `at` from `base`, as far as it goes both ways; `None` where the
    /// blocks differ or the copy would save nothing.
    fn extend(&self, base: usize, done: usize, at: usize) -> Option<Copied> {
        let block = self.base.get(base..base.checked_add(BLOCK)?)?;
        if block != &self.target[at..at + BLOCK] {
            return None;
        }
        let ahead = equal(self.base[base..].iter(), self.target[at..].iter());
        let back = equal(self.base[..base].iter().rev(), self.target[done..at].iter().rev());
        let mut copy = Copied { base: base - back, target: at - back, bytes: back + ahead };
        if self.is_text {
            self.trim(&mut copy);
        }
        let cost = digits(copy.bytes) + digits(copy.base) + 2;
        (copy.bytes > cost).then_some(copy)
    }

    /// Leaves characters that are not wholly in the copy to the insertions around it.
    fn trim(&self, copy: &mut Copied) {
        // Bytes 2 to 4 of a character in UTF-8 are 0b10xx_xxxx.
        let is_inside = |at: usize| self.target.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        while copy.bytes > 0 && is_inside(copy.target) {
            (copy.base, copy.target, copy.bytes) = (copy.base + 1, copy.target + 1, copy.bytes - 1);
        }
        while copy.bytes > 0 && is_inside(copy.target + copy.bytes) {
            copy.bytes -= 1;
        }
    }
}

fn equal<'a>(left: impl Iterator<Item = &'a u8>, right: impl Iterator<Item = &'a u8>) -> usize {
    left.zip(right).take_while(|(left, right)| left == right).count()
}

// === Format ===

struct Writer<'a> {
    target: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(target: &'a [u8]) -> Self {
        let mut writer = Self { target, out: Vec::new() };
        writer.number(target.len(), b'\n');
        writer
    }

    fn insert(&mut self, start: usize, end: usize) {
        if start < end {
            self.number(end - start, b':');
            self.out.extend_from_slice(&self.target[start..end]);
        }
    }

    fn copy(&mut self, copy: &Copied) {
        self.number(copy.bytes, b'@');
        self.number(copy.base, b',');
    }

    fn finish(mut self) -> Vec<u8> {
        self.number(checksum(self.target) as usize, b';');
        self.out
    }

    fn number(&mut self, number: usize, end: u8) {
        const DIGITS: &[u8; 64] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        for digit in (0..digits(number)).rev() {
            self.out.push(DIGITS[(number >> (6 * digit)) & 63]);
        }
        self.out.push(end);
    }
}

/// How many digits a number has in base 64.
fn digits(number: usize) -> usize {
    let bits = (usize::BITS - number.leading_zeros()) as usize;
    bits.div_ceil(6).max(1)
}

/// The sum of the target's big-endian words, the last one filled up with zeros.
fn checksum(target: &[u8]) -> u32 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_be_bytes(word)
    };
    target.chunks(4).fold(0, |sum: u32, bytes| sum.wrapping_add(word(bytes)))
}

#[cfg(test)]
pub(crate) mod tests;
