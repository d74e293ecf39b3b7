//! Arbitrary sequences of everything that can happen to a session, against a witness that knows
//! only what the client receives.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::model::{Client, START, channel, context, later, token};
use super::witness::{Asked, Witness};
use crate::base::{Encoding, SubId};
use crate::channel::{ServerCommand, ServerSubscribe};
use crate::protocol::{decode_commands, encode};
use crate::session::{Origin, PersonalChannel};

const CHANNELS: [&str; 7] =
    ["open:a", "crowd:b", "closed:c", "discreet:d", "stream:e", "forced:f", "cache:g"];

#[derive(Clone, Debug)]
enum Command {
    Subscribe {
        channel: &'static str,
        recover: Recover,
        flag: i64,
        options: [bool; 3],
    },
    Unsubscribe(&'static str),
    Publish(&'static str),
    /// A request of another method, with a channel.
    Ask(&'static str, &'static str),
    Ping,
    Send,
    Refresh {
        after: i64,
    },
    SubscribeByToken {
        channel: &'static str,
        after: i64,
    },
    SubRefresh {
        channel: &'static str,
        after: i64,
    },
    Pong,
    /// Not a command that a session accepts.
    Bad(&'static str),
}

#[derive(Clone, Debug)]
enum Recover {
    No,
    /// From where the client stood when it was last subscribed.
    Honest,
    From(u64, &'static str),
}

#[derive(Clone, Debug)]
enum Step {
    Frame(Vec<Command>),
    CarryOut(u8),
    Turn(u8),
    Mail(u8),
    Answer(u8),
    Settle,
    Publish(&'static str),
    Unseen(&'static str),
    /// A hole that the session is told of at once.
    Hole(&'static str),
    Gap(&'static str),
    ForgetStream(&'static str),
    ForgetHistory(&'static str),
    ServerSubscribe(&'static str),
    ServerUnsubscribe(&'static str),
    ServerRefresh(Option<u64>),
    ServerDisconnect,
    /// Reads what comes next in a row of its own.
    Read(u8),
    /// A row of its own is cut off.
    Lose(u8),
    Down(bool),
    Pass(u16),
    Gone,
}

fn command() -> impl Strategy<Value = Command> {
    let channel = || select(&CHANNELS[..]);
    let recover = prop_oneof![
        2 => Just(Recover::No),
        3 => Just(Recover::Honest),
        1 => (0..12_u64, select(&["", "e1", "e2", "x"][..]))
            .prop_map(|(offset, epoch)| Recover::From(offset, epoch)),
    ];
    let asks = select(&["presence", "presence_stats", "history", "rpc"][..]);
    let after = -5..200_i64;
    let bad = select(&[r#"{"ping":{}}"#, r#"{"id":4294967295}"#, "[", "", r#"{"id":-1}"#][..]);
    prop_oneof![
        120 => (channel(), recover, 0..4_i64, any::<[bool; 3]>()).prop_map(
            |(channel, recover, flag, options)| {
                Command::Subscribe { channel, recover, flag, options }
            }
        ),
        80 => channel().prop_map(Command::Unsubscribe),
        60 => channel().prop_map(Command::Publish),
        40 => (asks, channel()).prop_map(|(method, channel)| Command::Ask(method, channel)),
        10 => Just(Command::Ping),
        10 => Just(Command::Send),
        10 => after.clone().prop_map(|after| Command::Refresh { after }),
        20 => (channel(), after.clone())
            .prop_map(|(channel, after)| Command::SubscribeByToken { channel, after }),
        20 => (channel(), after).prop_map(|(channel, after)| Command::SubRefresh { channel, after }),
        3 => Just(Command::Pong),
        1 => bad.prop_map(Command::Bad),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let channel = || select(&CHANNELS[..]);
    let kept = || select(&CHANNELS[4..7]);
    prop_oneof![
        60 => vec(command(), 1..4).prop_map(Step::Frame),
        60 => (1..4_u8).prop_map(Step::CarryOut),
        60 => (1..4_u8).prop_map(Step::Turn),
        60 => (1..4_u8).prop_map(Step::Mail),
        60 => (1..4_u8).prop_map(Step::Answer),
        10 => Just(Step::Settle),
        60 => channel().prop_map(Step::Publish),
        8 => kept().prop_map(Step::Unseen),
        20 => kept().prop_map(Step::Hole),
        4 => channel().prop_map(Step::Gap),
        2 => kept().prop_map(Step::ForgetStream),
        2 => kept().prop_map(Step::ForgetHistory),
        10 => channel().prop_map(Step::ServerSubscribe),
        10 => channel().prop_map(Step::ServerUnsubscribe),
        3 => prop::option::of(1..500_u64).prop_map(Step::ServerRefresh),
        1 => Just(Step::ServerDisconnect),
        60 => any::<u8>().prop_map(Step::Read),
        4 => any::<u8>().prop_map(Step::Lose),
        3 => any::<bool>().prop_map(Step::Down),
        8 => (1..8000_u16).prop_map(Step::Pass),
        1 => Just(Step::Gone),
    ]
}

/// What happens to a few subscriptions in which much is published.
fn busy_step() -> impl Strategy<Value = Step> {
    let channel = || select(&["crowd:b", "stream:e", "cache:g"][..]);
    let subscribe = channel().prop_map(|channel| {
        let (recover, options) = (Recover::Honest, [true, true, true]);
        Step::Frame(vec![Command::Subscribe { channel, recover, flag: 1, options }])
    });
    prop_oneof![
        20 => subscribe,
        5 => channel().prop_map(|channel| Step::Frame(vec![Command::Unsubscribe(channel)])),
        60 => channel().prop_map(Step::Publish),
        60 => Just(Step::Settle),
        120 => any::<u8>().prop_map(Step::Read),
        3 => any::<u8>().prop_map(Step::Lose),
        3 => channel().prop_map(Step::ServerUnsubscribe),
        2 => select(&["stream:e", "cache:g"][..]).prop_map(Step::Hole),
    ]
}

/// A client, what it knows, and the commands that it has sent.
struct Run {
    client: Client,
    witness: Witness,
    commands: u32,
    pings: usize,
    /// Rows that have begun, with the commands that asked for their subscriptions.
    rows: BTreeMap<SubId, u32>,
}

impl Run {
    /// A client for which each subscription has a row of its own, or none.
    fn new(encoding: Encoding, divides: bool) -> Self {
        let personal = PersonalChannel { namespace: "forced".into(), single_connection: false };
        let context = context(|options| {
            options.channel_limit = 5;
            options.recovery_max_publication_limit = 6;
            options.personal_channel = Some(personal);
        });
        let mut client = Client::new(context.clone(), encoding);
        let mut connect = json!({});
        if divides {
            let origin = Origin { extras: true, ..*client.session.origin() };
            client = Client::with_origin(context, origin, client.now);
            connect = json!({"webtransport": {"streams": true}});
        }
        let mut witness = Witness::new(0);
        witness.ask(1, Asked::Connect);
        let claims = json!({"sub": "u", "exp": START + 100, "channels": ["crowd:x", "forced:f"]});
        let connect = json!({"token": token(&claims), "data": connect});
        client.send(&json!({"id": 1, "connect": connect}).to_string());
        Self { client, witness, commands: 1, pings: 0, rows: BTreeMap::new() }
    }

    fn take_all(mut self, steps: Vec<Step>) {
        for step in steps {
            if self.client.closed.is_some() {
                break;
            }
            self.take(step);
        }
        self.finish();
    }

    fn take(&mut self, step: Step) {
        let client = &mut self.client;
        let repeat = |client: &mut Client, times: u8, act: fn(&mut Client) -> bool| {
            for _ in 0..times {
                act(client);
            }
        };
        match step {
            Step::Frame(commands) => return self.frame(commands),
            Step::CarryOut(times) => repeat(client, times, Client::carry_out),
            Step::Turn(times) => repeat(client, times, Client::turn),
            Step::Mail(most) => _ = client.mail(usize::from(most)),
            Step::Answer(times) => repeat(client, times, Client::answer),
            Step::Settle => client.settle(),
            Step::Publish(name) => client.publish(name, 1),
            Step::Unseen(name) => client.publish_unseen(name, 1),
            Step::Hole(name) => {
                client.publish_unseen(name, 1);
                client.publish(name, 1);
                while client.turn() {}
                client.mail(usize::MAX);
            }
            Step::Gap(name) => client.gap(name),
            Step::ForgetStream(name) => client.forget_stream(name),
            Step::ForgetHistory(name) => client.forget_history(name),
            Step::ServerSubscribe(name) => {
                client.subscribe_by_server(name, ServerSubscribe::default());
            }
            Step::ServerUnsubscribe(name) => {
                client.command(ServerCommand::Unsubscribe { channel: channel(name) });
            }
            Step::ServerRefresh(after) => {
                client.command(ServerCommand::Refresh { expire_at: after.map(later) });
            }
            Step::ServerDisconnect => {
                let reason = "force disconnect".into();
                client.command(ServerCommand::Disconnect { code: 3503, reason });
            }
            Step::Read(pick) => {
                let waiting: Vec<SubId> = client.rows.keys().copied().collect();
                if !waiting.is_empty() {
                    self.read_row(waiting[usize::from(pick) % waiting.len()]);
                }
            }
            Step::Lose(pick) => {
                let begun: Vec<SubId> = client.rows.keys().copied().collect();
                if !begun.is_empty() {
                    let lost = begun[usize::from(pick) % begun.len()];
                    client.rows.insert(lost, VecDeque::new());
                    client.feed(|session, now, actions| {
                        session.handle_lost_row(lost, now, actions);
                    });
                }
            }
            Step::Down(is_down) => client.is_down = is_down,
            Step::Pass(millis) => client.pass(Duration::from_millis(millis.into())),
            Step::Gone => client.close(None),
        }
        self.look();
    }

    fn frame(&mut self, commands: Vec<Command>) {
        if !self.client.session.accepts_frames() {
            return;
        }
        let lines: Vec<String> = commands.into_iter().map(|command| self.line(command)).collect();
        let lines = Bytes::from(lines.join("\n"));
        let frame = match self.client.encoding() {
            Encoding::Json => lines,
            Encoding::Protobuf => decode_commands(Encoding::Json, &lines)
                .flat_map(|command| match command {
                    Ok(command) => encode(Encoding::Protobuf, &command),
                    // What is no JSON becomes a message that is cut off.
                    Err(_) => Bytes::from_static(&[127]),
                })
                .collect(),
        };
        self.client.frame(&frame);
        self.look();
    }

    /// A command as the client writes it, and what the witness is to wait for.
    fn line(&mut self, command: Command) -> String {
        self.commands += 1;
        let id = self.commands.wrapping_mul(0x9e37_79b1);
        let exp = |after: i64| START.saturating_add_signed(after);
        let (request, asked) = match command {
            Command::Subscribe { channel, recover, flag, options } => {
                return self.subscribe(id, channel, &recover, flag, options);
            }
            Command::SubscribeByToken { channel, after } => {
                let token = token(&json!({"sub": "u", "channel": channel, "exp": exp(after)}));
                let asked = Asked::Subscribe {
                    channel: channel.to_owned(),
                    is_cache: channel.starts_with("cache"),
                    since: None,
                };
                (json!({"subscribe": {"channel": channel, "token": token}}), asked)
            }
            Command::Unsubscribe(channel) => {
                let asked = Asked::Unsubscribe { channel: channel.to_owned() };
                (json!({"unsubscribe": {"channel": channel}}), asked)
            }
            Command::Publish(channel) => {
                (json!({"publish": {"channel": channel, "data": 1}}), Asked::Other)
            }
            Command::Ask(method, channel) => (json!({method: {"channel": channel}}), Asked::Other),
            Command::Ping => (json!({"ping": {}}), Asked::Other),
            Command::Refresh { after } => {
                let token = token(&json!({"sub": "u", "exp": exp(after)}));
                (json!({"refresh": {"token": token}}), Asked::Other)
            }
            Command::SubRefresh { channel, after } => {
                let token = token(&json!({"sub": "u", "channel": channel, "exp": exp(after)}));
                (json!({"sub_refresh": {"channel": channel, "token": token}}), Asked::Other)
            }
            Command::Send => return r#"{"send":{"data":1}}"#.to_owned(),
            Command::Pong => return "{}".to_owned(),
            Command::Bad(line) => return line.to_owned(),
        };
        self.witness.ask(id, asked);
        with_id(id, request)
    }

    fn subscribe(
        &mut self,
        id: u32,
        channel: &'static str,
        recover: &Recover,
        flag: i64,
        [recoverable, positioned, join_leave]: [bool; 3],
    ) -> String {
        let since = match recover {
            Recover::No => None,
            Recover::Honest => self.witness.positions.get(channel).cloned(),
            Recover::From(offset, epoch) => Some((*offset, (*epoch).to_owned())),
        };
        let (offset, epoch) = since.clone().unwrap_or_default();
        let request = json!({
            "channel": channel, "recover": since.is_some(), "offset": offset, "epoch": epoch,
            "recoverable": recoverable, "positioned": positioned, "join_leave": join_leave,
            "flag": flag,
        });
        let is_cache = channel.starts_with("cache");
        self.witness.ask(id, Asked::Subscribe { channel: channel.to_owned(), is_cache, since });
        with_id(id, json!({"subscribe": request}))
    }

    /// What was received is judged at once, and pings are answered.
    fn look(&mut self) {
        for reply in std::mem::take(&mut self.client.received) {
            self.pings += usize::from(reply == crate::protocol::Reply::default());
            self.witness.read(reply);
        }
        let session = &self.client.session;
        assert!(session.subscriptions.iter().count() <= 10, "subscriptions are bounded");
        if self.pings > 0 && session.accepts_frames() {
            self.pings = 0;
            self.client.send("{}");
        }
    }

    /// The first message of a row says which subscription it is about; a client reads on when it knows
    /// of that.
    fn begin_row(&mut self, row: SubId) {
        let waiting = self.client.rows.get_mut(&row).expect("it is there");
        if self.rows.contains_key(&row) || waiting.is_empty() {
            return;
        }
        let asked = waiting[0].id;
        if self.witness.is_past(asked) {
            let first = waiting.pop_front().expect("looked at just above");
            let channel = first.push.expect("it names its channel").channel;
            assert!(asked != 0 && !channel.is_empty());
            self.rows.insert(row, asked);
        }
    }

    /// Whether there was something to read in the row.
    fn read_row(&mut self, row: SubId) -> bool {
        self.begin_row(row);
        let Some(asked) = self.rows.get(&row) else { return false };
        let waiting = self.client.rows.get_mut(&row).expect("it is there");
        let Some(reply) = waiting.pop_front() else { return false };
        self.witness.read_row(*asked, reply);
        true
    }

    fn read_rows(&mut self) {
        let all = self.client.rows.keys().copied().collect::<Vec<_>>();
        for row in all {
            while self.read_row(row) {}
        }
    }

    /// Everything that is under way ends; then the connection does.
    fn finish(mut self) {
        self.client.is_down = false;
        self.client.settle();
        self.look();
        self.read_rows();
        if self.client.closed.is_none() {
            // The next publication shows a hole that nobody has noticed.
            CHANNELS[4..7].iter().for_each(|name| self.client.publish(name, 1));
            self.client.settle();
            self.look();
            self.read_rows();
        }
        if self.client.closed.is_none() {
            assert!(self.client.session.accepts_frames() && self.witness.is_answered());
            for (name, seen) in &self.witness.subscribed {
                if seen.is_positioned() {
                    assert_eq!(seen.offset, self.client.top(name), "{name} is told everything");
                }
            }
            self.client.close(None);
        }
        self.client.settle();
        let client = &self.client;
        assert!(client.subscribers.is_empty(), "each join was left: {:?}", client.subscribers);
        assert!(client.members.values().all(|count| *count == 0), "{:?}", client.members);
        assert!(client.announced.values().all(|count| *count == 0), "{:?}", client.announced);
        assert!(!client.entered && client.session.expected.is_empty());
        assert_eq!(client.session.subscriptions.iter().count(), 0);
    }
}

fn with_id(id: u32, mut request: Value) -> String {
    request["id"] = id.into();
    request.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_the_client_is_told_the_truth_and_nothing_stays_behind(
        is_json: bool,
        connects_first in prop::bool::weighted(0.8),
        steps in vec(step(), 0..150),
    ) {
        let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
        let mut run = Run::new(encoding, false);
        if connects_first {
            run.take(Step::Settle);
        }
        run.take_all(steps);
    }

    #[test]
    fn rows_may_come_in_any_order_and_be_cut_off(
        is_json: bool,
        steps in vec(prop_oneof![4 => busy_step(), 1 => step()], 50..250),
    ) {
        let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
        let mut run = Run::new(encoding, true);
        run.take(Step::Settle);
        run.take_all(steps);
    }
}
