//! One lane's state: who is subscribed to its channels, where its objects are, and what each event
//! means for whom. Pure: no IO, no clock, no async; the mailboxes and the encoder are arguments.

mod allowance;
mod deltas;
mod events;
mod fan_out;
mod lane;
mod members;
mod objects;
mod room;
#[cfg(test)]
mod tests;

pub(crate) use deltas::Step;
pub(crate) use fan_out::Encoder;
pub(crate) use lane::{
    AreaChange, FenceNotice, Ignored, Input, Join, Lane, LaneCounts, Mailbox, ObjectAct, Output,
    Subscriber,
};
