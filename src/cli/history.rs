//! `nearcast history`: what a channel's stream holds, through the server API.

use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;

use super::backend::BackendArgs;
use super::position::Position;
use super::{Outcome, publication};
use crate::protocol::HistoryResult;

#[derive(Clone, Debug, Args)]
pub(super) struct HistoryArgs {
    channel: String,
    /// Most publications to print; 0 prints the position alone
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Print the newest first
    #[arg(long)]
    reverse: bool,
    /// Only what follows this position; with --reverse, what comes before it
    #[arg(long, value_name = "OFFSET:EPOCH")]
    since: Option<Position>,
    #[command(flatten)]
    backend: BackendArgs,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &HistoryArgs) -> Outcome {
    arguments.backend.run("history", body(arguments), arguments.json, show)
}

fn body(arguments: &HistoryArgs) -> String {
    let mut body = json!({
        "channel": arguments.channel,
        "limit": arguments.limit,
        "reverse": arguments.reverse,
    });
    if let Some(Position { offset, epoch }) = &arguments.since {
        body["since"] = json!({"offset": offset, "epoch": epoch});
    }
    body.to_string()
}

/// The publications, then the top of the stream.
fn show(result: &RawValue) -> Option<String> {
    let result: HistoryResult = serde_json::from_str(result.get()).ok()?;
    let lines = result.publications.iter().map(publication::line);
    let top = Position { offset: result.offset, epoch: result.epoch };
    Some(lines.chain([format!("position {top}")]).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests;
