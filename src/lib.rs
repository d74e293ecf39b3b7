//! nearcast delivers what happens near a person to that person's phone, now.
//!
//! The layers, what each may name and why are in `docs/architecture.md`; `tests/tidy.rs` holds the
//! source to it.

mod access;
mod base;
mod channel;
mod cli;
mod client;
mod clock;
mod config;
mod engine;
mod geo;
mod hooks;
mod hub;
#[doc(hidden)]
pub mod internals;
mod node;
mod protocol;
mod server;
mod session;
mod telemetry;
mod transport;

pub use cli::run;
