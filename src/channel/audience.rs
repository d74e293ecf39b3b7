//! Who gets an event of a geo channel: the area must have its place, and its reach must have the
//! subscriber.

use std::sync::Arc;

use crate::channel::{Publication, TagFilter};
use crate::geo::{Area, Point};

/// One subscriber of a geo event channel, for live delivery and for history alike.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Audience {
    pub(crate) area: Arc<Area>,
    /// Nothing outside of it counts: what the session's token allows.
    pub(crate) within: Option<Arc<Area>>,
    /// The session's last position.
    pub(crate) position: Option<Point>,
    /// `tf` and `where`: all must pass.
    pub(crate) filters: [Option<Arc<TagFilter>>; 2],
}

impl Audience {
    pub(crate) fn gets(&self, publication: &Publication) -> bool {
        self.has_place(publication) && self.admits(publication)
    }

    /// Whether the event is in the area: a point in it, or a shape that meets it. An event without
    /// a place is nowhere.
    pub(crate) fn has_place(&self, publication: &Publication) -> bool {
        publication.place.as_deref().is_some_and(|place| self.area.has(place))
    }

    /// Everything else, for events that were found by their place.
    pub(crate) fn admits(&self, publication: &Publication) -> bool {
        let passes = |filter: &Arc<TagFilter>| filter.passes(&publication.tags);
        self.filters.iter().flatten().all(passes)
            && publication.reach.as_deref().is_none_or(|reach| self.is_reached(reach))
            && self.within.as_deref().is_none_or(|within| {
                publication.place.as_deref().is_some_and(|place| within.has(place))
            })
    }

    /// By the session's last position; without one, by the centre of a circle; without either, the
    /// area must meet the reach.
    fn is_reached(&self, reach: &Area) -> bool {
        match (self.position, &*self.area) {
            (Some(position), _) => reach.contains(&position),
            (None, Area::Circle(circle)) => reach.contains(&circle.center),
            (None, area) => area.meets(reach),
        }
    }
}
