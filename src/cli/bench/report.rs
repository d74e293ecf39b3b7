//! What a measurement came to, for people and for programs.

mod fixes;

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::BenchError;
use super::fan_out::LoadArgs;
use super::process::{Usage, Usages};
use super::tally::Sums;
use crate::cli::{Outcome, complain, print};

pub(super) use fixes::FixesReport;

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

impl Percentiles {
    /// Of a histogram of nanoseconds.
    pub(super) fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| micros(Duration::from_nanos(nanoseconds.value_at_quantile(quantile)));
        Self { p50_us: at(0.5), p99_us: at(0.99), max_us: at(1.0) }
    }
}

impl Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: f64| us / 1000.0;
        let Self { p50_us, p99_us, max_us } = *self;
        write!(f, "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(p50_us), ms(p99_us), ms(max_us))
    }
}

/// What `fan-out` and `floor` report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FanOutReport {
    subscribers: usize,
    bytes: usize,
    /// Absent where it was as fast as possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    window: usize,
    /// From the first publication to the last delivery.
    elapsed_s: f64,
    publications: u64,
    publications_per_s: f64,
    deliveries: u64,
    deliveries_per_s: f64,
    /// From publishing to receiving.
    #[serde(flatten)]
    latency: Percentiles,
    /// From publishing to the last subscriber's having it.
    to_last_p50_us: f64,
    to_last_p99_us: f64,
    missing: u64,
    gaps: u64,
    repeats: u64,
    closed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_us_per_delivery: Option<f64>,
    #[serde(flatten)]
    machine: Machine,
}

/// What a run took of the machine; of the server where its process is known.
#[derive(Clone, Copy, Debug, Serialize)]
struct Machine {
    #[serde(skip)]
    server_cpu: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cores: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_rss_bytes: Option<u64>,
    /// Of this program: near 1 it may itself be what limits the server.
    bench_cores: f64,
}

impl Machine {
    fn between((before, after): (Usages, Usages), elapsed: Duration) -> Self {
        let spent = |before: Usage, after: Usage| after.cpu.saturating_sub(before.cpu);
        let cores = |cpu: Duration| cpu.as_secs_f64() / elapsed.as_secs_f64();
        let server_cpu = before.0.zip(after.0).map(|(before, after)| spent(before, after));
        Self {
            server_cpu,
            server_cores: server_cpu.map(cores),
            server_rss_bytes: before.0.and(after.0).map(|after| after.rss_bytes),
            bench_cores: cores(spent(before.1, after.1)),
        }
    }

    /// Microseconds of the server's CPU for each of so many.
    fn server_us_each(&self, count: u64) -> Option<f64> {
        self.server_cpu.map(|cpu| ratio(micros(cpu), count))
    }

    /// `each` is CPU per `what`.
    fn write(&self, text: &mut String, each: Option<f64>, what: &str) {
        let server = each.zip(self.server_cores).zip(self.server_rss_bytes);
        if let Some(((each, cores), bytes)) = server {
            let kib = bytes / 1024;
            let words = format_args!(
                "server {each:.2} µs of CPU per {what}, {cores:.2} cores, {kib} KiB of memory"
            );
            line(text, words);
        }
        line(text, format_args!("this program {:.2} cores", self.bench_cores));
    }
}

impl FanOutReport {
    pub(super) fn new(
        load: &LoadArgs,
        sums: &Sums,
        elapsed: Duration,
        usages: (Usages, Usages),
        first_end: Option<String>,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let to_last = Percentiles::of(&sums.to_last);
        let machine = Machine::between(usages, elapsed);
        Self {
            subscribers: load.subscribers,
            bytes: load.bytes,
            rate: load.pace.rate.0,
            window: load.pace.window,
            elapsed_s: seconds,
            publications: sums.sent,
            publications_per_s: float(sums.sent) / seconds,
            deliveries: sums.deliveries,
            deliveries_per_s: float(sums.deliveries) / seconds,
            latency: Percentiles::of(&sums.latency),
            to_last_p50_us: to_last.p50_us,
            to_last_p99_us: to_last.p99_us,
            missing: sums.missing,
            gaps: sums.gaps,
            repeats: sums.repeats,
            closed: sums.closed,
            first_end,
            server_cpu_us_per_delivery: machine.server_us_each(sums.deliveries),
            machine,
        }
    }
}

/// A report and whether everything went as it should.
pub(super) trait Report: Serialize {
    fn is_sound(&self) -> bool;
    fn text(&self) -> String;
}

impl Report for FanOutReport {
    /// Each subscriber received each publication once and in order.
    fn is_sound(&self) -> bool {
        self.missing == 0 && self.gaps == 0 && self.repeats == 0 && self.closed == 0
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} subscribers, {} bytes, {:.1} s\npublications {} ({:.1}/s), deliveries {} ({:.0}/s)\n\
             latency {}; to the last subscriber p50 {:.2} ms, p99 {:.2} ms\n",
            self.subscribers,
            self.bytes,
            self.elapsed_s,
            self.publications,
            self.publications_per_s,
            self.deliveries,
            self.deliveries_per_s,
            self.latency,
            self.to_last_p50_us / 1000.0,
            self.to_last_p99_us / 1000.0,
        );
        self.machine.write(&mut text, self.server_cpu_us_per_delivery, "delivery");
        if self.is_sound() {
            text.push_str("every subscriber received every publication once and in order");
            return text;
        }
        let faults = format_args!(
            "{} missing, {} gaps, {} repeats, {} connections closed",
            self.missing, self.gaps, self.repeats, self.closed,
        );
        blame(&mut text, faults, self.first_end.as_deref());
        text
    }
}

/// What `connections` reports.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ConnectionsReport {
    pub(super) sessions: usize,
    pub(super) connects_per_s: f64,
    /// From the first byte to the last reply.
    #[serde(flatten)]
    pub(super) latency: Percentiles,
    /// Sessions that ended while they were held.
    pub(super) closed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub(super) server: Option<SessionCost>,
}

/// What the sessions cost the server.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SessionCost {
    rss_before_bytes: u64,
    rss_after_bytes: u64,
    rss_bytes_per_session: f64,
    connect_cpu_us_per_session: f64,
    /// While the sessions were held.
    hold_cores: f64,
}

impl SessionCost {
    /// Usage before the first session, after the last, and after holding them for `held`.
    pub(super) fn new([before, open, after]: [Usage; 3], sessions: usize, held: Duration) -> Self {
        let sessions = sessions as u64;
        let hold_cpu = after.cpu.saturating_sub(open.cpu).as_secs_f64();
        Self {
            rss_before_bytes: before.rss_bytes,
            rss_after_bytes: after.rss_bytes,
            rss_bytes_per_session: ratio(
                float(after.rss_bytes.saturating_sub(before.rss_bytes)),
                sessions,
            ),
            connect_cpu_us_per_session: ratio(
                micros(open.cpu.saturating_sub(before.cpu)),
                sessions,
            ),
            hold_cores: if held.is_zero() { 0.0 } else { hold_cpu / held.as_secs_f64() },
        }
    }
}

impl Report for ConnectionsReport {
    fn is_sound(&self) -> bool {
        self.closed == 0
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} sessions, {:.0} connects/s\nlatency {}\n",
            self.sessions, self.connects_per_s, self.latency,
        );
        if let Some(cost) = &self.server {
            line(
                &mut text,
                format_args!(
                    "server {:.0} bytes of memory a session ({} KiB before, {} KiB after)",
                    cost.rss_bytes_per_session,
                    cost.rss_before_bytes / 1024,
                    cost.rss_after_bytes / 1024,
                ),
            );
            line(
                &mut text,
                format_args!(
                    "server {:.1} µs of CPU a connect, {:.3} cores while held",
                    cost.connect_cpu_us_per_session, cost.hold_cores,
                ),
            );
        }
        match &self.first_end {
            Some(why) => line(
                &mut text,
                format_args!("NOT SOUND: {} sessions ended; the first: {why}", self.closed),
            ),
            None => line(&mut text, format_args!("every session was held to the end")),
        }
        text
    }
}

/// Prints a report; a measurement that is not sound has failed.
pub(super) fn finish<R: Report>(
    measured: std::io::Result<Result<R, BenchError>>,
    json: bool,
) -> Outcome {
    let report = match measured {
        Ok(Ok(report)) => report,
        Ok(Err(fault)) => {
            complain(&fault);
            return Outcome::Failed;
        }
        Err(fault) => {
            complain(&fault);
            return Outcome::Failed;
        }
    };
    if json {
        print(&serde_json::to_string(&report).expect("a report is plain data"));
    } else {
        print(&report.text());
    }
    if report.is_sound() { Outcome::Done } else { Outcome::Failed }
}

/// Says what was not as it should be, and why the first connection ended.
fn blame(text: &mut String, faults: fmt::Arguments<'_>, first_end: Option<&str>) {
    line(text, format_args!("NOT SOUND: {faults}"));
    if let Some(why) = first_end {
        line(text, format_args!("the first that ended: {why}"));
    }
}

fn line(text: &mut String, words: fmt::Arguments<'_>) {
    text.write_fmt(words).expect("a string grows");
    text.push('\n');
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn ratio(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / float(count) }
}

/// Exact up to 2^53.
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
