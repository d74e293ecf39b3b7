//! Who may do what. Pure: keys and the time are arguments, nothing here reads a clock or a network.

pub(crate) mod token;
