//! What became of the fixes: which were answered, who heard of them, and how long it took.

use hdrhistogram::Histogram;

use crate::base::{Encoding, Moment};
use crate::cli::bench::audience::Ear;
use crate::cli::bench::scan::Sequences;
use crate::cli::bench::source::answers;
use crate::cli::bench::tally::histogram;

/// Counts a run.
#[derive(Debug)]
pub(super) struct Course {
    encoding: Encoding,
    scan: Sequences,
    window: u64,
    /// When the latest fixes were sent, by their number modulo the length.
    sent_at: Vec<Moment>,
    sent: u64,
    answered: u64,
    watched: Histogram<u64>,
    told: Histogram<u64>,
    closed: u64,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Mover,
    Watcher,
    /// Hears what fences tell.
    Results,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub(in crate::cli::bench) struct Sums {
    pub(in crate::cli::bench) sent: u64,
    pub(in crate::cli::bench) answered: u64,
    pub(in crate::cli::bench) closed: u64,
    /// From sending to what watchers received, in nanoseconds.
    pub(in crate::cli::bench) watched: Histogram<u64>,
    /// The same for what fences told.
    pub(in crate::cli::bench) told: Histogram<u64>,
}

impl Course {
    pub(super) fn new(encoding: Encoding, window: usize) -> Self {
        Self {
            encoding,
            scan: Sequences::new(),
            window: window as u64,
            sent_at: vec![Moment::default(); REMEMBERED],
            sent: 0,
            answered: 0,
            watched: histogram(),
            told: histogram(),
            closed: 0,
        }
    }

    pub(super) fn sums(&self) -> Sums {
        let (watched, told) = (self.watched.clone(), self.told.clone());
        Sums { sent: self.sent, answered: self.answered, closed: self.closed, watched, told }
    }

    fn slot(number: u64) -> usize {
        usize::try_from(number % REMEMBERED as u64).expect("less than the length")
    }
}

impl Ear for Course {
    type Memory = Part;

    fn hear(&mut self, messages: &[u8], part: &mut Part, now: Moment) -> Result<(), String> {
        let heard = match part {
            Part::Mover => {
                self.answered += answers(self.encoding, messages)?;
                return Ok(());
            }
            Part::Watcher => &mut self.watched,
            Part::Results => &mut self.told,
        };
        let mut rest = messages;
        while let Some(number) = self.scan.take(&mut rest) {
            // What is from an earlier run, or too old to know when it was sent, counts for nothing.
            if number < self.sent && self.sent - number <= REMEMBERED as u64 {
                let waited = now.since(self.sent_at[Self::slot(number)]).as_nanos();
                heard.saturating_record(u64::try_from(waited).unwrap_or(u64::MAX));
            }
        }
        Ok(())
    }

    fn send(&mut self, now: Moment) -> u64 {
        let number = self.sent;
        self.sent_at[Self::slot(number)] = now;
        self.sent += 1;
        number
    }

    fn has_room(&self) -> bool {
        self.sent - self.answered < self.window
    }

    fn complete(&self) -> u64 {
        self.answered
    }

    fn is_complete(&self) -> bool {
        self.answered == self.sent
    }

    fn close(&mut self) {
        self.closed += 1;
    }

    fn closed(&self) -> u64 {
        self.closed
    }
}

/// Fixes of which it is known when they were sent: some seconds of them.
const REMEMBERED: usize = 1 << 20;
