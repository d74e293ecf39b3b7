//! Fixes: where an object or a device is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::fields::{Fields, not};
use super::geojson;
use super::place::PlaceFields;
use super::text::{self, Members};
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
    /// JSON without space between its tokens, else as it was written; or empty.
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
        let value = text::parse(data).map_err(|fault| fault.within("data"))?;
        Fields::any(&value).map_err(|fault| fault.within("data"))?;
        let mut known = vec!["channel", "lat", "lng"];
        known.extend(MEMBERS);
        let fields = Fields::of(&value, &known)?;
        let point = fields.point("lat", "lng")?;
        let channel = fields.text("channel")?.map(str::to_owned);
        let own = fields.find("data").and(Members::of(data));
        let own = own.as_ref().and_then(|members| members.find("data"));
        let data = own.map(text::compact).unwrap_or_default();
        Ok(Self { channel, ..read(&fields, point, data)? })
    }

    /// A fix that is published: an object whose place is in the fields that the namespace names,
    /// or a GeoJSON Feature. Where there is no member `data`, all members that are not the fix's
    /// are together the object's data.
    pub(crate) fn of_publication(data: &[u8], names: &PlaceFields<'_>) -> Result<Self, GeoError> {
        let value = text::parse(data).map_err(|fault| fault.within("data"))?;
        let fields = Fields::any(&value).map_err(|fault| fault.within("data"))?;
        if fields.find("type").is_some_and(|kind| kind == "Feature") {
            return feature(&fields, data);
        }
        let point = fields.point(names.lat, names.lng)?;
        read(&fields, point, data_of(&fields, data, &[names.lat, names.lng]))
    }
}

fn feature(fields: &Fields<'_>, written: &[u8]) -> Result<FixSpec, GeoError> {
    let geometry = fields.need("geometry")?;
    let point = geojson::only_point(geometry).map_err(|fault| fault.within("geometry"))?;
    let nothing = Value::Object(serde_json::Map::new());
    let properties = fields.find("properties").unwrap_or(&nothing);
    let members = Members::of(written);
    let written = members.as_ref().and_then(|members| members.find("properties"));
    let read = Fields::any(properties).and_then(|of| {
        let data = data_of(&of, written.unwrap_or_default().as_bytes(), &[]);
        read(&of, point, data)
    });
    let mut fix = read.map_err(|fault| fault.within("properties"))?;
    let id = match fields.find("id") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(other) => return Err(not("a string or a number", other).within("id")),
    };
    if let Some(id) = id.filter(|_| fix.key.is_none()) {
        fix.key = Some(checked_key(id).map_err(|fault| fault.within("id"))?);
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
    let key = fields.text("key")?.map(|key| checked_key(key.to_owned()));
    key.transpose().map_err(|fault| fault.within("key"))
}

fn checked_key(key: String) -> Result<String, GeoError> {
    if key.is_empty() || key.len() > limits::OBJECT_KEY_BYTES {
        let most = limits::OBJECT_KEY_BYTES;
        return Err(GeoError::new("", format_args!("a key has 1 to {most} bytes")));
    }
    Ok(key)
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

/// The object's data as it is in `written`, the text of `fields`: the member `data`, or without
/// one all members that are not the fix's own, `place` among these; nothing where there are none.
fn data_of(fields: &Fields<'_>, written: &[u8], place: &[&str]) -> Bytes {
    let Some(mut members) = Members::of(written) else { return Bytes::new() };
    if fields.find("data").is_some() {
        return members.find("data").map(text::compact).unwrap_or_default();
    }
    members.keep(|name| !place.contains(&name) && !MEMBERS.contains(&name));
    if members.is_empty() { Bytes::new() } else { members.text().into() }
}
