//! The members of a JSON object, taken one by one with clear answers for what is wrong.

use serde_json::{Map, Value};

use crate::geo::error::GeoError;
use crate::geo::point::{LatLng, Metres, Point};

/// The members of an object, of which all are known.
#[derive(Debug)]
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// `known` are the members that it may have.
    pub(crate) fn of(value: &'a Value, known: &[&str]) -> Result<Self, GeoError> {
        let fields = Self::any(value)?;
        match fields.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(unknown(key, known)),
            None => Ok(fields),
        }
    }

    /// An object that may have members of any name.
    pub(crate) fn any(value: &'a Value) -> Result<Self, GeoError> {
        value.as_object().map(Self).ok_or_else(|| not("an object", value))
    }

    /// A member that is there and not null.
    pub(crate) fn find(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn need(&self, name: &str) -> Result<&'a Value, GeoError> {
        self.find(name).ok_or_else(|| GeoError::new(name, "missing"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, GeoError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| not("a string", value).within(name))
    }

    pub(crate) fn need_text(&self, name: &str) -> Result<&'a str, GeoError> {
        self.text(name)?.ok_or_else(|| GeoError::new(name, "missing"))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, GeoError> {
        let Some(value) = self.find(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| not("true or false", value).within(name))
    }

    /// A number in a range, both ends included.
    pub(crate) fn number(
        &self,
        name: &str,
        (least, most): (f64, f64),
    ) -> Result<Option<f64>, GeoError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let number = number(value).map_err(|fault| fault.within(name))?;
        if (least..=most).contains(&number) {
            return Ok(Some(number));
        }
        let (number, least_shown) = (shown(number), shown(least));
        let range = if most < f64::MAX {
            format!("{number} is outside {least_shown}..{}", shown(most))
        } else if (f64::MIN_POSITIVE..=f64::MIN_POSITIVE).contains(&least) {
            format!("{number} is not above 0")
        } else {
            format!("{number} is below the least, {least_shown}")
        };
        Err(GeoError::new(name, range))
    }

    /// A whole number in a range, both ends included.
    pub(crate) fn count(
        &self,
        name: &str,
        (least, most): (usize, usize),
    ) -> Result<Option<usize>, GeoError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        match count {
            Some(count) if (least..=most).contains(&count) => Ok(Some(count)),
            _ => Err(GeoError::new(name, format_args!("must be a whole number {least}..{most}"))),
        }
    }

    pub(crate) fn metres(&self, name: &str, least: f64) -> Result<Option<Metres>, GeoError> {
        Ok(self.number(name, (least, f64::MAX))?.map(Metres))
    }

    /// A member that is `{"lat":…,"lng":…}` and nothing else.
    pub(crate) fn need_point(&self, name: &str) -> Result<Point, GeoError> {
        point(self.need(name)?).map_err(|fault| fault.within(name))
    }

    /// The place in two members of this object.
    pub(crate) fn point(&self, lat: &str, lng: &str) -> Result<Point, GeoError> {
        let number = |name: &str| number(self.need(name)?).map_err(|fault| fault.within(name));
        let (lat_value, lng_value) = (number(lat)?, number(lng)?);
        LatLng::new(lat_value, lng_value).map(Point::from).map_err(|fault| {
            let name = if fault.field() == "lat" { lat } else { lng };
            GeoError::new(name, fault)
        })
    }
}

/// `{"lat":…,"lng":…}` and nothing else.
pub(crate) fn point(value: &Value) -> Result<Point, GeoError> {
    Fields::of(value, &["lat", "lng"])?.point("lat", "lng")
}

pub(super) fn number(value: &Value) -> Result<f64, GeoError> {
    let number = value.as_f64().ok_or_else(|| not("a number", value))?;
    if number.is_finite() { Ok(number) } else { Err(GeoError::new("", "not a finite number")) }
}

/// The fault of a member that is none of the known ones.
pub(super) fn unknown(name: &str, known: &[&str]) -> GeoError {
    let shown: String = name.chars().take(64).collect();
    GeoError::new(shown, format_args!("unknown; there are {}", known.join(", ")))
}

/// A number as a fault shows it: not by the 309 digits that the largest has.
pub(super) fn shown(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e15).contains(&size) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

pub(super) fn not(wanted: &str, found: &Value) -> GeoError {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    GeoError::new("", format_args!("must be {wanted}, not {kind}"))
}
