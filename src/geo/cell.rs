//! [`HexGrid`]: the H3 grid of one resolution, with keys that cost a tenth of what H3's names do.
//!
//! H3 lays one hexagonal lattice on each face of an icosahedron and projects it on the sphere from
//! the centre (gnomonic projection). Well inside a face, a cell is its place in that lattice; near
//! the borders of faces, where cells bend over, and where rounding could decide either way, H3
//! itself names the cell.

use std::collections::HashSet;
use std::f64::consts::PI;
use std::sync::LazyLock;

use h3o::{CellIndex, Resolution};

use super::area::Circle;
use super::point::{EARTH_RADIUS, LatLng, Metres, Point, UnitVector, chord_squared_of};

/// A cell of one grid: two places have the same key exactly if they are in the same H3 cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CellKey(u64);

/// The face that the last place was on: the first to be tried for the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FaceHint(usize);

/// The H3 grid of one resolution.
#[derive(Debug)]
pub(crate) struct HexGrid {
    resolution: Resolution,
    /// Between the centres of neighbours, on the plane of a face at distance 1 from the centre of
    /// the sphere.
    spacing: f64,
    faces: Vec<Face>,
    /// Directions from a face's centre to the middles of its three edges.
    to_edges: [(f64, f64); 3],
    /// From a face's centre to its edges, in spacings.
    inradius: f64,
}

/// A face of the icosahedron: its centre on the sphere and the axes of its lattice.
#[derive(Clone, Copy, Debug)]
struct Face {
    center: UnitVector,
    x: UnitVector,
    y: UnitVector,
}

/// A cell that a circle may touch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Covered {
    pub(crate) key: CellKey,
    /// What [`HexGrid::center`] gives for the key.
    pub(crate) center: UnitVector,
    /// Whether the whole cell is in the circle.
    pub(crate) inner: bool,
}

/// A place in a face's lattice, by whole steps along its two axes, 60 degrees apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    face: usize,
    a: f64,
    b: f64,
}

impl HexGrid {
    /// Made once for each resolution, at first use.
    pub(crate) fn at(resolution: Resolution) -> &'static Self {
        static GRIDS: LazyLock<Vec<HexGrid>> = LazyLock::new(|| {
            Resolution::range(Resolution::Zero, Resolution::Fifteen).map(HexGrid::new).collect()
        });
        &GRIDS[usize::from(resolution)]
    }

    fn new(resolution: Resolution) -> Self {
        let scale = 7.0_f64.powf(f64::from(u8::from(resolution)) / 2.0);
        // Odd resolutions ("class III") are turned against the face.
        let turn = if resolution.is_class3() { (3.0_f64 / 28.0).sqrt().asin() } else { 0.0 };
        let to_edge = |third: f64| (PI * (1.0 + 2.0 * third) / 3.0 - turn).sin_cos();
        let swap = |(sin, cos): (f64, f64)| (cos, sin);
        Self {
            resolution,
            spacing: SPACING_0 / scale,
            faces: FACES.iter().map(|face| face.turned(turn)).collect(),
            to_edges: [0.0, 1.0, 2.0].map(|third| swap(to_edge(third))),
            inradius: scale,
        }
    }

    /// No place of a cell is farther from the cell's centre.
    ///
    /// A cell is a hexagon on the surface of the icosahedron, bent where it goes over an edge, and
    /// each of its places is reached from its centre by a path on that surface no longer than the
    /// hexagon's circumradius. The projection to the sphere inside shortens paths.
    pub(crate) fn reach(&self) -> Metres {
        Metres(self.spacing / 3.0_f64.sqrt() * EARTH_RADIUS.0 * (1.0 + 1e-5))
    }

    pub(crate) fn key(&self, point: &Point, hint: &mut FaceHint) -> CellKey {
        if let Some(key) = self.key_on(hint.0, point.unit) {
            return key;
        }
        let nearest = self.nearest_face(point.unit);
        if nearest != hint.0 {
            hint.0 = nearest;
            if let Some(key) = self.key_on(nearest, point.unit) {
                return key;
            }
        }
        self.key_of(self.name(point.at))
    }

    pub(crate) fn key_of(&self, cell: CellIndex) -> CellKey {
        let center = named_center(cell);
        self.key_on(self.nearest_face(center), center).unwrap_or(CellKey(cell.into()))
    }

    /// The centre of the cell, always to the same bit.
    pub(crate) fn center(&self, key: CellKey) -> UnitVector {
        match Step::of(key) {
            Some(step) => self.unit(step),
            None => {
                let cell =
                    CellIndex::try_from(key.0).expect("the key of a border cell is its name");
                named_center(cell)
            }
        }
    }

    /// Appends every cell that the circle touches and perhaps some that lie just outside, each
    /// once. False, with some of them, where it would be more than `most`.
    pub(crate) fn cover(&self, circle: &Circle, most: usize, found: &mut Vec<Covered>) -> bool {
        // No cell covers more than a disc with its reach.
        let least = circle.radius.0 / self.reach().0;
        if least * least > f64::from(u32::try_from(most).unwrap_or(u32::MAX)) {
            return false;
        }
        let before = found.len();
        let disc = Disc::new(circle, self.reach());
        if !self.cover_on_face(&disc, found) {
            found.truncate(before);
            return self.cover_by_neighbours(&disc, most, found);
        }
        found.len() - before <= most
    }

    /// False where a cell may be near the border of a face.
    fn cover_on_face(&self, disc: &Disc, found: &mut Vec<Covered>) -> bool {
        let face = self.nearest_face(disc.center);
        let Some((x, y)) = self.project(face, disc.center) else { return false };
        // The projection stretches lengths by 1/cos² of the angle from the face's centre.
        let farthest = x.hypot(y) * self.spacing + 1.6 * disc.touching_angle;
        let stretch = 1.0 + farthest * farthest;
        let length = disc.touching_angle * stretch / self.spacing;
        if disc.touching_angle > 0.1 || !self.is_inside(x, y, length + 1.0) {
            return false;
        }
        let outline = self.outline(face, (x, y), disc);
        let half_step = 3.0_f64.sqrt() / 2.0;
        let mut b = ((y - length) / half_step).ceil();
        while b * half_step <= y + length {
            let across = b * half_step - y;
            let half = (length * length - across * across).max(0.0).sqrt();
            let mut a = (x - half - b / 2.0).ceil();
            while a + b / 2.0 <= x + half {
                let step = Step { face, a, b };
                if let Some(mut covered) = disc.covered(step.key(), self.unit(step)) {
                    let side = match &outline {
                        Some(outline) if !covered.inner => outline.side(disc, covered.center),
                        _ => Side::Unsure,
                    };
                    covered.inner |= side == Side::Inside;
                    if side != Side::Outside {
                        found.push(covered);
                    }
                }
                a += 1.0;
            }
            b += 1.0;
        }
        true
    }

    /// `None` where cells next to each other differ too much for it to help.
    fn outline(&self, face: usize, (x, y): (f64, f64), disc: &Disc) -> Option<Outline> {
        if disc.touching_angle > 0.01 {
            return None;
        }
        let axes = Axes::at(disc.center);
        let corners = CORNERS.map(|(corner_x, corner_y)| {
            axes.offset(self.on_plane(face, x + corner_x, y + corner_y))
        });
        let reach = self.reach().0 / EARTH_RADIUS.0;
        // The second derivatives of the projection are below 1.5, so that over the circle an
        // outline changes by less than 2.4 angles of the circle.
        let margin = reach * (1e-3 + 4.0 * disc.touching_angle);
        Some(Outline { axes, corners, margin })
    }

    fn cover_by_neighbours(&self, disc: &Disc, most: usize, found: &mut Vec<Covered>) -> bool {
        let before = found.len();
        let start = self.name(disc.center.to_lat_lng());
        let mut seen = HashSet::from([start]);
        let mut waiting = vec![start];
        while let Some(cell) = waiting.pop() {
            let key = self.key_of(cell);
            // The cells that a circle touches hang together, and its centre is in the first.
            let Some(covered) = disc.covered(key, self.center(key)) else { continue };
            if found.len() - before >= most {
                return false;
            }
            found.push(covered);
            for neighbour in cell.grid_disk::<Vec<_>>(1) {
                if seen.insert(neighbour) {
                    waiting.push(neighbour);
                }
            }
        }
        true
    }

    fn name(&self, at: LatLng) -> CellIndex {
        let at = h3o::LatLng::new(at.lat(), at.lng()).expect("degrees are finite");
        at.to_cell(self.resolution)
    }

    fn nearest_face(&self, unit: UnitVector) -> usize {
        let mut nearest = (0, f64::NEG_INFINITY);
        for (number, face) in self.faces.iter().enumerate() {
            let dot = face.center.dot(unit);
            if dot > nearest.1 {
                nearest = (number, dot);
            }
        }
        nearest.0
    }

    /// In spacings along the lattice's axis and across. `None` for places far off the face.
    fn project(&self, face: usize, unit: UnitVector) -> Option<(f64, f64)> {
        let face = &self.faces[face];
        let depth = face.center.dot(unit);
        // The corners of a face are at 0.795.
        (depth > 0.7).then(|| {
            let scale = 1.0 / (depth * self.spacing);
            (face.x.dot(unit) * scale, face.y.dot(unit) * scale)
        })
    }

    /// Whether a place of a face is at least so many spacings from its edges.
    fn is_inside(&self, x: f64, y: f64, margin: f64) -> bool {
        let least = self.inradius - margin;
        self.to_edges.iter().all(|edge| x * edge.0 + y * edge.1 <= least)
    }

    /// `None` where the cell is near the border of the face, or the place near that of the cell.
    fn key_on(&self, face: usize, unit: UnitVector) -> Option<CellKey> {
        let (x, y) = self.project(face, unit)?;
        let b = y * (2.0 / 3.0_f64.sqrt());
        let a = x - b / 2.0;
        let c = -a - b;
        let (mut whole_a, mut whole_b, whole_c) = (whole(a), whole(b), whole(c));
        // The three must add up to zero: the one that was rounded farthest follows from the others.
        let off = [(a - whole_a).abs(), (b - whole_b).abs(), (c - whole_c).abs()];
        if off[0] > off[1] && off[0] > off[2] {
            whole_a = -whole_b - whole_c;
        } else if off[1] > off[2] {
            whole_b = -whole_a - whole_c;
        }
        let (a, b) = (a - whole_a, b - whole_b);
        let c = -a - b;
        let nearness = (a - b).abs().max((b - c).abs()).max((c - a).abs());
        let step = Step { face, a: whole_a, b: whole_b };
        let (x, y) = step.plane();
        (nearness < 1.0 - 1e-6 && self.is_inside(x, y, 1.0)).then(|| step.key())
    }

    fn unit(&self, step: Step) -> UnitVector {
        let (x, y) = step.plane();
        self.on_plane(step.face, x, y)
    }

    /// The reverse of [`Self::project`].
    fn on_plane(&self, face: usize, x: f64, y: f64) -> UnitVector {
        let face = &self.faces[face];
        let (x, y) = (x * self.spacing, y * self.spacing);
        normalised(UnitVector {
            x: face.center.x + x * face.x.x + y * face.y.x,
            y: face.center.y + x * face.x.y + y * face.y.y,
            z: face.center.z + x * face.x.z + y * face.y.z,
        })
    }
}

impl Face {
    /// Axes turned counter-clockwise, as seen from outside.
    fn turned(&self, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        let mix = |x: f64, y: f64| x * cos + y * sin;
        let (x, y) = (self.x, self.y);
        let x = UnitVector { x: mix(x.x, y.x), y: mix(x.y, y.y), z: mix(x.z, y.z) };
        Self { center: self.center, x, y: self.center.cross(x) }
    }
}

impl Step {
    fn plane(self) -> (f64, f64) {
        (self.a + self.b / 2.0, self.b * (3.0_f64.sqrt() / 2.0))
    }

    fn key(self) -> CellKey {
        let low = |steps: f64| (steps + WHOLE).to_bits() & STEP_MASK;
        let face = u64::try_from(self.face).expect("one of twenty");
        CellKey(STEP_BIT | face << 56 | low(self.a) << 28 | low(self.b))
    }

    /// `None` for a key that is a name of H3, whose highest bit is never set.
    fn of(key: CellKey) -> Option<Self> {
        let steps = |low: u64| f64::from_bits(WHOLE.to_bits() & !STEP_MASK | low) - WHOLE;
        (key.0 & STEP_BIT != 0).then(|| Self {
            face: usize::try_from(key.0 >> 56 & 0x1f).expect("five bits"),
            a: steps(key.0 >> 28 & STEP_MASK),
            b: steps(key.0 & STEP_MASK),
        })
    }
}

/// The plane that touches the sphere at a place, with two axes across each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes {
    origin: UnitVector,
    x: UnitVector,
    y: UnitVector,
}

impl Axes {
    /// The same axes to the bit for the same place.
    pub(crate) fn at(origin: UnitVector) -> Self {
        // Across the one of two coordinate axes that is far from the place.
        let (x, y, z) = (origin.x, origin.y, origin.z);
        let aside = if x * x + y * y > 0.01 {
            UnitVector { x: -y, y: x, z: 0.0 }
        } else {
            UnitVector { x: 0.0, y: -z, z: y }
        };
        let x = normalised(aside);
        Self { origin, x, y: origin.cross(x) }
    }

    /// Where a place falls on the plane at right angles, in Earth radii.
    pub(crate) fn offset(&self, place: UnitVector) -> (f64, f64) {
        let away = UnitVector {
            x: place.x - self.origin.x,
            y: place.y - self.origin.y,
            z: place.z - self.origin.z,
        };
        (away.dot(self.x), away.dot(self.y))
    }
}

/// What a cell near a circle looks like, on the plane that touches the sphere at the circle's
/// centre. Lengths are Earth radii.
#[derive(Clone, Copy, Debug)]
struct Outline {
    axes: Axes,
    /// From the cell's centre, in turn.
    corners: [(f64, f64); 6],
    /// How much nearer or farther a cell's edge may be than told.
    margin: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
    Unsure,
}

impl Outline {
    /// On which side of the circle's edge the cell with this centre is.
    fn side(&self, disc: &Disc, center: UnitVector) -> Side {
        let (x, y) = self.axes.offset(center);
        let corners = self.corners.map(|corner| (x + corner.0, y + corner.1));
        let (mut nearest, mut farthest, mut is_around) = (f64::INFINITY, 0.0_f64, true);
        let mut from = corners[5];
        for to in corners {
            let way = (to.0 - from.0, to.1 - from.1);
            let along = -(from.0 * way.0 + from.1 * way.1) / (way.0 * way.0 + way.1 * way.1);
            let along = along.clamp(0.0, 1.0);
            let foot = (from.0 + along * way.0, from.1 + along * way.1);
            nearest = nearest.min(foot.0 * foot.0 + foot.1 * foot.1);
            farthest = farthest.max(to.0 * to.0 + to.1 * to.1);
            is_around &= from.0 * way.1 - from.1 * way.0 >= 0.0;
            from = to;
        }
        let (least, most) = (disc.radius - self.margin, disc.radius + self.margin);
        if least > 0.0 && farthest < least * least {
            Side::Inside
        } else if !is_around && nearest > most * most {
            Side::Outside
        } else {
            Side::Unsure
        }
    }
}

/// A circle, as cells are compared with it.
#[derive(Clone, Copy, Debug)]
struct Disc {
    /// In Earth radii.
    radius: f64,
    center: UnitVector,
    /// Angle from the circle's centre to that of a cell up to which the cell may touch it.
    touching_angle: f64,
    /// The same as squares of chords; and up to which the cell is inside.
    touching: f64,
    inside: f64,
}

impl Disc {
    fn new(circle: &Circle, reach: Metres) -> Self {
        let touching = Metres(circle.radius.0 + reach.0);
        let inside = Metres(circle.radius.0 - reach.0);
        Self {
            radius: circle.radius.0 / EARTH_RADIUS.0,
            center: circle.center.unit,
            touching_angle: touching.0 / EARTH_RADIUS.0,
            touching: chord_squared_of(touching),
            inside: if inside.0 < 0.0 { -1.0 } else { chord_squared_of(inside) },
        }
    }

    fn covered(&self, key: CellKey, center: UnitVector) -> Option<Covered> {
        let chord = self.center.chord_squared(center);
        (chord <= self.touching).then_some(Covered { key, center, inner: chord <= self.inside })
    }
}

fn named_center(cell: CellIndex) -> UnitVector {
    let center = h3o::LatLng::from(cell);
    let (sin_lat, cos_lat) = center.lat_radians().sin_cos();
    let (sin_lng, cos_lng) = center.lng_radians().sin_cos();
    UnitVector { x: cos_lat * cos_lng, y: cos_lat * sin_lng, z: sin_lat }
}

fn normalised(vector: UnitVector) -> UnitVector {
    let scale = 1.0 / vector.dot(vector).sqrt();
    UnitVector { x: vector.x * scale, y: vector.y * scale, z: vector.z * scale }
}

/// The nearest whole number. Adding a number whose last bit counts ones rounds, without a call
/// where the processor at hand is not known to round.
fn whole(number: f64) -> f64 {
    (number + WHOLE) - WHOLE
}

/// From a cell's centre to its corners, in spacings, counter-clockwise.
const CORNERS: [(f64, f64); 6] = [
    (0.5, HALF_EDGE),
    (0.0, 2.0 * HALF_EDGE),
    (-0.5, HALF_EDGE),
    (-0.5, -HALF_EDGE),
    (0.0, -2.0 * HALF_EDGE),
    (0.5, -HALF_EDGE),
];
/// 1/√12.
const HALF_EDGE: f64 = 0.288_675_134_594_812_9;

/// Odd, so that the low bits of a sum are the whole number plus 2^27.
const WHOLE: f64 = 4_503_599_627_370_496.0 + 134_217_728.0;
const STEP_MASK: u64 = (1 << 28) - 1;
const STEP_BIT: u64 = 1 << 63;

/// The lattice's spacing at resolution 0: a face's corner is two steps from its centre.
const SPACING_0: f64 = 0.381_966_011_250_105;

/// In the orientation of even resolutions: the lattice's axis points to a corner. Corners of the
/// icosahedron are H3's twelve pentagons.
static FACES: LazyLock<Vec<Face>> = LazyLock::new(|| {
    let corners: Vec<UnitVector> = Resolution::Zero.pentagons().map(named_center).collect();
    let near = |one: usize, other: usize| corners[one].dot(corners[other]) > 0.4;
    let mut faces = Vec::with_capacity(20);
    for one in 0..corners.len() {
        for two in one + 1..corners.len() {
            for three in two + 1..corners.len() {
                if near(one, two) && near(two, three) && near(three, one) {
                    faces.push(face(corners[one], corners[two], corners[three]));
                }
            }
        }
    }
    assert_eq!(faces.len(), 20, "an icosahedron");
    faces
});

fn face(one: UnitVector, two: UnitVector, three: UnitVector) -> Face {
    let center = normalised(UnitVector {
        x: one.x + two.x + three.x,
        y: one.y + two.y + three.y,
        z: one.z + two.z + three.z,
    });
    let depth = center.dot(one);
    let x = normalised(UnitVector {
        x: one.x - depth * center.x,
        y: one.y - depth * center.y,
        z: one.z - depth * center.z,
    });
    Face { center, x, y: center.cross(x) }
}

#[cfg(test)]
mod tests;
