//! Bodies of the server API's requests and answers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::channel::{Overrides, Since};
use crate::geo::json;
use crate::geo::{GeoError, Place};
use crate::node::Reach;
use crate::protocol::{ClientError, ClientInfo, ErrorCode, Publication};

/// Reads a body; a fault names the field. An empty body is an empty object.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|fault| {
        let path = fault.path().to_string();
        let why = fault.into_inner();
        match path.as_str() {
            "." => ErrorCode::BadRequest.because(why),
            path => ErrorCode::BadRequest.because(format_args!("{path}: {why}")),
        }
    })?;
    json.end().map_err(|fault| ErrorCode::BadRequest.because(fault))?;
    Ok(read)
}

/// `publish` (with `channel`) and `broadcast` (with `channels`).
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Publish {
    pub(super) channel: String,
    pub(super) channels: Vec<String>,
    #[serde(deserialize_with = "given")]
    data: Option<Box<RawValue>>,
    b64data: String,
    pub(super) skip_history: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) idempotency_key: String,
    pub(super) delta: bool,
    pub(super) version: u64,
    /// In a geo channel, where it happened: a GeoJSON geometry, or an object with `lat` and `lng`.
    place: Option<Box<RawValue>>,
    /// Metres from there within which subscribers get it.
    reach_m: Option<f64>,
    /// The area in which subscribers get it.
    reach: Option<Box<RawValue>>,
    /// In a channel of objects, the object.
    pub(super) key: String,
}

/// Whom `subscribe`, `unsubscribe`, `disconnect` and `refresh` are for, and all their fields.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ForUser {
    pub(super) user: String,
    pub(super) channel: String,
    pub(super) client: String,
    pub(super) session: String,
    pub(super) whitelist: Vec<String>,
    pub(super) disconnect: Option<DisconnectBody>,
    pub(super) expired: bool,
    /// Seconds since the Unix epoch; 0 for never.
    pub(super) expire_at: u64,
    info: Option<Box<RawValue>>,
    b64info: String,
    data: Option<Box<RawValue>>,
    b64data: String,
    pub(super) recover_since: Option<SinceBody>,
    /// In a geo channel, what a client would give as subscribe data.
    view: Option<Box<RawValue>>,
    #[serde(rename = "override")]
    overrides: OverridesBody,
}

#[derive(Deserialize)]
pub(super) struct DisconnectBody {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct SinceBody {
    offset: u64,
    epoch: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OverridesBody {
    presence: Option<Switch>,
    join_leave: Option<Switch>,
    force_push_join_leave: Option<Switch>,
    force_recovery: Option<Switch>,
    force_positioning: Option<Switch>,
}

#[derive(Deserialize)]
struct Switch {
    value: bool,
}

/// `presence`, `presence_stats`, `history`, `history_remove`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OfChannel {
    pub(super) channel: String,
    /// 0 asks for the position alone, a negative one for all.
    pub(super) limit: i64,
    pub(super) since: Option<SinceBody>,
    pub(super) reverse: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Channels {
    /// `*` stands for any text; empty for all.
    pub(super) pattern: String,
}

#[derive(Serialize)]
pub(super) struct Published {
    pub(super) offset: u64,
    pub(super) epoch: String,
}

/// Written whole, zeros included: server libraries read the fields without asking.
#[derive(Serialize)]
pub(super) struct Stats {
    pub(super) num_clients: u32,
    pub(super) num_users: u32,
}

#[derive(Serialize)]
pub(super) struct Members {
    pub(super) presence: BTreeMap<String, ClientInfo>,
}

#[derive(Serialize)]
pub(super) struct Page {
    pub(super) publications: Vec<Publication>,
    pub(super) offset: u64,
    pub(super) epoch: String,
}

/// JSON of any kind, `null` too; absence is `None`.
fn given<'de, D: serde::Deserializer<'de>>(body: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(body).map(Some)
}

impl Publish {
    pub(super) fn data(&self) -> Result<Bytes, ClientError> {
        payload("data", self.data.as_deref(), "b64data", &self.b64data)
    }
}

/// A fault of geography, with its field.
fn bad(fault: GeoError) -> ClientError {
    ErrorCode::BadRequest.because(fault)
}

impl Publish {
    pub(super) fn place(&self) -> Result<Option<Place>, ClientError> {
        let Some(place) = &self.place else { return Ok(None) };
        let place =
            &json::parse(place.get().as_bytes()).map_err(|fault| bad(fault.within("place")))?;
        let read = match place.get("type") {
            Some(_) => json::geometry(place).map(json::place_in),
            None => json::point(place).map(|at| Place { at, shape: None }),
        };
        read.map(Some).map_err(|fault| bad(fault.within("place")))
    }

    pub(super) fn reach(&self) -> Result<Option<Reach>, ClientError> {
        match (self.reach_m, &self.reach) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(bad(GeoError::new("reach", "not together with reach_m"))),
            (Some(metres), None) => Ok(Some(Reach::Metres(metres))),
            (None, Some(area)) => {
                let area = json::parse(area.get().as_bytes());
                let area = area.and_then(|area| json::fixed_area(&area));
                let area = area.map_err(|fault| fault.within("reach"));
                area.map(|area| Some(Reach::Area(area))).map_err(bad)
            }
        }
    }
}

impl ForUser {
    pub(super) fn info(&self) -> Result<Bytes, ClientError> {
        payload("info", self.info.as_deref(), "b64info", &self.b64info)
    }

    pub(super) fn data(&self) -> Result<Bytes, ClientError> {
        payload("data", self.data.as_deref(), "b64data", &self.b64data)
    }

    pub(super) fn area(&self) -> Bytes {
        let text = self.view.as_ref().map_or("", |view| view.get());
        Bytes::copy_from_slice(text.as_bytes())
    }

    pub(super) fn overrides(&self) -> Overrides {
        let value = |switch: &Option<Switch>| switch.as_ref().map(|switch| switch.value);
        Overrides {
            presence: value(&self.overrides.presence),
            join_leave: value(&self.overrides.join_leave),
            force_push_join_leave: value(&self.overrides.force_push_join_leave),
            force_recovery: value(&self.overrides.force_recovery),
            force_positioning: value(&self.overrides.force_positioning),
        }
    }
}

impl From<SinceBody> for Since {
    fn from(body: SinceBody) -> Self {
        Self { offset: body.offset, epoch: body.epoch }
    }
}

/// JSON text, or bytes in base64; empty where neither is there.
fn payload(
    name: &str,
    json: Option<&RawValue>,
    base64_name: &str,
    base64: &str,
) -> Result<Bytes, ClientError> {
    match (json, base64) {
        (Some(_), base64) if !base64.is_empty() => {
            Err(ErrorCode::BadRequest.because(format_args!("{name} and {base64_name}: give one")))
        }
        (Some(json), _) => Ok(Bytes::copy_from_slice(json.get().as_bytes())),
        (None, "") => Ok(Bytes::new()),
        (None, base64) => STANDARD
            .decode(base64)
            .map(Bytes::from)
            .map_err(|fault| ErrorCode::BadRequest.because(format_args!("{base64_name}: {fault}"))),
    }
}
