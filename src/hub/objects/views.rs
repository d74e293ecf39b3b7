//! [`Views`]: the subscriptions of an object channel, found by place. A view of an area is
//! stateless: where an object was and where it is decide what is told, so that what a snapshot
//! begins, deltas continue.

use std::sync::Arc;

use super::ranking::{self, Ranked};
use super::table::Table;
use super::viewer::{Kind, Scope, Standing, Telling, Viewer};
use crate::base::{SessionId, SubId};
use crate::channel::{Happening, Mail, Moved, Object, Refusal, Sighting};
use crate::geo::{AreaIndex, Place};
use crate::hub::lane::{Mailbox, Turn};
use crate::hub::members::Slots;

#[derive(Debug)]
pub(super) struct Views<M> {
    viewers: Slots<(SessionId, SubId), Viewer<M>>,
    areas: AreaIndex,
    /// By slot, those viewers that are told of all that is in their area: what is most often told
    /// looks at nothing else.
    lean: Vec<Option<Lean<M>>>,
    /// Who has the place of a step's beginning and of its end, kept for their room.
    was: Vec<u32>,
    is: Vec<u32>,
    /// Whose nearest objects a step may have changed.
    unranked: Vec<(u32, bool, bool)>,
}

/// A viewer for whom its area alone decides.
#[derive(Debug)]
struct Lean<M> {
    sub: SubId,
    mailbox: M,
}

impl<M: Mailbox> Views<M> {
    pub(super) fn new() -> Self {
        Self {
            viewers: Slots::default(),
            areas: AreaIndex::default(),
            lean: Vec::new(),
            was: Vec::new(),
            is: Vec::new(),
            unranked: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.viewers.len()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Viewer<M>> {
        self.viewers.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Viewer<M>> {
        self.viewers.get_mut(slot)
    }

    pub(super) fn find(&self, session: SessionId, sub: SubId) -> Option<u32> {
        self.viewers.find(&(session, sub))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Viewer<M>)> {
        self.viewers.iter()
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        self.viewers.keys().filter(|key| key.0 == session).map(|key| key.1).collect()
    }

    /// Adds a viewer, with what it sees now, by key.
    pub(super) fn add(
        &mut self,
        mut viewer: Viewer<M>,
        most: usize,
        table: &Table,
    ) -> Result<(u32, Arc<[Sighting]>), Refusal> {
        let scope = viewer.scope.clone();
        let (slots, scope) = look(&viewer, scope, table);
        check(slots.len(), most)?;
        let sightings = sighted(&viewer, &scope, &slots, table);
        viewer.keep(scope, slots);
        let key = (viewer.member.session, viewer.member.sub);
        let area = viewer.scope.area.clone();
        let is_by_place = viewer.kind != Kind::Detect;
        let slot = self.viewers.add(key, viewer);
        if is_by_place {
            self.areas.insert(slot, area);
        }
        self.slim(slot);
        Ok((slot, sightings.into()))
    }

    pub(super) fn remove(&mut self, session: SessionId, sub: SubId) -> Option<u32> {
        let (slot, viewer) = self.viewers.remove(&(session, sub))?;
        if viewer.kind != Kind::Detect {
            self.areas.remove(slot);
        }
        self.lean[index(slot)] = None;
        if self.viewers.len() == 0 {
            // What once was large gives its memory back.
            self.lean = Vec::new();
        }
        Some(slot)
    }

    /// Tells everyone who sees a difference.
    pub(super) fn tell(&mut self, telling: &mut Telling<'_>, table: &Table, turn: &mut Turn<'_>) {
        let step = telling.step();
        find(&mut self.areas, step.before.as_ref(), &mut self.was);
        if step.is_still() {
            self.is.clone_from(&self.was);
        } else {
            find(&mut self.areas, step.after.as_ref(), &mut self.is);
        }
        let (viewers, lean, unranked) = (&self.viewers, &self.lean, &mut self.unranked);
        each_of(&self.was, &self.is, |slot, was, is| {
            if let Some(lean) = &lean[index(slot)] {
                return lean.tell(telling, (was, is), turn);
            }
            let viewer = viewers.get(slot).expect("what is indexed is there");
            match viewer.kind {
                Kind::Nearest { .. } => unranked.push((slot, was, is)),
                Kind::Area | Kind::Detect => viewer.tell(telling, (was, is), turn),
            }
        });
        let mut unranked = std::mem::take(&mut self.unranked);
        for (slot, was, is) in unranked.drain(..) {
            self.rank(slot, (was, is), telling, table, turn);
        }
        self.unranked = unranked;
    }

    /// Gives a viewer another area; what came in and what went out by that.
    pub(super) fn look_at(
        &mut self,
        slot: u32,
        scope: Scope,
        most: Option<usize>,
        table: &Table,
    ) -> Result<Moved, Refusal> {
        let viewer = self.viewers.get_mut(slot).expect("whose area changes is there");
        if viewer.kind == Kind::Detect {
            viewer.scope = scope;
            return Ok(Moved::default());
        }
        let before = viewer.seen(table);
        let (after, scope) = look(viewer, scope, table);
        if let Some(most) = most {
            check(after.len(), most)?;
        }
        let has = |slots: &[u32], slot: u32| slots.binary_search(&slot).is_ok();
        let gone: Vec<u32> = before.iter().copied().filter(|one| !has(&after, *one)).collect();
        let come: Vec<u32> = after.iter().copied().filter(|one| !has(&before, *one)).collect();
        let mut removed: Vec<Arc<Object>> =
            gone.iter().filter_map(|one| table.seen(*one)).cloned().collect();
        removed.sort_unstable_by(|one, other| one.fix.key.cmp(&other.fix.key));
        let added = sighted(viewer, &scope, &come, table);
        self.areas.insert(slot, scope.area.clone());
        viewer.keep(scope, after);
        self.slim(slot);
        Ok(Moved { added, removed })
    }

    /// The same, told at once as what leaves and enters.
    pub(super) fn shift(&mut self, slot: u32, scope: Scope, table: &Table, turn: &mut Turn<'_>) {
        let moved = self.look_at(slot, scope, None, table);
        let moved = moved.expect("an area that is not asked for is not refused");
        let viewer = self.viewers.get(slot).expect("whose area changes is there");
        for object in moved.removed {
            viewer.tell_one(Happening::Exit, object, turn);
        }
        for sighting in moved.added {
            viewer.tell_one(Happening::Enter, sighting.object, turn);
        }
    }

    /// Notes whether a viewer is lean.
    fn slim(&mut self, slot: u32) {
        let viewer = self.viewers.get(slot).expect("who is slimmed is there");
        let lean = viewer
            .is_lean()
            .then(|| Lean { sub: viewer.member.sub, mailbox: viewer.member.mailbox.clone() });
        if self.lean.len() <= index(slot) {
            self.lean.resize_with(index(slot) + 1, || None);
        }
        self.lean[index(slot)] = lean;
    }

    fn rank(
        &mut self,
        slot: u32,
        is_in: (bool, bool),
        telling: &mut Telling<'_>,
        table: &Table,
        turn: &mut Turn<'_>,
    ) {
        let viewer = self.viewers.get_mut(slot).expect("what is indexed is there");
        let Some(Ranked { slots, reach }) = ranking::rerank(viewer, telling.step(), table) else {
            return;
        };
        ranking::tell(viewer, &slots, is_in, telling, table, turn);
        let mut scope = viewer.scope.clone();
        if scope.area != reach {
            scope.area = reach.clone();
            self.areas.insert(slot, reach);
        }
        viewer.keep(scope, slots);
    }
}

impl<M: Mailbox> Lean<M> {
    fn tell(&self, telling: &mut Telling<'_>, is_in: (bool, bool), turn: &mut Turn<'_>) {
        let standing = |is_in| if is_in { Standing::Seen } else { Standing::Away };
        let standing = (standing(is_in.0), standing(is_in.1));
        let Some((happening, reason)) = telling.step().told(standing) else { return };
        let (sub, change, distance) = (self.sub, telling.change().clone(), None);
        self.mailbox.post(Mail::Object {
            sub,
            happening,
            reason,
            change,
            distance,
            is_transition: false,
        });
        turn.posted += 1;
    }
}

impl<M: Mailbox> Viewer<M> {
    /// Slots of the objects that it sees, sorted.
    fn seen(&self, table: &Table) -> Vec<u32> {
        match &self.kind {
            Kind::Nearest { ranked, .. } => ranked.clone(),
            Kind::Area => in_area(self, &self.scope, table),
            Kind::Detect => Vec::new(),
        }
    }

    fn keep(&mut self, scope: Scope, slots: Vec<u32>) {
        self.scope = scope;
        if self.kind != Kind::Detect {
            self.kind = Kind::of(&self.scope.source, slots);
        }
    }
}

/// What a viewer would see in another area, as sorted slots; and that area, for the nearest as far
/// as the last one is.
fn look<M: Mailbox>(viewer: &Viewer<M>, mut scope: Scope, table: &Table) -> (Vec<u32>, Scope) {
    if viewer.kind == Kind::Detect {
        return (Vec::new(), scope);
    }
    match ranking::rank(viewer, &scope, table) {
        Some(Ranked { slots, reach }) => {
            scope.area = reach;
            (slots, scope)
        }
        None => (in_area(viewer, &scope, table), scope),
    }
}

fn in_area<M: Mailbox>(viewer: &Viewer<M>, scope: &Scope, table: &Table) -> Vec<u32> {
    let mut slots = Vec::new();
    table.within(&scope.area, &mut slots);
    slots.retain(|one| table.seen(*one).is_some_and(|object| viewer.admits(scope, object)));
    slots.sort_unstable();
    slots
}

fn sighted<M: Mailbox>(
    viewer: &Viewer<M>,
    scope: &Scope,
    slots: &[u32],
    table: &Table,
) -> Vec<Sighting> {
    let objects = slots.iter().filter_map(|slot| table.seen(*slot));
    let mut sightings: Vec<Sighting> =
        objects.map(|object| viewer.sighting(scope, object)).collect();
    sightings.sort_unstable_by(|one, other| one.object.fix.key.cmp(&other.object.fix.key));
    sightings
}

fn check(count: usize, most: usize) -> Result<(), Refusal> {
    if count > most { Err(Refusal::TooManyObjects { count, most }) } else { Ok(()) }
}

fn find(areas: &mut AreaIndex, object: Option<&Arc<Object>>, found: &mut Vec<u32>) {
    found.clear();
    let Some(object) = object else { return };
    areas.matches(&Place { at: object.fix.point, shape: None }, found);
    found.sort_unstable();
}

/// Each number in one of two sorted lists or in both, with where it is.
fn each_of(was: &[u32], is: &[u32], mut each: impl FnMut(u32, bool, bool)) {
    let (mut was, mut is) = (was.iter().peekable(), is.iter().peekable());
    while let Some(next) = [was.peek(), is.peek()].into_iter().flatten().min().map(|slot| **slot) {
        let in_was = was.next_if(|slot| **slot == next).is_some();
        let in_is = is.next_if(|slot| **slot == next).is_some();
        each(next, in_was, in_is);
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("addresses have 32 bits or more")
}
