//! The memory engine: everything in this process, nothing survives it. Channels are split over the
//! partitions; each has its own lock, its own share of every cap and its own order of events.

mod agenda;
mod answers;
mod epoch;
mod partition;
mod presence;
mod recency;
mod streams;

pub(crate) use presence::MemoryPresence;

use std::sync::{Arc, Mutex, MutexGuard};

use crate::base::{Now, Partition, limits};
use crate::channel::{Channel, Event, EventKind, HistoryPage, HistoryQuery, Position, Publication};
use crate::engine::memory::partition::PartitionState;
use crate::engine::{
    Broker, EngineError, EventSink, MemoryOptions, Pending, PublishOptions, Retention,
};

/// Broker of a single node. Nothing is ever waited for but a place in the sink: whatever happens
/// under a partition's lock is done when the lock is released, so a caller that goes away while it
/// waits has published nothing, and one that goes away later has published once.
#[derive(Debug)]
pub(crate) struct MemoryEngine {
    /// One lock for each partition, by its index, because append and emit must have one order and
    /// be done before the publisher is answered (decision 0003). Held only for a moment, never
    /// across an await, never two at a time.
    partitions: Box<[Mutex<PartitionState>]>,
    sink: Arc<dyn EventSink>,
}

impl MemoryEngine {
    /// `boot` must differ from that of every earlier run of this node: epochs are made of it.
    pub(crate) fn new(options: &MemoryOptions, boot: u64, sink: Arc<dyn EventSink>) -> Self {
        let partitions = Partition::all()
            .map(|partition| Mutex::new(PartitionState::new(options, boot, partition)))
            .collect();
        Self { partitions, sink }
    }

    fn lock(&self, partition: Partition) -> Result<MutexGuard<'_, PartitionState>, EngineError> {
        // After a panic halfway through a change the offsets can no longer be trusted.
        self.partitions[partition.index()]
            .lock()
            .map_err(|_poisoned| EngineError::Unavailable("a partition has failed"))
    }
}

impl Broker for MemoryEngine {
    fn publish<'a>(
        &'a self,
        channel: &'a Channel,
        publication: Publication,
        options: PublishOptions,
        now: Now,
    ) -> Pending<'a, Result<Position, EngineError>> {
        Box::pin(async move {
            let partition = channel.partition();
            let place = self.sink.reserve(partition).await?;
            Ok(self.lock(partition)?.publish(channel, publication, options, now, place))
        })
    }

    fn emit<'a>(
        &'a self,
        channel: &'a Channel,
        kind: EventKind,
    ) -> Pending<'a, Result<(), EngineError>> {
        Box::pin(async move {
            // No lock: the order is that of the sink, and nothing here has to agree with it.
            let place = self.sink.reserve(channel.partition()).await?;
            place.emit(Event { channel: channel.clone(), kind });
            Ok(())
        })
    }

    fn history<'a>(
        &'a self,
        channel: &'a Channel,
        query: HistoryQuery,
        retention: Retention,
        now: Now,
    ) -> Pending<'a, Result<HistoryPage, EngineError>> {
        Box::pin(async move {
            let draft = self.lock(channel.partition())?.history(channel, &query, retention, now);
            Ok(draft.finish(&query))
        })
    }

    fn remove_history<'a>(&'a self, channel: &'a Channel) -> Pending<'a, Result<(), EngineError>> {
        Box::pin(async move {
            self.lock(channel.partition())?.remove_history(channel);
            Ok(())
        })
    }

    fn expire(&self, now: Now) {
        for partition in Partition::all() {
            // The lock is given back between rounds, so that publishers wait for one at most.
            for _ in 0..limits::EXPIRY_ROUNDS {
                let Ok(mut state) = self.lock(partition) else { break };
                let dropped = state.expire(now, limits::EXPIRY_STEPS);
                if dropped < limits::EXPIRY_STEPS {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
