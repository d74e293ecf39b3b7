//! Brute force by other means than the areas themselves use: polygons in whole numbers with rays to
//! the east and an explicit seam; distances by many unit vectors along each edge.

use std::f64::consts::TAU;

use h3o::CellIndex;

use super::{point, towards};
use crate::geo::area::{Area, Circle, Vertex};
use crate::geo::numbers::Numbers;
use crate::geo::point::{EARTH_RADIUS, LatLng, Metres, Point, UnitVector};

// === Polygons, exactly ===

/// Eighths of a degree: exact in both worlds.
pub(in crate::geo) const UNIT: f64 = 8.0;
pub(in crate::geo) const TURN: i64 = 360 * 8;
pub(in crate::geo) const POLE: i64 = 90 * 8;
/// Parts of an eighth, finer than the steepest edge rises.
const FINE: i64 = 1 << 14;

/// The ring in the plane, closed, with a seam to the pole that it goes round.
fn plane(ring: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = vec![ring[0]];
    for pair in ring.windows(2).chain([&[ring[ring.len() - 1], ring[0]][..]]) {
        let mut step = pair[1].0 - pair[0].0;
        if step > TURN / 2 && step < TURN {
            step -= TURN;
        } else if step < -TURN / 2 && step > -TURN {
            step += TURN;
        }
        let last = out[out.len() - 1];
        out.push((last.0 + step, pair[1].1));
    }
    let (first, last) = (out[0], out[out.len() - 1]);
    if first.0 != last.0 {
        let sum: i64 = ring.iter().map(|corner| corner.1).sum();
        let pole = if sum >= 0 { POLE } else { -POLE };
        out.extend([(last.0, pole), (first.0, pole), first]);
    }
    out
}

/// Whether the place is inside (1), on the edge (0) or outside (-1).
pub(in crate::geo) fn side(ring: &[(i64, i64)], place: (i64, i64)) -> i32 {
    let plane = plane(ring);
    if place.1.abs() == POLE {
        let seam = plane.len() - ring.len() > 1;
        let sum: i64 = ring.iter().map(|corner| corner.1).sum();
        let closes = seam && (sum >= 0) == (place.1 > 0);
        let touches = ring.iter().any(|corner| corner.1 == place.1);
        return if closes {
            1
        } else if touches {
            0
        } else {
            -1
        };
    }
    let seam = plane[0].0;
    let wraps = plane.len() - ring.len() > 1;
    let mut answer = -1;
    for turn in -3..=3 {
        let x = place.0 + turn * TURN;
        // The seam is no edge: a hair beside it the answer is the same.
        let on_seam = wraps && (x - seam) % TURN == 0;
        let fine: Vec<(i64, i64)> = plane.iter().map(|(x, y)| (FINE * x, FINE * y)).collect();
        let x = FINE * x + i64::from(on_seam);
        let edges = fine.windows(2).take(if wraps { ring.len() } else { usize::MAX });
        let y = FINE * place.1;
        for edge in edges {
            let ((ax, ay), (bx, by)) = (edge[0], edge[1]);
            let cross = (bx - ax) * (y - ay) - (by - ay) * (FINE * (place.0 + turn * TURN) - ax);
            let within = |a: i64, b: i64, v: i64| a.min(b) <= v && v <= a.max(b);
            if cross == 0 && within(ax, bx, FINE * (place.0 + turn * TURN)) && within(ay, by, y) {
                return 0;
            }
        }
        let mut odd = false;
        for edge in fine.windows(2) {
            let ((ax, ay), (bx, by)) = (edge[0], edge[1]);
            if (ay > y) != (by > y) {
                // The place is west of the edge.
                let cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
                odd ^= (cross > 0) == (by < ay);
            }
        }
        if odd {
            answer = 1;
        }
    }
    answer
}

// === Everything else, by samples ===

/// An area of any kind, and what brute force makes of it.
#[derive(Debug)]
pub(in crate::geo) struct Sampled {
    pub(in crate::geo) area: Area,
    /// Along the line or the edge that the area is built on.
    pub(in crate::geo) line: Vec<UnitVector>,
    /// Metres: between neighbours on the line, at most.
    pub(in crate::geo) gap: f64,
    /// Metres from the line within which all is in the area.
    pub(in crate::geo) reach: f64,
    /// Whether what the line encloses is in the area as well.
    pub(in crate::geo) is_region: bool,
}

impl Sampled {
    /// Metres to the nearest sample.
    pub(in crate::geo) fn line_distance(&self, from: UnitVector) -> f64 {
        let chord = |unit: &UnitVector| unit.chord_squared(from);
        let least = self.line.iter().map(chord).fold(f64::INFINITY, f64::min);
        2.0 * EARTH_RADIUS.0 * (least.sqrt() / 2.0).min(1.0).asin()
    }

    /// Whether the two meet, where the samples leave no doubt.
    pub(in crate::geo) fn meets(&self, other: &Self) -> Option<bool> {
        let encloses = |one: &Self, other: &Self| {
            let at = |unit: &UnitVector| Point::from(unit.to_lat_lng());
            one.is_region && other.line.iter().any(|unit| one.area.contains(&at(unit)))
        };
        if encloses(self, other) || encloses(other, self) {
            return Some(true);
        }
        let least = self.line.iter().map(|unit| other.line_distance(*unit));
        let least = least.fold(f64::INFINITY, f64::min);
        let reach = self.reach + other.reach;
        // Great circles stand for edges of polygons, to a metre.
        let is_straight = |one: &Self| matches!(one.area, Area::Polygons(_));
        let doubt = if is_straight(self) || is_straight(other) { 1.01 } else { 0.0 };
        if least <= reach - doubt {
            return Some(true);
        }
        (least > reach + self.gap + other.gap + doubt + 1e-3).then_some(false)
    }

    /// A place of the line, of its surroundings, or of anywhere.
    pub(in crate::geo) fn place(&self, numbers: &mut Numbers) -> Point {
        let count = u32::try_from(self.line.len()).unwrap();
        let on = self.line[numbers.below(count) as usize];
        let far = self.reach + numbers.between(1.0, 1e6);
        match numbers.below(8) {
            0 => on.to_lat_lng().into(),
            1 => numbers.hard_place(),
            2 => numbers.near(on, Metres(self.reach * 1.1 + 1.0)),
            _ => numbers.near(on, Metres(far)),
        }
    }
}

/// One of each kind by turns, near `around`, of about that size in metres.
pub(in crate::geo) fn sampled(numbers: &mut Numbers, around: Point, size: f64) -> Sampled {
    loop {
        let found = match numbers.below(7) {
            0 => Some(circle(around, numbers.between(1.0, size))),
            1 | 2 => polygon(numbers, around, size),
            3 => bbox(numbers, around, size),
            4 => Some(cells(numbers, around, size)),
            _ => Some(route(numbers, around, size)),
        };
        if let Some(found) = found {
            return found;
        }
    }
}

fn circle(center: Point, radius: f64) -> Sampled {
    let area = Area::Circle(Circle::new(center, Metres(radius)));
    Sampled { area, line: vec![center.unit], gap: 0.0, reach: radius, is_region: false }
}

fn polygon(numbers: &mut Numbers, around: Point, size: f64) -> Option<Sampled> {
    let count = 3 + numbers.below(20);
    let corner = |index: u32| {
        let share = 0.3 + 0.7 * numbers.share();
        let at = towards(around, f64::from(index) / f64::from(count) * TAU, size * share).at;
        Vertex { lng: at.lng(), lat: at.lat() }
    };
    let mut ring: Vec<Vertex> = (0..count).map(corner).collect();
    let area = Area::polygons(&[vec![ring.clone()]]).ok()?;
    ring.push(ring[0]);
    Some(region(area, straight(&ring)))
}

fn bbox(numbers: &mut Numbers, around: Point, size: f64) -> Option<Sampled> {
    let degrees = (size / 111_195.0).min(80.0);
    let mut reach = || numbers.between(degrees / 10.0, degrees);
    let wrap = |lng: f64| (lng + 180.0).rem_euclid(360.0) - 180.0;
    let (west, east) = (wrap(around.at.lng() - reach()), wrap(around.at.lng() + reach()));
    let (south, north) =
        ((around.at.lat() - reach()).max(-90.0), (around.at.lat() + reach()).min(90.0));
    let area = Area::bbox(Vertex { lng: west, lat: south }, Vertex { lng: east, lat: north });
    let east = if east < west { east + 360.0 } else { east };
    let at = |lng: f64, lat: f64| Vertex { lng, lat };
    let ring =
        [at(west, south), at(east, south), at(east, north), at(west, north), at(west, south)];
    Some(region(area.ok()?, straight(&ring)))
}

fn region(area: Area, line: Vec<UnitVector>) -> Sampled {
    Sampled { area, gap: widest_gap(&line), line, reach: 0.0, is_region: true }
}

/// Along edges in longitude and latitude; of those longer than half a turn, the short way.
fn straight(ring: &[Vertex]) -> Vec<UnitVector> {
    let mut line = Vec::new();
    for ends in ring.windows(2) {
        let mut across = ends[1].lng - ends[0].lng;
        if across.abs() > 180.0 && ring.iter().all(|vertex| vertex.lng.abs() <= 180.0) {
            across -= 360.0 * across.signum();
        }
        for step in 0..SAMPLES {
            let share = f64::from(step) / f64::from(SAMPLES);
            let lng = ends[0].lng + across * share;
            let lng = (lng + 180.0).rem_euclid(360.0) - 180.0;
            let lat = ends[0].lat + (ends[1].lat - ends[0].lat) * share;
            line.push(point(lat.clamp(-90.0, 90.0), lng).unit);
        }
    }
    line.push(line[0]);
    line
}

fn route(numbers: &mut Numbers, around: Point, size: f64) -> Sampled {
    let count = 2 + numbers.below(6);
    let places: Vec<LatLng> =
        (0..count).map(|_| numbers.near(around.unit, Metres(size)).at).collect();
    let half_width =
        if numbers.below(3) == 0 { 0.0 } else { numbers.between(0.1, size / 10.0 + 1.0) };
    let area = Area::routes(std::slice::from_ref(&places), Metres(half_width)).unwrap();
    let units: Vec<UnitVector> = places.iter().map(|at| (*at).into()).collect();
    let line: Vec<UnitVector> = units.windows(2).flat_map(|ends| arc(ends[0], ends[1])).collect();
    // The last place as well.
    let line: Vec<UnitVector> = line.into_iter().chain([units[units.len() - 1]]).collect();
    Sampled { area, gap: widest_gap(&line), line, reach: half_width, is_region: false }
}

/// Along a great circle that is no longer than a quarter or so.
fn arc(from: UnitVector, to: UnitVector) -> impl Iterator<Item = UnitVector> {
    (0..SAMPLES).map(move |step| {
        let share = f64::from(step) / f64::from(SAMPLES);
        let mix = |a: f64, b: f64| a + (b - a) * share;
        let unit = UnitVector { x: mix(from.x, to.x), y: mix(from.y, to.y), z: mix(from.z, to.z) };
        unit.normalised()
    })
}

fn cells(numbers: &mut Numbers, around: Point, size: f64) -> Sampled {
    let at = h3o::LatLng::new(around.at.lat(), around.at.lng()).unwrap();
    let fits = |resolution: &h3o::Resolution| resolution.edge_length_m() * 4.0 < size;
    let resolution =
        h3o::Resolution::range(h3o::Resolution::Zero, h3o::Resolution::Fifteen).find(fits);
    let cell = at.to_cell(resolution.unwrap_or(h3o::Resolution::Fifteen));
    let disk: Vec<CellIndex> = cell.grid_disk(1 + numbers.below(2));
    let kept: Vec<CellIndex> = disk.into_iter().filter(|_| numbers.below(4) > 0).collect();
    let kept = if kept.is_empty() { vec![cell] } else { kept };
    let unit = |at: &h3o::LatLng| point(at.lat(), at.lng()).unit;
    let mut line = Vec::new();
    let mut gap = 0.0_f64;
    for cell in &kept {
        let boundary = cell.boundary();
        let mut ring: Vec<UnitVector> = boundary.iter().map(unit).collect();
        ring.push(ring[0]);
        let samples: Vec<UnitVector> =
            ring.windows(2).flat_map(|ends| arc(ends[0], ends[1])).collect();
        gap = gap.max(widest_gap(&samples));
        line.extend(samples);
    }
    let area = Area::cells(&kept).unwrap();
    Sampled { area, gap, line, reach: 0.0, is_region: true }
}

fn widest_gap(line: &[UnitVector]) -> f64 {
    let gaps = line.windows(2).map(|ends| ends[0].distance(ends[1]).0);
    gaps.fold(0.0, f64::max)
}

/// On each edge.
const SAMPLES: u32 = 24;
