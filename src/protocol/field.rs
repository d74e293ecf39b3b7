//! What JSON asks of a field, by its Rust type: zero and empty are left out and read back from
//! absence or `null`, as in Protobuf; bytes are embedded JSON text.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::json;

/// A type that a message's field may have.
pub(crate) trait Field: Sized {
    /// Whether the field is left out of the JSON object.
    fn is_absent(&self) -> bool;

    /// `null` reads as absence, except in bytes, where it is a value that may be published.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A message, as against the other types of field.
pub(crate) trait Object: DeserializeOwned + Serialize {}

pub(crate) fn is_absent<F: Field>(field: &F) -> bool {
    field.is_absent()
}

pub(crate) fn deserialize<'de, F: Field, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<F, D::Error> {
    F::read(deserializer)
}

pub(crate) fn serialize<F: Field, S: Serializer>(
    field: &F,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    field.write(serializer)
}

macro_rules! plain_fields {
    ($($kind:ty),*) => {$(
        impl Field for $kind {
            fn is_absent(&self) -> bool {
                *self == Self::default()
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

plain_fields!(bool, i32, i64, u32, u64, String, Vec<String>, BTreeMap<String, String>);

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
        let line = json::one_line(self);
        match json::raw(&line) {
            Some(raw) => raw.serialize(serializer),
            None => serializer.serialize_unit(),
        }
    }
}

impl<T: Object> Field for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Strict<T>>::deserialize(deserializer)?.map(|strict| strict.0))
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

impl<T: Object> Field for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::<Vec<Strict<T>>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(items.into_iter().map(|strict| strict.0).collect())
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

impl<T: Object> Field for BTreeMap<String, T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::<BTreeMap<String, Strict<T>>>::deserialize(deserializer)?;
        let items = items.unwrap_or_default();
        Ok(items.into_iter().map(|(key, strict)| (key, strict.0)).collect())
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

/// Reads a message from a JSON object only. A derived `Deserialize` would also take an array of
/// the fields' values in order, and so read `[]` as a pong.
pub(super) struct Strict<T>(pub(super) T);

impl<'de, T: Object> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ObjectOnly(deserializer)).map(Self)
    }
}

struct ObjectOnly<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
