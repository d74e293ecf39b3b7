//! A geo event channel: each publication goes to the subscribers whose area contains its place, if
//! they are within its reach.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::fan_out::{Continuity, Encoder, FanOut, Numbered, Work};
use super::lane::{AreaChange, Join, Mailbox, Turn};
use super::members::{Member, Slots};
use crate::base::{SessionId, SubId};
use crate::channel::{
    AreaSource, Audience, Centers, Channel, EventKind, GeoOptions, Mail, Moved, Publication,
    Refusal, Start, View,
};
use crate::geo::{Area, AreaIndex, LatLng, Metres, Place, Purse};

/// The subscribers of one channel, found by place.
#[derive(Debug)]
pub(super) struct EventRoom<M> {
    options: Arc<GeoOptions>,
    members: Slots<(SessionId, SubId), Viewer<M>>,
    areas: AreaIndex,
    /// Areas that are ranges of the tags `lat` and `lng`: found by those, wherever the event is.
    tag_boxes: AreaIndex,
    /// The same subscribers: where an event has one of the two alone, their filters decide.
    tag_boxed: BTreeSet<u32>,
    /// Subscribers by value of the tag `cell`.
    tag_cells: HashMap<Arc<str>, Vec<u32>>,
    numbered: Numbered,
}

#[derive(Debug)]
struct Viewer<M> {
    member: Member<M>,
    shows_distance: bool,
    source: AreaSource,
    /// The area as it is, and where the session is: both sides of the match.
    audience: Audience,
}

impl<M: Mailbox> EventRoom<M> {
    pub(super) fn new(options: Arc<GeoOptions>) -> Self {
        Self {
            options,
            members: Slots::default(),
            areas: AreaIndex::default(),
            tag_boxes: AreaIndex::default(),
            tag_boxed: BTreeSet::new(),
            tag_cells: HashMap::new(),
            numbered: Numbered::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn join(
        &mut self,
        join: Join<M>,
        view: &Arc<View>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let source = view.area.clone();
        let centers = view.centers.within(view.within.as_deref());
        let area = source.resolve(centers, turn.zones)?;
        let audience = Audience {
            area: area.clone(),
            is_by_tags: source.is_by_tags(),
            within: view.within.clone(),
            position: view.centers.session,
            filters: [view.filter.clone(), join.delivery.tags.clone()],
        };
        let (key, mailbox) = ((join.session, join.sub), join.mailbox.clone());
        let viewer = Viewer {
            shows_distance: view.distance,
            member: Member::from(join),
            source: source.clone(),
            audience: audience.clone(),
        };
        let slot = self.members.add(key, viewer);
        self.index(slot, &source, area);
        let at = Start::Events(Arc::new(audience));
        mailbox.post(Mail::Joined { sub: key.1, at });
        Ok(())
    }

    pub(super) fn leave(&mut self, session: SessionId, sub: SubId) -> bool {
        let Some((slot, viewer)) = self.members.remove(&(session, sub)) else { return false };
        self.forget(slot, &viewer.source);
        true
    }

    pub(super) fn subs_of(&self, session: SessionId) -> Vec<SubId> {
        self.members.keys().filter(|key| key.0 == session).map(|key| key.1).collect()
    }

    pub(super) fn begin(
        &mut self,
        channel: Channel,
        kind: EventKind,
        turn: &mut Turn<'_>,
    ) -> Option<FanOut> {
        // Everyone is told of a hole: what was missed may have been in any area.
        if self.numbered.follow(&kind)? == Continuity::Hole {
            for (_, Viewer { member, .. }) in self.members.iter() {
                member.mailbox.post(Mail::Gap { sub: member.sub });
                turn.posted += 1;
            }
        }
        let slots = match &kind {
            EventKind::Publication { publication, .. } => self.audience_of(publication),
            EventKind::Join(_) | EventKind::Leave(_) => {
                self.members.iter().map(|(slot, _)| slot).collect()
            }
            EventKind::Fix(..) | EventKind::Removed { .. } | EventKind::Gap => return None,
        };
        Some(FanOut::new(channel, kind, Work::Matched(slots), Continuity::Next))
    }

    pub(super) fn deliver(
        &self,
        fan_out: &mut FanOut,
        portion: usize,
        encoder: &mut impl Encoder,
    ) -> bool {
        fan_out.each(portion, |fan_out, slot| {
            let viewer = self.members.get(slot).expect("nobody leaves while an event is delivered");
            let away = viewer.shows_distance.then(|| self.away(viewer, fan_out)).flatten();
            match away {
                Some(away) => fan_out.tell_at(&viewer.member, away, encoder),
                None => fan_out.tell(&viewer.member, encoder),
            }
        })
    }

    pub(super) fn change(
        &mut self,
        session: SessionId,
        sub: SubId,
        change: AreaChange,
        turn: &mut Turn<'_>,
    ) {
        let Some(slot) = self.members.find(&(session, sub)) else { return };
        let viewer = self.members.get_mut(slot).expect("found just above");
        match change {
            AreaChange::Moved { area: source, centers, token } => {
                viewer.audience.position = centers.session;
                let centers = centers.within(viewer.audience.within.as_deref());
                let resolved = source.resolve(centers, turn.zones);
                let moved = resolved.as_ref().map(|_| Moved::default()).map_err(Clone::clone);
                viewer.member.mailbox.post(Mail::Moved { sub, token, moved: Box::new(moved) });
                turn.posted += 1;
                if let Ok(area) = resolved {
                    self.replace(slot, source, area);
                }
            }
            AreaChange::Located(at) => {
                viewer.audience.position = Some(at);
                if let Some(area) = viewer.source.with_me_at(at) {
                    self.resize(slot, Arc::new(area));
                }
            }
            AreaChange::Followed { object, at } => {
                let within = viewer.audience.within.as_deref();
                let at = at.filter(|at| within.is_none_or(|within| within.contains(at)));
                if let Some(area) = viewer.source.with_object_at(&object, at) {
                    self.resize(slot, Arc::new(area));
                }
            }
        }
    }

    /// Areas that are the zone of this name (`None`: any) are what it is now; nothing where it is
    /// gone.
    pub(super) fn zones_changed(&mut self, changed: Option<&str>, turn: &mut Turn<'_>) {
        let of_zone = |source: &AreaSource| match source {
            AreaSource::Zone(name) => changed.is_none_or(|changed| *changed == **name),
            _ => false,
        };
        let slots: Vec<(u32, AreaSource)> = self
            .members
            .iter()
            .filter(|(_, viewer)| of_zone(&viewer.source))
            .map(|(slot, viewer)| (slot, viewer.source.clone()))
            .collect();
        for (slot, source) in slots {
            let area = source.resolve(Centers::default(), turn.zones).unwrap_or_default();
            self.resize(slot, area);
        }
    }

    /// Slots of those who get a publication, in the order of their slots.
    fn audience_of(&mut self, publication: &Publication) -> Vec<u32> {
        let mut found = Vec::new();
        if let Some(place) = &publication.place {
            self.areas.matches(place, &mut found);
        }
        if !self.tag_boxed.is_empty() {
            match self.tagged(publication) {
                (Some(lat), Some(lng)) => {
                    if let Ok(at) = LatLng::new(lat, lng) {
                        self.tag_boxes.matches(&Place { at: at.into(), shape: None }, &mut found);
                    }
                }
                (None, None) => {}
                _ => found.extend(&self.tag_boxed),
            }
        }
        if let Some(slots) =
            publication.tags.get(TAG_CELL).and_then(|cell| self.tag_cells.get(cell.as_str()))
        {
            found.extend(slots);
        }
        found.sort_unstable();
        let mut purse = Purse::default();
        found.retain(|slot| {
            let viewer = self.members.get(*slot).expect("what is indexed is there");
            viewer.audience.admits(publication, &mut purse)
        });
        found
    }

    /// The tags `lat` and `lng`.
    fn tagged(&self, publication: &Publication) -> (Option<f64>, Option<f64>) {
        let number = |key: &str| publication.tags.get(key)?.parse::<f64>().ok();
        (number(&self.options.lat), number(&self.options.lng))
    }

    fn away(&self, viewer: &Viewer<M>, fan_out: &FanOut) -> Option<Metres> {
        self.options.away(fan_out.place()?, &viewer.audience.area)
    }

    fn index(&mut self, slot: u32, source: &AreaSource, area: Arc<Area>) {
        match source {
            AreaSource::TagBox(_) => {
                self.tag_boxes.insert(slot, area);
                self.tag_boxed.insert(slot);
            }
            AreaSource::TagCells(cells) => {
                for cell in cells.iter() {
                    self.tag_cells.entry(cell.clone()).or_default().push(slot);
                }
            }
            _ => self.areas.insert(slot, area),
        }
    }

    fn forget(&mut self, slot: u32, source: &AreaSource) {
        match source {
            AreaSource::TagBox(_) => {
                self.tag_boxes.remove(slot);
                self.tag_boxed.remove(&slot);
            }
            AreaSource::TagCells(cells) => {
                for cell in cells.iter() {
                    if let Some(slots) = self.tag_cells.get_mut(cell) {
                        slots.retain(|one| *one != slot);
                        if slots.is_empty() {
                            self.tag_cells.remove(cell);
                        }
                    }
                }
            }
            _ => self.areas.remove(slot),
        }
    }

    fn replace(&mut self, slot: u32, source: AreaSource, area: Arc<Area>) {
        let viewer = self.members.get_mut(slot).expect("whose area changes is there");
        let before = std::mem::replace(&mut viewer.source, source.clone());
        viewer.audience.area = area.clone();
        viewer.audience.is_by_tags = source.is_by_tags();
        if before.is_by_tags() || source.is_by_tags() {
            self.forget(slot, &before);
        }
        self.index(slot, &source, area);
    }

    fn resize(&mut self, slot: u32, area: Arc<Area>) {
        let viewer = self.members.get_mut(slot).expect("whose area changes is there");
        viewer.audience.area = area.clone();
        self.areas.insert(slot, area);
    }
}

/// The tag that holds the cell of an event.
const TAG_CELL: &str = "cell";
