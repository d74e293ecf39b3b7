//! An object channel: where its objects are, who sees them, and the fences round them.

use std::sync::Arc;

use super::fan_out::{Encoder, FanOut};
use super::lane::{AreaChange, Join, Mailbox, ObjectAct, Turn};
use crate::base::{Moment, SessionId, SubId};
use crate::channel::{
    AreaSource, Channel, EventKind, Fence, GeoOptions, ObjectQuery, Refusal, Sighting, View,
};
use crate::geo::Zones;

#[derive(Debug)]
pub(crate) struct ObjectRoom<M> {
    options: Arc<GeoOptions>,
    mailboxes: Vec<M>,
}

impl<M: Mailbox> ObjectRoom<M> {
    pub(super) fn new(options: Arc<GeoOptions>) -> Self {
        Self { options, mailboxes: Vec::new() }
    }

    /// Subscriptions.
    pub(super) fn len(&self) -> usize {
        self.mailboxes.len()
    }

    pub(super) fn objects(&self) -> usize {
        0
    }

    /// No subscriptions, no objects, no fences, no followers.
    pub(super) fn is_empty(&self) -> bool {
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        None
    }

    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        let _ = turn;
    }

    /// Posts `Joined` with the snapshot.
    pub(super) fn join(
        &mut self,
        join: Join<M>,
        view: &View,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let _ = (join, view, turn, &self.options);
        Err(Refusal::OtherKind)
    }

    pub(super) fn leave(&mut self, session: SessionId, sub: SubId, turn: &mut Turn<'_>) -> bool {
        let _ = (session, sub, turn);
        false
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        let _ = session;
        Vec::new()
    }

    /// Takes a fix or a removal, told to all when this returns; for a join or leave of a client the
    /// answer is its delivery.
    pub(super) fn begin(
        &mut self,
        channel: Channel,
        kind: EventKind,
        turn: &mut Turn<'_>,
    ) -> Option<FanOut> {
        let _ = (channel, kind, turn);
        None
    }

    pub(super) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        let _ = (fan_out, portion, encoder);
        false
    }

    pub(super) fn change(
        &mut self,
        session: SessionId,
        sub: SubId,
        change: AreaChange,
        turn: &mut Turn<'_>,
    ) {
        let _ = (session, sub, change, turn);
    }

    pub(super) fn act(&mut self, act: ObjectAct, turn: &mut Turn<'_>) {
        let _ = (act, turn);
    }

    /// How many objects are in an area.
    pub(super) fn count(&self, area: &AreaSource, zones: &Zones) -> Result<usize, Refusal> {
        let _ = (area, zones);
        Ok(0)
    }

    /// The server's, by name.
    pub(super) fn fences(&self) -> Vec<Arc<Fence>> {
        Vec::new()
    }

    /// Objects, with whether there are more.
    pub(super) fn query(
        &self,
        query: &ObjectQuery,
        zones: &Zones,
    ) -> Result<(Vec<Sighting>, bool), Refusal> {
        let _ = (query, zones);
        Ok((Vec::new(), false))
    }

    /// Areas, fences and hidden zones of this name (`None`: any) are looked up anew.
    pub(super) fn zones_changed(&mut self, changed: Option<&str>, turn: &mut Turn<'_>) {
        let _ = (changed, turn);
    }
}
