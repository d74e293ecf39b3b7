//! What a subscription of a geo channel wants: its area, and what is told of it.

use std::sync::Arc;
use std::time::Duration;

use crate::channel::{Channel, Form, GeoOptions, TagFilter};
use crate::geo::{Area, Detect, Metres, Point};

/// Where an area comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AreaSource {
    Fixed(Arc<Area>),
    /// A zone by name, whatever it is now.
    Zone(Arc<str>),
    /// A circle round the session's last position; empty before the first.
    FollowMe {
        radius: Metres,
    },
    /// A circle round an object of an object channel; empty while it is not there.
    FollowObject {
        channel: Channel,
        key: Arc<str>,
        radius: Metres,
    },
    /// The `count` objects nearest to a place, none farther than `within`.
    Nearest {
        count: usize,
        to: Point,
        within: Option<Metres>,
    },
}

/// A subscription's view of a geo channel.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) area: AreaSource,
    /// Nothing of the area outside counts: what the session's token allows.
    pub(crate) within: Option<Arc<Area>>,
    /// Only these transitions are told.
    pub(crate) detect: Option<Detect>,
    pub(crate) dwell: Option<Duration>,
    pub(crate) hysteresis: Option<Metres>,
    pub(crate) approach: Option<Metres>,
    /// Deliveries carry the distance to the area's centre.
    pub(crate) distance: bool,
    pub(crate) form: Form,
    /// `where`, beside the subscription's `tf`.
    pub(crate) filter: Option<Arc<TagFilter>>,
    /// The session's last position.
    pub(crate) position: Option<Point>,
    pub(crate) options: Arc<GeoOptions>,
}
