//! How a message is declared: one struct that is both a Protobuf message and a JSON object.

/// Declares wire messages. Each field carries its `#[prost(...)]` attribute; what JSON asks of a
/// field follows from its type, see [`Field`](super::field::Field).
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        struct $name:ident { $( $(#[$field_meta:meta])* $field:ident: $kind:ty, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub(crate) struct $name {
            $(
                $(#[$field_meta])*
                #[serde(
                    with = "crate::protocol::field",
                    skip_serializing_if = "crate::protocol::field::is_absent"
                )]
                pub(crate) $field: $kind,
            )*
        }

        impl crate::protocol::field::Object for $name {}
    )*};
}

pub(crate) use messages;
