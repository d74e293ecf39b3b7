//! `nearcast bench fan-out`: one publisher, many subscribers of one channel.

use clap::Args;
use tokio::task::{JoinSet, LocalSet};

use super::audience::Audience;
use super::dial::{Dialer, Role};
use super::pace::{self, PaceArgs};
use super::process::usages;
use super::report::{FanOutReport, finish};
use super::source::Source;
use super::tally::Tally;
use super::{BenchError, ServerArgs};
use crate::cli::backend::ApiArgs;
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
    backend: ApiArgs,
}

/// How much is sent to how many.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArgs {
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(super) subscribers: usize,
    /// Bytes of each publication's data
    #[arg(long, default_value_t = 200)]
    pub(super) bytes: usize,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[arg(long, default_value = "bench")]
    pub(super) channel: String,
}

pub(super) fn run(arguments: &FanOutArgs) -> Outcome {
    let FanOutArgs { server, load, through_api, backend } = arguments;
    let measured = on_this_thread(LocalSet::new().run_until(async {
        let dialer = Dialer::new(server).await?;
        let source = if *through_api {
            let api = backend.open(&server.trust()).await;
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
    let LoadArgs { subscribers, pace, .. } = load;
    let role = |_| Role::subscriber(&load.channel);
    let links = dialer.open_all(*subscribers, pace.concurrency, role, |_| ()).await?;
    let audience = Audience::new(Tally::new(*subscribers, pace.window), dialer.speech);
    let mut tasks = JoinSet::new();
    for link in links {
        audience.attend(link, 0, &mut tasks);
    }
    let before = usages(pid)?;
    let start = audience.clock.moment();
    pace::keep(&audience, pace, async |numbers| source.publish(numbers).await).await?;
    let elapsed = audience.clock.moment().since(start);
    let after = usages(pid)?;
    let sums = audience.ear.borrow().sums();
    Ok(FanOutReport::new(load, &sums, elapsed, (before, after), audience.first_end()))
}

#[cfg(test)]
mod tests;
