//! How fast a run publishes, and for how long.

use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::BenchError;
use super::audience::{Audience, Ear};
use super::tally::WINDOW_MAX;
use crate::base::{Moment, limits};
use crate::clock::Clock;

/// What every load has.
#[derive(Clone, Debug, Args)]
pub(super) struct PaceArgs {
    /// Publications a second; max sends the next when the window allows it
    #[arg(long, value_name = "R|max", default_value = "50")]
    pub(super) rate: Rate,
    /// How long to publish
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(super) seconds: u64,
    /// Publications under way at once: sent, and not yet received by everybody or, as fixes,
    /// answered
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = parse_window)]
    pub(super) window: usize,
    /// Connections to open at a time
    #[arg(long, value_name = "C", default_value_t = 100)]
    pub(super) concurrency: usize,
}

/// `None` for as fast as the window allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate(pub(super) Option<f64>);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(rate) if (0.01..=1e6).contains(&rate) => Ok(Self(Some(rate))),
            _ => Err("a rate is a number from 0.01 to 1000000, or max"),
        }
    }
}

fn parse_window(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(window) if (1..=WINDOW_MAX).contains(&window) => Ok(window),
        _ => Err(format!("a window is a number from 1 to {WINDOW_MAX}")),
    }
}

/// Publishes at the rate asked for, as far as the window allows, until the time is up or a
/// connection is gone; then waits for what is under way, but not for ever.
pub(super) async fn keep<E: Ear>(
    audience: &Rc<Audience<E>>,
    pace: &PaceArgs,
    mut publish: impl AsyncFnMut(&[u64]) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let mut metronome = pace.rate.0.map(Metronome::new);
    let (start, length) = (audience.clock.moment(), Duration::from_secs(pace.seconds));
    let mut numbers = Vec::new();
    loop {
        let most = match &mut metronome {
            Some(metronome) => metronome.tick(audience.clock).await,
            None => BATCH,
        };
        while !audience.ear.borrow().has_room() && audience.ear.borrow().closed() == 0 {
            let left = length.saturating_sub(audience.clock.moment().since(start));
            if timeout(left, audience.changed.notified()).await.is_err() {
                break;
            }
        }
        let now = audience.clock.moment();
        if now.since(start) >= length || audience.ear.borrow().closed() > 0 {
            break;
        }
        numbers.clear();
        {
            let mut ear = audience.ear.borrow_mut();
            while numbers.len() < most && ear.has_room() {
                numbers.push(ear.send(now));
            }
        }
        publish(&numbers).await?;
        if metronome.is_none() {
            tokio::task::yield_now().await;
        }
    }
    // Whatever does not come in time is missing.
    drop(timeout(limits::CLIENT_TIMEOUT, everything_received(audience)).await);
    Ok(())
}

async fn everything_received<E: Ear>(audience: &Rc<Audience<E>>) {
    while !audience.ear.borrow().is_complete() && audience.ear.borrow().closed() == 0 {
        audience.changed.notified().await;
    }
}

/// Tells how many are due.
struct Metronome {
    ticks: Interval,
    period: Duration,
    /// Time that no publication has used.
    credit: Duration,
    ticked: Option<Moment>,
}

impl Metronome {
    fn new(rate: f64) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let period = Duration::from_secs_f64(1.0 / rate);
        Self { ticks, period, credit: period, ticked: None }
    }

    async fn tick(&mut self, clock: Clock) -> usize {
        loop {
            self.ticks.tick().await;
            let now = clock.moment();
            if let Some(before) = self.ticked.replace(now) {
                self.credit += now.since(before).min(CATCH_UP);
            }
            let due = self.credit.as_nanos() / self.period.as_nanos().max(1);
            if let (1.., Ok(due)) = (due, u32::try_from(due)) {
                self.credit -= self.period * due;
                return usize::try_from(due).expect("a u32 fits");
            }
        }
    }
}

/// Timers do not go by less.
const TICK: Duration = Duration::from_millis(1);

/// Of a longer pause, what was not sent meanwhile is left out.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Publications in one write, flat out.
const BATCH: usize = 32;
