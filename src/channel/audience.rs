//! Who gets an event of a geo channel: the area must have its place, and its reach must have the
//! subscriber.

use std::sync::Arc;

use crate::channel::{Publication, TagFilter};
use crate::geo::{Area, Point, Purse};

/// One subscriber of a geo event channel, for live delivery and for history alike.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Audience {
    pub(crate) area: Arc<Area>,
    /// The tags of an event decide, by the filters, and not its place.
    pub(crate) is_by_tags: bool,
    /// Nothing outside of it counts: what the session's token allows.
    pub(crate) within: Option<Arc<Area>>,
    /// The session's last position.
    pub(crate) position: Option<Point>,
    /// `tf` and `where`: all must pass.
    pub(crate) filters: [Option<Arc<TagFilter>>; 2],
}

impl Audience {
    /// `purse` is for all events that are looked at for one input.
    pub(crate) fn gets(&self, publication: &Publication, purse: &mut Purse) -> bool {
        self.has_place(publication, purse) && self.admits(publication, purse)
    }

    /// Whether the event is in the area: a point in it, or a shape that meets it. An event without
    /// a place is nowhere, except for whom tags decide.
    fn has_place(&self, publication: &Publication, purse: &mut Purse) -> bool {
        let place = publication.place.as_deref();
        self.is_by_tags || place.is_some_and(|place| self.area.has_for(place, purse))
    }

    /// Everything else, for events that were found by their place.
    pub(crate) fn admits(&self, publication: &Publication, purse: &mut Purse) -> bool {
        let place = publication.place.as_deref();
        let passes = |filter: &Arc<TagFilter>| filter.passes(&publication.tags);
        self.filters.iter().flatten().all(passes)
            && publication.reach.as_deref().is_none_or(|reach| self.is_reached(reach, purse))
            && self
                .within
                .as_deref()
                .is_none_or(|within| place.is_some_and(|place| within.has_for(place, purse)))
    }

    /// By the session's last position; without one, by the centre of a circle; without either, the
    /// area must meet the reach.
    fn is_reached(&self, reach: &Area, purse: &mut Purse) -> bool {
        match (self.position, &*self.area) {
            (Some(position), _) => reach.contains(&position),
            (None, Area::Circle(circle)) => reach.contains(&circle.center),
            (None, area) => area.meets_for(reach, purse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::FilterPart;
    use crate::geo::{Circle, LatLng, Metres, Place, Vertex};

    fn point(lng: f64) -> Point {
        LatLng::new(0.0, lng).expect("a place").into()
    }

    /// A thousandth of a degree on the equator is 111 m.
    fn circle(lng: f64, radius_m: f64) -> Arc<Area> {
        Arc::new(Area::Circle(Circle::new(point(lng), Metres(radius_m))))
    }

    fn square(lng: f64) -> Arc<Area> {
        let corner = |side: f64| Vertex { lng: lng + side, lat: side };
        Arc::new(Area::bbox(corner(-0.001), corner(0.001)).expect("a box"))
    }

    fn event(lng: f64, reach: Option<Arc<Area>>) -> Publication {
        let place = Some(Arc::new(Place { at: point(lng), shape: None }));
        Publication { place, reach, ..Publication::default() }
    }

    fn gets(area: &Arc<Area>, position: Option<f64>, publication: &Publication) -> bool {
        let area = area.clone();
        let audience = Audience { area, position: position.map(point), ..Audience::default() };
        audience.gets(publication, &mut Purse::default())
    }

    #[test]
    fn an_event_is_for_the_areas_that_have_its_place() {
        let area = circle(10.0, 200.0);
        assert!(gets(&area, None, &event(10.001, None)));
        assert!(!gets(&area, None, &event(10.002, None)));
        assert!(!gets(&area, None, &Publication::default()), "it is nowhere");
        let with_shape = |radius_m| {
            let place = Place { at: point(10.003), shape: Some(circle(10.003, radius_m)) };
            Publication { place: Some(Arc::new(place)), ..Publication::default() }
        };
        assert!(gets(&area, None, &with_shape(200.0)), "they meet");
        assert!(!gets(&area, None, &with_shape(100.0)));
    }

    #[test]
    fn a_reach_must_have_the_subscriber_and_the_area_the_place() {
        let (area, reach) = (circle(10.0, 1000.0), || Some(circle(10.0, 100.0)));
        let there = event(10.005, reach());
        assert!(gets(&area, Some(10.0005), &there), "the position is in reach");
        assert!(!gets(&area, Some(10.002), &there), "the centre does not count where a fix does");
        assert!(gets(&area, None, &there), "the centre counts");
        let aside = event(10.005, Some(circle(10.003, 300.0)));
        assert!(!gets(&area, None, &aside), "the reach meets the circle, without its centre");
        assert!(
            !gets(&circle(10.0, 100.0), Some(10.0), &event(10.005, reach())),
            "not in the area"
        );
    }

    #[test]
    fn without_position_and_centre_the_area_must_meet_the_reach() {
        let area = square(10.0);
        assert!(gets(&area, None, &event(10.0, Some(circle(10.002, 150.0)))));
        assert!(!gets(&area, None, &event(10.0, Some(circle(10.003, 150.0)))));
        assert!(!gets(&area, Some(10.0), &event(10.0, Some(circle(10.002, 150.0)))));
    }

    #[test]
    fn a_session_gets_nothing_outside_of_what_it_may_and_what_its_filters_pass() {
        let area = circle(10.0, 1000.0);
        let within = Some(circle(10.0, 200.0));
        let bounded = Audience { area: area.clone(), within, ..Audience::default() };
        assert!(bounded.gets(&event(10.001, None), &mut Purse::default()));
        assert!(!bounded.gets(&event(10.003, None), &mut Purse::default()));
        let only = |key: &str| {
            let part = FilterPart { key: key.into(), cmp: "ex".into(), ..FilterPart::default() };
            Some(Arc::new(TagFilter::parse("tf", part).expect("a filter")))
        };
        let filters = [only("a"), only("b")];
        let picky = Audience { area, filters, ..Audience::default() };
        let mut tagged = event(10.0, None);
        tagged.tags.insert("a".into(), String::new());
        assert!(!picky.gets(&tagged, &mut Purse::default()));
        tagged.tags.insert("b".into(), String::new());
        assert!(picky.gets(&tagged, &mut Purse::default()));
    }
}
