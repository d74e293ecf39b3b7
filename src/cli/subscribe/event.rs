//! What `nearcast sub` prints.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::publication::{self, Data};
use crate::protocol::{ClientInfo, Publication, SubscribeResult, Unsubscribe};

/// Something that happened in a channel.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Event<'a> {
    pub(super) channel: &'a str,
    pub(in crate::cli) kind: Kind<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Kind<'a> {
    Subscribed(&'a SubscribeResult),
    Publication(&'a Publication),
    Join(&'a ClientInfo),
    Leave(&'a ClientInfo),
    Unsubscribed(&'a Unsubscribe),
}

/// A line of JSON: channel, event, and what there is to say of it.
#[derive(Serialize)]
struct Line<'a> {
    channel: &'a str,
    #[serde(flatten)]
    event: Json<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Json<'a> {
    Subscribed {
        offset: u64,
        epoch: &'a str,
        recoverable: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Box<RawValue>>,
    },
    Publication {
        #[serde(flatten)]
        publication: Said<'a>,
    },
    Join {
        info: Who<'a>,
    },
    Leave {
        info: Who<'a>,
    },
    Unsubscribed {
        code: u32,
        reason: &'a str,
    },
}

#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    data: Data,
    #[serde(skip_serializing_if = "is_zero")]
    offset: u64,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    tags: &'a std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Who<'a>>,
}

#[derive(Serialize)]
struct Who<'a> {
    user: &'a str,
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_info: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chan_info: Option<Box<RawValue>>,
}

impl<'a> Who<'a> {
    fn of(info: &'a ClientInfo) -> Self {
        let json = |bytes: &[u8]| serde_json::from_slice(bytes).ok();
        Self {
            user: &info.user,
            client: &info.client,
            conn_info: json(&info.conn_info),
            chan_info: json(&info.chan_info),
        }
    }
}

impl Event<'_> {
    pub(super) fn json(&self) -> String {
        let event = match self.kind {
            Kind::Subscribed(result) => Json::Subscribed {
                offset: result.offset,
                epoch: &result.epoch,
                recoverable: result.recoverable,
                recovered: result.was_recovering.then_some(result.recovered),
                data: serde_json::from_slice(&result.data).ok(),
            },
            Kind::Publication(publication) => Json::Publication {
                publication: Said {
                    data: Data::of(&publication.data),
                    offset: publication.offset,
                    tags: &publication.tags,
                    info: publication.info.as_ref().map(Who::of),
                },
            },
            Kind::Join(info) => Json::Join { info: Who::of(info) },
            Kind::Leave(info) => Json::Leave { info: Who::of(info) },
            Kind::Unsubscribed(unsubscribe) => {
                Json::Unsubscribed { code: unsubscribe.code, reason: &unsubscribe.reason }
            }
        };
        let line = Line { channel: self.channel, event };
        let text = serde_json::to_string(&line).expect("an event is plain data");
        // Published data may stand on several lines; between tokens a space does as well.
        text.replace(['\n', '\r'], " ")
    }

    /// A line for people; nothing where the terminal hears of it by other ways.
    pub(in crate::cli) fn text(&self) -> Option<String> {
        match self.kind {
            Kind::Publication(publication) => Some(publication::line(publication)),
            Kind::Join(info) => Some(format!("+ {}", publication::name(info))),
            Kind::Leave(info) => Some(format!("- {}", publication::name(info))),
            Kind::Subscribed(_) | Kind::Unsubscribed(_) => None,
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
