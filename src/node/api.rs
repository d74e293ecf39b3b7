//! What the server API does with a node, in domain terms: names are checked here, bodies are read
//! and written in `server`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Node;
use super::directory::{Audience, DirectoryCounts};
use super::geo::locate;
use crate::base::{ClientId, UnixMillis, limits};
use crate::channel::{
    Channel, ClientDetails, GeoKind, HistoryPage, HistoryQuery, Namespace, NamespaceOptions,
    Position, Publication, ServerCommand, ServerSubscribe,
};
use crate::engine::{EngineError, PresenceCounts, PublishOptions, Retention};
use crate::geo::json::{AreaLimits, AreaSpec, FixSpec};
use crate::geo::{Area, Place};
use crate::hub::LaneCounts;
use crate::protocol::{ClientError, Disconnect, ErrorCode, is_json};

/// A publication by a backend.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerPublish {
    pub(crate) data: Bytes,
    pub(crate) tags: BTreeMap<String, String>,
    /// Distribute, but keep and number nothing.
    pub(crate) skip_history: bool,
    pub(crate) idempotency_key: Option<String>,
    /// Deliver it as a delta where subscribers negotiated them, whatever the namespace says.
    pub(crate) delta: bool,
    /// In a geo channel, where it happened, if its data and tags do not say.
    pub(crate) place: Option<Place>,
    pub(crate) reach: Option<Reach>,
    /// In a channel of objects, the object, if its data does not say.
    pub(crate) key: Option<String>,
}

/// Where subscribers must be to get an event.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// So many metres from the event.
    Metres(f64),
    Area(Arc<Area>),
}

/// Sizes of this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeInfo {
    pub(crate) sessions: DirectoryCounts,
    pub(crate) lanes: LaneCounts,
}

impl Node {
    pub(crate) async fn publish(
        &self,
        name: &str,
        publish: ServerPublish,
    ) -> Result<Position, ClientError> {
        let (channel, namespace) = self.channel(name)?;
        check_publish(&publish, &namespace.options)?;
        let geo = namespace.options.geo.as_ref();
        if let Some(geo) = geo.filter(|geo| geo.kind == GeoKind::Objects) {
            let fix = FixSpec::of_publication(&publish.data, &geo.fields());
            let mut fix = fix.map_err(|fault| ErrorCode::BadRequest.because(fault))?;
            fix.key = publish.key.or(fix.key);
            fix.tags.extend(publish.tags);
            self.set_object(name, fix).await?;
            return Ok(Position::default());
        }
        let retention = Retention::of(&namespace.options).filter(|_| !publish.skip_history);
        let options = PublishOptions { retention, idempotency_key: publish.idempotency_key };
        let mut publication = Publication {
            data: publish.data,
            tags: publish.tags,
            delta: publish.delta || namespace.options.delta_publish,
            ..Publication::default()
        };
        match geo {
            Some(geo) => {
                locate(&mut publication, geo, publish.place, publish.reach)?;
                if self.is_hidden(&publication, geo).await {
                    return Ok(Position::default());
                }
            }
            None if publish.place.is_some() || publish.reach.is_some() => {
                let why = "place: the channel's namespace has no geography";
                return Err(ErrorCode::BadRequest.because(why));
            }
            None => {}
        }
        let published = self.broker.publish(&channel, publication, options, self.clock.now());
        published.await.map_err(unavailable)
    }

    /// Subscribes the sessions of an audience; how many there are.
    pub(crate) async fn subscribe(
        &self,
        name: &str,
        audience: Audience,
        options: ServerSubscribe,
    ) -> Result<usize, ClientError> {
        let channel = self.subscribed(name, true)?;
        check_user(&audience)?;
        let command = ServerCommand::Subscribe { channel, options: Arc::new(options) };
        Ok(self.directory.tell(audience, command).await)
    }

    /// Without a label, subscriptions with any label end as well. What was published before is told
    /// before.
    pub(crate) async fn unsubscribe(
        &self,
        name: &str,
        audience: Audience,
    ) -> Result<usize, ClientError> {
        let channel = self.subscribed(name, false)?;
        check_user(&audience)?;
        let (base, _) = self.channel(name)?;
        self.lanes.look(&base, |_| ()).await;
        Ok(self.directory.tell(audience, ServerCommand::Unsubscribe { channel }).await)
    }

    pub(crate) async fn disconnect(
        &self,
        audience: Audience,
        disconnect: Disconnect,
    ) -> Result<usize, ClientError> {
        check_user(&audience)?;
        let Disconnect { code, reason } = disconnect;
        let command = ServerCommand::Disconnect { code, reason: reason.into_owned() };
        Ok(self.directory.tell(audience, command).await)
    }

    /// Moves the expiry of an audience's connections; `None` lets them live.
    pub(crate) async fn refresh(
        &self,
        audience: Audience,
        expire_at: Option<UnixMillis>,
    ) -> Result<usize, ClientError> {
        check_user(&audience)?;
        Ok(self.directory.tell(audience, ServerCommand::Refresh { expire_at }).await)
    }

    pub(crate) async fn members(
        &self,
        name: &str,
    ) -> Result<Vec<(ClientId, Arc<ClientDetails>)>, ClientError> {
        let channel = self.channel_with(name, |options| options.presence)?;
        self.presence.members(&channel).await.map_err(unavailable)
    }

    pub(crate) async fn presence_counts(&self, name: &str) -> Result<PresenceCounts, ClientError> {
        let channel = self.channel_with(name, |options| options.presence)?;
        self.presence.counts(&channel).await.map_err(unavailable)
    }

    pub(crate) async fn history(
        &self,
        name: &str,
        query: HistoryQuery,
    ) -> Result<HistoryPage, ClientError> {
        let (channel, retention) = self.stream(name)?;
        let epoch = query.since.as_ref().map(|since| since.epoch.clone()).unwrap_or_default();
        let page = self.broker.history(&channel, query, retention, self.clock.now());
        let page = page.await.map_err(unavailable)?;
        if !epoch.is_empty() && *epoch != *page.top.epoch {
            return Err(ErrorCode::UnrecoverablePosition.into());
        }
        Ok(page)
    }

    pub(crate) async fn remove_history(&self, name: &str) -> Result<(), ClientError> {
        let (channel, _) = self.stream(name)?;
        self.broker.remove_history(&channel).await.map_err(unavailable)
    }

    /// Channels that have subscribers and whose names pass, with the number of subscribers.
    pub(crate) async fn channels(
        &self,
        test: impl Fn(&str) -> bool + Clone + Send + 'static,
    ) -> Vec<(Channel, usize)> {
        self.lanes.channels(test).await
    }

    pub(crate) async fn info(&self) -> NodeInfo {
        NodeInfo { sessions: self.directory.counts().await, lanes: self.lanes.counts().await }
    }

    /// A channel with its namespace; where a client's label follows its name, without it.
    pub(super) fn channel(&self, name: &str) -> Result<(Channel, Arc<Namespace>), ClientError> {
        let (channel, namespace) = self.full_channel(name)?;
        match name.split_once('@').filter(|_| namespace.options.geo.is_some()) {
            Some((base, _)) => {
                let base = Channel::parse(base);
                Ok((base.map_err(|fault| ErrorCode::BadRequest.because(fault))?, namespace))
            }
            None => Ok((channel, namespace)),
        }
    }

    /// A channel as a subscription names it. The server gives one to a client only with an area.
    fn subscribed(&self, name: &str, begins: bool) -> Result<Channel, ClientError> {
        let (channel, namespace) = self.full_channel(name)?;
        if begins && let Some(geo) = &namespace.options.geo {
            let limits = AreaLimits { radius_min: geo.radius_min, radius_max: geo.radius_max };
            let label = name.split_once('@').map(|(_, label)| label);
            match label.and_then(|label| AreaSpec::of_label(label, &limits)) {
                Some(area) => drop(area.map_err(|fault| ErrorCode::BadRequest.because(fault))?),
                None => {
                    let why = "channel: a geo channel wants an area as its label: \
                               @near:lat,lng,radius_m, @h3:cell or @zone:name";
                    return Err(ErrorCode::BadRequest.because(why));
                }
            }
        }
        Ok(channel)
    }

    fn full_channel(&self, name: &str) -> Result<(Channel, Arc<Namespace>), ClientError> {
        let channel = Channel::parse(name).map_err(|fault| ErrorCode::BadRequest.because(fault))?;
        let context = self.context();
        let namespace = context.namespaces.find(name).cloned();
        let namespace = namespace.ok_or_else(|| {
            let wanted = context.namespaces.rules.namespace(name).unwrap_or_default();
            ErrorCode::UnknownChannel.because(format_args!("channel: no namespace {wanted:?}"))
        })?;
        Ok((channel, namespace))
    }

    fn channel_with(
        &self,
        name: &str,
        has: impl FnOnce(&NamespaceOptions) -> bool,
    ) -> Result<Channel, ClientError> {
        let (channel, namespace) = self.channel(name)?;
        if has(&namespace.options) { Ok(channel) } else { Err(ErrorCode::NotAvailable.into()) }
    }

    fn stream(&self, name: &str) -> Result<(Channel, Retention), ClientError> {
        let (channel, namespace) = self.channel(name)?;
        let retention = Retention::of(&namespace.options);
        Ok((channel, retention.ok_or(ErrorCode::NotAvailable)?))
    }
}

fn check_publish(publish: &ServerPublish, options: &NamespaceOptions) -> Result<(), ClientError> {
    let bad = |why: std::fmt::Arguments<'_>| Err(ErrorCode::BadRequest.because(why));
    if publish.data.is_empty() {
        return bad(format_args!("data: empty"));
    }
    if !options.binary
        && let Err(fault) = is_json(&publish.data)
    {
        return bad(format_args!("data: {fault}"));
    }
    if publish.tags.len() > limits::TAGS {
        return bad(format_args!("tags: more than {}", limits::TAGS));
    }
    let long = |text: &String| text.len() > limits::TAG_BYTES;
    if publish.tags.iter().any(|(key, value)| long(key) || long(value)) {
        return bad(format_args!("tags: one of more than {} bytes", limits::TAG_BYTES));
    }
    let key = publish.idempotency_key.as_ref();
    if key.is_some_and(|key| key.len() > limits::IDEMPOTENCY_KEY_BYTES) {
        let most = limits::IDEMPOTENCY_KEY_BYTES;
        return bad(format_args!("idempotency_key: more than {most} bytes"));
    }
    Ok(())
}

/// Anonymous clients have no user: each is named by itself.
fn check_user(audience: &Audience) -> Result<(), ClientError> {
    if audience.user.is_empty() && audience.client.is_none() {
        return Err(ErrorCode::BadRequest.because("user: empty, and no client"));
    }
    Ok(())
}

pub(super) fn unavailable(error: EngineError) -> ClientError {
    ErrorCode::Internal.because(error)
}
