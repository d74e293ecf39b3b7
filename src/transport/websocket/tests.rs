mod autobahn;
mod client;
mod connection;
mod frame;
mod handshake;
mod outgoing;
