//! A geo event channel: each publication goes to the subscribers whose area contains its place, if
//! they are within its reach.

use std::sync::Arc;

use super::fan_out::{Encoder, FanOut, Numbered, Work};
use super::lane::{AreaChange, Join, Mailbox, Turn};
use super::members::{Member, Slots};
use crate::base::{SessionId, SubId};
use crate::channel::{AreaSource, Channel, EventKind, Mail, Moved, Publication, Refusal, View};
use crate::geo::{Area, AreaIndex, Circle, Point, Zones};

/// The subscribers of one channel, found by place.
#[derive(Debug)]
pub(super) struct EventRoom<M> {
    members: Slots<(SessionId, SubId), Viewer<M>>,
    index: AreaIndex,
    numbered: Numbered,
}

#[derive(Debug)]
struct Viewer<M> {
    member: Member<M>,
    view: Arc<View>,
    source: AreaSource,
    area: Arc<Area>,
    /// The session's last position, which a publication's reach must contain.
    position: Option<Point>,
}

impl<M: Mailbox> EventRoom<M> {
    pub(super) fn new() -> Self {
        Self {
            members: Slots::default(),
            index: AreaIndex::default(),
            numbered: Numbered::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn join(
        &mut self,
        join: Join<M>,
        view: &Arc<View>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let source = view.area.clone();
        let area = source.resolve(view.position, turn.zones)?;
        let (key, mailbox) = ((join.session, join.sub), join.mailbox.clone());
        let viewer = Viewer {
            member: Member::from(join),
            view: view.clone(),
            source,
            area: area.clone(),
            position: view.position,
        };
        let slot = self.members.add(key, viewer);
        self.index.insert(slot, area);
        mailbox.post(Mail::Joined { sub: key.1, snapshot: None });
        Ok(())
    }

    pub(super) fn leave(&mut self, session: SessionId, sub: SubId) -> bool {
        let Some((slot, _)) = self.members.remove(&(session, sub)) else { return false };
        self.index.remove(slot);
        true
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        self.members.keys().filter(|key| key.0 == session).map(|key| key.1).collect()
    }

    pub(super) fn begin(&mut self, channel: Channel, kind: EventKind) -> Option<FanOut> {
        let continuity = self.numbered.follow(&kind)?;
        let work = match &kind {
            EventKind::Publication { publication, .. } => Work::Matched(self.audience(publication)),
            _ => Work::Everyone { step: None },
        };
        Some(FanOut::new(channel, kind, work, continuity))
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

    pub(super) fn zones_changed(&mut self, changed: Option<&str>, turn: &mut Turn<'_>) {
        let _ = (changed, turn);
    }

    fn audience(&mut self, publication: &Publication) -> Vec<u32> {
        let mut found = Vec::new();
        if let Some(place) = &publication.place {
            self.index.matches(place, &mut found);
        }
        found
    }
}
