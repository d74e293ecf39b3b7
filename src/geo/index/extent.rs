//! Boxes around areas.

use crate::geo::area::{Area, Circle};
use crate::geo::point::{EARTH_RADIUS, FARTHEST};

/// Degrees, `west` at most `east`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
}

/// How a circle lies to an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Inside,
    Outside,
    /// Partly, or hard to tell.
    Mixed,
}

pub(super) fn relation(area: &Area, circle: &Circle) -> Relation {
    match area {
        Area::Empty => Relation::Outside,
        Area::Circle(around) => {
            let away = around.center.distance(&circle.center).0;
            if away + circle.radius.0 + 0.01 < around.radius.0 {
                Relation::Inside
            } else if away > around.radius.0 + circle.radius.0 + 0.01 {
                Relation::Outside
            } else {
                Relation::Mixed
            }
        }
        Area::Union(parts) => {
            let mut all = parts.iter().map(|part| relation(part, circle));
            let mut outside = true;
            let inside = all.any(|one| {
                outside &= one == Relation::Outside;
                one == Relation::Inside
            });
            match (inside, outside) {
                (true, _) => Relation::Inside,
                (false, true) => Relation::Outside,
                (false, false) => Relation::Mixed,
            }
        }
    }
}

/// Boxes that hold every place of the area, whatever longitude it is written with.
pub(super) fn extent(area: &Area) -> Vec<Bounds> {
    match area {
        Area::Empty => Vec::new(),
        Area::Circle(circle) => extent_of_circle(circle),
        Area::Union(parts) => parts.iter().flat_map(extent).collect(),
    }
}

fn extent_of_circle(circle: &Circle) -> Vec<Bounds> {
    let angle = circle.radius.0.min(FARTHEST.0) / EARTH_RADIUS.0;
    let (lat, lng) = (circle.center.at.lat(), circle.center.at.lng());
    let (south, north) = (lat - angle.to_degrees() - MARGIN, lat + angle.to_degrees() + MARGIN);
    let band = |west, east| Bounds { west, south: south.max(-90.0), east, north: north.min(90.0) };
    if south <= -90.0 || north >= 90.0 {
        return vec![band(-180.0, 180.0)];
    }
    // Where the meridian touches the circle, which does not reach a pole.
    let half = (angle.sin() / lat.to_radians().cos()).min(1.0).asin().to_degrees() + MARGIN;
    let (west, east) = (lng - half, lng + half);
    if west <= -180.0 {
        // 180 is the only name of the antimeridian.
        return vec![band(-180.0, east), band(west + 360.0, 180.0)];
    }
    if east >= 180.0 {
        return vec![band(west, 180.0), band(-180.0, east - 360.0)];
    }
    vec![band(west, east)]
}

/// Degrees, a tenth of a metre: rounding of places and distances is far below.
const MARGIN: f64 = 1e-6;
