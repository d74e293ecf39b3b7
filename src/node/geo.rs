//! Objects, fences and zones of a node, for sessions and for the server API.

use std::sync::Arc;

use super::Node;
use crate::channel::{Channel, ObjectQuery, Refusal, Sighting};
use crate::geo::Point;

impl Node {
    /// Objects of a channel, with whether there are more.
    pub(super) async fn query(
        &self,
        channel: &Channel,
        query: ObjectQuery,
    ) -> Result<(Vec<Sighting>, bool), Refusal> {
        let of = channel.clone();
        let found = self.lanes.look(channel, move |lane| lane.query(&of, &query)).await;
        found.unwrap_or_else(|| Ok((Vec::new(), false)))
    }

    /// Names of the zones that contain a place.
    pub(super) async fn zones_at(&self, at: Point) -> Vec<Arc<str>> {
        let _ = at;
        Vec::new()
    }
}
