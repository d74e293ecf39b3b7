//! What `fixes` reports.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{Machine, Percentiles, Report, blame, float, line};
use crate::cli::bench::fixes::{CityArgs, Sums};
use crate::cli::bench::process::Usages;

#[derive(Clone, Debug, Serialize)]
pub(in crate::cli::bench) struct FixesReport {
    movers: u32,
    fences: u32,
    watchers: u32,
    /// Absent where it was as fast as possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    window: usize,
    /// From the first fix to the last answer.
    elapsed_s: f64,
    fixes: u64,
    fixes_per_s: f64,
    unanswered: u64,
    /// What watchers received of the fixes.
    watched: Heard,
    /// What the fences told of them.
    told: Heard,
    closed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_us_per_fix: Option<f64>,
    #[serde(flatten)]
    machine: Machine,
}

/// Times are from sending the fix.
#[derive(Clone, Copy, Debug, Serialize)]
struct Heard {
    count: u64,
    #[serde(flatten)]
    latency: Percentiles,
}

impl Heard {
    fn of(nanoseconds: &Histogram<u64>) -> Self {
        Self { count: nanoseconds.len(), latency: Percentiles::of(nanoseconds) }
    }
}

impl FixesReport {
    pub(in crate::cli::bench) fn new(
        load: &CityArgs,
        sums: &Sums,
        elapsed: Duration,
        usages: (Usages, Usages),
        first_end: Option<String>,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let machine = Machine::between(usages, elapsed);
        Self {
            movers: load.movers,
            fences: load.fences,
            watchers: load.watchers,
            rate: load.pace.rate.0,
            window: load.pace.window,
            elapsed_s: seconds,
            fixes: sums.answered,
            fixes_per_s: float(sums.answered) / seconds,
            unanswered: sums.sent - sums.answered,
            watched: Heard::of(&sums.watched),
            told: Heard::of(&sums.told),
            closed: sums.closed,
            first_end,
            server_cpu_us_per_fix: machine.server_us_each(sums.answered),
            machine,
        }
    }
}

impl Report for FixesReport {
    /// Every fix was accepted, and nobody was left behind.
    fn is_sound(&self) -> bool {
        self.unanswered == 0 && self.closed == 0
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} movers, {} fences, {} watchers, {:.1} s\nfixes {} ({:.0}/s)\n",
            self.movers, self.fences, self.watchers, self.elapsed_s, self.fixes, self.fixes_per_s,
        );
        for (who, heard) in [("watchers received", self.watched), ("fences told", self.told)] {
            line(&mut text, format_args!("{who} {}: {}", heard.count, heard.latency));
        }
        self.machine.write(&mut text, self.server_cpu_us_per_fix, "fix");
        if self.is_sound() {
            text.push_str("every fix was accepted");
            return text;
        }
        let faults = format_args!(
            "{} fixes unanswered, {} connections closed",
            self.unanswered, self.closed,
        );
        blame(&mut text, faults, self.first_end.as_deref());
        text
    }
}
