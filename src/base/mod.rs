//! What every layer may name: identifiers, moments, limits. Nothing here knows of a protocol, a
//! network or a clock.

mod encoding;
mod id;
pub(crate) mod limits;
mod time;

pub(crate) use encoding::Encoding;
pub(crate) use id::{ClientId, Partition, SessionId, SubId};
pub(crate) use time::{Moment, Now, UnixMillis};
