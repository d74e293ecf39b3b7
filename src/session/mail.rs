//! What comes through the mailbox: events of channels, and the server's word.

use super::action::{Actions, Note};
use super::geo::Telling;
use super::subscription::{JoinAnswer, Side, Subscription};
use super::{Phase, Session};
use crate::base::{Now, SubId, UnixMillis, limits};
use crate::channel::{EpochTag, Mail, PushBody, ServerCommand};
use crate::protocol::{
    self, Disconnect, PushTarget, Refresh, Unsubscribe, UnsubscribeCode, encode_push_body,
    push_head,
};

impl Session {
    /// Takes one entry of the mailbox. What is for a subscription that has ended is dropped.
    pub(crate) fn handle_mail(&mut self, mail: Mail, now: Now, actions: &mut Actions) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        match mail {
            Mail::Push { sub, epoch, body } => return self.deliver(sub, epoch, body, actions),
            Mail::Object { sub, happening, reason, change, distance, .. } => {
                let telling = Telling { happening, reason, change, distance };
                return self.tell_object(sub, telling, now, actions);
            }
            Mail::Joined { sub, at } => self.joined(sub, at, now, actions),
            Mail::Refused { sub, refusal } => self.refused(sub, &refusal, actions),
            Mail::Moved { sub, token, moved } => self.moved(sub, token, *moved, actions),
            Mail::Gap { sub } => self.lose(sub, actions),
            Mail::Server(command) => self.obey_in_turn(*command, now, actions),
        }
        self.settle(now, actions);
    }

    /// Hands an event to the client, or keeps it while the subscription is on its way.
    pub(super) fn deliver(
        &mut self,
        sub: SubId,
        epoch: EpochTag,
        body: PushBody,
        actions: &mut Actions,
    ) {
        let encoding = self.origin.encoding;
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        if let Some(joining) = &mut subscription.joining {
            if joining.gap {
                return;
            }
            joining.buffered_bytes += size_of::<PushBody>() + body.bytes.len();
            joining.buffer.push((epoch, body));
            if self.subscriptions.buffered_bytes() > limits::QUEUE_BYTES {
                self.end_now(Disconnect::SLOW, actions);
            }
            return;
        }
        if let Some(offset) = &mut subscription.offset
            && body.offset > 0
        {
            if epoch != subscription.epoch {
                // The stream that the client stands in is gone, and what was last in it perhaps
                // unseen.
                return self.lose(sub, actions);
            }
            if body.offset <= *offset {
                return;
            }
            *offset = body.offset;
        }
        let accepted = body.accepted;
        let bytes = subscription.choose(body);
        let row = subscription.row(encoding, actions);
        let target = subscription.target();
        let body_bytes = bytes.len();
        actions.write_push(row, bytes, Some(accepted), |head| {
            push_head(encoding, &target, body_bytes, head);
        });
    }

    /// Something was missed: a positioned subscription must recover. Nothing that was published
    /// behind the hole may reach the client first, or it would recover from behind the hole.
    pub(super) fn lose(&mut self, sub: SubId, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        if subscription.traits.positioned {
            self.invalidate(sub, actions);
        }
    }

    /// Ends a subscription that its client is to ask for again.
    pub(super) fn invalidate(&mut self, sub: SubId, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        if let Some(joining) = &mut subscription.joining {
            // The history to come may be that of a new epoch, which what waits here does not
            // follow; from the position of the reply the client recovers either way.
            joining.gap = true;
            joining.buffer = Vec::new();
            joining.buffered_bytes = 0;
            return;
        }
        match subscription.side {
            Side::Client => {
                self.push_unsubscribed(sub, UnsubscribeCode::InsufficientState, actions);
            }
            Side::Server => {
                let subscription = self.subscriptions.remove(sub).expect("found just above");
                self.leave(subscription, actions);
                self.end_now(Disconnect::INSUFFICIENT_STATE, actions);
            }
        }
    }

    /// Ends a subscription and tells the client why; from 2500 on its SDK subscribes again.
    pub(super) fn push_unsubscribed(
        &mut self,
        sub: SubId,
        code: UnsubscribeCode,
        actions: &mut Actions,
    ) {
        let Some(subscription) = self.subscriptions.remove(sub) else { return };
        actions.notes.push(Note::Unsubscribed { code: code.number() });
        let event = protocol::PushBody::Unsubscribe(Unsubscribe::from(code));
        // Some SDKs look an unsubscribe up by name alone, so it never carries the number.
        self.push(&event, &PushTarget::Channel(subscription.channel.as_str()), actions);
        self.leave(subscription, actions);
    }

    /// The row of a subscription was cut off: what was in it is missed.
    pub(crate) fn handle_lost_row(&mut self, sub: SubId, now: Now, actions: &mut Actions) {
        self.push_unsubscribed(sub, UnsubscribeCode::InsufficientState, actions);
        self.settle(now, actions);
    }

    pub(super) fn push(
        &self,
        event: &protocol::PushBody,
        target: &PushTarget<'_>,
        actions: &mut Actions,
    ) {
        let encoding = self.origin.encoding;
        let body = encode_push_body(encoding, event);
        let bytes = body.len();
        actions.write_push(None, body, None, |head| push_head(encoding, target, bytes, head));
    }

    /// Does what the server API asks.
    pub(super) fn obey(&mut self, command: ServerCommand, now: Now, actions: &mut Actions) {
        match command {
            ServerCommand::Subscribe { channel, options } => {
                let answer = JoinAnswer::Push(options.data.clone());
                self.subscribe_by_server(channel, &options, answer, now, actions);
            }
            ServerCommand::Unsubscribe { channel } => {
                let named = |one: &&Subscription| one.channel == channel || *one.base() == channel;
                let found = self.subscriptions.iter().filter(named).map(|one| one.id);
                for sub in found.collect::<Vec<_>>() {
                    self.unsubscribe_by_server(sub, actions);
                }
            }
            ServerCommand::Refresh { expire_at } => self.move_expiry(expire_at, now, actions),
            ServerCommand::Disconnect { code, reason } => {
                self.end_now(Disconnect { code, reason: reason.into() }, actions);
            }
        }
    }

    fn move_expiry(&mut self, expire_at: Option<UnixMillis>, now: Now, actions: &mut Actions) {
        if expire_at.is_some_and(|at| at <= now.unix) {
            return self.end_now(Disconnect::EXPIRED, actions);
        }
        self.expire_at = expire_at;
        self.reschedule(now);
        let ttl = expire_at.map_or(0, |at| super::subscription::seconds_until(at, now));
        let refresh = protocol::PushBody::Refresh(Refresh { expires: expire_at.is_some(), ttl });
        self.push(&refresh, &PushTarget::Session, actions);
    }

    /// Ends the connection whatever is unanswered.
    pub(super) fn end_now(&mut self, disconnect: Disconnect, actions: &mut Actions) {
        self.end(disconnect.clone());
        actions.close.get_or_insert(disconnect);
    }
}
