//! The streams of one partition, bounded in number and in bytes. Every operation costs amortised
//! O(log n) in the number of streams: they lie in slots, and three orders over the slots say which
//! stream is idle longest, which holds the oldest publication and which expires next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::Moment;
use crate::channel::{Channel, Draft, HistoryQuery, Position, Publication, Stream};
use crate::engine::Retention;
use crate::engine::memory::agenda::Agenda;
use crate::engine::memory::epoch::Epochs;
use crate::engine::memory::recency::Recency;

/// What one partition may hold.
#[derive(Debug)]
pub(super) struct Caps {
    pub(super) bytes: usize,
    /// At least 1.
    pub(super) streams: usize,
    /// For streams whose retention has no meta TTL of its own.
    pub(super) meta_ttl: Duration,
}

#[derive(Debug)]
pub(super) struct Streams {
    caps: Caps,
    epochs: Epochs,
    by_channel: HashMap<Channel, usize>,
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// All streams, the one that was idle longest first.
    recency: Recency,
    /// Streams that have bytes, by [`Stream::age`].
    by_age: Agenda,
    /// All streams, by [`Entry::deadline`].
    by_deadline: Agenda,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    channel: Channel,
    stream: Stream,
    used: Moment,
    meta_ttl: Duration,
    in_age: Option<Moment>,
    in_deadline: Option<Moment>,
}

impl Entry {
    /// When something of this stream is due to be dropped.
    fn deadline(&self) -> Moment {
        self.stream.next_expiry().unwrap_or_else(|| self.end())
    }

    /// When the stream itself ends; not before its last publication has expired.
    fn end(&self) -> Moment {
        self.used.after(self.meta_ttl.max(self.stream.ttl()))
    }
}

impl Streams {
    pub(super) fn new(caps: Caps, epochs: Epochs) -> Self {
        assert!(caps.streams > 0, "a partition has room for a stream");
        Self {
            caps,
            epochs,
            by_channel: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            recency: Recency::default(),
            by_age: Agenda::default(),
            by_deadline: Agenda::default(),
            bytes: 0,
        }
    }

    pub(super) fn append(
        &mut self,
        channel: &Channel,
        publication: Publication,
        retention: Retention,
        now: Moment,
    ) -> (Arc<Publication>, Position) {
        let slot = self.take_up(channel, retention, now);
        let meta_ttl = retention.meta_ttl.unwrap_or(self.caps.meta_ttl);
        let entry = occupied(&mut self.slots, slot);
        let before = entry.stream.bytes();
        let publication = entry.stream.append(publication, retention.keep(), now);
        entry.meta_ttl = meta_ttl;
        let position = entry.stream.position();
        self.bytes = self.bytes - before + entry.stream.bytes();
        self.by_age.advance(&mut entry.in_age, entry.stream.age(), slot);
        let deadline = entry.deadline();
        self.by_deadline.advance(&mut entry.in_deadline, Some(deadline), slot);
        self.keep_to_bytes();
        (publication, position)
    }

    pub(super) fn read(
        &mut self,
        channel: &Channel,
        query: &HistoryQuery,
        retention: Retention,
        now: Moment,
    ) -> Draft {
        let slot = self.take_up(channel, retention, now);
        occupied(&mut self.slots, slot).stream.draft(query, now)
    }

    /// Drops the publications of a stream; it need not be there.
    pub(super) fn clear(&mut self, channel: &Channel) {
        let Some(&slot) = self.by_channel.get(channel) else { return };
        let entry = occupied(&mut self.slots, slot);
        let before = entry.stream.bytes();
        entry.stream.clear();
        self.bytes = self.bytes - before + entry.stream.bytes();
    }

    /// Drops what expired, in about `steps` steps, and says how many it took; fewer than `steps`
    /// means that nothing expired is left.
    pub(super) fn expire(&mut self, now: Moment, steps: usize) -> usize {
        let mut taken = 0;
        while taken < steps {
            let Some((due, slot)) = self.by_deadline.first() else { break };
            if due > now {
                break;
            }
            let entry = occupied(&mut self.slots, slot);
            let before = entry.stream.bytes();
            taken += entry.stream.drop_expired(now, steps - taken).max(1);
            self.bytes = self.bytes - before + entry.stream.bytes();
            let deadline = entry.deadline();
            if entry.stream.oldest().is_none() && deadline <= now {
                self.forget(slot);
            } else {
                self.by_deadline.set(&mut entry.in_deadline, Some(deadline), slot);
            }
        }
        taken
    }

    /// How many streams there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_channel.len()
    }

    /// Bytes of all publications kept, as [`Stream::bytes`] counts them.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The slot of a channel's stream, which is made if need be, marked as used.
    fn take_up(&mut self, channel: &Channel, retention: Retention, now: Moment) -> usize {
        if let Some(&slot) = self.by_channel.get(channel) {
            let entry = occupied(&mut self.slots, slot);
            if entry.end() > now {
                entry.used = now;
                self.recency.move_to_back(slot);
                return slot;
            }
            self.forget(slot);
        }
        self.create(channel, retention, now)
    }

    fn create(&mut self, channel: &Channel, retention: Retention, now: Moment) -> usize {
        if self.by_channel.len() >= self.caps.streams
            && let Some(idle) = self.recency.first()
        {
            self.forget(idle);
        }
        let mut entry = Entry {
            channel: channel.clone(),
            stream: Stream::new(self.epochs.next(), retention.ttl),
            used: now,
            meta_ttl: retention.meta_ttl.unwrap_or(self.caps.meta_ttl),
            in_age: None,
            in_deadline: None,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let deadline = entry.deadline();
        self.by_deadline.set(&mut entry.in_deadline, Some(deadline), slot);
        self.recency.push_back(slot);
        self.by_channel.insert(channel.clone(), slot);
        self.slots[slot] = Some(entry);
        slot
    }

    fn forget(&mut self, slot: usize) {
        let mut entry = self.slots[slot].take().expect("only slots in use are forgotten");
        self.bytes -= entry.stream.bytes();
        self.by_age.set(&mut entry.in_age, None, slot);
        self.by_deadline.set(&mut entry.in_deadline, None, slot);
        self.recency.remove(slot);
        self.by_channel.remove(&entry.channel);
        self.free.push(slot);
    }

    /// Drops what is oldest in the partition until the rest is within the cap.
    fn keep_to_bytes(&mut self) {
        while self.bytes > self.caps.bytes {
            let (filed, slot) = self.by_age.first().expect("bytes are those of filed streams");
            let entry = occupied(&mut self.slots, slot);
            if entry.stream.age() == Some(filed) {
                let before = entry.stream.bytes();
                entry.stream.shed();
                self.bytes = self.bytes - before + entry.stream.bytes();
            }
            self.by_age.set(&mut entry.in_age, entry.stream.age(), slot);
        }
    }
}

/// A free function, so that the other fields stay free to borrow.
fn occupied(slots: &mut [Option<Entry>], slot: usize) -> &mut Entry {
    slots[slot].as_mut().expect("an order over the slots names only slots in use")
}

#[cfg(test)]
mod tests;
