//! What is published in a channel and how it is kept: publications, positions and queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Moment, UnixMillis};
use crate::channel::{Audience, Channel, Fix, GeoOptions};
use crate::geo::{Area, Place};

/// Where a reader stands in a channel's stream. Offsets start at 1 and grow by one; the epoch is
/// opaque and fixed for the life of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    pub(crate) epoch: Arc<str>,
}

/// What others may know of a client: in presence, joins and leaves, and beside its publications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientDetails {
    pub(crate) user: String,
    pub(crate) client: String,
    /// JSON of the application's, empty for none.
    pub(crate) connection_info: Bytes,
    /// JSON of the application's for this channel, empty for none.
    pub(crate) channel_info: Bytes,
}

/// One message published in a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Publication {
    /// Place in the stream, from 1; 0 where the channel keeps no stream. Set by the engine.
    pub(crate) offset: u64,
    /// The application's data: JSON, or anything in a namespace that is declared binary.
    pub(crate) data: Bytes,
    /// The client that published it; none for the server API.
    pub(crate) info: Option<Arc<ClientDetails>>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Subscriptions with deltas get it as a patch against the one before.
    pub(crate) delta: bool,
    /// In a geo channel, where it happened.
    pub(crate) place: Option<Arc<Place>>,
    /// In a geo channel, where subscribers must be to get it; everywhere without.
    pub(crate) reach: Option<Arc<Area>>,
    /// When the engine accepted it. Set by the engine.
    pub(crate) time: UnixMillis,
    /// When this node took it up, for the latency from publish to write. Set by the engine.
    pub(crate) accepted: Moment,
}

/// Something that happened in a channel, as the engine tells the channel's lane.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) channel: Channel,
    pub(crate) kind: EventKind,
}

#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    /// `epoch` is that of the stream, or empty where the channel keeps none.
    Publication {
        publication: Arc<Publication>,
        epoch: Arc<str>,
    },
    /// Where an object of an object channel is. The namespace's options rule the channel from here
    /// on.
    Fix(Arc<Fix>, Arc<GeoOptions>),
    /// An object is gone.
    Removed {
        key: Arc<str>,
    },
    Join(Arc<ClientDetails>),
    Leave(Arc<ClientDetails>),
    /// The engine cannot prove that nothing was missed: subscribers must recover.
    #[cfg_attr(not(test), expect(dead_code, reason = "the memory engine misses nothing"))]
    Gap,
}

/// Which publications of a stream are wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistoryQuery {
    /// At most so many publications; 0 asks for the position of the stream alone.
    pub(crate) limit: usize,
    /// Only what lies after (in reverse: before) this position.
    pub(crate) since: Option<Since>,
    /// Newest first.
    pub(crate) reverse: bool,
    /// In a geo event channel, only what this subscriber gets.
    pub(crate) audience: Option<Arc<Audience>>,
}

/// A position as a client presents it: its epoch may be unknown to it (empty).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) offset: u64,
    pub(crate) epoch: String,
}

/// What a stream holds of what was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HistoryPage {
    /// In the order asked for.
    pub(crate) publications: Vec<Arc<Publication>>,
    /// Top of the stream at the same instant. A stream that never was has offset 0 and an epoch
    /// of its own, which it keeps.
    pub(crate) top: Position,
    /// Of a query with an audience: whether nothing that it would have got after `since` is missing
    /// here, be it dropped, expired, or cut off; in doubt false. `None` of other queries: there
    /// offsets without a hole say so.
    pub(crate) complete: Option<bool>,
}
