//! What a stream has for a query at one instant, and the page that comes of it. To compare places
//! with an area may take long and needs the stream no more: an engine lets go of the stream first.

use std::sync::Arc;

use crate::base::limits;
use crate::channel::history::weight;
use crate::channel::{Audience, HistoryPage, HistoryQuery, Publication};
use crate::geo::{Area, Circle};

/// A page, except for what a query's audience does not get.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) page: HistoryPage,
    /// Of a query with an audience, which the page has nothing of yet.
    pub(super) near: Option<Near>,
}

/// What an audience may get.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// At most [`limits::HISTORY_LOOKS`], in the order asked for.
    pub(super) publications: Vec<Arc<Publication>>,
    /// Whether something is missing that was perhaps for this audience.
    pub(super) is_lost: bool,
    /// Circles in which something is missing.
    pub(super) gone: Vec<Circle>,
}

impl Draft {
    /// The page for the query that the draft was made for.
    pub(crate) fn finish(self, query: &HistoryQuery) -> HistoryPage {
        let (Some(near), Some(audience)) = (self.near, &query.audience) else { return self.page };
        let got = near.publications.iter().filter(|one| audience.gets(one));
        let (publications, whole) = page_of(got, query.limit);
        let complete = whole && !near.is_lost && !misses(audience, &near.gone);
        HistoryPage { publications, complete: Some(complete), ..self.page }
    }
}

/// Whether something is missing in the area; that is taken for granted where it is long to tell.
fn misses(audience: &Audience, gone: &[Circle]) -> bool {
    gone.len() > limits::HISTORY_DOUBTS
        || gone.iter().any(|circle| {
            // The cheap test first: polygons measure the distance of every edge.
            audience.area.contains(&circle.center) || audience.area.meets(&Area::Circle(*circle))
        })
}

/// As many publications as one page may have, and whether these are all. A page ends early at
/// [`limits::HISTORY_REPLY_BYTES`], but never before its first publication.
pub(super) fn page_of<'a>(
    mut wanted: impl Iterator<Item = &'a Arc<Publication>>,
    limit: usize,
) -> (Vec<Arc<Publication>>, bool) {
    let (mut bytes, mut publications) = (0, Vec::new());
    for publication in wanted.by_ref().take(limit) {
        bytes += weight(publication);
        if !publications.is_empty() && bytes > limits::HISTORY_REPLY_BYTES {
            return (publications, false);
        }
        publications.push(Arc::clone(publication));
    }
    let whole = wanted.next().is_none();
    (publications, whole)
}
