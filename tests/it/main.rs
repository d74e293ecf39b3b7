//! Drives the real program over real sockets: every test starts a node of its own on ports that the
//! system chooses, talks to it as clients, backends and operators do, and fails where the node logs
//! a warning that nobody expected. `NEARCAST_LONG=1` runs the long forms.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what it expected by failing"
)]

mod api;
mod api_bodies;
mod cli_tls;
mod client;
mod codes;
mod concurrency;
mod demo;
mod flood;
mod frames;
mod geo_bounds;
mod geo_devices;
mod geo_events;
mod geo_fixes;
mod geo_load;
mod geo_objects;
mod geo_zones;
mod handshake;
mod http;
mod life;
mod logs;
mod node;
mod ping;
mod protobuf;
mod proxy;
mod random;
mod raw;
mod slow;
mod time;
mod tls;
mod webhook;
mod webtransport;
mod webtransport_bounds;
mod webtransport_datagrams;
mod webtransport_hostile;
mod webtransport_network;
mod webtransport_raw;
mod webtransport_streams;
