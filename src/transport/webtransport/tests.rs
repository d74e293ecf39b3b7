//! What is pure of a session. Whole sessions, over real sockets, are in the integration tests.

mod http3;
mod incoming;
mod outgoing;
