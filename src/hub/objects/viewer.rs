//! [`Viewer`]: one subscription of an object channel, what of the objects it sees, and what it is
//! told of a step.

use std::sync::Arc;

use super::ranking::Ranking;
use super::table::Step;
use crate::channel::{
    AreaSource, Change, Channel, GeoOptions, Happening, Mail, Moved, Object, Reason, Refusal,
    Sighting, View,
};
use crate::geo::{Area, Metres, Point};
use crate::hub::lane::{Mailbox, Turn};
use crate::hub::members::Member;

#[derive(Debug)]
pub(super) struct Viewer<M> {
    pub(super) member: Member<M>,
    view: Arc<View>,
    /// The session's last position.
    pub(super) position: Option<Point>,
    pub(super) scope: Scope,
    pub(super) kind: Kind,
}

/// Where a viewer looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    pub(super) source: AreaSource,
    pub(super) area: Arc<Area>,
    /// The object that is followed: it is not told to who follows it.
    pub(super) except: Option<Arc<str>>,
}

/// What a viewer is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// What enters, moves in and leaves the area.
    Area,
    /// The same of the objects nearest to a place. The area is the circle in which a step can
    /// change which those are.
    Nearest(Box<Ranking>),
    /// Transitions, by the fences.
    Detect,
}

/// How an object stands to a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not in the area, or not anywhere.
    Away,
    /// In the area, but the filters do not let it through.
    Unwanted,
    Seen,
}

/// A step with the bodies that all mails about it share, made when the first is posted.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    step: &'a Step,
    change: Option<Arc<Change>>,
    /// The object as it was before, for who may not know where it went.
    before: Option<Arc<Change>>,
}

impl Scope {
    pub(super) fn new(source: AreaSource, area: Arc<Area>, of: &Channel) -> Self {
        let followed = source.followed().filter(|object| object.channel == *of);
        let except = followed.map(|object| object.key.clone());
        Self { source, area, except }
    }
}

impl<M: Mailbox> Viewer<M> {
    pub(super) fn new(member: Member<M>, view: Arc<View>, scope: Scope) -> Self {
        let kind = match view.detect {
            Some(_) => Kind::Detect,
            None => Kind::Area,
        };
        Self { position: view.centers.session, member, view, scope, kind }
    }

    /// Whether it is told of all that is in its area, and of nothing but that.
    pub(super) fn is_lean(&self) -> bool {
        self.kind == Kind::Area
            && !self.view.distance
            && !self.is_choosy()
            && self.scope.except.is_none()
    }

    /// Whether there may be objects in its area that it does not see, besides the one that it
    /// follows.
    pub(super) fn is_choosy(&self) -> bool {
        let View { within, filter, .. } = &*self.view;
        within.is_some() || filter.is_some() || self.member.delivery.tags.is_some()
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// How many objects it may see, or guard, as its area begins.
    pub(super) fn most(&self, options: &GeoOptions) -> usize {
        self.view.limit.map_or(options.objects_max, |limit| limit.min(options.objects_max))
    }

    /// Whether an object would be seen if it is in the area.
    pub(super) fn admits(&self, scope: &Scope, object: &Object) -> bool {
        self.allows(scope, object) && self.wants(object)
    }

    /// `is_in` says whether the object is in the area.
    pub(super) fn standing(&self, object: Option<&Arc<Object>>, is_in: bool) -> Standing {
        match object {
            Some(object) if is_in && self.allows(&self.scope, object) => {
                if self.wants(object) {
                    Standing::Seen
                } else {
                    Standing::Unwanted
                }
            }
            _ => Standing::Away,
        }
    }

    /// Tells what a step means here. `is_in` says whether the object was in the area before, and
    /// whether it is after.
    pub(super) fn tell(&self, telling: &mut Telling<'_>, is_in: (bool, bool), turn: &mut Turn<'_>) {
        let was = self.standing(telling.step.before.as_ref(), is_in.0);
        let is = self.standing(telling.step.after.as_ref(), is_in.1);
        self.tell_standing(telling, (was, is), turn);
    }

    /// The same, where it is known how the object stood and stands.
    pub(super) fn tell_standing(
        &self,
        telling: &mut Telling<'_>,
        standing: (Standing, Standing),
        turn: &mut Turn<'_>,
    ) {
        if let Some(told) = telling.step.told(standing) {
            self.post(told, telling.change_for(self).clone(), turn);
        }
    }

    /// Tells what another area means for one object.
    pub(super) fn tell_one(&self, happening: Happening, object: Arc<Object>, turn: &mut Turn<'_>) {
        let change = Arc::new(Change::new(object));
        self.post((happening, Reason::AreaChanged), change, turn);
    }

    /// Tells a transition that a fence found.
    pub(super) fn post(
        &self,
        (happening, reason): (Happening, Reason),
        change: Arc<Change>,
        turn: &mut Turn<'_>,
    ) {
        let distance = self.distance(&self.scope, &change.object);
        let sub = self.member.sub;
        let is_transition = matches!(self.kind, Kind::Detect);
        self.member.mailbox.post(Mail::Object {
            sub,
            happening,
            reason,
            change,
            distance,
            is_transition,
        });
        turn.posted += 1;
    }

    pub(super) fn answer_move(
        &self,
        token: u32,
        moved: Result<Moved, Refusal>,
        turn: &mut Turn<'_>,
    ) {
        let sub = self.member.sub;
        self.member.mailbox.post(Mail::Moved { sub, token, moved: Box::new(moved) });
        turn.posted += 1;
    }

    pub(super) fn sighting(&self, scope: &Scope, object: &Arc<Object>) -> Sighting {
        Sighting { object: object.clone(), distance: self.distance(scope, object) }
    }

    fn distance(&self, scope: &Scope, object: &Object) -> Option<Metres> {
        if !self.view.distance {
            return None;
        }
        let center = scope.area.center()?;
        self.view.options.distance.shown(center.distance(&object.fix.point))
    }

    /// Whether the viewer may know of an object there.
    fn allows(&self, scope: &Scope, object: &Object) -> bool {
        self.may_know(&object.fix.point)
            && scope.except.as_ref().is_none_or(|except| *except != object.fix.key)
    }

    /// Whether the viewer may know of anything there.
    pub(super) fn may_know(&self, point: &Point) -> bool {
        self.view.within.as_ref().is_none_or(|within| within.contains(point))
    }

    fn wants(&self, object: &Object) -> bool {
        let filters = [&self.member.delivery.tags, &self.view.filter];
        filters.into_iter().flatten().all(|filter| filter.passes(&object.fix.tags))
    }
}

impl Step {
    /// What happened to the object for somebody, by how it stood and stands.
    pub(super) fn told(&self, standing: (Standing, Standing)) -> Option<(Happening, Reason)> {
        Some(match standing {
            (Standing::Seen, Standing::Seen) => (Happening::Move, Reason::Moved),
            (Standing::Seen, Standing::Unwanted) => (Happening::Exit, Reason::Filter),
            (Standing::Seen, Standing::Away) => (Happening::Exit, self.reason_of_exit()),
            (Standing::Unwanted, Standing::Seen) => (Happening::Enter, Reason::Filter),
            (Standing::Away, Standing::Seen) => (Happening::Enter, self.reason_of_enter()),
            (Standing::Away | Standing::Unwanted, Standing::Away | Standing::Unwanted) => {
                return None;
            }
        })
    }

    fn reason_of_enter(&self) -> Reason {
        if self.before.is_none() { self.reason } else { Reason::Moved }
    }

    fn reason_of_exit(&self) -> Reason {
        if self.after.is_none() { self.reason } else { Reason::Moved }
    }
}

impl<'a> Telling<'a> {
    pub(super) fn new(step: &'a Step) -> Self {
        Self { step, change: None, before: None }
    }

    pub(super) fn step(&self) -> &'a Step {
        self.step
    }

    /// For whom may know where the object is.
    pub(super) fn change(&mut self) -> &Arc<Change> {
        let object = self.step.object();
        self.change.get_or_insert_with(|| Arc::new(Change::new(object.clone())))
    }

    /// A viewer that is not allowed to see where the object went is told where it last saw it.
    pub(super) fn change_for<M: Mailbox>(&mut self, viewer: &Viewer<M>) -> &Arc<Change> {
        let object = self.step.object();
        match &self.step.before {
            Some(before) if !viewer.may_know(&object.fix.point) => {
                self.before.get_or_insert_with(|| Arc::new(Change::new(before.clone())))
            }
            _ => self.change(),
        }
    }
}
