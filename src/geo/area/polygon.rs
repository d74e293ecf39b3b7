//! Polygons with holes. A hole is open: its edge belongs to the polygon.

#![expect(clippy::float_cmp, reason = "closed sets are exact: an edge is where numbers are equal")]

use robust::{Coord, orient2d};

use super::ring::{Ring, Side};
use super::{Extent, Vertex};
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{EARTH_RADIUS, FARTHEST, LatLng, Metres, Point, UnitVector};

/// One or more polygons; where they overlap they are one area.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Polygons(Vec<Polygon>);

#[derive(Clone, Debug, PartialEq)]
struct Polygon {
    shell: Ring,
    holes: Vec<Ring>,
}

impl Polygons {
    pub(super) fn new(polygons: &[Vec<Vec<Vertex>>]) -> Result<Self, GeoError> {
        let count: usize = polygons.iter().flatten().map(Vec::len).sum();
        if count > limits::SHAPE_VERTICES {
            let most = limits::SHAPE_VERTICES;
            return Err(GeoError::new("", format_args!("{count} vertices; at most {most}")));
        }
        if polygons.is_empty() {
            return Err(GeoError::new("", "no polygon"));
        }
        let one = |(index, rings): (usize, &Vec<Vec<Vertex>>)| {
            Polygon::new(rings).map_err(|fault| fault.within(&format!("[{index}]")))
        };
        polygons.iter().enumerate().map(one).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn bbox(southwest: Vertex, northeast: Vertex) -> Result<Self, GeoError> {
        let (west, south) = (southwest.lng, southwest.lat);
        let (east, north) = (northeast.lng, northeast.lat);
        for (name, value, most) in [
            ("west", west, 180.0),
            ("south", south, 90.0),
            ("east", east, 180.0),
            ("north", north, 90.0),
        ] {
            if value.is_nan() || value.abs() > most {
                return Err(GeoError::new(
                    name,
                    format_args!("{value} is outside -{most}..{most}"),
                ));
            }
        }
        if south >= north {
            return Err(GeoError::new(
                "north",
                format_args!("{north} is not above south, {south}"),
            ));
        }
        if west == east {
            return Err(GeoError::new("east", format_args!("{east} is west as well: no width")));
        }
        let east = if west > east { east + 360.0 } else { east };
        // Corners that may be over 180 are halved, so that every edge says which way it goes.
        let middle = west + (east - west) / 2.0;
        let back = |lng: f64| if lng > 180.0 { lng - 360.0 } else { lng };
        let whole = east - west >= 360.0;
        let lngs: Vec<f64> =
            if whole { vec![-180.0, 180.0] } else { vec![west, back(middle), back(east)] };
        let southern = lngs.iter().map(|lng| Vertex { lng: *lng, lat: south });
        let northern = lngs.iter().rev().map(|lng| Vertex { lng: *lng, lat: north });
        let ring: Vec<Vertex> = southern.chain(northern).collect();
        Self::new(&[vec![ring]])
    }

    pub(super) fn contains(&self, at: LatLng) -> bool {
        self.0.iter().any(|polygon| polygon.contains(at))
    }

    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        let mut least = f64::INFINITY;
        for (a, b) in self.rings().flat_map(Ring::edges) {
            each_arc(a, b, |arc| least = least.min(arc.distance(unit).0));
        }
        Metres(least)
    }

    pub(super) fn center(&self) -> Point {
        let shell = &self.0[0].shell;
        let (lat, lng) = ((shell.south + shell.north) / 2.0, (shell.west + shell.east) / 2.0);
        place_of(Coord { x: lng, y: lat })
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        let of = |shell: &Ring| Extent::of_range(shell.west, shell.east, shell.south, shell.north);
        self.0.iter().flat_map(|polygon| of(&polygon.shell)).collect()
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        let center = self.center();
        let mut radius = 0.0_f64;
        for (a, b) in self.0.iter().flat_map(|polygon| polygon.shell.edges()) {
            each_arc(a, b, |arc| {
                radius = radius.max(arc.farthest(center.unit).0);
            });
        }
        let far = center.unit.opposite().to_lat_lng();
        // A region that has the antipode reaches beyond its edges.
        let radius = if self.contains(far) { FARTHEST.0 } else { radius + 2.0 };
        (center, Metres(radius.min(FARTHEST.0)))
    }

    /// Whether all of it is certainly in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.corners().all(|corner| other.contains(corner.at))
            && !self.crosses(other)
            && !other
                .0
                .iter()
                .flat_map(|polygon| &polygon.holes)
                .any(|hole| hole.corners().iter().any(|corner| self.contains(place_of(*corner).at)))
    }

    /// Whether an edge of one passes over an edge of the other.
    fn crosses(&self, other: &Self) -> bool {
        self.edges().any(|ours| {
            other.edges().any(|theirs| {
                turned(theirs, ours)
                    .is_some_and(|theirs| contact(ours, theirs) == Contact::Crossing)
            })
        })
    }

    /// Whether they have a place in common, exactly.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.corners().any(|corner| other.contains(corner.at))
            || other.corners().any(|corner| self.contains(corner.at))
            || self.edges().any(|ours| {
                other.edges().any(|theirs| {
                    turned(theirs, ours)
                        .is_some_and(|theirs| contact(ours, theirs) != Contact::None)
                })
            })
    }

    pub(super) fn corners(&self) -> impl Iterator<Item = Point> {
        self.rings().flat_map(Ring::corners).map(|corner| place_of(*corner))
    }

    fn edges(&self) -> impl Iterator<Item = Edge> {
        self.rings().flat_map(Ring::edges)
    }

    /// Its edges as great circles of a metre's precision.
    pub(super) fn each_arc(&self, mut see: impl FnMut(&Arc)) {
        for (a, b) in self.edges() {
            each_arc(a, b, |arc| see(&arc));
        }
    }

    fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.0.iter().flat_map(|polygon| std::iter::once(&polygon.shell).chain(&polygon.holes))
    }
}

impl Polygon {
    fn new(rings: &[Vec<Vertex>]) -> Result<Self, GeoError> {
        let ring = |(index, vertices): (usize, &Vec<Vertex>)| {
            let ring = Ring::new(vertices);
            ring.map_err(|fault| fault.within(&format!("[{index}]")))
        };
        let rings: Result<Vec<Ring>, GeoError> = rings.iter().enumerate().map(ring).collect();
        let mut rings = rings?.into_iter();
        let shell = rings.next().ok_or_else(|| GeoError::new("", "no ring"))?;
        let polygon = Self { shell, holes: rings.collect() };
        polygon.check_crossings()?;
        for (index, hole) in polygon.holes.iter().enumerate() {
            let outside =
                |corner: &Coord<f64>| polygon.shell.side(place_of(*corner).at) == Side::Outside;
            if hole.corners().iter().any(outside) {
                let path = format!("[{}]", index + 1);
                return Err(GeoError::new(path, "a hole that is not inside its polygon"));
            }
        }
        Ok(polygon)
    }

    fn contains(&self, at: LatLng) -> bool {
        self.shell.side(at) != Side::Outside
            && self.holes.iter().all(|hole| hole.side(at) != Side::Inside)
    }

    /// No ring touches itself; different ones touch in single places at most.
    fn check_crossings(&self) -> Result<(), GeoError> {
        let mut laid = Vec::new();
        for (ring, of) in std::iter::once(&self.shell).chain(&self.holes).enumerate() {
            let count = of.corners().len() - 1;
            for (index, (a, b)) in of.edges().enumerate() {
                for turn in [-360.0, 0.0, 360.0] {
                    let edge = (Coord { x: a.x + turn, ..a }, Coord { x: b.x + turn, ..b });
                    let (west, east) = (edge.0.x.min(edge.1.x), edge.0.x.max(edge.1.x));
                    if east >= -180.0 && west <= 180.0 {
                        laid.push(Laid { edge, west, east, ring, index, count, turn });
                    }
                }
            }
        }
        laid.sort_by(|one, other| one.west.total_cmp(&other.west));
        for (at, one) in laid.iter().enumerate() {
            for other in laid[at + 1..].iter().take_while(|other| other.west <= one.east) {
                one.check(other)?;
            }
        }
        Ok(())
    }
}

/// An edge where it lies on the map, on which each ring is laid as often as it fits.
struct Laid {
    edge: Edge,
    west: f64,
    east: f64,
    ring: usize,
    index: usize,
    /// Edges of its ring.
    count: usize,
    turn: f64,
}

impl Laid {
    fn check(&self, other: &Self) -> Result<(), GeoError> {
        let same_ring = self.ring == other.ring;
        if same_ring && self.index == other.index {
            return Ok(());
        }
        let apart = self.index.abs_diff(other.index);
        let neighbours = same_ring && (apart == 1 || apart == self.count - 1);
        // A ring round the Earth meets itself where it is laid again.
        let again = same_ring && self.turn != other.turn;
        let allowed = match contact(self.edge, other.edge) {
            Contact::None => true,
            Contact::Touching => !same_ring || neighbours || again,
            Contact::Overlapping => again,
            Contact::Crossing => false,
        };
        if allowed {
            return Ok(());
        }
        let last = if same_ring { self.index.max(other.index) } else { self.index };
        let path = format!("[{}][{last}]", self.ring);
        let what = if same_ring { "the ring crosses or touches itself" } else { "rings cross" };
        Err(GeoError::new(path, what))
    }
}

// === Edges in the plane ===

type Edge = (Coord<f64>, Coord<f64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    None,
    /// In one place that is an end of one of them.
    Touching,
    /// In one place that is inside both.
    Crossing,
    /// Along a line.
    Overlapping,
}

fn contact((a, b): Edge, (c, d): Edge) -> Contact {
    let apart = |p: f64, q: f64, r: f64, s: f64| p.max(q) < r.min(s) || r.max(s) < p.min(q);
    if apart(a.y, b.y, c.y, d.y) || apart(a.x, b.x, c.x, d.x) {
        return Contact::None;
    }
    let (to_c, to_d) = (orient2d(a, b, c), orient2d(a, b, d));
    let (to_a, to_b) = (orient2d(c, d, a), orient2d(c, d, b));
    if to_c == 0.0 && to_d == 0.0 {
        return overlap((a, b), (c, d));
    }
    let splits = |one: f64, other: f64| (one > 0.0 && other < 0.0) || (one < 0.0 && other > 0.0);
    if splits(to_c, to_d) && splits(to_a, to_b) {
        return Contact::Crossing;
    }
    let meets = |one: f64, other: f64| one == 0.0 || other == 0.0 || splits(one, other);
    if meets(to_c, to_d) && meets(to_a, to_b) { Contact::Touching } else { Contact::None }
}

/// Of edges on one line whose boxes meet.
fn overlap((a, b): Edge, (c, d): Edge) -> Contact {
    let upright = a.x == b.x && c.x == d.x;
    let of = |corner: Coord<f64>| if upright { corner.y } else { corner.x };
    let (low, high) =
        (of(a).min(of(b)).max(of(c).min(of(d))), of(a).max(of(b)).min(of(c).max(of(d))));
    if low < high {
        Contact::Overlapping
    } else if low == high {
        Contact::Touching
    } else {
        Contact::None
    }
}

/// The edge by whole turns over to where the other is; `None` where they have no longitude in
/// common.
fn turned(edge: Edge, other: Edge) -> Option<Edge> {
    let (low, high) = (other.0.x.min(other.1.x), other.0.x.max(other.1.x));
    [-720.0, -360.0, 0.0, 360.0, 720.0].into_iter().find_map(|turn| {
        let moved =
            (Coord { x: edge.0.x + turn, ..edge.0 }, Coord { x: edge.1.x + turn, ..edge.1 });
        let meets = moved.0.x.max(moved.1.x) >= low && moved.0.x.min(moved.1.x) <= high;
        meets.then_some(moved)
    })
}

fn place_of(corner: Coord<f64>) -> Point {
    let turns = ((corner.x + 180.0) / 360.0).floor() * 360.0;
    let lng = (corner.x - turns).clamp(-180.0, 180.0);
    LatLng::new(corner.y.clamp(-90.0, 90.0), lng).expect("a corner is on the Earth").into()
}

// === Edges on the sphere ===

/// A piece of a great circle, shorter than half of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arc {
    pub(super) a: UnitVector,
    pub(super) b: UnitVector,
    /// Across the plane of both, of length one; zero for a single place.
    pub(super) normal: UnitVector,
}

impl Arc {
    pub(super) fn new(a: UnitVector, b: UnitVector) -> Self {
        Self { a, b, normal: a.cross(b).normalised() }
    }

    /// Whether the place's foot on the great circle is between the ends.
    fn has_foot_of(&self, unit: UnitVector) -> bool {
        self.normal.cross(self.a).dot(unit) > 0.0 && self.b.cross(self.normal).dot(unit) > 0.0
    }

    pub(super) fn distance(&self, unit: UnitVector) -> Metres {
        if self.normal != ZERO && self.has_foot_of(unit) {
            return Metres(EARTH_RADIUS.0 * self.normal.dot(unit).abs().min(1.0).asin());
        }
        let (to_a, to_b) = (self.a.distance(unit), self.b.distance(unit));
        if to_a < to_b { to_a } else { to_b }
    }

    /// A circle that has all of it.
    pub(super) fn cap(&self) -> (UnitVector, Metres) {
        let sum =
            UnitVector { x: self.a.x + self.b.x, y: self.a.y + self.b.y, z: self.a.z + self.b.z };
        let middle = sum.normalised();
        let radius = middle.distance(self.a).0.max(middle.distance(self.b).0);
        (middle, Metres(radius * (1.0 + 1e-9) + 1e-6))
    }

    /// At least the distance of its farthest place.
    pub(super) fn farthest(&self, unit: UnitVector) -> Metres {
        let ends = self.a.distance(unit).0.max(self.b.distance(unit).0);
        Metres(ends + self.a.distance(self.b).0 / 2.0)
    }

    /// Whether two have a place in common, ends aside.
    pub(super) fn crosses(&self, other: &Self) -> bool {
        let sides = |arc: &Self, by: &Self| arc.normal.dot(by.a) * arc.normal.dot(by.b) < 0.0;
        // Great circles cross twice; the arcs do where both are on the same half.
        let line = self.normal.cross(other.normal);
        let middle = |arc: &Self| line.dot(arc.a) + line.dot(arc.b);
        sides(self, other) && sides(other, self) && middle(self) * middle(other) > 0.0
    }
}

const ZERO: UnitVector = UnitVector { x: 0.0, y: 0.0, z: 0.0 };

/// Shows an edge as pieces of great circles that are off by a metre at most: the square of their
/// number grows with what a great circle bows from a straight line in longitude and latitude.
fn each_arc(a: Coord<f64>, b: Coord<f64>, mut see: impl FnMut(Arc)) {
    let (across, up) = ((b.x - a.x).to_radians().abs(), (b.y - a.y).to_radians().abs());
    let bow = EARTH_RADIUS.0 / 8.0 * (across * across / 2.0 + 2.0 * across * up);
    // No piece is longer than a quarter of the Earth either.
    let pieces = bow.sqrt().max(up.max(across)).ceil().clamp(1.0, 10_000.0);
    let at = |step: f64| {
        let share = step / pieces;
        let corner = Coord { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share };
        place_of(corner).unit
    };
    let (mut step, mut from) = (0.0, place_of(a).unit);
    while step < pieces {
        step += 1.0;
        let to = if step == pieces { place_of(b).unit } else { at(step) };
        see(Arc::new(from, to));
        from = to;
    }
}
