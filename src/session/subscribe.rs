//! Subscribe: whether the client, or the server for it, may have the subscription, and what kind.

use std::sync::Arc;

use bytes::Bytes;

use super::action::{Actions, Answer, Recall, Request};
use super::answer::Expected;
use super::geo::{Named, Sight, Viewing, map_page};
use super::subscription::{
    JoinAnswer, Joining, LaneSide, Recovery, Row, Side, Subscription, Traits,
};
use super::{Failure, Session, wire};
use crate::access::Request as Permit;
use crate::access::token::{Operation, SubscribeClaims, TokenError};
use crate::base::{Encoding, Now, SubId, UnixMillis};
use crate::channel::{
    Channel, Delivery, EpochTag, GeoKind, Namespace, NamespaceOptions, Overrides, RecoveryMode,
    ServerSubscribe, Since, TagFilter,
};
use crate::protocol::{Disconnect, ErrorCode, SubscribeRequest};

/// Bits of a subscribe request's `flag`.
const OFFERS_NUMBERS: i64 = 1;
const REJECTS_LOST: i64 = 2;

/// What a subscription is made of, whoever asked for it.
struct Plan {
    channel: Channel,
    side: Side,
    info: Bytes,
    traits: Traits,
    expire_at: Option<UnixMillis>,
    recovery: Option<Recovery>,
    tags: Option<Arc<TagFilter>>,
    sight: Option<Sight>,
    /// Of a map: objects in the first page.
    page: usize,
    answer: JoinAnswer,
}

impl Session {
    pub(super) fn subscribe(
        &mut self,
        id: u32,
        mut request: SubscribeRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let named = self.named(&request.channel)?;
        let channel = named.full.clone();
        if self.subscriptions.find(channel.as_str()).is_some() {
            return self.next_page(id, &request, now, actions);
        }
        let limit = self.context.options.channel_limit;
        if self.subscriptions.count(Side::Client) >= limit {
            let why = format_args!("subscriptions: at most {limit} a client");
            return Err(ErrorCode::LimitExceeded.because(why).into());
        }
        let namespace = &named.namespace;
        self.check_kind(&request, namespace)?;
        let tags = request.tf.take().map(wire::filter_part);
        let tags = tags.map(|filter| TagFilter::parse("tf", filter)).transpose();
        let tags = tags.map_err(|fault| ErrorCode::BadRequest.because(fault))?.map(Arc::new);
        let claims = self.authorize(&request, &named, now)?;
        let sight = self.sight(&request, &named, tags.as_deref(), now)?;
        let options = &namespace.options;
        let mut traits = traits(options, claims.options.overrides);
        let keeps = options.keeps_history();
        traits.recoverable |= keeps && request.recoverable && options.allow_recovery;
        traits.positioned |= traits.recoverable;
        traits.positioned |= keeps && request.positioned && options.allow_positioning;
        traits.hears |= request.join_leave && options.join_leave;
        // In a geo channel each subscriber's publication before is another one.
        let is_geo = options.geo.is_some();
        traits.delta = request.delta == "fossil" && options.allow_delta_fossil && !is_geo;
        traits.numbered = request.flag & OFFERS_NUMBERS != 0 && !self.refuses_numbers;
        let recovery = traits.recoverable.then(|| recovery(&request, options)).flatten();
        self.start(
            Plan {
                channel,
                side: Side::Client,
                info: claims.options.info.unwrap_or_default(),
                traits,
                expire_at: claims.expire_at,
                recovery,
                tags,
                sight,
                page: map_page(request.limit),
                answer: JoinAnswer::Reply { id, data: claims.options.data.unwrap_or_default() },
            },
            actions,
        );
        Ok(())
    }

    /// Subscribes for a token's `subs` or the server API; nothing where it is subscribed already.
    pub(super) fn subscribe_by_server(
        &mut self,
        channel: Channel,
        wanted: &ServerSubscribe,
        answer: JoinAnswer,
        now: Now,
        actions: &mut Actions,
    ) {
        let Ok(named) = self.named(channel.as_str()) else { return };
        if self.subscriptions.find(channel.as_str()).is_some() {
            return;
        }
        let request = SubscribeRequest {
            channel: channel.as_str().to_owned(),
            data: wanted.area.clone(),
            ..SubscribeRequest::default()
        };
        let Ok(sight) = self.sight(&request, &named, None, now) else { return };
        let namespace = named.namespace;
        if self.subscriptions.count(Side::Server) >= self.context.options.channel_limit {
            return self.end_now(Disconnect::CHANNEL_LIMIT, actions);
        }
        let traits = traits(&namespace.options, wanted.overrides);
        let recovery = wanted.recover_since.clone().filter(|_| traits.recoverable).map(|since| {
            let mode = namespace.options.force_recovery_mode;
            Recovery { since, mode, reject_lost: false, asked: true }
        });
        let (info, expire_at) = (wanted.info.clone(), wanted.expire_at);
        let side = Side::Server;
        let (tags, page) = (None, map_page(0));
        self.start(
            Plan { channel, side, info, traits, expire_at, recovery, tags, sight, page, answer },
            actions,
        );
    }

    pub(super) fn namespace(&self, channel: &Channel) -> Result<Arc<Namespace>, Failure> {
        let found = self.context.namespaces.find(channel.as_str());
        found.cloned().ok_or_else(|| {
            let name = self.context.namespaces.rules.namespace(channel.as_str()).unwrap_or("");
            let name: String = name.chars().take(64).collect();
            ErrorCode::UnknownChannel.because(format_args!("no namespace {name:?}")).into()
        })
    }

    fn check_kind(&self, request: &SubscribeRequest, namespace: &Namespace) -> Result<(), Failure> {
        let options = &namespace.options;
        let objects = options.geo.as_ref().is_some_and(|geo| geo.kind == GeoKind::Objects);
        if request.r#type != 0 && !(objects && request.r#type == 1) {
            let why = "type: only streams (0), and maps (1) in channels of objects";
            return Err(ErrorCode::NotAvailable.because(why).into());
        }
        if options.channel_regex.as_ref().is_some_and(|regex| !regex.is_match(&request.channel)) {
            return Err(ErrorCode::BadRequest
                .because("channel: does not match the namespace's channel_regex")
                .into());
        }
        if options.binary && self.origin.encoding == Encoding::Json {
            let why = "channel: carries binary data, which a JSON client cannot read";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        if request.tf.is_some() && !request.delta.is_empty() {
            return Err(ErrorCode::BadRequest.because("delta: not together with tf").into());
        }
        if request.tf.is_some() && !options.allow_tags_filter {
            let why = "tf: the namespace does not allow tags filters";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        Ok(())
    }

    /// A subscription token decides where there is one, namespace and capabilities elsewhere.
    fn authorize(
        &self,
        request: &SubscribeRequest,
        named: &Named,
        now: Now,
    ) -> Result<SubscribeClaims, Failure> {
        // A label that is the area is part of what a token is for; any other is the client's own.
        let channel = if named.is_area() { &named.full } else { &named.base };
        if !request.token.is_empty() {
            return self.verify_subscription(&request.token, channel, now);
        }
        let permit = self.permit(Operation::Subscribe, named.base.as_str(), &named.namespace);
        if !permit {
            return Err(ErrorCode::PermissionDenied.into());
        }
        Ok(SubscribeClaims::default())
    }

    pub(super) fn verify_subscription(
        &self,
        token: &str,
        channel: &Channel,
        now: Now,
    ) -> Result<SubscribeClaims, Failure> {
        let verifier = self.context.subscription_tokens.as_ref().unwrap_or(&self.context.tokens);
        let claims = verifier.verify_subscribe(token, now.unix).map_err(|fault| match fault {
            TokenError::Expired => Failure::from(ErrorCode::TokenExpired),
            TokenError::Missing
            | TokenError::Malformed
            | TokenError::BadSignature
            | TokenError::UnsupportedAlgorithm
            | TokenError::WrongAudience
            | TokenError::WrongIssuer
            | TokenError::NotYetValid
            | TokenError::InvalidClaim { .. } => ErrorCode::PermissionDenied.because(fault).into(),
        })?;
        let other = |what| Err(Disconnect::INVALID_TOKEN.because(what).into());
        if claims.channel != channel.as_str() {
            return other("the subscription token is for another channel");
        }
        if claims.user != self.identity.user {
            return other("the subscription token is for another user");
        }
        if claims.client.as_ref().is_some_and(|client| *client != self.origin.client.to_string()) {
            return other("the subscription token is for another client");
        }
        if claims.expire_at.is_some_and(|at| at <= now.unix) {
            return Err(ErrorCode::Expired.into());
        }
        Ok(claims)
    }

    /// Whether this client may, by namespace, name and capabilities.
    pub(super) fn permit(
        &self,
        operation: Operation,
        channel: &str,
        namespace: &Namespace,
    ) -> bool {
        self.identity.may(Permit {
            operation,
            channel,
            namespace,
            rules: &self.context.namespaces.rules,
            subscribed: self.subscriptions.iter().any(|one| one.base().as_str() == channel),
        })
    }

    fn start(&mut self, plan: Plan, actions: &mut Actions) {
        let Plan { channel, side, info, traits, expire_at, recovery, tags, sight, page, answer } =
            plan;
        let (view, viewing) = match sight {
            Some(Sight { view, viewing }) => (Some(view), Some(viewing)),
            None => (None, None),
        };
        let delivery =
            Delivery { join_leave: traits.hears, delta: traits.delta, tags: tags.clone(), view };
        let id = self.subscriptions.next_id();
        let row = match &answer {
            JoinAnswer::Reply { id, .. } if self.extras.streams => {
                Some(Row { asked: *id, begun: false })
            }
            JoinAnswer::Reply { .. } | JoinAnswer::Connect(_) | JoinAnswer::Push(_) => None,
        };
        let recall = self.recall(&channel, viewing.as_deref());
        self.subscriptions.add(Subscription {
            id,
            channel: channel.clone(),
            side,
            offset: None,
            epoch: EpochTag::default(),
            sequence: None,
            details: self.details(info),
            traits,
            expire_at,
            viewing,
            row,
            joining: Some(Box::new(Joining {
                answer: Some(answer),
                recovery,
                tags,
                audience: None,
                lane: LaneSide::Waiting,
                page,
                buffer: Vec::new(),
                buffered_bytes: 0,
                gap: false,
            })),
        });
        self.join_lane(id, delivery, recall, actions);
    }

    /// By what the area is found that the client gave the channel before it came back.
    fn recall(&self, channel: &Channel, viewing: Option<&Viewing>) -> Option<Recall> {
        let viewing = viewing.filter(|viewing| viewing.can_move())?;
        Some(Recall { owner: self.area_owner(channel.clone())?, asked: viewing.asked() })
    }

    fn join_lane(
        &mut self,
        sub: SubId,
        delivery: Delivery,
        recall: Option<Recall>,
        actions: &mut Actions,
    ) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let channel = subscription.base().clone();
        let area = delivery.view.as_ref().map(|view| view.area.clone());
        let join = Request::Join { channel: channel.clone(), sub, delivery, recall };
        self.request(join, Expected::Joined(sub), actions);
        if let Some(area) = area {
            self.refollow(sub, &channel, None, Some(&area), actions);
        }
    }

    /// The lane was asked, perhaps for the area that was remembered.
    pub(super) fn lane_asked(
        &mut self,
        sub: SubId,
        answer: Answer,
        now: Now,
        actions: &mut Actions,
    ) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let base = subscription.base().clone();
        if let (Answer::Joined(Some(area)), Some(viewing)) = (answer, &mut subscription.viewing) {
            let before = viewing.source().clone();
            viewing.recall(area.clone());
            self.refollow(sub, &base, Some(&before), Some(&area), actions);
        }
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let Some(joining) = subscription.joining.as_deref_mut() else { return };
        match std::mem::replace(&mut joining.lane, LaneSide::Asked) {
            LaneSide::Joined(at) => self.joined(sub, at, now, actions),
            LaneSide::Waiting | LaneSide::Asked => {}
        }
    }
}

/// What the namespace makes of a subscription, as a token or the server API changes it.
fn traits(options: &NamespaceOptions, overrides: Overrides) -> Traits {
    let keeps = options.keeps_history();
    let recoverable = keeps && overrides.force_recovery.unwrap_or(options.force_recovery);
    let positioned = keeps && overrides.force_positioning.unwrap_or(options.force_positioning);
    Traits {
        recoverable,
        positioned: positioned || recoverable,
        presence: overrides.presence.unwrap_or(options.presence),
        announces: overrides.join_leave.unwrap_or(options.join_leave),
        hears: overrides.force_push_join_leave.unwrap_or(options.force_push_join_leave),
        numbered: false,
        delta: false,
    }
}

/// What a request recovers from: in cache mode the latest publication comes with every subscribe.
fn recovery(request: &SubscribeRequest, options: &NamespaceOptions) -> Option<Recovery> {
    let mode = options.force_recovery_mode;
    (request.recover || mode == RecoveryMode::Cache).then(|| Recovery {
        since: Since { offset: request.offset, epoch: request.epoch.clone() },
        mode,
        reject_lost: request.flag & REJECTS_LOST != 0,
        asked: request.recover,
    })
}
