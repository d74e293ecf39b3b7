//! `nearcast bench`: load for any server of the protocol, measured from outside. It shares the
//! machine with the server, so it is one thread that reads bytes, counts, and parses no JSON.

mod audience;
mod connections;
mod dial;
mod fan_out;
mod fixes;
mod floor;
mod pace;
mod process;
mod report;
mod scan;
mod source;
mod tally;
mod webtransport;
mod wire;

use clap::{Args, Subcommand};

use super::Outcome;
use super::secret::Secret;
use crate::client::{ApiError, Fingerprint, Trust};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Open many sessions, and hold them
    Connections(connections::ConnectionsArgs),
    /// Publish to many subscribers of one channel
    FanOut(fan_out::FanOutArgs),
    /// Move objects through fences and areas
    Fixes(fixes::FixesArgs),
    /// The fan-out over plain TCP: what no server can undercut
    Floor(floor::FloorArgs),
}

/// The server under load.
#[expect(clippy::struct_excessive_bools, reason = "each is one documented flag")]
#[derive(Clone, Debug, Args)]
struct ServerArgs {
    /// The server's WebSocket, ws:// or wss://, or its WebTransport, https://
    #[arg(long, env = "NEARCAST_URL", default_value = "ws://127.0.0.1:8000/connection/websocket")]
    url: String,
    /// Connection token of every session
    #[arg(long, env = "NEARCAST_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// Take only the certificate that has this SHA-256, in hexadecimal; without it any
    #[arg(long, value_name = "HEX", env = "NEARCAST_CERTIFICATE_SHA256")]
    certificate_sha256: Option<Fingerprint>,
    /// Speak Protobuf rather than JSON
    #[arg(long, conflicts_with = "plain")]
    protobuf: bool,
    /// The server speaks no protocol: it sends each message on to all others
    #[arg(long)]
    plain: bool,
    /// Whose CPU and memory are told: the server's process
    #[arg(long)]
    pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ServerArgs {
    /// The server's certificate, on each of its listeners.
    fn trust(&self) -> Trust {
        self.certificate_sha256.map_or(Trust::Any, Trust::Pinned)
    }
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("{0}: {1}")]
    Url(String, &'static str),
    #[error("cannot connect (session {number}): {source}")]
    Connect { number: usize, source: std::io::Error },
    #[error("session {number} was refused: {why}")]
    Refused { number: usize, why: String },
    #[error("the publisher's connection ended: {0}")]
    Publisher(String),
    #[error("the server API: {0}")]
    Api(#[from] ApiError),
    #[error("process {pid}: {source}")]
    Process { pid: u32, source: std::io::Error },
    #[error("cannot listen: {0}")]
    Listen(std::io::Error),
}

pub(super) fn run(command: &BenchCommand) -> Outcome {
    match command {
        BenchCommand::Connections(arguments) => connections::run(arguments),
        BenchCommand::FanOut(arguments) => fan_out::run(arguments),
        BenchCommand::Fixes(arguments) => fixes::run(arguments),
        BenchCommand::Floor(arguments) => floor::run(arguments),
    }
}
