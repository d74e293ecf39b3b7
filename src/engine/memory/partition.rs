//! What one partition keeps and what happens to it under its lock. No waiting, no clock.

use std::sync::Arc;

use crate::base::{Moment, Now, Partition, limits};
use crate::channel::{Channel, Draft, Event, EventKind, HistoryQuery, Position, Publication};
use crate::engine::memory::answers::{Answers, Key};
use crate::engine::memory::epoch::Epochs;
use crate::engine::memory::streams::{Caps, Streams};
use crate::engine::{MemoryOptions, Place, PublishOptions, Retention};

#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) streams: Streams,
    answers: Answers,
    /// The latest moment that a caller brought. Callers read the clock before they wait for their
    /// turn, so their moments arrive out of order, and everything in here relies on order.
    latest: Moment,
}

impl PartitionState {
    pub(super) fn new(options: &MemoryOptions, boot: u64, partition: Partition) -> Self {
        let caps = Caps {
            bytes: options.history_bytes_max / limits::PARTITIONS,
            streams: share(options.streams_max),
            meta_ttl: options.history_meta_ttl,
        };
        Self {
            streams: Streams::new(caps, Epochs::new(boot, partition)),
            answers: Answers::new(options.idempotency_ttl, share(options.idempotency_keys_max)),
            latest: Moment::default(),
        }
    }

    /// Appends and emits, or finds that this was published before and gives the place back.
    pub(super) fn publish(
        &mut self,
        channel: &Channel,
        mut publication: Publication,
        options: PublishOptions,
        now: Now,
        place: Box<dyn Place>,
    ) -> Position {
        let moment = self.advance(now.moment);
        let key = options.idempotency_key.map(|key| Key { channel: channel.clone(), key });
        if let Some(earlier) = key.as_ref().and_then(|key| self.answers.find(key, moment)) {
            return earlier;
        }
        publication.time = now.unix;
        publication.accepted = now.moment;
        let (publication, position) = match options.retention {
            Some(retention) => self.streams.append(channel, publication, retention, moment),
            None => {
                publication.offset = 0;
                (Arc::new(publication), Position::default())
            }
        };
        if let Some(key) = key {
            self.answers.remember(key, position.clone(), moment);
        }
        let epoch = Arc::clone(&position.epoch);
        let kind = EventKind::Publication { publication, epoch };
        place.emit(Event { channel: channel.clone(), kind });
        position
    }

    pub(super) fn history(
        &mut self,
        channel: &Channel,
        query: &HistoryQuery,
        retention: Retention,
        now: Now,
    ) -> Draft {
        let moment = self.advance(now.moment);
        self.streams.read(channel, query, retention, moment)
    }

    pub(super) fn remove_history(&mut self, channel: &Channel) {
        self.streams.clear(channel);
    }

    /// Drops what expired, in about `steps` steps, and says how many it took; fewer than `steps`
    /// means that nothing expired is left.
    pub(super) fn expire(&mut self, now: Now, steps: usize) -> usize {
        let moment = self.advance(now.moment);
        let taken = self.streams.expire(moment, steps);
        taken + self.answers.expire(moment, steps.saturating_sub(taken))
    }

    fn advance(&mut self, moment: Moment) -> Moment {
        self.latest = self.latest.max(moment);
        self.latest
    }
}

/// A partition's share of a cap; at least one, or some channels could not be used at all.
fn share(total: usize) -> usize {
    (total / limits::PARTITIONS).max(1)
}
