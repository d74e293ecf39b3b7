//! Who has received what, and how long it took. Subscribers of one run share it on one thread.

use hdrhistogram::Histogram;

use super::audience::Ear;
use super::scan::Sequences;
use crate::base::Moment;

/// Publications that may be under way at once; more makes sense to nobody and would be counted
/// wrongly.
pub(super) const WINDOW_MAX: usize = 4096;

/// Numbers publications from 0.
#[derive(Debug)]
pub(super) struct Tally {
    subscribers: u64,
    /// When a publication was sent and how many have it, by its number modulo the window.
    under_way: Vec<UnderWay>,
    /// Publications sent.
    sent: u64,
    /// All before this one were received by every subscriber.
    complete: u64,
    deliveries: u64,
    /// A number was skipped.
    gaps: u64,
    /// A number came again, or after a later one.
    repeats: u64,
    closed: u64,
    latency: Histogram<u64>,
    to_last: Histogram<u64>,
    scan: Sequences,
}

#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    sent: Moment,
    received: u64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) sent: u64,
    pub(super) deliveries: u64,
    pub(super) missing: u64,
    pub(super) gaps: u64,
    pub(super) repeats: u64,
    pub(super) closed: u64,
    /// Nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Nanoseconds from a publication to the last subscriber's having it.
    pub(super) to_last: Histogram<u64>,
}

impl Tally {
    /// `window` publications, at least one, may be under way at once.
    pub(super) fn new(subscribers: usize, window: usize) -> Self {
        let window = window.clamp(1, WINDOW_MAX);
        Self {
            subscribers: subscribers as u64,
            under_way: vec![UnderWay::default(); window],
            sent: 0,
            complete: 0,
            deliveries: 0,
            gaps: 0,
            repeats: 0,
            closed: 0,
            latency: histogram(),
            to_last: histogram(),
            scan: Sequences::new(),
        }
    }

    /// A subscriber whose next number should be `expected` received `number`; what it should
    /// receive next.
    pub(super) fn receive(&mut self, expected: u64, number: u64, now: Moment) -> u64 {
        if number >= self.sent {
            // Not of this run.
            return expected;
        }
        if number < expected {
            self.repeats += 1;
            return expected;
        }
        self.gaps += u64::from(number > expected);
        self.deliveries += 1;
        if number >= self.complete {
            let slot = self.slot(number);
            slot.received += 1;
            let (sent, received) = (slot.sent, slot.received);
            let waited = u64::try_from(now.since(sent).as_nanos()).unwrap_or(u64::MAX);
            self.latency.saturating_record(waited);
            if received == self.subscribers {
                self.to_last.saturating_record(waited);
            }
            self.advance();
        }
        number + 1
    }

    pub(super) fn sums(&self) -> Sums {
        Sums {
            sent: self.sent,
            deliveries: self.deliveries,
            missing: (self.sent * self.subscribers).saturating_sub(self.deliveries),
            gaps: self.gaps,
            repeats: self.repeats,
            closed: self.closed,
            latency: self.latency.clone(),
            to_last: self.to_last.clone(),
        }
    }

    fn advance(&mut self) {
        while self.complete < self.sent && self.slot(self.complete).received >= self.subscribers {
            self.complete += 1;
        }
    }

    fn slot(&mut self, number: u64) -> &mut UnderWay {
        let window = self.under_way.len() as u64;
        let at = usize::try_from(number % window).expect("less than the window");
        &mut self.under_way[at]
    }
}

impl Ear for Tally {
    /// The number that the subscriber should receive next.
    type Memory = u64;

    fn hear(&mut self, messages: &[u8], expected: &mut u64, now: Moment) -> Result<(), String> {
        let mut rest = messages;
        while let Some(number) = self.scan.take(&mut rest) {
            *expected = self.receive(*expected, number, now);
        }
        Ok(())
    }

    fn send(&mut self, now: Moment) -> u64 {
        assert!(self.has_room(), "publications are sent when there is room");
        let number = self.sent;
        *self.slot(number) = UnderWay { sent: now, received: 0 };
        self.sent += 1;
        number
    }

    fn has_room(&self) -> bool {
        self.sent - self.complete < self.under_way.len() as u64
    }

    fn complete(&self) -> u64 {
        self.complete
    }

    fn is_complete(&self) -> bool {
        self.complete == self.sent
    }

    fn close(&mut self) {
        self.closed += 1;
    }

    fn closed(&self) -> u64 {
        self.closed
    }
}

/// Of nanoseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("bounds and digits are in range")
}

/// A minute; what takes longer counts as that.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every subscriber receives everything, in whatever interleaving.
    fn run(order: &[usize], subscribers: usize, window: usize) -> (Tally, Vec<u64>) {
        let mut tally = Tally::new(subscribers, window);
        let mut expected = vec![0; subscribers];
        for (at, &subscriber) in order.iter().enumerate() {
            if tally.has_room() {
                tally.send(Moment(at as u64));
            }
            let subscriber = subscriber % subscribers;
            let next = expected[subscriber];
            expected[subscriber] = tally.receive(next, next, Moment(at as u64 + 1));
        }
        (tally, expected)
    }

    proptest! {
        #[test]
        fn never_more_under_way_than_the_window(
            order in prop::collection::vec(0..100_usize, 0..400),
            subscribers in 1..5_usize,
            window in 1..5_usize,
        ) {
            let (tally, expected) = run(&order, subscribers, window);
            let slowest = expected.iter().min().copied().unwrap();
            prop_assert_eq!(tally.complete, slowest);
            prop_assert!(tally.sent - slowest <= window as u64);
            let sums = tally.sums();
            prop_assert_eq!(sums.deliveries, expected.iter().sum::<u64>());
            prop_assert_eq!(sums.missing, sums.sent * subscribers as u64 - sums.deliveries);
            prop_assert_eq!((sums.gaps, sums.repeats), (0, 0));
            prop_assert_eq!(sums.latency.len(), sums.deliveries);
            prop_assert_eq!(sums.to_last.len(), slowest);
        }
    }

    #[test]
    fn tells_gaps_and_repeats() {
        let mut tally = Tally::new(1, 4);
        for at in 0..4 {
            tally.send(Moment(at));
        }
        let now = Moment(9);
        let next = tally.receive(0, 0, now);
        let next = tally.receive(next, 2, now);
        let next = tally.receive(next, 1, now);
        let next = tally.receive(next, 2, now);
        assert_eq!(tally.receive(next, 7, now), 3, "a number that was not sent");
        let sums = tally.sums();
        assert_eq!((sums.deliveries, sums.gaps, sums.repeats, sums.missing), (2, 1, 2, 2));
        assert!(!tally.is_complete());
    }
}
