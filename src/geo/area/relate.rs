//! Whether polygons meet, and whether they lie within others: exact on the numbers as they are,
//! but for longitudes over the antimeridian, which are rounded to about a nanometre.

use ::geo::Coord;

use super::budget::{Budget, LOOK_STEPS};
use super::contacts;
use super::plane::{Contact, Edge, contact, is_between};
use super::polygon::{Polygon, Polygons};
use super::ring::Side;
use super::straight::{middle, place_of};
use crate::geo::point::LatLng;

impl Polygons {
    /// Whether they have a place in common.
    pub(super) fn meets(&self, other: &Self, budget: &mut Budget) -> bool {
        // Boundaries apart, each polygon lies inside or outside of the other area as a whole.
        contacts::any(self, other, budget)
            || self.has_any_of(other, budget)
            || other.has_any_of(self, budget)
            || poles().any(|pole| self.contains(pole) && other.contains(pole))
    }

    /// Whether a place is inside, or it may not be told.
    pub(super) fn has(&self, at: LatLng, budget: &mut Budget) -> bool {
        self.over(at).any(|polygon| !budget.spend(LOOK_STEPS) || polygon.contains(at))
    }

    /// Of polygons whose boundaries are apart, whether one of the other's lies in one of these, or
    /// it may not be told.
    fn has_any_of(&self, other: &Self, budget: &mut Budget) -> bool {
        other.polygons().iter().any(|inner| {
            let at = inner.start();
            let looks = self.over(at).count() / 4;
            !budget.spend(looks)
                || self.over(at).any(|outer| {
                    outer.spans(inner) && (!budget.spend(LOOK_STEPS) || outer.contains(at))
                })
        })
    }

    /// A corner of each polygon.
    pub(super) fn starts(&self) -> impl Iterator<Item = LatLng> {
        self.polygons().iter().map(Polygon::start)
    }

    /// Whether all of it is certainly in `other`: each polygon in one of the other's.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let parts = || other.polygons().iter();
        self.polygons().iter().all(|ours| parts().any(|theirs| is_within(ours, theirs)))
    }
}

fn is_within(inner: &Polygon, outer: &Polygon) -> bool {
    let (inner_shell, outer_shell) = (&inner.shell, &outer.shell);
    if inner_shell.south < outer_shell.south || inner_shell.north > outer_shell.north {
        return false;
    }
    let at = |corner: &Coord<f64>| place_of(*corner).at;
    // A corner of the outer one that is inside has places beside it that are not in the outer one.
    inner_shell.corners().iter().all(|corner| outer.contains(at(corner)))
        && outer_shell.edges().all(|(one, other)| {
            [one, other].iter().all(|corner| inner_shell.side(at(corner)) != Side::Inside)
        })
        && outer
            .holes
            .iter()
            .flat_map(|hole| hole.corners())
            .all(|corner| inner_shell.side(at(corner)) == Side::Outside)
        && poles().all(|pole| outer.contains(pole) || !inner.contains(pole))
        && inner_shell.edges().all(|edge| is_edge_within(edge, outer))
}

/// Of an edge whose ends are in the polygon.
fn is_edge_within(edge: Edge, outer: &Polygon) -> bool {
    // Between corners of the outer one that lie on it, it is inside, outside, or along an edge.
    let mut stops = vec![edge.0, edge.1];
    for theirs in beside(edge, outer) {
        match contact(edge, theirs) {
            Contact::Crossing => return false,
            Contact::Touching | Contact::Overlapping => {
                stops.extend([theirs.0, theirs.1].iter().filter(|end| is_between(edge, **end)));
            }
            Contact::None => {}
        }
    }
    let along = |corner: &Coord<f64>| {
        let (x, y) = (corner.x - edge.0.x, corner.y - edge.0.y);
        x.abs() + y.abs()
    };
    stops.sort_by(|one, other| along(one).total_cmp(&along(other)));
    stops.windows(2).all(|ends| {
        let piece = (ends[0], ends[1]);
        ends[0] == ends[1]
            || beside(piece, outer).any(|theirs| contact(piece, theirs) == Contact::Overlapping)
            || outer.contains(place_of(middle(piece)).at)
    })
}

fn beside(edge: Edge, polygon: &Polygon) -> impl Iterator<Item = Edge> {
    let (south, north) = (edge.0.y.min(edge.1.y), edge.0.y.max(edge.1.y));
    polygon
        .rings()
        .flat_map(|ring| ring.edges())
        .filter(move |(a, b)| a.y.min(b.y) <= north && a.y.max(b.y) >= south)
        .flat_map(move |theirs| super::plane::turned(theirs, edge))
}

fn poles() -> impl Iterator<Item = LatLng> {
    [90.0, -90.0].into_iter().map(|lat| LatLng::new(lat, 0.0).expect("a pole is a place"))
}
