//! One client's state machine.

mod options;

pub(crate) use options::{PersonalChannel, SessionOptions};
