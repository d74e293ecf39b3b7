//! [`Fences`]: areas that remember which objects are in them, and what each step of an object means
//! for each of them. They tell nobody: what they find comes back as [`Found`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::table::{Step, Table};
use super::viewer::Standing;
use crate::base::{Moment, limits};
use crate::channel::{Fence, Fix, GeoOptions, Object, Reason, View};
use crate::geo::json::APPROACH;
use crate::geo::{Area, AreaIndex, Circle, Detect, Metres, Place, Point, Transition, UnitVector};
use crate::hub::members::Slots;

#[derive(Debug, Default)]
pub(super) struct Fences {
    fences: Slots<Of, Guard>,
    areas: AreaIndex,
    /// Of those that tell crossings, and of those that tell who comes near.
    crossed: Told,
    neared: Told,
    /// Those that tell of every fix outside.
    anywhere: BTreeSet<u32>,
    /// By object and fence; and the same the other way round.
    stays: BTreeMap<(u32, u32), Stay>,
    by_fence: BTreeSet<(u32, u32)>,
    /// Stays in fences of subscriptions.
    viewer_stays: usize,
    /// When stays become dwells.
    dwells: BTreeSet<(Moment, u32, u32)>,
    /// Stays for which there was no room, since this was last asked.
    forgotten: usize,
    /// Of the last look-up, kept for its room; `found` is for what the index has.
    candidates: Vec<(u32, Option<Stay>)>,
    found: Vec<u32>,
}

/// Whose fence it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Of {
    /// A subscription's with `detect`, by its slot.
    Viewer(u32),
    /// The server's, by its name.
    Server(Arc<str>),
}

/// One fence.
#[derive(Debug)]
struct Guard {
    of: Of,
    area: Arc<Area>,
    rules: Rules,
    /// Objects of which it remembers something.
    stays: usize,
}

/// What a fence tells, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    detect: Detect,
    dwell: Option<Duration>,
    hysteresis: Option<Metres>,
    approach: Metres,
    /// Objects of which it may remember something.
    most: usize,
}

/// The fences that tell one thing.
#[derive(Debug, Default)]
struct Told {
    fences: BTreeSet<u32>,
    /// Made when the first comes.
    by_place: Option<Box<ByPlace>>,
}

#[derive(Debug, Default)]
struct ByPlace {
    /// By circles that have every place from which a fence has something to tell.
    caps: AreaIndex,
    /// By their areas.
    areas: AreaIndex,
}

/// What a fence remembers of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// It is inside. With when that becomes a dwell, until it has.
    In { dwells: Option<Moment> },
    /// It is near from outside, and that was told or goes without saying.
    Near,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) transition: Transition,
    pub(super) of: Of,
    pub(super) object: u32,
    pub(super) reason: Reason,
}

/// What one look at one object found out.
struct Look<'a> {
    slot: u32,
    from: Option<&'a Arc<Object>>,
    to: Option<&'a Arc<Object>>,
    /// Why it appeared or is gone, if it did or is; and of what moved.
    reason: Reason,
    mover: Mover,
    now: Moment,
    options: &'a GeoOptions,
}

/// What moved, the other staying where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mover {
    Object,
    /// The area, because somebody wanted another one.
    Area,
    /// The area, with what it follows: its place may jitter as that of an object.
    Follower,
}

impl Rules {
    pub(super) fn of_view(view: &View, detect: Detect, most: usize) -> Self {
        let approach = view.approach.unwrap_or(APPROACH);
        Self { detect, dwell: view.dwell, hysteresis: view.hysteresis, approach, most }
    }

    pub(super) fn of_fence(fence: &Fence) -> Self {
        let &Fence { detect, dwell, hysteresis, .. } = fence;
        let (approach, most) = (fence.approach.unwrap_or(APPROACH), limits::FENCE_STAYS);
        Self { detect, dwell, hysteresis, approach, most }
    }

    /// How far out of the area an object that was in it still counts as in it.
    fn margin(&self, fix: &Fix) -> Metres {
        let accuracy = fix.accuracy.map_or(0.0, |accuracy| accuracy.0);
        self.hysteresis.unwrap_or(Metres(HYSTERESIS.0.max(accuracy)))
    }
}

impl Fences {
    pub(super) fn is_empty(&self) -> bool {
        self.fences.len() == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.fences.len() >= limits::FENCES
    }

    /// Of how many objects a subscription's fence, or one that is to be, may remember something.
    pub(super) fn room_for(&self, of: Option<&Of>) -> usize {
        let guard = of.and_then(|of| self.fences.get(self.fences.find(of)?));
        let own = guard.map_or(0, |guard| guard.stays);
        limits::VIEWER_STAYS - self.viewer_stays + own
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.dwells.first().map(|(at, ..)| *at)
    }

    pub(super) fn take_forgotten(&mut self) -> usize {
        std::mem::take(&mut self.forgotten)
    }

    /// Adds a fence, or changes the one of that owner; which objects are in it is found out by
    /// [`Fences::look_anew`].
    pub(super) fn set(&mut self, of: &Of, area: Arc<Area>, rules: Rules) {
        let id = match self.fences.find(of) {
            Some(id) => {
                let guard = self.fences.get_mut(id).expect("found just above");
                (guard.area, guard.rules) = (area.clone(), rules);
                id
            }
            None => {
                let guard = Guard { of: of.clone(), area: area.clone(), rules, stays: 0 };
                self.fences.add(of.clone(), guard)
            }
        };
        self.areas.insert(id, area.clone());
        let crossed = rules.detect.has(Transition::Cross).then(|| area.clone());
        let neared = rules.detect.has(Transition::Approach).then_some(area);
        self.crossed.set(id, crossed, STEP);
        self.neared.set(id, neared, rules.approach);
        if rules.detect.has(Transition::Outside) {
            self.anywhere.insert(id);
        } else {
            self.anywhere.remove(&id);
        }
    }

    /// Takes a fence out. Of what was in it nothing is told.
    pub(super) fn remove(&mut self, of: &Of) {
        let Some(id) = self.fences.find(of) else { return };
        for object in self.objects_of(id) {
            self.forget(object, id);
        }
        self.fences.remove(of);
        self.areas.remove(id);
        self.crossed.set(id, None, STEP);
        self.neared.set(id, None, STEP);
        self.anywhere.remove(&id);
        assert!(self.objects_of(id).is_empty(), "a fence that is gone holds nothing");
    }

    /// What a step means, in the order in which it is told. `stands` says how an object stands
    /// to a fence's owner, wherever it is.
    pub(super) fn step(
        &mut self,
        step: &Step,
        now: Moment,
        options: &GeoOptions,
        stands: impl Fn(&Of, &Arc<Object>) -> Standing,
    ) -> Vec<Found> {
        if self.is_empty() {
            return Vec::new();
        }
        let look = Look {
            slot: step.slot,
            from: step.before.as_ref(),
            to: step.after.as_ref(),
            reason: step.reason,
            mover: Mover::Object,
            now,
            options,
        };
        let mut found = Vec::new();
        let candidates = self.candidates(&look);
        for (id, stay) in &candidates {
            self.judge((*id, *stay), &look, &stands, &mut found);
        }
        self.candidates = candidates;
        sort(&mut found);
        found
    }

    /// What another area or other rules of a fence mean for objects that stay where they are: who
    /// is in it and who no longer.
    pub(super) fn look_anew(
        &mut self,
        of: &Of,
        (mover, reason): (Mover, Reason),
        (table, options): (&Table, &GeoOptions),
        now: Moment,
        stands: impl Fn(&Of, &Arc<Object>) -> Standing,
    ) -> Vec<Found> {
        let Some(id) = self.fences.find(of) else { return Vec::new() };
        let area = self.fences.get(id).expect("found just above").area.clone();
        // What goes makes room for what comes.
        let held = self.objects_of(id);
        let mut others = Vec::new();
        table.within(&area, &mut others);
        others.retain(|slot| held.binary_search(slot).is_err());
        others.sort_unstable();
        let mut found = Vec::new();
        for slot in held.into_iter().chain(others) {
            let to = table.seen(slot);
            let look = Look { slot, from: to, to, reason, mover, now, options };
            let stay = self.stays.get(&(slot, id)).copied();
            self.judge((id, stay), &look, &stands, &mut found);
        }
        sort(&mut found);
        found
    }

    /// Stays that have become dwells.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Found> {
        let mut found = Vec::new();
        while let Some((at, object, id)) = self.dwells.first().copied()
            && at <= now
        {
            self.dwells.pop_first();
            self.stays.insert((object, id), Stay::In { dwells: None });
            let of = self.fences.get(id).expect("who dwells does so in a fence").of.clone();
            let (transition, reason) = (Transition::Dwell, Reason::Moved);
            found.push(Found { transition, of, object, reason });
        }
        found
    }

    /// Fences for which a step may mean something, sorted, with what they remember of the object.
    fn candidates(&mut self, look: &Look<'_>) -> Vec<(u32, Option<Stay>)> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let of_object = (Bound::Included((look.slot, 0)), Bound::Included((look.slot, u32::MAX)));
        let stays = self.stays.range(of_object);
        candidates.extend(stays.map(|((_, id), stay)| (*id, Some(*stay))));
        if let Some(to) = look.to {
            let (to, ids) = (to.fix.point, &mut self.found);
            ids.clear();
            self.areas.matches(&Place { at: to, shape: None }, ids);
            self.neared.from(to, ids);
            if let Some(from) = look.from
                && look.may_cross()
            {
                self.crossed.along(from.fix.point, to, ids);
            }
            candidates.extend(ids.iter().chain(&self.anywhere).map(|id| (*id, None)));
        }
        // Of one that is found several times, what it remembers comes first.
        candidates.sort_unstable_by_key(|(id, stay)| (*id, stay.is_none()));
        candidates.dedup_by_key(|(id, _)| *id);
        candidates
    }

    /// What one look means for one fence.
    fn judge(
        &mut self,
        (id, stay): (u32, Option<Stay>),
        look: &Look<'_>,
        stands: &impl Fn(&Of, &Arc<Object>) -> Standing,
        found: &mut Vec<Found>,
    ) {
        let guard = self.fences.get(id).expect("what is indexed is there");
        let was_in = matches!(stay, Some(Stay::In { .. }));
        let to = look.to.filter(|to| stands(&guard.of, to) == Standing::Seen);
        let may_keep = was_in && look.mover != Mover::Area;
        let is_in = to.is_some_and(|to| guard.has(to, may_keep));
        let has_room = stay.is_some() || self.has_room(guard);
        let is_near = !is_in && has_room && to.is_some_and(|to| guard.is_near(to));
        let is_crossed = !was_in && !is_in && to.is_some_and(|to| guard.is_crossed(look, to));
        let (detect, of) = (guard.rules.detect, guard.of.clone());
        let dwell = guard.rules.dwell.map(|dwell| look.now.after(dwell));
        let unwanted = |object: &Arc<Object>| {
            guard.area.contains(&object.fix.point)
                && stands(&guard.of, object) == Standing::Unwanted
        };
        let why_enter = look.reason(look.from, is_in && !was_in, unwanted);
        let why_exit = look.reason(look.to, was_in && !is_in, unwanted);
        if is_in && !was_in {
            if !has_room {
                self.forgotten += 1;
                return;
            }
            self.remember(look.slot, id, Stay::In { dwells: dwell });
        } else if !is_in && stay.is_some() {
            self.forget(look.slot, id);
        }
        if is_near {
            // Who comes out is near, and that goes without saying.
            self.remember(look.slot, id, Stay::Near);
        }
        let is_still = look.mover != Mover::Object;
        let told = [
            (Transition::Exit, was_in && !is_in),
            (Transition::Outside, to.is_some() && !is_in && !is_still),
            (Transition::Enter, is_in && !was_in),
            (Transition::Inside, is_in && !is_still),
            (Transition::Cross, is_crossed),
            (Transition::Approach, is_near && stay.is_none()),
        ];
        for (transition, happens) in told {
            if happens && detect.has(transition) {
                let reason = if transition == Transition::Exit { why_exit } else { why_enter };
                found.push(Found { transition, of: of.clone(), object: look.slot, reason });
            }
        }
    }

    /// Whether a fence may remember something of one more object. Those of subscriptions leave to
    /// the server's what is theirs.
    fn has_room(&self, guard: &Guard) -> bool {
        let has_share = match guard.of {
            Of::Viewer(_) => self.viewer_stays < limits::VIEWER_STAYS,
            Of::Server(_) => true,
        };
        has_share && guard.stays < guard.rules.most && self.stays.len() < limits::FENCE_STAYS
    }

    /// Counts the stays of a fence.
    fn count(&mut self, id: u32, by: impl Fn(&mut usize)) {
        let guard = self.fences.get_mut(id).expect("a stay is in a fence");
        by(&mut guard.stays);
        if matches!(guard.of, Of::Viewer(_)) {
            by(&mut self.viewer_stays);
        }
    }

    fn remember(&mut self, object: u32, id: u32, stay: Stay) {
        let before = self.stays.insert((object, id), stay);
        if before.is_none() {
            self.count(id, |stays| *stays += 1);
        }
        assert!(!matches!(before, Some(Stay::In { .. })), "an object enters from outside");
        self.by_fence.insert((id, object));
        if let Stay::In { dwells: Some(at) } = stay {
            self.dwells.insert((at, object, id));
        }
    }

    fn forget(&mut self, object: u32, id: u32) {
        let stay = self.stays.remove(&(object, id)).expect("who is forgotten was remembered");
        self.by_fence.remove(&(id, object));
        self.count(id, |stays| *stays -= 1);
        if let Stay::In { dwells: Some(at) } = stay {
            self.dwells.remove(&(at, object, id));
        }
    }

    fn objects_of(&self, id: u32) -> Vec<u32> {
        let all = (Bound::Included((id, 0)), Bound::Included((id, u32::MAX)));
        self.by_fence.range(all).map(|(_, object)| *object).collect()
    }
}

impl Guard {
    /// Whether an object is in it: one that was is so up to the margin.
    fn has(&self, to: &Object, was_in: bool) -> bool {
        let point = &to.fix.point;
        self.area.contains(point)
            || (was_in && self.area.has_edge_within(point, self.rules.margin(&to.fix)))
    }

    fn is_near(&self, to: &Object) -> bool {
        self.rules.detect.has(Transition::Approach)
            && self.area.has_edge_within(&to.fix.point, self.rules.approach)
    }

    fn is_crossed(&self, look: &Look<'_>, to: &Object) -> bool {
        if !self.rules.detect.has(Transition::Cross) {
            return false;
        }
        let Some(from) = look.from.filter(|_| look.may_cross()) else { return false };
        let (from, to) = (&from.fix.point, &to.fix.point);
        // The distance is cheaper, and most ways are too short.
        self.area.has_edge_within(to, doubtful(from.distance(to).0))
            && self.area.meets_way(from, to)
    }
}

impl Look<'_> {
    /// Whether the way from fix to fix may count, by its time and its speed.
    fn may_cross(&self) -> bool {
        let (Some(from), Some(to)) = (self.from, self.to) else { return false };
        if self.mover != Mover::Object || from.fix.point == to.fix.point {
            return false;
        }
        let elapsed = match (from.fix.time, to.fix.time) {
            (Some(from), Some(to)) => Duration::from_millis(to.0.saturating_sub(from.0)),
            _ => to.fix.accepted.since(from.fix.accepted),
        };
        let way = from.fix.point.distance(&to.fix.point).0;
        self.options.cross_time_max.is_none_or(|most| elapsed <= most)
            && self.options.cross_speed_max.is_none_or(|most| way <= most * elapsed.as_secs_f64())
    }

    /// Why an object enters or leaves a fence (`passes`), by what it was before it entered or is
    /// after it left; everything else is because it moved.
    fn reason(
        &self,
        other_side: Option<&Arc<Object>>,
        passes: bool,
        is_unwanted: impl Fn(&Arc<Object>) -> bool,
    ) -> Reason {
        if self.mover != Mover::Object {
            return self.reason;
        }
        match other_side {
            None => self.reason,
            Some(object) if passes && is_unwanted(object) => Reason::Filter,
            Some(_) => Reason::Moved,
        }
    }
}

impl Told {
    /// Adds a fence that has something to tell from so far, or moves it; without an area it is none
    /// of these.
    fn set(&mut self, id: u32, area: Option<Arc<Area>>, margin: Metres) {
        match area {
            Some(area) => {
                let cap = area.cap().map(|(center, radius)| {
                    Area::Circle(Circle::new(center, doubtful(radius.0 + margin.0)))
                });
                self.fences.insert(id);
                let by_place = self.by_place.get_or_insert_default();
                by_place.caps.insert(id, Arc::new(cap.unwrap_or_default()));
                by_place.areas.insert(id, area);
            }
            None if self.fences.remove(&id) => {
                let by_place = self.by_place.as_mut().expect("what was told was indexed");
                by_place.caps.remove(id);
                by_place.areas.remove(id);
            }
            None => {}
        }
    }

    /// Appends those that have something to tell from a place, and perhaps others.
    fn from(&mut self, at: Point, found: &mut Vec<u32>) {
        if let Some(by_place) = &mut self.by_place {
            by_place.caps.matches(&Place { at, shape: None }, found);
        }
    }

    /// Appends those that a way meets, and perhaps others. What a short one meets is not far from
    /// its end.
    fn along(&mut self, from: Point, to: Point, found: &mut Vec<u32>) {
        let Some(by_place) = &mut self.by_place else { return };
        if from.distance(&to) <= STEP {
            return by_place.caps.matches(&Place { at: to, shape: None }, found);
        }
        let middle = middle(from, to);
        let circle = Circle::new(middle, doubtful(middle.distance(&to).0));
        let shape = Some(Arc::new(Area::Circle(circle)));
        by_place.areas.matches(&Place { at: middle, shape }, found);
    }
}

/// A little more: distances are exact to rounding and edges of polygons to a metre, and what is
/// found by them is decided again.
fn doubtful(distance: f64) -> Metres {
    Metres(distance * (1.0 + 1e-9) + 2.0)
}

/// In the order in which they are told.
fn sort(found: &mut [Found]) {
    found.sort_unstable_by(|one, other| {
        let key = |found: &Found| (found.transition, found.object);
        key(one).cmp(&key(other)).then_with(|| one.of.cmp(&other.of))
    });
}

/// Half way on the great circle.
fn middle(one: Point, other: Point) -> Point {
    let (one, other) = (one.unit, other.unit);
    let sum = UnitVector { x: one.x + other.x, y: one.y + other.y, z: one.z + other.z };
    sum.to_lat_lng().into()
}

const HYSTERESIS: Metres = Metres(20.0);
/// A way up to so long is short.
const STEP: Metres = Metres(200.0);
