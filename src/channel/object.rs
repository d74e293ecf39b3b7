//! Moving objects as an object channel keeps and shows them: fixes in, changes out.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::base::{Encoding, Moment, SessionId, UnixMillis};
use crate::geo::{Metres, Point, Transition};

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

#[cfg(test)]
impl Fix {
    /// One that says where and nothing else.
    pub(crate) fn bare(key: &str, point: Point) -> Self {
        Self {
            key: key.into(),
            point,
            accuracy: None,
            speed_mps: None,
            heading_deg: None,
            time: None,
            data: Bytes::new(),
            tags: BTreeMap::new(),
            owner: None,
            accepted: Moment(0),
        }
    }
}

/// An object as it is now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) fix: Fix,
    /// The device's clock was ahead and the time is that of receipt, or the implied speed is over
    /// the namespace's limit.
    pub(crate) suspect: bool,
}

/// Something that happened to an object, as all subscriptions share it.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) object: Arc<Object>,
    pub(crate) written: Written,
}

/// What happened to an object, as one subscription sees it. `Exit` of a change that is a move has
/// the new place, every other the last one.
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

/// Pushes of one change, written when the first session needs them: what is told most, for stream
/// and map subscriptions in both encodings. What differs for a session (distance) or is rare is
/// written for it alone.
#[derive(Debug, Default)]
pub(crate) struct Written {
    bodies: [OnceLock<Bytes>; 20],
}

/// How a subscription sees objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Publications whose data tells what happened.
    Stream,
    /// Entries of a map: enter and move set a key, exit removes it.
    Map,
}

impl Change {
    pub(crate) fn new(object: Arc<Object>) -> Self {
        Self { object, written: Written::default() }
    }
}

impl Written {
    /// The shared body, written by `write` if it is not there; `None` where bodies of this kind
    /// are not shared.
    pub(crate) fn shared(
        &self,
        encoding: Encoding,
        form: Form,
        happening: Happening,
        reason: Reason,
        write: impl FnOnce() -> Bytes,
    ) -> Option<&Bytes> {
        let kind = match (happening, reason) {
            (Happening::Enter, Reason::Moved) => 0,
            (Happening::Enter, Reason::Created) => 1,
            (Happening::Move, Reason::Moved) => 2,
            (Happening::Exit, Reason::Moved) => 3,
            // Each change is one of them for all.
            (Happening::Exit, Reason::Deleted | Reason::Expired | Reason::Offline) => 4,
            (_, _) => return None,
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

/// What a moved area added and removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) added: Vec<Sighting>,
    pub(crate) removed: Vec<Arc<Object>>,
}

impl Moved {
    /// The most that an area costs for each object that it may have: others may leave as they come.
    pub(crate) const OBJECT_BYTES: usize = size_of::<Sighting>() + size_of::<Arc<Object>>();

    /// What its lists cost.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.added) + size_of_val(&*self.removed)
    }
}

/// Why a lane does not take a subscription, an area or a fence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("area: {count} objects in it, at most {most}")]
    TooManyObjects { count: usize, most: usize },
    #[error("zone: no zone {0:?}")]
    UnknownZone(Arc<str>),
    #[error("channel: holds other things than its namespace says; try again")]
    OtherKind,
    #[error("fences: at most {0} in a channel")]
    TooManyFences(usize),
}

impl From<Transition> for Happening {
    fn from(transition: Transition) -> Self {
        match transition {
            Transition::Enter => Self::Enter,
            Transition::Exit => Self::Exit,
            Transition::Inside => Self::Inside,
            Transition::Outside => Self::Outside,
            Transition::Cross => Self::Cross,
            Transition::Dwell => Self::Dwell,
            Transition::Approach => Self::Approach,
        }
    }
}

impl Happening {
    /// What two that follow one another are together for a client that is told late; nothing
    /// where the object came and went.
    pub(crate) fn and_then(self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Enter, Self::Exit) => None,
            (Self::Enter, _) => Some(Self::Enter),
            (Self::Exit, Self::Enter) => Some(Self::Move),
            (_, next) => Some(next),
        }
    }

    /// The reason to tell for both.
    pub(crate) fn reason(self, before: Reason, next: Reason) -> Reason {
        match self {
            Self::Enter => before,
            Self::Move => Reason::Moved,
            _ => next,
        }
    }

    /// As deliveries name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Move => "move",
            Self::Exit => "exit",
            Self::Inside => "inside",
            Self::Outside => "outside",
            Self::Cross => "cross",
            Self::Dwell => "dwell",
            Self::Approach => "approach",
        }
    }
}

impl Reason {
    /// As deliveries name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Offline => "offline",
            Self::Filter => "filter",
            Self::AreaChanged => "area_changed",
            Self::Snapshot => "snapshot",
        }
    }
}
