//! Fixes: where an object or a device is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::fields::{self, Fields, not};
use super::geojson;
use super::place::PlaceFields;
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{Metres, Point};

/// A fix as it is reported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixSpec {
    pub(crate) channel: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) point: Point,
    pub(crate) accuracy: Option<Metres>,
    pub(crate) speed_mps: Option<f64>,
    pub(crate) heading_deg: Option<f64>,
    /// By the device's clock.
    pub(crate) time_ms: Option<u64>,
    /// Compact JSON, or empty.
    pub(crate) data: Bytes,
    pub(crate) tags: BTreeMap<String, String>,
}

const MEMBERS: [&str; 7] =
    ["key", "accuracy_m", "speed_mps", "heading_deg", "time_ms", "data", "tags"];
/// Longest time that a device may say, the year 9999.
const TIME_MS: usize = 253_402_300_799_999;
const METRES: f64 = 40_100_000.0;

impl FixSpec {
    /// A fix of a call: nothing in it is unknown.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, GeoError> {
        Self::of(&fields::parse(data).map_err(|fault| fault.within("data"))?)
    }

    /// A fix of the server API.
    pub(crate) fn of(value: &Value) -> Result<Self, GeoError> {
        let mut known = vec!["channel", "lat", "lng"];
        known.extend(MEMBERS);
        let fields = Fields::of(value, &known)?;
        let point = fields.point("lat", "lng")?;
        let data = fields.find("data").map(compact).unwrap_or_default();
        Ok(Self {
            channel: fields.text("channel")?.map(str::to_owned),
            ..read(&fields, point, data)?
        })
    }

    /// A fix that is published: an object whose place is in the fields that the namespace names,
    /// or a GeoJSON Feature. Where there is no member `data`, all members that are not the fix's
    /// are together the object's data.
    pub(crate) fn of_publication(data: &[u8], names: &PlaceFields<'_>) -> Result<Self, GeoError> {
        let value = fields::parse(data).map_err(|fault| fault.within("data"))?;
        let fields = Fields::any(&value).map_err(|fault| fault.within("data"))?;
        if fields.find("type").is_some_and(|kind| kind == "Feature") {
            return feature(&fields);
        }
        let point = fields.point(names.lat, names.lng)?;
        let data = match fields.find("data") {
            Some(data) => compact(data),
            None => rest(&value, names),
        };
        read(&fields, point, data)
    }
}

fn feature(fields: &Fields<'_>) -> Result<FixSpec, GeoError> {
    let geometry = fields.need("geometry")?;
    let point = geojson::only_point(geometry).map_err(|fault| fault.within("geometry"))?;
    let nothing = Value::Object(Map::new());
    let properties = fields.find("properties").unwrap_or(&nothing);
    let names = PlaceFields { lat: "", lng: "" };
    let read = Fields::any(properties).and_then(|of| {
        let data = of.find("data").map_or_else(|| rest(properties, &names), compact);
        read(&of, point, data)
    });
    let mut fix = read.map_err(|fault| fault.within("properties"))?;
    match fields.find("id") {
        Some(Value::String(id)) => fix.key = fix.key.or_else(|| Some(id.clone())),
        Some(Value::Number(id)) => fix.key = fix.key.or_else(|| Some(id.to_string())),
        _ => {}
    }
    Ok(fix)
}

fn read(fields: &Fields<'_>, point: Point, data: Bytes) -> Result<FixSpec, GeoError> {
    let time = fields.count("time_ms", (0, TIME_MS))?;
    Ok(FixSpec {
        channel: None,
        key: key(fields)?,
        point,
        accuracy: fields.number("accuracy_m", (0.0, METRES))?.map(Metres),
        speed_mps: fields.number("speed_mps", (0.0, 300_000.0))?,
        heading_deg: fields.number("heading_deg", (0.0, 360.0))?,
        time_ms: time.map(|time| time as u64),
        data,
        tags: fields
            .find("tags")
            .map(tags)
            .transpose()
            .map_err(|fault| fault.within("tags"))?
            .unwrap_or_default(),
    })
}

fn key(fields: &Fields<'_>) -> Result<Option<String>, GeoError> {
    let Some(key) = fields.text("key")? else { return Ok(None) };
    if key.is_empty() || key.len() > limits::OBJECT_KEY_BYTES {
        let most = limits::OBJECT_KEY_BYTES;
        return Err(GeoError::new("key", format_args!("a key has 1 to {most} bytes")));
    }
    Ok(Some(key.to_owned()))
}

fn tags(value: &Value) -> Result<BTreeMap<String, String>, GeoError> {
    let tags = value.as_object().ok_or_else(|| not("an object", value))?;
    if tags.len() > limits::TAGS {
        return Err(GeoError::new("", format_args!("more than {}", limits::TAGS)));
    }
    let one = |(key, value): (&String, &Value)| {
        let shown = || key.chars().take(64).collect::<String>();
        let text = value.as_str().ok_or_else(|| not("a string", value).within(&shown()))?;
        if key.len() > limits::TAG_BYTES || text.len() > limits::TAG_BYTES {
            let most = limits::TAG_BYTES;
            return Err(GeoError::new(shown(), format_args!("more than {most} bytes")));
        }
        Ok((key.clone(), text.to_owned()))
    };
    tags.iter().map(one).collect()
}

fn compact(value: &Value) -> Bytes {
    value.to_string().into()
}

/// The members that are not the fix's own; nothing where there are none.
fn rest(value: &Value, names: &PlaceFields<'_>) -> Bytes {
    let Some(object) = value.as_object() else { return Bytes::new() };
    let own = |key: &str| key == names.lat || key == names.lng || MEMBERS.contains(&key);
    let rest: Map<String, Value> = object
        .iter()
        .filter(|(key, _)| !own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if rest.is_empty() { Bytes::new() } else { compact(&Value::Object(rest)) }
}
