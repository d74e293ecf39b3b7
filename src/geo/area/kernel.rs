//! Whether two shapes meet. Each is a kernel (a place, a line, a region) and everything within a
//! radius of it: they meet where the kernels are no farther apart than both radii.

use super::arc::Arc;
use super::cells::Cells;
use super::polygon::Polygons;
use super::route::{DOUBT, Route};
use crate::geo::point::{EARTH_RADIUS, LatLng, Metres, Point, UnitVector};

pub(super) enum Kernel<'a> {
    Point(Point, Metres),
    Line(&'a Route),
    Region(Region<'a>),
}

/// What has an inside of its own.
#[derive(Clone, Copy)]
pub(super) enum Region<'a> {
    Polygons(&'a Polygons),
    Cells(&'a Cells),
}

impl Kernel<'_> {
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Point(one, radius), Self::Point(other, more)) => {
                are_within(one, other, radius.0 + more.0)
            }
            (Self::Point(point, radius), Self::Line(line))
            | (Self::Line(line), Self::Point(point, radius)) => {
                line.is_line_within(point.unit, radius.0 + line.half_width.0 + DOUBT)
            }
            (Self::Point(point, radius), Self::Region(region))
            | (Self::Region(region), Self::Point(point, radius)) => {
                region.contains(point.at)
                    || (radius.0 > 0.0 && region.is_edge_within(point.unit, radius.0))
            }
            (Self::Line(one), Self::Line(other)) => {
                let reach = one.half_width.0 + other.half_width.0 + DOUBT;
                one.is_line_near(other, reach)
            }
            (Self::Line(line), Self::Region(region)) | (Self::Region(region), Self::Line(line)) => {
                region.meets_line(line)
            }
            (Self::Region(one), Self::Region(other)) => one.meets(*other),
        }
    }
}

impl Region<'_> {
    fn contains(self, at: LatLng) -> bool {
        match self {
            Self::Polygons(polygons) => polygons.contains(at),
            Self::Cells(cells) => cells.contains(at),
        }
    }

    fn is_edge_within(self, unit: UnitVector, reach: f64) -> bool {
        match self {
            Self::Polygons(polygons) => polygons.is_edge_within(unit, reach),
            Self::Cells(cells) => cells.is_edge_within(unit, reach),
        }
    }

    fn is_edge_near(self, leg: &Arc, reach: f64, steps: &mut u32) -> bool {
        match self {
            Self::Polygons(polygons) => polygons.is_edge_near(leg, reach, steps),
            Self::Cells(cells) => cells.is_edge_near(leg, reach, steps),
        }
    }

    fn meets_line(self, line: &Route) -> bool {
        let inside = |leg: &Arc| self.contains(leg.a.to_lat_lng());
        let (reach, mut steps) = (line.half_width.0 + DOUBT, STEPS);
        line.legs().iter().any(inside)
            || line.legs().iter().any(|leg| self.is_edge_near(leg, reach, &mut steps))
    }

    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Polygons(one), Self::Polygons(other)) => one.meets(other),
            (Self::Cells(cells), Self::Polygons(polygons))
            | (Self::Polygons(polygons), Self::Cells(cells)) => {
                let mut steps = STEPS;
                // Edges apart, each polygon and each cell is inside or outside as a whole.
                polygons.starts().any(|at| cells.contains(at))
                    || cells.centers().any(|at| polygons.contains(at))
                    || cells.edges().iter().any(|edge| polygons.is_edge_near(edge, 0.0, &mut steps))
            }
            (Self::Cells(one), Self::Cells(other)) => {
                let mut steps = STEPS;
                one.shares(other)
                    || one.centers().any(|at| other.contains(at))
                    || other.centers().any(|at| one.contains(at))
                    || one.edges().iter().any(|edge| other.is_edge_near(edge, 0.0, &mut steps))
            }
        }
    }
}

/// A straight line through the Earth is shorter than the way, and sooner computed.
fn are_within(one: &Point, other: &Point, reach: f64) -> bool {
    let angle = reach / EARTH_RADIUS.0;
    one.unit.chord_squared(other.unit) <= angle * angle * (1.0 + 1e-9) + 1e-28
        && one.distance(other).0 <= reach
}

/// Pieces of edges that are looked at to find where two shapes meet, about 20 ms. Shapes that are
/// wound about one another so that this is not enough are taken to meet.
const STEPS: u32 = 200_000;
