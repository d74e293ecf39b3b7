//! A client of the protocol and one of the server API, for the terminal, for load and for tests.
//! Neither reconnects by itself: whoever uses them decides what an end means.

mod api;
mod dial;
mod tls;
mod websocket;

pub(crate) use api::{ApiClient, ApiError};
pub(crate) use tls::{Authorities, AuthoritiesError, Fingerprint, HandshakeFault, Trust};
pub(crate) use websocket::{CallError, Client, ConnectError, Target};

#[cfg(test)]
pub(crate) mod tests;
