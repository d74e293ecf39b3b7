//! How often something is told: what clients can make happen does not fill the log, and what lasts
//! does not say so at every look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::base::Moment;

/// Lets one through in each period, the first at once.
#[derive(Debug)]
pub(super) struct Throttle {
    period: Duration,
    /// The moment from which on the next passes.
    next: AtomicU64,
}

impl Throttle {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, next: AtomicU64::new(0) }
    }

    /// Whether it is time again; if so, the next period begins.
    pub(super) fn pass(&self, now: Moment) -> bool {
        let after = |next: u64| (now.0 >= next).then(|| now.after(self.period).0);
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_in_each_period() {
        let throttle = Throttle::new(Duration::from_secs(60));
        let pass = |seconds: u64| throttle.pass(Moment(seconds * 1_000_000_000));
        assert_eq!([0, 0, 59, 60, 61].map(pass), [true, false, false, true, false]);
        // The period begins with what passed.
        assert_eq!([200, 259, 260].map(pass), [true, false, true]);
    }
}
