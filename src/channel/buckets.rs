//! The publications of a geo event channel, kept in buckets by where they happened: a busy city
//! does not push out what happened in the country, and a subscriber of a small area can be told
//! that it missed nothing there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use h3o::{CellIndex, LatLng, Resolution};

use crate::base::{Moment, limits};
use crate::channel::history::weight;
use crate::channel::{Audience, Publication};
use crate::geo::{Area, Circle, Metres, Point};

/// What is in one cell, or (`None`) too wide for one.
type Key = Option<CellIndex>;

#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// By offset.
    kept: BTreeMap<u64, Kept>,
    buckets: HashMap<Key, Bucket>,
    /// Buckets that became empty, the first ones first; some are filled again since.
    emptied: VecDeque<Key>,
    /// The highest offset that was dropped from a bucket of which nothing is known any more.
    dropped_elsewhere: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    taken: Moment,
    bytes: usize,
    key: Key,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Oldest first.
    offsets: VecDeque<u64>,
    /// The highest offset that was dropped from it.
    dropped: u64,
}

impl Buckets {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn oldest(&self) -> Option<Moment> {
        self.kept.first_key_value().map(|(_, kept)| kept.taken)
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
        let (offset, key) = (publication.offset, key_of(&publication));
        let bytes = weight(&publication) + BUCKET_SHARE;
        self.bytes += bytes;
        self.kept.insert(offset, Kept { publication, taken: now, bytes, key });
        let bucket = self.buckets.entry(key).or_default();
        bucket.offsets.push_back(offset);
        if bucket.offsets.len() > size
            && let Some(oldest) = bucket.offsets.front().copied()
        {
            self.drop_at(oldest);
        }
        while self.bytes > bytes_max && self.kept.len() > 1 {
            self.drop_oldest();
        }
        while self.buckets.len() > limits::HISTORY_BUCKETS {
            self.forget_a_bucket();
        }
    }

    pub(super) fn drop_oldest(&mut self) {
        if let Some((&oldest, _)) = self.kept.first_key_value() {
            self.drop_at(oldest);
        }
    }

    pub(super) fn clear(&mut self) {
        let last = self.kept.last_key_value().map_or(0, |(offset, _)| *offset);
        let marks = self.buckets.values().map(|bucket| bucket.dropped);
        let dropped = marks.fold(self.dropped_elsewhere.max(last), u64::max);
        *self = Self { dropped_elsewhere: dropped, ..Self::default() };
    }

    /// All publications after an offset that are not older than `live`, in order.
    pub(super) fn all(
        &self,
        live: impl Fn(Moment) -> bool,
        after: u64,
        before: u64,
    ) -> impl DoubleEndedIterator<Item = &Arc<Publication>> {
        let range = self.kept.range(after.saturating_add(1).min(before)..before);
        range.filter(move |(_, kept)| live(kept.taken)).map(|(_, kept)| &kept.publication)
    }

    /// What an audience gets of that, and whether nothing that it would have got is gone.
    pub(super) fn of_audience(
        &self,
        audience: &Audience,
        live: impl Fn(Moment) -> bool,
        after: u64,
    ) -> (Vec<&Arc<Publication>>, bool) {
        let mut complete = self.dropped_elsewhere <= after;
        let mut offsets = Vec::new();
        let near = Near::new(&audience.area);
        for (_, bucket) in self.buckets.iter().filter(|(key, _)| near.touches(**key)) {
            complete &= bucket.dropped <= after;
            offsets.extend(bucket.offsets.iter().rev().take_while(|offset| **offset > after));
        }
        offsets.sort_unstable();
        let mut found = Vec::new();
        for offset in offsets {
            let kept = self.kept.get(offset).expect("what a bucket names is kept");
            if !audience.gets(&kept.publication) {
                continue;
            }
            complete &= live(kept.taken);
            found.push(&kept.publication);
        }
        (found, complete)
    }

    /// Whether what is kept at the offset has not expired.
    pub(super) fn is_live(&self, offset: u64, live: impl Fn(Moment) -> bool) -> bool {
        self.kept.get(&offset).is_some_and(|kept| live(kept.taken))
    }

    fn drop_at(&mut self, offset: u64) {
        let kept = self.kept.remove(&offset).expect("only what is kept is dropped");
        self.bytes -= kept.bytes;
        let bucket = self.buckets.get_mut(&kept.key).expect("what is kept is in a bucket");
        let first = bucket.offsets.pop_front();
        assert_eq!(first, Some(offset), "the oldest of a bucket goes first");
        bucket.dropped = offset;
        if bucket.offsets.is_empty() {
            self.emptied.push_back(kept.key);
            bucket.offsets = VecDeque::new();
        }
    }

    /// Gives up what is known of the bucket that is empty for longest, or empties one.
    fn forget_a_bucket(&mut self) {
        match self.emptied.pop_front() {
            Some(key) => {
                if let Some(bucket) = self.buckets.get(&key)
                    && bucket.offsets.is_empty()
                {
                    self.dropped_elsewhere = self.dropped_elsewhere.max(bucket.dropped);
                    self.buckets.remove(&key);
                }
            }
            None => self.drop_oldest(),
        }
    }
}

fn key_of(publication: &Publication) -> Key {
    let place = publication.place.as_deref()?;
    let is_wide = place.shape.as_ref().is_some_and(|shape| {
        shape
            .cap()
            .is_none_or(|(center, radius)| center.distance(&place.at).0 + radius.0 > NARROW.0)
    });
    if is_wide {
        return None;
    }
    let at = LatLng::new(place.at.at.lat(), place.at.at.lng()).ok()?;
    Some(at.to_cell(RESOLUTION))
}

/// Which buckets may hold what is in an area.
struct Near<'a> {
    area: &'a Area,
    cap: Option<(Point, Metres)>,
}

impl<'a> Near<'a> {
    fn new(area: &'a Area) -> Self {
        Self { area, cap: area.cap() }
    }

    fn touches(&self, key: Key) -> bool {
        let Some(cell) = key else { return true };
        let Some((center, radius)) = self.cap else { return false };
        let at = LatLng::from(cell);
        let Ok(at) = crate::geo::LatLng::new(at.lat(), at.lng()) else { return true };
        let at = Point::from(at);
        // What is no farther from the centre of its cell than this is in its bucket.
        let reach = Metres(RESOLUTION.edge_length_m() * 1.3 + NARROW.0);
        center.distance(&at).0 <= radius.0 + reach.0
            && (radius < reach || self.area.meets(&Area::Circle(Circle::new(at, reach))))
    }
}

const RESOLUTION: Resolution = Resolution::Five;
/// Shapes that reach no farther than this are in the bucket of the place that stands for them.
const NARROW: Metres = Metres(1000.0);
/// What a publication costs besides itself in a bucket.
const BUCKET_SHARE: usize = 96;

#[cfg(test)]
mod tests;
