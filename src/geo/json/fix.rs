//! Fixes: where an object or a device is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::fields::{Fields, not, unknown};
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

/// Members of a fix beside its place and `data`.
const MEMBERS: [&str; 6] = ["key", "accuracy_m", "speed_mps", "heading_deg", "time_ms", "tags"];
/// Longest time that a device may say, the year 9999.
const TIME_MS: usize = 253_402_300_799_999;
/// The last number up to which JavaScript counts exactly.
const SEQUENCE: usize = (1 << 53) - 1;
const METRES: f64 = 40_100_000.0;

impl FixSpec {
    /// A fix of a call: nothing in it is unknown.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, GeoError> {
        Self::with(data, None).map(|(fix, _)| fix)
    }

    /// A fix with its place among others, `seq`, which it must have.
    pub(crate) fn in_sequence(data: &[u8]) -> Result<(Self, u64), GeoError> {
        let (fix, seq) = Self::with(data, Some("seq"))?;
        Ok((fix, seq.ok_or_else(|| GeoError::new("seq", "missing"))?))
    }

    fn with(data: &[u8], sequence: Option<&str>) -> Result<(Self, Option<u64>), GeoError> {
        let members = Members::object(data).map_err(|fault| fault.within("data"))?;
        let mut known = vec!["channel", "lat", "lng"];
        known.extend(sequence);
        known.extend(MEMBERS);
        known.push("data");
        if let Some(name) = members.names().find(|name| !known.contains(name)) {
            return Err(unknown(name, &known));
        }
        known.pop();
        let value = members.read(&known)?;
        let fields = Fields::any(&value)?;
        let point = fields.point("lat", "lng")?;
        let channel = fields.text("channel")?.map(str::to_owned);
        let seq = sequence.map(|name| fields.count(name, (0, SEQUENCE))).transpose()?.flatten();
        let data = own_data(&members)?.unwrap_or_default();
        Ok((Self { channel, ..read(&fields, point, data)? }, seq.map(|seq| seq as u64)))
    }

    /// A fix that is published: an object whose place is in the fields that the namespace names,
    /// or a GeoJSON Feature. Where there is no member `data`, all members that are not the fix's
    /// are together the object's data.
    pub(crate) fn of_publication(data: &[u8], names: &PlaceFields<'_>) -> Result<Self, GeoError> {
        let members = Members::object(data).map_err(|fault| fault.within("data"))?;
        if members.is_feature() {
            return feature(&members);
        }
        let place = [names.lat, names.lng];
        let value = members.read(&place)?;
        let point = Fields::any(&value)?.point(names.lat, names.lng)?;
        with_rest(members, point, &place)
    }
}

fn feature(members: &Members<'_>) -> Result<FixSpec, GeoError> {
    let value = members.read(&["geometry", "id"])?;
    let fields = Fields::any(&value)?;
    let geometry = fields.need("geometry")?;
    let point = geojson::only_point(geometry).map_err(|fault| fault.within("geometry"))?;
    let properties = members.find("properties").filter(|text| *text != "null").unwrap_or("{}");
    let properties = Members::object(properties.as_bytes());
    let fix = properties.and_then(|properties| with_rest(properties, point, &[]));
    let mut fix = fix.map_err(|fault| fault.within("properties"))?;
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

/// The fix of an object with members of any name, of which `place` say where it is.
fn with_rest(mut members: Members<'_>, point: Point, place: &[&str]) -> Result<FixSpec, GeoError> {
    let value = members.read(&MEMBERS)?;
    let data = match own_data(&members)? {
        Some(data) => data,
        None => {
            let own = |name: &str| name == "data" || MEMBERS.contains(&name);
            members.keep(|name| !place.contains(&name) && !own(name));
            match members.is_empty() {
                true => Bytes::new(),
                false => text::compact(&members.text()).ok_or_else(|| too_deep(""))?,
            }
        }
    };
    read(&Fields::any(&value)?, point, data)
}

/// What the member `data` has, as it was written.
fn own_data(members: &Members<'_>) -> Result<Option<Bytes>, GeoError> {
    let data = members.find("data").filter(|text| *text != "null");
    data.map(|text| text::compact(text).ok_or_else(|| too_deep("data"))).transpose()
}

fn too_deep(path: &str) -> GeoError {
    GeoError::new(path, "nested too deep")
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

/// A key as it is, if it may be one.
pub(super) fn checked_key(key: String) -> Result<String, GeoError> {
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
