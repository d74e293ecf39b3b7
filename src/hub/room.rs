//! A channel without geography: every event goes to every subscriber that wants its kind.

use super::deltas::Deltas;
use super::fan_out::{Encoder, FanOut, Numbered, Work};
use super::lane::{Join, Mailbox};
use super::members::Member;
use crate::base::{SessionId, SubId};
use crate::channel::{Channel, EventKind, Mail, Start};
use std::collections::HashMap;

/// A channel that has subscribers here.
#[derive(Debug)]
pub(super) struct PlainRoom<M> {
    subscribers: Vec<Member<M>>,
    places: HashMap<(SessionId, SubId), usize>,
    numbered: Numbered,
    deltas: Deltas,
}

impl<M: Mailbox> PlainRoom<M> {
    pub(super) fn new() -> Self {
        Self {
            subscribers: Vec::new(),
            places: HashMap::new(),
            numbered: Numbered::default(),
            deltas: Deltas::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.subscribers.len()
    }

    pub(super) fn join(&mut self, join: Join<M>) {
        let (session, sub, mailbox) = (join.session, join.sub, join.mailbox.clone());
        let before = self.places.insert((session, sub), self.subscribers.len());
        assert!(before.is_none(), "a session numbers each of its subscriptions once");
        self.deltas.count(join.delivery.delta);
        self.subscribers.push(Member::from(join));
        mailbox.post(Mail::Joined { sub, at: Start::Plain });
    }

    pub(super) fn leave(&mut self, session: SessionId, sub: SubId) -> bool {
        let Some(place) = self.places.remove(&(session, sub)) else { return false };
        let gone = self.subscribers.swap_remove(place);
        self.deltas.discount(gone.delivery.delta);
        if let Some(moved) = self.subscribers.get(place) {
            self.places.insert((moved.session, moved.sub), place);
        }
        assert_eq!(self.places.len(), self.subscribers.len(), "each subscriber has its place");
        true
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        let of_session = self.subscribers.iter().filter(|one| one.session == session);
        of_session.map(|one| one.sub).collect()
    }

    pub(super) fn begin(&mut self, channel: Channel, kind: EventKind) -> Option<FanOut> {
        let continuity = self.numbered.follow(&kind)?;
        let step = match &kind {
            EventKind::Publication { publication, .. } => self.deltas.step(publication),
            _ => None,
        };
        Some(FanOut::new(channel, kind, Work::Everyone { step }, continuity))
    }

    pub(super) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        let end = self.subscribers.len().min(fan_out.next.saturating_add(portion));
        for subscriber in &self.subscribers[fan_out.next..end] {
            fan_out.tell(subscriber, encoder);
        }
        fan_out.next = end;
        end < self.subscribers.len()
    }
}
