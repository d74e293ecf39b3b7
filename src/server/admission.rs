//! How many connections the node takes: at a time, and in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::base::Moment;

/// Counts the connections of a node.
#[derive(Debug)]
pub(super) struct Admission {
    present: AtomicUsize,
    present_max: Option<usize>,
    /// The second in the upper half, connections in it in the lower.
    rate: AtomicU64,
    rate_max: Option<usize>,
}

/// A connection that was admitted counts until this is dropped.
#[derive(Debug)]
pub(super) struct Admitted(Arc<Admission>);

/// Why a connection is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    Full,
    TooFast,
}

impl Admission {
    pub(super) fn new(present_max: Option<usize>, rate_max: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            present: AtomicUsize::new(0),
            present_max,
            rate: AtomicU64::new(0),
            rate_max,
        })
    }

    pub(super) fn admit(self: &Arc<Self>, now: Moment) -> Result<Admitted, Turned> {
        if !self.is_slow_enough(now) {
            return Err(Turned::TooFast);
        }
        let before = self.present.fetch_add(1, Ordering::Relaxed);
        let admitted = Admitted(self.clone());
        if self.present_max.is_some_and(|most| before >= most) {
            return Err(Turned::Full);
        }
        Ok(admitted)
    }

    fn is_slow_enough(&self, now: Moment) -> bool {
        let Some(most) = self.rate_max else { return true };
        let second = (now.0 / 1_000_000_000) << 32;
        let count = |before: u64| {
            let same = before >> 32 == second >> 32;
            if same { before + 1 } else { second + 1 }
        };
        let (order, load) = (Ordering::Relaxed, Ordering::Relaxed);
        let before = self.rate.fetch_update(order, load, |before| Some(count(before)));
        let after = count(before.unwrap_or_else(|unchanged| unchanged));
        after & 0xffff_ffff <= most as u64
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_those_who_are_there() {
        let admission = Admission::new(Some(2), None);
        let first = admission.admit(Moment(0)).unwrap();
        let _second = admission.admit(Moment(0)).unwrap();
        assert_eq!(admission.admit(Moment(0)).unwrap_err(), Turned::Full);
        drop(first);
        drop(admission.admit(Moment(0)).unwrap());
    }

    #[test]
    fn the_rate_starts_anew_each_second() {
        let admission = Admission::new(None, Some(2));
        let admit = |ms: u64| admission.admit(Moment(ms * 1_000_000)).map(drop);
        assert_eq!([admit(0), admit(10)], [Ok(()), Ok(())]);
        assert_eq!(admit(999), Err(Turned::TooFast));
        assert_eq!([admit(1000), admit(1001)], [Ok(()), Ok(())]);
        assert_eq!(admit(1002), Err(Turned::TooFast));
    }
}
