//! The two encodings of the client protocol.

/// How a session's commands, replies and pushes are written; fixed when it is made. What is shared
/// between sessions is encoded once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Json,
    Protobuf,
}
