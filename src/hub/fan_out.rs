//! The delivery of one event of a stream to many.

use std::sync::Arc;

use super::deltas::Step;
use super::lane::Mailbox;
use super::members::Member;
use crate::base::Encoding;
use crate::channel::{Channel, EpochTag, EventKind, Mail, Publication, PushBody};
use crate::geo::{Metres, Place};

/// Turns an event into the bytes that all its subscribers of one encoding share.
pub(crate) trait Encoder {
    fn encode(&mut self, encoding: Encoding, event: &EventKind) -> PushBody;

    /// A publication for subscribers with deltas.
    fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody;

    /// A publication for one subscriber, with its distance as the tag `distance_m`.
    fn encode_at(
        &mut self,
        encoding: Encoding,
        publication: &Publication,
        away: Metres,
    ) -> PushBody;
}

/// The delivery of one event, done in portions so that a large channel does not hold up its lane's
/// neighbours.
#[derive(Debug)]
pub(crate) struct FanOut {
    pub(super) channel: Channel,
    kind: EventKind,
    pub(super) work: Work,
    /// Of the stream that it is numbered in.
    epoch: EpochTag,
    /// A hole lies before this event.
    gap: bool,
    pub(super) next: usize,
    delivered: usize,
}

/// Whom an event is for.
#[derive(Debug)]
pub(super) enum Work {
    /// Every subscriber that wants its kind. With `step` where there are subscribers with deltas.
    Everyone { step: Option<Step> },
    /// These slots of a geo channel.
    Matched(Vec<u32>),
}

impl FanOut {
    pub(super) fn new(channel: Channel, kind: EventKind, work: Work, after: Continuity) -> Self {
        let epoch = match &kind {
            EventKind::Publication { epoch, .. } => EpochTag::of(epoch),
            _ => EpochTag::default(),
        };
        let gap = after == Continuity::Hole;
        Self { channel, kind, work, epoch, gap, next: 0, delivered: 0 }
    }

    /// About the bytes that each subscriber gets.
    pub(crate) fn bytes(&self) -> usize {
        match &self.kind {
            EventKind::Publication { publication, .. } => publication.data.len(),
            _ => 0,
        }
    }

    /// Pushes posted so far.
    pub(crate) fn delivered(&self) -> usize {
        self.delivered
    }

    /// Tells so many more slots of a geo channel: whether there may be others.
    pub(super) fn each(&mut self, portion: usize, mut tell: impl FnMut(&mut Self, u32)) -> bool {
        for _ in 0..portion {
            let Work::Matched(slots) = &self.work else { return false };
            let Some(slot) = slots.get(self.next).copied() else { return false };
            self.next += 1;
            tell(self, slot);
        }
        true
    }

    pub(super) fn place(&self) -> Option<&Place> {
        match &self.kind {
            EventKind::Publication { publication, .. } => publication.place.as_deref(),
            _ => None,
        }
    }

    /// A publication, with how far it is from the centre of the subscriber's area.
    pub(super) fn tell_at<M: Mailbox>(
        &mut self,
        member: &Member<M>,
        away: Metres,
        encoder: &mut impl Encoder,
    ) {
        let EventKind::Publication { publication, .. } = &self.kind else { return };
        let body = encoder.encode_at(member.encoding, publication, away);
        member.mailbox.post(Mail::Push { sub: member.sub, epoch: self.epoch, body });
        self.delivered += 1;
    }

    pub(super) fn tell<M: Mailbox>(&mut self, member: &Member<M>, encoder: &mut impl Encoder) {
        if self.gap {
            member.mailbox.post(Mail::Gap { sub: member.sub });
        }
        if member.wants(&self.kind) {
            let body = match &self.work {
                Work::Everyone { step: Some(step) } if member.delivery.delta => {
                    encoder.encode_step(member.encoding, step)
                }
                Work::Everyone { .. } | Work::Matched(_) => {
                    encoder.encode(member.encoding, &self.kind)
                }
            };
            let (sub, epoch) = (member.sub, self.epoch);
            member.mailbox.post(Mail::Push { sub, epoch, body });
            self.delivered += 1;
        }
    }
}

/// The last numbered publication applied, to see a hole before the next one.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    last: Option<(u64, Arc<str>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    Next,
    Hole,
}

impl Numbered {
    /// Notes a numbered publication and says how it follows the one before; `None` for one that
    /// was there already.
    pub(super) fn follow(&mut self, kind: &EventKind) -> Option<Continuity> {
        let (offset, epoch) = match kind {
            EventKind::Publication { publication, epoch } if publication.offset > 0 => {
                (publication.offset, epoch)
            }
            EventKind::Gap => return Some(Continuity::Hole),
            _ => return Some(Continuity::Next),
        };
        let continuity = match &self.last {
            None => Continuity::Next,
            Some((_, before)) if before != epoch => Continuity::Hole,
            Some((last, _)) if offset <= *last => return None,
            Some((last, _)) if offset == last + 1 => Continuity::Next,
            Some(_) => Continuity::Hole,
        };
        self.last = Some((offset, epoch.clone()));
        Some(continuity)
    }
}
