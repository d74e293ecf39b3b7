//! What a session wants done: it calls no one, it leaves requests and writes for the connection
//! that drives it.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::geo::Dropped;
use crate::base::{ClientId, Moment, SubId, limits};
use crate::channel::{
    AreaSource, Channel, ClientDetails, Delivery, Fix, GeoOptions, HistoryPage, HistoryQuery,
    ObjectName, ObjectQuery, Publication, Refusal, Sighting,
};
use crate::geo::Point;
use crate::protocol::Disconnect;

/// Everything that one input made a session want.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    heads: Vec<u8>,
    writes: Vec<Written>,
    /// Subscriptions whose rows of messages end, after the writes.
    pub(crate) ended_rows: Vec<SubId>,
    /// In the order in which they must be carried out.
    pub(crate) requests: VecDeque<Request>,
    /// A ping of the transport's own is due.
    pub(crate) native_ping: bool,
    /// What happened, for metrics.
    pub(crate) notes: Vec<Note>,
    /// The connection must end with this, after the writes.
    pub(crate) close: Option<Disconnect>,
}

#[derive(Debug)]
struct Written {
    head: Range<usize>,
    body: Bytes,
    row: Option<SubId>,
    accepted: Option<Moment>,
}

/// One message for the client: the concatenation of both parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a Bytes,
    /// The subscription in whose row of messages it stands, by itself where the transport can.
    pub(crate) row: Option<SubId>,
    /// For a publication, when its node took it up.
    pub(crate) accepted: Option<Moment>,
}

/// Something worth counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A command of this name was taken up.
    Command(&'static str),
    /// A command was answered by this error.
    Failed { code: u32 },
    /// The server ended a subscription.
    Unsubscribed { code: u32 },
    /// A subscriber that came back was told everything it missed, or not.
    Recovered(bool),
    /// So many changes of objects were overtaken by later ones before the client was told.
    Conflated(usize),
    /// A fix that came without an id was wrong.
    FixDropped,
    /// A datagram counted for nothing.
    DatagramDropped(Dropped),
}

impl Actions {
    /// Messages for the client, in order.
    pub(crate) fn writes(&self) -> impl Iterator<Item = Write<'_>> {
        self.writes.iter().map(|written| Write {
            head: &self.heads[written.head.clone()],
            body: &written.body,
            row: written.row,
            accepted: written.accepted,
        })
    }

    /// Forgets everything, to be used again; memory is kept, but no more than a frame's worth.
    pub(crate) fn clear(&mut self) {
        if self.heads.capacity() > limits::MESSAGE_BYTES {
            *self = Self::default();
        }
        self.heads.clear();
        self.writes.clear();
        self.ended_rows.clear();
        self.requests.clear();
        self.notes.clear();
        self.native_ping = false;
        self.close = None;
    }

    pub(super) fn write(&mut self, row: Option<SubId>, message: Bytes) {
        self.write_push(row, message, None, |_| {});
    }

    /// A message whose head `head` appends to the buffer that it gets.
    pub(super) fn write_push(
        &mut self,
        row: Option<SubId>,
        body: Bytes,
        accepted: Option<Moment>,
        head: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.heads.len();
        head(&mut self.heads);
        let head = start..self.heads.len();
        self.writes.push(Written { head, body, row, accepted });
    }
}

/// Whose moved area it is: a user (empty for an anonymous one) on a device (empty where it has no
/// name) in a channel with its label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AreaOwner {
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) channel: Channel,
}

/// By what a moved area is found again.
#[derive(Clone, Debug)]
pub(crate) struct Recall {
    pub(crate) owner: AreaOwner,
    /// Of what the client asked for at first, and of what it might have asked for.
    pub(crate) asked: u64,
}

/// What a session asks of the node. Requests of one session are carried out one after the other
/// and each has exactly one [`Answer`], in the same order.
#[derive(Debug)]
pub(crate) enum Request {
    /// Enters the node's directory of users.
    Enter {
        user: String,
        single_connection: bool,
    },
    /// Leaves it.
    Exit {
        user: String,
    },
    /// Subscribes; the lane says `Joined` through the mailbox.
    Join {
        channel: Channel,
        sub: SubId,
        delivery: Delivery,
        /// Another area may be kept for it.
        recall: Option<Recall>,
    },
    /// Keeps the area for who joins as this.
    Remember {
        recall: Recall,
        area: AreaSource,
        /// About what it takes.
        bytes: usize,
    },
    /// The client gave the channel up, and with it the area that was kept.
    ForgetArea {
        owner: AreaOwner,
    },
    /// Gives a subscription another area; the lane says `Moved` through the mailbox.
    MoveArea {
        channel: Channel,
        sub: SubId,
        area: AreaSource,
        /// Of the session, as the namespace knows it.
        position: Option<Point>,
        token: u32,
    },
    /// The session is elsewhere, for these subscriptions, and so is its object; done when all lanes
    /// have applied it.
    Locate {
        subs: Vec<(Channel, SubId, Point)>,
        fix: Option<(Channel, Arc<Fix>, Arc<GeoOptions>)>,
    },
    PublishFix {
        channel: Channel,
        fix: Arc<Fix>,
        options: Arc<GeoOptions>,
    },
    RemoveObject {
        channel: Channel,
        key: Arc<str>,
    },
    /// The session's own objects in the channel go.
    Offline {
        channel: Channel,
    },
    /// The subscription's area follows an object, or no longer does.
    Follow {
        object: ObjectName,
        by: (Channel, SubId),
        options: Arc<GeoOptions>,
        begins: bool,
    },
    Query {
        channel: Channel,
        query: ObjectQuery,
    },
    ZonesAt {
        at: Point,
    },
    Leave {
        channel: Channel,
        sub: SubId,
    },
    Publish {
        channel: Channel,
        publication: Publication,
    },
    History {
        channel: Channel,
        query: HistoryQuery,
    },
    AddPresence {
        channel: Channel,
        details: Arc<ClientDetails>,
    },
    RemovePresence {
        channel: Channel,
    },
    Presence {
        channel: Channel,
    },
    PresenceStats {
        channel: Channel,
    },
    /// Tells a channel's subscribers of a join (`true`) or leave.
    Announce {
        channel: Channel,
        details: Arc<ClientDetails>,
        joined: bool,
    },
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    /// The node has as many connections of this user as it may have.
    OverLimit,
    /// The node is going down.
    ShuttingDown,
    Published,
    /// What was remembered.
    Joined(Option<AreaSource>),
    /// With whether there are more.
    Objects(Result<(Vec<Sighting>, bool), Refusal>),
    /// Names of zones.
    Zones(Vec<Arc<str>>),
    History(HistoryPage),
    Presence(Vec<(ClientId, Arc<ClientDetails>)>),
    PresenceStats {
        clients: usize,
        users: usize,
    },
    /// The engine is out of reach; worth another try.
    Unavailable,
}
