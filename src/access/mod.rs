//! Who may do what. Pure: keys and the time are arguments, nothing here reads a clock or a network.

mod bounds;
mod permission;
pub(crate) mod token;

pub(crate) use bounds::GeoBounds;
pub(crate) use permission::{Identity, Request};
pub(crate) use token::wildcard_matches;
