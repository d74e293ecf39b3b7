//! [`Lane`]: the subscriptions of the channels of one lane, and the delivery of their events in the
//! order in which they come.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use tracing::debug;

use super::allowance::Allowance;
use super::events::EventRoom;
use super::fan_out::{Encoder, FanOut};
use super::objects::ObjectRoom;
use super::room::PlainRoom;
use crate::base::{Encoding, Moment, Now, SessionId, SubId, limits};
use crate::channel::{
    AreaSource, Centers, Channel, Delivery, Event, EventKind, Fence, GeoKind, GeoOptions,
    Happening, Mail, Object, ObjectName, ObjectQuery, Reason, Refusal, Sighting,
};
use crate::geo::{Point, Zones};

/// Where a lane leaves what it has for a session. Posting never waits: what a full mailbox does is
/// the mailbox's decision.
pub(crate) trait Mailbox: Clone + Debug {
    fn post(&self, mail: Mail);
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

/// Names one subscription among all of a node's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subscriber {
    /// The channel whose lane has it.
    pub(crate) channel: Channel,
    pub(crate) session: SessionId,
    pub(crate) sub: SubId,
}

/// Everything that changes a lane.
#[derive(Clone, Debug)]
pub(crate) enum Input<M> {
    Join(Join<M>),
    Leave(Subscriber),
    Event(Event),
    /// The session is gone without having left: its subscriptions go.
    Forget(SessionId),
    Change {
        of: Subscriber,
        change: AreaChange,
    },
    Objects {
        channel: Channel,
        act: ObjectAct,
    },
    /// Zones are others: the one of this name may have changed, or (`None`) any.
    Zones {
        all: Arc<Zones>,
        changed: Option<Arc<str>>,
    },
}

/// Why a subscription's area is another one from here on.
#[derive(Clone, Debug)]
pub(crate) enum AreaChange {
    /// The client asked for it; answered by [`Mail::Moved`].
    Moved { area: AreaSource, centers: Box<Centers>, token: u32 },
    /// The session is here.
    Located(Point),
    /// This object, if it follows it, is here, or (`None`) is gone.
    Followed { object: ObjectName, at: Option<Point> },
}

/// What else happens to an object channel.
#[derive(Clone, Debug)]
pub(crate) enum ObjectAct {
    /// From here on `by` is told where the object is, by [`Output::Followed`].
    Follow {
        key: Arc<str>,
        by: Subscriber,
        options: Arc<GeoOptions>,
    },
    Unfollow {
        key: Arc<str>,
        by: Subscriber,
    },
    /// The session has disconnected: its objects go.
    Offline(SessionId),
    SetFence {
        fence: Arc<Fence>,
        options: Arc<GeoOptions>,
    },
    RemoveFence {
        name: Arc<str>,
    },
}

/// What a lane has for the rest of the node.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// For the lane of the follower; only the last one counts.
    Followed { by: Subscriber, object: ObjectName, at: Option<Point> },
    /// A fence of the server's has something to tell.
    Fence { fence: Arc<Fence>, channel: Channel, notice: FenceNotice },
}

/// What a fence tells of an object.
#[derive(Clone, Debug)]
pub(crate) struct FenceNotice {
    pub(crate) object: Arc<Object>,
    pub(crate) happening: Happening,
    pub(crate) reason: Reason,
}

/// Sizes of a lane, for metrics and the server API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaneCounts {
    pub(crate) channels: usize,
    pub(crate) subscriptions: usize,
    pub(crate) objects: usize,
}

/// What did not count, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// Not newer than what was known of the object.
    pub(crate) old: usize,
    /// Faster than objects of the namespace may be.
    pub(crate) too_fast: usize,
    /// Of an object for which the channel or the lane had no room.
    pub(crate) no_room: usize,
    /// Not fixes, but stays of objects in fences for which there was no room.
    pub(crate) stays: usize,
}

/// What surrounds one input.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) zones: &'a Zones,
    pub(super) outputs: &'a mut Vec<Output>,
    /// Mails posted.
    pub(super) posted: usize,
    /// Subscriptions that ended without having left.
    pub(super) ended: usize,
    /// Whether the lane has room for one more object of the channel.
    pub(super) has_room: bool,
    pub(super) ignored: &'a mut Ignored,
    pub(super) allowance: &'a mut Allowance,
}

/// The state of one lane. One task owns it and feeds it one input at a time; a [`FanOut`] that
/// [`Lane::apply`] returns must be run to its end before the next input.
#[derive(Debug)]
pub(crate) struct Lane<M> {
    rooms: HashMap<Channel, Room<M>>,
    subscriptions: usize,
    /// Of all channels, at most [`limits::LANE_OBJECTS`].
    objects: usize,
    /// Channels that have any, at most [`limits::LANE_OBJECT_CHANNELS`].
    object_channels: usize,
    zones: Arc<Zones>,
    /// When rooms want to be woken, each at most once.
    deadlines: BTreeSet<(Moment, Channel)>,
    outputs: Vec<Output>,
    posted: usize,
    ignored: Ignored,
    allowance: Allowance,
}

/// A channel that has subscribers, objects or fences here.
#[derive(Debug)]
enum Room<M> {
    Plain(PlainRoom<M>),
    Events(Box<EventRoom<M>>),
    Objects(Box<ObjectRoom<M>>),
}

impl<M: Mailbox> Lane<M> {
    pub(crate) fn new() -> Self {
        Self {
            rooms: HashMap::new(),
            subscriptions: 0,
            objects: 0,
            object_channels: 0,
            zones: Arc::default(),
            deadlines: BTreeSet::new(),
            outputs: Vec::new(),
            posted: 0,
            ignored: Ignored::default(),
            allowance: Allowance::of(limits::LANE_LOOKS),
        }
    }

    /// Lets it look at so many objects in one go.
    #[cfg(test)]
    pub(super) fn allow(&mut self, looks: usize) {
        self.allowance = Allowance::of(looks);
    }

    /// Takes one input. For an event of a stream with subscribers the answer is its delivery, to
    /// be run by [`Lane::deliver`]. Everything else is posted when this returns.
    pub(crate) fn apply(&mut self, input: Input<M>, now: Now) -> Option<FanOut> {
        match input {
            Input::Join(join) => self.join(join, now),
            Input::Leave(Subscriber { channel, session, sub }) => {
                self.leave(&channel, session, sub, now);
            }
            Input::Forget(session) => self.forget(session, now),
            Input::Event(Event { channel, kind }) => return self.begin(channel, kind, now),
            Input::Change { of, change } => self.change(&of, change, now),
            Input::Objects { channel, act } => self.act(&channel, act, now),
            Input::Zones { all, changed } => self.set_zones(all, changed.as_deref(), now),
        }
        self.follow_up(now);
        None
    }

    /// Delivers to at most `portion` subscribers; whether some are left.
    pub(crate) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        match self.rooms.get(&fan_out.channel) {
            Some(Room::Plain(room)) => room.deliver(fan_out, portion, encoder),
            Some(Room::Events(room)) => room.deliver(fan_out, portion, encoder),
            Some(Room::Objects(room)) => room.deliver(fan_out, portion, encoder),
            None => false,
        }
    }

    /// When [`Lane::handle_timeout`] is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Does a portion of what is due: objects expire, stays become dwells. What is left is still
    /// due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        let mut done = 0;
        while done < limits::EXPIRY_PORTION
            && let Some((at, channel)) = self.deadlines.first().cloned()
            && at <= now.moment
        {
            let objects = self.objects;
            self.in_room(&channel, now, |room, turn| {
                if let Room::Objects(room) = room {
                    room.handle_timeout(turn);
                }
            });
            let is_later = self.deadlines.first().is_none_or(|next| *next != (at, channel));
            assert!(is_later, "a room that was woken is done with that moment");
            done += limits::EXPIRY_ROOM + objects - self.objects;
        }
        self.follow_up(now);
    }

    /// What there is for the rest of the node since this was last asked.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Mails posted besides those of [`Lane::deliver`], since this was last asked.
    pub(crate) fn take_posted(&mut self) -> usize {
        std::mem::take(&mut self.posted)
    }

    /// Fixes that did not count, since this was last asked.
    pub(crate) fn take_ignored(&mut self) -> Ignored {
        std::mem::take(&mut self.ignored)
    }

    pub(crate) fn counts(&self) -> LaneCounts {
        LaneCounts {
            channels: self.channels().count(),
            subscriptions: self.subscriptions,
            objects: self.objects,
        }
    }

    /// Channels that have subscribers, with the number of them.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&Channel, usize)> {
        let counts = self.rooms.iter().map(|(channel, room)| (channel, room.subscribers()));
        counts.filter(|(_, count)| *count > 0)
    }

    /// The objects and fences of a channel, if it has any here.
    pub(crate) fn objects(&self, channel: &Channel) -> Option<&ObjectRoom<M>> {
        match self.rooms.get(channel)? {
            Room::Objects(room) => Some(room),
            Room::Plain(_) | Room::Events(_) => None,
        }
    }

    /// Where an object is, as far as it is shown.
    pub(crate) fn place_of(&self, object: &ObjectName) -> Option<Point> {
        self.objects(&object.channel)?.place_of(&object.key)
    }

    /// Answers a query of a channel of objects, with whether there are more.
    pub(crate) fn query(
        &self,
        channel: &Channel,
        query: &ObjectQuery,
    ) -> Result<(Vec<Sighting>, bool), Refusal> {
        match self.rooms.get(channel) {
            Some(Room::Objects(room)) => room.query(query, &self.zones),
            Some(Room::Plain(_) | Room::Events(_)) | None => Ok((Vec::new(), false)),
        }
    }

    /// How many objects of a channel are in an area.
    pub(crate) fn count(&self, channel: &Channel, area: &AreaSource) -> Result<usize, Refusal> {
        self.objects(channel).map_or(Ok(0), |room| room.count(area, &self.zones))
    }

    /// The fences of the server's in a channel, by name.
    pub(crate) fn fences(&self, channel: &Channel) -> Vec<Arc<Fence>> {
        self.objects(channel).map(ObjectRoom::fences).unwrap_or_default()
    }

    /// Whether a fence could be set.
    pub(crate) fn check_fence(&self, channel: &Channel, fence: &Fence) -> Result<(), Refusal> {
        fence.area.resolve(Centers::default(), &self.zones)?;
        match self.objects(channel) {
            Some(room) if !room.has_room_for(&fence.name) => {
                Err(Refusal::TooManyFences(limits::FENCES))
            }
            _ => Ok(()),
        }
    }

    fn join(&mut self, join: Join<M>, now: Now) {
        let channel = join.channel.clone();
        let view = join.delivery.view.clone();
        self.rooms.entry(channel.clone()).or_insert_with(|| match view.as_deref() {
            None => Room::Plain(PlainRoom::new()),
            Some(view) => Room::of(&channel, &view.options),
        });
        let joined = self.in_room(&channel, now, |room, turn| {
            let (mailbox, sub) = (join.mailbox.clone(), join.sub);
            let joined = match (room, view) {
                (Room::Plain(room), None) => {
                    room.join(join);
                    Ok(())
                }
                (Room::Events(room), Some(view)) => room.join(join, &view, turn),
                (Room::Objects(room), Some(view)) => room.join(join, &view, turn),
                (_, _) => Err(Refusal::OtherKind),
            };
            turn.posted += 1;
            joined.map_err(|refusal| {
                mailbox.post(Mail::Refused { sub, refusal: Box::new(refusal) });
            })
        });
        self.subscriptions += usize::from(joined.is_some_and(|joined| joined.is_ok()));
    }

    fn leave(&mut self, channel: &Channel, session: SessionId, sub: SubId, now: Now) {
        let left = self.in_room(channel, now, |room, _| match room {
            Room::Plain(room) => room.leave(session, sub),
            Room::Events(room) => room.leave(session, sub),
            Room::Objects(room) => room.leave(session, sub),
        });
        if left.unwrap_or(false) {
            self.subscriptions -= 1;
        } else {
            debug!(?session, ?sub, "left a channel without having it");
        }
    }

    /// Walks every channel: for the rare session that ended without leaving.
    fn forget(&mut self, session: SessionId, now: Now) {
        let channels: Vec<Channel> = self.rooms.keys().cloned().collect();
        for channel in channels {
            let subs = match self.rooms.get(&channel) {
                Some(Room::Plain(room)) => room.subs_of(session),
                Some(Room::Events(room)) => room.subs_of(session),
                Some(Room::Objects(room)) => room.subs_of(session),
                None => Vec::new(),
            };
            for sub in subs {
                self.leave(&channel, session, sub, now);
            }
            self.in_room(&channel, now, |room, turn| {
                if let Room::Objects(room) = room {
                    room.act(ObjectAct::Offline(session), turn);
                }
            });
        }
    }

    fn begin(&mut self, channel: Channel, kind: EventKind, now: Now) -> Option<FanOut> {
        if let EventKind::Fix(_, options) = &kind {
            let new = || Room::of(&channel, options);
            self.rooms.entry(channel.clone()).or_insert_with(new);
        }
        let fan_out = self.in_room(&channel, now, |room, turn| match room {
            Room::Plain(room) => room.begin(channel.clone(), kind),
            Room::Events(room) => room.begin(channel.clone(), kind, turn),
            Room::Objects(room) => room.begin(channel.clone(), kind, turn),
        });
        self.follow_up(now);
        fan_out.flatten()
    }

    fn change(&mut self, of: &Subscriber, change: AreaChange, now: Now) {
        self.in_room(&of.channel, now, |room, turn| match room {
            Room::Plain(_) => {}
            Room::Events(room) => room.change(of.session, of.sub, change, turn),
            Room::Objects(room) => room.change(of.session, of.sub, change, turn),
        });
    }

    fn act(&mut self, channel: &Channel, act: ObjectAct, now: Now) {
        if let ObjectAct::SetFence { options, .. } | ObjectAct::Follow { options, .. } = &act {
            let new = || Room::of(channel, options);
            self.rooms.entry(channel.clone()).or_insert_with(new);
        }
        self.in_room(channel, now, |room, turn| {
            if let Room::Objects(room) = room {
                room.act(act, turn);
            }
        });
    }

    fn set_zones(&mut self, all: Arc<Zones>, changed: Option<&str>, now: Now) {
        self.zones = all;
        let channels: Vec<Channel> = self.rooms.keys().cloned().collect();
        for channel in channels {
            self.in_room(&channel, now, |room, turn| match room {
                Room::Plain(_) => {}
                Room::Events(room) => room.zones_changed(changed, turn),
                Room::Objects(room) => room.zones_changed(changed, turn),
            });
        }
    }

    /// Followers that are in this lane move in the same turn.
    fn follow_up(&mut self, now: Now) {
        // A follower may be an area alone, never an object: one round is enough.
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Followed { by, object, at } if self.rooms.contains_key(&by.channel) => {
                    self.change(&by, AreaChange::Followed { object, at }, now);
                }
                output => self.outputs.push(output),
            }
        }
    }

    /// Lets something happen in a room, keeps its deadline, and drops the room if it is empty
    /// then. `None` where there is no such room.
    fn in_room<T>(
        &mut self,
        channel: &Channel,
        now: Now,
        happen: impl FnOnce(&mut Room<M>, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Entry::Occupied(mut entry) = self.rooms.entry(channel.clone()) else { return None };
        let room = entry.get_mut();
        let before = room.next_deadline();
        self.allowance.fill(now.moment);
        let objects = room.objects();
        let has_channel = objects > 0 || self.object_channels < limits::LANE_OBJECT_CHANNELS;
        let mut turn = Turn {
            now,
            zones: &self.zones,
            outputs: &mut self.outputs,
            posted: 0,
            ended: 0,
            has_room: has_channel && self.objects < limits::LANE_OBJECTS,
            ignored: &mut self.ignored,
            allowance: &mut self.allowance,
        };
        let happened = happen(room, &mut turn);
        self.posted += turn.posted;
        self.subscriptions -= turn.ended;
        self.objects = self.objects - objects + room.objects();
        self.object_channels += usize::from(room.objects() > 0);
        self.object_channels -= usize::from(objects > 0);
        let after = room.next_deadline();
        if before != after {
            if let Some(at) = before {
                self.deadlines.remove(&(at, channel.clone()));
            }
            if let Some(at) = after {
                self.deadlines.insert((at, channel.clone()));
            }
        }
        if room.is_empty() {
            assert!(after.is_none(), "an empty room waits for nothing");
            entry.remove();
        }
        Some(happened)
    }
}

impl<M: Mailbox> Room<M> {
    fn of(channel: &Channel, options: &Arc<GeoOptions>) -> Self {
        match options.kind {
            GeoKind::Events => Self::Events(Box::new(EventRoom::new(options.clone()))),
            GeoKind::Objects => {
                Self::Objects(Box::new(ObjectRoom::new(channel.clone(), options.clone())))
            }
        }
    }

    fn subscribers(&self) -> usize {
        match self {
            Self::Plain(room) => room.len(),
            Self::Events(room) => room.len(),
            Self::Objects(room) => room.len(),
        }
    }

    fn objects(&self) -> usize {
        match self {
            Self::Plain(_) | Self::Events(_) => 0,
            Self::Objects(room) => room.objects(),
        }
    }

    fn next_deadline(&self) -> Option<Moment> {
        match self {
            Self::Plain(_) | Self::Events(_) => None,
            Self::Objects(room) => room.next_deadline(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Plain(room) => room.len() == 0,
            Self::Events(room) => room.len() == 0,
            Self::Objects(room) => room.is_empty(),
        }
    }
}
