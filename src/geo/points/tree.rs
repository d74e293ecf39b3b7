//! [`Tree`]: squares of the cube's sides, quartered where there are many points, down to buckets.
//!
//! Every point is in exactly one bucket, that of the square it is in. A square is found from the
//! root by the place it covers, never by way of other squares.

use super::bucket::{Bucket, Offset};
use super::square::{Side, Spot, Square, Steps};
use crate::geo::point::{Point, UnitVector};

#[derive(Debug)]
pub(super) struct Tree {
    /// Six roots, one for each side, and then the four quarters of each square that has them.
    links: Vec<Link>,
    /// For each four links where the link to them is; nothing of the roots.
    above: Vec<u32>,
    free_quarters: Vec<u32>,
    leaves: Vec<Leaf>,
    free_leaves: Vec<u32>,
    /// By number: where each point is.
    places: Vec<Option<Place>>,
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Empty,
    /// Where the first of four links is.
    Quarters(u32),
    Leaf(u32),
}

/// A square with its points.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) bucket: Bucket,
    pub(super) center: UnitVector,
    /// The longest chord from the centre to a place of the square.
    pub(super) reach: f64,
    square: Square,
    /// Where the link to it is.
    link: u32,
}

/// Aligned so that a search waits for memory once, not twice.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Place {
    pub(super) point: Point,
    spot: Spot,
    leaf: u32,
    at: u32,
}

const _: () = assert!(size_of::<Option<Place>>() == 64);

impl Default for Tree {
    fn default() -> Self {
        Self {
            links: vec![Link::Empty; ROOTS],
            above: vec![0; ROOTS / 4],
            free_quarters: Vec::new(),
            leaves: Vec::new(),
            free_leaves: Vec::new(),
            places: Vec::new(),
            len: 0,
        }
    }
}

impl Tree {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn place(&self, id: u32) -> Option<&Place> {
        self.places.get(id as usize)?.as_ref()
    }

    pub(super) fn put(&mut self, id: u32, point: Point) {
        let spot = Spot::of(point.unit);
        if let Some(place) = self.places.get_mut(id as usize).and_then(Option::as_mut) {
            let leaf = &mut self.leaves[place.leaf as usize];
            if leaf.square.contains(spot) {
                (place.point, place.spot) = (point, spot);
                leaf.bucket.set(place.at, id, Offset::of(point.unit, leaf.center, leaf.reach));
                return;
            }
            let before = *place;
            self.take_out(before);
        } else {
            let slots = id as usize + 1;
            if self.places.len() < slots {
                if self.len == 0 {
                    // Many indexes have one point.
                    self.places.reserve_exact(slots);
                }
                self.places.resize(slots, None);
            }
            self.len += 1;
        }
        self.add(id, point, spot);
    }

    pub(super) fn remove(&mut self, id: u32) {
        let Some(place) = self.places.get_mut(id as usize).and_then(Option::take) else { return };
        self.take_out(place);
        self.len -= 1;
        if self.len == 0 {
            // What once was large gives its memory back.
            *self = Self::default();
        }
    }

    /// Every bucket that may have points within the steps.
    pub(super) fn visit<'a>(&'a self, side: Side, steps: &Steps, visit: &mut impl FnMut(&'a Leaf)) {
        self.visit_from(self.links[side as usize], Square::of(side), steps, visit);
    }

    /// The smallest square of the tree around a place, with how many points are in it: none where
    /// its surroundings are empty.
    pub(super) fn surroundings(&self, unit: UnitVector) -> (Square, usize) {
        let spot = Spot::of(unit);
        let (mut link, mut square) = (self.links[spot.side as usize], Square::of(spot.side));
        loop {
            match link {
                Link::Empty => return (square, 0),
                Link::Leaf(leaf) => return (square, self.leaves[leaf as usize].bucket.len()),
                Link::Quarters(first) => {
                    let quarter = square.quarter_of(spot);
                    link = self.links[first as usize + quarter];
                    square = square.quarter(quarter);
                }
            }
        }
    }

    fn visit_from<'a>(
        &'a self,
        link: Link,
        square: Square,
        steps: &Steps,
        visit: &mut impl FnMut(&'a Leaf),
    ) {
        match link {
            Link::Empty => {}
            Link::Leaf(leaf) => visit(&self.leaves[leaf as usize]),
            Link::Quarters(first) => {
                for (quarter, is_in) in square.quarters_in(steps).into_iter().enumerate() {
                    let link = self.links[first as usize + quarter];
                    if is_in && link != Link::Empty {
                        self.visit_from(link, square.quarter(quarter), steps, visit);
                    }
                }
            }
        }
    }

    fn add(&mut self, id: u32, point: Point, spot: Spot) {
        let (mut link, mut square) = (spot.side as usize, Square::of(spot.side));
        while let Link::Quarters(first) = self.links[link] {
            let quarter = square.quarter_of(spot);
            link = first as usize + quarter;
            square = square.quarter(quarter);
        }
        let leaf = match self.links[link] {
            Link::Leaf(leaf) => leaf,
            Link::Empty | Link::Quarters(_) => self.add_leaf(link, square),
        };
        let at = self.push(leaf, id, point.unit);
        self.places[id as usize] = Some(Place { point, spot, leaf, at });
        self.divide(leaf);
    }

    fn push(&mut self, leaf: u32, id: u32, unit: UnitVector) -> u32 {
        let leaf = &mut self.leaves[leaf as usize];
        leaf.bucket.push(id, Offset::of(unit, leaf.center, leaf.reach))
    }

    /// The last point of the bucket takes the free place.
    fn take_out(&mut self, place: Place) {
        let leaf = &mut self.leaves[place.leaf as usize];
        if let Some(moved) = leaf.bucket.swap_remove(place.at) {
            let moved = self.places[moved as usize].as_mut().expect("a point has its place");
            moved.at = place.at;
        }
        let (left, link) = (leaf.bucket.len(), leaf.link);
        if left == 0 {
            self.remove_leaf(place.leaf);
        }
        if left <= FEW {
            self.unite(link);
        }
    }

    /// Quarters the square of a full bucket, until none is full.
    fn divide(&mut self, leaf: u32) {
        let Leaf { bucket, square, link, .. } = &mut self.leaves[leaf as usize];
        if bucket.len() <= MANY || square.is_smallest() {
            return;
        }
        let (bucket, square, link) = (std::mem::take(bucket), *square, *link as usize);
        self.free_leaves.push(leaf);
        let first = self.add_quarters(link);
        for id in bucket.ids() {
            let Place { point, spot, .. } = *self.place(id).expect("a point has its place");
            let quarter = square.quarter_of(spot);
            let link = first as usize + quarter;
            let leaf = match self.links[link] {
                Link::Leaf(leaf) => leaf,
                Link::Empty | Link::Quarters(_) => self.add_leaf(link, square.quarter(quarter)),
            };
            let at = self.push(leaf, id, point.unit);
            self.places[id as usize] = Some(Place { point, spot, leaf, at });
        }
        for quarter in 0..4 {
            if let Link::Leaf(leaf) = self.links[first as usize + quarter] {
                self.divide(leaf);
            }
        }
    }

    /// Takes together four quarters that have few points, of which one is at that link, and so on
    /// upwards.
    fn unite(&mut self, mut link: u32) {
        while link as usize >= ROOTS {
            let first = link & !3;
            let quarters: [Link; 4] =
                std::array::from_fn(|quarter| self.links[first as usize + quarter]);
            let mut len = 0;
            for quarter in quarters {
                match quarter {
                    Link::Empty => {}
                    Link::Leaf(leaf) => len += self.leaves[leaf as usize].bucket.len(),
                    Link::Quarters(_) => return,
                }
            }
            if len > MANY / 2 {
                return;
            }
            link = self.above[first as usize / 4];
            self.unite_quarters(first, quarters);
        }
    }

    fn unite_quarters(&mut self, first: u32, quarters: [Link; 4]) {
        let link = self.above[first as usize / 4] as usize;
        self.free_quarters.push(first);
        self.links[link] = Link::Empty;
        let square = self.square_at(link);
        let mut united = None;
        for quarter in quarters {
            let Link::Leaf(leaf) = quarter else { continue };
            let bucket = std::mem::take(&mut self.leaves[leaf as usize].bucket);
            self.free_leaves.push(leaf);
            for id in bucket.ids() {
                let into = match united {
                    Some(into) => into,
                    None => self.add_leaf(link, square),
                };
                united = Some(into);
                let Place { point, spot, .. } = *self.place(id).expect("a point has its place");
                let at = self.push(into, id, point.unit);
                self.places[id as usize] = Some(Place { point, spot, leaf: into, at });
            }
        }
        if united.is_none() {
            self.links[link] = Link::Empty;
        }
    }

    /// By the way down to a link.
    fn square_at(&self, link: usize) -> Square {
        if let Some(side) = Side::ALL.get(link) {
            return Square::of(*side);
        }
        let above = self.above[link / 4] as usize;
        self.square_at(above).quarter(link % 4)
    }

    fn add_leaf(&mut self, link: usize, square: Square) -> u32 {
        let (center, reach) = square.disc();
        let bucket = Bucket::default();
        let leaf = Leaf { bucket, center, reach, square, link: number(link) };
        let at = match self.free_leaves.pop() {
            Some(at) => {
                self.leaves[at as usize] = leaf;
                at
            }
            None => {
                if self.leaves.is_empty() {
                    self.leaves.reserve_exact(1);
                }
                self.leaves.push(leaf);
                number(self.leaves.len() - 1)
            }
        };
        self.links[link] = Link::Leaf(at);
        at
    }

    fn remove_leaf(&mut self, leaf: u32) {
        self.links[self.leaves[leaf as usize].link as usize] = Link::Empty;
        self.free_leaves.push(leaf);
    }

    fn add_quarters(&mut self, link: usize) -> u32 {
        let first = match self.free_quarters.pop() {
            Some(first) => {
                self.links[first as usize..][..4].fill(Link::Empty);
                first
            }
            None => {
                self.links.extend([Link::Empty; 4]);
                self.above.push(0);
                number(self.links.len() - 4)
            }
        };
        self.above[first as usize / 4] = number(link);
        self.links[link] = Link::Quarters(first);
        first
    }

    /// What must always hold; how many buckets there are.
    #[cfg(test)]
    pub(super) fn assert_invariants(&self) -> usize {
        let (mut points, mut leaves) = (0, 0);
        for (number, leaf) in (0..).zip(&self.leaves) {
            if self.free_leaves.contains(&number) {
                continue;
            }
            assert_eq!(self.links[leaf.link as usize], Link::Leaf(number));
            assert_eq!(self.square_at(leaf.link as usize), leaf.square);
            assert!(leaf.bucket.len() > 0, "no bucket is empty");
            assert!(leaf.bucket.len() <= MANY || leaf.square.is_smallest(), "nor too full");
            for (at, id) in (0..).zip(leaf.bucket.ids()) {
                let place = self.place(id).expect("a point of a bucket has its place");
                assert_eq!((place.leaf, place.at), (number, at), "and the place has the point");
                assert_eq!(place.spot, Spot::of(place.point.unit));
                assert!(leaf.square.contains(place.spot), "in its square");
                let far = leaf.center.chord_squared(place.point.unit);
                assert!(far <= leaf.reach * leaf.reach, "and within the square's reach");
            }
            let first = leaf.link as usize & !3;
            let has_many = |link: &Link| match link {
                Link::Empty => false,
                Link::Leaf(leaf) => self.leaves[*leaf as usize].bucket.len() > FEW,
                Link::Quarters(_) => true,
            };
            let is_worth_it = self.links[first..first + 4].iter().any(has_many);
            assert!(is_worth_it || first < ROOTS, "quarters of few points are taken together");
            (points, leaves) = (points + leaf.bucket.len(), leaves + 1);
        }
        assert_eq!(points, self.len, "each point is in one bucket");
        assert_eq!(self.places.iter().flatten().count(), self.len);
        leaves
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("memory ends before 32 bits of squares do")
}

/// The six sides, and two so that links come in fours.
const ROOTS: usize = 8;
/// Points that a bucket holds; a larger one is quartered. Half as many are taken together again, so
/// that a point that comes and goes moves no others. Of a million points at 200, 400 and 800 to a
/// square kilometre, those within 500 m took up to 1.5 times as long to find with 96; 192 differs by
/// 6 % at most, as runs do.
const MANY: usize = 128;
/// Only a bucket of so few looks whether its neighbours have few too.
const FEW: usize = MANY / 8;
