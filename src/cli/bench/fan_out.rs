//! `nearcast bench fan-out`: one publisher, many subscribers of one channel.

use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::audience::Audience;
use super::dial::{Dialer, Role};
use super::process::{Usage, usage};
use super::report::{FanOutReport, finish};
use super::source::Source;
use super::tally::{Tally, WINDOW_MAX};
use super::{BenchError, ServerArgs};
use crate::base::limits;
use crate::cli::backend::BackendArgs;
use crate::cli::{Outcome, on_this_thread};

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct FanOutArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    load: LoadArgs,
    /// Publish through the server API rather than over a WebSocket
    #[arg(long, conflicts_with = "plain")]
    through_api: bool,
    #[command(flatten)]
    backend: BackendArgs,
}

/// How much is sent to how many.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArgs {
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(super) subscribers: usize,
    /// Bytes of each publication's data
    #[arg(long, default_value_t = 200)]
    pub(super) bytes: usize,
    /// Publications a second; max sends the next when the window allows it
    #[arg(long, value_name = "R|max", default_value = "50")]
    pub(super) rate: Rate,
    /// How long to publish
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(super) seconds: u64,
    /// Publications under way at once: sent, and not yet received by every subscriber
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = parse_window)]
    pub(super) window: usize,
    /// Connections to open at a time
    #[arg(long, value_name = "C", default_value_t = 100)]
    pub(super) concurrency: usize,
    #[arg(long, default_value = "bench")]
    pub(super) channel: String,
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

pub(super) fn run(arguments: &FanOutArgs) -> Outcome {
    let FanOutArgs { server, load, through_api, backend } = arguments;
    let measured = on_this_thread(LocalSet::new().run_until(async {
        let dialer = Dialer::new(server).await?;
        let source = if *through_api {
            let api = backend.open().await;
            let api = api.map_err(|fault| BenchError::Publisher(fault.to_string()))?;
            Source::api(api, &load.channel, load.bytes)
        } else {
            connect_source(&dialer, load).await?
        };
        measure(&dialer, load, source, server.pid).await
    }));
    finish(measured, server.json)
}

pub(super) async fn connect_source(dialer: &Dialer, load: &LoadArgs) -> Result<Source, BenchError> {
    let link = dialer.open(load.subscribers, &Role::Publisher).await?;
    Ok(Source::connection(link, dialer.speech, &load.channel, load.bytes))
}

/// Runs the load; within a `LocalSet`.
pub(super) async fn measure(
    dialer: &Dialer,
    load: &LoadArgs,
    mut source: Source,
    pid: Option<u32>,
) -> Result<FanOutReport, BenchError> {
    let role = |_| Role::Subscriber(load.channel.clone());
    let links = dialer.open_all(load.subscribers, load.concurrency, role, |_| ()).await?;
    let audience = Audience::new(Tally::new(load.subscribers, load.window), dialer.speech);
    let mut tasks = JoinSet::new();
    audience.attend(links, &mut tasks);
    let usages = || -> Result<(Option<Usage>, Usage), BenchError> {
        Ok((pid.map(usage).transpose()?, usage(std::process::id())?))
    };
    let before = usages()?;
    let start = audience.clock.moment();
    publish(&audience, &mut source, load).await?;
    // What is still under way; whatever does not come in time is missing.
    drop(timeout(limits::CLIENT_TIMEOUT, everything_received(&audience)).await);
    let elapsed = audience.clock.moment().since(start);
    let after = usages()?;
    let sums = audience.tally.borrow().sums();
    Ok(FanOutReport::new(load, &sums, elapsed, (before, after), audience.first_end()))
}

/// Publishes at the rate asked for, as far as the window allows, until the time is up or a
/// subscriber is gone.
async fn publish(
    audience: &Rc<Audience>,
    source: &mut Source,
    load: &LoadArgs,
) -> Result<(), BenchError> {
    let mut ticks = load.rate.0.map(|rate| {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let most = if ticks.is_some() { 1 } else { BATCH };
    let (start, length) = (audience.clock.moment(), Duration::from_secs(load.seconds));
    let mut numbers = Vec::with_capacity(most);
    loop {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        while !audience.tally.borrow().has_room() && audience.tally.borrow().closed() == 0 {
            let left = length.saturating_sub(audience.clock.moment().since(start));
            if timeout(left, audience.changed.notified()).await.is_err() {
                return Ok(());
            }
        }
        let now = audience.clock.moment();
        if now.since(start) >= length || audience.tally.borrow().closed() > 0 {
            return Ok(());
        }
        numbers.clear();
        {
            let mut tally = audience.tally.borrow_mut();
            while numbers.len() < most && tally.has_room() {
                numbers.push(tally.send(now));
            }
        }
        source.publish(&numbers).await?;
        if ticks.is_none() {
            tokio::task::yield_now().await;
        }
    }
}

async fn everything_received(audience: &Audience) {
    while !audience.tally.borrow().is_complete() && audience.tally.borrow().closed() == 0 {
        audience.changed.notified().await;
    }
}

/// Publications in one write, flat out.
const BATCH: usize = 32;

#[cfg(test)]
mod tests;
