//! What a subscription of a geo channel keeps in its session.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backlog::Backlog;
use crate::base::Moment;
use crate::channel::{AreaSource, Channel, Form, GeoKind, GeoOptions, Sighting};

/// The geographic side of a subscription.
#[derive(Debug)]
pub(in crate::session) struct Viewing {
    /// The channel itself: the subscription's name without its label.
    pub(in crate::session) base: Channel,
    pub(super) options: Arc<GeoOptions>,
    pub(super) source: AreaSource,
    /// The label is the area, which nothing changes.
    pub(super) is_named: bool,
    pub(super) form: Form,
    /// Transitions are told one by one.
    pub(super) detects: bool,
    pub(super) backlog: Backlog,
    /// `geo.move` under way: tokens, and the ids of their commands.
    pub(super) moves: VecDeque<(u32, u32)>,
    pub(super) tokens: u32,
    /// Of the data with which it was asked for: an area that was moved since is kept for whoever
    /// comes back with the same.
    pub(super) asked: u64,
}

impl Viewing {
    pub(in crate::session) fn has_objects(&self) -> bool {
        self.options.kind == GeoKind::Objects
    }

    /// Whether the session's position is the area's.
    pub(super) fn follows_me(&self) -> bool {
        matches!(self.source, AreaSource::FollowMe { .. })
    }

    /// Whether the client may give it another area.
    pub(in crate::session) fn can_move(&self) -> bool {
        !self.is_named
    }

    pub(in crate::session) fn asked(&self) -> u64 {
        self.asked
    }

    /// The area is the one that the client gave it before it came back.
    pub(in crate::session) fn recall(&mut self, area: AreaSource) {
        self.source = area;
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
