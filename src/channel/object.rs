//! Moving objects as an object channel keeps and shows them: fixes in, changes out.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::base::{Encoding, Moment, SessionId, UnixMillis};
use crate::geo::{Metres, Point};

/// Where an object was at a time, as a client or a backend reports it. Places are those after the
/// namespace's `snap`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fix {
    /// Names the object in its channel; not empty.
    pub(crate) key: Arc<str>,
    pub(crate) point: Point,
    /// Radius within which the object is believed to be.
    pub(crate) accuracy: Option<Metres>,
    pub(crate) speed_mps: Option<f64>,
    pub(crate) heading_deg: Option<f64>,
    /// By the device's clock. Without it, the time of receipt counts.
    pub(crate) time: Option<UnixMillis>,
    /// The application's JSON, shown as `data`; empty for none.
    pub(crate) data: Bytes,
    /// Seen by `where`.
    pub(crate) tags: BTreeMap<String, String>,
    /// The session with which the object goes (`key = "client"`).
    pub(crate) owner: Option<SessionId>,
    /// When this node took it up.
    pub(crate) accepted: Moment,
}

/// An object as it is now.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) fix: Fix,
    /// The device's clock was ahead and the time is that of receipt, or the implied speed is over
    /// the namespace's limit.
    pub(crate) suspect: bool,
    /// As pushes of it are written, each once for all who get the same.
    pub(crate) written: Written,
}

/// What happened to an object, as one subscription sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    Enter,
    Move,
    Exit,
    Inside,
    Outside,
    Cross,
    Dwell,
    Approach,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    Moved,
    Created,
    Deleted,
    Expired,
    Offline,
    /// The object's tags no longer pass `where`, or pass now.
    Filter,
    AreaChanged,
    Snapshot,
}

/// Pushes of one state of an object, written when the first session needs them. Enter, move and
/// exit for stream and map subscriptions in both encodings: what differs for a session (distance)
/// or is rare is written for it alone.
#[derive(Debug, Default)]
pub(crate) struct Written {
    bodies: [OnceLock<Bytes>; 12],
}

/// How a subscription sees objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Publications whose data tells what happened.
    Stream,
    /// Entries of a map: enter and move set a key, exit removes it.
    Map,
}

impl Written {
    /// The shared body, written by `write` if it is not there; `None` where bodies of this kind
    /// are not shared. One state has one reason to be told, save snapshots and moved areas, which
    /// are not shared either.
    pub(crate) fn shared(
        &self,
        encoding: Encoding,
        form: Form,
        happening: Happening,
        write: impl FnOnce() -> Bytes,
    ) -> Option<&Bytes> {
        let kind = match happening {
            Happening::Enter => 0,
            Happening::Move => 1,
            Happening::Exit => 2,
            Happening::Inside
            | Happening::Outside
            | Happening::Cross
            | Happening::Dwell
            | Happening::Approach => return None,
        };
        let form = match form {
            Form::Stream => 0,
            Form::Map => 1,
        };
        let encoding = match encoding {
            Encoding::Json => 0,
            Encoding::Protobuf => 1,
        };
        Some(self.bodies[kind * 4 + form * 2 + encoding].get_or_init(write))
    }
}

/// An object in a snapshot or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) object: Arc<Object>,
    /// From the centre of the area or of the query, where the subscription asked for it.
    pub(crate) distance: Option<Metres>,
}
