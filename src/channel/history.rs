//! A channel's stream: publications numbered from 1, the newest of them kept, and the position and
//! epoch that outlive them. It knows neither channels nor engines; time is an argument that must
//! not go back from one call to the next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, limits};
use crate::channel::buckets::Buckets;
use crate::channel::draft::{Draft, Near, page_of};
use crate::channel::{HistoryPage, HistoryQuery, Position, Publication};

/// The stream of one channel.
#[derive(Debug)]
pub(crate) struct Stream {
    epoch: Arc<str>,
    top: u64,
    kept: Shelf,
    /// How long each publication is kept: one duration for all, so that the oldest expires first.
    ttl: Duration,
}

/// What is kept of a stream.
#[derive(Debug)]
enum Shelf {
    /// Consecutive offsets that end at the top, so that what is missing is always a prefix.
    Ring(Ring),
    /// In a geo event channel.
    Buckets(Box<Buckets>),
}

/// How much of a stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// Publications: of the whole stream, or in each bucket.
    pub(crate) size: usize,
    /// Buckets by place, with so many bytes in all of them.
    pub(crate) buckets: Option<usize>,
    pub(crate) ttl: Duration,
}

#[derive(Debug, Default)]
struct Ring {
    /// Newest last.
    kept: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    taken: Moment,
    bytes: usize,
}

impl Stream {
    pub(crate) fn new(epoch: Arc<str>, ttl: Duration) -> Self {
        Self { epoch, top: 0, kept: Shelf::Ring(Ring::default()), ttl }
    }

    pub(crate) fn position(&self) -> Position {
        Position { offset: self.top, epoch: Arc::clone(&self.epoch) }
    }

    /// Bytes of what is kept, expired or not, as [`weight`] counts them, and of buckets.
    pub(crate) fn bytes(&self) -> usize {
        match &self.kept {
            Shelf::Ring(ring) => ring.bytes,
            Shelf::Buckets(buckets) => buckets.bytes(),
        }
    }

    /// How long publications are kept, as the latest one said.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When the oldest publication that is kept was appended.
    pub(crate) fn oldest(&self) -> Option<Moment> {
        match &self.kept {
            Shelf::Ring(ring) => ring.kept.front().map(|kept| kept.taken),
            Shelf::Buckets(buckets) => buckets.oldest(),
        }
    }

    /// When the oldest publication that is kept expires.
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        self.oldest().map(|taken| taken.after(self.ttl))
    }

    /// Gives the publication the next offset and keeps it. What `keep` says rules the whole stream
    /// from here on, but what had expired before is not revived by a longer `ttl`.
    pub(crate) fn append(
        &mut self,
        mut publication: Publication,
        keep: Keep,
        now: Moment,
    ) -> Arc<Publication> {
        debug_assert!(self.oldest().is_none_or(|oldest| oldest <= now), "time went back");
        self.drop_expired(now, usize::MAX);
        self.ttl = keep.ttl;
        self.shelve(keep.buckets.is_some());
        self.top += 1;
        publication.offset = self.top;
        let publication = Arc::new(publication);
        match &mut self.kept {
            Shelf::Ring(ring) => ring.append(publication.clone(), keep.size, now),
            Shelf::Buckets(buckets) => {
                let bytes_max = keep.buckets.unwrap_or(usize::MAX);
                buckets.append(publication.clone(), keep.size, bytes_max, now);
            }
        }
        publication
    }

    /// Begins anew where the stream was kept in the other way: the operator changed the namespace.
    fn shelve(&mut self, in_buckets: bool) {
        match (&self.kept, in_buckets) {
            (Shelf::Ring(_), true) => {
                let mut buckets = Buckets::default();
                buckets.forget_until(self.top);
                self.kept = Shelf::Buckets(Box::new(buckets));
            }
            (Shelf::Buckets(_), false) => self.kept = Shelf::Ring(Ring::default()),
            (_, _) => {}
        }
    }

    /// Drops at most `max` expired publications and says how many it dropped.
    pub(crate) fn drop_expired(&mut self, now: Moment, max: usize) -> usize {
        let mut dropped = 0;
        while dropped < max && self.next_expiry().is_some_and(|expiry| expiry <= now) {
            self.drop_oldest();
            dropped += 1;
        }
        dropped
    }

    /// What [`Stream::shed`] gives back next is so old; `None` where there are no bytes.
    pub(crate) fn age(&self) -> Option<Moment> {
        match &self.kept {
            Shelf::Ring(_) => self.oldest(),
            Shelf::Buckets(buckets) => buckets.age(),
        }
    }

    /// Gives some bytes back: the oldest publication, or what is known of an empty bucket.
    pub(crate) fn shed(&mut self) {
        match &mut self.kept {
            Shelf::Ring(ring) => ring.drop_oldest(),
            Shelf::Buckets(buckets) => buckets.shed(),
        }
    }

    fn drop_oldest(&mut self) {
        match &mut self.kept {
            Shelf::Ring(ring) => ring.drop_oldest(),
            Shelf::Buckets(buckets) => buckets.drop_oldest(),
        }
    }

    /// Drops every publication; the position stays, and so do empty buckets.
    pub(crate) fn clear(&mut self) {
        match &mut self.kept {
            Shelf::Ring(ring) => *ring = Ring::default(),
            Shelf::Buckets(buckets) => buckets.clear(),
        }
    }

    /// Answers a query with what has not expired and the true top. A query whose epoch is another
    /// than the stream's gets no publications: the caller compares.
    pub(crate) fn draft(&self, query: &HistoryQuery, now: Moment) -> Draft {
        let live = |taken: Moment| taken.after(self.ttl) > now;
        let known = query
            .since
            .as_ref()
            .is_none_or(|since| since.epoch.is_empty() || *since.epoch == *self.epoch);
        let page =
            |publications| HistoryPage { publications, top: self.position(), complete: None };
        let Some(audience) = &query.audience else {
            let publications = match &self.kept {
                Shelf::Ring(ring) => {
                    let wanted = ring.kept.range(ring.wanted(query, known, live));
                    in_order(wanted.map(|kept| &kept.publication), query)
                }
                Shelf::Buckets(buckets) if known => in_order(buckets.all(live, span(query)), query),
                Shelf::Buckets(_) => Vec::new(),
            };
            return Draft { page: page(publications), near: None };
        };
        let near = match &self.kept {
            _ if !known => Near { is_lost: true, ..Near::default() },
            Shelf::Ring(ring) => ring.near(query, self.top, live),
            Shelf::Buckets(buckets) => {
                let area = (!audience.is_by_tags).then_some(&*audience.area);
                buckets.near(area, live, span(query), query.reverse)
            }
        };
        Draft { page: page(Vec::new()), near: Some(near) }
    }

    /// As an engine does it that has time.
    #[cfg(test)]
    pub(crate) fn read(&self, query: &HistoryQuery, now: Moment) -> HistoryPage {
        self.draft(query, now).finish(query)
    }

    /// How many publications there are, expired or not.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        match &self.kept {
            Shelf::Ring(ring) => ring.kept.len(),
            Shelf::Buckets(buckets) => buckets.len(),
        }
    }
}

impl Ring {
    fn append(&mut self, publication: Arc<Publication>, size: usize, now: Moment) {
        let bytes = weight(&publication);
        self.kept.push_back(Kept { publication, taken: now, bytes });
        self.bytes += bytes;
        while self.kept.len() > size {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            self.bytes -= kept.bytes;
        }
        if self.kept.is_empty() {
            // A ring that was long once would hold its memory as long as the stream has a position.
            *self = Self::default();
        }
    }

    /// What an audience may get of a stream that was kept without places until now.
    fn near(&self, query: &HistoryQuery, top: u64, live: impl Fn(Moment) -> bool) -> Near {
        let first = self.kept.iter().find(|kept| live(kept.taken));
        let first = first.map_or(top + 1, |kept| kept.publication.offset);
        let wanted = self.wanted(query, true, live);
        let is_lost = span(query).start < first || wanted.len() > limits::HISTORY_LOOKS;
        let wanted = self.kept.range(wanted).map(|kept| kept.publication.clone());
        let publications = if query.reverse {
            wanted.rev().take(limits::HISTORY_LOOKS).collect()
        } else {
            wanted.take(limits::HISTORY_LOOKS).collect()
        };
        Near { publications, is_lost, gone: Vec::new() }
    }

    /// Places in the ring of what a query without limit would give.
    fn wanted(
        &self,
        query: &HistoryQuery,
        known: bool,
        live: impl Fn(Moment) -> bool,
    ) -> Range<usize> {
        let live = self.kept.partition_point(|kept| !live(kept.taken));
        let all = live..self.kept.len();
        let Some(since) = &query.since else { return all };
        if !known {
            return 0..0;
        }
        let (start, end) = if query.reverse {
            (all.start, self.place_of(since.offset))
        } else {
            (all.start.max(self.place_of(since.offset.saturating_add(1))), all.end)
        };
        start.min(end)..end
    }

    /// How many of the kept publications have a lower offset.
    fn place_of(&self, offset: u64) -> usize {
        let Some(first) = self.kept.front() else { return 0 };
        let distance = offset.saturating_sub(first.publication.offset);
        usize::try_from(distance).unwrap_or(usize::MAX).min(self.kept.len())
    }
}

fn in_order<'a>(
    wanted: impl DoubleEndedIterator<Item = &'a Arc<Publication>>,
    query: &HistoryQuery,
) -> Vec<Arc<Publication>> {
    let (page, _) = if query.reverse {
        page_of(wanted.rev(), query.limit)
    } else {
        page_of(wanted, query.limit)
    };
    page
}

/// The offsets that a query asks for.
fn span(query: &HistoryQuery) -> Range<u64> {
    match &query.since {
        None => 1..u64::MAX,
        Some(since) if query.reverse => 1..since.offset.max(1),
        Some(since) => since.offset.saturating_add(1)..u64::MAX,
    }
}

/// What a tag takes besides its text: two strings, their blocks and a share of the map's nodes.
const TAG_OVERHEAD: usize = 128;

/// Bytes that a publication counts for in caps of history and in replies: its contents and a fixed
/// part for the record itself. Details of its publisher count for each publication, although
/// several may share them.
pub(crate) fn weight(publication: &Publication) -> usize {
    let tag = |(key, value): (&String, &String)| TAG_OVERHEAD + key.len() + value.len();
    let tags: usize = publication.tags.iter().map(tag).sum();
    let info = publication.info.as_ref().map_or(0, |info| {
        info.user.len() + info.client.len() + info.connection_info.len() + info.channel_info.len()
    });
    size_of::<Publication>() + size_of::<Kept>() + publication.data.len() + tags + info
}

#[cfg(test)]
mod tests;
