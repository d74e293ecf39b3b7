//! Geography: places, areas, and who is near. Pure: no IO, no clock, no randomness, and nothing of
//! channels or sessions. Degrees go in and out; inside, a place is a unit vector and all distances
//! are great-circle metres on one sphere.

mod area;
pub(crate) mod cell;
mod detect;
mod error;
mod index;
pub(crate) mod json;
#[cfg(test)]
mod numbers;
mod pack;
mod point;
mod points;
mod zones;

pub(crate) use area::{Area, Circle, Place, Purse, Vertex};
pub(crate) use cell::{CellKey, FaceHint, HexGrid};
pub(crate) use detect::{Detect, Transition};
pub(crate) use error::GeoError;
pub(crate) use index::AreaIndex;
pub(crate) use point::{EARTH_RADIUS, FARTHEST, LatLng, Metres, Point, UnitVector};
pub(crate) use points::PointIndex;
pub(crate) use zones::{COUNTRIES, Zones, built_in as built_in_zone, prepare as prepare_zones};
