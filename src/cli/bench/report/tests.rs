//! What reports look like.

use expect_test::expect;

use super::super::audience::Ear;
use super::super::pace::{PaceArgs, Rate};
use super::super::tally::Tally;
use super::*;
use crate::base::Moment;

fn usage(cpu_ms: u64, rss_bytes: u64) -> Usage {
    Usage { cpu: Duration::from_millis(cpu_ms), rss_bytes }
}

/// Two subscribers; the second misses the second of two publications, unless `sound`.
fn fan_out(sound: bool) -> FanOutReport {
    let mut tally = Tally::new(2, 4);
    tally.send(Moment(0));
    tally.send(Moment(0));
    for (expected, number) in [(0, 0), (1, 1), (0, 0)] {
        tally.receive(expected, number, Moment(2_000_000));
    }
    if sound {
        tally.receive(1, 1, Moment(4_000_000));
    } else {
        tally.close();
    }
    let load = LoadArgs {
        subscribers: 2,
        bytes: 200,
        pace: PaceArgs { rate: Rate(Some(1.0)), seconds: 2, window: 4, concurrency: 1 },
        channel: "bench".to_owned(),
    };
    let before = (sound.then(|| usage(100, 1024)), usage(0, 0));
    let after = (sound.then(|| usage(140, 4096)), usage(500, 0));
    let why = (!sound).then(|| "slow (3008)".to_owned());
    FanOutReport::new(&load, &tally.sums(), Duration::from_secs(2), (before, after), why)
}

#[test]
fn shows_a_fan_out() {
    let report = fan_out(true);
    assert!(report.is_sound());
    expect![[r#"
        2 subscribers, 200 bytes, 2.0 s
        publications 2 (1.0/s), deliveries 4 (2/s)
        latency p50 2.00 ms, p99 4.00 ms, max 4.00 ms; to the last subscriber p50 2.00 ms, p99 4.00 ms
        server 10000.00 µs of CPU per delivery, 0.02 cores, 4 KiB of memory
        this program 0.25 cores
        every subscriber received every publication once and in order"#]]
    .assert_eq(&report.text());
    expect![[r#"{"subscribers":2,"bytes":200,"rate":1.0,"window":4,"elapsed_s":2.0,"publications":2,"publications_per_s":1.0,"deliveries":4,"deliveries_per_s":2.0,"p50_us":2000.895,"p99_us":4001.791,"max_us":4001.791,"to_last_p50_us":2000.895,"to_last_p99_us":4001.791,"missing":0,"gaps":0,"repeats":0,"closed":0,"server_cpu_us_per_delivery":10000.0,"server_cores":0.02,"server_rss_bytes":4096,"bench_cores":0.25}"#]]
        .assert_eq(&serde_json::to_string(&report).unwrap());
}

#[test]
fn shows_what_went_wrong() {
    let report = fan_out(false);
    assert!(!report.is_sound());
    let text = report.text();
    let (_numbers, fault) = text.split_once("this program 0.25 cores\n").unwrap();
    expect![[r#"
        NOT SOUND: 1 missing, 0 gaps, 0 repeats, 1 connections closed
        the first that ended: slow (3008)
    "#]]
    .assert_eq(fault);
}

#[test]
fn shows_connections() {
    let mut latency = Histogram::new_with_bounds(1, 1_000_000_000, 3).unwrap();
    latency.record(3_000_000).unwrap();
    let usages = [usage(0, 1 << 20), usage(20, 2 << 20), usage(30, 3 << 20)];
    let mut report = ConnectionsReport {
        sessions: 100,
        connects_per_s: 1234.5,
        latency: Percentiles::of(&latency),
        closed: 0,
        first_end: None,
        server: Some(SessionCost::new(usages, 100, Duration::from_secs(2))),
    };
    expect![[r#"
        100 sessions, 1234 connects/s
        latency p50 3.00 ms, p99 3.00 ms, max 3.00 ms
        server 20972 bytes of memory a session (1024 KiB before, 3072 KiB after)
        server 200.0 µs of CPU a connect, 0.005 cores while held
        every session was held to the end
    "#]]
    .assert_eq(&report.text());
    (report.closed, report.first_end) = (2, Some("no pong (3012)".to_owned()));
    assert!(!report.is_sound());
    assert!(report.text().ends_with("NOT SOUND: 2 sessions ended; the first: no pong (3012)\n"));
}
