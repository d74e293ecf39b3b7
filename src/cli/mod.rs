//! cli

pub(crate) mod config;
