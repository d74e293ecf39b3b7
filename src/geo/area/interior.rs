//! A place inside a polygon, told in little more time than its vertices take to sort: on a parallel
//! between two corners, in the middle of the widest stretch of it that is inside.

use ::geo::Coord;

use super::polygon::Polygon;
use super::ring::Ring;
use super::straight::place_of;
use crate::geo::point::Point;

/// A place inside; `None` where the polygon is so thin that rounding hides all that was tried.
pub(super) fn place_inside(polygon: &Polygon) -> Option<Point> {
    let inside =
        |lat| stretches(polygon, lat).into_iter().take(STRETCHES).map(move |lng| (lng, lat));
    let places = lats(polygon).into_iter().flat_map(inside);
    let places = places.map(|(x, y)| place_of(Coord { x, y }));
    places.into_iter().find(|place| polygon.contains(place.at))
}

/// Latitudes that no corner has: that nearest to the middle, then those farthest from any corner.
fn lats(polygon: &Polygon) -> Vec<f64> {
    let shell = &polygon.shell;
    let corners = polygon.rings().flat_map(Ring::corners).map(|corner| corner.y);
    let mut all: Vec<f64> = corners.chain([shell.south, shell.north]).collect();
    all.sort_unstable_by(f64::total_cmp);
    let gaps = all.windows(2).map(|gap| (gap[1] - gap[0], f64::midpoint(gap[0], gap[1])));
    let mut gaps: Vec<(f64, f64)> = gaps.filter(|gap| gap.0 > 0.0).collect();
    let middle = f64::midpoint(shell.south, shell.north);
    let from_middle = |gap: &(f64, f64)| (gap.1 - middle).abs();
    let nearest = gaps.iter().copied().min_by(|a, b| from_middle(a).total_cmp(&from_middle(b)));
    gaps.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    gaps.truncate(PARALLELS);
    nearest.into_iter().chain(gaps).map(|gap| gap.1).collect()
}

/// The middles of the stretches of a parallel that lie between edges and may be inside, wide ones
/// first.
fn stretches(polygon: &Polygon, lat: f64) -> Vec<f64> {
    let shell = &polygon.shell;
    let mut meridians: Vec<f64> = Vec::new();
    for ring in polygon.rings() {
        // A hole may be written turns away from its shell.
        let middle = f64::midpoint(ring.west, ring.east);
        let turn = ((middle - shell.west) / 360.0).floor() * 360.0;
        // Those of a seam as well: in the plane it ends what is inside.
        meridians.extend(ring.corners().windows(2).filter_map(|ends| {
            let (a, b) = (ends[0], ends[1]);
            let over = (a.y < lat) != (b.y < lat);
            over.then(|| a.x + (lat - a.y) / (b.y - a.y) * (b.x - a.x) - turn)
        }));
    }
    let round = shell.goes_round();
    if round {
        // The parallel is closed, and where it is cut may be inside.
        for lng in &mut meridians {
            *lng = shell.west + (*lng - shell.west).rem_euclid(360.0);
        }
    }
    meridians.sort_unstable_by(f64::total_cmp);
    if round {
        let first = meridians.first().copied().unwrap_or(shell.west);
        meridians.extend((meridians.is_empty()).then_some(first));
        meridians.push(first + 360.0);
    }
    // Of what is not closed, the first edge leads inside, the next one outside.
    let step = if round { 1 } else { 2 };
    let pairs = meridians.windows(2).step_by(step);
    let mut found: Vec<(f64, f64)> =
        pairs.map(|ends| (ends[1] - ends[0], f64::midpoint(ends[0], ends[1]))).collect();
    found.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    found.into_iter().map(|(_, middle)| middle).collect()
}

/// Parallels that are tried besides that nearest to the middle, and stretches of each.
const PARALLELS: usize = 8;
const STRETCHES: usize = 16;
