//! What a subscription of a geo channel wants: its area, and what is told of it.

use std::sync::Arc;
use std::time::Duration;

use crate::channel::{Channel, GeoOptions, Refusal, TagFilter};
use crate::geo::{Area, Circle, Detect, FARTHEST, Metres, Point, Zones};

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
        object: ObjectName,
        radius: Metres,
    },
    /// In an event channel, a box in the tags `lat` and `lng`: what a tag filter asks for.
    TagBox(Arc<Area>),
    /// In an event channel, values of the tag `cell`.
    TagCells(Arc<[Arc<str>]>),
    /// The `count` objects nearest to a place, none farther than `within`.
    Nearest {
        count: usize,
        to: Point,
        within: Option<Metres>,
    },
}

/// An object, in all channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectName {
    pub(crate) channel: Channel,
    pub(crate) key: Arc<str>,
}

/// Where that is now of which areas may be round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Centers {
    /// The session's last position.
    pub(crate) session: Option<Point>,
    /// The object that the area follows.
    pub(crate) object: Option<Point>,
}

impl Centers {
    /// An object outside of what the session's token allows is as if it were not there.
    pub(crate) fn within(self, within: Option<&Area>) -> Self {
        let is_in = |at: &Point| within.is_none_or(|within| within.contains(at));
        Self { object: self.object.filter(is_in), ..self }
    }
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
    /// Objects that may be in the area as the subscription begins, if fewer than the namespace's.
    pub(crate) limit: Option<usize>,
    /// Deliveries carry the distance to the area's centre.
    pub(crate) distance: bool,
    /// `where`, beside the subscription's `tf`.
    pub(crate) filter: Option<Arc<TagFilter>>,
    pub(crate) centers: Centers,
    pub(crate) options: Arc<GeoOptions>,
}

impl View {
    /// Everything in an area, told as it is.
    pub(crate) fn of(area: AreaSource, options: Arc<GeoOptions>) -> Self {
        Self {
            area,
            within: None,
            detect: None,
            dwell: None,
            hysteresis: None,
            approach: None,
            limit: None,
            distance: false,
            filter: None,
            centers: Centers::default(),
            options,
        }
    }
}

/// A fence of the server's on an object channel.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    pub(crate) name: Arc<str>,
    /// `Fixed` or `Zone`.
    pub(crate) area: AreaSource,
    pub(crate) detect: Detect,
    pub(crate) dwell: Option<Duration>,
    pub(crate) hysteresis: Option<Metres>,
    pub(crate) approach: Option<Metres>,
    pub(crate) filter: Option<Arc<TagFilter>>,
    /// The channel in which results are published.
    pub(crate) publish: Option<Channel>,
    /// The address to which they are sent.
    pub(crate) webhook: Option<Arc<str>>,
}

impl Fence {
    /// Tells these transitions, to nobody yet.
    pub(crate) fn of(name: &str, area: AreaSource, detect: Detect) -> Self {
        Self {
            name: name.into(),
            area,
            detect,
            dwell: None,
            hysteresis: None,
            approach: None,
            filter: None,
            publish: None,
            webhook: None,
        }
    }
}

impl AreaSource {
    /// The area as it is now; k nearest is the largest circle in which they may be.
    pub(crate) fn resolve(&self, centers: Centers, zones: &Zones) -> Result<Arc<Area>, Refusal> {
        Ok(match self {
            Self::Fixed(area) | Self::TagBox(area) => area.clone(),
            Self::Zone(name) => {
                zones.find(name).ok_or_else(|| Refusal::UnknownZone(name.clone()))?
            }
            Self::FollowMe { radius } => Arc::new(around(centers.session, *radius)),
            Self::FollowObject { radius, .. } => Arc::new(around(centers.object, *radius)),
            Self::TagCells(_) => Arc::default(),
            Self::Nearest { to, within, .. } => {
                Arc::new(around(Some(*to), within.unwrap_or(FARTHEST)))
            }
        })
    }

    /// The area of a subscription that follows its own session, which is there now.
    pub(crate) fn with_me_at(&self, at: Point) -> Option<Area> {
        let Self::FollowMe { radius } = self else { return None };
        Some(around(Some(at), *radius))
    }

    /// The area of one that follows this object, which is there now or nowhere.
    pub(crate) fn with_object_at(&self, object: &ObjectName, at: Option<Point>) -> Option<Area> {
        match self {
            Self::FollowObject { object: followed, radius } if followed == object => {
                Some(around(at, *radius))
            }
            _ => None,
        }
    }

    /// The object that it follows.
    pub(crate) fn followed(&self) -> Option<&ObjectName> {
        match self {
            Self::FollowObject { object, .. } => Some(object),
            _ => None,
        }
    }

    /// Whether events are found by their tags rather than by their place.
    pub(crate) fn is_by_tags(&self) -> bool {
        matches!(self, Self::TagBox(_) | Self::TagCells(_))
    }
}

/// A circle round a place that may not be known yet.
pub(crate) fn around(center: Option<Point>, radius: Metres) -> Area {
    center.map_or(Area::Empty, |center| Area::Circle(Circle::new(center, radius)))
}

/// What may be asked of a channel of objects.
#[derive(Clone, Debug)]
pub(crate) enum ObjectQuery {
    /// The objects in an area, by key, those behind `after`.
    Nearby {
        area: AreaSource,
        position: Option<Point>,
        within: Option<Arc<Area>>,
        limit: usize,
        after: Option<Arc<str>>,
    },
    /// The nearest objects, nearest first.
    Nearest { to: Point, count: usize, within: Option<Metres>, allowed: Option<Arc<Area>> },
}
