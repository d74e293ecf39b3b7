//! Listeners and what they serve.

mod options;

pub(crate) use options::{ApiOptions, ServerOptions, TlsFiles, WebSocketOptions};
