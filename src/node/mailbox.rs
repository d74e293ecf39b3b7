//! A session's mailbox: the one bounded queue through which lanes and the server reach it. Idle it
//! holds no memory but itself. Why it is a lock and not a channel: `docs/decisions/0002-mailbox.md`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::base::SubId;
use crate::channel::{Mail, Moved, ServerCommand, Sighting, Start};

/// The sending and receiving end alike; clones share one queue. Any number of lanes post, one
/// connection task takes.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    mails: VecDeque<Mail>,
    bytes: usize,
    bytes_max: usize,
    /// Entries that were left when it was last conflated; 0 once it was emptied.
    conflated: usize,
    state: State,
    waker: Option<Waker>,
    /// The connection waits for its client to read: only what ends it is worth waking it for.
    blocked: bool,
    /// What ends the connection was posted.
    has_urgent: bool,
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
            conflated: 0,
            state: State::Open,
            waker: None,
            blocked: false,
            has_urgent: false,
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

    /// What ends the connection: an overflow, or the server's word, past all that waits before it.
    /// Wakes the task when it comes. For a connection that takes nothing while its client does not
    /// read.
    pub(crate) fn take_urgent(&self, context: &Context<'_>) -> Option<Result<Mail, Overflow>> {
        let mut queue = self.lock();
        queue.wake(context, true);
        if queue.state == State::Overflowed {
            return Some(Err(Overflow));
        }
        if !std::mem::take(&mut queue.has_urgent) {
            return None;
        }
        let at = queue.mails.iter().position(is_urgent)?;
        let mail = queue.mails.remove(at)?;
        queue.bytes -= cost(&mail);
        Some(Ok(mail))
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
            queue.has_urgent |= is_urgent(&mail);
            queue.push(mail);
            if queue.blocked && queue.state == State::Open && !queue.has_urgent {
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
        self.mails.push_back(mail);
        // Looked through only where there is twice as much as was left the last time, so that a
        // client that does not read costs no more than its bytes.
        if self.bytes > self.bytes_max && self.mails.len() > 2 * self.conflated {
            conflate(&mut self.mails);
            self.conflated = self.mails.len();
            self.bytes = self.mails.iter().map(cost).sum();
        }
        if self.bytes > self.bytes_max {
            self.state = State::Overflowed;
            self.clear();
        }
    }

    fn take(&mut self, bytes: usize, batch: &mut VecDeque<Mail>) {
        if self.bytes <= bytes && batch.is_empty() {
            std::mem::swap(&mut self.mails, batch);
            (self.bytes, self.conflated) = (0, 0);
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
            self.conflated = 0;
        }
    }

    fn clear(&mut self) {
        self.mails = VecDeque::new();
        self.bytes = 0;
    }
}

/// Whether it ends the connection.
fn is_urgent(mail: &Mail) -> bool {
    matches!(mail, Mail::Server(command) if matches!(**command, ServerCommand::Disconnect { .. }))
}

/// Of each object that a view is told of more than once, leaves the latest state at the place of
/// the first telling. What is told of a moved area comes between: nothing is joined over it.
fn conflate(mails: &mut VecDeque<Mail>) {
    let mut first: HashMap<(SubId, Arc<str>), usize> = HashMap::new();
    let mut kept: Vec<Option<Mail>> = Vec::with_capacity(mails.len());
    for mail in mails.drain(..) {
        let (sub, key) = match &mail {
            Mail::Object { sub, change, is_transition: false, .. } => {
                (*sub, change.object.fix.key.clone())
            }
            Mail::Moved { sub, .. } | Mail::Joined { sub, .. } => {
                let moved = *sub;
                first.retain(|(sub, _), _| *sub != moved);
                kept.push(Some(mail));
                continue;
            }
            _ => {
                kept.push(Some(mail));
                continue;
            }
        };
        match first.entry((sub, key)) {
            Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(Some(mail));
            }
            Entry::Occupied(entry) => {
                let at = *entry.get();
                kept[at] = kept[at].take().and_then(|before| joined(before, mail));
                if kept[at].is_none() {
                    entry.remove();
                }
            }
        }
    }
    mails.extend(kept.into_iter().flatten());
}

/// Two tellings of one object as one, or nothing.
fn joined(before: Mail, next: Mail) -> Option<Mail> {
    let Mail::Object { happening: first, reason: why, .. } = before else { return Some(next) };
    match next {
        Mail::Object { sub, happening, reason, change, distance, is_transition } => {
            let happening = first.and_then(happening)?;
            let reason = happening.reason(why, reason);
            Some(Mail::Object { sub, happening, reason, change, distance, is_transition })
        }
        other => Some(other),
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
        Mail::Moved { moved, .. } => ENTRY_BYTES + moved.as_ref().as_ref().map_or(0, Moved::bytes),
        Mail::Joined { .. } | Mail::Refused { .. } | Mail::Gap { .. } | Mail::Server(_) => {
            ENTRY_BYTES
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Change, Fix, Happening, Object, Reason};
    use crate::geo::LatLng;
    use crate::hub::Mailbox as _;

    fn told(sub: u32, key: &str, happening: Happening, lat: f64, is_transition: bool) -> Mail {
        let fix = Fix::bare(key, LatLng::new(lat, 0.0).unwrap().into());
        let change = Arc::new(Change::new(Arc::new(Object { fix, suspect: false })));
        let reason = Reason::Moved;
        Mail::Object { sub: SubId(sub), happening, reason, change, distance: None, is_transition }
    }

    fn shown(mailbox: &Mailbox) -> Vec<String> {
        let queue = mailbox.lock();
        let show = |mail: &Mail| match mail {
            Mail::Object { sub, happening, change, .. } => {
                let fix = &change.object.fix;
                format!("{} {} {} {}", sub.0, happening.name(), fix.key, fix.point.at.lat())
            }
            Mail::Gap { sub } => format!("gap {}", sub.0),
            other => unreachable!("{other:?} is not posted here"),
        };
        queue.mails.iter().map(show).collect()
    }

    #[test]
    fn a_view_that_is_not_read_keeps_the_latest_of_each_object() {
        let mailbox = Mailbox::new(40 * OBJECT_BYTES);
        mailbox.post(told(1, "a", Happening::Enter, 0.0, false));
        mailbox.post(told(2, "a", Happening::Exit, 0.0, false));
        mailbox.post(Mail::Gap { sub: SubId(3) });
        mailbox.post(told(1, "b", Happening::Enter, 0.5, false));
        for step in 0..2000 {
            mailbox.post(told(1, "a", Happening::Move, f64::from(step) / 1000.0, false));
            mailbox.post(told(2, "a", Happening::Move, f64::from(step) / 1000.0, false));
        }
        mailbox.post(told(1, "b", Happening::Exit, 0.5, false));
        conflate(&mut mailbox.lock().mails);
        assert_eq!(shown(&mailbox), ["1 enter a 1.999", "2 move a 1.999", "gap 3"]);
    }

    #[test]
    fn moved_areas_cost_what_they_hold() {
        let Mail::Object { change, .. } = told(1, "a", Happening::Enter, 0.0, false) else {
            panic!("it tells of an object");
        };
        let object = &change.object;
        let sighting = Sighting { object: object.clone(), distance: None };
        let moved = Moved { added: vec![sighting; 1000], removed: vec![object.clone(); 1000] };
        let mailbox = Mailbox::new(2 * (ENTRY_BYTES + 1000 * Moved::OBJECT_BYTES));
        for (token, expected) in [(1, State::Open), (2, State::Open), (3, State::Overflowed)] {
            let moved = Box::new(Ok(moved.clone()));
            mailbox.post(Mail::Moved { sub: SubId(1), token, moved });
            assert_eq!(mailbox.lock().state, expected);
        }
    }

    #[test]
    fn transitions_each_count_and_overflow_in_the_end() {
        let mailbox = Mailbox::new(40 * OBJECT_BYTES);
        for _ in 0..20 {
            mailbox.post(told(1, "a", Happening::Enter, 0.0, true));
            mailbox.post(told(1, "a", Happening::Exit, 0.0, true));
        }
        assert!(shown(&mailbox).len() < 40, "keys cost something as well");
        assert_eq!(mailbox.lock().state, State::Overflowed);
    }
}
