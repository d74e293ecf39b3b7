//! One ring of a polygon: straight edges in longitude and latitude, unwrapped where they go over
//! the antimeridian, closed over the nearer pole where the ring goes round it.

use std::ops::Range;

use ::geo::Coord;
use ::geo::kernels::Orientation;

use super::Vertex;
use super::plane::{Edge, orientation};
use super::strips::{Strips, u32_of};
use crate::geo::error::GeoError;
use crate::geo::point::LatLng;

/// Where a place is to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Inside,
    Edge,
    Outside,
}

/// The pole that a ring encloses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pole {
    North,
    South,
}

/// Corners in the plane of longitude and latitude. Longitudes are those of the vertices plus whole
/// turns, so that no edge jumps; the last corner is the first again, a turn further where the ring
/// goes round a pole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ring {
    corners: Vec<Coord<f64>>,
    pole: Option<Pole>,
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
    /// The two edges by which a ring that goes from 180 to 180 meets itself, the same place on
    /// either side: they bound nothing.
    seam: Option<[usize; 2]>,
    strips: Strips,
}

impl Ring {
    /// Paths in errors are `[vertex]`.
    pub(super) fn new(vertices: &[Vertex]) -> Result<Self, GeoError> {
        let vertices = distinct(vertices)?;
        let (corners, turns) = unwrap(&vertices);
        let pole = match turns {
            0 => None,
            1 | -1 => {
                let north: f64 = vertices.iter().map(|vertex| vertex.lat).sum();
                Some(if north >= 0.0 { Pole::North } else { Pole::South })
            }
            _ => return Err(GeoError::new("", "goes round the Earth more than once")),
        };
        let fold = |of: fn(&Coord<f64>) -> f64, pick: fn(f64, f64) -> f64, start: f64| {
            corners.iter().map(of).fold(start, pick)
        };
        let (west, east) = (
            fold(|one| one.x, f64::min, f64::INFINITY),
            fold(|one| one.x, f64::max, f64::NEG_INFINITY),
        );
        let south = match pole {
            Some(Pole::South) => -90.0,
            _ => fold(|one| one.y, f64::min, f64::INFINITY),
        };
        let north = match pole {
            Some(Pole::North) => 90.0,
            _ => fold(|one| one.y, f64::max, f64::NEG_INFINITY),
        };
        let ranges: Vec<_> = corners
            .windows(2)
            .zip(0_u32..)
            .map(|(ends, edge)| (edge, ends[0].x.min(ends[1].x), ends[0].x.max(ends[1].x)))
            .collect();
        let strips = Strips::new(&ranges, west, east);
        let seam = seam(&corners, west, east);
        Ok(Self { corners, pole, west, east, south, north, seam, strips })
    }

    /// Its corners one after the other, the first again at the end.
    pub(super) fn corners(&self) -> &[Coord<f64>] {
        &self.corners
    }

    /// Whether it encloses a pole.
    pub(super) fn goes_round(&self) -> bool {
        self.pole.is_some()
    }

    /// Without those of a seam.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge> {
        self.edges_of(0..u32_of(self.corners.len() - 1))
    }

    pub(super) fn is_seam(&self, edge: usize) -> bool {
        self.seam.is_some_and(|seam| seam.contains(&edge))
    }

    /// A ray from the place to the north pole: whether it meets an odd number of edges. No seam is
    /// needed where the ring goes round the Earth. Exact on the numbers as they are.
    pub(super) fn side(&self, at: LatLng) -> Side {
        let (lat, lng) = (at.lat(), at.lng());
        if lat >= 90.0 || lat <= -90.0 {
            return self.side_of_pole(lat > 0.0);
        }
        if lat < self.south || lat > self.north {
            return Side::Outside;
        }
        let mut is_odd = false;
        let mut turn = ((self.west - lng) / 360.0).ceil();
        loop {
            let x = lng + 360.0 * turn;
            if x > self.east {
                break;
            }
            match self.edges_above(Coord { x, y: lat }) {
                None => return Side::Edge,
                Some(odd) => is_odd ^= odd,
            }
            turn += 1.0;
        }
        let inside = is_odd != (self.pole == Some(Pole::North));
        if inside { Side::Inside } else { Side::Outside }
    }

    /// Whether an odd number of edges lies north of a place; `None` where it lies on one.
    fn edges_above(&self, place: Coord<f64>) -> Option<bool> {
        let mut is_odd = false;
        for &edge in self.strips.at(place.x) {
            let (a, b) = (self.corners[edge as usize], self.corners[edge as usize + 1]);
            let (a, b) = if a.x <= b.x { (a, b) } else { (b, a) };
            if place.x < a.x || place.x > b.x {
                continue;
            }
            let (low, high) = if a.y <= b.y { (a.y, b.y) } else { (b.y, a.y) };
            if place.y > high {
                continue;
            }
            let below = place.y < low;
            let side = if below { Orientation::Clockwise } else { orientation(a, b, place) };
            let is_on_line = side == Orientation::Collinear;
            if is_on_line && self.is_seam(edge as usize) && low < place.y && place.y < high {
                continue;
            }
            if is_on_line {
                // On the line through both; of a vertical edge, between its ends.
                return None;
            }
            // Each edge has its western end and not its eastern one.
            is_odd ^= place.x < b.x && side == Orientation::Clockwise;
        }
        Some(is_odd)
    }

    /// Edges from the first of `range` to its last, without those of a seam.
    pub(super) fn edges_of(&self, range: Range<u32>) -> impl Iterator<Item = Edge> {
        let first = range.start as usize;
        let corners = &self.corners[first..=range.end as usize];
        let edges = (first..).zip(corners.windows(2));
        edges.filter(|(index, _)| !self.is_seam(*index)).map(|(_, edge)| (edge[0], edge[1]))
    }

    /// A pole is one place whatever its longitude: inside where the ring encloses it, on the edge
    /// where it touches it.
    fn side_of_pole(&self, north: bool) -> Side {
        let (lat, pole) = if north { (90.0, Pole::North) } else { (-90.0, Pole::South) };
        if self.pole == Some(pole) {
            Side::Inside
        } else if self.corners.iter().any(|corner| corner.y.abs() >= 90.0 && corner.y * lat > 0.0) {
            Side::Edge
        } else {
            Side::Outside
        }
    }
}

/// The vertices without repetitions one after the other, and without the first again at the end.
fn distinct(vertices: &[Vertex]) -> Result<Vec<Vertex>, GeoError> {
    for (index, vertex) in vertices.iter().enumerate() {
        for (name, value, most) in [("lat", vertex.lat, 90.0), ("lng", vertex.lng, 180.0)] {
            let in_range = value.abs() <= most;
            if !in_range {
                let why = format_args!("{name}: {value} is outside -{most}..{most}");
                return Err(GeoError::new(format!("[{index}]"), why));
            }
        }
    }
    let mut kept: Vec<Vertex> = Vec::with_capacity(vertices.len());
    for vertex in vertices {
        // A whole turn apart is an edge round the Earth, and no repetition.
        if kept.last().is_none_or(|last| last != vertex) {
            kept.push(*vertex);
        }
    }
    while kept.len() > 1 && kept.first() == kept.last() {
        kept.pop();
    }
    let mut different: Vec<&Vertex> = Vec::with_capacity(3);
    for vertex in &kept {
        if different.len() < 3 && !different.contains(&vertex) {
            different.push(vertex);
        }
    }
    if different.len() < 3 {
        return Err(GeoError::new("", "fewer than 3 different vertices"));
    }
    Ok(kept)
}

/// The corners, the first again at the end, and how many turns that is from where it began.
fn unwrap(vertices: &[Vertex]) -> (Vec<Coord<f64>>, i32) {
    let mut turns = 0_i32;
    let mut corners = Vec::with_capacity(vertices.len() + 1);
    let mut last = vertices[0].lng;
    for vertex in vertices.iter().chain(&vertices[..1]) {
        let step = vertex.lng - last;
        if step.abs() > 180.0 && step.abs() < 360.0 {
            turns += if step > 0.0 { -1 } else { 1 };
        }
        last = vertex.lng;
        corners.push(Coord { x: vertex.lng + 360.0 * f64::from(turns), y: vertex.lat });
    }
    (corners, turns)
}

/// Exactly one edge up along −180 and one down along 180, or the other way about, of the same
/// latitudes.
fn seam(corners: &[Coord<f64>], west: f64, east: f64) -> Option<[usize; 2]> {
    if west < -180.0 || east > 180.0 {
        return None;
    }
    let on = |side: f64| {
        let is_on = move |corner: &Coord<f64>| corner.x * side >= 180.0;
        let edges = (0..).zip(corners.windows(2));
        let mut found = edges.filter(move |(_, edge)| edge.iter().all(is_on));
        found.next().filter(|_| found.next().is_none())
    };
    let ((one, up), (other, down)) = (on(-1.0)?, on(1.0)?);
    let same = up[0].y.to_bits() == down[1].y.to_bits() && up[1].y.to_bits() == down[0].y.to_bits();
    same.then_some([one, other])
}
