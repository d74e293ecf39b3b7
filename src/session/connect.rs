//! Connect: who the client is, the server-side subscriptions it starts with, and the reply.

use std::collections::BTreeMap;

use super::action::{Actions, Request};
use super::answer::Expected;
use super::subscription::{JoinAnswer, seconds_until};
use super::{Phase, Session};
use crate::access::Identity;
use crate::access::token::{ConnectClaims, SubscribeOptions, TokenError};
use crate::base::{Encoding, Now, limits};
use crate::channel::{Channel, ServerCommand, ServerSubscribe, Since};
use crate::protocol::{
    ConnectRequest, ConnectResult, Disconnect, ErrorCode, Reply, SubsEntry, SubscribeRequest,
    SubscribeResult,
};

/// A connect under way.
#[derive(Debug)]
pub(super) struct Connecting {
    id: u32,
    /// Positions that the client presents for its server-side subscriptions.
    presented: BTreeMap<String, SubscribeRequest>,
    /// Server-side subscriptions to make.
    wanted: Vec<(Channel, ServerSubscribe)>,
    /// Those on their way.
    waiting: usize,
    results: BTreeMap<String, SubscribeResult>,
    /// What the server said meanwhile: nothing may overtake the reply.
    postponed: Vec<ServerCommand>,
}

impl Session {
    pub(super) fn connect(
        &mut self,
        id: u32,
        request: ConnectRequest,
        now: Now,
        actions: &mut Actions,
    ) {
        if !matches!(self.phase, Phase::Fresh) {
            return self.bad_request("a second connect");
        }
        let claims = match self.authenticate(&request.token, now) {
            Ok(claims) => claims,
            Err(TokenError::Expired) => {
                self.phase = Phase::Refused;
                return self.fail(id, ErrorCode::TokenExpired.into(), actions);
            }
            Err(fault) => return self.end(Disconnect::INVALID_TOKEN.because(fault)),
        };
        if claims.expire_at.is_some_and(|at| at <= now.unix) {
            self.phase = Phase::Refused;
            return self.fail(id, ErrorCode::Expired.into(), actions);
        }
        let options = &self.context.options;
        if claims.user.is_empty()
            && options.disallow_anonymous_connection_tokens
            && !request.token.is_empty()
        {
            return self.end(Disconnect::PERMISSION_DENIED.because("an anonymous token"));
        }
        let wanted = match self.starting_subscriptions(&claims) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.phase = Phase::Refused;
                return self.fail(id, error, actions);
            }
        };
        self.identity = Identity {
            user: claims.user,
            capabilities: claims.capabilities,
            insecure: options.insecure,
        };
        self.bounds = claims.geo;
        self.info = claims.info.unwrap_or_default();
        self.expire_at = claims.expire_at;
        // It compares 64-bit ids by identity in Protobuf and finds none (centrifuge-js 5).
        self.refuses_numbers = self.origin.encoding == Encoding::Protobuf && request.name == "js";
        let single_connection =
            options.personal_channel.as_ref().is_some_and(|personal| personal.single_connection)
                && !self.identity.user.is_empty();
        if let Err(error) = self.take_device(&request.data) {
            self.phase = Phase::Refused;
            return self.fail(id, error, actions);
        }
        self.phase = Phase::Connecting(Box::new(Connecting {
            id,
            presented: request.subs,
            wanted,
            waiting: 0,
            results: BTreeMap::new(),
            postponed: Vec::new(),
        }));
        let enter = Request::Enter { user: self.identity.user.clone(), single_connection };
        self.request(enter, Expected::Entered, actions);
    }

    fn authenticate(&self, token: &str, now: Now) -> Result<ConnectClaims, TokenError> {
        let options = &self.context.options;
        if token.is_empty() {
            let open = options.insecure || options.allow_anonymous_connect_without_token;
            return if open { Ok(ConnectClaims::default()) } else { Err(TokenError::Missing) };
        }
        match self.context.tokens.verify_connect(token, now.unix) {
            Err(_) if options.insecure => Ok(ConnectClaims::default()),
            verified => verified,
        }
    }

    /// The server-side subscriptions that token and configuration ask for.
    fn starting_subscriptions(
        &self,
        claims: &ConnectClaims,
    ) -> Result<Vec<(Channel, ServerSubscribe)>, crate::protocol::ClientError> {
        let mut wanted = Vec::new();
        for (name, options) in &claims.subs {
            let channel =
                Channel::parse(name).map_err(|fault| ErrorCode::BadRequest.because(fault))?;
            if self.context.namespaces.find(name).is_none() {
                return Err(ErrorCode::UnknownChannel.because(format_args!("subs: {name}")));
            }
            wanted.push((channel, from_token(options.clone())));
        }
        if let Some(personal) = &self.context.options.personal_channel
            && !claims.user.is_empty()
        {
            let rules = &self.context.namespaces.rules;
            let channel = rules.personal(&personal.namespace, &claims.user).filter(|channel| {
                self.context.namespaces.find(channel.as_str()).is_some()
                    && !claims.subs.contains_key(channel.as_str())
            });
            wanted.extend(channel.map(|channel| (channel, ServerSubscribe::default())));
        }
        Ok(wanted)
    }

    /// The directory has the session: subscribes it, or replies at once.
    pub(super) fn entered(&mut self, now: Now, actions: &mut Actions) {
        let Phase::Connecting(connecting) = &mut self.phase else {
            unreachable!("only a connect enters the directory");
        };
        let wanted = std::mem::take(&mut connecting.wanted);
        let presented = std::mem::take(&mut connecting.presented);
        connecting.waiting = wanted.len();
        if wanted.is_empty() {
            return self.finish_connect(now, actions);
        }
        for (channel, mut options) in wanted {
            options.recover_since = presented
                .get(channel.as_str())
                .filter(|one| one.recover)
                .map(|one| Since { offset: one.offset, epoch: one.epoch.clone() });
            let answer = JoinAnswer::Connect(options.data.clone());
            self.subscribe_by_server(channel, &options, answer, now, actions);
        }
    }

    /// One server-side subscription of the connect is live.
    pub(super) fn connected_to(
        &mut self,
        channel: &Channel,
        result: SubscribeResult,
        now: Now,
        actions: &mut Actions,
    ) {
        let Phase::Connecting(connecting) = &mut self.phase else {
            unreachable!("a connect waits for its subscriptions");
        };
        connecting.results.insert(channel.as_str().to_owned(), result);
        connecting.waiting -= 1;
        if connecting.waiting == 0 {
            self.finish_connect(now, actions);
        }
    }

    /// Does what the server API asks; while the connect is not answered it waits, save a
    /// disconnect: nothing may overtake the reply.
    pub(super) fn obey_in_turn(&mut self, command: ServerCommand, now: Now, actions: &mut Actions) {
        match &mut self.phase {
            Phase::Connecting(connecting)
                if !matches!(command, ServerCommand::Disconnect { .. }) =>
            {
                connecting.postponed.push(command);
                if connecting.postponed.len() > limits::SESSION_REQUESTS {
                    self.end_now(Disconnect::SLOW, actions);
                }
            }
            Phase::Connecting(_) | Phase::Open => self.obey(command, now, actions),
            Phase::Fresh | Phase::Refused | Phase::Closed => {}
        }
    }

    fn finish_connect(&mut self, now: Now, actions: &mut Actions) {
        let Phase::Connecting(connecting) = std::mem::replace(&mut self.phase, Phase::Open) else {
            unreachable!("a connect is finished once");
        };
        let options = &self.context.options;
        let ping = if self.origin.native_ping { 0 } else { options.ping_interval.as_secs() };
        let result = ConnectResult {
            client: self.origin.client.to_string(),
            version: self.context.version.to_owned(),
            expires: self.expire_at.is_some(),
            ttl: self.expire_at.map_or(0, |at| seconds_until(at, now)),
            subs: connecting
                .results
                .into_iter()
                .map(|(channel, result)| SubsEntry::new(channel, result))
                .collect(),
            ping: u32::try_from(ping).unwrap_or(u32::MAX),
            pong: ping > 0,
            data: self.extras_told(),
            ..ConnectResult::default()
        };
        self.reply(connecting.id, Reply { connect: Some(result), ..Reply::default() }, actions);
        self.start_timers(now);
        self.flush_starting(actions);
        for command in connecting.postponed {
            self.obey(command, now, actions);
        }
    }
}

fn from_token(options: SubscribeOptions) -> ServerSubscribe {
    ServerSubscribe {
        info: options.info.unwrap_or_default(),
        data: options.data.unwrap_or_default(),
        overrides: options.overrides,
        ..ServerSubscribe::default()
    }
}
