//! Whether two shapes meet. Each is a kernel (a place, a line, a region) and everything within a
//! radius of it: they meet where the kernels are no farther apart than both radii.

use super::budget::Budget;
use super::cells::{BORDER, Cells};
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
    /// How many places, edges or cells say what it is.
    pub(super) fn pieces(&self) -> usize {
        match self {
            Self::Point(..) => 1,
            Self::Line(line) => line.legs().len(),
            Self::Region(Region::Polygons(polygons)) => polygons.count(),
            Self::Region(Region::Cells(cells)) => cells.count(),
        }
    }

    /// Whether they meet, or it may not be told.
    pub(super) fn meets(&self, other: &Self, budget: &mut Budget) -> bool {
        match (self, other) {
            (Self::Point(one, radius), Self::Point(other, more)) => {
                are_within(one, other, radius.0 + more.0)
            }
            (Self::Point(point, radius), Self::Line(line))
            | (Self::Line(line), Self::Point(point, radius)) => {
                let reach = radius.0 + line.half_width.0 + DOUBT;
                line.line().may_be_within(point.unit, reach, budget)
            }
            (Self::Point(point, radius), Self::Region(region))
            | (Self::Region(region), Self::Point(point, radius)) => {
                region.has(point.at, budget)
                    || (radius.0 > 0.0 && region.is_edge_within(point.unit, radius.0))
            }
            (Self::Line(one), Self::Line(other)) => {
                let reach = one.half_width.0 + other.half_width.0 + DOUBT;
                one.line().is_near(other.line(), reach, budget)
            }
            (Self::Line(line), Self::Region(region)) | (Self::Region(region), Self::Line(line)) => {
                region.meets_line(line, budget)
            }
            (Self::Region(one), Self::Region(other)) => one.meets(*other, budget),
        }
    }
}

impl Region<'_> {
    fn has(self, at: LatLng, budget: &mut Budget) -> bool {
        match self {
            Self::Polygons(polygons) => polygons.has(at, budget),
            Self::Cells(cells) => cells.has(at, budget),
        }
    }

    fn is_edge_within(self, unit: UnitVector, reach: f64) -> bool {
        match self {
            Self::Polygons(polygons) => polygons.is_edge_within(unit, reach),
            Self::Cells(cells) => cells.is_edge_within(unit, reach),
        }
    }

    fn meets_line(self, line: &Route, budget: &mut Budget) -> bool {
        let reach = line.half_width.0 + DOUBT;
        // Edges apart, each line is inside or outside as a whole.
        let is_near = match self {
            Self::Polygons(polygons) => polygons.is_near(line.line(), reach, budget),
            Self::Cells(cells) => cells.edges().is_near(line.line(), reach + BORDER, budget),
        };
        is_near || line.starts().any(|at| self.has(at, budget))
    }

    fn meets(self, other: Self, budget: &mut Budget) -> bool {
        match (self, other) {
            (Self::Polygons(one), Self::Polygons(other)) => one.meets(other, budget),
            (Self::Cells(cells), Self::Polygons(polygons))
            | (Self::Polygons(polygons), Self::Cells(cells)) => {
                // Edges apart, each polygon and each cell is inside or outside as a whole.
                polygons.is_near(cells.edges(), 0.0, budget)
                    || polygons.starts().any(|at| cells.has(at, budget))
                    || cells.centers().any(|at| polygons.has(at, budget))
            }
            (Self::Cells(one), Self::Cells(other)) => {
                one.shares(other)
                    || one.edges().is_near(other.edges(), BORDER, budget)
                    || one.centers().any(|at| other.has(at, budget))
                    || other.centers().any(|at| one.has(at, budget))
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
