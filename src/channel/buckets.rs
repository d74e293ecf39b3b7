//! The publications of a geo event channel, kept in buckets by where they happened: a busy city
//! does not push out what happened in the country, and a subscriber of a small area can be told
//! that it missed nothing there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use h3o::Resolution;

use crate::base::{Moment, limits};
use crate::channel::Publication;
use crate::channel::draft::Near;
use crate::channel::history::weight;
use crate::geo::{Area, CellKey, Circle, FaceHint, HexGrid, Metres, Place, Point, UnitVector};

/// What is in one cell, or (`None`) too wide for one.
type Key = Option<CellKey>;

#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// By offset.
    kept: BTreeMap<u64, Kept>,
    buckets: HashMap<Key, Bucket>,
    /// Buckets that are empty, by what they remember: the highest offset that was dropped.
    empty: BTreeMap<u64, Key>,
    /// The highest offset that was dropped from a bucket of which nothing is known any more.
    dropped_elsewhere: u64,
    /// The farthest that a shape in a cell's bucket ever reached from the place it is kept by.
    extent_max: Metres,
    /// Publications in each bucket.
    size: usize,
    bytes: usize,
    /// Of the latest publication.
    latest: Moment,
    hint: FaceHint,
}

#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    taken: Moment,
    bytes: usize,
    key: Key,
}

#[derive(Debug)]
struct Bucket {
    /// What is kept, oldest first.
    offsets: VecDeque<(u64, Moment)>,
    /// The highest offset that was dropped from it.
    dropped: u64,
    /// Of its cell; anywhere for what is wide.
    center: UnitVector,
    /// Nothing that was ever in it is farther from the centre.
    reach: Metres,
}

impl Buckets {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Bytes of what is kept and of the buckets, empty ones as well.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn oldest(&self) -> Option<Moment> {
        self.kept.first_key_value().map(|(_, kept)| kept.taken)
    }

    /// The oldest publication; where there are only empty buckets, the last one that there was.
    pub(super) fn age(&self) -> Option<Moment> {
        self.oldest().or_else(|| (self.bytes > 0).then_some(self.latest))
    }

    /// Everything up to this offset is gone.
    pub(super) fn forget_until(&mut self, offset: u64) {
        self.dropped_elsewhere = self.dropped_elsewhere.max(offset);
    }

    /// Keeps `size` publications in each bucket, and `bytes_max` in all of them.
    pub(super) fn append(
        &mut self,
        publication: Arc<Publication>,
        size: usize,
        bytes_max: usize,
        now: Moment,
    ) {
        if size < self.size {
            self.trim(size);
        }
        (self.size, self.latest) = (size, now);
        let offset = publication.offset;
        let key = self.open(publication.place.as_deref());
        let bytes = weight(&publication) + SHARE_BYTES;
        self.bytes += bytes;
        self.kept.insert(offset, Kept { publication, taken: now, bytes, key });
        let bucket = self.buckets.get_mut(&key).expect("just opened");
        bucket.offsets.push_back((offset, now));
        if bucket.offsets.len() > size
            && let Some((oldest, _)) = bucket.offsets.front().copied()
        {
            self.drop_at(oldest);
        }
        while self.bytes > bytes_max {
            self.shed();
        }
        while self.buckets.len() > limits::HISTORY_BUCKETS {
            if !self.forget_a_bucket() {
                self.drop_oldest();
            }
        }
    }

    pub(super) fn drop_oldest(&mut self) {
        if let Some((&oldest, _)) = self.kept.first_key_value() {
            self.drop_at(oldest);
        }
    }

    /// Gives some memory back: the oldest publication, or what an empty bucket remembers where
    /// there is more of that.
    pub(super) fn shed(&mut self) {
        if 2 * self.empty.len() * BUCKET_BYTES > self.bytes {
            self.forget_a_bucket();
        } else {
            self.drop_oldest();
        }
    }

    /// Drops every publication; each bucket remembers it.
    pub(super) fn clear(&mut self) {
        self.trim(0);
    }

    /// All publications with these offsets that are live, in order.
    pub(super) fn all(
        &self,
        live: impl Fn(Moment) -> bool,
        offsets: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = &Arc<Publication>> {
        let range = self.kept.range(offsets);
        range.filter(move |(_, kept)| live(kept.taken)).map(|(_, kept)| &kept.publication)
    }

    /// What may be in an area (`None`: anywhere) of that, newest first if `reverse`, and what is
    /// gone of it.
    pub(super) fn near(
        &self,
        area: Option<&Area>,
        live: impl Fn(Moment) -> bool,
        offsets: Range<u64>,
        reverse: bool,
    ) -> Near {
        let mut found = Vec::new();
        let mut gone = Vec::new();
        let mut is_lost = self.dropped_elsewhere >= offsets.start;
        let mut see = |bucket: &Bucket, is_wide: bool| {
            let (dropped, kept) = bucket.split(&live, &offsets);
            found.extend(kept);
            if dropped >= offsets.start && is_wide {
                is_lost = true;
            } else if dropped >= offsets.start {
                gone.push(bucket.circle());
            }
        };
        match area {
            None => self.buckets.values().for_each(|bucket| see(bucket, true)),
            Some(area) => {
                if let Some(wide) = self.buckets.get(&None) {
                    see(wide, true);
                }
                self.each_near(area, |bucket| {
                    if bucket.newest() >= offsets.start {
                        see(bucket, false);
                    }
                });
            }
        }
        let most = limits::HISTORY_LOOKS;
        if found.len() > most {
            is_lost = true;
            if reverse {
                found.select_nth_unstable_by(most, |one, other| other.cmp(one));
            } else {
                found.select_nth_unstable(most);
            }
            found.truncate(most);
        }
        found.sort_unstable();
        if reverse {
            found.reverse();
        }
        let one = |offset| self.kept.get(offset).expect("what a bucket names is kept");
        let publications = found.iter().map(|offset| one(offset).publication.clone()).collect();
        Near { publications, is_lost, gone }
    }

    /// Cells' buckets that may have something in an area, and some that lie just outside.
    fn each_near(&self, area: &Area, mut see: impl FnMut(&Bucket)) {
        let Some((center, radius)) = area.cap() else { return };
        let touches = |bucket: &Bucket| {
            center.unit.distance(bucket.center).0 <= radius.0 + bucket.reach.0 + DOUBT.0
        };
        let around = Circle::new(center, Metres(radius.0 + self.extent_max.0 + DOUBT.0));
        let mut cells = Vec::new();
        // To find a cell costs more than to pass a bucket.
        if grid().cover(&around, self.buckets.len() / 8, &mut cells) {
            let near = cells.iter().filter_map(|cell| self.buckets.get(&Some(cell.key)));
            near.filter(|bucket| touches(bucket)).for_each(see);
        } else {
            let cells = self.buckets.iter().filter(|(key, _)| key.is_some());
            for (_, bucket) in cells.filter(|(_, bucket)| touches(bucket)) {
                see(bucket);
            }
        }
    }

    /// The bucket for what happened at a place.
    fn open(&mut self, place: Option<&Place>) -> Key {
        let narrow = place
            .and_then(|place| Some((place.at, extent(place)?)))
            .filter(|(_, extent)| *extent <= NARROW);
        let key = narrow.map(|(at, _)| grid().key(&at, &mut self.hint));
        let bucket = self.buckets.entry(key).or_insert_with(|| {
            self.bytes += BUCKET_BYTES;
            let center =
                key.map_or(UnitVector { x: 1.0, y: 0.0, z: 0.0 }, |key| grid().center(key));
            Bucket { offsets: VecDeque::new(), dropped: 0, center, reach: Metres(0.0) }
        });
        if bucket.offsets.is_empty() {
            self.empty.remove(&bucket.dropped);
        }
        if let Some((at, extent)) = narrow {
            let reach = bucket.center.distance(at.unit).0 + extent.0;
            bucket.reach = Metres(bucket.reach.0.max(reach));
            self.extent_max = Metres(self.extent_max.0.max(extent.0));
        }
        key
    }

    fn drop_at(&mut self, offset: u64) {
        let kept = self.kept.remove(&offset).expect("only what is kept is dropped");
        self.bytes -= kept.bytes;
        let bucket = self.buckets.get_mut(&kept.key).expect("what is kept is in a bucket");
        let first = bucket.offsets.pop_front();
        assert_eq!(first, Some((offset, kept.taken)), "the oldest of a bucket goes first");
        bucket.dropped = offset;
        if bucket.offsets.is_empty() {
            self.empty.insert(offset, kept.key);
            bucket.offsets = VecDeque::new();
        }
    }

    /// Leaves the newest `size` in each bucket.
    fn trim(&mut self, size: usize) {
        let mut over = Vec::new();
        for bucket in self.buckets.values() {
            let count = bucket.offsets.len().saturating_sub(size);
            over.extend(bucket.offsets.iter().take(count).map(|(offset, _)| *offset));
        }
        for offset in over {
            self.drop_at(offset);
        }
    }

    /// Gives up what is known of the empty bucket that remembers the lowest offset, which the
    /// fewest subscribers come back to; false where no bucket is empty.
    fn forget_a_bucket(&mut self) -> bool {
        let Some((dropped, key)) = self.empty.pop_first() else { return false };
        self.forget_until(dropped);
        let bucket = self.buckets.remove(&key);
        assert!(bucket.is_some_and(|one| one.offsets.is_empty()), "it was empty");
        self.bytes -= BUCKET_BYTES;
        true
    }
}

impl Bucket {
    /// The highest offset that is dropped or no longer live, and what is live of some offsets.
    fn split(
        &self,
        live: impl Fn(Moment) -> bool,
        wanted: &Range<u64>,
    ) -> (u64, impl Iterator<Item = u64>) {
        let place_of = |offset| self.offsets.partition_point(|(one, _)| *one < offset);
        let expired = self.offsets.partition_point(|(_, taken)| !live(*taken));
        let last = expired.checked_sub(1).map(|last| self.offsets[last].0);
        let start = place_of(wanted.start).max(expired);
        let end = place_of(wanted.end).max(start);
        let kept = self.offsets.range(start..end).map(|(offset, _)| *offset);
        (last.unwrap_or(self.dropped), kept)
    }

    /// The highest offset that was ever in it.
    fn newest(&self) -> u64 {
        self.offsets.back().map_or(self.dropped, |(offset, _)| *offset)
    }

    /// Everything that was ever in it is in this circle.
    fn circle(&self) -> Circle {
        let center = Point { at: self.center.to_lat_lng(), unit: self.center };
        Circle::new(center, Metres(self.reach.0 + DOUBT.0))
    }
}

/// How far a place's shape reaches from the point that stands for it.
fn extent(place: &Place) -> Option<Metres> {
    let Some(shape) = &place.shape else { return Some(Metres(0.0)) };
    let (center, radius) = shape.cap()?;
    Some(Metres(center.distance(&place.at).0 + radius.0))
}

fn grid() -> &'static HexGrid {
    HexGrid::at(Resolution::Five)
}

/// Shapes that reach farther are wide: a cell is about 17 km across.
const NARROW: Metres = Metres(20_000.0);
/// What rounding may be off, by far.
const DOUBT: Metres = Metres(0.001);
/// What a publication costs in the orders over it.
const SHARE_BYTES: usize = 96;
/// What a bucket costs: its place in a table that may be half empty, its queue's first block, and
/// its entry among the empty ones.
const BUCKET_BYTES: usize = 2 * size_of::<(Key, Bucket)>() + 64 + 32;

#[cfg(test)]
mod tests;
