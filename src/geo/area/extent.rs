//! Boxes in longitude and latitude that hold areas, for trees of boxes.

use super::caps::Cap;
use crate::geo::point::{EARTH_RADIUS, Metres, Point};

/// All places between two parallels and two meridians, `west` at most `east`: none goes over the
/// antimeridian. It is a little larger than what it holds, so that rounding loses nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) west: f64,
    pub(crate) south: f64,
    pub(crate) east: f64,
    pub(crate) north: f64,
}

/// Degrees by which an extent is larger than what it holds: about 0.1 mm.
const SLACK: f64 = 1e-9;

impl Extent {
    /// The boxes of a range of longitudes that may go over the antimeridian, or round the Earth.
    pub(crate) fn of_range(west: f64, east: f64, south: f64, north: f64) -> Vec<Self> {
        let (south, north) = ((south - SLACK).max(-90.0), (north + SLACK).min(90.0));
        let (west, east) = (west - SLACK, east + SLACK);
        let one = |west: f64, east: f64| Self { west, south, east, north };
        // At a pole every longitude is the same place.
        if east - west >= 360.0 || north >= 90.0 || south <= -90.0 {
            return vec![one(-180.0, 180.0)];
        }
        let turns = ((west + 180.0) / 360.0).floor() * 360.0;
        let (west, east) = (west - turns, east - turns);
        if east < 180.0 {
            // The antimeridian is both 180 and −180; places have 180.
            let touches = west <= -180.0;
            let mut boxes = vec![one(west, east)];
            boxes.extend(touches.then(|| one(180.0, 180.0)));
            boxes
        } else {
            vec![one(west, 180.0), one(-180.0, east - 360.0)]
        }
    }

    pub(super) fn of_caps(caps: &[Cap]) -> Vec<Self> {
        let of = |cap: &Cap| {
            let (center, radius) = cap.to_circle();
            Self::of_circle(center, radius)
        };
        caps.iter().flat_map(of).collect()
    }

    pub(crate) fn of_circle(center: Point, radius: Metres) -> Vec<Self> {
        let reach = radius.0 / EARTH_RADIUS.0;
        let degrees = reach.to_degrees();
        let (lat, lng) = (center.at.lat(), center.at.lng());
        let (south, north) = (lat - degrees, lat + degrees);
        if south <= -90.0 || north >= 90.0 {
            return Self::of_range(-180.0, 180.0, south, north);
        }
        // The meridians that touch a circle.
        let aside = (reach.sin() / lat.to_radians().cos()).min(1.0).asin().to_degrees();
        // The sine is flat where the circle comes near a pole: what rounding could hide is added.
        let aside = aside + 1e-6 * aside;
        Self::of_range(lng - aside, lng + aside, south, north)
    }
}
