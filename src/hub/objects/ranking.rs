//! [`Ranking`]: the objects nearest to a place, live, with some to spare.
//!
//! Everywhere one object is nearer than another by the square of its chord, and of two that are
//! equal in that, the one whose slot is less: what decides is the same for each list, however it
//! came about.

use std::sync::Arc;

use super::table::Table;
use super::viewer::{Scope, Standing, Telling, Viewer};
use crate::channel::{AreaSource, Happening, Object, around};
use crate::geo::{Area, Circle, EARTH_RADIUS, FARTHEST, Metres, Point};
use crate::hub::lane::{Mailbox, Turn};

/// All objects that a viewer may be told of, up to a horizon: the first of them are its list. A step
/// adds to them and takes away; all objects are looked through again only where so many went that
/// too few are left.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranking {
    count: usize,
    /// How many more than that are looked for.
    spare: usize,
    /// Round the place to which they are the nearest.
    limit: Circle,
    /// Nearest first.
    known: Vec<Rank>,
    /// The last up to which all are known; `None` where those are all that there are.
    horizon: Option<Rank>,
}

/// Orders objects by how near they are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank {
    chord_squared: f64,
    slot: u32,
}

impl Rank {
    fn of(to: &Point, at: &Point, slot: u32) -> Self {
        Self { chord_squared: to.unit.chord_squared(at.unit), slot }
    }

    fn is_before(&self, other: &Self) -> bool {
        let order = self.chord_squared.total_cmp(&other.chord_squared);
        order.then(self.slot.cmp(&other.slot)).is_lt()
    }
}

impl Ranking {
    /// The nearest objects, where the area is that. `looks` counts those that were looked at.
    pub(super) fn find<M: Mailbox>(
        viewer: &Viewer<M>,
        scope: &Scope,
        table: &Table,
        looks: &mut usize,
    ) -> Option<Self> {
        let AreaSource::Nearest { count, to, within } = scope.source else { return None };
        // Without a filter it costs little to look again.
        let spare = if viewer.is_choosy() { SPARE } else { 1 + count / 4 };
        let limit = Circle::new(to, within.unwrap_or(FARTHEST));
        let mut ranking = Self { count, spare, limit, known: Vec::new(), horizon: None };
        ranking.fill(viewer, scope, table, looks);
        Some(ranking)
    }

    /// Looks through all objects.
    pub(super) fn fill<M: Mailbox>(
        &mut self,
        viewer: &Viewer<M>,
        scope: &Scope,
        table: &Table,
        looks: &mut usize,
    ) {
        let wanted = self.count + self.spare;
        let Circle { center: to, radius, .. } = self.limit;
        let nearest = table.nearest(&to, wanted, Some(radius), |object| {
            *looks += 1;
            viewer.admits(scope, object)
        });
        let rank =
            |(slot, _): (u32, Metres)| Some(Rank::of(&to, &table.seen(slot)?.fix.point, slot));
        self.known = nearest.into_iter().filter_map(rank).collect();
        self.horizon = self.known.last().copied().filter(|_| self.known.len() >= wanted);
    }

    /// Slots of the list, sorted.
    pub(super) fn slots(&self) -> Vec<u32> {
        let list = self.known.iter().take(self.count);
        let mut slots: Vec<u32> = list.map(|rank| rank.slot).collect();
        slots.sort_unstable();
        slots
    }

    /// Whether there may be objects for the list that are not known.
    pub(super) fn is_short(&self) -> bool {
        self.known.len() < self.count && self.horizon.is_some()
    }

    /// The circle in which a step can change anything, and a little more than that.
    pub(super) fn reach(&self) -> Arc<Area> {
        let limit = self.limit.radius;
        let radius = self.horizon.map_or(limit, |last| {
            let half = (last.chord_squared.sqrt() / 2.0).min(1.0).asin();
            let away = 2.0 * EARTH_RADIUS.0 * half;
            // The arc of a chord is exact to 0.2 m where that is longest.
            Metres((away * (1.0 + 1e-9) + 2.0).min(limit.0))
        });
        Arc::new(around(Some(self.limit.center), radius))
    }

    /// Takes where an object is that the viewer may be told of, or (`None`) that there is none;
    /// whether anything is different.
    pub(super) fn step(&mut self, slot: u32, admitted: Option<&Object>) -> bool {
        let at = self.known.iter().position(|rank| rank.slot == slot);
        if let Some(at) = at {
            self.known.remove(at);
        }
        let at_limit = |object: &&Object| self.limit.contains(object.fix.point.unit);
        let Some(object) = admitted.filter(at_limit) else { return at.is_some() };
        let rank = Rank::of(&self.limit.center, &object.fix.point, slot);
        if self.horizon.is_some_and(|horizon| horizon.is_before(&rank)) {
            return at.is_some();
        }
        let place = self.known.partition_point(|known| known.is_before(&rank));
        self.known.insert(place, rank);
        let wanted = self.count + self.spare;
        if self.known.len() > wanted + self.spare {
            self.known.truncate(wanted);
            self.horizon = self.known.last().copied();
        }
        true
    }
}

/// Tells what a step did to a list of slots; `is_in` says whether its object was in the reach before
/// and whether it is after. First what left the list, so that it is never longer than asked for.
/// Objects that only made room or filled it did not move: for them the area has changed.
pub(super) fn tell<M: Mailbox>(
    viewer: &Viewer<M>,
    (before, after): (&[u32], &[u32]),
    is_in: (bool, bool),
    telling: &mut Telling<'_>,
    table: &Table,
    turn: &mut Turn<'_>,
) {
    let step = telling.step();
    let standing = |list: &[u32], is_in, object| {
        if list.binary_search(&step.slot).is_ok() {
            return Standing::Seen;
        }
        match viewer.standing(object, is_in) {
            Standing::Unwanted => Standing::Unwanted,
            Standing::Seen | Standing::Away => Standing::Away,
        }
    };
    let was = standing(before, is_in.0, step.before.as_ref());
    let is = standing(after, is_in.1, step.after.as_ref());
    let but = Some(step.slot);
    tell_others(viewer, (before, after, but), Happening::Exit, table, turn);
    viewer.tell_standing(telling, (was, is), turn);
    tell_others(viewer, (after, before, but), Happening::Enter, table, turn);
}

/// Tells of objects that are in the first list and not in the second, but one.
pub(super) fn tell_others<M: Mailbox>(
    viewer: &Viewer<M>,
    (these, those, but): (&[u32], &[u32], Option<u32>),
    happening: Happening,
    table: &Table,
    turn: &mut Turn<'_>,
) {
    let only = these.iter().filter(|slot| those.binary_search(slot).is_err());
    for slot in only.filter(|slot| but != Some(**slot)) {
        if let Some(object) = table.seen(*slot) {
            viewer.tell_one(happening, object.clone(), turn);
        }
    }
}

/// Objects to spare for a list with a filter: so many must leave its surroundings before all are
/// looked through again. Tests have few objects.
const SPARE: usize = if cfg!(test) { 2 } else { 32 };
