//! Sessions over a real lane and the memory engine: whoever subscribes gets every publication from
//! its position on, once and in order, whatever the order in which lane, engine and sessions take
//! their turns.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "requests about geography have models of their own"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::model::{START, channel, context, number, token};
use super::witness::{Asked, Witness};
use crate::base::{ClientId, Encoding, Moment, Now, Partition, SessionId, UnixMillis};
use crate::channel::{Channel, Event, EventKind, Mail, Publication, PushBody, patch};
use crate::engine::{
    Broker, EngineError, EventSink, MemoryEngine, MemoryOptions, Pending, Place, PublishOptions,
    Retention,
};
use crate::geo::Metres;
use crate::hub::{Encoder, Input, Join, Lane, Mailbox, Step as DeltaStep, Subscriber};
use crate::protocol::{self, decode_replies, encode_push_body};
use crate::session::{Actions, Answer, Context, Origin, Request, Session, wire};

const CHANNELS: [&str; 4] = ["stream:a", "forced:b", "cache:c", "document:d"];
const RETENTION: Retention =
    Retention { size: 40, ttl: Duration::from_secs(300), meta_ttl: None, buckets: None };
const NOW: Now = Now { moment: Moment(1_000_000_000), unix: UnixMillis(START * 1000) };

#[derive(Clone, Debug, Default)]
struct Pile(Rc<RefCell<VecDeque<Mail>>>);

impl Mailbox for Pile {
    fn post(&self, mail: Mail) {
        self.0.borrow_mut().push_back(mail);
    }
}

struct Bodies;

impl Encoder for Bodies {
    fn encode_step(&mut self, encoding: Encoding, step: &DeltaStep) -> PushBody {
        let base = step.base.as_deref();
        let patch = base.and_then(|base| patch(&base.data, &step.publication.data));
        let patch = patch.map(Bytes::from);
        let base = base.zip(patch.as_ref());
        wire::step_body(encoding, &step.publication, step.sequence, base)
    }

    fn encode_at(&mut self, encoding: Encoding, at: &Publication, _: Metres) -> PushBody {
        let (publication, epoch) = (Arc::new(at.clone()), "".into());
        self.encode(encoding, &EventKind::Publication { publication, epoch })
    }

    fn encode(&mut self, encoding: Encoding, event: &EventKind) -> PushBody {
        let EventKind::Publication { publication, .. } = event else {
            unreachable!("nobody joins aloud here")
        };
        let body = protocol::PushBody::Pub(wire::publication(publication));
        let bytes = encode_push_body(encoding, &body);
        PushBody { offset: publication.offset, accepted: publication.accepted, bytes, delta: None }
    }
}

/// What stands at an offset of the document: much of it stands in the one before as well, not
/// all are deltas, and not all are worth one.
fn document(offset: u64) -> Publication {
    let text = "что происходит рядом, → сейчас; ".repeat(usize::try_from(offset % 4).unwrap());
    let data = json!({"n": offset, "text": format!("{text}{}", offset / 2), "more": text});
    let data = data.to_string().into();
    Publication { data, delta: !offset.is_multiple_of(5), ..Publication::default() }
}

/// What the engine has emitted, in order.
#[derive(Clone, Debug, Default)]
struct Emitted(Arc<Mutex<VecDeque<Event>>>);

impl EventSink for Emitted {
    fn reserve(&self, _: Partition) -> Pending<'_, Result<Box<dyn Place>, EngineError>> {
        let place: Box<dyn Place> = Box::new(self.clone());
        Box::pin(async move { Ok(place) })
    }
}

impl Place for Emitted {
    fn emit(self: Box<Self>, event: Event) {
        self.0.lock().unwrap().push_back(event);
    }
}

/// One client with its connection's queues.
struct Client {
    session: Session,
    encoding: Encoding,
    mailbox: Pile,
    requests: VecDeque<Request>,
    answers: VecDeque<Answer>,
    witness: Witness,
    commands: u32,
    is_closed: bool,
}

/// The node: what waits for the lane is in the order in which it came, as in the lane's queue.
struct Node {
    lane: Lane<Pile>,
    engine: MemoryEngine,
    emitted: Emitted,
    queue: VecDeque<Input<Pile>>,
    context: Arc<Context>,
    clients: Vec<Client>,
    tops: BTreeMap<Channel, u64>,
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe { client: usize, channel: usize, positioned: bool },
    Unsubscribe { client: usize, channel: usize },
    PublishFrom { client: usize, channel: usize },
    Publish { channel: usize, count: u8 },
    CarryOut { client: usize },
    Answer { client: usize },
    Mail { client: usize, most: usize },
    Lane { count: u8, portion: usize },
    Leave { client: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (client, channel) = (|| 0..5_usize, || 0..CHANNELS.len());
    prop_oneof![
        6 => (client(), channel(), any::<bool>()).prop_map(|(client, channel, positioned)| {
            Step::Subscribe { client, channel, positioned }
        }),
        3 => (client(), channel())
            .prop_map(|(client, channel)| Step::Unsubscribe { client, channel }),
        2 => (client(), channel())
            .prop_map(|(client, channel)| Step::PublishFrom { client, channel }),
        6 => (channel(), 1..4_u8).prop_map(|(channel, count)| Step::Publish { channel, count }),
        10 => client().prop_map(|client| Step::CarryOut { client }),
        10 => client().prop_map(|client| Step::Answer { client }),
        8 => (client(), 1..5_usize).prop_map(|(client, most)| Step::Mail { client, most }),
        8 => (1..5_u8, 1..4_usize).prop_map(|(count, portion)| Step::Lane { count, portion }),
        1 => client().prop_map(|client| Step::Leave { client }),
    ]
}

impl Node {
    fn new(encodings: &[Encoding]) -> Self {
        let emitted = Emitted::default();
        let sink = Arc::new(emitted.clone());
        let mut node = Self {
            lane: Lane::new(),
            engine: MemoryEngine::new(&MemoryOptions::default(), 1, sink),
            emitted,
            queue: VecDeque::new(),
            context: context(|_| ()),
            clients: Vec::new(),
            tops: BTreeMap::new(),
        };
        for encoding in encodings {
            let mut client = node.client(*encoding);
            client.connect();
            node.clients.push(client);
        }
        node.settle();
        node
    }

    fn client(&self, encoding: Encoding) -> Client {
        let number = u32::try_from(self.clients.len()).unwrap();
        let origin = Origin {
            session: SessionId(number.into()),
            client: ClientId(number.into()),
            encoding,
            native_ping: false,
            pushes_end: false,
            extras: false,
            random: 0,
        };
        Client {
            session: Session::new(self.context.clone(), origin, NOW),
            encoding,
            mailbox: Pile::default(),
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            witness: Witness::new(40),
            commands: 0,
            is_closed: false,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Subscribe { client, channel, positioned } => {
                self.clients[client].subscribe(CHANNELS[channel], positioned);
            }
            Step::Unsubscribe { client, channel } => {
                let name = CHANNELS[channel].to_owned();
                let request = json!({"unsubscribe": {"channel": name}});
                self.clients[client].send(request, Asked::Unsubscribe { channel: name });
            }
            Step::PublishFrom { client, channel } => {
                let request = json!({"publish": {"channel": CHANNELS[channel], "data": 1}});
                self.clients[client].send(request, Asked::Other);
            }
            Step::Publish { channel: at, count } => {
                for _ in 0..count {
                    let channel = channel(CHANNELS[at]);
                    let publication = match self.tops.get(&channel) {
                        top if at == 3 => document(top.map_or(1, |top| top + 1)),
                        _ => number(1),
                    };
                    self.publish(&channel, publication);
                }
            }
            Step::CarryOut { client } => _ = self.carry_out(client),
            Step::Answer { client } => _ = self.clients[client].answer(),
            Step::Mail { client, most } => _ = self.clients[client].mail(most),
            Step::Lane { count, portion } => {
                for _ in 0..count {
                    self.turn(portion);
                }
            }
            Step::Leave { client } => self.clients[client].close(),
        }
    }

    fn publish(&mut self, channel: &Channel, publication: Publication) -> Answer {
        let options = PublishOptions { retention: Some(RETENTION), idempotency_key: None };
        let published = self.engine.publish(channel, publication, options, NOW);
        let position = published.now_or_never().unwrap().unwrap();
        let before = self.tops.insert(channel.clone(), position.offset);
        assert_eq!(position.offset, before.unwrap_or(0) + 1);
        self.collect();
        Answer::Published
    }

    /// What the engine emits stands in the lane's queue at once.
    fn collect(&mut self) {
        self.queue.extend(self.emitted.0.lock().unwrap().drain(..).map(Input::Event));
    }

    fn carry_out(&mut self, index: usize) -> bool {
        let client = &mut self.clients[index];
        let Some(request) = client.requests.pop_front() else { return false };
        let session = client.session.origin().session;
        let answer = match request {
            Request::Join { channel, sub, delivery, recall: _ } => {
                let (encoding, mailbox) = (client.encoding, client.mailbox.clone());
                let join = Join { channel, session, sub, encoding, delivery, mailbox };
                self.queue.push_back(Input::Join(join));
                Answer::Done
            }
            Request::Leave { channel, sub } => {
                self.queue.push_back(Input::Leave(Subscriber { channel, session, sub }));
                Answer::Done
            }
            Request::Publish { channel, publication } => self.publish(&channel, publication),
            Request::History { channel, query } => {
                let page = self.engine.history(&channel, query, RETENTION, NOW);
                Answer::History(page.now_or_never().unwrap().unwrap())
            }
            Request::Enter { .. }
            | Request::Exit { .. }
            | Request::AddPresence { .. }
            | Request::RemovePresence { .. }
            | Request::Presence { .. }
            | Request::PresenceStats { .. }
            | Request::Announce { .. } => Answer::Done,
            other => unreachable!("no channel here has geography: {other:?}"),
        };
        self.clients[index].answers.push_back(answer);
        true
    }

    fn turn(&mut self, portion: usize) -> bool {
        let Some(input) = self.queue.pop_front() else { return false };
        if let Some(mut fan_out) = self.lane.apply(input, NOW) {
            while self.lane.deliver(&mut fan_out, portion, &mut Bodies) {}
        }
        true
    }

    fn settle(&mut self) {
        let mut is_busy = true;
        while is_busy {
            is_busy = self.turn(512);
            for index in 0..self.clients.len() {
                is_busy |= self.carry_out(index);
                is_busy |= self.clients[index].mail(usize::MAX);
                is_busy |= self.clients[index].answer();
            }
        }
    }

    /// Who is positioned stands at the top; who closed has left the lane.
    fn finish(mut self) {
        self.settle();
        for client in &mut self.clients {
            assert!(client.is_closed || client.witness.is_answered());
            for (name, seen) in &client.witness.subscribed {
                let top = self.tops.get(name.as_str()).copied().unwrap_or(0);
                let is_live = !client.is_closed && seen.is_positioned();
                assert!(!is_live || seen.offset == top, "{name}: {} of {top}", seen.offset);
            }
            client.close();
        }
        self.settle();
        assert_eq!(self.lane.counts(), crate::hub::LaneCounts::default());
    }
}

impl Client {
    fn connect(&mut self) {
        let token = token(&json!({"sub": "u", "channels": ["forced:b"]}));
        self.send(json!({"connect": {"token": token}}), Asked::Connect);
    }

    /// Recovers from where it stood, if it was subscribed before.
    fn subscribe(&mut self, name: &str, positioned: bool) {
        let since = self.witness.positions.get(name).cloned();
        let (offset, epoch) = since.clone().unwrap_or_default();
        let request = json!({"subscribe": {
            "channel": name, "recover": since.is_some(), "offset": offset, "epoch": epoch,
            "recoverable": positioned, "flag": 1,
            "delta": if self.commands.is_multiple_of(3) { "" } else { "fossil" },
        }});
        let (channel, is_cache) = (name.to_owned(), name.starts_with("cache"));
        self.send(request, Asked::Subscribe { channel, is_cache, since });
    }

    fn send(&mut self, mut request: serde_json::Value, asked: Asked) {
        if self.is_closed || !self.session.accepts_frames() {
            return;
        }
        self.commands += 1;
        request["id"] = self.commands.into();
        self.witness.ask(self.commands, asked);
        let line = Bytes::from(request.to_string());
        let frame = match self.encoding {
            Encoding::Json => line,
            Encoding::Protobuf => protocol::decode_commands(Encoding::Json, &line)
                .flat_map(|command| protocol::encode(Encoding::Protobuf, &command.unwrap()))
                .collect(),
        };
        self.feed(|session, actions| session.handle_frame(&frame, NOW, actions));
    }

    fn feed(&mut self, input: impl FnOnce(&mut Session, &mut Actions)) {
        let mut actions = Actions::default();
        input(&mut self.session, &mut actions);
        for write in actions.writes() {
            let message = Bytes::from([write.head, write.body].concat());
            for reply in decode_replies(self.encoding, &message) {
                self.witness.read(reply.expect("a message is a reply"));
            }
        }
        self.requests.append(&mut actions.requests);
        assert_eq!(actions.close, None, "nothing is lost here");
    }

    fn answer(&mut self) -> bool {
        let Some(answer) = self.answers.pop_front() else { return false };
        self.feed(|session, actions| session.handle_answer(answer, NOW, actions));
        true
    }

    fn mail(&mut self, most: usize) -> bool {
        let mails: Vec<Mail> = {
            let mut mails = self.mailbox.0.borrow_mut();
            let count = most.min(mails.len());
            mails.drain(..count).collect()
        };
        if mails.is_empty() {
            return false;
        }
        self.feed(|session, actions| {
            for mail in mails {
                assert!(!matches!(mail, Mail::Gap { .. }), "the memory engine has no holes");
                session.handle_mail(mail, NOW, actions);
            }
        });
        true
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.feed(|session, actions| session.handle_closed(actions));
    }
}

proptest! {
    #[test]
    fn every_subscriber_gets_every_offset_once_and_in_order(
        is_json: [bool; 5],
        steps in vec(step(), 0..250),
    ) {
        let encodings =
            is_json.map(|is_json| if is_json { Encoding::Json } else { Encoding::Protobuf });
        let mut node = Node::new(&encodings);
        for step in steps {
            node.take(step);
        }
        node.finish();
    }
}
