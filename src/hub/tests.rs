use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::{Encoding, Moment, Now, SessionId, SubId, limits};
use crate::channel::{
    Channel, ClientDetails, Delivery, DeltaBody, Event, EventKind, FilterPart, Mail, Publication,
    PushBody, TagFilter,
};
use crate::geo::Metres;

#[derive(Clone, Debug, Default)]
struct Pile(Rc<RefCell<Vec<Mail>>>);

impl Mailbox for Pile {
    fn post(&self, mail: Mail) {
        self.0.borrow_mut().push(mail);
    }
}

/// Counts how often it is asked and writes the offset as the body.
struct Plain;

impl Encoder for Plain {
    fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody {
        let (publication, epoch) = (step.publication.clone(), "".into());
        let whole = self.encode(encoding, &EventKind::Publication { publication, epoch });
        let patch = step.base.as_ref().map(|base| base.offset.to_string().into());
        let delta = Some(Arc::new(DeltaBody { sequence: step.sequence, patch }));
        PushBody { delta, ..whole }
    }

    fn encode_at(&mut self, encoding: Encoding, at: &Publication, _: Metres) -> PushBody {
        let (publication, epoch) = (Arc::new(at.clone()), "".into());
        self.encode(encoding, &EventKind::Publication { publication, epoch })
    }

    fn encode(&mut self, _: Encoding, event: &EventKind) -> PushBody {
        let offset = match event {
            EventKind::Publication { publication, .. } => publication.offset,
            _ => 0,
        };
        PushBody {
            offset,
            accepted: Moment(0),
            bytes: Bytes::from(offset.to_string()),
            delta: None,
        }
    }
}

fn channel(name: u8) -> Channel {
    Channel::parse(&format!("room{name}")).unwrap()
}

fn publication(name: u8, offset: u64, epoch: &str) -> Event {
    let publication = Arc::new(Publication { offset, ..Publication::default() });
    Event {
        channel: channel(name),
        kind: EventKind::Publication { publication, epoch: epoch.into() },
    }
}

fn run(lane: &mut Lane<Pile>, input: Input<Pile>, portion: usize) {
    if let Some(mut fan_out) = lane.apply(input, Now::default()) {
        while lane.deliver(&mut fan_out, portion, &mut Plain) {}
    }
}

fn join(name: u8, session: u64, sub: u32, mailbox: &Pile) -> Input<Pile> {
    Input::Join(Join {
        channel: channel(name),
        session: SessionId(session),
        sub: SubId(sub),
        encoding: Encoding::Json,
        delivery: Delivery::default(),
        mailbox: mailbox.clone(),
    })
}

fn seen(mailbox: &Pile) -> Vec<String> {
    let one = |mail: &Mail| match mail {
        Mail::Joined { sub, .. } => format!("joined {}", sub.0),
        Mail::Push { sub, body, .. } => format!("push {} {}", sub.0, body.offset),
        Mail::Gap { sub } => format!("gap {}", sub.0),
        other => unreachable!("a plain channel posts no {other:?}"),
    };
    mailbox.0.borrow().iter().map(one).collect()
}

#[test]
fn a_hole_and_a_new_epoch_are_announced_and_a_repetition_is_dropped() {
    let (mut lane, mailbox) = (Lane::new(), Pile::default());
    run(&mut lane, join(1, 1, 1, &mailbox), 8);
    for (offset, epoch) in [(5, "a"), (6, "a"), (6, "a"), (8, "a"), (1, "b")] {
        run(&mut lane, Input::Event(publication(1, offset, epoch)), 8);
    }
    let expected = ["joined 1", "push 1 5", "push 1 6", "gap 1", "push 1 8", "gap 1", "push 1 1"];
    assert_eq!(seen(&mailbox), expected);
}

#[test]
fn what_the_engine_cannot_prove_is_announced() {
    let (mut lane, mailbox) = (Lane::new(), Pile::default());
    run(&mut lane, join(1, 1, 1, &mailbox), 8);
    run(&mut lane, Input::Event(Event { channel: channel(1), kind: EventKind::Gap }), 8);
    run(&mut lane, Input::Event(publication(1, 7, "a")), 8);
    assert_eq!(seen(&mailbox), ["joined 1", "gap 1", "push 1 7"]);
}

#[test]
fn joins_and_leaves_go_only_to_those_who_want_them() {
    let (mut lane, quiet, curious) = (Lane::new(), Pile::default(), Pile::default());
    run(&mut lane, join(1, 1, 1, &quiet), 8);
    let Input::Join(mut wanting) = join(1, 2, 1, &curious) else { unreachable!() };
    wanting.delivery.join_leave = true;
    run(&mut lane, Input::Join(wanting), 8);
    let kind = EventKind::Join(Arc::new(ClientDetails::default()));
    run(&mut lane, Input::Event(Event { channel: channel(1), kind }), 8);
    assert_eq!(seen(&quiet), ["joined 1"]);
    assert_eq!(seen(&curious), ["joined 1", "push 1 0"]);
}

fn join_with(session: u64, mailbox: &Pile, delivery: Delivery) -> Input<Pile> {
    let Input::Join(wanting) = join(1, session, 1, mailbox) else { unreachable!() };
    Input::Join(Join { delivery, ..wanting })
}

#[test]
fn publications_that_do_not_pass_the_filter_are_not_posted() {
    let (mut lane, all, some) = (Lane::new(), Pile::default(), Pile::default());
    let (key, cmp, val) = ("kind".into(), "eq".into(), "taxi".into());
    let filter = FilterPart { key, cmp, val, ..FilterPart::default() };
    let tags = Some(Arc::new(TagFilter::parse("tf", filter).unwrap()));
    run(&mut lane, join(1, 1, 1, &all), 8);
    let delivery = Delivery { join_leave: true, tags, ..Delivery::default() };
    run(&mut lane, join_with(2, &some, delivery), 8);
    for (offset, kind) in [(1, "bus"), (2, "taxi"), (3, "bus"), (4, "taxi")] {
        let tags = [("kind".to_owned(), kind.to_owned())].into();
        let publication = Arc::new(Publication { offset, tags, ..Publication::default() });
        let kind = EventKind::Publication { publication, epoch: "a".into() };
        run(&mut lane, Input::Event(Event { channel: channel(1), kind }), 8);
    }
    let kind = EventKind::Join(Arc::new(ClientDetails::default()));
    run(&mut lane, Input::Event(Event { channel: channel(1), kind }), 8);
    assert_eq!(seen(&all), ["joined 1", "push 1 1", "push 1 2", "push 1 3", "push 1 4"]);
    assert_eq!(seen(&some), ["joined 1", "push 1 2", "push 1 4", "push 1 0"]);
}

/// The sequence of each publication and the offset of its base, if it has one.
fn steps_of(mailbox: &Pile) -> Vec<(u64, Option<Bytes>)> {
    let one = |mail: &Mail| match mail {
        Mail::Push { body, .. } => {
            body.delta.as_ref().map(|delta| (delta.sequence, delta.patch.clone()))
        }
        _ => None,
    };
    mailbox.0.borrow().iter().filter_map(one).collect()
}

#[test]
fn a_delta_is_taken_from_the_publication_before_where_the_publisher_wants_it() {
    let (mut lane, plain, deltas) = (Lane::new(), Pile::default(), Pile::default());
    let publish = |lane: &mut Lane<Pile>, offset, delta, bytes| {
        let data = vec![b'x'; bytes].into();
        let publication = Publication { offset, delta, data, ..Publication::default() };
        let (publication, epoch) = (Arc::new(publication), "a".into());
        let kind = EventKind::Publication { publication, epoch };
        run(lane, Input::Event(Event { channel: channel(1), kind }), 8);
    };
    let delivery = Delivery { delta: true, ..Delivery::default() };
    run(&mut lane, join(1, 1, 1, &plain), 8);
    publish(&mut lane, 1, true, 1);
    run(&mut lane, join_with(2, &deltas, delivery.clone()), 8);
    publish(&mut lane, 2, true, 1);
    publish(&mut lane, 3, true, limits::DELTA_BYTES);
    publish(&mut lane, 4, false, 1);
    publish(&mut lane, 5, true, limits::DELTA_BYTES + 1);
    publish(&mut lane, 6, true, 1);
    let left =
        Input::Leave(Subscriber { channel: channel(1), session: SessionId(2), sub: SubId(1) });
    run(&mut lane, left, 8);
    publish(&mut lane, 7, true, 1);
    run(&mut lane, join_with(3, &deltas, delivery), 8);
    publish(&mut lane, 8, true, 1);
    let base = |offset: u64| Some(Bytes::from(offset.to_string()));
    let expected = [(1, None), (2, base(2)), (3, None), (4, base(4)), (5, None), (6, None)];
    assert_eq!(steps_of(&deltas), expected);
    assert_eq!(steps_of(&plain), []);
    assert_eq!(seen(&plain).len(), 9);
}

#[derive(Clone, Debug)]
enum Act {
    Join { name: u8, session: u64 },
    Leave { name: u8, session: u64 },
    Publish { name: u8 },
    Forget { session: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (name, session) = (0..3_u8, 0..6_u64);
    let step = prop_oneof![
        (name.clone(), session.clone()).prop_map(|(name, session)| Act::Join { name, session }),
        (name.clone(), session.clone()).prop_map(|(name, session)| Act::Leave { name, session }),
        name.prop_map(|name| Act::Publish { name }),
        session.prop_map(|session| Act::Forget { session }),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// The model is one list of subscriptions, scanned for each publication.
    #[test]
    fn every_subscriber_gets_every_event_of_its_time_once_and_in_order(
        acts in acts(),
        portion in 1..4_usize,
    ) {
        let mut lane = Lane::new();
        let mailboxes: Vec<Pile> = (0..6).map(|_| Pile::default()).collect();
        let mut model: BTreeMap<(u8, u64), u32> = BTreeMap::new();
        let mut expected: Vec<Vec<String>> = vec![Vec::new(); 6];
        let (mut offsets, mut subs) = ([0_u64; 3], 0_u32);
        for act in acts {
            match act {
                Act::Join { name, session } => {
                    if model.contains_key(&(name, session)) { continue }
                    subs += 1;
                    model.insert((name, session), subs);
                    expected[usize::try_from(session).unwrap()].push(format!("joined {subs}"));
                    run(&mut lane, join(name, session, subs, &mailboxes[usize::try_from(session).unwrap()]), portion);
                }
                Act::Leave { name, session } => {
                    let sub = SubId(model.remove(&(name, session)).unwrap_or(0));
                    let session = SessionId(session);
                    run(&mut lane, Input::Leave(Subscriber { channel: channel(name), session, sub }), portion);
                }
                Act::Publish { name } => {
                    offsets[usize::from(name)] += 1;
                    let offset = offsets[usize::from(name)];
                    for ((_, session), sub) in model.iter().filter(|((room, _), _)| *room == name) {
                        expected[usize::try_from(*session).unwrap()].push(format!("push {sub} {offset}"));
                    }
                    run(&mut lane, Input::Event(publication(name, offset, "a")), portion);
                }
                Act::Forget { session } => {
                    model.retain(|(_, owner), _| *owner != session);
                    run(&mut lane, Input::Forget(SessionId(session)), portion);
                }
            }
            prop_assert_eq!(lane.counts().subscriptions, model.len());
            let rooms: std::collections::BTreeSet<u8> = model.keys().map(|(name, _)| *name).collect();
            prop_assert_eq!(lane.counts().channels, rooms.len());
        }
        for (mailbox, expected) in mailboxes.iter().zip(&expected) {
            prop_assert_eq!(&seen(mailbox), expected);
        }
    }
}
