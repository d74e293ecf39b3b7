//! Against servers in this process.

use std::net::Ipv4Addr;

use clap::Parser;
use tokio::net::TcpListener;

use super::super::BenchCommand;
use super::super::floor::serve;
use super::super::pace::Rate;
use super::super::report::Report;
use super::*;
use crate::client::tests::Served;
use crate::session::SessionOptions;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: BenchCommand,
}

fn fan_out(words: &[&str]) -> Result<FanOutArgs, String> {
    let typed = Cli::try_parse_from([&["bench", "fan-out"], words].concat());
    match typed.map_err(|fault| fault.to_string())?.command {
        BenchCommand::FanOut(arguments) => Ok(arguments),
        _ => unreachable!("typed above"),
    }
}

async fn measured(words: &[&str]) -> Result<serde_json::Value, BenchError> {
    let FanOutArgs { server, load, .. } = fan_out(words).unwrap();
    let local = LocalSet::new();
    let report = local.run_until(async {
        let dialer = Dialer::new(&server).await?;
        let source = connect_source(&dialer, &load).await?;
        measure(&dialer, &load, source, Some(std::process::id())).await
    });
    let report = report.await?;
    assert!(report.is_sound(), "{}", report.text());
    Ok(serde_json::to_value(&report).unwrap())
}

#[tokio::test]
async fn everybody_hears_everything_once() {
    let served = Served::open().await;
    for more in [&["--protobuf"][..], &[]] {
        let url = served.url();
        let words = ["--url", &url, "--subscribers", "7", "--rate", "max", "--seconds", "1"];
        let report = measured(&[&words[..], &["--window", "8"], more].concat()).await.unwrap();
        let published = report["publications"].as_u64().unwrap();
        assert!(published > 8, "{report}");
        assert_eq!(report["deliveries"], published * 7);
        assert!(report["server_cpu_us_per_delivery"].as_f64().unwrap() > 0.0);
    }
}

#[tokio::test]
async fn everybody_hears_everything_over_webtransport() {
    let served = Served::open().await;
    let (url, hash) = served.webtransport();
    for more in [&["--protobuf"][..], &["--certificate-sha256", &hash]] {
        let words = ["--url", &url, "--subscribers", "3", "--rate", "max", "--seconds", "1"];
        let report = measured(&[&words[..], &["--window", "8"], more].concat()).await.unwrap();
        let published = report["publications"].as_u64().unwrap();
        assert!(published > 8, "{report}");
        assert_eq!(report["deliveries"], published * 3);
    }
    let other = "0".repeat(64);
    measured(&["--url", &url, "--certificate-sha256", &other]).await.unwrap_err();
    let elsewhere = url.replace("connection", "elsewhere");
    let refused = measured(&["--url", &elsewhere]).await.unwrap_err().to_string();
    assert!(refused.ends_with(" was refused: status 404"), "{refused}");
}

#[tokio::test]
async fn the_floor_delivers_the_same() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(serve(listener).await) });
    let words = ["--subscribers", "5", "--rate", "200", "--seconds", "1", "--bytes", "70000"];
    let FanOutArgs { load, .. } = fan_out(&words).unwrap();
    let local = LocalSet::new();
    let report = local.run_until(async {
        let dialer = Dialer::floor(address);
        let source = connect_source(&dialer, &load).await.unwrap();
        measure(&dialer, &load, source, None).await.unwrap()
    });
    let report = report.await;
    assert!(report.is_sound(), "{}", report.text());
    let report = serde_json::to_value(&report).unwrap();
    let published = report["publications"].as_u64().unwrap();
    assert!((1..=201).contains(&published), "{report}");
    assert_eq!(report["deliveries"], published * 5);
}

#[tokio::test]
async fn tells_who_was_refused_and_why() {
    let served = Served::start(SessionOptions::default(), None).await;
    let url = served.url();
    let words = ["--url", &url, "--token", "no.such.token", "--subscribers", "1"];
    let refused = measured(&words).await.unwrap_err().to_string();
    assert!(
        refused.contains(" was refused: invalid token") && refused.ends_with("(3500)"),
        "{refused}"
    );
    let elsewhere = url.replace("websocket", "elsewhere");
    let refused = measured(&["--url", &elsewhere]).await.unwrap_err().to_string();
    assert!(refused.ends_with(" was refused: HTTP/1.1 404 Not Found"), "{refused}");
}

#[tokio::test]
async fn a_server_that_leaves_is_not_sound() {
    let served = Served::open().await;
    let words = ["--url", &served.url(), "--subscribers", "3", "--rate", "20", "--seconds", "60"];
    let FanOutArgs { server, load, .. } = fan_out(&words).unwrap();
    let local = LocalSet::new();
    let run = local.run_until(async {
        let dialer = Dialer::new(&server).await.unwrap();
        let source = connect_source(&dialer, &load).await.unwrap();
        let leave = async {
            while served.server.node().info().await.sessions.clients < 4 {
                tokio::task::yield_now().await;
            }
            served.server.shut_down().await;
        };
        tokio::join!(measure(&dialer, &load, source, None), leave).0
    });
    match run.await {
        Ok(report) => {
            assert!(!report.is_sound());
            assert!(report.text().contains("shutdown (3001)"), "{}", report.text());
        }
        Err(BenchError::Publisher(why)) => assert_eq!(why, "shutdown (3001)"),
        // The server leaves before the last subscriber was told that it may stay.
        Err(fault) => assert!(fault.to_string().contains("3001"), "{fault}"),
    }
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    assert_eq!(fan_out(&["--rate", "max"]).unwrap().load.pace.rate, Rate(None));
    assert_eq!(fan_out(&["--rate", "2.5"]).unwrap().load.pace.rate, Rate(Some(2.5)));
    for words in [
        &["--rate", "0"][..],
        &["--rate", "-1"],
        &["--rate", "NaN"],
        &["--rate", "fast"],
        &["--window", "0"],
        &["--window", "4097"],
        &["--plain", "--protobuf"],
        &["--plain", "--through-api"],
        &["--certificate-sha256", "ab"],
        &["--certificate-sha256", &"x".repeat(64)],
    ] {
        assert!(fan_out(words).is_err(), "{words:?}");
    }
    for words in
        [&["floor"][..], &["floor", "--address", "here"], &["connections", "--channels", "2"]]
    {
        assert!(Cli::try_parse_from([&["bench"], words].concat()).is_err(), "{words:?}");
    }
    Cli::try_parse_from(["bench", "floor", "serve"]).unwrap();
}
