//! Idempotency: answers that were given to publications under a key.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::base::Moment;
use crate::channel::{Channel, Position};

/// A publisher's key; it counts for one channel.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) channel: Channel,
    pub(super) key: String,
}

/// The latest answers, each for the same time, at most so many. When it is full the oldest goes
/// first, and a publication that is repeated after that is appended twice.
#[derive(Debug)]
pub(super) struct Answers {
    ttl: Duration,
    keys_max: usize,
    by_key: HashMap<Arc<Key>, Position>,
    /// Oldest first, with the moment when each ends. Holds exactly the keys of `by_key`.
    order: VecDeque<(Moment, Arc<Key>)>,
}

impl Answers {
    pub(super) fn new(ttl: Duration, keys_max: usize) -> Self {
        Self { ttl, keys_max, by_key: HashMap::new(), order: VecDeque::new() }
    }

    /// The answer given under this key, if it is not too long ago.
    pub(super) fn find(&mut self, key: &Key, now: Moment) -> Option<Position> {
        self.expire(now, usize::MAX);
        self.by_key.get(key).cloned()
    }

    /// Remembers the answer to a key that [`Answers::find`] did not find at the same moment.
    pub(super) fn remember(&mut self, key: Key, answer: Position, now: Moment) {
        while self.order.len() >= self.keys_max {
            self.drop_oldest();
        }
        let key = Arc::new(key);
        let before = self.by_key.insert(Arc::clone(&key), answer);
        assert!(before.is_none(), "an answer was remembered without a look for an earlier one");
        self.order.push_back((now.after(self.ttl), key));
    }

    /// Drops at most `max` answers that have ended and says how many it dropped.
    pub(super) fn expire(&mut self, now: Moment, max: usize) -> usize {
        let mut dropped = 0;
        while dropped < max && self.order.front().is_some_and(|&(end, _)| end <= now) {
            self.drop_oldest();
            dropped += 1;
        }
        dropped
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.by_key.remove(&key);
        }
    }
}
