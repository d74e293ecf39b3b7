//! Polygons with holes. A hole is open: its edge belongs to the polygon.

use ::geo::Coord;

use super::arcs::Arcs;
use super::boxes::{Bounds, Boxes};
use super::budget::Budget;
use super::caps::{Cap, Caps};
use super::interior::place_inside;
use super::plane::Edge;
use super::ring::{Ring, Side};
use super::straight::{self, Nearest, middle, place_of};
use super::strips::{Strips, u32_of};
use super::{Extent, Vertex};
use super::{crossing, plane};
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point, UnitVector};

/// One or more polygons; where they overlap they are one area.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Polygons {
    polygons: Vec<Polygon>,
    /// Of many, those that have a longitude.
    by_longitude: Option<Strips>,
    /// All edges, a few that follow one another in each.
    blocks: Vec<Block>,
    caps: Caps,
    boxes: Boxes,
    cap: (Point, Metres),
    /// Stands for all of it: events of this shape are there, and distances are to there.
    center: Point,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Polygon {
    pub(super) shell: Ring,
    pub(super) holes: Vec<Ring>,
}

/// Edges of one ring, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    polygon: u32,
    /// 0 is the shell, above are the holes.
    ring: u32,
    from: u32,
    to: u32,
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
        let polygons = polygons.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(polygons))
    }

    /// At least one, as one area.
    pub(super) fn joined(parts: Vec<Self>) -> Self {
        Self::of(parts.into_iter().flat_map(|part| part.polygons).collect())
    }

    fn of(polygons: Vec<Polygon>) -> Self {
        let mut blocks = Vec::new();
        for (polygon, number) in polygons.iter().zip(0_u32..) {
            for (ring, index) in polygon.rings().zip(0_u32..) {
                let edges = u32_of(ring.corners().len() - 1);
                let mut from = 0;
                while from < edges {
                    let to = edges.min(from + BLOCK);
                    blocks.push(Block { polygon: number, ring: index, from, to });
                    from = to;
                }
            }
        }
        let cap_of = |block: &Block| {
            let ring = polygons[block.polygon as usize].ring(block.ring);
            let caps: Vec<Cap> = ring.edges_of(block.from..block.to).map(straight::cap).collect();
            // A block may have nothing but a seam: any place of it will do.
            let start = place_of(ring.corners()[block.from as usize]).unit;
            if caps.is_empty() { Cap { center: start, radius: 0.0 } } else { Cap::round(&caps) }
        };
        let caps = Caps::new(blocks.iter().map(cap_of).collect());
        let bounds_of = |block: &Block| {
            let ring = polygons[block.polygon as usize].ring(block.ring);
            Bounds::of(&ring.corners()[block.from as usize..=block.to as usize])
        };
        let boxes = Boxes::new(blocks.iter().map(bounds_of).collect());
        let by_longitude = (polygons.len() > FEW).then(|| by_longitude(&polygons));
        let anywhere = place_of(Coord { x: 0.0, y: 0.0 });
        let mut this = Self {
            cap: (anywhere, FARTHEST),
            center: anywhere,
            polygons,
            by_longitude,
            blocks,
            caps,
            boxes,
        };
        this.cap = this.find_cap();
        this.center = this.find_center();
        this
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
        let turned = if west > east { east + 360.0 } else { east };
        if turned - west <= 0.0 {
            return Err(GeoError::new("east", format_args!("{east} is west as well: no width")));
        }
        let east = turned;
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
        self.over(at).any(|polygon| polygon.contains(at))
    }

    /// Polygons that may have a place: at least those that have its longitude.
    pub(super) fn over(&self, at: LatLng) -> impl Iterator<Item = &Polygon> {
        // The poles have every longitude.
        let strips = self.by_longitude.as_ref().filter(|_| at.lat().abs() < 90.0);
        let numbers = strips.map(|strips| strips.at(at.lng()));
        let all = if strips.is_some() { &[] } else { &self.polygons[..] };
        let some = numbers.unwrap_or_default().iter().map(|number| *number as usize);
        some.map(|number| &self.polygons[number]).chain(all)
    }

    /// Whether an edge may be at most so many metres away.
    pub(super) fn is_edge_within(&self, unit: UnitVector, reach: f64) -> bool {
        let reach = reach.next_up();
        let mut search = Nearest::new(unit, reach);
        self.see_edges(&mut search);
        search.best < reach
    }

    pub(super) fn see_edges(&self, search: &mut Nearest) {
        let mut best = search.best;
        self.caps.nearest(search.unit, &mut best, &mut |block, best| {
            search.see(self.edges_of(block));
            *best = search.best;
        });
    }

    /// At most the distance of the nearest edge.
    pub(super) fn safe_distance(&self, unit: UnitVector) -> Metres {
        self.caps.safe_distance(unit)
    }

    pub(super) fn center(&self) -> Point {
        self.center
    }

    /// The middle of the extent, if that is inside; else a place inside the first polygon.
    fn find_center(&self) -> Point {
        let middle = self.cap.0;
        if self.contains(middle.at) {
            return middle;
        }
        place_inside(&self.polygons[0]).unwrap_or(middle)
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        let of = |shell: &Ring| Extent::of_range(shell.west, shell.east, shell.south, shell.north);
        self.polygons.iter().flat_map(|polygon| of(&polygon.shell)).collect()
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        self.cap
    }

    /// From the middle of the smallest polygon's box to its farthest corner.
    pub(super) fn least_radius(&self) -> Metres {
        let radius = |polygon: &Polygon| {
            let middle = middle_of(&polygon.shell).unit;
            let reach = |corner: &Coord<f64>| middle.distance(place_of(*corner).unit).0;
            polygon.shell.corners().iter().map(reach).fold(0.0, f64::max)
        };
        Metres(self.polygons.iter().map(radius).fold(f64::INFINITY, f64::min))
    }

    fn find_cap(&self) -> (Point, Metres) {
        let center = middle_of(&self.polygons[0].shell);
        let far = center.unit.opposite().to_lat_lng();
        // A region that has the antipode reaches beyond its edges.
        if self.contains(far) {
            return (center, FARTHEST);
        }
        let blocks = 0..self.blocks.len();
        let reach = blocks.flat_map(|block| self.edges_of(block)).map(|edge| {
            let cap = straight::cap(edge);
            center.unit.distance(cap.center).0 + cap.radius
        });
        (center, Metres(reach.fold(0.0, f64::max).min(FARTHEST.0)))
    }

    pub(super) fn polygons(&self) -> &[Polygon] {
        &self.polygons
    }

    pub(super) fn boxes(&self) -> &Boxes {
        &self.boxes
    }

    /// How many corners there are.
    pub(super) fn count(&self) -> usize {
        let rings = self.polygons.iter().flat_map(Polygon::rings);
        rings.map(|ring| ring.corners().len()).sum()
    }

    /// Whether some place of an edge is at most `reach` metres from an arc.
    pub(super) fn is_near(&self, arcs: &Arcs, reach: f64, budget: &mut Budget) -> bool {
        arcs.caps().is_some_and(|caps| {
            self.caps.any_pair(caps, reach, budget, &mut |block, arc, budget| {
                let arc = &arcs.as_slice()[arc];
                self.edges_of(block).any(|edge| straight::is_near(edge, arc, reach, budget))
            })
        })
    }

    /// The edges of a block as they lie one after the other.
    pub(super) fn piece(&self, block: usize) -> Piece<'_> {
        let Block { polygon, ring, from, to } = self.blocks[block];
        let ring = self.polygons[polygon as usize].ring(ring);
        let first = from as usize;
        Piece { ring, first, corners: &ring.corners()[first..=to as usize] }
    }

    fn edges_of(&self, block: usize) -> impl Iterator<Item = Edge> {
        let Block { polygon, ring, from, to } = self.blocks[block];
        self.polygons[polygon as usize].ring(ring).edges_of(from..to)
    }
}

/// Edges of a ring that follow one another, from number `first`.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) ring: &'a Ring,
    pub(super) first: usize,
    pub(super) corners: &'a [Coord<f64>],
}

impl<'a> Piece<'a> {
    /// Without those of a seam.
    pub(super) fn edges(self) -> impl Iterator<Item = Edge> + use<'a> {
        let edges = (self.first..).zip(self.corners.windows(2));
        edges.filter(move |(at, _)| !self.ring.is_seam(*at)).map(|(_, ends)| (ends[0], ends[1]))
    }
}

/// The middle of a ring's box.
fn middle_of(ring: &Ring) -> Point {
    let (lat, lng) = ((ring.south + ring.north) / 2.0, (ring.west + ring.east) / 2.0);
    place_of(Coord { x: lng, y: lat })
}

impl Polygon {
    fn new(rings: &[Vec<Vertex>]) -> Result<Self, GeoError> {
        let ring = |(index, vertices): (usize, &Vec<Vertex>)| {
            let ring = Ring::new(vertices);
            ring.map_err(|fault| fault.within(&format!("[{index}]")))
        };
        let rings: Result<Vec<Ring>, GeoError> = rings.iter().enumerate().map(ring).collect();
        let rings = rings?;
        crossing::check(&rings)?;
        let mut rings = rings.into_iter();
        let shell = rings.next().ok_or_else(|| GeoError::new("", "no ring"))?;
        let polygon = Self { shell, holes: rings.collect() };
        for (index, hole) in polygon.holes.iter().enumerate() {
            if !polygon.has_hole(hole) {
                let path = format!("[{}]", index + 1);
                return Err(GeoError::new(path, "a hole that is not inside its polygon"));
            }
        }
        Ok(polygon)
    }

    /// Of a ring that does not cross the shell, whether it lies inside.
    fn has_hole(&self, hole: &Ring) -> bool {
        let side = |corner: Coord<f64>| self.shell.side(place_of(corner).at);
        hole.edges().all(|edge| match (side(edge.0), side(edge.1)) {
            (Side::Outside, _) | (_, Side::Outside) => false,
            // It may leave the shell where it has a notch.
            (Side::Edge, Side::Edge) => side(middle(edge)) != Side::Outside,
            _ => true,
        })
    }

    pub(super) fn contains(&self, at: LatLng) -> bool {
        self.shell.side(at) != Side::Outside
            && self.holes.iter().all(|hole| hole.side(at) != Side::Inside)
    }

    /// A corner.
    pub(super) fn start(&self) -> LatLng {
        place_of(self.shell.corners()[0]).at
    }

    /// Whether the box round it has all of that round another, as it must where the other one,
    /// poles aside, lies in it.
    pub(super) fn spans(&self, other: &Self) -> bool {
        let (outer, inner) = (&self.shell, &other.shell);
        let is_round = outer.east - outer.west >= 360.0 - SLACK;
        let turn = ((outer.west - inner.west - SLACK) / 360.0).ceil() * 360.0;
        outer.south <= inner.south
            && inner.north <= outer.north
            && (is_round || inner.east + turn <= outer.east + SLACK)
    }

    pub(super) fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.shell).chain(&self.holes)
    }

    fn ring(&self, number: u32) -> &Ring {
        match number {
            0 => &self.shell,
            hole => &self.holes[hole as usize - 1],
        }
    }
}

fn by_longitude(polygons: &[Polygon]) -> Strips {
    let mut ranges = Vec::with_capacity(polygons.len());
    for (polygon, number) in polygons.iter().zip(0_u32..) {
        let (west, east) = (polygon.shell.west - SLACK, polygon.shell.east + SLACK);
        let turns = plane::turns((-180.0, 180.0), (west, east));
        ranges.extend(turns.map(|turn| (number, west + turn, east + turn)));
    }
    Strips::new(&ranges, -180.0, 180.0)
}

/// Edges that share a circle.
pub(super) const BLOCK: u32 = 8;
/// Polygons that are looked at one by one.
const FEW: usize = 8;
/// Degrees that longitudes over the antimeridian may be off.
const SLACK: f64 = 1e-9;
