//! The objects nearest to a place, live: the list as it is, and the circle in which a step can
//! change it. The circle ends at the last of a full list, and where `within` says otherwise.

use std::sync::Arc;

use super::table::{Step, Table};
use super::viewer::{Kind, Scope, Standing, Telling, Viewer};
use crate::channel::{AreaSource, Happening, around};
use crate::geo::{Area, FARTHEST, Metres, Point};
use crate::hub::lane::{Mailbox, Turn};

#[derive(Debug)]
pub(super) struct Ranked {
    /// Sorted.
    pub(super) slots: Vec<u32>,
    pub(super) reach: Arc<Area>,
}

impl Kind {
    /// What a view of that is, which sees these objects.
    pub(super) fn of(source: &AreaSource, ranked: Vec<u32>) -> Self {
        match *source {
            AreaSource::Nearest { .. } => Self::Nearest { ranked },
            _ => Self::Area,
        }
    }
}

/// The nearest objects, where the area is that.
pub(super) fn rank<M: Mailbox>(viewer: &Viewer<M>, scope: &Scope, table: &Table) -> Option<Ranked> {
    let AreaSource::Nearest { count, to, within } = scope.source else { return None };
    let nearest = table.nearest(&to, count, within, |object| viewer.admits(scope, object));
    let last = nearest.last().filter(|_| nearest.len() >= count);
    let reach = last.map_or(within.unwrap_or(FARTHEST), |(_, distance)| *distance);
    let mut slots: Vec<u32> = nearest.iter().map(|(slot, _)| *slot).collect();
    slots.sort_unstable();
    Some(Ranked { slots, reach: Arc::new(around(Some(to), reach)) })
}

/// The list after a step. All others are looked through only where a full list may have lost one:
/// what is not in it is as far as its last or farther, and a list that is not full has all there is.
pub(super) fn rerank<M: Mailbox>(viewer: &Viewer<M>, step: &Step, table: &Table) -> Option<Ranked> {
    let Kind::Nearest { ranked } = &viewer.kind else { return None };
    let AreaSource::Nearest { count, to, within } = viewer.scope.source else { return None };
    let is_in = step.after.as_ref().is_some_and(|object| viewer.sees(object));
    let at = ranked.binary_search(&step.slot);
    let may_lose =
        || !is_in || farthest(ranked, &to, table).is_some_and(|(_, last)| last == step.slot);
    if at.is_ok() && ranked.len() >= count && may_lose() {
        return rank(viewer, &viewer.scope, table);
    }
    let mut slots = ranked.clone();
    match at {
        Ok(at) if !is_in => drop(slots.remove(at)),
        Err(at) if is_in => slots.insert(at, step.slot),
        Ok(_) | Err(_) => {}
    }
    if slots.len() > count {
        let last = farthest(&slots, &to, table);
        slots.retain(|slot| last.is_none_or(|(_, last)| *slot != last));
    }
    let last = farthest(&slots, &to, table).filter(|_| slots.len() >= count);
    let reach = last.map_or(within.unwrap_or(FARTHEST), |(distance, _)| distance);
    Some(Ranked { slots, reach: Arc::new(around(Some(to), reach)) })
}

fn farthest(slots: &[u32], to: &Point, table: &Table) -> Option<(Metres, u32)> {
    let distance = |slot: &u32| Some((to.distance(&table.seen(*slot)?.fix.point), *slot));
    slots
        .iter()
        .filter_map(distance)
        .max_by(|one, other| one.0.0.total_cmp(&other.0.0).then(one.1.cmp(&other.1)))
}

/// Tells what a step did to the list; `is_in` says whether its object was in the circle before and
/// whether it is after. First what left the list, so that it is never longer than asked for. Objects
/// that only made room or filled it did not move: for them the area has changed.
pub(super) fn tell<M: Mailbox>(
    viewer: &Viewer<M>,
    after: &[u32],
    is_in: (bool, bool),
    telling: &mut Telling<'_>,
    table: &Table,
    turn: &mut Turn<'_>,
) {
    let Kind::Nearest { ranked: before } = &viewer.kind else { return };
    let step = telling.step();
    let others = |one: &[u32], other: &[u32]| -> Vec<u32> {
        let only = one.iter().filter(|slot| other.binary_search(slot).is_err());
        only.copied().filter(|slot| *slot != step.slot).collect()
    };
    let tell_all = |slots: Vec<u32>, happening, turn: &mut Turn<'_>| {
        for object in slots.iter().filter_map(|slot| table.seen(*slot)) {
            viewer.tell_one(happening, object.clone(), turn);
        }
    };
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
    tell_all(others(before, after), Happening::Exit, turn);
    viewer.tell_standing(telling, (was, is), turn);
    tell_all(others(after, before), Happening::Enter, turn);
}
