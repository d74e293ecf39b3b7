//! Options of the `geo` section of a namespace.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, SessionId, UnixMillis};
use crate::channel::{Fix, Publication};
use crate::geo::json::{self, FixSpec, PlaceFields};
use crate::geo::{Area, GeoError, Metres, Place, Point};

/// What the publications of a geo channel are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GeoKind {
    /// A stream of events that have a place.
    #[default]
    Events,
    /// Fixes of moving objects.
    Objects,
}

/// Which objects of a channel a client may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyRule {
    /// The one named as its user id.
    #[default]
    User,
    /// The one named as its client id, which goes when the client disconnects.
    Client,
    /// Any.
    Free,
}

/// What happens to a fix whose implied speed is over the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SuspectRule {
    /// It is counted and goes no further.
    #[default]
    Drop,
    /// It counts, and the object is marked as suspect.
    Flag,
}

/// What subscribers and queries learn of distances.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum DistanceRule {
    #[default]
    Exact,
    /// Up to the next multiple.
    Rounded(Metres),
    Omitted,
}

impl DistanceRule {
    /// A distance as it is told.
    pub(crate) fn shown(self, distance: Metres) -> Option<Metres> {
        match self {
            Self::Exact => Some(distance),
            Self::Rounded(step) => Some(Metres((distance.0 / step.0).ceil() * step.0)),
            Self::Omitted => None,
        }
    }
}

/// The `geo` section of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct GeoOptions {
    pub(crate) kind: GeoKind,
    /// Fields of a publication's data that hold its place.
    pub(crate) lat: String,
    pub(crate) lng: String,
    /// Places are replaced by the centre of their H3 cell of this resolution, before anything else.
    pub(crate) snap: Option<usize>,
    pub(crate) key: KeyRule,
    pub(crate) object_ttl: Duration,
    /// Objects of one channel.
    pub(crate) channel_objects_max: usize,
    /// Objects in the snapshot of one subscription.
    pub(crate) objects_max: usize,
    /// Objects in one page of a snapshot.
    pub(crate) snapshot_page: usize,
    pub(crate) radius_min: Metres,
    pub(crate) radius_max: Option<Metres>,
    /// Bytes of history of one channel.
    pub(crate) history_bytes_max: usize,
    /// Implied speed of an object above which a fix is suspect, metres a second.
    pub(crate) speed_max: Option<f64>,
    pub(crate) suspect: SuspectRule,
    /// Speed at which the centre of a session's areas and queries may travel, metres a second.
    pub(crate) query_speed_max: Option<f64>,
    pub(crate) distance: DistanceRule,
    /// Zones in which nothing is shown.
    pub(crate) hide: Vec<String>,
    /// A count below it is not told.
    pub(crate) count_floor: usize,
    /// Bounds of the segment between two fixes that may count as crossing an area.
    pub(crate) cross_time_max: Option<Duration>,
    pub(crate) cross_speed_max: Option<f64>,
    /// Least time between two publications that JavaScript clients are asked for.
    pub(crate) publish_debounce: Option<Duration>,
}

impl GeoOptions {
    /// The names of the fields that hold a place.
    pub(crate) fn fields(&self) -> PlaceFields<'_> {
        PlaceFields { lat: &self.lat, lng: &self.lng }
    }

    /// How far a place is from an area's centre, as it is told.
    pub(crate) fn away(&self, place: &Place, area: &Area) -> Option<Metres> {
        self.distance.shown(area.center()?.distance(&place.at))
    }

    /// A place as this namespace knows it.
    pub(crate) fn snapped(&self, at: Point) -> Point {
        self.snap.map_or(at, |resolution| json::snap(at, resolution))
    }

    /// A fix of an object as this namespace knows it.
    pub(crate) fn fix(
        &self,
        spec: FixSpec,
        key: Arc<str>,
        owner: Option<SessionId>,
        accepted: Moment,
    ) -> Fix {
        self.coarsened(Fix {
            key,
            point: spec.point,
            accuracy: spec.accuracy,
            speed_mps: spec.speed_mps,
            heading_deg: spec.heading_deg,
            time: spec.time_ms.map(UnixMillis),
            data: spec.data,
            tags: spec.tags,
            owner,
            accepted,
        })
    }

    /// A fix as this namespace knows it. Where places are coarsened, nothing may tell more: speed,
    /// heading and accuracy go.
    fn coarsened(&self, fix: Fix) -> Fix {
        let Some(resolution) = self.snap else { return fix };
        let mut tags = fix.tags;
        json::coarsen_tags(&mut tags, &self.fields(), resolution);
        Fix {
            data: json::coarsen_object(&fix.data, &self.fields(), resolution),
            tags,
            point: self.snapped(fix.point),
            accuracy: None,
            speed_mps: None,
            heading_deg: None,
            ..fix
        }
    }

    /// The place of an event as this namespace knows it: of a shape, the point that stands for it.
    pub(crate) fn coarse_place(&self, place: Place) -> Place {
        match self.snap {
            Some(_) => Place { at: self.snapped(place.at), shape: None },
            None => place,
        }
    }

    /// An area from which an event is to be had, as this namespace knows it.
    pub(crate) fn coarse_reach(&self, area: Arc<Area>) -> Arc<Area> {
        match self.snap {
            Some(resolution) => {
                let circle = json::coarse_circle(&area, resolution);
                circle.map_or(area, |circle| Arc::new(Area::Circle(circle)))
            }
            None => area,
        }
    }

    /// Gives an event its place and reach, from its data or tags, both as this namespace knows
    /// them. `place` and `reach` come from the publisher where it said them apart.
    pub(crate) fn locate(&self, publication: &mut Publication) -> Result<(), GeoError> {
        let fields = self.fields();
        if let Some(resolution) = self.snap {
            publication.data = json::coarsen(&publication.data, &fields, resolution);
            json::coarsen_tags(&mut publication.tags, &fields, resolution);
        }
        let located = json::place_of(&publication.data, &fields, &publication.tags)?;
        if let Some(located) = located {
            publication.reach = publication.reach.take().or(located.reach);
            let place = publication.place.take();
            publication.place = Some(place.unwrap_or_else(|| Arc::new(located.place)));
        }
        match publication.place {
            Some(_) => Ok(()),
            None => {
                Err(GeoError::new(format!("data.{}", self.lat), "missing: an event has a place"))
            }
        }
    }
}

impl Default for GeoOptions {
    fn default() -> Self {
        Self {
            kind: GeoKind::Events,
            lat: "lat".into(),
            lng: "lng".into(),
            snap: None,
            key: KeyRule::User,
            object_ttl: Duration::from_secs(60),
            channel_objects_max: 1_000_000,
            objects_max: 10_000,
            snapshot_page: 200,
            radius_min: Metres(0.001),
            radius_max: None,
            history_bytes_max: 64 << 20,
            speed_max: None,
            suspect: SuspectRule::Drop,
            query_speed_max: None,
            distance: DistanceRule::Exact,
            hide: Vec::new(),
            count_floor: 5,
            cross_time_max: None,
            cross_speed_max: None,
            publish_debounce: None,
        }
    }
}
