//! What a subscription of a geo channel keeps in its session.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backlog::Backlog;
use crate::base::Moment;
use crate::channel::{
    AreaSource, Audience, Channel, Form, GeoKind, GeoOptions, Publication, Sighting,
};
use crate::geo::{Area, Metres};

/// The geographic side of a subscription.
#[derive(Debug)]
pub(in crate::session) struct Viewing {
    /// The channel itself: the subscription's name without its label.
    pub(in crate::session) base: Channel,
    pub(super) options: Arc<GeoOptions>,
    pub(super) source: AreaSource,
    pub(super) origin: AreaOrigin,
    pub(super) form: Form,
    /// Transitions are told one by one.
    pub(super) detects: bool,
    pub(super) backlog: Backlog,
    /// `geo.move` under way.
    pub(super) moves: VecDeque<Move>,
    pub(super) tokens: u32,
    /// Of the data with which it was asked for: an area that was moved since is kept for whoever
    /// comes back with the same.
    pub(super) asked: u64,
    /// Events are told with the distance from the area's centre.
    pub(super) shows_distance: bool,
}

/// A `geo.move` that the lane has not answered.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) token: u32,
    /// Of the command.
    pub(super) id: u32,
    pub(super) source: AreaSource,
    /// About what the area takes.
    pub(super) bytes: usize,
}

/// Where a subscription's area is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AreaOrigin {
    /// The label is the area, which nothing changes.
    Label,
    Asked,
    /// The client gave it another one than it had asked for.
    Moved,
}

impl Viewing {
    pub(in crate::session) fn has_objects(&self) -> bool {
        self.options.kind == GeoKind::Objects
    }

    /// Whether the session's position is the area's, or will be.
    pub(super) fn follows_me(&self) -> bool {
        let mut sources = self.moves.iter().map(|one| &one.source).chain([&self.source]);
        sources.any(|source| matches!(source, AreaSource::FollowMe { .. }))
    }

    /// Ids of the calls that wait for the lane.
    pub(in crate::session) fn moves_under_way(&self) -> impl Iterator<Item = u32> {
        self.moves.iter().map(|due| due.id)
    }

    /// How far an event is from the area's centre, where that is told.
    pub(in crate::session) fn away(
        &self,
        event: &Publication,
        audience: &Audience,
    ) -> Option<Metres> {
        let place = event.place.as_deref().filter(|_| self.shows_distance)?;
        self.options.away(place, &audience.area)
    }

    /// Whether it can be said what was missed: not while nobody knows where the area is.
    pub(in crate::session) fn knows_area(&self, audience: Option<&Audience>) -> bool {
        let follows =
            matches!(self.source, AreaSource::FollowMe { .. } | AreaSource::FollowObject { .. });
        !follows || audience.is_none_or(|audience| *audience.area != Area::Empty)
    }

    /// Whether the client may give it another area.
    pub(in crate::session) fn can_move(&self) -> bool {
        self.origin != AreaOrigin::Label
    }

    pub(in crate::session) fn is_moved(&self) -> bool {
        self.origin == AreaOrigin::Moved
    }

    pub(in crate::session) fn asked(&self) -> u64 {
        self.asked
    }

    /// The area is the one that the client gave it before it came back.
    pub(in crate::session) fn recall(&mut self, area: AreaSource) {
        self.source = area;
        self.origin = AreaOrigin::Moved;
    }

    /// What is in the area as the subscription begins.
    pub(in crate::session) fn begin(&mut self, snapshot: &[Sighting]) {
        self.backlog.begin(snapshot);
    }

    pub(in crate::session) fn source(&self) -> &AreaSource {
        &self.source
    }

    pub(in crate::session) fn next_deadline(&self) -> Option<Moment> {
        self.backlog.next_deadline()
    }

    /// Whether one of the two is k nearest and the other is not: a lane keeps them apart.
    pub(super) fn is_one_kind_only(&self, source: &AreaSource) -> bool {
        let is_nearest = |source: &AreaSource| matches!(source, AreaSource::Nearest { .. });
        is_nearest(&self.source) != is_nearest(source)
    }
}
