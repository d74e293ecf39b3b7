//! [`Followers`]: the subscriptions, of this channel or of others, whose area goes with an object.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::base::{SessionId, SubId, limits};
use crate::channel::{Channel, ObjectName};
use crate::geo::Point;
use crate::hub::lane::{Output, Subscriber};

/// By the key that they follow. At most [`limits::FOLLOWERS`].
#[derive(Debug, Default)]
pub(super) struct Followers {
    by_key: BTreeMap<Arc<str>, BTreeMap<(SessionId, SubId), Subscriber>>,
    /// The same from the other side.
    followed: BTreeSet<(SessionId, SubId, Arc<str>)>,
}

impl Followers {
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Whether there is room for it.
    pub(super) fn add(&mut self, key: Arc<str>, by: Subscriber) -> bool {
        let (session, sub) = (by.session, by.sub);
        let known = (session, sub, key.clone());
        if self.followed.len() >= limits::FOLLOWERS && !self.followed.contains(&known) {
            return false;
        }
        self.by_key.entry(key).or_default().insert((session, sub), by);
        self.followed.insert(known);
        true
    }

    pub(super) fn remove(&mut self, key: &str, session: SessionId, sub: SubId) {
        let Some(of_key) = self.by_key.get_mut(key) else { return };
        if of_key.remove(&(session, sub)).is_some() {
            self.followed.remove(&(session, sub, key.into()));
        }
        if of_key.is_empty() {
            self.by_key.remove(key);
        }
    }

    /// The session is gone, and whatever it followed.
    pub(super) fn forget(&mut self, session: SessionId) {
        let from = Bound::Included((session, SubId(0), "".into()));
        let gone: Vec<_> = self
            .followed
            .range((from, Bound::Unbounded))
            .take_while(|(follower, ..)| *follower == session)
            .map(|(_, sub, key)| (*sub, key.clone()))
            .collect();
        for (sub, key) in gone {
            self.remove(&key, session, sub);
        }
    }

    /// Tells the followers of an object where it is.
    pub(super) fn tell(
        &self,
        channel: &Channel,
        key: &Arc<str>,
        at: Option<Point>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(of_key) = self.by_key.get(key) else { return };
        let object = ObjectName { channel: channel.clone(), key: key.clone() };
        let told =
            |by: &Subscriber| Output::Followed { by: by.clone(), object: object.clone(), at };
        outputs.extend(of_key.values().map(told));
    }
}
