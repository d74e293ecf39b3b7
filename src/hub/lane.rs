//! [`Lane`]: the subscriptions of the channels of one lane, and the delivery of their events in the
//! order in which they come.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::sync::Arc;

use tracing::debug;

use super::deltas::{Deltas, Step};
use crate::base::{Encoding, SessionId, SubId};
use crate::channel::{Channel, Delivery, EpochTag, Event, EventKind, Mail, PushBody};

/// Where a lane leaves what it has for a session. Posting never waits: what a full mailbox does is
/// the mailbox's decision.
pub(crate) trait Mailbox: Clone + Debug {
    fn post(&self, mail: Mail);
}

/// Turns an event into the bytes that all its subscribers of one encoding share.
pub(crate) trait Encoder {
    fn encode(&mut self, encoding: Encoding, event: &EventKind) -> PushBody;

    /// A publication for subscribers with deltas.
    fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody;
}

/// A new subscription, as a lane takes it.
#[derive(Clone, Debug)]
pub(crate) struct Join<M> {
    pub(crate) channel: Channel,
    pub(crate) session: SessionId,
    pub(crate) sub: SubId,
    pub(crate) encoding: Encoding,
    pub(crate) delivery: Delivery,
    pub(crate) mailbox: M,
}

/// Everything that changes a lane.
#[derive(Clone, Debug)]
pub(crate) enum Input<M> {
    Join(Join<M>),
    Leave {
        channel: Channel,
        session: SessionId,
        sub: SubId,
    },
    Event(Event),
    /// The session is gone without having left: its subscriptions go.
    Forget(SessionId),
}

/// Sizes of a lane, for metrics and the server API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaneCounts {
    pub(crate) channels: usize,
    pub(crate) subscriptions: usize,
}

/// The state of one lane. One task owns it and feeds it one input at a time; a [`FanOut`] that
/// [`Lane::apply`] returns must be run to its end before the next input.
#[derive(Debug)]
pub(crate) struct Lane<M> {
    rooms: HashMap<Channel, Room<M>>,
    subscriptions: usize,
}

/// A channel that has subscribers here.
#[derive(Debug)]
struct Room<M> {
    subscribers: Vec<Subscriber<M>>,
    places: HashMap<(SessionId, SubId), usize>,
    /// The last numbered publication applied, to see a hole before the next one.
    last: Option<(u64, Arc<str>)>,
    deltas: Deltas,
}

#[derive(Debug)]
struct Subscriber<M> {
    session: SessionId,
    sub: SubId,
    encoding: Encoding,
    delivery: Delivery,
    mailbox: M,
}

/// The delivery of one event, done in portions so that a large channel does not hold up its lane's
/// neighbours.
#[derive(Debug)]
pub(crate) struct FanOut {
    channel: Channel,
    kind: EventKind,
    /// Of a publication, where there are subscribers with deltas.
    step: Option<Step>,
    /// Of the stream that it is numbered in.
    epoch: EpochTag,
    /// A hole lies before this event.
    gap: bool,
    next: usize,
    delivered: usize,
}

impl<M: Mailbox> Lane<M> {
    pub(crate) fn new() -> Self {
        Self { rooms: HashMap::new(), subscriptions: 0 }
    }

    /// Takes one input. For an event with subscribers the answer is its delivery, to be run by
    /// [`Lane::deliver`].
    pub(crate) fn apply(&mut self, input: Input<M>) -> Option<FanOut> {
        match input {
            Input::Join(join) => self.join(join),
            Input::Leave { channel, session, sub } => self.leave(&channel, session, sub),
            Input::Forget(session) => self.forget(session),
            Input::Event(event) => return self.begin(event),
        }
        None
    }

    /// Delivers to at most `portion` subscribers; whether some are left.
    pub(crate) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        let Some(room) = self.rooms.get(&fan_out.channel) else { return false };
        let end = room.subscribers.len().min(fan_out.next.saturating_add(portion));
        for subscriber in &room.subscribers[fan_out.next..end] {
            if fan_out.gap {
                subscriber.mailbox.post(Mail::Gap { sub: subscriber.sub });
            }
            if subscriber.wants(&fan_out.kind) {
                let body = match &fan_out.step {
                    Some(step) if subscriber.delivery.delta => {
                        encoder.encode_step(subscriber.encoding, step)
                    }
                    Some(_) | None => encoder.encode(subscriber.encoding, &fan_out.kind),
                };
                let (sub, epoch) = (subscriber.sub, fan_out.epoch);
                subscriber.mailbox.post(Mail::Push { sub, epoch, body });
                fan_out.delivered += 1;
            }
        }
        fan_out.next = end;
        end < room.subscribers.len()
    }

    pub(crate) fn counts(&self) -> LaneCounts {
        LaneCounts { channels: self.rooms.len(), subscriptions: self.subscriptions }
    }

    /// Channels that have subscribers, with the number of them.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&Channel, usize)> {
        self.rooms.iter().map(|(channel, room)| (channel, room.subscribers.len()))
    }

    fn join(&mut self, join: Join<M>) {
        let Join { channel, session, sub, encoding, delivery, mailbox } = join;
        let room = self.rooms.entry(channel).or_insert_with(Room::new);
        let before = room.places.insert((session, sub), room.subscribers.len());
        assert!(before.is_none(), "a session numbers each of its subscriptions once");
        let posted = mailbox.clone();
        room.deltas.count(delivery.delta);
        room.subscribers.push(Subscriber { session, sub, encoding, delivery, mailbox });
        self.subscriptions += 1;
        posted.post(Mail::Joined { sub });
    }

    fn leave(&mut self, channel: &Channel, session: SessionId, sub: SubId) {
        let Entry::Occupied(mut entry) = self.rooms.entry(channel.clone()) else {
            debug!(?session, ?sub, "left a channel without subscribers");
            return;
        };
        if entry.get_mut().remove(session, sub) {
            self.subscriptions -= 1;
        }
        if entry.get().subscribers.is_empty() {
            entry.remove();
        }
    }

    /// Walks every channel: for the rare session that ended without leaving.
    fn forget(&mut self, session: SessionId) {
        for room in self.rooms.values_mut() {
            let subs: Vec<SubId> = room
                .subscribers
                .iter()
                .filter(|subscriber| subscriber.session == session)
                .map(|subscriber| subscriber.sub)
                .collect();
            for sub in subs {
                assert!(room.remove(session, sub), "a subscriber that was just seen is there");
                self.subscriptions -= 1;
            }
        }
        self.rooms.retain(|_, room| !room.subscribers.is_empty());
    }

    fn begin(&mut self, event: Event) -> Option<FanOut> {
        let Event { channel, kind } = event;
        let room = self.rooms.get_mut(&channel)?;
        let gap = match &kind {
            EventKind::Publication { publication, epoch } if publication.offset > 0 => {
                match room.follow(publication.offset, epoch) {
                    Continuity::Next => false,
                    Continuity::Hole => true,
                    Continuity::Repeated => return None,
                }
            }
            EventKind::Gap => true,
            EventKind::Publication { .. } | EventKind::Join(_) | EventKind::Leave(_) => false,
        };
        let step = match &kind {
            EventKind::Publication { publication, .. } => room.deltas.step(publication),
            EventKind::Join(_) | EventKind::Leave(_) | EventKind::Gap => None,
        };
        let epoch = match &kind {
            EventKind::Publication { epoch, .. } => EpochTag::of(epoch),
            EventKind::Join(_) | EventKind::Leave(_) | EventKind::Gap => EpochTag::default(),
        };
        Some(FanOut { channel, kind, step, epoch, gap, next: 0, delivered: 0 })
    }
}

impl FanOut {
    /// About the bytes that each subscriber gets.
    pub(crate) fn bytes(&self) -> usize {
        match &self.kind {
            EventKind::Publication { publication, .. } => publication.data.len(),
            EventKind::Join(_) | EventKind::Leave(_) | EventKind::Gap => 0,
        }
    }

    /// Pushes posted so far.
    pub(crate) fn delivered(&self) -> usize {
        self.delivered
    }
}

enum Continuity {
    Next,
    Hole,
    Repeated,
}

impl<M> Room<M> {
    fn new() -> Self {
        Self {
            subscribers: Vec::new(),
            places: HashMap::new(),
            last: None,
            deltas: Deltas::default(),
        }
    }

    fn remove(&mut self, session: SessionId, sub: SubId) -> bool {
        let Some(place) = self.places.remove(&(session, sub)) else { return false };
        let gone = self.subscribers.swap_remove(place);
        self.deltas.discount(gone.delivery.delta);
        if let Some(moved) = self.subscribers.get(place) {
            self.places.insert((moved.session, moved.sub), place);
        }
        assert_eq!(self.places.len(), self.subscribers.len(), "each subscriber has its place");
        true
    }

    /// Notes a numbered publication and says how it follows the one before.
    fn follow(&mut self, offset: u64, epoch: &Arc<str>) -> Continuity {
        let continuity = match &self.last {
            None => Continuity::Next,
            Some((_, before)) if before != epoch => Continuity::Hole,
            Some((last, _)) if offset <= *last => return Continuity::Repeated,
            Some((last, _)) if offset == last + 1 => Continuity::Next,
            Some(_) => Continuity::Hole,
        };
        self.last = Some((offset, epoch.clone()));
        continuity
    }
}

impl<M> Subscriber<M> {
    fn wants(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::Publication { publication, .. } => {
                self.delivery.tags.as_ref().is_none_or(|tags| tags.passes(&publication.tags))
            }
            EventKind::Join(_) | EventKind::Leave(_) => self.delivery.join_leave,
            EventKind::Gap => false,
        }
    }
}
