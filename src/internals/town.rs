//! A lane with one channel, whose mailboxes count.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::{Shape, Spot};
use crate::base::{Encoding, Moment, Now, SessionId, SubId, UnixMillis};
use crate::channel::{
    AreaSource, Channel, Delivery, Event, EventKind, Fence, Fix, GeoKind, GeoOptions, Mail,
    Publication, PushBody, View,
};
use crate::geo::{Metres, Transition};
use crate::hub::{Encoder, Input, Join, Lane, Mailbox, ObjectAct, Step};

/// Where everybody's mail goes.
#[derive(Clone, Debug, Default)]
struct Count(Rc<Cell<u64>>);

impl Mailbox for Count {
    fn post(&self, mail: Mail) {
        drop(mail);
        self.0.set(self.0.get() + 1);
    }
}

/// A channel of events or objects.
#[derive(Debug)]
pub struct Town {
    lane: Lane<Count>,
    channel: Channel,
    options: Arc<GeoOptions>,
    told: Count,
    offset: u64,
    fixes: u64,
}

impl Town {
    pub fn of_events() -> Self {
        Self::new(GeoKind::Events)
    }

    pub fn of_objects() -> Self {
        Self::new(GeoKind::Objects)
    }

    fn new(kind: GeoKind) -> Self {
        let options = GeoOptions { kind, ..GeoOptions::default() };
        let (channel, told) = (Channel::parse("town:a").expect("a name"), Count::default());
        let options = Arc::new(options);
        Self { lane: Lane::new(), channel, options, told, offset: 0, fixes: 0 }
    }

    /// Mails that were posted.
    pub fn told(&self) -> u64 {
        self.told.0.get()
    }

    /// Adds a subscription, each of a session of its own.
    pub fn watch(&mut self, number: u64, shape: &Shape) {
        let view = View::of(AreaSource::Fixed(shape.0.clone()), self.options.clone());
        let join = Join {
            channel: self.channel.clone(),
            session: SessionId(number),
            sub: SubId(1),
            encoding: Encoding::Json,
            delivery: Delivery { view: Some(Arc::new(view)), ..Delivery::default() },
            mailbox: self.told.clone(),
        };
        self.apply(Input::Join(join));
    }

    /// Adds a fence of the server's.
    pub fn fence(&mut self, number: u64, shape: &Shape) {
        let area = AreaSource::Fixed(shape.0.clone());
        let detect = [Transition::Enter, Transition::Exit].into_iter().collect();
        let fence = Fence::of(&number.to_string(), area, detect);
        let act = ObjectAct::SetFence { fence: Arc::new(fence), options: self.options.clone() };
        self.apply(Input::Objects { channel: self.channel.clone(), act });
    }

    /// Moves an object, or adds it; what fences tell of it goes no further.
    pub fn fix(&mut self, key: &Arc<str>, spot: &Spot) {
        let fix = Fix {
            key: key.clone(),
            point: spot.0.at,
            accuracy: None,
            speed_mps: None,
            heading_deg: None,
            time: None,
            data: Bytes::new(),
            tags: Default::default(),
            owner: None,
            accepted: Moment(0),
        };
        self.fixes += 1;
        let kind = EventKind::Fix(Arc::new(fix), self.options.clone());
        self.apply(Input::Event(Event { channel: self.channel.clone(), kind }));
        drop(self.lane.take_outputs());
    }

    /// Publishes what happened at a place, to everyone who gets it.
    pub fn event(&mut self, spot: &Spot) {
        self.offset += 1;
        let place = Some(Arc::new(spot.0.clone()));
        let publication = Publication { place, offset: self.offset, ..Publication::default() };
        let kind = EventKind::Publication { publication: Arc::new(publication), epoch: "e".into() };
        let event = Event { channel: self.channel.clone(), kind };
        let mut fan_out = self.lane.apply(Input::Event(event), self.now());
        if let Some(fan_out) = &mut fan_out {
            while self.lane.deliver(fan_out, usize::MAX, &mut Blank) {}
        }
    }

    fn apply(&mut self, input: Input<Count>) {
        drop(self.lane.apply(input, self.now()));
    }

    /// A millisecond passes from fix to fix.
    fn now(&self) -> Now {
        Now { moment: Moment(self.fixes * 1_000_000), unix: UnixMillis(1_000_000_000 + self.fixes) }
    }
}

/// Bodies without bytes.
struct Blank;

impl Encoder for Blank {
    fn encode(&mut self, _encoding: Encoding, _event: &EventKind) -> PushBody {
        PushBody { offset: 0, accepted: Moment(0), bytes: Bytes::new(), delta: None }
    }

    fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody {
        let kind =
            EventKind::Publication { publication: step.publication.clone(), epoch: "".into() };
        self.encode(encoding, &kind)
    }

    fn encode_at(
        &mut self,
        encoding: Encoding,
        publication: &Publication,
        _away: Metres,
    ) -> PushBody {
        let publication = Arc::new(publication.clone());
        self.encode(encoding, &EventKind::Publication { publication, epoch: "".into() })
    }
}
