//! A channel's stream: publications numbered from 1, the newest of them kept, and the position and
//! epoch that outlive them. It knows neither channels nor engines; time is an argument that must
//! not go back from one call to the next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, limits};
use crate::channel::{HistoryPage, HistoryQuery, Position, Publication};

/// The stream of one channel. The publications kept have consecutive offsets that end at the top,
/// so what is missing is always a prefix.
#[derive(Debug)]
pub(crate) struct Stream {
    epoch: Arc<str>,
    top: u64,
    /// Newest last.
    kept: VecDeque<Kept>,
    bytes: usize,
    /// How long each publication is kept: one duration for all, so that the oldest expires first.
    ttl: Duration,
}

#[derive(Debug)]
struct Kept {
    publication: Arc<Publication>,
    taken: Moment,
    bytes: usize,
}

impl Stream {
    pub(crate) fn new(epoch: Arc<str>, ttl: Duration) -> Self {
        Self { epoch, top: 0, kept: VecDeque::new(), bytes: 0, ttl }
    }

    pub(crate) fn position(&self) -> Position {
        Position { offset: self.top, epoch: Arc::clone(&self.epoch) }
    }

    /// Bytes of what is kept, expired or not, as [`weight`] counts them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How long publications are kept, as the latest one said.
    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// When the oldest publication that is kept was appended.
    pub(crate) fn oldest(&self) -> Option<Moment> {
        self.kept.front().map(|kept| kept.taken)
    }

    /// When the oldest publication that is kept expires.
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        self.oldest().map(|taken| taken.after(self.ttl))
    }

    /// Gives the publication the next offset and keeps it. `size` and `ttl` rule the whole stream
    /// from here on, but what had expired before is not revived by a longer `ttl`.
    pub(crate) fn append(
        &mut self,
        mut publication: Publication,
        size: usize,
        ttl: Duration,
        now: Moment,
    ) -> Arc<Publication> {
        debug_assert!(self.kept.back().is_none_or(|last| last.taken <= now), "time went back");
        self.drop_expired(now, usize::MAX);
        self.ttl = ttl;
        self.top += 1;
        publication.offset = self.top;
        let bytes = weight(&publication);
        let publication = Arc::new(publication);
        self.kept.push_back(Kept { publication: Arc::clone(&publication), taken: now, bytes });
        self.bytes += bytes;
        while self.kept.len() > size {
            self.drop_oldest();
        }
        publication
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

    /// Drops the oldest publication, if there is one.
    pub(crate) fn drop_oldest(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            self.bytes -= kept.bytes;
        }
        if self.kept.is_empty() {
            // A ring that was long once would hold its memory as long as the stream has a position.
            self.clear();
        }
    }

    /// Drops every publication; the position stays.
    pub(crate) fn clear(&mut self) {
        self.kept = VecDeque::new();
        self.bytes = 0;
    }

    /// What is kept and not expired of what was asked for. A page ends early at
    /// [`limits::HISTORY_REPLY_BYTES`], but never before its first publication.
    pub(crate) fn read(&self, query: &HistoryQuery, now: Moment) -> HistoryPage {
        let wanted = self.kept.range(self.wanted(query, now));
        let publications =
            if query.reverse { page(wanted.rev(), query.limit) } else { page(wanted, query.limit) };
        HistoryPage { publications, top: self.position() }
    }

    /// Places in the ring of what a query without limit would give.
    fn wanted(&self, query: &HistoryQuery, now: Moment) -> Range<usize> {
        let live = self.kept.partition_point(|kept| kept.taken.after(self.ttl) <= now);
        let all = live..self.kept.len();
        let Some(since) = &query.since else { return all };
        if !since.epoch.is_empty() && *since.epoch != *self.epoch {
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

fn page<'a>(kept: impl Iterator<Item = &'a Kept>, limit: usize) -> Vec<Arc<Publication>> {
    let mut bytes = 0;
    kept.take(limit)
        .take_while(|kept| {
            let first = bytes == 0;
            bytes += kept.bytes;
            first || bytes <= limits::HISTORY_REPLY_BYTES
        })
        .map(|kept| Arc::clone(&kept.publication))
        .collect()
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
