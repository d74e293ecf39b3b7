use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::{Encoding, Moment, SessionId, SubId};
use crate::channel::{Channel, ClientDetails, Event, EventKind, Mail, Publication, PushBody};

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
    fn encode(&mut self, _: Encoding, event: &EventKind) -> PushBody {
        let offset = match event {
            EventKind::Publication { publication, .. } => publication.offset,
            EventKind::Join(_) | EventKind::Leave(_) | EventKind::Gap => 0,
        };
        PushBody { offset, accepted: Moment(0), bytes: Bytes::from(offset.to_string()) }
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
    if let Some(mut fan_out) = lane.apply(input) {
        while lane.deliver(&mut fan_out, portion, &mut Plain) {}
    }
}

fn join(name: u8, session: u64, sub: u32, mailbox: &Pile) -> Input<Pile> {
    Input::Join(Join {
        channel: channel(name),
        session: SessionId(session),
        sub: SubId(sub),
        encoding: Encoding::Json,
        join_leave: false,
        mailbox: mailbox.clone(),
    })
}

fn seen(mailbox: &Pile) -> Vec<String> {
    let one = |mail: &Mail| match mail {
        Mail::Joined { sub } => format!("joined {}", sub.0),
        Mail::Push { sub, body } => format!("push {} {}", sub.0, body.offset),
        Mail::Gap { sub } => format!("gap {}", sub.0),
        Mail::Server(_) => unreachable!("lanes post no server commands"),
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
    wanting.join_leave = true;
    run(&mut lane, Input::Join(wanting), 8);
    let kind = EventKind::Join(Arc::new(ClientDetails::default()));
    run(&mut lane, Input::Event(Event { channel: channel(1), kind }), 8);
    assert_eq!(seen(&quiet), ["joined 1"]);
    assert_eq!(seen(&curious), ["joined 1", "push 1 0"]);
}

#[derive(Clone, Debug)]
enum Step {
    Join { name: u8, session: u64 },
    Leave { name: u8, session: u64 },
    Publish { name: u8 },
    Forget { session: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, session) = (0..3_u8, 0..6_u64);
    let step = prop_oneof![
        (name.clone(), session.clone()).prop_map(|(name, session)| Step::Join { name, session }),
        (name.clone(), session.clone()).prop_map(|(name, session)| Step::Leave { name, session }),
        name.prop_map(|name| Step::Publish { name }),
        session.prop_map(|session| Step::Forget { session }),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// The model is one list of subscriptions, scanned for each publication.
    #[test]
    fn every_subscriber_gets_every_event_of_its_time_once_and_in_order(
        steps in steps(),
        portion in 1..4_usize,
    ) {
        let mut lane = Lane::new();
        let mailboxes: Vec<Pile> = (0..6).map(|_| Pile::default()).collect();
        let mut model: BTreeMap<(u8, u64), u32> = BTreeMap::new();
        let mut expected: Vec<Vec<String>> = vec![Vec::new(); 6];
        let (mut offsets, mut subs) = ([0_u64; 3], 0_u32);
        for step in steps {
            match step {
                Step::Join { name, session } => {
                    if model.contains_key(&(name, session)) { continue }
                    subs += 1;
                    model.insert((name, session), subs);
                    expected[usize::try_from(session).unwrap()].push(format!("joined {subs}"));
                    run(&mut lane, join(name, session, subs, &mailboxes[usize::try_from(session).unwrap()]), portion);
                }
                Step::Leave { name, session } => {
                    let sub = SubId(model.remove(&(name, session)).unwrap_or(0));
                    let session = SessionId(session);
                    run(&mut lane, Input::Leave { channel: channel(name), session, sub }, portion);
                }
                Step::Publish { name } => {
                    offsets[usize::from(name)] += 1;
                    let offset = offsets[usize::from(name)];
                    for ((_, session), sub) in model.iter().filter(|((room, _), _)| *room == name) {
                        expected[usize::try_from(*session).unwrap()].push(format!("push {sub} {offset}"));
                    }
                    run(&mut lane, Input::Event(publication(name, offset, "a")), portion);
                }
                Step::Forget { session } => {
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
