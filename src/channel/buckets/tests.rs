mod model;

use std::time::Duration;

use super::*;
use crate::channel::{
    Audience, HistoryQuery, Keep, Position, Recovery, RecoveryMode, Since, Stream, recover,
    recovery_query,
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
fn what_is_some_cells_wide_stays_in_the_bucket_of_its_place() {
    let mut stream = stream();
    stream.append(at(47.0, 8.0), keep(2), Moment(1));
    for _ in 0..3 {
        stream.append(wide(10.0, 8.0, NARROW.0), keep(2), Moment(1));
    }
    assert_eq!(recovered(&stream, &audience(47.0, 8.0, 10.0), 0, 10, Moment(2)), Some(vec![1]));
    // 15 km away, in another cell.
    let met = audience(10.135, 8.0, 10.0);
    assert_eq!(recovered(&stream, &met, 2, 10, Moment(2)), Some(vec![3, 4]));
    assert_eq!(recovered(&stream, &met, 1, 10, Moment(2)), None, "2 is gone");
    for _ in 0..3 {
        stream.append(wide(10.0, 8.0, NARROW.0 + 1.0), keep(2), Moment(1));
    }
    assert_eq!(recovered(&stream, &audience(47.0, 8.0, 10.0), 4, 10, Moment(2)), None);
}

#[test]
fn a_channel_keeps_to_its_bytes_and_a_quiet_place_to_what_it_knows() {
    let mut stream = stream();
    let keep = Keep { size: 1000, buckets: Some(20_000), ttl: TTL };
    stream.append(at(-60.0, 100.0), keep, Moment(0));
    for number in 1..400_u32 {
        stream.append(at(f64::from(number % 5), 0.0), keep, Moment(u64::from(number)));
        assert!(stream.bytes() <= 20_000);
    }
    assert!(stream.len() > 20);
    assert_eq!(recovered(&stream, &audience(0.0, 0.0, 10.0), 0, 300, Moment(400)), None);
    let quiet = audience(-60.0, 100.0, 10.0);
    assert_eq!(recovered(&stream, &quiet, 0, 300, Moment(400)), None, "its own is gone");
    assert_eq!(recovered(&stream, &quiet, 1, 300, Moment(400)), Some(vec![]));
}

#[test]
fn a_publication_over_the_bytes_of_its_channel_is_not_kept() {
    let mut stream = stream();
    let keep = Keep { size: 1000, buckets: Some(1024), ttl: TTL };
    let big = Publication { data: vec![b'x'; 2000].into(), ..at(47.0, 8.0) };
    stream.append(big, keep, Moment(1));
    assert_eq!((stream.len(), stream.bytes() <= 1024), (0, true));
    assert_eq!(recovered(&stream, &audience(47.0, 8.0, 10.0), 0, 9, Moment(2)), None);
}

#[test]
fn removal_is_remembered_by_each_place() {
    let mut stream = stream();
    stream.append(at(47.0, 8.0), keep(9), Moment(1));
    stream.append(at(10.0, 8.0), keep(9), Moment(1));
    stream.clear();
    assert_eq!((stream.len(), stream.position().offset), (0, 2));
    let here = audience(47.0, 8.0, 500.0);
    assert_eq!(recovered(&stream, &here, 0, 10, Moment(2)), None);
    assert_eq!(recovered(&stream, &here, 1, 10, Moment(2)), Some(vec![]));
}

#[test]
fn one_place_over_the_bound_costs_others_what_is_oldest() {
    let mut stream = stream();
    let place = |number: usize| {
        let (row, column) = (number / 256, number % 256);
        let degrees = |steps: usize| f64::from(u32::try_from(steps).unwrap());
        (degrees(row) * 0.6 - 50.0, degrees(column) * 0.6 - 80.0)
    };
    let here = |number| audience(place(number).0, place(number).1, 100.0);
    let mut append = |number| {
        stream.append(at(place(number).0, place(number).1), keep(1), Moment(1));
        let told = |who, offset| recovered(&stream, &here(who), offset, 9, Moment(1));
        (told(0, 0), told(1, 1), told(2, 1))
    };
    for number in 0..limits::HISTORY_BUCKETS - 1 {
        append(number);
    }
    let all = (Some(vec![1]), Some(vec![2]), Some(vec![3]));
    assert_eq!(append(limits::HISTORY_BUCKETS - 1), all, "at the bound");
    let one_less = (None, Some(vec![2]), Some(vec![3]));
    assert_eq!(append(limits::HISTORY_BUCKETS), one_less, "one past it");
    assert_eq!(append(limits::HISTORY_BUCKETS + 1), (None, None, None), "2 is above their offset");
}

#[test]
fn a_place_that_empties_again_and_again_takes_no_more_memory() {
    let mut buckets = Buckets::default();
    for offset in 1..=1000 {
        let one = Publication { offset, ..at(47.0, 8.0) };
        buckets.append(Arc::new(one), 10, 1 << 30, Moment(offset));
        buckets.drop_oldest();
    }
    assert_eq!((buckets.empty.len(), buckets.bytes()), (1, BUCKET_BYTES));
    for _ in 0..2 {
        buckets.shed();
        assert_eq!((buckets.empty.len(), buckets.bytes(), buckets.age()), (0, 0, None));
    }
}

#[test]
fn one_publication_over_what_a_recovery_looks_at_is_lost() {
    let mut stream = stream();
    let all = limits::HISTORY_LOOKS + 100;
    for number in 1..=all {
        // What is nowhere is looked at for every area.
        let one = if number % 1000 == 5 { at(47.0, 8.0) } else { Publication::default() };
        stream.append(one, keep(2 * all), Moment(1));
    }
    let here = audience(47.0, 8.0, 500.0);
    let hits: Vec<u64> = (1..17).map(|hit| hit * 1000 + 5).collect();
    assert_eq!(recovered(&stream, &here, 100, 100, Moment(1)), Some(hits), "at the bound");
    assert_eq!(recovered(&stream, &here, 99, 100, Moment(1)), None, "one past it");
    let first = |reverse| {
        let audience = Some(here.clone());
        let query = HistoryQuery { limit: 1, since: None, reverse, audience };
        stream.read(&query, Moment(1)).publications[0].offset
    };
    assert_eq!((first(false), first(true)), (5, 16_005), "the end that is asked for is looked at");
}

#[test]
fn more_losses_than_are_compared_with_a_shape_are_lost() {
    let lost_beside = |count: usize| {
        let mut stream = stream();
        for number in 0..count {
            let lat = f64::from(u32::try_from(number).unwrap()) * 0.2 - 40.0;
            stream.append(at(lat, 160.0), keep(0), Moment(1));
        }
        // A diagonal: the circle around it has all of them, itself none.
        let line = [(-60.0, 60.0), (60.0, 170.0)];
        let line = line.map(|(lat, lng)| crate::geo::LatLng::new(lat, lng).unwrap());
        let area = Arc::new(Area::routes(&[line.to_vec()], Metres(10.0)).unwrap());
        let who = Arc::new(Audience { area, ..Audience::default() });
        recovered(&stream, &who, 0, 9, Moment(1))
    };
    assert_eq!(lost_beside(limits::HISTORY_DOUBTS), Some(vec![]), "at the bound");
    assert_eq!(lost_beside(limits::HISTORY_DOUBTS + 1), None, "one past it");
}

#[test]
fn a_stream_that_was_kept_without_places_tells_nobody_of_what_has_none() {
    let mut stream = stream();
    let plain = Keep { size: 3, buckets: None, ttl: TTL };
    for _ in 0..5 {
        stream.append(Publication::default(), plain, Moment(1));
    }
    let here = audience(47.0, 8.0, 500.0);
    assert_eq!(recovered(&stream, &here, 2, 10, Moment(2)), Some(vec![]));
    assert_eq!(recovered(&stream, &here, 1, 10, Moment(2)), None, "2 is gone");
    assert_eq!(recovered(&stream, &here, 4, 10, Moment(1).after(TTL)), None, "5 has expired");
    stream.append(at(47.0, 8.0), keep(9), Moment(3));
    assert_eq!(recovered(&stream, &here, 5, 10, Moment(4)), Some(vec![6]));
    assert_eq!(recovered(&stream, &here, 4, 10, Moment(4)), None, "what was before is gone");
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
