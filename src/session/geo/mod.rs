//! Geography in a session: areas of subscriptions, what is told of objects, fixes, and the calls
//! `geo.*`.

mod backlog;
mod datagram;
mod fix;
mod objects;
mod rpc;
mod subscribe;
mod viewing;

pub(super) use backlog::Telling;
pub(crate) use datagram::Dropped;
pub(super) use objects::map_page;
pub(crate) use objects::{error_of, object_list};
pub(super) use rpc::Call;
pub(crate) use rpc::zone_names;
pub(super) use subscribe::{Named, Sight};
pub(super) use viewing::Viewing;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Moment, UnixMillis};
use crate::channel::Channel;
use crate::geo::Point;
use datagram::Sequences;

/// What a session that uses geography keeps besides its subscriptions.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// Its last fix without a channel, or with one.
    position: Option<Point>,
    /// Channels whose objects go with the session.
    owned: BTreeSet<Channel>,
    /// Channels in which it has set objects, and until when those last without another fix.
    set: BTreeMap<Channel, Moment>,
    /// Names the device for areas that outlive a reconnect: `device` of the connect data.
    device: String,
    /// When that was, where the fix said it.
    position_time: Option<UnixMillis>,
    /// What came by datagram.
    datagrams: Sequences,
    /// The last centre in each channel that limits how fast they may travel. Where there are too
    /// many the oldest is forgotten: a client that connects anew begins anew as well.
    centers: BTreeMap<(Channel, Way), (Point, Moment)>,
}

/// What a centre is of: what a client asks for and what goes with it each travel by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Asked,
    /// Of what follows the session.
    Me,
}
