//! An object channel through its lane: what its subscribers are told.

mod acts;
mod fences;
mod load;
mod metamorphic;
mod model;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Encoding, Moment, Now, SessionId, SubId, UnixMillis};
use crate::channel::{
    AreaSource, Centers, Channel, Delivery, Event, EventKind, FilterPart, Fix, GeoKind, GeoOptions,
    Happening, Mail, Object, ObjectName, Reason, Refusal, Start, TagFilter, View, around,
};
use crate::geo::{Area, LatLng, Metres, Point, Zones};
use crate::hub::{AreaChange, Input, Join, Lane, Mailbox, ObjectAct, Output, Subscriber};

#[derive(Clone, Debug, Default)]
struct Pile(Rc<RefCell<Vec<Mail>>>);

impl Mailbox for Pile {
    fn post(&self, mail: Mail) {
        self.0.borrow_mut().push(mail);
    }
}

impl Pile {
    fn take(&self) -> Vec<Mail> {
        self.0.take()
    }
}

fn point(lat: f64, lng: f64) -> Point {
    LatLng::new(lat, lng).unwrap().into()
}

fn circle(lat: f64, lng: f64, radius: f64) -> AreaSource {
    AreaSource::Fixed(Arc::new(around(Some(point(lat, lng)), Metres(radius))))
}

fn object(key: &str) -> ObjectName {
    ObjectName { channel: channel(), key: key.into() }
}

fn channel() -> Channel {
    Channel::parse("cars:city").unwrap()
}

fn options() -> GeoOptions {
    GeoOptions { kind: GeoKind::Objects, ..GeoOptions::default() }
}

fn tag_filter(kind: &str) -> Arc<TagFilter> {
    let (key, cmp, val) = ("kind".into(), "eq".into(), kind.into());
    let part = FilterPart { key, cmp, val, ..FilterPart::default() };
    Arc::new(TagFilter::parse("where", part).unwrap())
}

/// A lane with one channel of objects, and its clock.
struct Town {
    lane: Lane<Pile>,
    options: Arc<GeoOptions>,
    zones: Zones,
    now: Now,
}

impl Town {
    fn new(options: GeoOptions) -> Self {
        let now = Now { moment: Moment(0), unix: UnixMillis(1_000_000_000) };
        Self { lane: Lane::new(), options: Arc::new(options), zones: Zones::default(), now }
    }

    fn apply(&mut self, input: Input<Pile>) {
        assert!(self.lane.apply(input, self.now).is_none(), "nothing is delivered in portions");
    }

    fn fix(&mut self, fix: Fix) {
        let kind = EventKind::Fix(Arc::new(fix), self.options.clone());
        self.apply(Input::Event(Event { channel: channel(), kind }));
    }

    fn at(&mut self, key: &str, lat: f64, lng: f64) {
        self.fix(Fix::bare(key, point(lat, lng)));
    }

    fn remove(&mut self, key: &str) {
        let kind = EventKind::Removed { key: key.into() };
        self.apply(Input::Event(Event { channel: channel(), kind }));
    }

    /// Lets time pass, and the lane do what is due as it becomes due.
    fn pass(&mut self, time: Duration) {
        let end = self.now.moment.after(time);
        while let Some(at) = self.lane.next_deadline().filter(|at| *at <= end) {
            self.set_clock(at);
            self.lane.handle_timeout(self.now);
        }
        self.set_clock(end);
    }

    fn set_clock(&mut self, moment: Moment) {
        assert!(self.now.moment <= moment, "clocks go forward");
        self.now = Now { moment, unix: UnixMillis(1_000_000_000 + moment.0 / 1_000_000) };
    }

    fn view(&self, area: AreaSource) -> View {
        View::of(area, self.options.clone())
    }

    fn join(&mut self, session: u64, view: View) -> Pile {
        let mailbox = Pile::default();
        self.apply(Input::Join(Join {
            channel: channel(),
            session: SessionId(session),
            sub: SubId(1),
            encoding: Encoding::Json,
            delivery: Delivery { view: Some(Arc::new(view)), ..Delivery::default() },
            mailbox: mailbox.clone(),
        }));
        mailbox
    }

    fn look(&mut self, session: u64, area: AreaSource) -> Pile {
        let view = self.view(area);
        self.join(session, view)
    }

    fn leave(&mut self, session: u64) {
        self.apply(Input::Leave(subscriber(session)));
    }

    fn change(&mut self, session: u64, change: AreaChange) {
        self.apply(Input::Change { of: subscriber(session), change });
    }

    fn act(&mut self, act: ObjectAct) {
        self.apply(Input::Objects { channel: channel(), act });
    }

    fn follow(&mut self, session: u64, key: &str) {
        let (key, by, options) = (key.into(), subscriber(session), self.options.clone());
        self.act(ObjectAct::Follow { key, by, options });
    }

    fn set_zone(&mut self, name: &str, area: Option<Area>) {
        match area {
            Some(area) => self.zones.set(name.into(), Arc::new(area)),
            None => drop(self.zones.remove(name)),
        }
        let (all, changed) = (Arc::new(self.zones.clone()), Some(name.into()));
        self.apply(Input::Zones { all, changed });
    }
}

fn subscriber(session: u64) -> Subscriber {
    Subscriber { channel: channel(), session: SessionId(session), sub: SubId(1) }
}

/// Mails in short: `[a b]` for a snapshot, `+a -b` for a move of the area.
fn seen(pile: &Pile) -> Vec<String> {
    pile.take().iter().map(written).collect()
}

fn written(mail: &Mail) -> String {
    let join = |keys: Vec<&str>| keys.join(" ");
    match mail {
        Mail::Joined { at: Start::Objects(objects), .. } => {
            format!("[{}]", join(objects.iter().map(|one| &*one.object.fix.key).collect()))
        }
        Mail::Refused { refusal, .. } => format!("refused: {refusal}"),
        Mail::Object { happening, reason, change, .. } => {
            let key = &change.object.fix.key;
            format!("{} {key} {}", happening.name(), reason.name())
        }
        Mail::Moved { moved, .. } => match &**moved {
            Ok(moved) => {
                let added = moved.added.iter().map(|one| format!("+{}", one.object.fix.key));
                let removed = moved.removed.iter().map(|one| format!("-{}", one.fix.key));
                added.chain(removed).collect::<Vec<_>>().join(" ")
            }
            Err(refusal) => format!("not moved: {refusal}"),
        },
        other => unreachable!("an object channel posts no {other:?}"),
    }
}
