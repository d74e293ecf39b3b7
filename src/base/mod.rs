//! What every layer may name: identifiers, moments, limits. Nothing here knows of a protocol, a
//! network or a clock.

pub(crate) mod id;
pub(crate) mod limits;
pub(crate) mod time;

pub(crate) use id::{ClientId, Partition, SessionId, SubId};
pub(crate) use time::{Moment, Now, UnixMillis};
