//! `nearcast bench connections`: opens sessions, holds them, tells what one costs.

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use super::audience::{Audience, Ear};
use super::dial::{Dialer, Role};
use super::process::{Usage, usage};
use super::report::{ConnectionsReport, Percentiles, SessionCost, finish};
use super::tally::{Tally, histogram};
use super::{BenchError, ServerArgs};
use crate::cli::{Outcome, on_this_thread};
use crate::clock::Clock;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ConnectionsArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Sessions to open
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: usize,
    /// Connections to open at a time
    #[arg(long, value_name = "C", default_value_t = 100)]
    concurrency: usize,
    /// Subscribe each session to one channel
    #[arg(long)]
    subscribe: bool,
    /// Spread the subscriptions over so many channels
    #[arg(long, value_name = "N", default_value_t = 1, requires = "subscribe",
        value_parser = parse_channels)]
    channels: usize,
    /// How long to hold the sessions, before memory is read
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    hold: u64,
}

pub(super) fn run(arguments: &ConnectionsArgs) -> Outcome {
    let measured = on_this_thread(LocalSet::new().run_until(measure(arguments)));
    finish(measured, arguments.server.json)
}

async fn measure(arguments: &ConnectionsArgs) -> Result<ConnectionsReport, BenchError> {
    let ConnectionsArgs { server, count, concurrency, subscribe, channels, hold } = arguments;
    let dialer = Dialer::new(server).await?;
    let server_usage = || server.pid.map(usage).transpose();
    let role = |number: usize| match subscribe {
        true => Role::subscriber(&format!("bench-{}", number % channels)),
        false => Role::Publisher,
    };
    let clock = Clock::new();
    let latency = RefCell::new(histogram());
    let before = server_usage()?;
    let start = clock.moment();
    let links = dialer
        .open_all(*count, *concurrency, role, |took| {
            let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            latency.borrow_mut().saturating_record(nanoseconds);
        })
        .await?;
    let took = clock.moment().since(start);
    let open = server_usage()?;
    let audience = Audience::new(Tally::new(*count, 1), dialer.speech);
    let mut tasks = JoinSet::new();
    for link in links {
        audience.attend(link, 0, &mut tasks);
    }
    let held = Duration::from_secs(*hold);
    sleep(held).await;
    let after = server_usage()?;
    let cost = |usages: [Usage; 3]| SessionCost::new(usages, *count, held);
    let latency = Percentiles::of(&latency.borrow());
    Ok(ConnectionsReport {
        sessions: *count,
        connects_per_s: f64::from(u32::try_from(*count).unwrap_or(u32::MAX)) / took.as_secs_f64(),
        latency,
        closed: audience.ear.borrow().closed(),
        first_end: audience.first_end(),
        server: before
            .zip(open)
            .zip(after)
            .map(|((before, open), after)| cost([before, open, after])),
    })
}

fn parse_channels(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(channels) if channels > 0 => Ok(channels),
        _ => Err("a number from 1"),
    }
}
