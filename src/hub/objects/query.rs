//! What is asked of an object channel besides subscriptions: who is where.

use std::sync::Arc;

use super::ObjectRoom;
use crate::channel::{AreaSource, Centers, Object, ObjectQuery, Refusal, Sighting};
use crate::geo::{Area, Metres, Point, Zones};
use crate::hub::lane::Mailbox;

impl<M: Mailbox> ObjectRoom<M> {
    /// Objects, with whether there are more.
    pub(in crate::hub) fn query(
        &self,
        query: &ObjectQuery,
        zones: &Zones,
    ) -> Result<(Vec<Sighting>, bool), Refusal> {
        match query {
            ObjectQuery::Nearby { area, position, within, limit, after } => {
                let centers = Centers { session: *position, object: None };
                let area = area.resolve(centers, zones)?;
                Ok(self.nearby(&area, within.as_deref(), *limit, after.as_deref()))
            }
            ObjectQuery::Nearest { to, count, within, allowed } => {
                Ok((self.nearest(to, *count, *within, allowed.as_deref()), false))
            }
        }
    }

    /// How many visible objects are in an area.
    pub(in crate::hub) fn count(&self, area: &AreaSource, zones: &Zones) -> Result<usize, Refusal> {
        let area = area.resolve(Centers::default(), zones)?;
        let mut found = Vec::new();
        self.table.within(&area, &mut found);
        Ok(found.len())
    }

    /// The object as it is now, if it is to be seen.
    #[cfg(test)]
    pub(crate) fn object(&self, key: &str) -> Option<&Arc<Object>> {
        self.table.seen(self.table.find(key)?)
    }

    fn nearby(
        &self,
        area: &Area,
        allowed: Option<&Area>,
        limit: usize,
        after: Option<&str>,
    ) -> (Vec<Sighting>, bool) {
        let mut found = Vec::new();
        self.table.within(area, &mut found);
        let center = area.center();
        let objects = found.into_iter().filter_map(|slot| self.table.seen(slot));
        let mut objects: Vec<&Arc<Object>> = objects
            .filter(|object| {
                after.is_none_or(|after| *object.fix.key > *after)
                    && allowed.is_none_or(|allowed| allowed.contains(&object.fix.point))
            })
            .collect();
        objects.sort_unstable_by(|one, other| one.fix.key.cmp(&other.fix.key));
        let has_more = objects.len() > limit;
        objects.truncate(limit);
        let sighting = |object: &Arc<Object>| Sighting {
            object: object.clone(),
            distance: center.and_then(|center| self.shown(center.distance(&object.fix.point))),
        };
        (objects.into_iter().map(sighting).collect(), has_more)
    }

    fn nearest(
        &self,
        to: &Point,
        count: usize,
        within: Option<Metres>,
        allowed: Option<&Area>,
    ) -> Vec<Sighting> {
        let accepts =
            |object: &Object| allowed.is_none_or(|allowed| allowed.contains(&object.fix.point));
        let nearest = self.table.nearest(to, count, within, accepts);
        let sighting = |(slot, distance)| {
            let object = self.table.seen(slot)?.clone();
            Some(Sighting { object, distance: self.shown(distance) })
        };
        nearest.into_iter().filter_map(sighting).collect()
    }

    fn shown(&self, distance: Metres) -> Option<Metres> {
        self.options.distance.shown(distance)
    }
}
