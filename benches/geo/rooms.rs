//! What an event and a fix cost a lane, from the queue to the mailboxes; and what it costs to refuse
//! what is wrong.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use nearcast::internals::{Shape, Town, read_area, read_fix};

use super::{Numbers, Square};

/// Everybody of a stadium gets an event.
pub(super) fn stadium(c: &mut Criterion) {
    let mut numbers = Numbers(7);
    let square = Square(0.3);
    let mut town = Town::of_events();
    for number in 0..10_000 {
        town.watch(number, &Shape::circle(&square.spot(&mut numbers, 0.0), 1000.0));
    }
    let spots = square.spots(1000, 0.0);
    let mut at = 0;
    c.bench_function("an event/to 10,000 of one cell, into their mailboxes", |b| {
        b.iter(|| {
            at = (at + 1) % spots.len();
            town.event(&spots[at]);
        })
    });
    println!("{} mails", town.told());
}

/// Objects of a city ride on, past views and through fences.
pub(super) fn city(c: &mut Criterion) {
    let mut group = c.benchmark_group("a fix");
    for (name, views, fences) in [
        ("of 10,000 objects, alone", 0, 0),
        ("past 100,000 views of 100 m", 100_000, 0),
        ("through 10,000 fences of 200 m", 0, 10_000),
        ("through 100,000 fences of 200 m", 0, 100_000),
    ] {
        let mut numbers = Numbers(8);
        // As many views or fences to a square kilometre in each, so that growth shows.
        let square = Square(if views + fences > 10_000 { 63.0 } else { 20.0 });
        let mut town = Town::of_objects();
        for number in 0..views {
            town.watch(number, &Shape::circle(&square.spot(&mut numbers, 0.0), 100.0));
        }
        for number in 0..fences {
            town.fence(number, &Shape::circle(&square.spot(&mut numbers, 0.0), 200.0));
        }
        let keys: Vec<Arc<str>> = (0..10_000).map(|key: u32| key.to_string().into()).collect();
        let starts = square.spots(keys.len(), 1.0);
        let mut fixes = 0_usize;
        group.bench_function(name, |b| {
            b.iter(|| {
                let object = fixes % keys.len();
                // Ten metres north with each, and back after a kilometre.
                let north = ((fixes / keys.len()) % 100) as f64 * 0.000_09;
                town.fix(&keys[object], &starts[object].moved(north));
                fixes += 1;
            })
        });
        println!("{name}: {:.2} mails a fix", town.told() as f64 / fixes as f64);
    }
    group.finish();
}

/// Each of what clients get wrong.
pub(super) fn refusals(c: &mut Criterion) {
    let ring = |count: usize| -> String {
        let vertex = |n: usize| {
            let angle = n as f64 / count as f64 * std::f64::consts::TAU;
            format!("[{},{}]", 13.0 + angle.cos(), 52.0 + angle.sin())
        };
        let ring: Vec<String> = (0..count).map(vertex).collect();
        format!(r#"{{"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#, ring.join(","))
    };
    let comb = |count: usize| -> String {
        let vertex = |n: usize| {
            format!("[{},{}]", n as f64 * 0.001, if n.is_multiple_of(2) { 0.0 } else { 1.0 })
        };
        let mut ring: Vec<String> = (0..count - 2).map(vertex).collect();
        // The way back crosses every tooth.
        ring.extend(["[2,0.5]".to_owned(), "[-1,0.5]".to_owned()]);
        format!(r#"{{"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#, ring.join(","))
    };
    let cells = vec!["\"8928308280fffff\""; 4096].join(",");
    let areas = [
        ("a latitude of 95", r#"{"near":{"lat":95,"lng":13,"radius_m":5}}"#.to_owned()),
        ("swapped", r#"{"near":{"lat":152,"lng":13,"radius_m":5}}"#.to_owned()),
        ("a radius of 0", r#"{"near":{"lat":52,"lng":13,"radius_m":0}}"#.to_owned()),
        (
            "a box of 179 to 181",
            r#"{"bbox":{"west":179,"south":0,"east":181,"north":1}}"#.to_owned(),
        ),
        (
            "a bow-tie",
            r#"{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1]]]}}"#
                .to_owned(),
        ),
        ("1,001 vertices", ring(1001)),
        ("a comb of 1,000 vertices that is crossed", comb(1000)),
        ("an unknown member", r#"{"near":{"lat":52,"lng":13,"radius_m":5},"colour":1}"#.to_owned()),
        ("no number", r#"{"near":{"lat":NaN,"lng":13,"radius_m":5}}"#.to_owned()),
        ("4,096 cells and a wrong one", format!(r#"{{"cells":[{cells},"x"]}}"#)),
        ("64 KiB of brackets", "[".repeat(65_536)),
    ];
    let mut group = c.benchmark_group("refused");
    for (name, area) in &areas {
        assert!(read_area(area.as_bytes()).is_err(), "{name} is accepted");
        group.bench_function(*name, |b| b.iter(|| black_box(read_area(area.as_bytes()))));
    }
    let fix = br#"{"channel":"a:b","key":"c","lat":52,"lng":1e308}"#;
    assert!(read_fix(fix).is_err());
    group.bench_function("a fix at 1e308", |b| b.iter(|| black_box(read_fix(fix))));
    group.finish();
}
