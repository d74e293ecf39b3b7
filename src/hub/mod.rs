//! One lane's state: who is subscribed to its channels, and what each event means for them. Pure:
//! no IO, no clock, no async; the mailboxes and the encoder are arguments.

mod deltas;
mod lane;
#[cfg(test)]
mod tests;

pub(crate) use deltas::Step;
pub(crate) use lane::{Encoder, Input, Join, Lane, LaneCounts, Mailbox};
