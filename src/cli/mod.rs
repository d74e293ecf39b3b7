//! The commands of the program, one file each. They return what to print; `main` reads the
//! configuration and the clock, prints, and chooses the exit code.

mod backend;
mod bench;
mod cert;
mod config;
mod demo;
mod dice;
mod files;
mod history;
mod near;
mod position;
mod presence;
mod publication;
mod publish;
mod secret;
mod serve;
mod subscribe;
mod token;
mod trust;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::Config;

/// Delivers what happens near a person to that person's phone, now.
#[derive(Debug, Parser)]
#[command(name = "nearcast", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node with a city of couriers in it, and a page to look at it
    Demo(demo::DemoArgs),
    /// Run a node
    Serve(serve::ServeArgs),
    /// Validate, document or exemplify the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make certificates
    #[command(subcommand)]
    Cert(cert::CertCommand),
    /// Make and read connection and subscription tokens
    Token {
        /// Take secret and keys from this configuration
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        token: token::TokenArgs,
    },
    /// Publish to a channel
    Pub(publish::PublishArgs),
    /// Print what is published in a channel
    Sub(subscribe::SubscribeArgs),
    /// Print what is in a circle, as it moves
    Near(near::NearArgs),
    /// Print what is nearest to a place, as it moves
    Nearest(near::NearestArgs),
    /// Print what a channel's stream holds
    History(history::HistoryArgs),
    /// Print who is subscribed to a channel
    Presence(presence::PresenceArgs),
    /// Put load on a server and measure it
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
    /// The command line or the configuration is wrong.
    Misused,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Misused => 2,
        })
    }
}

/// Runs the program with its arguments, the first of which is its own name. The exit code is 0 for
/// done (a drain ends in 0), 1 for failed, 2 for a wrong command line or configuration.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(fault) => {
            let code = if fault.use_stderr() { Outcome::Misused } else { Outcome::Done };
            // Nothing is left to be done where the terminal is gone.
            drop(fault.print());
            return code.into();
        }
    };
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Config(command) => {
            let answer = config::run(&command, config::environment(), Clock::new().now().unix);
            print(&answer.text);
            return ExitCode::from(answer.code);
        }
        Command::Cert(command) => cert::run(&command),
        Command::Token { config, token } => run_token(config.as_deref(), &token),
        Command::Pub(arguments) => publish::run(&arguments),
        Command::Sub(arguments) => subscribe::run(&arguments),
        Command::Near(arguments) => near::run_near(&arguments),
        Command::Nearest(arguments) => near::run_nearest(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Presence(arguments) => presence::run(&arguments),
        Command::Bench(command) => bench::run(&command),
    }
    .into()
}

fn run_token(path: Option<&Path>, arguments: &token::TokenArgs) -> Outcome {
    let options = match load(path) {
        Ok(config) => config.token,
        Err(outcome) => return outcome,
    };
    match token::run(arguments, &options, Clock::new().now().unix) {
        Ok((text, outcome)) => {
            print(&text);
            outcome
        }
        Err(fault) => {
            complain(&fault);
            Outcome::Misused
        }
    }
}

/// Reads the configuration, telling faults and warnings.
fn load(path: Option<&Path>) -> Result<Config, Outcome> {
    match Config::load(path, config::environment()) {
        Ok((config, warnings)) => {
            for warning in warnings {
                complain(&format_args!("warning: {}: {}", warning.key, warning.message));
            }
            Ok(config)
        }
        Err(faults) => {
            complain(&faults);
            Err(Outcome::Misused)
        }
    }
}

/// Runs a command's asynchronous part on this thread.
fn on_this_thread<F: Future>(work: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// To standard output, whose reader may be gone.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    drop(out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())));
    drop(out.flush());
}

/// To standard error, whose reader may be gone.
fn complain(fault: &dyn std::fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{fault}"));
}
