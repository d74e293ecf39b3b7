//! Straight edges in longitude and latitude as they lie on the sphere: halved until a great circle
//! stands for each piece, where more than a bound is of interest.

use robust::Coord;

use super::arc::Arc;
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

/// A circle that has the whole edge: no place of it is farther from its middle than half its length.
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
    /// Pieces that may still be looked at. Thereafter what an edge is certainly not nearer than
    /// counts as its distance.
    steps: u32,
}

impl Nearest {
    /// Looks for what is nearer than `best`.
    pub(super) fn new(unit: UnitVector, best: f64) -> Self {
        Self { unit, best, steps: STEPS }
    }

    /// Exact for an edge that is a great circle, and to [`TOLERANCE`] otherwise.
    pub(super) fn see(&mut self, edge: Edge) {
        let bow = bow(edge);
        let Some(bow) = bow else {
            let cap = cap(edge);
            return self.decide(edge, cap.gap(self.unit).max(0.0));
        };
        let away = arc(edge).distance(self.unit).0;
        if bow <= TOLERANCE {
            self.best = self.best.min(away);
        } else {
            self.decide(edge, (away - bow).max(0.0));
        }
    }

    /// Halves an edge that may be nearer, of which no place is nearer than `least`.
    fn decide(&mut self, edge: Edge, least: f64) {
        if least >= self.best {
            return;
        }
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 {
            self.best = least;
            return;
        }
        let (one, other) = halves(edge);
        let away = |end: Coord<f64>| place_of(end).unit.chord_squared(self.unit);
        let (near, far) = if away(edge.0) <= away(edge.1) { (one, other) } else { (other, one) };
        self.see(near);
        self.see(far);
    }
}

/// Whether some place of the edge is at most `reach` metres from the arc. Where that takes more
/// than `steps` pieces it is taken to be so.
pub(super) fn is_within_of(edge: Edge, leg: &Arc, reach: f64, steps: &mut u32) -> bool {
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
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
    is_within_of(one, leg, reach, steps) || is_within_of(other, leg, reach, steps)
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
/// Halvings in a search: a band round the Earth takes a few hundred. At 0.15 µs each no search is
/// longer than about a millisecond.
const STEPS: u32 = 4000;
