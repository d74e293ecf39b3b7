use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn keep(size: usize, ttl: Duration) -> Keep {
    Keep { size, buckets: None, ttl }
}
use crate::channel::Since;

const EPOCH: &str = "e1";

fn stream() -> Stream {
    Stream::new(EPOCH.into(), Duration::from_nanos(10))
}

fn publication(data: &str) -> Publication {
    Publication { data: Bytes::copy_from_slice(data.as_bytes()), ..Publication::default() }
}

/// A stream of five publications, appended at the moments 1 to 5, of which the last three are kept.
fn five() -> Stream {
    let mut stream = stream();
    for moment in 1..=5 {
        stream.append(publication("x"), keep(3, Duration::from_nanos(10)), Moment(moment));
    }
    stream
}

fn offsets(page: &HistoryPage) -> Vec<u64> {
    page.publications.iter().map(|one| one.offset).collect()
}

fn query(limit: usize, since: Option<(u64, &str)>, reverse: bool) -> HistoryQuery {
    let since = since.map(|(offset, epoch)| Since { offset, epoch: epoch.into() });
    HistoryQuery { limit, since, reverse, audience: None }
}

#[test]
fn numbers_from_one_and_keeps_the_newest() {
    let stream = five();
    assert_eq!(stream.position(), Position { offset: 5, epoch: EPOCH.into() });
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(5))), [3, 4, 5]);
    assert_eq!(stream.bytes(), 3 * weight(&publication("x")));
}

#[test]
fn a_page_begins_after_the_position_it_is_asked_for() {
    let stream = five();
    let read =
        |limit, since, reverse| offsets(&stream.read(&query(limit, since, reverse), Moment(5)));
    assert_eq!(read(9, Some((3, EPOCH)), false), [4, 5]);
    assert_eq!(read(9, Some((3, "")), false), [4, 5]);
    assert_eq!(read(9, Some((0, "")), false), [3, 4, 5]);
    assert_eq!(read(9, Some((5, "")), false), [] as [u64; 0]);
    assert_eq!(read(9, Some((u64::MAX, "")), false), [] as [u64; 0]);
    assert_eq!(read(9, Some((3, "e2")), false), [] as [u64; 0]);
    assert_eq!(read(2, None, true), [5, 4]);
    assert_eq!(read(9, Some((5, "")), true), [4, 3]);
    assert_eq!(read(9, Some((3, "")), true), [] as [u64; 0]);
    assert_eq!(read(9, Some((u64::MAX, "")), true), [5, 4, 3]);
    assert_eq!(read(0, None, false), [] as [u64; 0]);
}

#[test]
fn what_has_expired_is_not_read_although_nobody_dropped_it() {
    let stream = five();
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(12))), [3, 4, 5]);
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(13))), [4, 5]);
    assert_eq!(offsets(&stream.read(&query(9, None, true), Moment(14))), [5]);
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(15))), [] as [u64; 0]);
    assert_eq!(stream.next_expiry(), Some(Moment(13)));
}

#[test]
fn a_longer_ttl_does_not_revive_what_had_expired() {
    let mut stream = five();
    stream.append(publication("x"), keep(9, Duration::from_nanos(100)), Moment(14));
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(14))), [5, 6]);
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(104))), [5, 6]);
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(105))), [6]);
}

#[test]
fn expiry_and_removal_keep_the_position_and_count_down_the_bytes() {
    let mut stream = five();
    assert_eq!(stream.drop_expired(Moment(100), 2), 2);
    assert_eq!(stream.bytes(), weight(&publication("x")));
    assert_eq!(stream.drop_expired(Moment(100), 2), 1);
    assert_eq!((stream.bytes(), stream.oldest()), (0, None));
    stream.append(publication("x"), keep(3, Duration::from_nanos(10)), Moment(100));
    stream.clear();
    assert_eq!((stream.bytes(), stream.position().offset), (0, 6));
}

#[test]
fn a_page_ends_at_the_bytes_of_a_reply_but_has_one_publication() {
    let overhead = weight(&publication(""));
    let half = "x".repeat(limits::HISTORY_REPLY_BYTES / 2 - overhead);
    let big = "x".repeat(limits::HISTORY_REPLY_BYTES + 1);
    let mut stream = stream();
    for data in [&half, &half, "", &big] {
        stream.append(publication(data), keep(9, Duration::from_nanos(10)), Moment(1));
    }
    assert_eq!(offsets(&stream.read(&query(9, None, false), Moment(1))), [1, 2]);
    assert_eq!(offsets(&stream.read(&query(9, None, true), Moment(1))), [4]);
    assert_eq!(offsets(&stream.read(&query(9, Some((2, "")), false), Moment(1))), [3]);
}

#[test]
fn a_publication_weighs_all_that_it_carries() {
    let mut one = publication("abc");
    let bare = weight(&one);
    one.tags.insert("key".into(), "value".into());
    one.info = Some(Arc::new(crate::channel::ClientDetails {
        user: "u".into(),
        client: "cc".into(),
        connection_info: Bytes::from_static(b"iii"),
        channel_info: Bytes::from_static(b"jjjj"),
    }));
    assert_eq!(weight(&one), bare + TAG_OVERHEAD + 8 + 10);
}

#[derive(Clone, Debug)]
enum Step {
    Append { size: usize, ttl: u64 },
    Expire { max: usize },
    Clear,
    DropOldest,
    Pass(u64),
    Read { limit: usize, since: Option<u64>, reverse: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_usize, 1..20_u64).prop_map(|(size, ttl)| Step::Append { size, ttl }),
        1 => (0..4_usize).prop_map(|max| Step::Expire { max }),
        1 => Just(Step::Clear),
        1 => Just(Step::DropOldest),
        2 => (0..8_u64).prop_map(Step::Pass),
        4 => (0..6_usize, prop::option::of(0..20_u64), any::<bool>())
            .prop_map(|(limit, since, reverse)| Step::Read { limit, since, reverse }),
    ]
}

proptest! {
    /// The model is a plain list of offset and moment, swept before every read.
    #[test]
    fn reads_what_a_plain_list_would_give(steps in prop::collection::vec(step(), 0..120)) {
        let mut stream = stream();
        let mut model: Vec<(u64, u64)> = Vec::new();
        let (mut now, mut top, mut ttl) = (0, 0, 10);
        for step in steps {
            model.retain(|&(_, taken)| taken + ttl > now);
            match step {
                Step::Append { size, ttl: next } => {
                    ttl = next;
                    top += 1;
                    model.push((top, now));
                    model.drain(..model.len().saturating_sub(size));
                    let ttl = Duration::from_nanos(ttl);
                    prop_assert_eq!(stream.append(publication("x"), keep(size, ttl), Moment(now)).offset, top);
                }
                Step::Expire { max } => prop_assert!(stream.drop_expired(Moment(now), max) <= max),
                Step::Clear => { stream.clear(); model.clear(); }
                Step::DropOldest => {
                    stream.drop_expired(Moment(now), usize::MAX);
                    stream.drop_oldest();
                    model.drain(..model.len().min(1));
                }
                Step::Pass(time) => now += time,
                Step::Read { limit, since, reverse } => {
                    let mut wanted: Vec<u64> = model.iter().map(|&(offset, _)| offset).collect();
                    if reverse { wanted.reverse(); }
                    wanted.retain(|&offset| match since {
                        None => true,
                        Some(since) if reverse => offset < since,
                        Some(since) => offset > since,
                    });
                    wanted.truncate(limit);
                    let query = query(limit, since.map(|offset| (offset, "")), reverse);
                    prop_assert_eq!(offsets(&stream.read(&query, Moment(now))), wanted);
                }
            }
            prop_assert_eq!(stream.position().offset, top);
            prop_assert_eq!(stream.bytes(), stream.len() * weight(&publication("x")));
        }
    }
}
