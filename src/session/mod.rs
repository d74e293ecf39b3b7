//! One client's state machine: commands in, replies and pushes out. It calls no one: every input
//! leaves what it wants in [`Actions`], so the same code runs in production, under test and under a
//! fuzzer. Time and randomness are arguments.
//!
//! Inputs come from the connection that drives it: `handle_frame` for a message of the client,
//! `handle_mail` for an entry of its mailbox, `handle_answer` for a request that is done,
//! `handle_timeout` when [`Session::next_deadline`] has come, `handle_closed` at the end.

#![warn(clippy::wildcard_enum_match_arm)]

mod action;
mod answer;
mod connect;
mod extras;
mod geo;
mod join;
mod mail;
mod options;
mod publish;
mod query;
mod refresh;
mod subscribe;
mod subscription;
#[cfg(test)]
mod tests;
mod timer;
mod unsubscribe;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::access::token::TokenVerifier;
use crate::access::{GeoBounds, Identity};
use crate::base::{ClientId, Encoding, Now, SessionId, SubId, UnixMillis};
use crate::channel::{Channel, ClientDetails, Namespaces};
use crate::geo::GeoError;
use crate::protocol::{
    ClientError, Command, CommandReader, Disconnect, ErrorCode, PingResult, Push, Reply,
    Request as Asked, decode_commands, encode_reply,
};

pub(crate) use action::{Actions, Answer, AreaOwner, Note, Recall, Request};
pub(crate) use geo::{Dropped, error_of, object_list, zone_names};
pub(crate) use options::{PersonalChannel, SessionOptions};

use answer::Expected;
use connect::Connecting;
use extras::Extras;
use geo::Whereabouts;
use subscription::Subscriptions;
use timer::Timers;

/// What all sessions of a node share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) options: SessionOptions,
    pub(crate) namespaces: Namespaces,
    pub(crate) tokens: TokenVerifier,
    /// Verifies subscription tokens; without it they are verified as connection tokens are.
    pub(crate) subscription_tokens: Option<TokenVerifier>,
    /// What the connect reply calls the server.
    pub(crate) version: &'static str,
}

/// What is fixed when a session is made.
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of its own of a transport")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) session: SessionId,
    pub(crate) client: ClientId,
    pub(crate) encoding: Encoding,
    /// The transport pings by itself, in place of the protocol's empty replies.
    pub(crate) native_ping: bool,
    /// The transport's own close does not reach the SDK: a push tells it why the connection ends.
    pub(crate) pushes_end: bool,
    /// The transport has datagrams and streams for each row of messages, for clients that ask.
    pub(crate) extras: bool,
    /// Spreads the first pings of many sessions.
    pub(crate) random: u64,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    context: Arc<Context>,
    origin: Origin,
    phase: Phase,
    identity: Identity,
    /// JSON shown to others, from the token.
    info: Bytes,
    expire_at: Option<UnixMillis>,
    subscriptions: Subscriptions,
    /// What each request under way is for, in order.
    expected: VecDeque<Expected>,
    /// The rest of a frame whose next command must wait.
    stalled: Option<Box<Stalled>>,
    /// How the connection ends once everything before it has been answered.
    doom: Option<Disconnect>,
    timers: Timers,
    /// Numeric ids of channels in pushes are of no use to this SDK.
    refuses_numbers: bool,
    extras: Extras,
    /// Of a session that uses geography.
    whereabouts: Option<Box<Whereabouts>>,
    /// What the token allows of geography.
    bounds: Option<Arc<GeoBounds>>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing but a connect is expected.
    Fresh,
    Connecting(Box<Connecting>),
    Open,
    /// The connect was answered by an error: nothing more is expected.
    Refused,
    Closed,
}

#[derive(Debug)]
struct Stalled {
    id: u32,
    command: Asked,
    rest: CommandReader,
}

impl Session {
    pub(crate) fn new(context: Arc<Context>, origin: Origin, now: Now) -> Self {
        let timers = Timers::new(now, context.options.stale_close_delay);
        Self {
            context,
            origin,
            phase: Phase::Fresh,
            identity: Identity::default(),
            info: Bytes::new(),
            expire_at: None,
            subscriptions: Subscriptions::default(),
            expected: VecDeque::new(),
            stalled: None,
            doom: None,
            timers,
            refuses_numbers: false,
            extras: Extras::default(),
            whereabouts: None,
            bounds: None,
        }
    }

    /// Empty before the connect and for anonymous clients.
    pub(crate) fn user(&self) -> &str {
        &self.identity.user
    }

    /// Whether the connect was answered by a result.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether the next frame may be handed over. While a command waits for what came before it,
    /// none is read from the client.
    pub(crate) fn accepts_frames(&self) -> bool {
        self.stalled.is_none() && self.doom.is_none() && !matches!(self.phase, Phase::Closed)
    }

    /// Takes one message of the client: one or more commands, carried out in order.
    pub(crate) fn handle_frame(&mut self, frame: &Bytes, now: Now, actions: &mut Actions) {
        debug_assert!(self.accepts_frames(), "frames are read only when they are accepted");
        let reader = decode_commands(self.origin.encoding, frame);
        self.run(reader, now, actions);
        self.settle(now, actions);
    }

    /// The connection ends for a reason outside the session: the client broke a rule of the
    /// transport that has a code of the protocol's, or the node drains before it has connected.
    pub(crate) fn handle_violation(
        &mut self,
        disconnect: Disconnect,
        now: Now,
        actions: &mut Actions,
    ) {
        self.end(disconnect);
        self.settle(now, actions);
    }

    /// The connection is gone or going: leaves every channel. Requests and answers go on until
    /// none is under way; writes no longer matter.
    pub(crate) fn handle_closed(&mut self, actions: &mut Actions) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let entered = matches!(self.phase, Phase::Open | Phase::Connecting(_));
        self.phase = Phase::Closed;
        self.stalled = None;
        let gone: Vec<_> = self.subscriptions.drain().collect();
        for subscription in gone {
            self.leave(subscription, actions);
        }
        self.go_offline(actions);
        if entered {
            let user = self.identity.user.clone();
            self.request(Request::Exit { user }, Expected::Nothing, actions);
        }
    }

    /// Writes why the connection ends, if the transport cannot tell the SDK.
    pub(crate) fn say_goodbye(&self, disconnect: Disconnect, actions: &mut Actions) {
        if self.origin.pushes_end {
            let push = Push { disconnect: Some(disconnect.into()), ..Push::default() };
            self.reply(0, Reply { push: Some(push), ..Reply::default() }, actions);
        }
    }

    fn run(&mut self, mut reader: CommandReader, now: Now, actions: &mut Actions) {
        while self.doom.is_none() && actions.close.is_none() {
            let (id, command) = match reader.next() {
                None => return,
                Some(Ok(command)) => Command::into_request(command),
                Some(Err(fault)) => return self.end(Disconnect::BAD_REQUEST.because(fault)),
            };
            if self.must_wait(&command) {
                self.stalled = Some(Box::new(Stalled { id, command, rest: reader }));
                return;
            }
            self.handle_command(id, command, now, actions);
        }
    }

    /// Carries on with a frame that had to wait, then ends the connection if it is to end.
    fn settle(&mut self, now: Now, actions: &mut Actions) {
        while let Some(stalled) = self.stalled.take_if(|stalled| {
            !waits(&self.phase, &self.subscriptions, &stalled.command) && self.doom.is_none()
        }) {
            let Stalled { id, command, rest } = *stalled;
            self.handle_command(id, command, now, actions);
            self.run(rest, now, actions);
        }
        let unanswered = !self.expected.is_empty()
            || self.subscriptions.is_joining()
            || matches!(self.phase, Phase::Connecting(_));
        if self.doom.is_some() && !unanswered && actions.close.is_none() {
            actions.close = self.doom.take();
        }
    }

    fn must_wait(&self, command: &Asked) -> bool {
        waits(&self.phase, &self.subscriptions, command)
    }

    fn handle_command(&mut self, id: u32, command: Asked, now: Now, actions: &mut Actions) {
        match (&self.phase, &command) {
            (Phase::Fresh, Asked::Connect(_)) | (Phase::Open, _) => {}
            (Phase::Fresh, _) => return self.bad_request("the first command must be connect"),
            (Phase::Connecting(_) | Phase::Refused | Phase::Closed, _) => {
                return self.bad_request("the connect was refused");
            }
        }
        actions.notes.push(Note::Command(command.name()));
        let unanswered = matches!(command, Asked::Send(_) | Asked::Pong);
        if id == 0 && !unanswered {
            return self.bad_request("id: 0 where a reply is due");
        }
        let done = match command {
            Asked::Connect(request) => return self.connect(id, request, now, actions),
            Asked::Subscribe(request) => self.subscribe(id, request, now, actions),
            Asked::Unsubscribe(request) => self.unsubscribe(id, &request, actions),
            Asked::Publish(request) => self.publish(id, request, now, actions),
            Asked::Presence(request) => self.presence(id, &request.channel, actions),
            Asked::PresenceStats(request) => self.presence_stats(id, &request.channel, actions),
            Asked::History(request) => self.history(id, request, actions),
            Asked::Refresh(request) => self.refresh(id, &request, now, actions),
            Asked::SubRefresh(request) => self.sub_refresh(id, &request, now, actions),
            Asked::Rpc(request) => self.rpc(id, &request, now, actions),
            Asked::Ping(_) => {
                let ping = Some(PingResult::default());
                self.reply(id, Reply { ping, ..Reply::default() }, actions);
                Ok(())
            }
            Asked::Send(request) => {
                self.handle_send(&request.data, now, actions);
                Ok(())
            }
            Asked::Pong => return self.pong(),
            Asked::Missing => return self.bad_request("a command without a request"),
        };
        match done {
            Ok(()) => {}
            Err(Failure::Reply(error)) => self.fail(id, error, actions),
            Err(Failure::Disconnect(disconnect)) => self.end(disconnect),
        }
    }

    // === What every command uses ===

    fn reply(&self, id: u32, reply: Reply, actions: &mut Actions) {
        self.reply_in(None, id, reply, actions);
    }

    fn reply_in(&self, row: Option<SubId>, id: u32, reply: Reply, actions: &mut Actions) {
        actions.write(row, encode_reply(self.origin.encoding, &Reply { id, ..reply }));
    }

    fn fail(&self, id: u32, error: ClientError, actions: &mut Actions) {
        actions.notes.push(Note::Failed { code: error.code });
        self.reply(id, Reply { error: Some(error.into()), ..Reply::default() }, actions);
    }

    fn bad_request(&mut self, why: &'static str) {
        self.end(Disconnect::BAD_REQUEST.because(why));
    }

    /// Ends the connection after what came before has been answered.
    fn end(&mut self, disconnect: Disconnect) {
        self.doom.get_or_insert(disconnect);
        self.stalled = None;
    }

    fn request(&mut self, request: Request, expected: Expected, actions: &mut Actions) {
        self.expected.push_back(expected);
        actions.requests.push_back(request);
    }

    fn channel(&self, name: &str) -> Result<Channel, Failure> {
        let longest = self.context.namespaces.rules.length_max;
        if name.len() > longest {
            let why = format_args!("channel: longer than {longest} bytes");
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        Channel::parse(name).map_err(|fault| ErrorCode::BadRequest.because(fault).into())
    }

    fn geo_bounds(&self) -> Option<&GeoBounds> {
        self.bounds.as_deref()
    }

    fn details(&self, channel_info: Bytes) -> Arc<ClientDetails> {
        Arc::new(ClientDetails {
            user: self.identity.user.clone(),
            client: self.origin.client.to_string(),
            connection_info: self.info.clone(),
            channel_info,
        })
    }
}

/// Commands wait while the connect is not answered, and while the subscription that they are about
/// is on its way, so that replies and pushes come as if each command ended before the next.
fn waits(phase: &Phase, subscriptions: &Subscriptions, command: &Asked) -> bool {
    let channel = match command {
        Asked::Subscribe(request) => &request.channel,
        Asked::Unsubscribe(request) => &request.channel,
        Asked::Publish(request) => &request.channel,
        Asked::Presence(request) => &request.channel,
        Asked::PresenceStats(request) => &request.channel,
        Asked::History(request) => &request.channel,
        Asked::SubRefresh(request) => &request.channel,
        Asked::Connect(_)
        | Asked::Ping(_)
        | Asked::Send(_)
        | Asked::Rpc(_)
        | Asked::Refresh(_)
        | Asked::Pong
        | Asked::Missing => return matches!(phase, Phase::Connecting(_)),
    };
    matches!(phase, Phase::Connecting(_))
        || subscriptions.find(channel).is_some_and(|one| one.joining.is_some())
}

/// How a command ends that does not succeed.
#[derive(Debug)]
enum Failure {
    Reply(ClientError),
    Disconnect(Disconnect),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Reply(error)
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Reply(code.into())
    }
}

impl From<GeoError> for Failure {
    fn from(fault: GeoError) -> Self {
        ErrorCode::BadRequest.because(fault).into()
    }
}

impl From<Disconnect> for Failure {
    fn from(disconnect: Disconnect) -> Self {
        Self::Disconnect(disconnect)
    }
}
