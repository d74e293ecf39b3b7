//! One client and the node it is connected to, as a model: requests are carried out, lanes take
//! their turns, mail and answers arrive when the test says so. Driven as the node's connection
//! drives it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "requests about geography have models of their own"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::Expect;
use serde_json::{Value, json};

use crate::access::token::{TokenOptions, TokenSigner, TokenVerifier};
use crate::base::{ClientId, Encoding, Moment, Now, SessionId, SubId, UnixMillis};
use crate::channel::{
    Allow, Channel, ChannelRules, ClientDetails, Delivery, EpochTag, Grants, HistoryPage,
    HistoryQuery, Keep, Mail, Namespace, NamespaceOptions, Namespaces, Publication, PushBody,
    RecoveryMode, ServerCommand, ServerSubscribe, Start, Stream, patch,
};
use crate::protocol::{
    self, Disconnect, Join, Leave, Reply, decode_commands, decode_replies, encode, encode_push_body,
};
use crate::session::wire;
use crate::session::{Actions, Answer, Context, Note, Origin, Request, Session, SessionOptions};

const SECRET: &str = "a secret";
/// When tests begin, in seconds since the Unix epoch.
pub(super) const START: u64 = 1_700_000_000;

pub(super) fn token(claims: &Value) -> String {
    TokenSigner::from_secret(SECRET).unwrap().sign(claims).unwrap()
}

pub(super) fn channel(name: &str) -> Channel {
    Channel::parse(name).unwrap()
}

/// Seconds as a wall clock has them `seconds` after the start.
pub(super) fn later(seconds: u64) -> UnixMillis {
    UnixMillis((START + seconds) * 1000)
}

pub(super) fn context(change: impl FnOnce(&mut SessionOptions)) -> Arc<Context> {
    let mut options = SessionOptions::default();
    change(&mut options);
    let secret = Some(SECRET.to_owned());
    let tokens = TokenOptions { hmac_secret_key: secret, ..TokenOptions::default() };
    Arc::new(Context {
        options,
        namespaces: namespaces(),
        tokens: TokenVerifier::new(&tokens).unwrap(),
        subscription_tokens: None,
        version: "test",
    })
}

/// One namespace for each kind of behaviour; all but `closed` and `members` let everyone do
/// everything.
fn namespaces() -> Namespaces {
    let anyone = Allow { client: true, subscriber: true, anonymous: true };
    let subscriber = Allow { subscriber: true, ..Allow::default() };
    let all = Grants { subscribe: anyone, publish: anyone, presence: anyone, history: anyone };
    let members = Grants {
        subscribe: anyone,
        publish: subscriber,
        presence: subscriber,
        history: subscriber,
    };
    let history = |grants| NamespaceOptions {
        history_size: 400,
        history_ttl: Duration::from_secs(300),
        grants,
        ..NamespaceOptions::default()
    };
    let plain = NamespaceOptions { grants: all, ..NamespaceOptions::default() };
    let crowd = NamespaceOptions { presence: true, join_leave: true, ..plain.clone() };
    let forced = NamespaceOptions { force_recovery: true, ..history(all) };
    let stream = NamespaceOptions { allow_recovery: true, allow_positioning: true, ..history(all) };
    let cache = NamespaceOptions { force_recovery_mode: RecoveryMode::Cache, ..forced.clone() };
    let letters = regex::Regex::new("^letters:[a-z]+$").unwrap();
    let delta = NamespaceOptions { allow_delta_fossil: true, delta_publish: true, ..plain.clone() };
    let document = NamespaceOptions { allow_delta_fossil: true, ..stream.clone() };
    let tagged = NamespaceOptions { allow_tags_filter: true, ..document.clone() };
    let named = [
        ("delta", delta),
        ("document", document),
        ("tagged", tagged),
        ("open", plain.clone()),
        ("crowd", NamespaceOptions { force_push_join_leave: true, ..crowd.clone() }),
        ("discreet", crowd),
        ("stream", stream),
        ("forced", forced),
        ("cache", cache),
        ("closed", NamespaceOptions::default()),
        ("members", NamespaceOptions { presence: true, ..history(members) }),
        ("users", NamespaceOptions { allow_user_limited_channels: true, ..plain.clone() }),
        ("binary", NamespaceOptions { binary: true, ..plain.clone() }),
        ("letters", NamespaceOptions { channel_regex: Some(letters), ..plain }),
    ];
    let named = named.map(|(name, options)| Namespace { name: name.to_owned(), options });
    Namespaces::new(ChannelRules::default(), NamespaceOptions::default(), named)
}

/// What waits for a lane's turn.
#[derive(Debug)]
enum Turn {
    Join(SubId, Channel, Delivery),
    Leave(SubId),
    Event(Channel, Box<protocol::PushBody>),
    Publication(Channel, EpochTag, Arc<Publication>),
    Gap(Channel),
}

/// A client and the model of its node.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) now: Now,
    encoding: Encoding,
    pub(super) context: Arc<Context>,
    // === The node ===
    streams: BTreeMap<Channel, Stream>,
    epochs: u64,
    /// Channels of which the lanes missed a publication and have not noticed.
    holes: BTreeSet<Channel>,
    pub(super) members: BTreeMap<Channel, usize>,
    /// Joins less leaves.
    pub(super) announced: BTreeMap<Channel, isize>,
    pub(super) entered: bool,
    pub(super) subscribers: Vec<(SubId, Channel, Delivery)>,
    /// The last publication of each channel, and how many there were.
    steps: BTreeMap<Channel, (u64, Arc<Publication>)>,
    pub(super) entrance: Option<Answer>,
    /// The engine is out of reach.
    pub(super) is_down: bool,
    requests: VecDeque<Request>,
    answers: VecDeque<Answer>,
    turns: VecDeque<Turn>,
    pub(super) mails: VecDeque<Mail>,
    // === What came of it ===
    pub(super) received: Vec<Reply>,
    /// What was received in rows of their own and not read yet.
    pub(super) rows: BTreeMap<SubId, VecDeque<Reply>>,
    ended_rows: BTreeSet<SubId>,
    pub(super) notes: Vec<Note>,
    asked: Vec<String>,
    pub(super) closed: Option<Disconnect>,
}

impl Client {
    pub(super) fn new(context: Arc<Context>, encoding: Encoding) -> Self {
        let now = Now { moment: Moment(1_000_000_000), unix: later(0) };
        let origin = Origin {
            session: SessionId(1),
            client: ClientId(1),
            encoding,
            native_ping: false,
            pushes_end: false,
            extras: false,
            random: 512,
        };
        Self::with_origin(context, origin, now)
    }

    pub(super) fn with_origin(context: Arc<Context>, origin: Origin, now: Now) -> Self {
        Self {
            session: Session::new(context.clone(), origin, now),
            now,
            encoding: origin.encoding,
            context,
            streams: BTreeMap::new(),
            epochs: 0,
            holes: BTreeSet::new(),
            members: BTreeMap::new(),
            announced: BTreeMap::new(),
            entered: false,
            subscribers: Vec::new(),
            steps: BTreeMap::new(),
            entrance: None,
            is_down: false,
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            turns: VecDeque::new(),
            mails: VecDeque::new(),
            received: Vec::new(),
            rows: BTreeMap::new(),
            ended_rows: BTreeSet::new(),
            notes: Vec::new(),
            asked: Vec::new(),
            closed: None,
        }
    }

    /// A client of user `u` that has connected; nothing of that is left to look at.
    pub(super) fn connected(context: Arc<Context>, encoding: Encoding) -> Self {
        let mut client = Self::new(context, encoding);
        client.connect(&json!({"sub": "u"}));
        client.settle();
        assert!(client.session.is_open(), "connected: {:?}", client.received);
        client.received.clear();
        client.asked.clear();
        client
    }

    /// The usual one: default options, JSON.
    pub(super) fn open() -> Self {
        Self::connected(context(|_| ()), Encoding::Json)
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn connect(&mut self, claims: &Value) {
        let token = token(claims);
        self.send(&json!({"id": 1, "connect": {"token": token}}).to_string());
    }

    /// Sends one frame with a command in each line, in the session's encoding.
    pub(super) fn send(&mut self, lines: &str) {
        let frame = Bytes::copy_from_slice(lines.as_bytes());
        let frame = match self.encoding {
            Encoding::Json => frame,
            Encoding::Protobuf => decode_commands(Encoding::Json, &frame)
                .flat_map(|command| encode(Encoding::Protobuf, &command.unwrap()))
                .collect(),
        };
        self.frame(&frame);
    }

    pub(super) fn frame(&mut self, frame: &Bytes) {
        assert!(self.closed.is_none() && self.session.accepts_frames(), "a frame is read");
        self.feed(|session, now, actions| session.handle_frame(frame, now, actions));
    }

    /// Gives the session one input and does what it wants, as a connection does.
    pub(super) fn feed(&mut self, input: impl FnOnce(&mut Session, Now, &mut Actions)) {
        let mut actions = Actions::default();
        input(&mut self.session, self.now, &mut actions);
        for write in actions.writes() {
            let message = Bytes::from([write.head, write.body].concat());
            let replies = decode_replies(self.encoding, &message);
            let replies = replies.map(|reply| reply.expect("a message is a reply"));
            let Some(row) = write.row else {
                self.received.extend(replies);
                continue;
            };
            assert!(!self.ended_rows.contains(&row), "nothing follows the end of a row");
            self.rows.entry(row).or_default().extend(replies);
        }
        for ended in actions.ended_rows.drain(..) {
            assert!(
                self.rows.contains_key(&ended) && self.ended_rows.insert(ended),
                "it was there"
            );
        }
        self.notes.append(&mut actions.notes);
        self.requests.append(&mut actions.requests);
        if let Some(disconnect) = actions.close.take() {
            self.close(Some(disconnect));
        }
        let under_way = self.requests.len() + self.answers.len();
        assert_eq!(self.session.expected.len(), under_way, "an answer for each request");
    }

    /// The connection ends: by the session's wish or because the client is gone.
    pub(super) fn close(&mut self, disconnect: Option<Disconnect>) {
        self.closed = Some(disconnect.unwrap_or(Disconnect::CLOSED));
        let mut actions = Actions::default();
        self.session.handle_closed(&mut actions);
        self.requests.append(&mut actions.requests);
        self.mails.clear();
    }

    // === The node's steps; each says whether there was something to do ===

    pub(super) fn carry_out(&mut self) -> bool {
        let Some(request) = self.requests.pop_front() else { return false };
        self.asked.push(describe(&request));
        let answer = self.answer_to(request);
        self.answers.push_back(answer);
        true
    }

    pub(super) fn answer(&mut self) -> bool {
        let Some(answer) = self.answers.pop_front() else { return false };
        self.feed(|session, now, actions| session.handle_answer(answer, now, actions));
        true
    }

    pub(super) fn turn(&mut self) -> bool {
        let Some(turn) = self.turns.pop_front() else { return false };
        match turn {
            Turn::Join(sub, channel, delivery) => {
                self.subscribers.push((sub, channel, delivery));
                self.mails.push_back(Mail::Joined { sub, at: Start::Plain });
            }
            Turn::Leave(gone) => self.subscribers.retain(|(sub, ..)| *sub != gone),
            Turn::Event(channel, event) => {
                let bytes = encode_push_body(self.encoding, &event);
                let body = PushBody { offset: 0, accepted: Moment(0), bytes, delta: None };
                for (sub, at, delivery) in &self.subscribers {
                    if *at == channel && delivery.join_leave {
                        let (sub, epoch) = (*sub, EpochTag::default());
                        self.mails.push_back(Mail::Push { sub, epoch, body: body.clone() });
                    }
                }
            }
            Turn::Publication(channel, epoch, publication) => {
                self.deliver(&channel, epoch, &publication);
            }
            Turn::Gap(channel) => {
                let subscribers = self.subscribers.iter().filter(|(_, at, _)| *at == channel);
                self.mails.extend(subscribers.map(|(sub, ..)| Mail::Gap { sub: *sub }));
            }
        }
        if self.closed.is_some() {
            self.mails.clear();
        }
        true
    }

    fn deliver(&mut self, channel: &Channel, epoch: EpochTag, publication: &Arc<Publication>) {
        let event = protocol::PushBody::Pub(wire::publication(publication));
        let bytes = encode_push_body(self.encoding, &event);
        let (offset, accepted) = (publication.offset, Moment(0));
        let plain = PushBody { offset, accepted, bytes, delta: None };
        let (sequence, base) = self.steps.get(channel).cloned().unwrap_or_default();
        let patch = patch(&base.data, &publication.data).filter(|_| publication.delta);
        let patch = patch.map(Bytes::from);
        let base = patch.as_ref().map(|patch| (&*base, patch));
        let step = wire::step_body(self.encoding, publication, sequence + 1, base);
        self.steps.insert(channel.clone(), (sequence + 1, publication.clone()));
        for (sub, at, delivery) in &self.subscribers {
            if at == channel && delivery.tags.as_ref().is_none_or(|t| t.passes(&publication.tags)) {
                let body = if delivery.delta { step.clone() } else { plain.clone() };
                self.mails.push_back(Mail::Push { sub: *sub, epoch, body });
            }
        }
    }

    /// Hands over at most `most` entries of the mailbox at once.
    pub(super) fn mail(&mut self, most: usize) -> bool {
        let batch: Vec<Mail> = self.mails.drain(..most.min(self.mails.len())).collect();
        if batch.is_empty() {
            return false;
        }
        self.feed(|session, now, actions| {
            for mail in batch {
                session.handle_mail(mail, now, actions);
            }
        });
        true
    }

    /// Until nothing is left to do.
    pub(super) fn settle(&mut self) {
        while self.carry_out() || self.turn() || self.mail(usize::MAX) || self.answer() {}
    }

    fn answer_to(&mut self, request: Request) -> Answer {
        match request {
            Request::Enter { .. } => {
                let answer = self.entrance.take().unwrap_or(Answer::Done);
                self.entered = matches!(answer, Answer::Done);
                return answer;
            }
            Request::Exit { .. } => self.entered = false,
            Request::Join { channel, sub, delivery, recall: _ } => {
                self.turns.push_back(Turn::Join(sub, channel, delivery));
            }
            Request::Leave { sub, .. } => self.turns.push_back(Turn::Leave(sub)),
            _ if self.is_down && !is_undoing(&request) => return Answer::Unavailable,
            Request::Publish { channel, publication } => {
                self.append(&channel, publication, true);
                return Answer::Published;
            }
            Request::History { channel, query } => {
                return Answer::History(self.history(&channel, &query));
            }
            Request::AddPresence { channel, .. } => *self.members.entry(channel).or_default() += 1,
            Request::RemovePresence { channel } => {
                *self.members.get_mut(&channel).expect("added before it is removed") -= 1;
            }
            Request::Presence { .. } => {
                let details = ClientDetails { user: "u".into(), ..ClientDetails::default() };
                return Answer::Presence(vec![(ClientId(1), Arc::new(details))]);
            }
            Request::PresenceStats { .. } => return Answer::PresenceStats { clients: 3, users: 2 },
            Request::Announce { channel, details, joined } => {
                let info = Some(wire::client_info(&details));
                *self.announced.entry(channel.clone()).or_default() += if joined { 1 } else { -1 };
                let event = if joined {
                    protocol::PushBody::Join(Join { info })
                } else {
                    protocol::PushBody::Leave(Leave { info })
                };
                self.turns.push_back(Turn::Event(channel, event.into()));
            }
            other => unreachable!("no channel here has geography: {other:?}"),
        }
        Answer::Done
    }

    // === Streams ===

    fn keeps(&self, channel: &Channel) -> bool {
        let namespace = self.context.namespaces.find(channel.as_str());
        namespace.is_some_and(|found| found.options.keeps_history())
    }

    fn stream(&mut self, channel: &Channel) -> &mut Stream {
        let epochs = &mut self.epochs;
        self.streams.entry(channel.clone()).or_insert_with(|| {
            *epochs += 1;
            Stream::new(format!("e{epochs}").into(), Duration::from_secs(300))
        })
    }

    fn history(&mut self, channel: &Channel, query: &HistoryQuery) -> HistoryPage {
        let now = self.now.moment;
        self.stream(channel).read(query, now)
    }

    fn append(&mut self, channel: &Channel, publication: Publication, is_seen: bool) -> u64 {
        let (now, keeps) = (self.now.moment, self.keeps(channel));
        let publication = if keeps {
            let keep = Keep { size: 400, buckets: None, ttl: Duration::from_secs(300) };
            self.stream(channel).append(publication, keep, now)
        } else {
            Arc::new(publication)
        };
        let offset = publication.offset;
        if is_seen {
            if self.holes.remove(channel) {
                self.turns.push_back(Turn::Gap(channel.clone()));
            }
            let epoch = if keeps { self.stream(channel).position().epoch } else { "".into() };
            let epoch = EpochTag::of(&epoch);
            self.turns.push_back(Turn::Publication(channel.clone(), epoch, publication));
        } else if keeps {
            self.holes.insert(channel.clone());
        }
        offset
    }

    /// A backend publishes; data is the number `data`.
    pub(super) fn publish(&mut self, name: &str, data: u64) {
        self.append(&channel(name), number(data), true);
    }

    pub(super) fn publish_raw(&mut self, channel: &Channel, publication: Publication) {
        self.append(channel, publication, true);
    }

    pub(super) fn publish_many(&mut self, name: &str, data: std::ops::RangeInclusive<u64>) {
        data.for_each(|data| self.publish(name, data));
    }

    /// A publication that never reaches the lanes.
    pub(super) fn publish_unseen(&mut self, name: &str, data: u64) {
        self.append(&channel(name), number(data), false);
    }

    /// The engine cannot prove that nothing was missed.
    pub(super) fn gap(&mut self, name: &str) {
        self.turns.push_back(Turn::Gap(channel(name)));
    }

    /// The stream is lost with its epoch, and nobody is told.
    pub(super) fn forget_stream(&mut self, name: &str) {
        self.streams.remove(&channel(name));
    }

    /// The publications of a stream are gone, its position is not.
    pub(super) fn forget_history(&mut self, name: &str) {
        if let Some(stream) = self.streams.get_mut(&channel(name)) {
            stream.clear();
        }
    }

    pub(super) fn top(&mut self, name: &str) -> u64 {
        self.stream(&channel(name)).position().offset
    }

    // === The server's word and time ===

    pub(super) fn command(&mut self, command: ServerCommand) {
        self.mails.push_back(Mail::Server(Box::new(command)));
    }

    pub(super) fn subscribe_by_server(&mut self, name: &str, options: ServerSubscribe) {
        let (channel, options) = (channel(name), Arc::new(options));
        self.command(ServerCommand::Subscribe { channel, options });
    }

    /// Time passes; the session is woken when it asked to be.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now.moment.after(duration);
        for _ in 0..1000 {
            let due = self.session.next_deadline().filter(|due| *due <= end);
            let Some(due) = due.filter(|_| self.closed.is_none()) else {
                self.advance(end);
                return;
            };
            self.advance(due);
            self.feed(Session::handle_timeout);
        }
        panic!("the session wants to be woken without end");
    }

    fn advance(&mut self, moment: Moment) {
        let elapsed = moment.since(self.now.moment);
        self.now.moment = self.now.moment.max(moment);
        self.now.unix.0 += u64::try_from(elapsed.as_millis()).unwrap();
    }

    // === What the test looks at ===

    /// Settles and compares what the client received since the last look, and how it ended.
    pub(super) fn check(&mut self, expected: Expect) {
        self.settle();
        self.check_now(&expected);
    }

    /// As [`Self::check`], whatever is under way.
    pub(super) fn check_now(&mut self, expected: &Expect) {
        let replies = std::mem::take(&mut self.received);
        let mut lines: Vec<String> = replies.iter().map(show).collect();
        lines.extend(self.closed.as_ref().map(|end| format!("close {} {}", end.code, end.reason)));
        expected.assert_eq(&lines.join("\n"));
    }

    /// Compares what the session asked for since the last look.
    pub(super) fn check_asked(&mut self, expected: Expect) {
        expected.assert_eq(&std::mem::take(&mut self.asked).join("\n"));
    }
}

/// What is undone also while the engine is away, or counts would never come back to zero.
fn is_undoing(request: &Request) -> bool {
    matches!(
        request,
        Request::AddPresence { .. } | Request::RemovePresence { .. } | Request::Announce { .. }
    )
}

pub(super) fn number(data: u64) -> Publication {
    Publication { data: data.to_string().into(), ..Publication::default() }
}

pub(super) fn show(reply: &Reply) -> String {
    String::from_utf8(encode(Encoding::Json, reply).to_vec()).unwrap()
}

fn describe(request: &Request) -> String {
    match request {
        Request::Enter { user, single_connection: false } => format!("enter {user:?}"),
        Request::Enter { user, single_connection: true } => format!("enter {user:?} alone"),
        Request::Exit { user } => format!("exit {user:?}"),
        Request::Join { channel, sub, delivery, recall: _ } => {
            let mut text = format!("join {channel} {}", sub.0);
            text += if delivery.join_leave { " hears" } else { "" };
            text += if delivery.delta { " deltas" } else { "" };
            text += if delivery.tags.is_some() { " filtered" } else { "" };
            text
        }
        Request::Leave { channel, sub } => format!("leave {channel} {}", sub.0),
        Request::Publish { channel, publication } => {
            let info = publication.info.as_ref().expect("clients are named");
            let data = String::from_utf8_lossy(&publication.data);
            let chan_info = String::from_utf8_lossy(&info.channel_info);
            format!("publish {channel} {data} by {} {chan_info}", info.user)
        }
        Request::History {
            channel,
            query: HistoryQuery { limit, since, reverse, audience: None },
        } => {
            let since =
                since.as_ref().map(|since| format!(" since {} {:?}", since.offset, since.epoch));
            let order = if *reverse { " reverse" } else { "" };
            format!("history {channel} {limit}{}{order}", since.unwrap_or_default())
        }
        Request::AddPresence { channel, .. } => format!("add {channel}"),
        Request::RemovePresence { channel } => format!("remove {channel}"),
        Request::Presence { channel } => format!("presence {channel}"),
        Request::PresenceStats { channel } => format!("presence_stats {channel}"),
        Request::Announce { channel, joined, .. } => {
            format!("announce {channel} {}", if *joined { "join" } else { "leave" })
        }
        other => unreachable!("no channel here has geography: {other:?}"),
    }
}
