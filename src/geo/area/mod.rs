//! [`Area`]: a closed set of places. A place on the edge is inside.

mod arc;
mod arcs;
mod boxes;
mod budget;
mod caps;
mod cells;
mod circle;
mod contacts;
mod crossing;
mod extent;
mod interior;
mod kernel;
mod plane;
mod polygon;
mod relate;
mod ring;
mod route;
mod straight;
mod strips;
#[cfg(test)]
pub(in crate::geo) mod tests;
mod union;

use std::sync::Arc;

use h3o::CellIndex;

use super::error::GeoError;
use super::point::{FARTHEST, LatLng, Metres, Point};
pub(crate) use budget::Purse;
use cells::Cells;
use kernel::{Kernel, Region};
use polygon::Polygons;
use route::Route;
use straight::Nearest;

pub(crate) use circle::Circle;
pub(crate) use extent::Extent;

/// A closed set of places on the Earth.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Area {
    /// No place: what follows an object that is not there.
    #[default]
    Empty,
    Circle(Circle),
    /// Polygons with holes, and boxes.
    Polygons(Polygons),
    /// H3 cells. A place is in one cell of each resolution; those on the border of two are in the
    /// one that H3 says, so that of these areas alone not all of the edge is inside.
    Cells(Cells),
    Route(Route),
    /// Every part together; see [`Area::union`].
    Union(Vec<Area>),
}

/// A vertex of a ring or line as GeoJSON has it: in range, but longitude 180 and −180 stay apart,
/// for they say on which side of the antimeridian an edge runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Vertex {
    pub(crate) lng: f64,
    pub(crate) lat: f64,
}

/// Where an event is: a point, or something larger that is met rather than contained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The point itself, or one that stands for the shape: of its history bucket, of distances.
    pub(crate) at: Point,
    pub(crate) shape: Option<Arc<Area>>,
}

/// How a circle lies to an area; [`Relation::Mixed`] where that is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// All of it is in the area.
    Inside,
    /// None of it is.
    Outside,
    Mixed,
}

impl Area {
    /// One or more polygons, each an outer ring and its holes, closed or not. Paths in errors are
    /// `[polygon][ring][vertex]`.
    pub(crate) fn polygons(polygons: &[Vec<Vec<Vertex>>]) -> Result<Self, GeoError> {
        Polygons::new(polygons).map(Self::Polygons)
    }

    /// All places between two parallels and two meridians; `west` over `east` goes over the
    /// antimeridian. Paths in errors are `west`, `south`, `east`, `north`.
    pub(crate) fn bbox(southwest: Vertex, northeast: Vertex) -> Result<Self, GeoError> {
        Polygons::bbox(southwest, northeast).map(Self::Polygons)
    }

    /// H3 cells. Paths in errors are `[index]`.
    pub(crate) fn cells(cells: &[CellIndex]) -> Result<Self, GeoError> {
        Cells::new(cells).map(Self::Cells)
    }

    /// All places at most `half_width` from one of the lines, whose legs are great circles. Paths
    /// in errors are `[line][vertex]`.
    pub(crate) fn routes(lines: &[Vec<LatLng>], half_width: Metres) -> Result<Self, GeoError> {
        Route::new(lines, half_width).map(Self::Route)
    }

    /// Whether an event of that place is in the area: a point that it contains, a shape that it
    /// meets.
    pub(crate) fn has(&self, place: &Place) -> bool {
        self.has_for(place, &mut Purse::default())
    }

    /// The same for one of many places, or one of many areas.
    pub(crate) fn has_for(&self, place: &Place, purse: &mut Purse) -> bool {
        match &place.shape {
            None => self.contains(&place.at),
            Some(shape) => self.meets_for(shape, purse),
        }
    }

    pub(crate) fn contains(&self, point: &Point) -> bool {
        match self {
            Self::Empty => false,
            Self::Circle(circle) => circle.contains(point.unit),
            Self::Polygons(polygons) => polygons.contains(point.at),
            Self::Cells(cells) => cells.contains(point.at),
            Self::Route(route) => route.contains(point.unit),
            Self::Union(parts) => parts.iter().any(|part| part.contains(point)),
        }
    }

    /// Whether the two have a place in common: exactly for polygons, otherwise to the metre by
    /// which great circles stand for their edges. Shapes wound about one another so that it takes
    /// more than some 3 ms to tell, whatever number of parts they have, are taken to meet.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.meets_for(other, &mut Purse::default())
    }

    /// The same of one that is compared with many: where these together take too long, the rest of
    /// those that are hard to tell are taken to meet.
    pub(crate) fn meets_for(&self, other: &Self, purse: &mut Purse) -> bool {
        let (ours, theirs) = (self.kernels(), other.kernels());
        let pieces = ours.iter().chain(&theirs).map(Kernel::pieces).sum();
        let mut budget = purse.budget(pieces);
        let meet = ours.iter().any(|one| theirs.iter().any(|other| one.meets(other, &mut budget)));
        purse.pay(&budget);
        meet
    }

    /// Whether every place of this one is in `other`; may say no where that is hard to tell.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::Empty, _) => true,
            (Self::Union(parts), _) => parts.iter().all(|part| part.is_within(other)),
            (_, Self::Union(parts)) if parts.iter().any(|part| self.is_within(part)) => true,
            (Self::Polygons(ours), Self::Polygons(theirs)) => ours.is_within(theirs),
            _ => self.cap().is_some_and(|(center, radius)| {
                let circle = Circle::new(center, radius);
                other.relation(&circle) == Relation::Inside
            }),
        }
    }

    /// Distance to the nearest place of the boundary, from inside or outside, to a metre for the
    /// edges of polygons, which are straight in longitude and latitude; infinite where there is
    /// none. Of areas that overlap in a union, that of the nearest of their boundaries. Of polygons
    /// with very many edges that are thousands of kilometres long it may be less than it is: no
    /// look takes much longer than a millisecond.
    pub(crate) fn edge_distance(&self, point: &Point) -> Metres {
        let mut search = Nearest::new(point.unit, f64::INFINITY);
        self.see_edges(&mut search);
        Metres(search.best)
    }

    /// One search through all parts, of which one that was near spares looks at others.
    fn see_edges(&self, search: &mut Nearest) {
        let (unit, best) = (search.unit, search.best);
        match self {
            Self::Empty => {}
            Self::Circle(circle) => search.best = best.min(circle.edge_distance(unit).0),
            Self::Polygons(polygons) => polygons.see_edges(search),
            Self::Cells(cells) => search.best = cells.edge_below(unit, best),
            Self::Route(route) => search.best = route.edge_below(unit, best),
            Self::Union(parts) => parts.iter().for_each(|part| part.see_edges(search)),
        }
    }

    /// At most [`Self::edge_distance`], and found sooner: whoever moves less than this from the
    /// point does not go over the boundary. Exact for circles.
    pub(crate) fn safe_distance(&self, point: &Point) -> Metres {
        match self {
            Self::Empty => Metres(f64::INFINITY),
            Self::Circle(circle) => circle.edge_distance(point.unit),
            Self::Polygons(polygons) => polygons.safe_distance(point.unit),
            Self::Cells(cells) => cells.safe_distance(point.unit),
            Self::Route(route) => route.safe_distance(point.unit),
            Self::Union(parts) => least(parts.iter().map(|part| part.safe_distance(point))),
        }
    }

    /// Whether the boundary is no farther than so much; mostly told by [`Self::safe_distance`].
    pub(crate) fn has_edge_within(&self, point: &Point, distance: Metres) -> bool {
        self.safe_distance(point) <= distance && self.edge_distance(point) <= distance
    }

    /// Whether the great circle from one place to the other meets the area. Between antipodes
    /// there is none.
    pub(crate) fn meets_way(&self, from: &Point, to: &Point) -> bool {
        let way = [from.at, to.at];
        Self::routes(&[way.to_vec()], Metres(0.0)).is_ok_and(|way| self.meets(&way))
    }

    /// A place that stands for the area: the centre of a circle, of a shape that of its extent.
    pub(crate) fn center(&self) -> Option<Point> {
        match self {
            Self::Empty => None,
            Self::Circle(circle) => Some(circle.center),
            Self::Polygons(polygons) => Some(polygons.center()),
            Self::Cells(cells) => Some(cells.center()),
            Self::Route(route) => Some(route.center()),
            Self::Union(parts) => parts.iter().find_map(Self::center),
        }
    }

    /// How a circle lies to it.
    pub(crate) fn relation(&self, circle: &Circle) -> Relation {
        if self.may_cut(circle) {
            Relation::Mixed
        } else if self.contains(&circle.center) {
            Relation::Inside
        } else {
            Relation::Outside
        }
    }

    /// Whether the boundary may have a place in the circle.
    fn may_cut(&self, circle: &Circle) -> bool {
        let Circle { center, radius, .. } = circle;
        match self {
            Self::Empty => false,
            Self::Polygons(polygons) => polygons.is_edge_within(center.unit, radius.0 + EDGE_DOUBT),
            Self::Cells(cells) => cells.is_edge_within(center.unit, radius.0 + EDGE_DOUBT),
            Self::Union(parts) => parts.iter().any(|part| part.may_cut(circle)),
            Self::Circle(_) | Self::Route(_) => {
                self.edge_distance(center).0 <= radius.0 + CURVE_DOUBT
            }
        }
    }

    /// Boxes that together have every place of it.
    pub(crate) fn extent(&self) -> Vec<Extent> {
        match self {
            Self::Empty => Vec::new(),
            Self::Circle(circle) => Extent::of_circle(circle.center, circle.radius),
            Self::Polygons(polygons) => polygons.extent(),
            Self::Cells(cells) => cells.extent(),
            Self::Route(route) => route.extent(),
            Self::Union(parts) => parts.iter().flat_map(Self::extent).collect(),
        }
    }

    /// A circle that has every place of it; `None` for the empty area.
    pub(crate) fn cap(&self) -> Option<(Point, Metres)> {
        match self {
            Self::Empty => None,
            Self::Circle(circle) => Some((circle.center, circle.radius)),
            Self::Polygons(polygons) => Some(polygons.cap()),
            Self::Cells(cells) => Some(cells.cap()),
            Self::Route(route) => Some(route.cap()),
            Self::Union(parts) => {
                let center = self.center()?;
                let reach = |(of, radius): (Point, Metres)| center.distance(&of).0 + radius.0;
                let caps = parts.iter().filter_map(Self::cap).map(reach);
                Some((center, Metres(caps.fold(0.0, f64::max).min(FARTHEST.0))))
            }
        }
    }

    /// The radius of a circle that has every place of it; 0 for the empty area.
    pub(crate) fn radius(&self) -> Metres {
        self.cap().map_or(Metres(0.0), |(_, radius)| radius)
    }

    /// The same of its smallest part: one polygon, one cell, half the width of a route. An area
    /// with a larger one lets nobody look at a place more closely than a circle of it would.
    pub(crate) fn least_radius(&self) -> Metres {
        match self {
            Self::Empty => Metres(0.0),
            Self::Circle(circle) => circle.radius,
            Self::Polygons(polygons) => polygons.least_radius(),
            Self::Cells(cells) => cells.least_radius(),
            Self::Route(route) => route.half_width,
            Self::Union(parts) => least(parts.iter().map(Self::least_radius)),
        }
    }

    fn kernels(&self) -> Vec<Kernel<'_>> {
        match self {
            Self::Empty => Vec::new(),
            Self::Circle(circle) => vec![Kernel::Point(circle.center, circle.radius)],
            Self::Polygons(polygons) => vec![Kernel::Region(Region::Polygons(polygons))],
            Self::Cells(cells) => vec![Kernel::Region(Region::Cells(cells))],
            Self::Route(route) => vec![Kernel::Line(route)],
            Self::Union(parts) => parts.iter().flat_map(Self::kernels).collect(),
        }
    }
}

fn least(distances: impl Iterator<Item = Metres>) -> Metres {
    distances.fold(Metres(f64::INFINITY), |least, one| if one < least { one } else { least })
}

/// What the edges of polygons may be off when they are taken as great circles.
const EDGE_DOUBT: f64 = 1.5;
/// What rounding may be off.
const CURVE_DOUBT: f64 = 1e-6;
