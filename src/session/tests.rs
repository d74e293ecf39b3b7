//! Tests of the session: by behaviour, against a model of the node, and by arbitrary sequences.

mod bytes;
mod close;
mod commands;
mod connect;
mod delivery;
mod lanes;
mod model;
mod recovery;
mod sequences;
mod server;
mod subscribe;
mod timers;
mod witness;

use super::{Origin, Session};

impl Session {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}
