use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::channel::{
    HistoryQuery, Keep, Position, Recovery, RecoveryMode, Since, Stream, recover, recovery_query,
};
use crate::geo::Place;

const TTL: Duration = Duration::from_secs(100);

fn point(lat: f64, lng: f64) -> Point {
    crate::geo::LatLng::new(lat, lng).unwrap().into()
}

fn at(lat: f64, lng: f64) -> Publication {
    let place = Place { at: point(lat, lng), shape: None };
    Publication { place: Some(Arc::new(place)), ..Publication::default() }
}

fn wide(lat: f64, lng: f64, radius: f64) -> Publication {
    let shape = Area::Circle(Circle::new(point(lat, lng), Metres(radius)));
    let place = Place { at: point(lat, lng), shape: Some(Arc::new(shape)) };
    Publication { place: Some(Arc::new(place)), ..Publication::default() }
}

fn audience(lat: f64, lng: f64, radius: f64) -> Arc<Audience> {
    let area = Arc::new(Area::Circle(Circle::new(point(lat, lng), Metres(radius))));
    Arc::new(Audience { area, ..Audience::default() })
}

fn keep(size: usize) -> Keep {
    Keep { size, buckets: Some(1 << 30), ttl: TTL }
}

fn stream() -> Stream {
    Stream::new("e".into(), TTL)
}

/// What a subscriber that comes back is told: offsets, or `None` for lost.
fn recovered(
    stream: &Stream,
    audience: &Arc<Audience>,
    offset: u64,
    limit: usize,
    now: Moment,
) -> Option<Vec<u64>> {
    let since = Since { offset, epoch: "e".into() };
    let query = recovery_query(&since, limit, RecoveryMode::Stream);
    let query = HistoryQuery { audience: Some(audience.clone()), ..query };
    match recover(stream.read(&query, now), &since, limit, RecoveryMode::Stream) {
        Recovery::Recovered(all) => Some(all.iter().map(|one| one.offset).collect()),
        Recovery::Lost => None,
    }
}

#[test]
fn a_small_area_in_a_busy_channel_recovers() {
    let mut stream = stream();
    let village = audience(47.0, 8.0, 500.0);
    for number in 0..10_000_u32 {
        let place = if number % 4000 == 1 { at(47.0, 8.001) } else { at(52.5, 13.4) };
        stream.append(place, keep(100), Moment(u64::from(number)));
    }
    let now = Moment(20_000);
    assert_eq!(recovered(&stream, &village, 1, 300, now), Some(vec![2, 4002, 8002]));
    assert_eq!(recovered(&stream, &village, 5000, 300, now), Some(vec![8002]));
    assert_eq!(recovered(&stream, &village, 1, 2, now), None, "more than the limit");
    let city = audience(52.5, 13.4, 500.0);
    assert_eq!(recovered(&stream, &city, 1, 300, now), None, "its own bucket forgot some");
    let last = recovered(&stream, &city, 9900, 300, now).unwrap();
    assert_eq!(last.len(), 100);
}

#[test]
fn what_is_wide_is_for_whoever_it_meets() {
    let mut stream = stream();
    stream.append(wide(47.0, 8.0, 100_000.0), keep(2), Moment(1));
    stream.append(at(10.0, 10.0), keep(2), Moment(2));
    let now = Moment(3);
    assert_eq!(recovered(&stream, &audience(47.5, 8.0, 10.0), 0, 10, now), Some(vec![1]));
    assert_eq!(recovered(&stream, &audience(40.0, 8.0, 10.0), 0, 10, now), Some(vec![]));
    for number in 0..3 {
        stream.append(wide(47.0, 8.0, 100_000.0), keep(2), Moment(10 + number));
    }
    let far = audience(-40.0, 8.0, 10.0);
    assert_eq!(recovered(&stream, &far, 0, 10, Moment(20)), None, "a wide one is lost to all");
}

#[test]
fn an_area_over_the_antimeridian_finds_both_sides() {
    let mut stream = stream();
    stream.append(at(0.0, 179.99), keep(5), Moment(1));
    stream.append(at(0.0, -179.99), keep(5), Moment(1));
    let both = audience(0.0, 180.0, 5000.0);
    assert_eq!(recovered(&stream, &both, 0, 10, Moment(2)), Some(vec![1, 2]));
}

#[test]
fn a_channel_keeps_to_its_bytes() {
    let mut stream = stream();
    let keep = Keep { size: 1000, buckets: Some(10_000), ttl: TTL };
    for number in 0..200_u32 {
        stream.append(at(f64::from(number % 80), 0.0), keep, Moment(u64::from(number)));
        assert!(stream.bytes() <= 10_000);
    }
    assert!(recovered(&stream, &audience(0.0, 0.0, 10.0), 0, 300, Moment(300)).is_none());
}

#[test]
fn history_without_an_area_is_in_order_both_ways() {
    let mut stream = stream();
    for number in 0..10_u32 {
        stream.append(at(f64::from(number % 3) * 20.0, 0.0), keep(100), Moment(1));
    }
    let read = |since: Option<u64>, reverse, limit| {
        let since = since.map(|offset| Since { offset, epoch: String::new() });
        let query = HistoryQuery { limit, since, reverse, audience: None };
        let page = stream.read(&query, Moment(2));
        assert_eq!(page.top, Position { offset: 10, epoch: "e".into() });
        page.publications.iter().map(|one| one.offset).collect::<Vec<_>>()
    };
    assert_eq!(read(None, false, 3), [1, 2, 3]);
    assert_eq!(read(Some(7), false, 9), [8, 9, 10]);
    assert_eq!(read(None, true, 2), [10, 9]);
    assert_eq!(read(Some(3), true, 9), [2, 1]);
}

proptest! {
    /// Against a list of everything that was ever published: whoever is told that nothing is
    /// missing is told exactly what it would have got, and nobody whose bucket is whole is told
    /// that something is.
    #[test]
    fn nobody_misses_what_it_is_not_told_of(
        steps in prop::collection::vec((0_u8..6, 0_u8..4, 0_u64..20_000_000_000), 1..120),
        size in 1_usize..6, since in 0_u64..120, pick in 0_u8..6,
    ) {
        let place = |index: u8, off: u8| {
            (f64::from(index) * 25.0 - 60.0, 179.995 + f64::from(off) * 0.002 - 360.0 * f64::from(off / 3))
        };
        let mut stream = stream();
        let (mut now, mut all) = (Moment(0), Vec::new());
        for (index, off, pause) in &steps {
            now = Moment(now.0 + pause);
            let (lat, lng) = place(*index, *off);
            let publication = if *off == 3 && *index == 0 { wide(lat, 180.0, 200_000.0) } else { at(lat, lng) };
            all.push((stream.append(publication, keep(size), now), now));
        }
        let (lat, _) = place(pick, 0);
        let who = audience(lat, 180.0, 3000.0);
        let told = recovered(&stream, &who, since, 1000, now);
        let due: Vec<u64> = all
            .iter()
            .filter(|(one, _)| one.offset > since && who.gets(one))
            .map(|(one, _)| one.offset)
            .collect();
        let top = all.len() as u64;
        // What of the place's own bucket and of the wide one is gone by size or time.
        let gone = |wide: bool| {
            let bucket: Vec<_> = all
                .iter()
                .filter(|(one, _)| {
                    let place = one.place.as_ref().unwrap();
                    if wide { place.shape.is_some() } else { place.shape.is_none() && who.gets(one) }
                })
                .collect();
            let kept = bucket.len().saturating_sub(size);
            bucket.iter().enumerate().any(|(index, (one, taken))| {
                one.offset > since && (index < kept || taken.after(TTL) <= now)
            })
        };
        match told {
            Some(told) => prop_assert_eq!(told, due),
            None => prop_assert!(since > top || gone(false) || gone(true), "nothing was gone"),
        }
    }
}
