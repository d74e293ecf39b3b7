//! `nearcast bench fixes`: objects move through a city of fences, each from a connection of its own,
//! while others watch parts of it.

mod city;
mod course;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use serde_json::json;
use tokio::task::{JoinSet, LocalSet};

use super::audience::Audience;
use super::dial::{Dialer, Role, Speech};
use super::pace::{self, PaceArgs};
use super::process::usages;
use super::report::{FixesReport, finish};
use super::wire::Writing;
use super::{BenchError, ServerArgs};
use crate::base::Encoding;
use crate::cli::backend::ApiArgs;
use crate::cli::{Outcome, on_this_thread};
use crate::client::ApiClient;
use crate::protocol::{Command, PublishRequest};

use city::City;
use course::{Course, Part};

pub(super) use course::Sums;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct FixesArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    pub(super) load: CityArgs,
    #[command(flatten)]
    backend: ApiArgs,
}

/// What is in the city.
#[derive(Clone, Debug, Args)]
pub(super) struct CityArgs {
    /// Connections that move an object each
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) movers: u32,
    /// The server's fences, circles that tell of enter and exit
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(super) fences: u32,
    /// Sessions that see the objects in a circle
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) watchers: u32,
    /// Radius of the fences
    #[arg(long, value_name = "M", default_value_t = 200)]
    pub(super) fence_radius_m: u32,
    /// Radius of what the watchers see
    #[arg(long, value_name = "M", default_value_t = 500)]
    pub(super) radius_m: u32,
    /// How far an object goes from fix to fix
    #[arg(long, value_name = "M", default_value_t = 10)]
    pub(super) step_m: u32,
    /// Sides of the city
    #[arg(long, value_name = "KM", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(super) city_km: u32,
    /// Another number, another city
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    /// A channel of objects, in which clients may name them; any other, without fences and
    /// watchers, shows what publishing alone costs
    #[arg(long, default_value = "objects:bench")]
    pub(super) channel: String,
    /// The channel to which the fences tell
    #[arg(long, value_name = "CHANNEL", default_value = "bench-fences")]
    pub(super) results: String,
}

pub(super) fn run(arguments: &FixesArgs) -> Outcome {
    let FixesArgs { server, load, backend } = arguments;
    let measured = on_this_thread(LocalSet::new().run_until(async {
        let dialer = Dialer::new(server).await?;
        let Some(encoding) = dialer.speech.encoding() else {
            let why = "fixes are of the protocol, not of plain WebSockets";
            return Err(BenchError::Url(server.url.clone(), why));
        };
        let api = match load.fences {
            0 => None,
            _ => Some(backend.open(&server.trust()).await?),
        };
        measure(&dialer, encoding, load, api, server.pid).await
    }));
    finish(measured, server.json)
}

/// Runs the load; within a `LocalSet`.
async fn measure(
    dialer: &Dialer,
    encoding: Encoding,
    load: &CityArgs,
    api: Option<ApiClient>,
    pid: Option<u32>,
) -> Result<FixesReport, BenchError> {
    let mut city = City::new(load);
    if let Some(mut api) = api {
        for number in 0..load.fences {
            let fence = json!({
                "name": format!("bench-{number}"), "channel": load.channel,
                "area": city.circle(load.fence_radius_m),
                "detect": ["enter", "exit"], "publish": load.results,
            });
            api.call("fence_set", fence.to_string()).await?;
        }
    }
    let audience = Audience::new(Course::new(encoding, load.pace.window), dialer.speech);
    let mut tasks = JoinSet::new();
    if load.fences > 0 {
        let listener = dialer.open(0, &Role::subscriber(&load.results)).await?;
        audience.attend(listener, Part::Results, &mut tasks);
    }
    let areas: Vec<Bytes> =
        (0..load.watchers).map(|_| city.circle(load.radius_m).to_string().into()).collect();
    let watches = |number: usize| Role::Subscriber {
        channel: load.channel.clone(),
        area: areas.get(number).cloned().unwrap_or_default(),
    };
    for link in dialer.open_all(areas.len(), load.pace.concurrency, watches, |_| ()).await? {
        audience.attend(link, Part::Watcher, &mut tasks);
    }
    let movers = usize::try_from(load.movers).expect("a u32 fits");
    let links = dialer.open_all(movers, load.pace.concurrency, |_| Role::Publisher, |_| ()).await?;
    let streams: Vec<_> =
        links.into_iter().map(|link| audience.attend(link, Part::Mover, &mut tasks)).collect();
    let before = usages(pid)?;
    let start = audience.clock.moment();
    pace::keep(&audience, &load.pace, async |numbers| {
        numbers.iter().try_for_each(|&number| {
            let (mover, place) = city.step(number);
            send(&streams[mover], &frame(dialer.speech, &load.channel, number, mover, &place))
        })
    })
    .await?;
    let elapsed = audience.clock.moment().since(start);
    let after = usages(pid)?;
    // What the last fixes caused is on its way.
    tokio::time::sleep(LINGER).await;
    let sums = audience.ear.borrow().sums();
    Ok(FixesReport::new(load, &sums, elapsed, (before, after), audience.first_end()))
}

/// A mover has few fixes under way, so that the kernel takes each whole.
fn send(stream: &Rc<RefCell<Writing>>, frame: &[u8]) -> Result<(), BenchError> {
    match stream.borrow_mut().try_write(frame) {
        Ok(written) if written == frame.len() => Ok(()),
        Ok(_) => Err(BenchError::Publisher("the server reads too slowly".to_owned())),
        Err(fault) => Err(BenchError::Publisher(fault.to_string())),
    }
}

fn frame(speech: Speech, channel: &str, number: u64, mover: usize, place: &str) -> Vec<u8> {
    let publish = PublishRequest {
        channel: channel.to_owned(),
        key: format!("mover-{mover}"),
        data: Bytes::from(format!(r#"{{{place},"data":{{"seq":{number}}}}}"#)),
        ..PublishRequest::default()
    };
    let id = u32::try_from(number % u64::from(u32::MAX)).unwrap_or(0) + 1;
    speech.commands(&[Command { id, publish: Some(publish), ..Command::default() }])
}

/// After the last answer.
const LINGER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
