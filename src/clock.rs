//! The only place that reads the operating system's clock. Every node carries its own [`Clock`], so
//! that tests and simulations can give each node its own time.

#![expect(clippy::disallowed_methods, reason = "the one reader of the operating system's clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::base::{Moment, Now, UnixMillis};

/// Monotonic time comes from tokio's clock, so that paused time in tests pauses it too; wall time
/// is the operating system's, and may be set at any moment: it is never used for intervals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now {
            moment: self.moment(),
            unix: UnixMillis(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// The runtime's instant for a moment of this clock, to sleep until.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.origin + Duration::from_nanos(moment.0)
    }
}
