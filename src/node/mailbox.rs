//! A session's mailbox: the one bounded queue through which lanes and the server reach it. Idle it
//! holds no memory but itself. Why it is a lock and not a channel: `docs/decisions/0002-mailbox.md`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::channel::{Mail, Sighting, Start};

/// The sending and receiving end alike; clones share one queue. Any number of lanes post, one
/// connection task takes.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    mails: VecDeque<Mail>,
    bytes: usize,
    bytes_max: usize,
    state: State,
    waker: Option<Waker>,
    /// The connection waits for its client to read: only an overflow is worth waking it for.
    blocked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// More was posted than fits. What was queued is gone: the session must end as slow.
    Overflowed,
    /// The session is gone; what is posted is dropped.
    Closed,
}

/// The mailbox overflowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// What an entry about an object costs besides its key and data, which all who are told share.
const OBJECT_BYTES: usize = 160;
/// What an entry costs besides its body.
const ENTRY_BYTES: usize = size_of::<Mail>();

impl Mailbox {
    /// `bytes_max` bounds the bodies and entries that wait.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            mails: VecDeque::new(),
            bytes: 0,
            bytes_max,
            state: State::Open,
            waker: None,
            blocked: false,
        })))
    }

    /// Moves entries in order to the end of `batch`, until their bodies exceed `bytes` (at least
    /// one entry). Pending while there are none.
    pub(crate) fn poll_take(
        &self,
        context: &Context<'_>,
        bytes: usize,
        batch: &mut VecDeque<Mail>,
    ) -> Poll<Result<(), Overflow>> {
        let mut queue = self.lock();
        if queue.state == State::Overflowed {
            return Poll::Ready(Err(Overflow));
        }
        if queue.mails.is_empty() {
            queue.wake(context, false);
            return Poll::Pending;
        }
        queue.take(bytes, batch);
        Poll::Ready(Ok(()))
    }

    /// Whether it has overflowed; wakes the task when it does. For a connection that takes nothing
    /// while its client does not read.
    pub(crate) fn has_overflowed(&self, context: &Context<'_>) -> bool {
        let mut queue = self.lock();
        queue.wake(context, true);
        queue.state == State::Overflowed
    }

    /// Gives back the memory of an empty queue.
    pub(crate) fn release(&self) {
        let mut queue = self.lock();
        if queue.mails.is_empty() {
            queue.mails = VecDeque::new();
        }
    }

    /// Ends the mailbox: what waits and what is posted later is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.state = State::Closed;
        queue.clear();
        queue.waker = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        // Nothing below can panic half-way through a change, so a poisoned queue is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl crate::hub::Mailbox for Mailbox {
    fn post(&self, mail: Mail) {
        let waker = {
            let mut queue = self.lock();
            if queue.state != State::Open {
                return;
            }
            queue.push(mail);
            if queue.blocked && queue.state == State::Open {
                return;
            }
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Queue {
    fn wake(&mut self, context: &Context<'_>, blocked: bool) {
        self.blocked = blocked;
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }

    fn push(&mut self, mail: Mail) {
        self.bytes += cost(&mail);
        if self.bytes > self.bytes_max {
            self.state = State::Overflowed;
            self.clear();
        } else {
            self.mails.push_back(mail);
        }
    }

    fn take(&mut self, bytes: usize, batch: &mut VecDeque<Mail>) {
        if self.bytes <= bytes && batch.is_empty() {
            std::mem::swap(&mut self.mails, batch);
            self.bytes = 0;
            return;
        }
        let mut taken = 0;
        while taken <= bytes
            && let Some(mail) = self.mails.pop_front()
        {
            taken += cost(&mail);
            batch.push_back(mail);
        }
        self.bytes -= taken;
        if self.mails.is_empty() {
            self.mails = VecDeque::new();
        }
    }

    fn clear(&mut self) {
        self.mails = VecDeque::new();
        self.bytes = 0;
    }
}

fn cost(mail: &Mail) -> usize {
    match mail {
        Mail::Push { body, .. } => ENTRY_BYTES + body.bytes.len(),
        Mail::Object { change, .. } => {
            let fix = &change.object.fix;
            OBJECT_BYTES + fix.data.len() + fix.key.len()
        }
        Mail::Joined { at: Start::Objects(snapshot), .. } => {
            ENTRY_BYTES + snapshot.len() * size_of::<Sighting>()
        }
        Mail::Joined { .. }
        | Mail::Refused { .. }
        | Mail::Moved { .. }
        | Mail::Gap { .. }
        | Mail::Server(_) => ENTRY_BYTES,
    }
}
