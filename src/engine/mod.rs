//! Engines: where publications are numbered and kept and presence is counted. One trait goes down
//! ([`Broker`], [`Presence`]: we call an engine), one comes up ([`EventSink`]: an engine calls us).
//! An engine never knows of lanes, sessions or transports.

#[cfg(test)]
mod contract;
mod memory;
mod options;

pub(crate) use memory::{MemoryEngine, MemoryPresence};
pub(crate) use options::MemoryOptions;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::{ClientId, Now, Partition};
use crate::channel::{
    Channel, ClientDetails, Event, EventKind, GeoKind, HistoryPage, HistoryQuery, Keep,
    NamespaceOptions, Position, Publication,
};

/// A future that an engine returns; polled by the caller's task.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why an engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    /// The node is going down or the engine is out of reach; worth another try.
    #[error("engine is not available: {0}")]
    Unavailable(&'static str),
}

/// What to keep of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublishOptions {
    /// How the channel's stream is kept; `None` publishes without number and history.
    pub(crate) retention: Option<Retention>,
    /// A second publication under the same key within the engine's window (5 minutes) is not
    /// appended: it gets the first one's answer.
    pub(crate) idempotency_key: Option<String>,
}

/// How much of a stream is kept. What comes with a publication rules the whole stream from there
/// on; what comes with a read rules a stream that the read creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) size: usize,
    pub(crate) ttl: std::time::Duration,
    /// How long position and epoch outlive the last publication or read; `None`: the engine's
    /// default. They are kept at least as long as the publications.
    pub(crate) meta_ttl: Option<std::time::Duration>,
    /// Of a geo event channel: publications are kept in buckets by place, `size` in each, and so
    /// many bytes in all of them.
    pub(crate) buckets: Option<usize>,
}

impl Retention {
    /// What a namespace keeps; `None` where it keeps nothing.
    pub(crate) fn of(options: &NamespaceOptions) -> Option<Self> {
        options.keeps_history().then_some(Self {
            size: options.history_size,
            ttl: options.history_ttl,
            meta_ttl: options.history_meta_ttl,
            buckets: options
                .geo
                .as_ref()
                .filter(|geo| geo.kind == GeoKind::Events)
                .map(|geo| geo.history_bytes_max),
        })
    }

    pub(crate) fn keep(&self) -> Keep {
        Keep { size: self.size, buckets: self.buckets, ttl: self.ttl }
    }
}

/// Numbers, keeps and distributes publications.
///
/// Duties: offsets of a stream start at 1 and grow by one; the events of a partition reach the
/// [`EventSink`] in offset order for each channel, publications, joins and leaves alike; a
/// publication is answered when it is appended, whoever has received it by then; where continuity
/// cannot be proved the engine emits [`crate::channel::EventKind::Gap`]. A full sink makes the
/// publisher wait *before* the append, so that nothing that was appended is lost.
pub(crate) trait Broker: Send + Sync + Debug {
    /// Appends and distributes. The position is `(0, "")` for a publication without retention. The
    /// engine sets offset and times of the publication. A future that is dropped before it is done
    /// has published the publication once or not at all.
    fn publish<'a>(
        &'a self,
        channel: &'a Channel,
        publication: Publication,
        options: PublishOptions,
        now: Now,
    ) -> Pending<'a, Result<Position, EngineError>>;

    /// Distributes what is neither numbered nor kept, in order with publications: joins and leaves,
    /// fixes and removals of objects.
    fn emit<'a>(
        &'a self,
        channel: &'a Channel,
        kind: EventKind,
    ) -> Pending<'a, Result<(), EngineError>>;

    /// Reads a stream. A stream that never was is created empty, so that its epoch lasts; its
    /// position is then `(0, epoch)`. A query whose epoch is another than the stream's is answered
    /// with no publications and the stream's true top: the caller compares.
    fn history<'a>(
        &'a self,
        channel: &'a Channel,
        query: HistoryQuery,
        retention: Retention,
        now: Now,
    ) -> Pending<'a, Result<HistoryPage, EngineError>>;

    /// Forgets the publications of a stream, not its position.
    fn remove_history<'a>(&'a self, channel: &'a Channel) -> Pending<'a, Result<(), EngineError>>;

    /// Gives back the memory of what expired; called about once a second, does bounded work. What
    /// expired is never read, whether this was called or not.
    fn expire(&self, now: Now);
}

/// One client in a channel, and what others may know of it.
pub(crate) type Member = (ClientId, Arc<ClientDetails>);

/// Who is in a channel.
pub(crate) trait Presence: Send + Sync + Debug {
    fn add<'a>(
        &'a self,
        channel: &'a Channel,
        client: ClientId,
        details: Arc<ClientDetails>,
    ) -> Pending<'a, Result<(), EngineError>>;

    fn remove<'a>(
        &'a self,
        channel: &'a Channel,
        client: ClientId,
    ) -> Pending<'a, Result<(), EngineError>>;

    /// Everyone in the channel, in no order.
    fn members<'a>(&'a self, channel: &'a Channel)
    -> Pending<'a, Result<Vec<Member>, EngineError>>;

    /// Number of clients and of distinct users; cheaper than [`Presence::members`].
    fn counts<'a>(
        &'a self,
        channel: &'a Channel,
    ) -> Pending<'a, Result<PresenceCounts, EngineError>>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PresenceCounts {
    pub(crate) clients: usize,
    pub(crate) users: usize,
}

/// Where an engine puts the events of each partition: in production, the lane that owns it.
pub(crate) trait EventSink: Send + Sync + Debug {
    /// Waits for a place in the partition's queue. An engine reserves before it appends and then
    /// emits without waiting, while it still holds whatever orders its appends.
    fn reserve(&self, partition: Partition) -> Pending<'_, Result<Box<dyn Place>, EngineError>>;
}

/// A reserved place in a partition's queue; given back when it is dropped unused.
pub(crate) trait Place: Send + Debug {
    fn emit(self: Box<Self>, event: Event);
}
