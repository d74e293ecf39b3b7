//! What JSON asks of a message and of its fields, by their Rust type. Zero and empty are left out,
//! and read back from absence or `null`, as in Protobuf; unknown fields are skipped and the last of
//! several equal ones counts, as in Protobuf; bytes are embedded JSON text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::json;

/// A message, read from a JSON object field by field.
pub(crate) trait Object: Default + DeserializeOwned + Serialize {
    /// Takes the value of the field `name` off `object`. False where there is no such field: the
    /// value is still to be taken.
    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        object: &mut A,
    ) -> Result<bool, A::Error>;
}

/// A type that a message's field may have.
pub(crate) trait Field: Sized {
    /// Whether the field is left out of the JSON object.
    fn is_absent(&self) -> bool;

    /// `null` reads as absence, except in bytes, where it is a value that may be published.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Reads an object and nothing else; in the error, the names of the fields lead to the fault.
/// (A derived implementation names none, and takes an array of the fields' values as well, so that
/// `[]` would be a pong.)
pub(crate) fn read_object<'de, T: Object, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// Reads the value of the field whose name was read last.
pub(crate) fn read_value<'de, F: Field, A: MapAccess<'de>>(object: &mut A) -> Result<F, A::Error> {
    object.next_value::<Value<F>>().map(|value| value.0)
}

/// A field's name on the wire: `r#type` is `type`.
pub(crate) fn unraw(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

struct Value<F>(F);

impl<'de, F: Field> Deserialize<'de> for Value<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        F::read(deserializer).map(Self)
    }
}

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let mut message = T::default();
        while let Some(Name(name)) = object.next_key()? {
            let known = message
                .read_field(&name, &mut object)
                .map_err(|fault| A::Error::custom(format_args!("{name}: {fault}")))?;
            if !known {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(message)
    }
}

// === Types of fields ===

macro_rules! fields {
    ($( { $($parameters:tt)* } $kind:ty, $is_absent:expr; )*) => {$(
        impl $($parameters)* Field for $kind {
            fn is_absent(&self) -> bool {
                $is_absent(self)
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Option::deserialize(deserializer)?.unwrap_or_default())
            }

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

fields! {
    {} bool, |value: &bool| !value;
    {} i32, |value: &i32| *value == 0;
    {} i64, |value: &i64| *value == 0;
    {} u32, |value: &u32| *value == 0;
    {} u64, |value: &u64| *value == 0;
    {} String, String::is_empty;
    {} Vec<String>, Vec::is_empty;
    {} BTreeMap<String, String>, BTreeMap::is_empty;
    { <T: Object> } Option<T>, Option::is_none;
    { <T: Object> } Vec<T>, Vec::is_empty;
    { <T: Object> } BTreeMap<String, T>, BTreeMap::is_empty;
}

impl Field for Bytes {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self::copy_from_slice(text.as_bytes()))
    }

    /// Data that is not JSON becomes `null`: one publication is lost to JSON clients, where a
    /// broken frame would cost them the connection.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match json::raw(&json::one_line(self)) {
            Some(raw) => raw.serialize(serializer),
            None => serializer.serialize_unit(),
        }
    }
}
