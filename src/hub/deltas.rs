//! The chain of publications from which a channel's deltas are taken.

use std::sync::Arc;

use crate::base::limits;
use crate::channel::Publication;

/// Kept for each channel; it counts and keeps publications only while subscribers with deltas are
/// there.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    subscribers: usize,
    sequence: u64,
    /// The last publication, if a delta can be taken from it.
    previous: Option<Arc<Publication>>,
}

/// A publication as subscribers with deltas get it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) publication: Arc<Publication>,
    /// Grows by one from each publication of the channel to the next.
    pub(crate) sequence: u64,
    /// The publication before, where this one may be a patch against it.
    pub(crate) base: Option<Arc<Publication>>,
}

impl Deltas {
    pub(super) fn count(&mut self, has_deltas: bool) {
        self.subscribers += usize::from(has_deltas);
    }

    pub(super) fn discount(&mut self, had_deltas: bool) {
        assert!(self.subscribers >= usize::from(had_deltas), "counted before");
        self.subscribers -= usize::from(had_deltas);
        if self.subscribers == 0 {
            self.previous = None;
        }
    }

    /// Takes up the next publication, whether or not it wants to be a delta itself: whoever has
    /// deltas gets it, and the next one may be taken from it.
    pub(super) fn step(&mut self, publication: &Arc<Publication>) -> Option<Step> {
        if self.subscribers == 0 {
            return None;
        }
        self.sequence += 1;
        let kept = (publication.data.len() <= limits::DELTA_BYTES).then(|| publication.clone());
        let base = std::mem::replace(&mut self.previous, kept).filter(|_| publication.delta);
        Some(Step { publication: publication.clone(), sequence: self.sequence, base })
    }
}
