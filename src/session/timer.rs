//! What a session does by itself: pings, and the ends of what is stale or expired.

use std::time::Duration;

use bytes::Bytes;

use super::action::Actions;
use super::subscription::{Side, Subscription};
use super::{Phase, Session};
use crate::base::{Moment, Now, SubId, UnixMillis};
use crate::protocol::{self, Disconnect, UnsubscribeCode};

/// The moments at which a session acts.
#[derive(Debug)]
pub(super) struct Timers {
    /// By then the client must have connected.
    stale: Moment,
    ping: Option<Moment>,
    /// By then the client must have answered the ping.
    pong: Option<Moment>,
    /// The earliest end of the connection or of a subscription by expiry.
    expiry: Option<Moment>,
}

impl Timers {
    pub(super) fn new(now: Now, stale_close_delay: Duration) -> Self {
        let stale = now.moment.after(stale_close_delay);
        Self { stale, ping: None, pong: None, expiry: None }
    }
}

impl Session {
    /// When `handle_timeout` is to be called; earlier is harmless, and each input may change it.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let timers = &self.timers;
        match self.phase {
            Phase::Closed => None,
            Phase::Fresh | Phase::Refused | Phase::Connecting(_) => Some(timers.stale),
            Phase::Open => {
                let views = self.subscriptions.iter().filter_map(Subscription::next_deadline).min();
                [timers.ping, timers.pong, timers.expiry, views].into_iter().flatten().min()
            }
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Now, actions: &mut Actions) {
        let due = |at: Option<Moment>| at.is_some_and(|at| at <= now.moment);
        match self.phase {
            Phase::Closed => {}
            Phase::Fresh | Phase::Refused | Phase::Connecting(_) => {
                if due(Some(self.timers.stale)) {
                    self.end_now(Disconnect::STALE, actions);
                }
            }
            Phase::Open => {
                if due(self.timers.pong) {
                    return self.end_now(Disconnect::NO_PONG, actions);
                }
                if due(self.timers.ping) {
                    self.ping(now, actions);
                }
                if due(self.timers.expiry) {
                    self.expire(now, actions);
                }
                self.tell_waiting(now, actions);
                self.settle(now, actions);
            }
        }
    }

    /// The connect is answered: the first ping comes at a random time between half the interval
    /// and the whole.
    pub(super) fn start_timers(&mut self, now: Now) {
        let interval = self.context.options.ping_interval;
        let half = interval / 2;
        let share = u32::try_from(self.origin.random % 1024).expect("below 1024");
        let first = half + (half / 1024) * share;
        self.timers.ping = (!interval.is_zero()).then(|| now.moment.after(first));
        self.reschedule(now);
    }

    /// Finds the earliest expiry anew, after any of them changed.
    pub(super) fn reschedule(&mut self, now: Now) {
        let options = &self.context.options;
        let end = |at: UnixMillis, grace: Duration| {
            let left = after_grace(at, grace).0.saturating_sub(now.unix.0);
            now.moment.after(Duration::from_millis(left))
        };
        let connection = self.expire_at.map(|at| end(at, options.expired_close_delay));
        self.timers.expiry = self
            .subscriptions
            .iter()
            .filter_map(|one| one.expire_at)
            .map(|at| end(at, options.expired_sub_close_delay))
            .chain(connection)
            .min();
    }

    /// An empty command: the client answered the ping.
    pub(super) fn pong(&mut self) {
        if self.timers.pong.take().is_none() {
            self.bad_request("a pong without a ping");
        }
    }

    /// The transport's own pong; RFC 6455 section 5.5.3 lets a client send it unasked.
    pub(crate) fn handle_native_pong(&mut self) {
        if self.origin.native_ping {
            self.timers.pong = None;
        }
    }

    fn ping(&mut self, now: Now, actions: &mut Actions) {
        let options = &self.context.options;
        self.timers.ping = Some(now.moment.after(options.ping_interval));
        self.timers.pong = Some(now.moment.after(options.pong_timeout));
        if self.origin.native_ping {
            actions.native_ping = true;
        } else {
            let ping: Bytes = protocol::ping(self.origin.encoding);
            actions.write(None, ping);
        }
    }

    fn expire(&mut self, now: Now, actions: &mut Actions) {
        let options = &self.context.options;
        let is_over = |at: Option<UnixMillis>, grace: Duration| {
            at.is_some_and(|at| after_grace(at, grace) <= now.unix)
        };
        if is_over(self.expire_at, options.expired_close_delay) {
            return self.end_now(Disconnect::EXPIRED, actions);
        }
        let grace = options.expired_sub_close_delay;
        let over: Vec<(SubId, Side)> = self
            .subscriptions
            .iter()
            .filter(|one| one.joining.is_none() && is_over(one.expire_at, grace))
            .map(|one| (one.id, one.side))
            .collect();
        for (sub, side) in over {
            match side {
                Side::Client => self.push_unsubscribed(sub, UnsubscribeCode::Expired, actions),
                Side::Server => return self.end_now(Disconnect::SUBSCRIPTION_EXPIRED, actions),
            }
        }
        self.reschedule(now);
        // The wall clock may lag behind the monotonic one: look again in a while.
        self.timers.expiry = self.timers.expiry.map(|at| at.max(now.moment.after(RECHECK)));
    }
}

fn after_grace(at: UnixMillis, grace: Duration) -> UnixMillis {
    UnixMillis(at.0.saturating_add(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)))
}

const RECHECK: Duration = Duration::from_millis(100);
