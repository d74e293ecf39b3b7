//! The methods of the server API, by name.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Outcome;
use super::bodies::{Channels, ForUser, Members, OfChannel, Page, Publish, Published, Stats, read};
use crate::access::wildcard_matches;
use crate::base::{ClientId, UnixMillis, limits};
use crate::channel::{HistoryQuery, Position, ServerSubscribe, Since};
use crate::node::{Audience, Node, ServerPublish};
use crate::protocol::{ClientError, ClientInfo, Disconnect, ErrorCode};
use crate::session::wire;

/// Carries out one method; `None` where there is none of this name.
pub(super) async fn call(node: &Node, method: &str, body: &[u8]) -> Option<Outcome> {
    Some(match method {
        "publish" => publish(node, body).await,
        "broadcast" => broadcast(node, body).await,
        "subscribe" => subscribe(node, body).await,
        "unsubscribe" => unsubscribe(node, body).await,
        "disconnect" => disconnect(node, body).await,
        "refresh" => refresh(node, body).await,
        "presence" => presence(node, body).await,
        "presence_stats" => presence_stats(node, body).await,
        "history" => history(node, body).await,
        "history_remove" => history_remove(node, body).await,
        "info" => info(node, body).await,
        "channels" => channels(node, body).await,
        _ => return super::geo::call(node, method, body).await,
    })
}

async fn publish(node: &Node, body: &[u8]) -> Outcome {
    let body: Publish = read(body)?;
    let content = content(&body)?;
    raw(&published(node.publish(&body.channel, content).await?))
}

async fn broadcast(node: &Node, body: &[u8]) -> Outcome {
    let body: Publish = read(body)?;
    if body.channels.is_empty() {
        return Err(ErrorCode::BadRequest.because("channels: empty"));
    }
    let content = content(&body)?;
    let mut responses = Vec::with_capacity(body.channels.len());
    for channel in &body.channels {
        let response = match node.publish(channel, content.clone()).await {
            Ok(position) => Response::Result(published(position)),
            Err(error) => Response::Error { code: error.code, message: error.message.into_owned() },
        };
        responses.push(response);
    }
    raw(&Responses { responses })
}

#[derive(Serialize)]
struct Responses {
    responses: Vec<Response>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Response {
    Result(Published),
    Error { code: u32, message: String },
}

fn content(body: &Publish) -> Result<ServerPublish, ClientError> {
    if body.version != 0 {
        return Err(ErrorCode::NotAvailable.because("version"));
    }
    Ok(ServerPublish {
        data: body.data()?,
        tags: body.tags.clone(),
        skip_history: body.skip_history,
        idempotency_key: Some(body.idempotency_key.clone()).filter(|key| !key.is_empty()),
        delta: body.delta,
        place: body.place()?,
        reach: body.reach()?,
        key: Some(body.key.clone()).filter(|key| !key.is_empty()),
    })
}

fn published(position: Position) -> Published {
    Published { offset: position.offset, epoch: position.epoch.to_string() }
}

async fn subscribe(node: &Node, body: &[u8]) -> Outcome {
    let mut body: ForUser = read(body)?;
    let options = ServerSubscribe {
        info: json_only("info", body.info()?)?,
        data: json_only("data", body.data()?)?,
        area: body.area(),
        overrides: body.overrides(),
        recover_since: body.recover_since.take().map(Since::from),
        expire_at: expiry(body.expire_at),
    };
    node.subscribe(&body.channel, audience(&body)?, options).await?;
    done()
}

async fn unsubscribe(node: &Node, body: &[u8]) -> Outcome {
    let body: ForUser = read(body)?;
    node.unsubscribe(&body.channel, audience(&body)?).await?;
    done()
}

async fn disconnect(node: &Node, body: &[u8]) -> Outcome {
    let body: ForUser = read(body)?;
    let disconnect = match &body.disconnect {
        None => Disconnect::FORCE_NO_RECONNECT,
        Some(given) if !(3000..5000).contains(&given.code) => {
            return Err(ErrorCode::BadRequest.because("disconnect.code: must be 3000 to 4999"));
        }
        Some(given) if given.reason.len() > limits::CLOSE_REASON_BYTES => {
            let most = limits::CLOSE_REASON_BYTES;
            let why = format_args!("disconnect.reason: more than {most} bytes");
            return Err(ErrorCode::BadRequest.because(why));
        }
        Some(given) => Disconnect { code: given.code, reason: given.reason.clone().into() },
    };
    node.disconnect(audience(&body)?, disconnect).await?;
    done()
}

async fn refresh(node: &Node, body: &[u8]) -> Outcome {
    let body: ForUser = read(body)?;
    let expire_at = if body.expired { Some(UnixMillis(0)) } else { expiry(body.expire_at) };
    node.refresh(audience(&body)?, expire_at).await?;
    done()
}

async fn presence(node: &Node, body: &[u8]) -> Outcome {
    let body: OfChannel = read(body)?;
    let members = node.members(&body.channel).await?;
    let presence: BTreeMap<String, ClientInfo> = members
        .iter()
        .map(|(client, details)| (client.to_string(), wire::client_info(details)))
        .collect();
    raw(&Members { presence })
}

async fn presence_stats(node: &Node, body: &[u8]) -> Outcome {
    let body: OfChannel = read(body)?;
    let counts = node.presence_counts(&body.channel).await?;
    raw(&Stats { num_clients: count(counts.clients), num_users: count(counts.users) })
}

async fn history(node: &Node, body: &[u8]) -> Outcome {
    let body: OfChannel = read(body)?;
    let query = HistoryQuery {
        // A negative limit asks for all.
        limit: usize::try_from(body.limit).unwrap_or(usize::MAX),
        since: body.since.map(Since::from),
        reverse: body.reverse,
        audience: None,
    };
    let page = node.history(&body.channel, query).await?;
    raw(&Page {
        publications: page.publications.iter().map(|one| wire::publication(one)).collect(),
        epoch: page.top.epoch.to_string(),
        offset: page.top.offset,
    })
}

async fn history_remove(node: &Node, body: &[u8]) -> Outcome {
    let body: OfChannel = read(body)?;
    node.remove_history(&body.channel).await?;
    done()
}

#[derive(Serialize)]
struct Nodes {
    nodes: [NodeBody; 1],
}

#[derive(Serialize)]
struct NodeBody {
    uid: String,
    name: String,
    version: &'static str,
    num_clients: u32,
    num_users: u32,
    num_subs: u32,
    num_channels: u32,
    /// Seconds.
    uptime: u64,
}

async fn info(node: &Node, body: &[u8]) -> Outcome {
    let _: serde::de::IgnoredAny = read(body)?;
    let info = node.info().await;
    raw(&Nodes {
        nodes: [NodeBody {
            uid: node.uid().to_owned(),
            name: node.options.name.clone(),
            version: node.context().version,
            num_clients: count(info.sessions.clients),
            num_users: count(info.sessions.users),
            num_subs: count(info.lanes.subscriptions),
            num_channels: count(info.lanes.channels),
            uptime: Duration::from_nanos(node.clock.moment().0).as_secs(),
        }],
    })
}

#[derive(Serialize)]
struct ChannelsBody {
    channels: BTreeMap<String, ChannelBody>,
}

#[derive(Serialize)]
struct ChannelBody {
    num_clients: u32,
}

async fn channels(node: &Node, body: &[u8]) -> Outcome {
    let Channels { pattern } = read(body)?;
    let passes = move |name: &str| pattern.is_empty() || wildcard_matches(&pattern, name);
    let found = node.channels(passes).await;
    let channels = found
        .into_iter()
        .map(|(channel, subscribers)| {
            (channel.as_str().to_owned(), ChannelBody { num_clients: count(subscribers) })
        })
        .collect();
    raw(&ChannelsBody { channels })
}

fn audience(body: &ForUser) -> Result<Audience, ClientError> {
    let client = |text: &str| uuid::Uuid::parse_str(text).map(|id| ClientId(id.as_u128()));
    if !body.session.is_empty() {
        // Sessions have names of their own only on transports that need two connections.
        return Err(ErrorCode::NotAvailable.because("session"));
    }
    let only = match body.client.as_str() {
        "" => None,
        text => Some(
            client(text)
                .map_err(|fault| ErrorCode::BadRequest.because(format_args!("client: {fault}")))?,
        ),
    };
    // An id that is none of ours excepts nobody.
    let except = body.whitelist.iter().filter_map(|text| client(text).ok()).collect();
    Ok(Audience { user: body.user.clone(), client: only, except })
}

fn json_only(name: &str, data: Bytes) -> Result<Bytes, ClientError> {
    if !data.is_empty() {
        crate::protocol::is_json(&data)
            .map_err(|fault| ErrorCode::BadRequest.because(format_args!("{name}: {fault}")))?;
    }
    Ok(data)
}

fn expiry(seconds: u64) -> Option<UnixMillis> {
    (seconds > 0).then(|| UnixMillis(seconds.saturating_mul(1000)))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn raw(result: &impl Serialize) -> Outcome {
    Ok(to_raw_value(result).expect("results are plain data"))
}

pub(super) fn done() -> Outcome {
    Ok(RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"))
}
