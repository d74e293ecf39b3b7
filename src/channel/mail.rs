//! What a session is told through its mailbox: the one ordered way from lanes and the server to a
//! session. Bodies are shared by all sessions that get the same one.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Moment, SubId, UnixMillis};
use crate::channel::{
    Audience, Change, Channel, Happening, Moved, Reason, Refusal, Sighting, Since, TagFilter, View,
};
use crate::geo::Metres;

/// One entry of a mailbox.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// The lane has the subscription: every later event of the channel comes through this mailbox.
    Joined { sub: SubId, at: Start },
    /// The lane does not take the subscription: nothing more comes for it.
    Refused { sub: SubId, refusal: Box<Refusal> },
    /// Something happened to an object, as this subscription sees it.
    Object {
        sub: SubId,
        happening: Happening,
        reason: Reason,
        change: Arc<Change>,
        /// From the centre of the area, where the subscription asked for it.
        distance: Option<Metres>,
        /// A transition of a fence, each of which counts, rather than the object's latest state.
        is_transition: bool,
    },
    /// The area is the one of the request `token`, and what changed by that; or it stays as it was.
    Moved { sub: SubId, token: u32, moved: Box<Result<Moved, Refusal>> },
    /// An event for a subscription, already encoded for the session's format.
    Push { sub: SubId, epoch: EpochTag, body: PushBody },
    /// Continuity is lost: what came before may have a hole behind it.
    Gap { sub: SubId },
    /// The server's word to the session itself.
    Server(Box<ServerCommand>),
}

/// What a subscription begins with.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    Plain,
    /// In a geo event channel: who it is, for what it recovers.
    Events(Arc<Audience>),
    /// In an object channel: the objects that are in the area now, by key.
    Objects(Arc<[Sighting]>),
}

/// Tells successive streams of one channel apart, in what room a mailbox entry has: equal for equal
/// epochs, and different for different ones but once in 65,536.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochTag(u16);

impl EpochTag {
    /// FNV-1a, folded; zero for the empty epoch of what is not numbered.
    pub(crate) fn of(epoch: &str) -> Self {
        if epoch.is_empty() {
            return Self(0);
        }
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let [a, b, c, d] = epoch.bytes().fold(0x811c_9dc5, step).to_le_bytes();
        Self(u16::from_le_bytes([a ^ c, b ^ d]))
    }
}

/// Which events of its channel a subscription gets besides publications, which of those, and how
/// they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// Joins and leaves of others.
    pub(crate) join_leave: bool,
    /// Publications are patches against the one before where the publisher and the sizes allow.
    pub(crate) delta: bool,
    /// Publications that do not pass are not delivered; each passes where there is no filter.
    pub(crate) tags: Option<Arc<TagFilter>>,
    /// In a geo channel, the area and what is told of it.
    pub(crate) view: Option<Arc<View>>,
}

/// A push without its head: the session writes the channel's name or number before it.
#[derive(Clone, Debug)]
pub(crate) struct PushBody {
    /// Offset of a publication in its stream; 0 for one without, and for joins and leaves.
    pub(crate) offset: u64,
    /// When the publication was taken up, for the latency metric.
    pub(crate) accepted: Moment,
    /// The event as a whole.
    pub(crate) bytes: Bytes,
    /// Of a publication for a subscription with deltas: what may go in place of `bytes`.
    pub(crate) delta: Option<Arc<DeltaBody>>,
}

/// A publication as a step from the one before it in its channel.
#[derive(Clone, Debug)]
pub(crate) struct DeltaBody {
    /// Counts what the lane delivered to the channel's subscriptions with deltas.
    pub(crate) sequence: u64,
    /// The push as a patch, for those who have the publication whose sequence is one less.
    pub(crate) patch: Option<Bytes>,
}

/// What the server API asks of a session.
#[derive(Clone, Debug)]
pub(crate) enum ServerCommand {
    /// Adds a server-side subscription, as a token's `subs` would.
    Subscribe {
        channel: Channel,
        options: Arc<ServerSubscribe>,
    },
    /// Ends a subscription of either side.
    Unsubscribe {
        channel: Channel,
    },
    /// Moves or removes the connection's expiry: `None` lets it never expire, a time in the past
    /// disconnects it.
    Refresh {
        expire_at: Option<UnixMillis>,
    },
    Disconnect {
        code: u16,
        reason: String,
    },
}

/// How a server-side subscription differs from its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerSubscribe {
    /// JSON shown to others in this channel.
    pub(crate) info: Bytes,
    /// JSON for the client, in the subscribe push.
    pub(crate) data: Bytes,
    /// In a geo channel whose label is no area: the area and what is told of it, as in a client's
    /// subscribe data.
    pub(crate) area: Bytes,
    pub(crate) overrides: Overrides,
    /// Recover from here first.
    pub(crate) recover_since: Option<Since>,
    pub(crate) expire_at: Option<UnixMillis>,
}

/// Options of a namespace that a token or an API request turns on or off for one subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) presence: Option<bool>,
    pub(crate) join_leave: Option<bool>,
    pub(crate) force_push_join_leave: Option<bool>,
    pub(crate) force_recovery: Option<bool>,
    pub(crate) force_positioning: Option<bool>,
}

const _: () = assert!(size_of::<Mail>() <= 64, "a mailbox entry is one cache line");
