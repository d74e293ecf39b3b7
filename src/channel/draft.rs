//! What a stream has for a query at one instant, and the page that comes of it. To compare places
//! with an area may take long and needs the stream no more: an engine lets go of the stream first.

use std::sync::Arc;

use crate::base::limits;
use crate::channel::history::weight;
use crate::channel::{Audience, HistoryPage, HistoryQuery, Publication};
use crate::geo::{Area, Circle, Purse};

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
        let mut purse = Purse::default();
        let got = near.publications.iter().filter(|one| audience.gets(one, &mut purse));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Place, Vertex};

    /// Thin quadrangles side by side, of which all boxes lie over one another.
    fn slivers(offset: f64) -> Area {
        let vertex = |(lng, lat)| Vertex { lng, lat };
        let sliver = |index: u32| {
            let at = offset + f64::from(index) * 1e-2;
            let corners = [(at, 0.0), (at + 1e-3, 0.0), (at + 30.001, 30.0), (at + 30.0, 30.0)];
            Area::polygons(&[vec![corners.map(vertex).to_vec()]]).unwrap()
        };
        Area::union((0..240).map(sliver).collect())
    }

    /// Events whose shapes lie between those of the area, and take long to tell apart from them.
    fn told(reach: Option<Area>, shape: Option<Area>) -> usize {
        let area = Arc::new(slivers(0.0));
        let at = area.cap().unwrap().0;
        let (reach, shape) = (reach.map(Arc::new), shape.map(Arc::new));
        let is_by_tags = shape.is_none();
        let place = Some(Arc::new(Place { at, shape }));
        let event = Publication { place, reach, ..Publication::default() };
        let publications = (0..60).map(|_| Arc::new(event.clone())).collect();
        let near = Near { publications, ..Near::default() };
        let audience = Some(Arc::new(Audience { area, is_by_tags, ..Audience::default() }));
        let query = HistoryQuery { limit: 1000, since: None, reverse: false, audience };
        Draft { page: HistoryPage::default(), near: Some(near) }.finish(&query).publications.len()
    }

    #[test]
    fn what_all_comparisons_of_one_page_may_take_is_bounded() {
        // Once it took too long, what is hard to tell is taken to be in the area.
        let (by_shape, by_reach) =
            (told(None, Some(slivers(5e-3))), told(Some(slivers(5e-3)), None));
        assert!((40..60).contains(&by_shape), "{by_shape}");
        assert!((40..60).contains(&by_reach), "{by_reach}");
        // What is easily told is told.
        assert_eq!((told(None, Some(slivers(60.0))), told(Some(slivers(60.0)), None)), (0, 0));
    }
}
