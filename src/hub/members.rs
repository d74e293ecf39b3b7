//! Who is subscribed: what a lane keeps of one subscription, and the slots of a geo channel's.

use std::collections::HashMap;
use std::fmt::Debug;

use super::lane::Join;
use crate::base::{Encoding, SessionId, SubId};
use crate::channel::{Delivery, EventKind};

/// One subscription.
#[derive(Debug)]
pub(super) struct Member<M> {
    pub(super) session: SessionId,
    pub(super) sub: SubId,
    pub(super) encoding: Encoding,
    pub(super) delivery: Delivery,
    pub(super) mailbox: M,
}

impl<M> Member<M> {
    /// Whether it is told of events of this kind with these tags, wherever they are.
    pub(super) fn wants(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::Publication { publication, .. } => {
                self.delivery.tags.as_ref().is_none_or(|tags| tags.passes(&publication.tags))
            }
            EventKind::Join(_) | EventKind::Leave(_) => self.delivery.join_leave,
            EventKind::Fix(..) | EventKind::Removed { .. } | EventKind::Gap => false,
        }
    }
}

impl<M> From<Join<M>> for Member<M> {
    fn from(join: Join<M>) -> Self {
        let Join { session, sub, encoding, delivery, mailbox, .. } = join;
        Self { session, sub, encoding, delivery, mailbox }
    }
}

/// Values in slots that keep their number while they are there; numbers are small and reused.
#[derive(Debug)]
pub(super) struct Slots<K, T> {
    values: Vec<Option<T>>,
    free: Vec<u32>,
    places: HashMap<K, u32>,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new(), places: HashMap::new() }
    }
}

impl<K: Eq + std::hash::Hash + Debug, T> Slots<K, T> {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn add(&mut self, key: K, value: T) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.values.is_empty() {
                // Many channels have one of each.
                self.values.reserve_exact(1);
            }
            self.values.push(None);
            u32::try_from(self.values.len() - 1).expect("slots are bounded by memory long before")
        });
        self.values[slot as usize] = Some(value);
        let before = self.places.insert(key, slot);
        assert!(before.is_none(), "a key is added once");
        slot
    }

    pub(super) fn remove<Q>(&mut self, key: &Q) -> Option<(u32, T)>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + std::hash::Hash + ?Sized,
    {
        let slot = self.places.remove(key)?;
        let value = self.values[slot as usize].take().expect("a place has its value");
        if self.places.is_empty() {
            // What once was large gives its memory back.
            (self.values, self.free) = (Vec::new(), Vec::new());
        } else {
            self.free.push(slot);
        }
        Some((slot, value))
    }

    pub(super) fn find<Q>(&self, key: &Q) -> Option<u32>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + std::hash::Hash + ?Sized,
    {
        self.places.get(key).copied()
    }

    /// `None` for a slot that is free.
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.values.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.values.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let values = (0_u32..).zip(&self.values);
        values.filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.places.keys()
    }
}
