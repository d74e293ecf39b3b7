//! JSON text: as a value, and as the members of an object that stay as they were written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::geo::error::GeoError;

/// Reads bytes as JSON of at most 127 levels of arrays and objects; a member that is there twice
/// is the last one.
pub(crate) fn parse(data: &[u8]) -> Result<Value, GeoError> {
    let read: Result<Plain, _> = serde_json::from_slice(data);
    read.map(|Plain(value)| value).map_err(|fault| {
        let message = fault.to_string();
        let why = if message.starts_with("recursion limit exceeded") {
            "nested too deep"
        } else if message.starts_with("number out of range") {
            "a number is out of range"
        } else {
            "not JSON"
        };
        let at = format!("line {} column {}", fault.line(), fault.column());
        GeoError::new("", format_args!("{why}, at {at}"))
    })
}

/// A value whose objects are what they look like. `Value` itself takes an object with a certain
/// key of serde_json's own as JSON text to be read in its place, each time with the full depth
/// again: 36 KB of such text nest 1,638 levels, more than a thread's stack may have.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
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

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Plain(value))) = map.next_entry()? {
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// The members of an object, each as it was written: numbers keep all their digits, and nothing
/// is too deep. Of a member that is there twice only the last is kept.
#[derive(Debug)]
pub(super) struct Members<'a>(BTreeMap<String, Cow<'a, str>>);

impl<'a> Members<'a> {
    /// `None` for what is no JSON object.
    pub(super) fn of(data: &'a [u8]) -> Option<Self> {
        let members: BTreeMap<String, &'a RawValue> = serde_json::from_slice(data).ok()?;
        let members = members.into_iter().map(|(name, text)| (name, Cow::Borrowed(text.get())));
        Some(Self(members.collect()))
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Cow::as_ref)
    }

    pub(super) fn set(&mut self, name: &str, value: &Value) {
        self.0.insert(name.to_owned(), Cow::Owned(value.to_string()));
    }

    /// `text` is JSON.
    pub(super) fn set_text(&mut self, name: &str, text: String) {
        self.0.insert(name.to_owned(), Cow::Owned(text));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn keep(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|name, _| is_kept(name));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as compact JSON, members in order of their names.
    pub(super) fn text(&self) -> String {
        let mut out = String::from("{");
        for (name, text) in &self.0 {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&Value::from(name.as_str()).to_string());
            out.push(':');
            push_compact(&mut out, text);
        }
        out.push('}');
        out
    }
}

/// JSON text without the space between its tokens: line breaks would end a message of the
/// protocol early.
pub(super) fn compact(text: &str) -> Bytes {
    let mut out = String::with_capacity(text.len());
    push_compact(&mut out, text);
    out.into()
}

fn push_compact(out: &mut String, text: &str) {
    let (mut in_string, mut escaped) = (false, false);
    out.extend(text.chars().filter(|&char| {
        if in_string {
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
            return true;
        }
        in_string = char == '"';
        !matches!(char, ' ' | '\t' | '\n' | '\r')
    }));
}
