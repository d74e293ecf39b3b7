//! `nearcast serve`: a node, from configuration to drain.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::json as object;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use super::{Outcome, complain, files, load, print};
use crate::access::token::{KeyError, TokenVerifier};
use crate::base::limits;
use crate::channel::{GeoKind, GeoOptions, KeyRule, Namespace, NamespaceOptions, Namespaces};
use crate::clock::Clock;
use crate::config::{Config, LogOptions};
use crate::node::{Node, NodeOptions};
use crate::server::{Addresses, Pages, Server, StartError};
use crate::session::Context;

#[derive(Clone, Debug, Args)]
pub(super) struct ServeArgs {
    /// File in TOML, YAML or JSON; without it a node for development on 127.0.0.1, with a secret of
    /// its own
    #[arg(long, short, value_name = "FILE", env = "NEARCAST_CONFIG")]
    config: Option<PathBuf>,
    /// For a first look, on this machine only: no tokens, no API key, every page may connect,
    /// channels keep presence and history
    #[arg(long, conflicts_with = "config")]
    dev: bool,
    /// Print the bound addresses as one line of JSON
    #[arg(long)]
    print_addresses: bool,
}

pub(super) fn run(arguments: &ServeArgs) -> Outcome {
    let mut config = match load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    if arguments.dev
        && let Err(why) = open_up(&mut config)
    {
        complain(&why);
        return Outcome::Misused;
    }
    if arguments.config.is_none() && !arguments.dev {
        make_secrets(&mut config);
    }
    start_logging(config.log);
    on_all_cores(serve(arguments, config))
}

/// Runs a node's life.
pub(super) fn on_all_cores(life: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(fault) => {
            complain(&format_args!("cannot start the runtime: {fault}"));
            return Outcome::Failed;
        }
    };
    let outcome = runtime.block_on(life);
    // What is still under way after the drain must not hold the process up.
    runtime.shutdown_background();
    outcome
}

async fn serve(arguments: &ServeArgs, config: Config) -> Outcome {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(outcome) => return outcome,
    };
    let server = match start(config, Pages::default()).await {
        Ok(server) => server,
        Err(outcome) => return outcome,
    };
    if arguments.print_addresses {
        print(&addresses(server.addresses()));
    }
    signals.obey(|| reload(arguments, &server)).await;
    signals.end(server).await
}

/// A node that listens, or why not, which is told.
pub(super) async fn start(config: Config, pages: Pages) -> Result<Server, Outcome> {
    let misused = |fault: &dyn std::fmt::Display| {
        complain(fault);
        Outcome::Misused
    };
    let context = context(&config).map_err(|fault| misused(&fault))?;
    let (zones, warnings) = files::zones(&config).map_err(|faults| misused(&faults))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let options = NodeOptions {
        lanes: config.server.lanes.unwrap_or_else(lanes),
        queue_bytes_max: config.server.queue_max_size,
        user_connection_limit: config.server.user_connection_limit,
        name: config.node.name.clone().unwrap_or_else(random_name),
        memory: config.engine.clone(),
        webhook: config.webhook.clone(),
        zones,
    };
    info!(node = options.name, region = config.node.region, lanes = options.lanes, "starting");
    let node = Node::start(options, context, Clock::new());
    Server::start(node, config.server, pages).await.map_err(|fault| {
        match fault {
            StartError::Tls(fault) => complain(&files::tls_fault(fault)),
            fault => complain(&fault),
        }
        Outcome::Failed
    })
}

/// The signals that a node obeys, listened to before anybody can know of it.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// What goes wrong is told.
    pub(super) fn listen() -> Result<Self, Outcome> {
        let listen = || {
            Ok::<_, std::io::Error>(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            })
        };
        listen().map_err(|fault| {
            complain(&format_args!("cannot listen for signals: {fault}"));
            Outcome::Failed
        })
    }

    /// Reloads at each SIGHUP, returns at SIGTERM or SIGINT.
    pub(super) async fn obey(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(),
            }
        }
    }

    /// Drains, unless there is a second signal.
    pub(super) async fn end(&mut self, server: Server) -> Outcome {
        tokio::select! {
            () = server.shut_down() => Outcome::Done,
            () = self.again() => {
                complain(&"a second signal: ending without the drain");
                Outcome::Failed
            }
        }
    }

    /// Returns at the next SIGTERM or SIGINT.
    async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Reads the namespaces, the keys and the certificates again; everything stays as it is
/// where there is a fault.
fn reload(arguments: &ServeArgs, server: &Server) {
    if arguments.config.is_none() || arguments.dev {
        return info!("nothing to reload without a configuration file");
    }
    let Ok(config) = load(arguments.config.as_deref()) else {
        return error!("the configuration has faults; nothing was reloaded");
    };
    match context(&config) {
        Ok(context) => server.node().set_context(context),
        Err(fault) => return error!(%fault, "nothing was reloaded"),
    }
    match server.reload(&config.server) {
        Ok(()) => info!(
            "reloaded namespaces, client options, token keys, API key, origins and certificate; \
             all else needs a restart"
        ),
        Err(fault) => error!(%fault, "the certificate was not reloaded"),
    }
}

fn context(config: &Config) -> Result<Context, KeyError> {
    Ok(Context {
        options: config.session.clone(),
        namespaces: config.namespaces.clone(),
        tokens: TokenVerifier::new(&config.token)?,
        subscription_tokens: config
            .subscription_token
            .as_ref()
            .map(TokenVerifier::new)
            .transpose()?,
        version: concat!("nearcast ", env!("CARGO_PKG_VERSION")),
    })
}

/// As many lanes as cores, rounded up to a power of two.
fn lanes() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.next_power_of_two().min(limits::LANES_MAX)
}

fn random_name() -> String {
    let number = getrandom::u32().expect("the operating system has random numbers");
    format!("node-{number:08x}")
}

/// `--dev`: everything is allowed, so nobody but this machine may reach it.
fn open_up(config: &mut Config) -> Result<(), &'static str> {
    let server = &config.server;
    let listeners = [server.http, server.admin, server.quic];
    if listeners.iter().flatten().any(|at| !at.ip().is_loopback()) {
        return Err("--dev: only on loopback addresses (127.0.0.0/8 or ::1)");
    }
    config.session.insecure = true;
    config.server.api.insecure = true;
    config.server.allowed_origins = vec!["*".to_owned()];
    // Nobody is served by a gentle end here.
    config.server.shutdown_spread = std::time::Duration::ZERO;
    let kept = NamespaceOptions {
        presence: true,
        history_size: 100,
        history_ttl: std::time::Duration::from_secs(300),
        force_recovery: true,
        ..NamespaceOptions::default()
    };
    if config.namespaces.is_plain() {
        let with = |name: &str, kind| Namespace {
            name: name.to_owned(),
            options: NamespaceOptions {
                geo: Some(Arc::new(GeoOptions { kind, key: KeyRule::Free, ..Default::default() })),
                force_recovery: kind == GeoKind::Events,
                ..kept.clone()
            },
        };
        let named = [with("events", GeoKind::Events), with("objects", GeoKind::Objects)];
        config.namespaces = Namespaces::new(config.namespaces.rules.clone(), kept, named);
    }
    Ok(())
}

/// Without a file, tokens and API key are required all the same: makes them and tells them once.
fn make_secrets(config: &mut Config) {
    let token = &mut config.token;
    let keyless = [
        &token.hmac_secret_key,
        &token.rsa_public_key,
        &token.ecdsa_public_key,
        &token.ed25519_public_key,
    ]
    .into_iter()
    .all(Option::is_none);
    if keyless && !config.session.insecure {
        let secret = random_secret();
        complain(&format_args!(
            "development secret for tokens (client.token.hmac_secret_key): {secret}"
        ));
        token.hmac_secret_key = Some(secret);
    }
    if config.server.api.key.is_none() && !config.server.api.insecure {
        let key = random_secret();
        complain(&format_args!("development key for the server API (http_api.key): {key}"));
        config.server.api.key = Some(key);
    }
}

fn random_secret() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn start_logging(options: LogOptions) {
    let level = options.level;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if options.json { builder.json().init() } else { builder.init() }
}

pub(super) fn addresses(addresses: &Addresses) -> String {
    object!({
        "http": addresses.http,
        "admin": addresses.admin,
        "webtransport": addresses.webtransport,
        "relay": null,
        "certificate_sha256": addresses.certificate_sha256,
        "certificate_by_hash": addresses.certificate_by_hash,
    })
    .to_string()
}
