//! [`Allowance`]: how many objects a lane may look at for what one input means to subscriptions that
//! are not told of it: areas that follow somebody, lists of the nearest that have to be filled
//! again. What is beyond is done later, so that a few bytes from one client never cost a lane more
//! than a share of its time.

use std::time::Duration;

use crate::base::{Moment, limits};

/// A bucket of looks that fills with time. A look at many objects is one piece and may leave it in
/// debt; nothing more is begun before that is paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    most: u64,
    left: u64,
    debt: u64,
    /// When it was last filled.
    at: Moment,
}

impl Allowance {
    pub(super) fn of(most: usize) -> Self {
        let most = looks(most);
        Self { most, left: most, debt: 0, at: Moment(0) }
    }

    /// Fills it with what came since it was last asked.
    pub(super) fn fill(&mut self, now: Moment) {
        let came = now.0.saturating_sub(self.at.0) / NANOS_A_LOOK;
        if came == 0 {
            return;
        }
        self.at = now;
        let paid = came.min(self.debt);
        self.debt -= paid;
        self.left = self.left.saturating_add(came - paid).min(self.most);
    }

    /// Whether a look may begin.
    pub(super) fn has_some(&self) -> bool {
        self.left > 0
    }

    pub(super) fn take(&mut self, count: usize) {
        let count = looks(count);
        self.debt += count.saturating_sub(self.left);
        self.left = self.left.saturating_sub(count);
    }

    /// When something may begin that could not: later than now.
    pub(super) fn next(&self, now: Moment) -> Moment {
        let wait = Duration::from_nanos(self.debt.saturating_mul(NANOS_A_LOOK));
        now.after(wait.max(limits::LOOKS_PAUSE))
    }
}

fn looks(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A look takes a processor about 25 ns with a filter, and up to 150 where its caches are others': a
/// quarter of a lane's time where it has one to itself.
const NANOS_A_LOOK: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_beyond_it_is_paid_before_more_begins() {
        let mut allowance = Allowance::of(100);
        allowance.fill(Moment(0));
        allowance.take(60);
        assert!(allowance.has_some());
        allowance.take(100_040);
        assert!(!allowance.has_some());
        let next = allowance.next(Moment(0));
        assert_eq!(next, Moment(100_000 * NANOS_A_LOOK));
        allowance.fill(next);
        assert!(!allowance.has_some());
        allowance.fill(allowance.next(next));
        assert!(allowance.has_some());
        assert_eq!(allowance.left, 100, "no more than its most");
    }
}
