//! The end of a subscription, by the client, by the server, or with the session.

use super::action::{Actions, Request};
use super::answer::Expected;
use super::subscription::{JoinAnswer, Subscription};
use super::{Failure, Session};
use crate::base::SubId;
use crate::protocol::{ErrorCode, Reply, UnsubscribeCode, UnsubscribeRequest, UnsubscribeResult};

impl Session {
    /// Succeeds also where there is no such subscription, which the server may just have ended.
    pub(super) fn unsubscribe(
        &mut self,
        id: u32,
        request: &UnsubscribeRequest,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        self.channel(&request.channel)?;
        let found = self.subscriptions.find(&request.channel).map(|one| one.id);
        if let Some(subscription) = found.and_then(|sub| self.subscriptions.remove(sub)) {
            if subscription.viewing.as_ref().is_some_and(|viewing| viewing.is_moved()) {
                self.forget_area(subscription.channel.clone(), actions);
            }
            self.leave(subscription, actions);
        }
        let unsubscribe = Some(UnsubscribeResult::default());
        self.reply(id, Reply { unsubscribe, ..Reply::default() }, actions);
        Ok(())
    }

    pub(super) fn unsubscribe_by_server(&mut self, sub: SubId, actions: &mut Actions) {
        let joining = self.subscriptions.by_id(sub).and_then(|one| one.joining.as_mut());
        match joining.map(|joining| joining.answer.take()) {
            None => self.push_unsubscribed(sub, UnsubscribeCode::Server, actions),
            // The client still waits for the subscribe: that it failed is the whole answer.
            Some(Some(JoinAnswer::Reply { id, .. })) => {
                let subscription = self.subscriptions.remove(sub).expect("found just above");
                self.drop_join(&subscription, actions);
                self.fail(id, ErrorCode::PermissionDenied.into(), actions);
            }
            Some(Some(JoinAnswer::Push(_))) => {
                let subscription = self.subscriptions.remove(sub).expect("found just above");
                self.drop_join(&subscription, actions);
            }
            Some(Some(JoinAnswer::Connect(_)) | None) => {
                unreachable!("the server's word waits for the connect reply")
            }
        }
    }

    /// Tells lane, presence and the others of a subscription that is no longer in the list.
    pub(super) fn leave(&mut self, subscription: Subscription, actions: &mut Actions) {
        self.drop_join(&subscription, actions);
        // Before its result was on its way, nobody had been told of it.
        if subscription.joining.as_ref().is_some_and(|joining| joining.answer.is_some()) {
            return;
        }
        let Subscription { details, traits, .. } = &subscription;
        let (channel, details, traits) = (subscription.base().clone(), details.clone(), *traits);
        if self.subscriptions.iter().any(|one| one.is_announced_in(&channel)) {
            return;
        }
        if traits.presence {
            let remove = Request::RemovePresence { channel: channel.clone() };
            self.request(remove, Expected::Nothing, actions);
        }
        if traits.announces {
            let leave = Request::Announce { channel, details, joined: false };
            self.request(leave, Expected::Nothing, actions);
        }
    }

    pub(super) fn drop_join(&mut self, subscription: &Subscription, actions: &mut Actions) {
        let (channel, sub) = (subscription.base().clone(), subscription.id);
        if subscription.row.is_some_and(|row| row.begun) {
            actions.ended_rows.push(sub);
        }
        if let Some(viewing) = &subscription.viewing {
            for id in viewing.moves_under_way() {
                let why = "channel: the subscription has ended";
                self.fail(id, ErrorCode::BadRequest.because(why), actions);
            }
            self.refollow(sub, &channel, Some(viewing.source()), None, actions);
        }
        self.request(Request::Leave { channel, sub }, Expected::Nothing, actions);
    }
}
