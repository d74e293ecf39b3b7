//! Recovery: whether a subscriber that comes back can be told everything that it missed. The rule
//! is the one that released SDKs rely on; it errs towards `Lost`, which makes an application load
//! its state again, and never towards a silent hole.

use std::sync::Arc;

use crate::base::limits;
use crate::channel::{HistoryPage, HistoryQuery, Publication, RecoveryMode, Since, history};

/// The answer to a subscriber that asked to recover.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recovery {
    /// With these publications, oldest first, the subscriber stands at the top of the page. In
    /// stream mode none is missing; in cache mode there is at most one, the latest.
    Recovered(Vec<Arc<Publication>>),
    /// Continuity cannot be had: the subscriber starts again from the top.
    Lost,
}

/// What to ask an engine's history for, so that [`recover`] can judge the answer. `limit` is the
/// highest number of publications that a recovery may replay.
pub(crate) fn recovery_query(since: &Since, limit: usize, mode: RecoveryMode) -> HistoryQuery {
    match mode {
        // The top of the page tells whether there is more than the limit.
        RecoveryMode::Stream => {
            HistoryQuery { limit, since: Some(since.clone()), reverse: false, audience: None }
        }
        RecoveryMode::Cache => {
            HistoryQuery { limit: 1, since: None, reverse: true, audience: None }
        }
    }
}

/// Judges the page that [`recovery_query`] brought. More than `limit` publications, or more than
/// [`limits::HISTORY_REPLY_BYTES`] of them, are lost.
pub(crate) fn recover(
    page: HistoryPage,
    since: &Since,
    limit: usize,
    mode: RecoveryMode,
) -> Recovery {
    let recovered = match mode {
        RecoveryMode::Stream => recover_stream(page, since, limit),
        RecoveryMode::Cache => recover_latest(page, since),
    };
    match recovered {
        Some(publications) if fits_reply(&publications) => Recovery::Recovered(publications),
        _ => Recovery::Lost,
    }
}

fn recover_stream(page: HistoryPage, since: &Since, limit: usize) -> Option<Vec<Arc<Publication>>> {
    let same_stream = since.epoch.is_empty() || *since.epoch == *page.top.epoch;
    if !same_stream {
        return None;
    }
    if let Some(complete) = page.complete {
        // What is missing between two offsets is elsewhere.
        let known = since.offset <= page.top.offset && complete;
        return known.then_some(page.publications).filter(|all| all.len() <= limit);
    }
    // An offset above the top is of a stream that we do not know.
    let missed = page.top.offset.checked_sub(since.offset)?;
    let missed = usize::try_from(missed).ok().filter(|&missed| missed <= limit)?;
    let complete = page.publications.len() == missed
        && page.publications.iter().zip(since.offset + 1..).all(|(one, due)| one.offset == due);
    complete.then_some(page.publications)
}

/// As Centrifugo does it: recovered where the latest publication is there, or where the subscriber
/// has it already, which then gets nothing.
fn recover_latest(page: HistoryPage, since: &Since) -> Option<Vec<Arc<Publication>>> {
    let top = page.top;
    if since.offset > 0 && since.offset == top.offset && *since.epoch == *top.epoch {
        return Some(Vec::new());
    }
    if page.complete.is_some() {
        // The latest in the area, which is seldom the latest of all.
        return page.publications.into_iter().next().map(|latest| vec![latest]);
    }
    let latest = page.publications.into_iter().find(|one| one.offset == top.offset)?;
    Some(vec![latest])
}

fn fits_reply(publications: &[Arc<Publication>]) -> bool {
    let bytes: usize = publications.iter().map(|one| history::weight(one)).sum();
    bytes <= limits::HISTORY_REPLY_BYTES
}

#[cfg(test)]
mod tests;
