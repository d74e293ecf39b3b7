//! `nearcast presence`: who is subscribed to a channel, through the server API.

use clap::Args;
use serde_json::json;
use serde_json::value::RawValue;

use super::Outcome;
use super::backend::BackendArgs;
use crate::protocol::{PresenceResult, PresenceStatsResult};

#[derive(Clone, Debug, Args)]
pub(super) struct PresenceArgs {
    channel: String,
    /// Only count
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    backend: BackendArgs,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &PresenceArgs) -> Outcome {
    let body = json!({"channel": arguments.channel}).to_string();
    let (method, show) = if arguments.stats {
        ("presence_stats", show_counts as fn(&RawValue) -> Option<String>)
    } else {
        ("presence", show_members as fn(&RawValue) -> Option<String>)
    };
    arguments.backend.run(method, body, arguments.json, show)
}

/// A client a line: its id, its user, what the application says of it.
fn show_members(result: &RawValue) -> Option<String> {
    let PresenceResult { presence } = serde_json::from_str(result.get()).ok()?;
    if presence.is_empty() {
        return Some("nobody".to_owned());
    }
    let lines = presence.iter().map(|(client, info)| {
        let user = if info.user.is_empty() { "anonymous" } else { &info.user };
        let infos = [&info.conn_info, &info.chan_info];
        let infos = infos.into_iter().filter(|info| !info.is_empty());
        let infos: Vec<_> = infos.map(|info| String::from_utf8_lossy(info).into_owned()).collect();
        format!("{client} {user} {}", infos.join(" ")).trim_end().to_owned()
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn show_counts(result: &RawValue) -> Option<String> {
    let counts: PresenceStatsResult = serde_json::from_str(result.get()).ok()?;
    Some(format!("{} clients, {} users", counts.num_clients, counts.num_users))
}

#[cfg(test)]
mod tests;
