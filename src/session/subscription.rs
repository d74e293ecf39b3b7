//! The subscriptions of one session: at most a few hundred, so a list that is searched is smaller
//! and no slower than a map.

use std::sync::Arc;

use bytes::Bytes;

use super::action::Actions;
use super::geo::Viewing;
use crate::base::{Encoding, Moment, Now, SubId, UnixMillis};
use crate::channel::{
    Audience, Channel, ClientDetails, EpochTag, PushBody, RecoveryMode, Since, Start, TagFilter,
};
use crate::protocol::{Push, PushTarget, Reply, encode_reply};

/// One subscription of the session.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: SubId,
    pub(super) channel: Channel,
    pub(super) side: Side,
    /// Offset of the last publication handed to the client (or the stream's top at subscribe);
    /// `None` where the subscription is not positioned.
    pub(super) offset: Option<u64>,
    /// Of the stream that the offset is in.
    pub(super) epoch: EpochTag,
    /// Sequence of the last publication handed to the client, where it has deltas: the base of the
    /// only patch that it can apply.
    pub(super) sequence: Option<u64>,
    /// Announced in presence, joins and leaves as this.
    pub(super) details: Arc<ClientDetails>,
    pub(super) traits: Traits,
    pub(super) expire_at: Option<UnixMillis>,
    /// In a geo channel.
    pub(super) viewing: Option<Box<Viewing>>,
    /// Where the client asked for streams and has subscribed by itself.
    pub(super) row: Option<Row>,
    /// Present until the client has been told that it is subscribed.
    pub(super) joining: Option<Box<Joining>>,
}

/// Messages about a subscription that need not wait for those about others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The client's last subscribe, whose reply comes before what is in the row.
    pub(super) asked: u32,
    pub(super) begun: bool,
}

/// Who asked for a subscription: its pushes of state differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What the namespace, the request, a token or the server API made of a subscription.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the protocol")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) positioned: bool,
    pub(super) recoverable: bool,
    pub(super) presence: bool,
    /// Others are told of the join and the leave.
    pub(super) announces: bool,
    /// The client is told of joins and leaves of others.
    pub(super) hears: bool,
    /// Pushes carry the subscription's number in place of the channel's name.
    pub(super) numbered: bool,
    /// Publications may be patches against the one before.
    pub(super) delta: bool,
}

/// A subscription on its way: what is posted for it meanwhile waits here.
#[derive(Debug)]
pub(super) struct Joining {
    /// Taken when the result is on its way to the client.
    pub(super) answer: Option<JoinAnswer>,
    pub(super) recovery: Option<Recovery>,
    /// What is recovered must pass it.
    pub(super) tags: Option<Arc<TagFilter>>,
    pub(super) lane: LaneSide,
    /// Of an area of events, as the lane has it.
    pub(super) audience: Option<Arc<Audience>>,
    /// Of a map: objects in the first page.
    pub(super) page: usize,
    pub(super) buffer: Vec<(EpochTag, PushBody)>,
    pub(super) buffered_bytes: usize,
    /// A hole was announced meanwhile, or the token is another one: the subscription ends with its
    /// reply, and nothing waits.
    pub(super) gap: bool,
}

/// How far the lane is. It may say `Joined` before it is known that it was asked, and for which
/// area.
#[derive(Debug)]
pub(super) enum LaneSide {
    Waiting,
    Asked,
    Joined(Start),
}

/// What the client presents to recover from.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    pub(super) since: Since,
    pub(super) mode: RecoveryMode,
    /// Answer error 112 rather than `recovered: false`.
    pub(super) reject_lost: bool,
    /// The client asked for it, rather than the cache mode's first subscribe.
    pub(super) asked: bool,
}

/// Where the result of a subscribe goes.
#[derive(Debug)]
pub(super) enum JoinAnswer {
    /// A reply to the command of this id, with this data.
    Reply { id: u32, data: Bytes },
    /// The connect reply's `subs`, with this data.
    Connect(Bytes),
    /// A subscribe push, with this data.
    Push(Bytes),
}

impl Subscription {
    /// What of a push goes to the client: the patch, if the client has what it is taken from.
    pub(super) fn choose(&mut self, body: PushBody) -> Bytes {
        let Some(delta) = body.delta else { return body.bytes };
        let last = self.sequence.replace(delta.sequence);
        match &delta.patch {
            Some(patch) if last.is_some_and(|last| last + 1 == delta.sequence) => patch.clone(),
            Some(_) | None => body.bytes,
        }
    }

    /// The channel itself, without a label.
    pub(super) fn base(&self) -> &Channel {
        self.viewing.as_ref().map_or(&self.channel, |viewing| &viewing.base)
    }

    /// Whether presence and others know of the session in the channel by this subscription. A
    /// session that has several with different labels is announced once.
    pub(super) fn is_announced_in(&self, base: &Channel) -> bool {
        let is_told = self.joining.as_ref().is_none_or(|joining| joining.answer.is_none());
        is_told && self.base() == base
    }

    /// When a view has something to tell.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.viewing.as_ref().filter(|_| self.joining.is_none())?.next_deadline()
    }

    /// How pushes name it.
    pub(super) fn target(&self) -> PushTarget<'_> {
        if self.traits.numbered {
            PushTarget::Id(self.id.0)
        } else {
            PushTarget::Channel(self.channel.as_str())
        }
    }

    pub(super) fn row_id(&self) -> Option<SubId> {
        self.row.is_some().then_some(self.id)
    }

    /// The row for what is written about it next; it begins with what it is about. There is none
    /// before the client has all pages of a map, which come as replies.
    pub(super) fn row(&mut self, encoding: Encoding, actions: &mut Actions) -> Option<SubId> {
        if self.is_paged() {
            return None;
        }
        let row = self.row.as_mut()?;
        if !std::mem::replace(&mut row.begun, true) {
            let push = Push { channel: self.channel.as_str().to_owned(), ..Push::default() };
            let begin = Reply { id: row.asked, push: Some(push), ..Reply::default() };
            actions.write(Some(self.id), encode_reply(encoding, &begin));
        }
        Some(self.id)
    }

    pub(super) fn ttl_seconds(&self, now: Now) -> Option<u32> {
        self.expire_at.map(|at| seconds_until(at, now))
    }
}

/// Whole seconds until `at`, at least 1 so that clients do not refresh in a loop.
pub(super) fn seconds_until(at: UnixMillis, now: Now) -> u32 {
    let seconds = at.0.saturating_sub(now.unix.0).div_ceil(1000).max(1);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// All subscriptions of a session.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    list: Vec<Subscription>,
    numbered: u32,
}

impl Subscriptions {
    /// A number for a new subscription; none is ever given twice.
    pub(super) fn next_id(&mut self) -> SubId {
        self.numbered += 1;
        SubId(self.numbered)
    }

    pub(super) fn add(&mut self, subscription: Subscription) {
        debug_assert!(self.find(subscription.channel.as_str()).is_none(), "one for each channel");
        if self.list.is_empty() {
            self.list.reserve_exact(1);
        }
        self.list.push(subscription);
    }

    pub(super) fn find(&self, channel: &str) -> Option<&Subscription> {
        self.list.iter().find(|one| one.channel.as_str() == channel)
    }

    pub(super) fn find_mut(&mut self, channel: &str) -> Option<&mut Subscription> {
        self.list.iter_mut().find(|one| one.channel.as_str() == channel)
    }

    pub(super) fn by_id(&mut self, id: SubId) -> Option<&mut Subscription> {
        self.list.iter_mut().find(|one| one.id == id)
    }

    pub(super) fn remove(&mut self, id: SubId) -> Option<Subscription> {
        let index = self.list.iter().position(|one| one.id == id)?;
        Some(self.list.swap_remove(index))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Subscription> {
        self.list.iter_mut()
    }

    /// Whether there is a subscription to the channel, with whatever label.
    pub(super) fn is_in(&self, base: &Channel) -> bool {
        self.list.iter().any(|one| one.base() == base)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.list.iter()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Subscription> {
        std::mem::take(&mut self.list).into_iter()
    }

    pub(super) fn count(&self, side: Side) -> usize {
        self.list.iter().filter(|one| one.side == side).count()
    }

    /// What waits for subscriptions on their way, all together.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.list.iter().filter_map(|one| one.joining.as_ref()).map(|one| one.buffered_bytes).sum()
    }

    pub(super) fn is_joining(&self) -> bool {
        self.list.iter().any(|one| one.joining.is_some())
    }
}
