//! The fences of a channel as its subscriptions and the server have them: whom they tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ObjectRoom;
use super::fences::{Found, Mover, Of, Rules};
use super::viewer::{Standing, Telling};
use super::views::Views;
use crate::channel::{Centers, Change, Fence, Object, Reason};
use crate::geo::Transition;
use crate::hub::lane::{FenceNotice, Mailbox, Output, Turn};

impl<M: Mailbox> ObjectRoom<M> {
    /// The area of a subscription with `detect` is what it is now: tells what is in it and what no
    /// longer is.
    pub(super) fn guard(
        &mut self,
        slot: u32,
        (mover, reason): (Mover, Reason),
        turn: &mut Turn<'_>,
    ) {
        let viewer = self.views.get(slot).expect("whose area changes is there");
        let Some(detect) = viewer.view().detect else { return };
        let rules = Rules::of_view(viewer.view(), detect, viewer.most(&self.options));
        let area = viewer.scope.area.clone();
        let of = Of::Viewer(slot);
        self.fences.set(&of, area, rules);
        self.look_anew(&of, (mover, reason), turn);
    }

    /// Adds a fence of the server's or replaces the one of that name. Beyond the bound
    /// of fences it is not there.
    pub(super) fn set_fence(&mut self, fence: &Arc<Fence>, turn: &mut Turn<'_>) {
        let of = Of::Server(fence.name.clone());
        if !self.has_room_for(&fence.name) {
            return;
        }
        // A zone that is gone is nowhere.
        let area = fence.area.resolve(Centers::default(), turn.zones).unwrap_or_default();
        self.served.insert(fence.name.clone(), fence.clone());
        self.fences.set(&of, area, Rules::of_fence(fence));
        self.look_anew(&of, (Mover::Area, Reason::AreaChanged), turn);
    }

    /// Tells what a step means for fences.
    pub(super) fn tell_guards(&mut self, telling: &mut Telling<'_>, turn: &mut Turn<'_>) {
        let (views, served) = (&self.views, &self.served);
        let stands = |of: &Of, object: &Arc<Object>| stands(views, served, of, object);
        let step = telling.step();
        let found = self.fences.step(step, turn.now.moment, &self.options, stands);
        for Found { transition, of, reason, .. } in found {
            match of {
                Of::Viewer(slot) => {
                    let viewer = self.views.get(slot).expect("who has a fence is there");
                    let change = telling.change_for(viewer).clone();
                    viewer.post((transition.into(), reason), change, turn);
                }
                Of::Server(_) => self.notify(&of, transition, reason, step.object(), turn),
            }
        }
        turn.ignored.stays += self.fences.take_forgotten();
    }

    /// Stays that have become dwells.
    pub(super) fn dwell(&mut self, turn: &mut Turn<'_>) {
        let found = self.fences.due(turn.now.moment);
        self.tell_found(found, turn);
    }

    fn look_anew(&mut self, of: &Of, change: (Mover, Reason), turn: &mut Turn<'_>) {
        let (views, served) = (&self.views, &self.served);
        let stands = |of: &Of, object: &Arc<Object>| stands(views, served, of, object);
        let around = (&self.table, &*self.options);
        let found = self.fences.look_anew(of, change, around, turn.now.moment, stands);
        self.tell_found(found, turn);
        turn.ignored.stays += self.fences.take_forgotten();
        self.set_alarm();
    }

    /// Tells of objects that are where they were.
    fn tell_found(&self, found: Vec<Found>, turn: &mut Turn<'_>) {
        for Found { transition, of, object, reason } in found {
            let object = self.table.seen(object).expect("who is in a fence is to be seen");
            match of {
                Of::Viewer(slot) => {
                    let viewer = self.views.get(slot).expect("who has a fence is there");
                    let change = Arc::new(Change::new(object.clone()));
                    viewer.post((transition.into(), reason), change, turn);
                }
                Of::Server(_) => self.notify(&of, transition, reason, object, turn),
            }
        }
    }

    fn notify(
        &self,
        of: &Of,
        transition: Transition,
        reason: Reason,
        object: &Arc<Object>,
        turn: &mut Turn<'_>,
    ) {
        let Of::Server(name) = of else { return };
        let fence = self.served.get(name).expect("what is served has its fence").clone();
        let object = object.clone();
        let notice = FenceNotice { object, happening: transition.into(), reason };
        turn.outputs.push(Output::Fence { fence, channel: self.channel.clone(), notice });
    }
}

/// How an object stands to the owner of a fence, wherever it is.
fn stands<M: Mailbox>(
    views: &Views<M>,
    served: &BTreeMap<Arc<str>, Arc<Fence>>,
    of: &Of,
    object: &Arc<Object>,
) -> Standing {
    match of {
        Of::Viewer(slot) => {
            let viewer = views.get(*slot).expect("who has a fence is there");
            viewer.standing(Some(object), true)
        }
        Of::Server(name) => {
            let filter = served.get(name).and_then(|fence| fence.filter.as_ref());
            match filter.is_none_or(|filter| filter.passes(&object.fix.tags)) {
                true => Standing::Seen,
                false => Standing::Unwanted,
            }
        }
    }
}
