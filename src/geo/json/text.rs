//! JSON text: as a value, and as the members of an object that stay as they were written.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fields::not;
use crate::base::limits;
use crate::geo::error::GeoError;

/// Reads bytes as JSON of at most 127 levels of arrays and objects; a member that is there twice
/// is the last one. The values may take tens of times the memory of their text.
pub(crate) fn parse(data: &[u8]) -> Result<Value, GeoError> {
    read(data, usize::MAX)
}

/// The same for what clients send, which no area needs more than [`limits::AREA_VALUES`] of.
pub(crate) fn parse_small(data: &[u8]) -> Result<Value, GeoError> {
    read(data, limits::AREA_VALUES)
}

fn read(data: &[u8], values: usize) -> Result<Value, GeoError> {
    let left = Cell::new(values);
    let mut text = serde_json::Deserializer::from_slice(data);
    let read = Plain(&left).deserialize(&mut text);
    read.and_then(|value| text.end().map(|()| value)).map_err(|fault| {
        let message = fault.to_string();
        let why = if message.starts_with("recursion limit exceeded") {
            "nested too deep"
        } else if message.starts_with("number out of range") {
            "a number is out of range"
        } else if message.starts_with(TOO_MANY) {
            TOO_MANY
        } else {
            "not JSON"
        };
        let at = format!("line {} column {}", fault.line(), fault.column());
        GeoError::new("", format_args!("{why}, at {at}"))
    })
}

const TOO_MANY: &str = "too many values";
/// What a member costs, its name and its place in the order of names, in values.
const MEMBER: usize = 6;

/// A value whose objects are what they look like, and how many more values there may be. `Value`
/// itself takes an object with a certain key of serde_json's own as JSON text to be read in its
/// place, each time with the full depth again: 36 KB of such text nest 1,638 levels, more than a
/// thread's stack may have.
#[derive(Clone, Copy)]
struct Plain<'a>(&'a Cell<usize>);

impl Plain<'_> {
    fn take<E: Error>(self, count: usize) -> Result<(), E> {
        self.0.set(self.0.get().checked_sub(count).ok_or_else(|| E::custom(TOO_MANY))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            self.take(1)?;
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key()? {
            self.take(MEMBER)?;
            members.insert(name, map.next_value_seed(self)?);
        }
        Ok(Value::Object(members))
    }
}

/// The members of an object, each as it was written and in that order: numbers keep all their
/// digits, and only what is asked for is read. Of a member that is there twice the last counts.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// `None` for what is no JSON object.
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        let mut text = serde_json::Deserializer::from_slice(data);
        let members = text.deserialize_map(Written).ok()?;
        text.end().ok()?;
        Some(Self(members))
    }

    /// Says what else it is.
    pub(super) fn object(data: &'a [u8]) -> Result<Self, GeoError> {
        Self::of(data).ok_or_else(|| match parse_small(data) {
            Ok(value) => not("an object", &value),
            Err(fault) => fault,
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, text)| text.as_ref())
    }

    /// An object of the members `names`, as far as they are there.
    pub(super) fn read(&self, names: &[&str]) -> Result<Value, GeoError> {
        let mut found = Map::new();
        for name in names {
            if let Some(text) = self.find(name) {
                let value = parse_small(text.as_bytes()).map_err(|fault| fault.within(name))?;
                found.insert((*name).to_owned(), value);
            }
        }
        Ok(Value::Object(found))
    }

    /// Whether it says that it is a GeoJSON Feature.
    pub(super) fn is_feature(&self) -> bool {
        let kind = self.find("type").and_then(|kind| parse_small(kind.as_bytes()).ok());
        kind.is_some_and(|kind| kind == "Feature")
    }

    pub(super) fn set(&mut self, name: &str, value: &Value) {
        self.set_text(name, value.to_string());
    }

    /// `text` is JSON.
    pub(super) fn set_text(&mut self, name: &str, text: String) {
        let at = self.0.iter().position(|(known, _)| known == name).unwrap_or(self.0.len());
        self.keep(|known| known != name);
        self.0.insert(at, (Cow::Owned(name.to_owned()), Cow::Owned(text)));
    }

    pub(super) fn keep(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| is_kept(name));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as compact JSON.
    pub(super) fn text(&self) -> String {
        let mut out = String::from("{");
        for (name, text) in &self.0 {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&Value::from(name.as_ref()).to_string());
            out.push(':');
            push_compact(&mut out, text);
        }
        out.push('}');
        out
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let text: &'de RawValue = map.next_value()?;
            members.push((name, Cow::Borrowed(text.get())));
        }
        Ok(members)
    }
}

/// A member's name, borrowed unless something in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// JSON text without the space between its tokens: line breaks would end a message of the
/// protocol early. `None` where it is nested too deep for those who are to read it.
pub(super) fn compact(text: &str) -> Option<Bytes> {
    let mut out = String::with_capacity(text.len());
    // The object that the text is shown in is one level, what that is sent in another.
    (push_compact(&mut out, text) + 2 <= limits::JSON_DEPTH).then(|| out.into())
}

/// Tells how deep it is nested.
fn push_compact(out: &mut String, text: &str) -> usize {
    let (mut in_string, mut escaped) = (false, false);
    let (mut depth, mut deepest) = (0_usize, 0);
    out.extend(text.chars().filter(|&char| {
        if in_string {
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
            return true;
        }
        match char {
            '"' => in_string = true,
            '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        !matches!(char, ' ' | '\t' | '\n' | '\r')
    }));
    deepest
}
