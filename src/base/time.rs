//! Time as a value. The pure layers take [`Now`] as an argument; `clock` alone reads the operating
//! system's clock.

use std::time::Duration;

/// A point on a node's monotonic clock: nanoseconds since the clock was made. Only for intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// The moment `duration` later; saturates at the end of the clock (584 years).
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero where it was not earlier.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Milliseconds since the Unix epoch, as clients and tokens see time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnixMillis(pub(crate) u64);

impl UnixMillis {
    pub(crate) fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// The same instant on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) moment: Moment,
    pub(crate) unix: UnixMillis,
}
