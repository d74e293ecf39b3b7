//! An object channel: where its objects are, who sees them, and the fences round them.

mod areas;
mod chores;
mod fences;
mod followers;
mod guards;
mod hide;
mod query;
mod ranking;
mod table;
#[cfg(test)]
mod tests;
mod viewer;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::chores::{Chore, Chores};
use self::fences::{Fences, Mover, Of};
use self::followers::Followers;
use self::hide::Hide;
use self::table::{Step, Table, Unfit};
use self::viewer::{Scope, Telling, Viewer};
use self::views::Views;
use super::fan_out::{Continuity, Encoder, FanOut, Work};
use super::lane::{AreaChange, Join, Mailbox, ObjectAct, Output, Turn};
use super::members::Member;
use crate::base::{Moment, SessionId, SubId, limits};
use crate::channel::{
    AreaSource, Centers, Channel, EventKind, Fence, Fix, GeoOptions, Mail, ObjectName, Reason,
    Refusal, Start, View,
};
use crate::geo::Point;

#[derive(Debug)]
pub(crate) struct ObjectRoom<M> {
    channel: Channel,
    options: Arc<GeoOptions>,
    table: Table,
    /// Made in the first turn.
    hide: Option<Hide>,
    views: Views<M>,
    fences: Fences,
    /// The server's, by name.
    served: BTreeMap<Arc<str>, Arc<Fence>>,
    followers: Followers,
    chores: Chores,
    /// Not later than the first expiry or dwell; when it is due the next one is looked up, so that
    /// it need not change with every fix.
    alarm: Option<Moment>,
}

impl<M: Mailbox> ObjectRoom<M> {
    pub(super) fn new(channel: Channel, options: Arc<GeoOptions>) -> Self {
        Self {
            channel,
            options,
            table: Table::default(),
            hide: None,
            views: Views::new(),
            fences: Fences::default(),
            served: BTreeMap::new(),
            followers: Followers::default(),
            chores: Chores::default(),
            alarm: None,
        }
    }

    /// Subscriptions.
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// Objects, hidden ones too.
    pub(super) fn objects(&self) -> usize {
        self.table.len()
    }

    /// No subscriptions, no objects, no fences, no followers.
    pub(super) fn is_empty(&self) -> bool {
        self.views.len() == 0
            && self.table.len() == 0
            && self.served.is_empty()
            && self.followers.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        [self.alarm, self.chores.next_deadline()].into_iter().flatten().min()
    }

    /// Does a portion of what is due; what is left is due again, later than now.
    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.moment;
        if self.alarm.is_some_and(|alarm| alarm <= now) {
            self.dwell(turn);
            let mut left = limits::EXPIRY_PORTION;
            while let Some((slot, heard)) = self.table.oldest()
                && heard.after(self.options.object_ttl) <= now
                && left > 0
                && turn.posted < limits::FAN_OUT_YIELD
            {
                left -= 1;
                self.remove(slot, Reason::Expired, turn);
            }
            self.alarm = None;
            self.set_alarm();
            // Others have a turn before the rest of many goes.
            let pause = now.after(limits::LOOKS_PAUSE);
            self.alarm = self.alarm.map(|alarm| if alarm > now { alarm } else { pause });
        }
        if self.chores.next_deadline().is_some_and(|due| due <= now) {
            self.do_chores(turn);
        }
    }

    /// Posts `Joined` with the snapshot.
    pub(super) fn join(
        &mut self,
        join: Join<M>,
        view: &Arc<View>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        self.look_around(&view.options, turn);
        let centers = view.centers.within(view.within.as_deref());
        let area = view.area.resolve(centers, turn.zones)?;
        let scope = Scope::new(view.area.clone(), area, &self.channel);
        let (sub, mailbox) = (join.sub, join.mailbox.clone());
        let viewer = Viewer::new(Member::from(join), view.clone(), scope);
        if view.detect.is_some() && self.fences.is_full() {
            return Err(Refusal::TooManyFences(limits::FENCES));
        }
        let most = self.most(&viewer, None);
        let (slot, snapshot) = self.views.add(viewer, most, &self.table)?;
        mailbox.post(Mail::Joined { sub, at: Start::Objects(snapshot) });
        self.guard(slot, (Mover::Area, Reason::Snapshot), turn);
        Ok(())
    }

    pub(super) fn leave(&mut self, session: SessionId, sub: SubId) -> bool {
        let Some(slot) = self.views.remove(session, sub) else { return false };
        self.fences.remove(&Of::Viewer(slot));
        self.chores.remove(slot);
        true
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        self.views.subs_of(session)
    }

    /// Takes a fix or a removal, told to all when this returns; for a join or leave of a client the
    /// answer is its delivery.
    pub(super) fn begin(
        &mut self,
        channel: Channel,
        kind: EventKind,
        turn: &mut Turn<'_>,
    ) -> Option<FanOut> {
        match kind {
            EventKind::Fix(fix, options) => {
                self.look_around(&options, turn);
                self.take(fix, turn);
            }
            EventKind::Removed { key } => {
                if let Some(slot) = self.table.find(&key) {
                    self.remove(slot, Reason::Deleted, turn);
                    self.set_alarm();
                }
            }
            EventKind::Join(_) | EventKind::Leave(_) => {
                let wanting = self.views.iter().filter(|(_, viewer)| viewer.member.wants(&kind));
                let work = Work::Matched(wanting.map(|(slot, _)| slot).collect());
                return Some(FanOut::new(channel, kind, work, Continuity::Next));
            }
            // A channel of objects has no stream: what was missed is told by the next fix.
            EventKind::Publication { .. } | EventKind::Gap => {}
        }
        None
    }

    pub(super) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        fan_out.each(portion, |fan_out, slot| {
            let viewer = self.views.get(slot).expect("nobody leaves while an event is delivered");
            fan_out.tell(&viewer.member, encoder);
        })
    }

    pub(super) fn change(
        &mut self,
        session: SessionId,
        sub: SubId,
        change: AreaChange,
        turn: &mut Turn<'_>,
    ) {
        let Some(slot) = self.views.find(session, sub) else { return };
        let viewer = self.views.get_mut(slot).expect("found just above");
        match change {
            AreaChange::Moved { area, centers, token } => {
                viewer.position = centers.session;
                let centers = centers.within(viewer.view().within.as_deref());
                self.move_area(slot, (area, centers), token, turn);
            }
            AreaChange::Located(at) => {
                viewer.position = Some(at);
                if let Some(area) = viewer.scope.source.with_me_at(at) {
                    self.shift(slot, area.into(), Mover::Follower, turn);
                }
            }
            AreaChange::Followed { object, at } => {
                let at = at.filter(|at| viewer.may_know(at));
                if let Some(area) = viewer.scope.source.with_object_at(&object, at) {
                    self.shift(slot, area.into(), Mover::Follower, turn);
                }
            }
        }
    }

    pub(super) fn act(&mut self, act: ObjectAct, turn: &mut Turn<'_>) {
        match act {
            ObjectAct::Follow { key, by, options } => {
                self.look_around(&options, turn);
                let at = self.place_of(&key);
                let at = if self.followers.add(key.clone(), by.clone()) { at } else { None };
                let object = ObjectName { channel: self.channel.clone(), key };
                turn.outputs.push(Output::Followed { by, object, at });
            }
            ObjectAct::Unfollow { key, by } => self.followers.remove(&key, by.session, by.sub),
            ObjectAct::Offline(session) => {
                while let Some(slot) = self.table.owned_by(session) {
                    self.remove(slot, Reason::Offline, turn);
                }
                self.followers.forget(session);
                self.set_alarm();
            }
            ObjectAct::SetFence { fence, options } => {
                self.look_around(&options, turn);
                self.set_fence(&fence, turn);
            }
            ObjectAct::RemoveFence { name } => {
                self.served.remove(&name);
                self.fences.remove(&Of::Server(name));
            }
        }
    }

    /// Whether a fence of the server's of that name can be set.
    pub(super) fn has_room_for(&self, fence: &str) -> bool {
        !self.fences.is_full() || self.served.contains_key(fence)
    }

    /// The server's, by name.
    pub(super) fn fences(&self) -> Vec<Arc<Fence>> {
        self.served.values().cloned().collect()
    }

    /// Areas, fences and hidden zones of this name (`None`: any) are looked up anew.
    pub(super) fn zones_changed(&mut self, changed: Option<&str>, turn: &mut Turn<'_>) {
        let of_zone = |source: &AreaSource| match source {
            AreaSource::Zone(name) => changed.is_none_or(|changed| *changed == **name),
            _ => false,
        };
        let sources = self.views.iter().map(|(slot, viewer)| (slot, &viewer.scope.source));
        let affected: Vec<(u32, AreaSource)> = sources
            .filter(|(_, source)| of_zone(source))
            .map(|(slot, source)| (slot, source.clone()))
            .collect();
        for (slot, source) in affected {
            // A zone that is gone is nowhere.
            let area = source.resolve(Centers::default(), turn.zones).unwrap_or_default();
            self.shift(slot, area, Mover::Area, turn);
        }
        let served: Vec<Arc<Fence>> =
            self.served.values().filter(|fence| of_zone(&fence.area)).cloned().collect();
        for fence in served {
            self.set_fence(&fence, turn);
        }
        let hide = self.hide.as_ref();
        if hide.is_some_and(|hide| changed.is_none_or(|changed| hide.has(changed))) {
            self.hide_anew(turn);
        }
    }

    fn take(&mut self, fix: Arc<Fix>, turn: &mut Turn<'_>) {
        // Who has stayed long enough by now has done so before it moves on.
        self.dwell(turn);
        if !turn.has_room && self.table.find(&fix.key).is_none() {
            turn.ignored.no_room += 1;
            return;
        }
        let hide = self.hide.as_mut().expect("whoever brings a fix has looked around");
        let is_hidden = hide.covers(&fix.point);
        match self.table.take(fix, is_hidden, turn.now, &self.options) {
            Ok(step) => {
                if let Some(step) = step {
                    self.tell(&step, turn);
                }
                self.set_alarm();
            }
            Err(Unfit::Old) => turn.ignored.old += 1,
            Err(Unfit::TooFast) => turn.ignored.too_fast += 1,
            Err(Unfit::NoRoom) => turn.ignored.no_room += 1,
        }
    }

    fn remove(&mut self, slot: u32, reason: Reason, turn: &mut Turn<'_>) {
        if let Some(step) = self.table.remove(slot, reason) {
            self.tell(&step, turn);
        }
    }

    fn tell(&mut self, step: &Step, turn: &mut Turn<'_>) {
        let mut telling = Telling::new(step);
        self.views.tell(&mut telling, &self.table, turn);
        for slot in self.views.take_short() {
            self.chores.put(slot, Chore::Fill, turn.allowance.next(turn.now.moment));
        }
        self.tell_guards(&mut telling, turn);
        let at = step.after.as_ref().map(|object| object.fix.point);
        if !step.is_still() {
            self.followers.tell(&self.channel, &step.object().fix.key, at, turn.outputs);
        }
    }

    pub(super) fn place_of(&self, key: &str) -> Option<Point> {
        Some(self.table.seen(self.table.find(key)?)?.fix.point)
    }

    /// Takes the namespace's options as they are now, and finds the zones that they name.
    fn look_around(&mut self, options: &Arc<GeoOptions>, turn: &mut Turn<'_>) {
        if self.hide.is_some() && Arc::ptr_eq(&self.options, options) {
            return;
        }
        let ttl = self.options.object_ttl;
        self.options = options.clone();
        if ttl != options.object_ttl {
            self.alarm = None;
            self.set_alarm();
        }
        if self.hide.as_ref().is_none_or(|hide| hide.names() != options.hide) {
            self.hide_anew(turn);
        }
    }

    fn hide_anew(&mut self, turn: &mut Turn<'_>) {
        let mut hide = Hide::new(&self.options.hide, turn.zones);
        let places: Vec<(u32, Point)> = self.table.places().collect();
        // What goes makes room for what comes.
        for goes in [true, false] {
            for (slot, point) in &places {
                if hide.covers(point) == goes
                    && let Some(step) = self.table.set_hidden(*slot, goes)
                {
                    self.tell(&step, turn);
                }
            }
        }
        self.hide = Some(hide);
        self.set_alarm();
    }

    fn set_alarm(&mut self) {
        let expiry = self.table.oldest().map(|(_, heard)| heard.after(self.options.object_ttl));
        let first = [expiry, self.fences.next_deadline()].into_iter().flatten().min();
        self.alarm = match (self.alarm, first) {
            (Some(alarm), Some(first)) => Some(alarm.min(first)),
            (_, first) => first,
        };
    }
}
