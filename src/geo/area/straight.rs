//! Straight edges in longitude and latitude as they lie on the sphere: halved until a great circle
//! stands for each piece, where more than a bound is of interest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ::geo::Coord;

use super::arc::Arc;
use super::budget::{ARC_STEPS, Budget};
use super::caps::Cap;
use super::plane::Edge;
use crate::geo::point::{EARTH_RADIUS, FARTHEST, LatLng, Point, UnitVector};

/// The place of a corner whose longitude may be turns off.
pub(super) fn place_of(corner: Coord<f64>) -> Point {
    let turns = ((corner.x + 180.0) / 360.0).floor() * 360.0;
    let lng = (corner.x - turns).clamp(-180.0, 180.0);
    LatLng::new(corner.y.clamp(-90.0, 90.0), lng).expect("a corner is on the Earth").into()
}

pub(super) fn middle((a, b): Edge) -> Coord<f64> {
    Coord { x: f64::midpoint(a.x, b.x), y: f64::midpoint(a.y, b.y) }
}

/// A circle that has the whole edge: no place is farther from its middle than half its length.
pub(super) fn cap(edge: Edge) -> Cap {
    let (across, up) = spans(edge);
    let length = EARTH_RADIUS.0 * (across * widest(edge)).hypot(up);
    let radius = (length / 2.0 * (1.0 + 1e-9) + 1e-6).min(FARTHEST.0);
    Cap { center: place_of(middle(edge)).unit, radius }
}

/// A search for the nearest place of edges.
pub(super) struct Nearest {
    pub(super) unit: UnitVector,
    /// Metres to the nearest so far.
    pub(super) best: f64,
    /// What may be nearer when it is halved.
    pieces: BinaryHeap<Piece>,
    /// Pieces that may still be halved. Thereafter what none is nearer than is the distance.
    steps: u32,
    /// The end of the edge before, at which the next one mostly begins.
    last: (Coord<f64>, UnitVector),
}

/// A piece of an edge of which no place is nearer than so many metres; the nearest is the greatest.
struct Piece {
    least: f64,
    edge: Edge,
}

impl Nearest {
    /// Looks for what is nearer than `best`.
    pub(super) fn new(unit: UnitVector, best: f64) -> Self {
        let start = Coord { x: 0.0, y: 0.0 };
        let last = (start, place_of(start).unit);
        Self { unit, best, pieces: BinaryHeap::new(), steps: STEPS, last }
    }

    /// To [`TOLERANCE`].
    pub(super) fn see(&mut self, edges: impl Iterator<Item = Edge>) {
        edges.for_each(|edge| self.look(edge));
        while let Some(Piece { least, edge }) = self.pieces.pop() {
            if least >= self.best {
                return self.pieces.clear();
            }
            if self.steps == 0 {
                self.best = least;
                return self.pieces.clear();
            }
            self.steps -= 1;
            let (one, other) = halves(edge);
            self.look(one);
            self.look(other);
        }
    }

    fn look(&mut self, edge: Edge) {
        let least = match bow(edge) {
            None => cap(edge).gap(self.unit),
            Some(bow) => {
                let begins = edge.0 == self.last.0;
                let from = if begins { self.last.1 } else { place_of(edge.0).unit };
                let to = place_of(edge.1).unit;
                self.last = (edge.1, to);
                let away = Arc::new(from, to).distance(self.unit).0;
                if bow <= TOLERANCE {
                    self.best = self.best.min(away);
                    return;
                }
                away - bow
            }
        };
        if least < self.best {
            self.pieces.push(Piece { least: least.max(0.0), edge });
        }
    }
}

impl Ord for Piece {
    fn cmp(&self, other: &Self) -> Ordering {
        other.least.total_cmp(&self.least)
    }
}

impl PartialOrd for Piece {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Piece {}

/// Whether some place of the edge is at most `reach` metres from the arc, or it may not be told.
pub(super) fn is_near(edge: Edge, leg: &Arc, reach: f64, budget: &mut Budget) -> bool {
    if !budget.spend(ARC_STEPS) {
        return true;
    }
    let bow = bow(edge);
    if bow.is_some_and(|bow| bow <= TOLERANCE) {
        return leg.is_within_of(&arc(edge), reach);
    }
    let cap = cap(edge);
    if leg.distance(cap.center).0 > cap.radius + reach {
        return false;
    }
    let (one, other) = halves(edge);
    is_near(one, leg, reach, budget) || is_near(other, leg, reach, budget)
}

pub(super) fn arc((a, b): Edge) -> Arc {
    Arc::new(place_of(a).unit, place_of(b).unit)
}

fn halves(edge: Edge) -> (Edge, Edge) {
    let middle = middle(edge);
    ((edge.0, middle), (middle, edge.1))
}

/// By how many metres an edge may be off the great circle between its ends: an eighth of what it
/// bends over its length, a little more on the sphere. `None` where it is too long to say.
fn bow(edge: Edge) -> Option<f64> {
    let (across, up) = spans(edge);
    if across > LONG || up > LONG {
        return None;
    }
    let bend = |parallel: f64, meridian: f64| {
        EARTH_RADIUS.0 / 8.0 * 1.1 * across * (across * parallel + 2.0 * up * meridian)
    };
    let most = bend(0.5, 1.0);
    if most <= TOLERANCE { Some(most) } else { Some(bend(widest(edge).min(0.5), 1.0)) }
}

/// Radians of longitude and of latitude.
fn spans((a, b): Edge) -> (f64, f64) {
    ((b.x - a.x).to_radians().abs(), (b.y - a.y).to_radians().abs())
}

/// The cosine of the latitude where a degree of longitude is widest.
fn widest((a, b): Edge) -> f64 {
    let over = (a.y > 0.0) != (b.y > 0.0);
    let lat = if over { 0.0 } else { a.y.abs().min(b.y.abs()) };
    // At the poles rounding leaves a little.
    lat.to_radians().cos() + 1e-15
}

/// Metres by which a great circle may be off the straight edge it stands for.
pub(super) const TOLERANCE: f64 = 1.0;
/// Radians within which the bend of an edge says how far it is off a great circle.
const LONG: f64 = 0.5;
/// Halvings in a search: a few for most edges; seen from a pole, all of a band round the Earth is
/// equally far, and this is enough to tell how far to some ten metres. At 0.4 µs each no search is
/// much longer than a millisecond.
const STEPS: u32 = 2500;
