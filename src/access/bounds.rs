//! What a token allows of geography.

use std::sync::Arc;

use crate::geo::{Area, Metres};

/// The claim `geo`: it bounds every area and position of the session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GeoBounds {
    pub(crate) within: Option<Arc<Area>>,
    pub(crate) radius_max: Option<Metres>,
}
