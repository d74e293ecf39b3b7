//! Until when a certificate is good, for the operator: a gauge at all times, and the log towards the
//! end.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::pair::{Pair, date};
use crate::base::{Now, UnixMillis, limits};
use crate::server::throttle::Throttle;
use crate::telemetry::Metrics;

#[derive(Debug)]
pub(super) struct Expiry {
    /// In metrics and logs: the file, or what else tells it from others.
    certificate: String,
    ends: UnixMillis,
    metrics: Arc<Metrics>,
    near: Throttle,
    over: Throttle,
}

/// What the log is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// It expires within [`limits::CERTIFICATE_NEAR_END`].
    Near,
    Over,
}

impl Expiry {
    pub(super) fn new(certificate: String, pair: &Pair, metrics: Arc<Metrics>) -> Self {
        let throttle = || Throttle::new(DAY);
        Self { certificate, ends: pair.ends(), metrics, near: throttle(), over: throttle() }
    }

    pub(super) fn tell(&self, now: Now) {
        self.metrics.certificate_expires(&self.certificate, self.seconds_left(now.unix));
        let (certificate, not_after) = (&self.certificate, date(self.ends));
        match self.alarm(now) {
            Some(Alarm::Over) => error!(certificate, not_after, "the certificate has expired"),
            Some(Alarm::Near) => {
                warn!(certificate, not_after, "the certificate expires within a week");
            }
            None => {}
        }
    }

    /// Each once a day, the first at once.
    pub(super) fn alarm(&self, now: Now) -> Option<Alarm> {
        let (alarm, throttle) = match () {
            () if now.unix > self.ends => (Alarm::Over, &self.over),
            () if is_near(self.ends, now.unix) => (Alarm::Near, &self.near),
            () => return None,
        };
        throttle.pass(now.moment).then_some(alarm)
    }

    /// Negative afterwards.
    fn seconds_left(&self, now: UnixMillis) -> i64 {
        let seconds = |time: UnixMillis| i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        seconds(self.ends) - seconds(now)
    }
}

/// Whether what ends then ends soon, or has ended.
pub(super) fn is_near(ends: UnixMillis, now: UnixMillis) -> bool {
    Duration::from_millis(ends.0.saturating_sub(now.0)) < limits::CERTIFICATE_NEAR_END
}

const DAY: Duration = Duration::from_secs(24 * 3600);
