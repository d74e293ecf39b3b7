//! `nearcast demo`: a node on this machine, with a city of couriers moving through it and a page to
//! look at it.

mod city;
mod news;
mod streets;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use tokio::time::{MissedTickBehavior, interval};

use super::serve::{Signals, addresses, on_all_cores, start, start_logging};
use super::{Outcome, complain, print};
use crate::config::{Config, Format};
use crate::node::Node;
use crate::protocol::ClientError;
use crate::server::{Addresses, Pages};

use city::City;
use news::Quakes;
use streets::Streets;

#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Page, WebSocket and server API; on this machine only, as everything is allowed
    #[arg(long, value_name = "ADDRESS", default_value_t = local(8000), value_parser = loopback)]
    http: SocketAddr,
    /// Health and metrics
    #[arg(long, value_name = "ADDRESS", default_value_t = local(9000), value_parser = loopback)]
    admin: SocketAddr,
    /// So many couriers
    #[arg(long, value_name = "N", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=5000))]
    couriers: u32,
    /// Another number, another city
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print the bound addresses as one line of JSON, and nothing else
    #[arg(long)]
    print_addresses: bool,
}

const CONFIG: &str = include_str!("demo/demo.toml");
const COURIERS: &str = "couriers:city";
const HAPPENINGS: &str = "alerts:city";
const QUAKES: &str = "alerts:earthquakes";

/// Every courier has one turn of a second; turns are spread over it.
const TURNS_A_SECOND: usize = 10;
const TURN: Duration = Duration::from_millis(100);
/// Turns between two things that happen in the city, and between two earthquakes.
const HAPPENING_TURNS: usize = 10;
const QUAKE_TURNS: usize = 30;

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|fault| format!("{fault}"))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("only on loopback addresses (127.0.0.0/8 or ::1)".to_owned()),
    }
}

pub(super) fn run(arguments: &DemoArgs) -> Outcome {
    let mut config = match Config::parse(Format::Toml, CONFIG, std::iter::empty()) {
        Ok((config, _warnings_of_insecure_options)) => config,
        Err(faults) => unreachable!("the demo's configuration has faults: {faults}"),
    };
    config.server.http = Some(arguments.http);
    config.server.admin = Some(arguments.admin);
    // The page does without.
    config.server.quic = None;
    start_logging(config.log);
    on_all_cores(live(arguments, config))
}

async fn live(arguments: &DemoArgs, config: Config) -> Outcome {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(outcome) => return outcome,
    };
    let mut city = City::new(Streets::central_gothenburg(), arguments.couriers, arguments.seed);
    let server = match start(config, pages()).await {
        Ok(server) => server,
        Err(outcome) => return outcome,
    };
    if let Err(fault) = settle(server.node(), &city).await {
        complain(&fault);
        return Outcome::Failed;
    }
    print(&match arguments.print_addresses {
        true => addresses(server.addresses()),
        false => welcome(arguments, server.addresses()),
    });
    // The city stops with the node: it lives in this task alone.
    let stopped = tokio::select! {
        () = signals.obey(|| {}) => None,
        fault = drive(server.node(), &mut city) => Some(fault),
    };
    let ended = signals.end(server).await;
    match stopped {
        None => ended,
        Some(fault) => {
            complain(&fault);
            Outcome::Failed
        }
    }
}

/// The first fix of everybody.
async fn settle(node: &Node, city: &City) -> Result<(), ClientError> {
    for index in 0..city.len() {
        node.set_object(COURIERS, city.fix(index)).await?;
    }
    Ok(())
}

/// Lets the city go on, until the node takes no more.
async fn drive(node: &Node, city: &mut City) -> ClientError {
    let mut quakes = Quakes::of_a_week();
    let mut turns = interval(TURN);
    // A machine that slept has a city that slept.
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and so were everybody's first fixes.
    turns.tick().await;
    let mut turn = 0;
    loop {
        turns.tick().await;
        if let Err(fault) = go_on(node, city, &mut quakes, turn).await {
            return fault;
        }
        turn += 1;
    }
}

async fn go_on(
    node: &Node,
    city: &mut City,
    quakes: &mut Quakes,
    turn: usize,
) -> Result<(), ClientError> {
    for index in (turn % TURNS_A_SECOND..city.len()).step_by(TURNS_A_SECOND) {
        city.advance(index);
        node.set_object(COURIERS, city.fix(index)).await?;
    }
    if turn.is_multiple_of(HAPPENING_TURNS) {
        node.publish(HAPPENINGS, news::happening(city)).await?;
    }
    if turn.is_multiple_of(QUAKE_TURNS) {
        node.publish(QUAKES, quakes.next()).await?;
    }
    Ok(())
}

fn pages() -> Pages {
    const HTML: &str = "text/html; charset=utf-8";
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const JSON: &str = "application/json";
    Pages::default()
        .with("/", HTML, include_str!("demo/page/index.html"))
        .with("/page.css", "text/css; charset=utf-8", include_str!("demo/page/page.css"))
        .with("/page.js", SCRIPT, include_str!("demo/page/page.js"))
        .with("/map.js", SCRIPT, include_str!("demo/page/map.js"))
        .with("/world.js", SCRIPT, include_str!("demo/page/world.js"))
        .with("/centrifuge.js", SCRIPT, include_str!("demo/page/centrifuge.js"))
        .with("/icon.svg", "image/svg+xml", include_str!("demo/page/icon.svg"))
        .with("/streets.json", JSON, streets::JSON)
        .with("/countries.json", JSON, crate::geo::COUNTRIES)
}

fn welcome(arguments: &DemoArgs, addresses: &Addresses) -> String {
    let http = addresses.http.unwrap_or(arguments.http);
    let server = match http == local(8000) {
        true => String::new(),
        false => format!(" --url ws://{http}/connection/websocket"),
    };
    format!(
        "{couriers} couriers are on their way through Gothenburg. Look at them:\n\n  \
         http://{http}/\n\n\
         or from another terminal:\n\n  \
         nearcast near {COURIERS} 57.7,11.966,300{server}\n  \
         nearcast nearest {COURIERS} 57.7,11.966 -k 5{server}\n\n\
         Ctrl-C ends it.",
        couriers = arguments.couriers,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_right_and_stays_on_this_machine() {
        let (config, _warnings) =
            Config::parse(Format::Toml, CONFIG, std::iter::empty()).expect("no faults");
        assert!(config.session.insecure && config.server.api.insecure);
        assert!(config.server.allowed_origins.is_empty(), "its own page alone may connect");
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:80").is_ok());
        for open in ["0.0.0.0:8000", "[::]:8000", "192.168.1.5:8000", "8000"] {
            assert!(loopback(open).is_err(), "{open}");
        }
    }
}
