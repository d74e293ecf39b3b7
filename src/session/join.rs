//! From the lane's `Joined` to a live subscription: position and recovery are read, the client is
//! told, and what was posted meanwhile follows. The lane posts everything from `Joined` on, and the
//! history is read after it, so between them nothing is missed; what both have is dropped by its
//! offset.

use super::action::{Actions, Note, Request};
use super::answer::Expected;
use super::subscription::{JoinAnswer, LaneSide, Recovery as Wanted, Side, Subscription};
use super::{Session, wire};
use crate::base::{Now, SubId};
use crate::channel::{
    EpochTag, HistoryPage, HistoryQuery, Publication, Recovery, Start, recover, recovery_query,
};
use crate::protocol::{
    self, ClientError, Disconnect, ErrorCode, PushBody, PushTarget, Reply, Subscribe,
    SubscribeResult,
};

impl Session {
    /// The lane has the subscription, and in an object channel shows what is in the area.
    pub(super) fn joined(&mut self, sub: SubId, at: Start, now: Now, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let joining = subscription.joining.as_deref_mut().expect("a lane says joined once");
        if matches!(joining.lane, LaneSide::Waiting) {
            joining.lane = LaneSide::Joined(at);
            return;
        }
        let audience = match (at, &mut subscription.viewing) {
            (Start::Events(audience), _) => Some(audience),
            (Start::Objects(snapshot), Some(viewing)) => {
                viewing.begin(&snapshot);
                None
            }
            (Start::Objects(_) | Start::Plain, _) => None,
        };
        joining.audience.clone_from(&audience);
        if !subscription.traits.positioned {
            return self.positioned(sub, Some(HistoryPage::default()), now, actions);
        }
        let limit = self.context.options.recovery_max_publication_limit;
        let query = match &joining.recovery {
            Some(wanted) => recovery_query(&wanted.since, limit, wanted.mode),
            None => HistoryQuery { limit: 0, since: None, reverse: false, audience: None },
        };
        let query = HistoryQuery { audience, ..query };
        let channel = subscription.base().clone();
        self.request(Request::History { channel, query }, Expected::Position(sub), actions);
    }

    /// The stream's position is known, or (`None`) the engine is out of reach.
    pub(super) fn positioned(
        &mut self,
        sub: SubId,
        page: Option<HistoryPage>,
        now: Now,
        actions: &mut Actions,
    ) {
        let limit = self.context.options.recovery_max_publication_limit;
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let joining = subscription.joining.as_deref_mut().expect("positioned before it is live");
        let recovery = joining.recovery.take();
        let answer = joining.answer.take().expect("a subscribe is answered once");
        let (tags, audience) = (joining.tags.take(), joining.audience.take());
        let Some(page) = page else {
            return self.refuse(sub, answer, ErrorCode::Internal.into(), actions);
        };
        let first_page = joining.page;
        let mut result = subscription.result(&page, now);
        Self::show(subscription, first_page, &mut result);
        let (delta, encoding) = (subscription.traits.delta, self.origin.encoding);
        let viewing = subscription.viewing.as_deref();
        let replay = |one: &Publication| {
            if tags.as_ref().is_some_and(|tags| !tags.passes(&one.tags)) {
                return None;
            }
            let mut told = if delta { wire::whole(encoding, one) } else { wire::publication(one) };
            let away = viewing.zip(audience.as_deref());
            if let Some(away) = away.and_then(|(viewing, audience)| viewing.away(one, audience)) {
                wire::note_distance(&mut told.tags, away);
            }
            Some(told)
        };
        let knows_area = viewing.is_none_or(|viewing| viewing.knows_area(audience.as_deref()));
        if let Some(wanted) = recovery {
            let (asked, reject) = (wanted.asked, wanted.reject_lost && wanted.asked);
            let recovered = fill(&mut result, wanted, page, limit, replay) && knows_area;
            result.recovered = recovered;
            if asked {
                actions.notes.push(Note::Recovered(recovered));
            }
            if !recovered && reject {
                let lost = ErrorCode::UnrecoverablePosition.into();
                return self.refuse(sub, answer, lost, actions);
            }
        }
        self.announce(sub, actions);
        self.tell(sub, answer, result, now, actions);
    }

    /// Presence and join, asked for before the client is told, so that it finds itself there.
    fn announce(&mut self, sub: SubId, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let (channel, details) = (subscription.base().clone(), subscription.details.clone());
        let traits = subscription.traits;
        if self.subscriptions.iter().any(|one| one.id != sub && one.is_announced_in(&channel)) {
            return;
        }
        if traits.presence {
            let add = Request::AddPresence { channel: channel.clone(), details: details.clone() };
            self.request(add, Expected::Nothing, actions);
        }
        if traits.announces {
            let join = Request::Announce { channel, details, joined: true };
            self.request(join, Expected::Nothing, actions);
        }
    }

    fn tell(
        &mut self,
        sub: SubId,
        answer: JoinAnswer,
        mut result: SubscribeResult,
        now: Now,
        actions: &mut Actions,
    ) {
        match answer {
            JoinAnswer::Reply { id, data } => {
                if result.data.is_empty() {
                    result.data = data;
                }
                let subscribe = Some(result);
                self.reply(id, Reply { subscribe, ..Reply::default() }, actions);
            }
            JoinAnswer::Connect(data) => {
                result.data = data;
                let Some(subscription) = self.subscriptions.by_id(sub) else { return };
                let channel = subscription.channel.clone();
                self.reschedule(now);
                return self.connected_to(&channel, result, now, actions);
            }
            JoinAnswer::Push(data) => self.push_subscribed(sub, data, result, actions),
        }
        self.reschedule(now);
        self.flush(sub, actions);
    }

    fn push_subscribed(
        &mut self,
        sub: SubId,
        data: bytes::Bytes,
        result: SubscribeResult,
        actions: &mut Actions,
    ) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let channel = subscription.channel.clone();
        let target = PushTarget::Channel(channel.as_str());
        let mut push = |event: &PushBody| self.push(event, &target, actions);
        push(&PushBody::Subscribe(Subscribe {
            recoverable: result.recoverable,
            epoch: result.epoch,
            offset: result.offset,
            positioned: result.positioned,
            data,
        }));
        for publication in result.publications {
            push(&PushBody::Pub(publication));
        }
    }

    /// Subscriptions of the connect, whose reply is written: what waited for it follows.
    pub(super) fn flush_starting(&mut self, actions: &mut Actions) {
        let starting: Vec<SubId> = self
            .subscriptions
            .iter()
            .filter(|one| one.joining.as_ref().is_some_and(|joining| joining.answer.is_none()))
            .map(|one| one.id)
            .collect();
        for sub in starting {
            self.flush(sub, actions);
        }
    }

    /// Makes the subscription live: what was posted since `Joined` goes to the client, save what
    /// the client has.
    fn flush(&mut self, sub: SubId, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let Some(joining) = subscription.joining.take() else { return };
        for (epoch, body) in joining.buffer {
            self.deliver(sub, epoch, body, actions);
        }
        if joining.gap {
            self.invalidate(sub, actions);
        }
    }

    pub(super) fn refuse(
        &mut self,
        sub: SubId,
        answer: JoinAnswer,
        error: ClientError,
        actions: &mut Actions,
    ) {
        let subscription = self.subscriptions.remove(sub).expect("refused once");
        self.drop_join(&subscription, actions);
        match answer {
            JoinAnswer::Reply { id, .. } => self.fail(id, error, actions),
            // The SDK has no subscribe to fail: it comes back and tries again.
            JoinAnswer::Connect(_) | JoinAnswer::Push(_) => {
                self.end_now(Disconnect::INSUFFICIENT_STATE, actions);
            }
        }
    }
}

impl Subscription {
    pub(super) fn result(&mut self, page: &HistoryPage, now: Now) -> SubscribeResult {
        let traits = self.traits;
        self.offset = traits.positioned.then_some(page.top.offset);
        self.epoch = EpochTag::of(&page.top.epoch);
        SubscribeResult {
            expires: self.expire_at.is_some() && self.side == Side::Client,
            ttl: self.ttl_seconds(now).filter(|_| self.side == Side::Client).unwrap_or(0),
            recoverable: traits.recoverable,
            positioned: traits.positioned,
            epoch: page.top.epoch.to_string(),
            offset: page.top.offset,
            delta: traits.delta,
            id: if traits.numbered { i64::from(self.id.0) } else { 0 },
            ..SubscribeResult::default()
        }
    }
}

/// Puts what was missed into the reply, as far as `replay` writes it; whether everything could be
/// had. What it leaves out is no hole: the subscription stands at the top.
fn fill(
    result: &mut SubscribeResult,
    wanted: Wanted,
    page: HistoryPage,
    limit: usize,
    replay: impl Fn(&Publication) -> Option<protocol::Publication>,
) -> bool {
    result.was_recovering = wanted.asked;
    match recover(page, &wanted.since, limit, wanted.mode) {
        Recovery::Recovered(publications) => {
            result.recovered = true;
            // SDKs advance from the offset that they presented by what follows.
            if wanted.asked {
                result.offset = wanted.since.offset;
            }
            result.publications = publications.iter().filter_map(|one| replay(one)).collect();
            true
        }
        Recovery::Lost => false,
    }
}
