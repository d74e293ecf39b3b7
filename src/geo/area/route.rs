//! Routes: everything at most so far from a line whose legs are great circles.

use super::Extent;
use super::polygon::Arc;
use crate::base::limits;
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point, UnitVector};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    legs: Vec<Arc>,
    pub(super) half_width: Metres,
    center: Point,
    radius: Metres,
}

impl Route {
    pub(super) fn new(lines: &[Vec<LatLng>], half_width: Metres) -> Result<Self, GeoError> {
        let count: usize = lines.iter().map(Vec::len).sum();
        if count > limits::POLYGON_VERTICES {
            let most = limits::POLYGON_VERTICES;
            return Err(GeoError::new("", format_args!("{count} positions; at most {most}")));
        }
        let mut legs = Vec::with_capacity(count);
        for (line_index, line) in lines.iter().enumerate() {
            for (index, ends) in line.windows(2).enumerate() {
                let (a, b): (UnitVector, UnitVector) = (ends[0].into(), ends[1].into());
                if a.distance(b).0 > FARTHEST.0 * (1.0 - 1e-9) {
                    let path = format!("[{line_index}][{}]", index + 1);
                    return Err(GeoError::new(path, "the antipode of the position before"));
                }
                legs.push(Arc::new(a, b));
            }
        }
        let Some(middle) = legs.get(legs.len() / 2) else {
            return Err(GeoError::new("", "a line has at least 2 positions"));
        };
        let center = Point::from(middle.a.to_lat_lng());
        let reach = legs.iter().map(|leg| leg.farthest(center.unit).0).fold(0.0, f64::max);
        let radius = Metres((reach + half_width.0).min(FARTHEST.0));
        Ok(Self { legs, half_width, center, radius })
    }

    pub(super) fn legs(&self) -> &[Arc] {
        &self.legs
    }

    pub(super) fn contains(&self, unit: UnitVector) -> bool {
        self.line_distance(unit).0 <= self.half_width.0 + DOUBT
    }

    pub(super) fn edge_distance(&self, unit: UnitVector) -> Metres {
        Metres((self.line_distance(unit).0 - self.half_width.0).abs())
    }

    pub(super) fn line_distance(&self, unit: UnitVector) -> Metres {
        let distances = self.legs.iter().map(|leg| leg.distance(unit).0);
        Metres(distances.fold(f64::INFINITY, f64::min))
    }

    pub(super) fn center(&self) -> Point {
        self.center
    }

    pub(super) fn cap(&self) -> (Point, Metres) {
        (self.center, self.radius)
    }

    pub(super) fn extent(&self) -> Vec<Extent> {
        let of = |leg: &Arc| {
            let (middle, radius) = leg.cap();
            let center = Point::from(middle.to_lat_lng());
            Extent::of_circle(center, Metres((radius.0 + self.half_width.0).min(FARTHEST.0)))
        };
        self.legs.iter().flat_map(of).collect()
    }
}

/// A place on the line is on it, whatever rounding says: a tenth of a micrometre.
const DOUBT: f64 = 1e-7;
