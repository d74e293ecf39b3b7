//! How a message is declared: one struct that is both a Protobuf message and a JSON object.

/// Declares wire messages. Each field carries its `#[prost(...)]` attribute; what JSON asks of a
/// field follows from its type, see [`Field`](super::field::Field).
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        struct $name:ident { $( $(#[$field_meta:meta])* $field:ident: $kind:ty, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
        pub(crate) struct $name {
            $(
                $(#[$field_meta])*
                #[serde(
                    serialize_with = "crate::protocol::field::Field::write",
                    skip_serializing_if = "crate::protocol::field::Field::is_absent"
                )]
                pub(crate) $field: $kind,
            )*
        }

        impl crate::protocol::field::Object for $name {
            fn read_field<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                object: &mut A,
            ) -> Result<bool, A::Error> {
                $(
                    if name == crate::protocol::field::unraw(stringify!($field)) {
                        self.$field = crate::protocol::field::read_value(object)?;
                        return Ok(true);
                    }
                )*
                // A message without fields uses neither.
                let _ = (name, object);
                Ok(false)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                crate::protocol::field::read_object(deserializer)
            }
        }

        #[cfg(test)]
        impl crate::protocol::tests::Sample for $name {
            fn sample(levels: u32) -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::{Just, Strategy as _};

                let message = Just(Self::default()).boxed();
                $(
                    let value = <$kind as crate::protocol::tests::Sample>::sample(levels);
                    let message = (message, value)
                        .prop_map(|(mut message, value)| {
                            message.$field = value;
                            message
                        })
                        .boxed();
                )*
                let _ = levels;
                message
            }
        }
    )*};
}

pub(crate) use messages;
