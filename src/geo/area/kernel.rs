//! Whether two shapes meet. Each is a kernel (a place, a line, a region) and everything within a
//! radius of it: they meet where the kernels are no farther apart than both radii.

use super::polygon::{Arc, Polygons};
use super::route::Route;
use crate::geo::point::{Metres, Point};

pub(super) enum Kernel<'a> {
    Point(Point, Metres),
    Line(&'a Route),
    Region(&'a Polygons),
}

impl Kernel<'_> {
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Point(one, radius), Self::Point(other, more)) => {
                one.distance(other).0 <= radius.0 + more.0
            }
            (Self::Point(point, radius), Self::Line(line))
            | (Self::Line(line), Self::Point(point, radius)) => {
                line.line_distance(point.unit).0 <= radius.0 + line.half_width.0 + DOUBT
            }
            (Self::Point(point, radius), Self::Region(region))
            | (Self::Region(region), Self::Point(point, radius)) => {
                region.contains(point.at)
                    || (radius.0 > 0.0 && region.edge_distance(point.unit).0 <= radius.0)
            }
            (Self::Line(one), Self::Line(other)) => {
                let reach = one.half_width.0 + other.half_width.0 + DOUBT;
                one.legs()
                    .iter()
                    .any(|leg| other.legs().iter().any(|other| arcs_within(leg, other, reach)))
            }
            (Self::Line(line), Self::Region(region)) | (Self::Region(region), Self::Line(line)) => {
                line_meets(line, region)
            }
            (Self::Region(one), Self::Region(other)) => one.meets(other),
        }
    }
}

fn line_meets(line: &Route, region: &Polygons) -> bool {
    let inside =
        |leg: &Arc| region.contains(leg.a.to_lat_lng()) || region.contains(leg.b.to_lat_lng());
    if line.legs().iter().any(inside) {
        return true;
    }
    let reach = line.half_width.0 + DOUBT;
    let mut meets = false;
    region.each_arc(|edge| {
        meets = meets || line.legs().iter().any(|leg| arcs_within(leg, edge, reach));
    });
    meets
}

/// Arcs that do not cross are nearest at an end of one of them.
fn arcs_within(one: &Arc, other: &Arc, reach: f64) -> bool {
    one.crosses(other)
        || one.distance(other.a).0 <= reach
        || one.distance(other.b).0 <= reach
        || other.distance(one.a).0 <= reach
        || other.distance(one.b).0 <= reach
}

/// What touches meets, whatever rounding says: a tenth of a micrometre.
const DOUBT: f64 = 1e-7;
