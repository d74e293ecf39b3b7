//! Against a server in this process.

use clap::Parser;

use super::super::report::Report;
use super::*;
use crate::client::tests::Served;
use crate::geo::{LatLng, Metres, Point};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    fixes: FixesArgs,
}

fn typed(words: &[&str]) -> Result<FixesArgs, String> {
    let typed = Cli::try_parse_from([&["fixes"], words].concat());
    typed.map(|cli| cli.fixes).map_err(|fault| fault.to_string())
}

/// A small city in which everybody is busy.
const SMALL: [&str; 14] = [
    "--movers",
    "5",
    "--fences",
    "20",
    "--watchers",
    "3",
    "--city-km",
    "1",
    "--step-m",
    "50",
    "--rate",
    "max",
    "--window",
    "8",
];

async fn measured(served: &Served, more: &[&str]) -> Result<serde_json::Value, BenchError> {
    let (url, api) = (served.url(), served.api());
    let words = [&SMALL[..], &["--url", &url, "--api", &api, "--seconds", "1"], more].concat();
    let FixesArgs { server, load, backend } = typed(&words).unwrap();
    let encoding = if server.protobuf { Encoding::Protobuf } else { Encoding::Json };
    let local = LocalSet::new();
    let report = local.run_until(async {
        let dialer = Dialer::new(&server).await?;
        let api = backend.open(&server.trust()).await?;
        measure(&dialer, encoding, &load, Some(api), Some(std::process::id())).await
    });
    let report = report.await?;
    assert!(report.is_sound(), "{}", report.text());
    Ok(serde_json::to_value(&report).unwrap())
}

#[tokio::test]
async fn fixes_are_answered_watched_and_told() {
    let served = Served::open().await;
    for more in [&["--protobuf"][..], &["--seed", "2"]] {
        let report = measured(&served, more).await.unwrap();
        let [fixes, watched, told] =
            [&report["fixes"], &report["watched"]["count"], &report["told"]["count"]]
                .map(|count| count.as_u64().unwrap());
        assert!(fixes > 8 && watched > 0 && told > 0, "{report}");
        assert!(watched <= fixes * 3, "each watcher hears of a fix at most once: {report}");
        assert!(told <= fixes * 20, "and each fence tells at most once: {report}");
        assert!(report["server_cpu_us_per_fix"].as_f64().unwrap() > 0.0);
    }
}

#[tokio::test]
async fn a_channel_without_objects_is_refused_and_said() {
    let served = Served::open().await;
    let refused = measured(&served, &["--channel", "plain"]).await.unwrap_err().to_string();
    assert!(refused.starts_with("the server API: "), "{refused}");
    assert!(refused.contains("channel"), "{refused}");
}

#[test]
fn movers_go_their_steps_and_stay_in_the_city() {
    let load = typed(&SMALL).unwrap().load;
    let mut city = City::new(&load);
    let place = |step: &str| {
        let place: serde_json::Value = serde_json::from_str(&format!("{{{step}}}")).unwrap();
        let [lat, lng] = ["lat", "lng"].map(|field| place[field].as_f64().unwrap());
        Point::from(LatLng::new(lat, lng).unwrap())
    };
    let mut before = vec![None; 5];
    let first = place(&city.step(0).1);
    for number in 1..5_000 {
        let (mover, step) = city.step(number);
        assert_eq!(mover as u64, number % 5);
        let place = place(&step);
        assert!(place.distance(&first) < Metres(1_500.0), "outside of the city: {step}");
        if let Some(before) = before[mover].replace(place) {
            let Metres(gone) = place.distance(&before);
            assert!((gone - 50.0).abs() < 1.0, "a step of {gone} m");
        }
    }
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    for words in [["--movers", "0"], ["--city-km", "0"], ["--rate", "0"], ["--window", "0"]] {
        assert!(typed(&words).is_err(), "{words:?}");
    }
}
