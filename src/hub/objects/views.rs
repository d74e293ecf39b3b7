//! [`Views`]: the subscriptions of an object channel, found by place. A view of an area is
//! stateless: where an object was and where it is decide what is told, so that what a snapshot
//! begins, deltas continue.

use std::sync::Arc;

use super::ranking::{self, Ranking};
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
    /// Whose list is shorter than it should be, since this was last asked.
    short: Vec<u32>,
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
            short: Vec::new(),
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
        let sight = look(&viewer, viewer.scope.clone(), most, table)?;
        let sightings = sighted(&viewer, &sight.scope, sight.shown(), table);
        viewer.keep(sight);
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
                Kind::Nearest(_) => unranked.push((slot, was, is)),
                Kind::Area | Kind::Detect => viewer.tell(telling, (was, is), turn),
            }
        });
        let mut unranked = std::mem::take(&mut self.unranked);
        for (slot, was, is) in unranked.drain(..) {
            self.rank(slot, (was, is), telling, table, turn);
        }
        self.unranked = unranked;
    }

    /// Gives a viewer another area, if there are not too many objects in it; what came in and what
    /// went out by that.
    pub(super) fn look_at(
        &mut self,
        slot: u32,
        scope: Scope,
        most: usize,
        (table, turn): (&Table, &mut Turn<'_>),
    ) -> Result<Moved, Refusal> {
        let viewer = self.viewers.get_mut(slot).expect("whose area changes is there");
        let sight = look(viewer, scope, most, table);
        turn.allowance.take(sight.as_ref().map_or(most, |sight| sight.looks));
        let sight = sight?;
        if viewer.kind == Kind::Detect {
            viewer.keep(sight);
            return Ok(Moved::default());
        }
        let (before, looks) = viewer.seen(table);
        turn.allowance.take(looks);
        let has = |slots: &[u32], slot: u32| slots.binary_search(&slot).is_ok();
        let after = &sight.slots;
        let gone: Vec<u32> = before.iter().copied().filter(|one| !has(after, *one)).collect();
        let come: Vec<u32> = after.iter().copied().filter(|one| !has(&before, *one)).collect();
        let mut removed: Vec<Arc<Object>> =
            gone.iter().filter_map(|one| table.seen(*one)).cloned().collect();
        removed.sort_unstable_by(|one, other| one.fix.key.cmp(&other.fix.key));
        let added = sighted(viewer, &sight.scope, &come, table);
        self.areas.insert(slot, sight.scope.area.clone());
        viewer.keep(sight);
        self.slim(slot);
        Ok(Moved { added, removed })
    }

    /// The same, told at once as what leaves and enters.
    pub(super) fn shift(
        &mut self,
        slot: u32,
        scope: Scope,
        most: usize,
        (table, turn): (&Table, &mut Turn<'_>),
    ) -> Result<(), Refusal> {
        let moved = self.look_at(slot, scope, most, (table, turn))?;
        let viewer = self.viewers.get(slot).expect("whose area changes is there");
        for object in moved.removed {
            viewer.tell_one(Happening::Exit, object, turn);
        }
        for sighting in moved.added {
            viewer.tell_one(Happening::Enter, sighting.object, turn);
        }
        Ok(())
    }

    /// Whose list is short since this was last asked, and was not filled at once.
    pub(super) fn take_short(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.short)
    }

    /// Fills a list of the nearest that is short.
    pub(super) fn fill(&mut self, slot: u32, table: &Table, turn: &mut Turn<'_>) {
        let Some(viewer) = self.viewers.get_mut(slot) else { return };
        let Some(mut ranking) = viewer.take_ranking() else { return };
        let before = ranking.slots();
        if ranking.is_short() {
            fill(&mut ranking, viewer, table, turn);
        }
        let after = ranking.slots();
        ranking::tell_others(viewer, (&after, &before, None), Happening::Enter, table, turn);
        self.put_ranking(slot, ranking);
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
        let mut ranking = viewer.take_ranking().expect("what is ranked is a list");
        let before = ranking.slots();
        let step = telling.step();
        let admitted = step.after.as_ref().filter(|object| viewer.admits(&viewer.scope, object));
        if !ranking.step(step.slot, admitted.map(|object| &**object)) {
            viewer.kind = Kind::Nearest(ranking);
            return;
        }
        if ranking.is_short() {
            if turn.allowance.has_some() {
                fill(&mut ranking, viewer, table, turn);
            } else {
                self.short.push(slot);
            }
        }
        ranking::tell(viewer, (&before, &ranking.slots()), is_in, telling, table, turn);
        self.put_ranking(slot, ranking);
    }

    fn put_ranking(&mut self, slot: u32, ranking: Box<Ranking>) {
        let viewer = self.viewers.get_mut(slot).expect("whose list it is is there");
        let reach = ranking.reach();
        viewer.kind = Kind::Nearest(ranking);
        if viewer.scope.area != reach {
            viewer.scope.area = reach.clone();
            self.areas.insert(slot, reach);
        }
    }
}

/// Looks through all objects for a list.
fn fill<M: Mailbox>(ranking: &mut Ranking, viewer: &Viewer<M>, table: &Table, turn: &mut Turn<'_>) {
    let mut looks = 0;
    ranking.fill(viewer, &viewer.scope, table, &mut looks);
    turn.allowance.take(looks);
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

/// What a viewer would see.
struct Sight {
    /// For the nearest, as far as a step can change them.
    scope: Scope,
    kind: Kind,
    /// Of the objects that it would see or guard, sorted.
    slots: Vec<u32>,
    /// How many objects were looked at.
    looks: usize,
}

impl Sight {
    /// Of those that it is told of.
    fn shown(&self) -> &[u32] {
        if self.kind == Kind::Detect { &[] } else { &self.slots }
    }
}

impl<M: Mailbox> Viewer<M> {
    /// Slots of the objects that it sees, sorted, and how many had to be looked at.
    fn seen(&self, table: &Table) -> (Vec<u32>, usize) {
        match &self.kind {
            Kind::Nearest(ranking) => (ranking.slots(), 0),
            Kind::Area => {
                let mut slots = Vec::new();
                table.within(&self.scope.area, &mut slots);
                let looks = self.looks(&self.scope, slots.len());
                self.admit(&self.scope, &mut slots, table);
                (slots, looks)
            }
            Kind::Detect => (Vec::new(), 0),
        }
    }

    /// How many looks so many objects in an area are: without a filter they are only counted.
    fn looks(&self, scope: &Scope, objects: usize) -> usize {
        if self.must_look(scope) { objects } else { objects / 4 }
    }

    /// Whether the area alone does not say which objects it sees.
    fn must_look(&self, scope: &Scope) -> bool {
        self.is_choosy() || scope.except.is_some()
    }

    /// Leaves those that it would see if they are in its area, sorted.
    fn admit(&self, scope: &Scope, slots: &mut Vec<u32>, table: &Table) {
        if self.must_look(scope) {
            slots.retain(|one| table.seen(*one).is_some_and(|object| self.admits(scope, object)));
        }
        slots.sort_unstable();
    }

    fn keep(&mut self, Sight { scope, kind, .. }: Sight) {
        (self.scope, self.kind) = (scope, kind);
    }

    fn take_ranking(&mut self) -> Option<Box<Ranking>> {
        match std::mem::replace(&mut self.kind, Kind::Area) {
            Kind::Nearest(ranking) => Some(ranking),
            kind @ (Kind::Area | Kind::Detect) => {
                self.kind = kind;
                None
            }
        }
    }
}

/// What a viewer would see in another area, if that is no more than `most`.
fn look<M: Mailbox>(
    viewer: &Viewer<M>,
    mut scope: Scope,
    most: usize,
    table: &Table,
) -> Result<Sight, Refusal> {
    let is_detect = viewer.kind == Kind::Detect;
    let mut looks = 0;
    if !is_detect && let Some(ranking) = Ranking::find(viewer, &scope, table, &mut looks) {
        scope.area = ranking.reach();
        let slots = ranking.slots();
        return Ok(Sight { scope, kind: Kind::Nearest(Box::new(ranking)), slots, looks });
    }
    let mut slots = Vec::new();
    table.within(&scope.area, &mut slots);
    looks += viewer.looks(&scope, slots.len());
    viewer.admit(&scope, &mut slots, table);
    check(slots.len(), most)?;
    let kind = if is_detect { Kind::Detect } else { Kind::Area };
    Ok(Sight { scope, kind, slots, looks })
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
