//! [`Table`]: the objects of one channel as they are now, and which fixes count. It tells nobody:
//! each change comes back as a [`Step`].

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, Now, SessionId, UnixMillis, limits};
use crate::channel::{Fix, GeoOptions, Object, Reason, SuspectRule};
use crate::geo::{Area, Metres, Point, PointIndex};
use crate::hub::members::Slots;

/// Objects by key. Each is in the expiry queue once, the one heard of longest ago first, and in the
/// index of points while it is visible.
#[derive(Debug, Default)]
pub(super) struct Table {
    objects: Slots<Arc<str>, Entry>,
    visible: PointIndex,
    owned: BTreeSet<(SessionId, u32)>,
    queue: Option<Queue>,
}

#[derive(Debug)]
struct Entry {
    object: Arc<Object>,
    /// No fix up to this time counts any more.
    time: UnixMillis,
    /// The device's own time, where its clock is too far ahead to be believed.
    ahead: Option<UnixMillis>,
    heard: Moment,
    owner: Option<SessionId>,
    is_visible: bool,
    older: Option<u32>,
    newer: Option<u32>,
}

/// Ends of the expiry queue.
#[derive(Clone, Copy, Debug)]
struct Queue {
    oldest: u32,
    newest: u32,
}

/// What an object was and is for those who look: `None` where it is not to be seen. At least one of
/// the two is there.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) slot: u32,
    pub(super) before: Option<Arc<Object>>,
    pub(super) after: Option<Arc<Object>>,
    /// Why it appeared, moved or disappeared.
    pub(super) reason: Reason,
}

/// Why a fix does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Old,
    TooFast,
    NoRoom,
}

/// The time of a fix, as it is judged.
struct Timed {
    time: UnixMillis,
    ahead: Option<UnixMillis>,
}

impl Step {
    fn of(
        slot: u32,
        before: Option<Arc<Object>>,
        after: Option<Arc<Object>>,
        reason: Reason,
    ) -> Option<Self> {
        let is_seen = before.is_some() || after.is_some();
        is_seen.then_some(Self { slot, before, after, reason })
    }

    /// Whether the object is where it was.
    pub(super) fn is_still(&self) -> bool {
        let place = |object: &Option<Arc<Object>>| object.as_ref().map(|object| object.fix.point);
        place(&self.before) == place(&self.after)
    }

    /// The object as those may know it who see it now or did so before.
    pub(super) fn object(&self) -> &Arc<Object> {
        let seen = self.after.as_ref().or(self.before.as_ref());
        seen.expect("a step is from something or to something")
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Takes a fix. `is_hidden` says whether its place is in a zone where nothing is shown. `None`
    /// where nobody can see a difference.
    pub(super) fn take(
        &mut self,
        fix: Arc<Fix>,
        is_hidden: bool,
        now: Now,
        options: &GeoOptions,
    ) -> Result<Option<Step>, Unfit> {
        let slot = self.objects.find(&*fix.key);
        let known = slot.and_then(|slot| self.objects.get(slot));
        if known.is_none() && self.objects.len() >= options.channel_objects_max {
            return Err(Unfit::NoRoom);
        }
        let Timed { time, ahead } = judge_time(known, fix.time, now.unix)?;
        let is_fast = known.is_some_and(|known| is_too_fast(known, &fix.point, time, options));
        if is_fast && options.suspect == SuspectRule::Drop {
            return Err(Unfit::TooFast);
        }
        let mut fix = Arc::unwrap_or_clone(fix);
        if ahead.is_some() {
            fix.time = Some(now.unix);
        }
        let object = Object { fix, suspect: is_fast || ahead.is_some() };
        Ok(self.put(slot, Arc::new(object), Timed { time, ahead }, is_hidden, now.moment))
    }

    /// Takes an object out; `None` where nobody could see it.
    pub(super) fn remove(&mut self, slot: u32, reason: Reason) -> Option<Step> {
        let key = self.objects.get(slot)?.object.fix.key.clone();
        self.unlink(slot);
        let (_, entry) = self.objects.remove(&*key).expect("found just above");
        if let Some(owner) = entry.owner {
            self.owned.remove(&(owner, slot));
        }
        let before = entry.is_visible.then_some(entry.object)?;
        self.visible.remove(slot);
        Step::of(slot, Some(before), None, reason)
    }

    pub(super) fn find(&self, key: &str) -> Option<u32> {
        self.objects.find(key)
    }

    /// The object, if it is to be seen.
    pub(super) fn seen(&self, slot: u32) -> Option<&Arc<Object>> {
        self.objects.get(slot).filter(|entry| entry.is_visible).map(|entry| &entry.object)
    }

    /// An object of an owner, if it has any.
    pub(super) fn owned_by(&self, owner: SessionId) -> Option<u32> {
        let all = (Bound::Included((owner, 0)), Bound::Included((owner, u32::MAX)));
        self.owned.range(all).next().map(|(_, slot)| *slot)
    }

    /// The object that was heard of longest ago, and when that was.
    pub(super) fn oldest(&self) -> Option<(u32, Moment)> {
        let slot = self.queue?.oldest;
        Some((slot, self.entry(slot).heard))
    }

    /// Appends the slots of the visible objects in an area, in no order.
    pub(super) fn within(&self, area: &Area, found: &mut Vec<u32>) {
        self.visible.within(area, found);
    }

    /// The visible objects that `accepts` lets through, nearest first.
    pub(super) fn nearest(
        &self,
        to: &Point,
        count: usize,
        within: Option<Metres>,
        mut accepts: impl FnMut(&Object) -> bool,
    ) -> Vec<(u32, Metres)> {
        let accepts = |slot| self.seen(slot).is_some_and(|object| accepts(object));
        self.visible.nearest(to, count, within, accepts)
    }

    #[cfg(test)]
    pub(super) fn visible(&self) -> impl Iterator<Item = (u32, &Arc<Object>)> {
        let entries = self.objects.iter().filter(|(_, entry)| entry.is_visible);
        entries.map(|(slot, entry)| (slot, &entry.object))
    }

    /// Slots and places of all objects, hidden ones too.
    pub(super) fn places(&self) -> impl Iterator<Item = (u32, Point)> {
        self.objects.iter().map(|(slot, entry)| (slot, entry.object.fix.point))
    }

    /// What must always hold.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let visible = self.visible().count();
        assert_eq!(self.visible.len(), visible, "what is to be seen is in the index");
        let entries = self.objects.iter().map(|(_, entry)| entry);
        assert_eq!(self.owned.len(), entries.filter(|entry| entry.owner.is_some()).count());
        let (mut queued, mut next) = (0, self.queue.map(|queue| queue.oldest));
        while let Some(slot) = next {
            queued += 1;
            let entry = self.entry(slot);
            if entry.newer.is_none() {
                assert_eq!(self.queue.map(|queue| queue.newest), Some(slot));
            }
            next = entry.newer;
        }
        assert_eq!(queued, self.objects.len(), "each object waits for its end once");
    }

    /// Hides an object or shows it; `None` where that is so already.
    pub(super) fn set_hidden(&mut self, slot: u32, is_hidden: bool) -> Option<Step> {
        let entry = self.objects.get_mut(slot)?;
        if entry.is_visible != is_hidden {
            return None;
        }
        entry.is_visible = !is_hidden;
        let object = entry.object.clone();
        let (before, after) = if is_hidden {
            self.visible.remove(slot);
            (Some(object), None)
        } else {
            self.visible.insert(slot, object.fix.point);
            (None, Some(object))
        };
        Step::of(slot, before, after, Reason::AreaChanged)
    }

    fn put(
        &mut self,
        slot: Option<u32>,
        object: Arc<Object>,
        Timed { time, ahead }: Timed,
        is_hidden: bool,
        heard: Moment,
    ) -> Option<Step> {
        let (point, owner) = (object.fix.point, object.fix.owner);
        let is_visible = !is_hidden;
        let after = is_visible.then(|| object.clone());
        let (slot, before, reason) = match slot {
            Some(slot) => {
                self.unlink(slot);
                let entry = self.objects.get_mut(slot).expect("a slot that was found is taken");
                let was_visible = std::mem::replace(&mut entry.is_visible, is_visible);
                let before = std::mem::replace(&mut entry.object, object);
                (entry.time, entry.ahead, entry.heard) = (time, ahead, heard);
                (slot, was_visible.then_some(before), Reason::Moved)
            }
            None => {
                let key = object.fix.key.clone();
                let (owner, older, newer) = (None, None, None);
                let entry = Entry { object, time, ahead, heard, owner, is_visible, older, newer };
                (self.objects.add(key, entry), None, Reason::Created)
            }
        };
        self.link(slot);
        self.own(slot, owner);
        if is_visible {
            self.visible.insert(slot, point);
        } else if before.is_some() {
            self.visible.remove(slot);
        }
        Step::of(slot, before, after, reason)
    }

    /// What a backend says of a client's object leaves it the client's.
    fn own(&mut self, slot: u32, owner: Option<SessionId>) {
        let entry = self.objects.get_mut(slot).expect("what is owned is there");
        if owner.is_none() || entry.owner == owner {
            return;
        }
        let before = std::mem::replace(&mut entry.owner, owner);
        self.owned.extend(owner.map(|owner| (owner, slot)));
        if let Some(before) = before {
            self.owned.remove(&(before, slot));
        }
    }

    /// Puts an object last in the expiry queue.
    fn link(&mut self, slot: u32) {
        let oldest = self.queue.map_or(slot, |queue| queue.oldest);
        let older = self.queue.map(|queue| queue.newest);
        let heard = self.entry(slot).heard;
        debug_assert!(older.is_none_or(|older| self.entry(older).heard <= heard), "in order");
        self.entry_mut(slot).older = older;
        if let Some(older) = older {
            self.entry_mut(older).newer = Some(slot);
        }
        self.queue = Some(Queue { oldest, newest: slot });
    }

    fn unlink(&mut self, slot: u32) {
        let entry = self.entry_mut(slot);
        let (older, newer) = (entry.older.take(), entry.newer.take());
        if let Some(older) = older {
            self.entry_mut(older).newer = newer;
        }
        if let Some(newer) = newer {
            self.entry_mut(newer).older = older;
        }
        let queue = self.queue.expect("what is unlinked is in the queue");
        let oldest = if queue.oldest == slot { newer } else { Some(queue.oldest) };
        let newest = if queue.newest == slot { older } else { Some(queue.newest) };
        self.queue = oldest.zip(newest).map(|(oldest, newest)| Queue { oldest, newest });
    }

    fn entry(&self, slot: u32) -> &Entry {
        self.objects.get(slot).expect("what is linked is there")
    }

    fn entry_mut(&mut self, slot: u32) -> &mut Entry {
        self.objects.get_mut(slot).expect("what is linked is there")
    }
}

/// Fixes of one object count in the order of the device's clock. Without a device's time, and where
/// its clock is too far ahead to tell anything, each is newer than those that came before it; but
/// what was old stays old.
fn judge_time(
    known: Option<&Entry>,
    device: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<Timed, Unfit> {
    let ahead = device.filter(|time| time.0 > now.0.saturating_add(AHEAD_MAX_MS));
    let Some(known) = known else {
        let time = device.filter(|_| ahead.is_none()).unwrap_or(now);
        return Ok(Timed { time, ahead });
    };
    match device {
        Some(_) if ahead.is_some() && ahead == known.ahead => Err(Unfit::Old),
        Some(time) if ahead.is_none() && time <= known.time => Err(Unfit::Old),
        Some(time) if ahead.is_none() => Ok(Timed { time, ahead }),
        _ => Ok(Timed { time: now.max(known.time), ahead }),
    }
}

/// Two fixes that are not a millisecond apart are taken for that.
fn is_too_fast(known: &Entry, to: &Point, time: UnixMillis, options: &GeoOptions) -> bool {
    let Some(speed_max) = options.speed_max else { return false };
    let elapsed = Duration::from_millis(time.0.saturating_sub(known.time.0).max(1));
    known.object.fix.point.distance(to).0 > speed_max * elapsed.as_secs_f64()
}

const AHEAD_MAX_MS: u64 = limits::CLOCK_AHEAD.as_secs() * 1000;
