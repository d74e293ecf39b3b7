use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::channel::Position;

const EPOCH: &str = "e1";

fn publication(offset: u64, size: usize) -> Arc<Publication> {
    Arc::new(Publication { offset, data: Bytes::from(vec![b'x'; size]), ..Publication::default() })
}

/// What a stream gives that keeps the publications from `first` to `top`.
fn page(first: u64, top: u64, query: &HistoryQuery) -> HistoryPage {
    let since = query.since.clone().unwrap_or_default();
    let mut kept: Vec<u64> = (first..=top).filter(|&offset| offset > since.offset).collect();
    if query.reverse {
        kept.reverse();
    }
    if !since.epoch.is_empty() && since.epoch != EPOCH {
        kept.clear();
    }
    HistoryPage {
        publications: kept.iter().take(query.limit).map(|&one| publication(one, 1)).collect(),
        top: Position { offset: top, epoch: EPOCH.into() },
        complete: None,
    }
}

/// The offsets that a subscriber at `since` gets, `None` for lost.
fn check(
    first: u64,
    top: u64,
    since: (u64, &str),
    limit: usize,
    mode: RecoveryMode,
) -> Option<Vec<u64>> {
    let since = Since { offset: since.0, epoch: since.1.into() };
    let page = page(first, top, &recovery_query(&since, limit, mode));
    match recover(page, &since, limit, mode) {
        Recovery::Recovered(publications) => Some(publications.iter().map(|p| p.offset).collect()),
        Recovery::Lost => None,
    }
}

fn stream(first: u64, top: u64, since: (u64, &str)) -> Option<Vec<u64>> {
    check(first, top, since, 4, RecoveryMode::Stream)
}

fn cache(first: u64, top: u64, since: (u64, &str)) -> Option<Vec<u64>> {
    check(first, top, since, 4, RecoveryMode::Cache)
}

#[test]
fn everything_missed_is_given_or_nothing() {
    assert_eq!(stream(1, 5, (3, EPOCH)), Some(vec![4, 5]));
    assert_eq!(stream(1, 5, (3, "")), Some(vec![4, 5]));
    assert_eq!(stream(4, 5, (3, EPOCH)), Some(vec![4, 5]));
    assert_eq!(stream(5, 5, (3, EPOCH)), None, "4 was evicted");
    assert_eq!(stream(6, 5, (3, EPOCH)), None, "all were evicted");
    assert_eq!(stream(1, 5, (3, "e2")), None, "another stream");
}

#[test]
fn who_missed_nothing_has_recovered_even_from_an_empty_stream() {
    assert_eq!(stream(6, 5, (5, EPOCH)), Some(vec![]));
    assert_eq!(stream(1, 0, (0, "")), Some(vec![]));
    assert_eq!(stream(6, 5, (5, "e2")), None);
    assert_eq!(stream(1, 0, (0, "e2")), None);
}

#[test]
fn an_offset_above_the_top_is_lost() {
    assert_eq!(stream(1, 5, (6, EPOCH)), None);
    assert_eq!(stream(1, 5, (6, "")), None);
    assert_eq!(stream(1, 5, (u64::MAX, "")), None);
}

#[test]
fn one_publication_past_the_limit_is_lost() {
    assert_eq!(stream(1, 5, (1, EPOCH)), Some(vec![2, 3, 4, 5]));
    assert_eq!(stream(1, 5, (0, EPOCH)), None);
    assert_eq!(check(1, 5, (5, EPOCH), 0, RecoveryMode::Stream), Some(vec![]));
    assert_eq!(check(1, 5, (4, EPOCH), 0, RecoveryMode::Stream), None);
}

#[test]
fn one_byte_past_the_size_of_a_reply_is_lost() {
    let overhead = history::weight(&Publication::default());
    let top = Position { offset: 2, epoch: EPOCH.into() };
    for mode in [RecoveryMode::Stream, RecoveryMode::Cache] {
        for (past, lost) in [(0, false), (1, true)] {
            let since = Since { offset: 1, epoch: EPOCH.into() };
            let size = limits::HISTORY_REPLY_BYTES - overhead + past;
            let page = HistoryPage {
                publications: vec![publication(2, size)],
                top: top.clone(),
                complete: None,
            };
            assert_eq!(recover(page, &since, 4, mode) == Recovery::Lost, lost);
        }
    }
}

#[test]
fn a_page_that_was_cut_is_lost() {
    let since = Since { offset: 1, epoch: EPOCH.into() };
    let mut page = page(1, 5, &recovery_query(&since, 9, RecoveryMode::Stream));
    page.publications.pop();
    assert_eq!(recover(page, &since, 9, RecoveryMode::Stream), Recovery::Lost);
}

#[test]
fn a_cache_gives_the_latest_publication_alone() {
    assert_eq!(cache(1, 5, (1, EPOCH)), Some(vec![5]));
    assert_eq!(cache(1, 5, (0, "")), Some(vec![5]));
    assert_eq!(cache(1, 5, (3, "e2")), Some(vec![5]), "an older life does not matter");
    assert_eq!(cache(1, 5, (5, "e2")), Some(vec![5]));
    assert_eq!(cache(1, 5, (5, EPOCH)), Some(vec![]), "the subscriber has it");
}

#[test]
fn an_empty_cache_is_lost_except_to_who_has_the_latest() {
    assert_eq!(cache(6, 5, (5, EPOCH)), Some(vec![]));
    assert_eq!(cache(6, 5, (4, EPOCH)), None);
    assert_eq!(cache(1, 0, (0, "")), None);
    assert_eq!(cache(1, 0, (0, EPOCH)), None);
}

/// What an audience got of a stream with the top 100.
fn of_area(offsets: &[u64], complete: bool) -> HistoryPage {
    HistoryPage {
        publications: offsets.iter().map(|&one| publication(one, 1)).collect(),
        top: Position { offset: 100, epoch: EPOCH.into() },
        complete: Some(complete),
    }
}

fn recovered(page: HistoryPage, offset: u64, epoch: &str, mode: RecoveryMode) -> Option<Vec<u64>> {
    let since = Since { offset, epoch: epoch.into() };
    match recover(page, &since, 3, mode) {
        Recovery::Recovered(publications) => Some(publications.iter().map(|p| p.offset).collect()),
        Recovery::Lost => None,
    }
}

#[test]
fn holes_between_what_an_area_got_are_none_while_the_page_is_complete() {
    let check = |offsets: &[u64], complete, offset, epoch| {
        recovered(of_area(offsets, complete), offset, epoch, RecoveryMode::Stream)
    };
    assert_eq!(check(&[7, 50, 99], true, 3, EPOCH), Some(vec![7, 50, 99]));
    assert_eq!(check(&[7, 50, 99], true, 3, ""), Some(vec![7, 50, 99]));
    assert_eq!(check(&[], true, 3, EPOCH), Some(vec![]), "nothing happened there");
    assert_eq!(check(&[7, 50, 99], false, 3, EPOCH), None);
    assert_eq!(check(&[], false, 3, EPOCH), None);
    assert_eq!(check(&[], true, 100, EPOCH), Some(vec![]));
    assert_eq!(check(&[], true, 101, EPOCH), None, "above the top");
    assert_eq!(check(&[7], true, 3, "e2"), None, "another stream");
    assert_eq!(check(&[7, 8, 50, 99], true, 3, EPOCH), None, "one past the limit");
    let mut big = of_area(&[7], true);
    big.publications.push(publication(50, limits::HISTORY_REPLY_BYTES));
    assert_eq!(recovered(big, 3, EPOCH, RecoveryMode::Stream), None, "past the size of a reply");
}

#[test]
fn a_cache_gives_the_latest_in_an_area() {
    let check = |offsets: &[u64], offset| {
        recovered(of_area(offsets, false), offset, EPOCH, RecoveryMode::Cache)
    };
    assert_eq!(check(&[50], 3), Some(vec![50]));
    assert_eq!(check(&[50], 100), Some(vec![]), "the subscriber has seen the top");
    assert_eq!(check(&[], 3), None);
}

proptest! {
    /// However a page may look, what is recovered leads from the position asked for to the top.
    #[test]
    fn no_page_recovers_with_a_hole(
        offsets in prop_oneof![
            prop::collection::vec(0..8_u64, 0..6),
            (0..8_u64, 0..8_u64).prop_map(|(first, last)| (first..=last).collect()),
        ],
        top in 0..8_u64,
        since in 0..9_u64,
        limit in 0..6_usize,
    ) {
        let publications = offsets.iter().map(|&offset| publication(offset, 1)).collect();
        let page = HistoryPage { publications, top: Position { offset: top, epoch: EPOCH.into() }, complete: None };
        let since = Since { offset: since, epoch: String::new() };
        let whole: Vec<u64> = (since.offset + 1..=top).collect();
        let possible = since.offset <= top && whole.len() <= limit && offsets == whole;
        match recover(page, &since, limit, RecoveryMode::Stream) {
            Recovery::Recovered(got) => {
                prop_assert!(possible);
                prop_assert_eq!(got.iter().map(|p| p.offset).collect::<Vec<_>>(), whole);
            }
            Recovery::Lost => prop_assert!(!possible),
        }
    }
}
