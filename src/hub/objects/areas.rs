//! Areas of subscriptions that become others: because the client asks for another one, or because
//! what they follow has moved. The first is answered in its turn; the second may have to wait, and
//! then only where the area is to be last counts.

use std::sync::Arc;

use super::ObjectRoom;
use super::chores::Chore;
use super::fences::{Mover, Of};
use super::viewer::{Scope, Viewer};
use crate::channel::{AreaSource, Centers, Mail, Reason, Refusal};
use crate::geo::Area;
use crate::hub::lane::{Mailbox, Turn};

impl<M: Mailbox> ObjectRoom<M> {
    /// How many objects a viewer's area may have as it begins to be that.
    pub(super) fn most(&self, viewer: &Viewer<M>, slot: Option<u32>) -> usize {
        let most = viewer.most(&self.options);
        match viewer.view().detect {
            Some(_) => most.min(self.fences.room_for(slot.map(Of::Viewer).as_ref())),
            None => most,
        }
    }

    /// The client wants another area.
    pub(super) fn move_area(
        &mut self,
        slot: u32,
        (source, centers): (AreaSource, Centers),
        token: u32,
        turn: &mut Turn<'_>,
    ) {
        let viewer = self.views.get(slot).expect("whose area changes is there");
        let most = self.most(viewer, Some(slot));
        let resolved = source.resolve(centers, turn.zones);
        let moved = resolved.and_then(|area| {
            let scope = Scope::new(source, area, &self.channel);
            self.views.look_at(slot, scope, most, (&self.table, turn))
        });
        let viewer = self.views.get(slot).expect("whose area changes is there");
        let has_moved = moved.is_ok();
        viewer.answer_move(token, moved, turn);
        if has_moved {
            self.chores.remove(slot);
            self.guard(slot, (Mover::Area, Reason::AreaChanged), turn);
        }
    }

    /// The area of the same source is another one, at once or when the lane has time for that.
    pub(super) fn shift(&mut self, slot: u32, area: Arc<Area>, mover: Mover, turn: &mut Turn<'_>) {
        if turn.allowance.has_some() {
            self.chores.remove(slot);
            self.shift_now(slot, area, mover, turn);
        } else {
            let due = turn.allowance.next(turn.now.moment);
            self.chores.put(slot, Chore::Shift(area, mover), due);
        }
    }

    /// Does what had to wait, as far as the lane has time.
    pub(super) fn do_chores(&mut self, turn: &mut Turn<'_>) {
        while turn.allowance.has_some()
            && let Some((slot, chore)) = self.chores.next()
        {
            match chore {
                Chore::Fill => self.views.fill(slot, &self.table, turn),
                Chore::Shift(area, mover) => self.shift_now(slot, area, mover, turn),
            }
        }
        self.chores.wait(turn.allowance.next(turn.now.moment));
    }

    fn shift_now(&mut self, slot: u32, area: Arc<Area>, mover: Mover, turn: &mut Turn<'_>) {
        let viewer = self.views.get(slot).expect("whose area changes is there");
        turn.allowance.take(1);
        if viewer.scope.area == area {
            return;
        }
        let most = self.most(viewer, Some(slot));
        let scope = Scope { area, ..viewer.scope.clone() };
        match self.views.shift(slot, scope, most, (&self.table, turn)) {
            Ok(()) => self.guard(slot, (mover, Reason::AreaChanged), turn),
            Err(refusal) => self.end(slot, refusal, turn),
        }
    }

    /// An area that nobody asked for cannot be refused: the subscription ends.
    fn end(&mut self, slot: u32, refusal: Refusal, turn: &mut Turn<'_>) {
        let member = &self.views.get(slot).expect("who is told the end is there").member;
        let (session, sub, refusal) = (member.session, member.sub, Box::new(refusal));
        member.mailbox.post(Mail::Refused { sub, refusal });
        turn.posted += 1;
        turn.ended += usize::from(self.leave(session, sub));
    }
}
