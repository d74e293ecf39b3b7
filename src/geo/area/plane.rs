//! Straight edges in the plane of longitude and latitude: exact on the numbers as they are.
#![expect(clippy::float_cmp, reason = "corners are the same or they are not")]

use ::geo::Coord;
use ::geo::kernels::{Kernel, Orientation, RobustKernel};

pub(super) type Edge = (Coord<f64>, Coord<f64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    None,
    /// In one place that is an end of one of them.
    Touching,
    /// In one place that is inside both.
    Crossing,
    /// Along a line.
    Overlapping,
}

pub(super) fn contact((a, b): Edge, (c, d): Edge) -> Contact {
    let apart = |p: f64, q: f64, r: f64, s: f64| p.max(q) < r.min(s) || r.max(s) < p.min(q);
    if apart(a.y, b.y, c.y, d.y) || apart(a.x, b.x, c.x, d.x) {
        return Contact::None;
    }
    if is_aside((a, b), (c, d)) || is_aside((c, d), (a, b)) {
        return Contact::None;
    }
    let on_line = Orientation::Collinear;
    let (to_c, to_d) = (orientation(a, b, c), orientation(a, b, d));
    if to_c == to_d {
        return if to_c == on_line { overlap((a, b), (c, d)) } else { Contact::None };
    }
    let (to_a, to_b) = (orientation(c, d, a), orientation(c, d, b));
    if to_a == to_b && to_a != on_line {
        return Contact::None;
    }
    let touches = [to_a, to_b, to_c, to_d].contains(&on_line);
    if touches { Contact::Touching } else { Contact::Crossing }
}

/// How one turns at `b` on the way from `a` to `c`, without error.
pub(super) fn orientation(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> Orientation {
    RobustKernel::orient2d(a, b, c)
}

/// Whether both ends of the other are certainly on one side of the line through an edge. Asked of
/// both it spares most of what is long to tell exactly, such as an end on the other's line.
pub(super) fn is_aside(edge: Edge, other: Edge) -> bool {
    side(edge, other.0) * side(edge, other.1) > 0
}

/// On which side of an edge's line a corner certainly is; 0 where rounding could say otherwise.
pub(super) fn side((a, b): Edge, corner: Coord<f64>) -> i8 {
    let left = (b.x - a.x) * (corner.y - a.y);
    let right = (b.y - a.y) * (corner.x - a.x);
    let doubt = 4e-16 * (left.abs() + right.abs());
    i8::from(left - right > doubt) - i8::from(right - left > doubt)
}

/// Of edges on one line whose boxes meet.
fn overlap((a, b): Edge, (c, d): Edge) -> Contact {
    let upright = a.x == b.x && c.x == d.x;
    let of = |corner: Coord<f64>| if upright { corner.y } else { corner.x };
    let low = of(a).min(of(b)).max(of(c).min(of(d)));
    let high = of(a).max(of(b)).min(of(c).max(of(d)));
    if low < high {
        Contact::Overlapping
    } else if low == high {
        Contact::Touching
    } else {
        Contact::None
    }
}

/// Whether a corner that is on the line through both ends lies between them.
pub(super) fn is_between((a, b): Edge, corner: Coord<f64>) -> bool {
    let within = |p: f64, q: f64, v: f64| p.min(q) <= v && v <= p.max(q);
    let is_end = corner == a || corner == b;
    !is_end
        && within(a.x, b.x, corner.x)
        && within(a.y, b.y, corner.y)
        && orientation(a, b, corner) == Orientation::Collinear
}

/// The edge by each number of whole turns that brings it to longitudes of the other.
pub(super) fn turned(edge: Edge, other: Edge) -> impl Iterator<Item = Edge> {
    let (low, high) = (other.0.x.min(other.1.x), other.0.x.max(other.1.x));
    let (west, east) = (edge.0.x.min(edge.1.x), edge.0.x.max(edge.1.x));
    turns((low, high), (west, east)).map(move |turn| (shifted(edge.0, turn), shifted(edge.1, turn)))
}

/// By how many degrees of whole turns the second range meets the first.
pub(super) fn turns(
    (low, high): (f64, f64),
    (west, east): (f64, f64),
) -> impl Iterator<Item = f64> {
    let mut turn = ((low - east) / 360.0 - SLACK).ceil();
    let last = (high - west) / 360.0 + SLACK;
    std::iter::from_fn(move || {
        let found = (turn <= last).then_some(turn * 360.0);
        turn += 1.0;
        found
    })
}

pub(super) fn shifted(corner: Coord<f64>, degrees: f64) -> Coord<f64> {
    Coord { x: corner.x + degrees, ..corner }
}

/// Of a turn: more than what rounding of longitudes is.
const SLACK: f64 = 1e-12;
