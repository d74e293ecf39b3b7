//! What benchmarks drive; no part of the program's interface.

mod town;

use std::sync::Arc;

use h3o::Resolution;

use crate::geo::cell::{CellKey, FaceHint, HexGrid};
use crate::geo::json::{AreaLimits, FixSpec, ViewSpec};
use crate::geo::{
    Area, AreaIndex, Circle, LatLng, Metres, Place, Point, PointIndex, UnitVector, Vertex,
};

pub use town::Town;

/// A place, prepared as for a message.
#[derive(Clone, Debug)]
pub struct Spot(Place);

impl Spot {
    pub fn new(lat: f64, lng: f64) -> Self {
        let at: Point = LatLng::new(lat, lng).expect("a place").into();
        Self(Place { at, shape: None })
    }

    /// So many degrees farther north.
    pub fn moved(&self, north: f64) -> Self {
        Self::new(self.0.at.at.lat() + north, self.0.at.at.lng())
    }

    pub fn lng_lat(&self) -> [f64; 2] {
        [self.0.at.at.lng(), self.0.at.at.lat()]
    }

    pub fn unit(lat: f64, lng: f64) -> [f64; 3] {
        let UnitVector { x, y, z } = LatLng::new(lat, lng).expect("a place").into();
        [x, y, z]
    }
}

/// A circle, to be asked alone.
#[derive(Clone, Debug)]
pub struct Ring(Circle);

impl Ring {
    pub fn new(center: &Spot, radius_m: f64) -> Self {
        Self(Circle::new(center.0.at, Metres(radius_m)))
    }

    pub fn contains(&self, spot: &Spot) -> bool {
        self.0.contains(spot.0.at.unit)
    }
}

#[derive(Debug)]
pub struct Cells(&'static HexGrid, FaceHint);

impl Default for Cells {
    fn default() -> Self {
        Self(HexGrid::at(Resolution::Seven), FaceHint::default())
    }
}

impl Cells {
    /// The key of the cell at resolution 7.
    pub fn key(&mut self, spot: &Spot) -> CellKeyBits {
        CellKeyBits(self.0.key(&spot.0.at, &mut self.1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellKeyBits(CellKey);

#[derive(Clone, Debug)]
pub struct Shape(Arc<Area>);

impl Shape {
    pub fn circle(center: &Spot, radius_m: f64) -> Self {
        Self(Arc::new(Area::Circle(Circle::new(center.0.at, Metres(radius_m)))))
    }

    /// One ring of longitudes and latitudes.
    pub fn polygon(ring: &[[f64; 2]]) -> Self {
        let ring = ring.iter().map(|[lng, lat]| Vertex { lng: *lng, lat: *lat }).collect();
        Self(Arc::new(Area::polygons(&[vec![ring]]).expect("a simple ring")))
    }

    pub fn contains(&self, spot: &Spot) -> bool {
        self.0.contains(&spot.0.at)
    }
}

/// Reads the data of a subscription: whether it has an area, and what is wrong with it.
pub fn read_area(data: &[u8]) -> Result<(), String> {
    let read = ViewSpec::parse(data, &AreaLimits::default());
    read.map(drop).map_err(|fault| fault.to_string())
}

/// Reads a fix.
pub fn read_fix(data: &[u8]) -> Result<(), String> {
    FixSpec::parse(data).map(drop).map_err(|fault| fault.to_string())
}

/// An index of areas.
#[derive(Debug, Default)]
pub struct Areas(AreaIndex);

impl Areas {
    pub fn insert(&mut self, id: u32, shape: &Shape) {
        self.0.insert(id, shape.0.clone());
    }

    pub fn remove(&mut self, id: u32) {
        self.0.remove(id);
    }

    pub fn matches(&mut self, spot: &Spot, found: &mut Vec<u32>) {
        self.0.matches(&spot.0, found);
    }
}

/// An index of points that move.
#[derive(Debug, Default)]
pub struct Points(PointIndex);

impl Points {
    pub fn insert(&mut self, id: u32, spot: &Spot) {
        self.0.insert(id, spot.0.at);
    }

    pub fn within(&self, shape: &Shape, found: &mut Vec<u32>) {
        self.0.within(&shape.0, found);
    }

    pub fn nearest(&self, to: &Spot, count: usize) -> usize {
        self.0.nearest(&to.0.at, count, None, |_| true).len()
    }
}
