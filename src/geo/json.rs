//! Geography as JSON: areas, views, fixes, places of events, and what is shown of objects. These are the
//! signatures that sessions build against.
use super::{Area, Detect, GeoError, LatLng, Metres, Place, Point};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AreaSpec {
    Fixed(Arc<Area>),
    Zone(String),
    FollowMe { radius: Metres },
    FollowObject { channel: String, key: String, radius: Metres },
    Nearest { count: usize, to: Point, within: Option<Metres> },
}
#[derive(Clone, Copy, Debug)]
pub(crate) struct AreaLimits {
    pub(crate) radius_min: Metres,
    pub(crate) radius_max: Option<Metres>,
}
#[derive(Clone, Debug)]
pub(crate) struct ViewSpec {
    pub(crate) area: AreaSpec,
    pub(crate) detect: Option<Detect>,
    pub(crate) dwell: Option<Duration>,
    pub(crate) hysteresis: Option<Metres>,
    pub(crate) approach: Option<Metres>,
    pub(crate) limit: Option<usize>,
    pub(crate) max_hz: Option<f64>,
    pub(crate) min_move: Option<Metres>,
    pub(crate) distance: bool,
    pub(crate) filter: Option<serde_json::Value>,
}
impl ViewSpec {
    pub(crate) fn parse(data: &[u8], limits: &AreaLimits) -> Result<Self, GeoError> {
        let _ = (data, limits);
        Err(GeoError::new("area", "missing"))
    }
}
impl AreaSpec {
    pub(crate) fn of_label(label: &str, limits: &AreaLimits) -> Option<Result<Self, GeoError>> {
        let _ = (label, limits);
        None
    }
    pub(crate) fn parse(value: &serde_json::Value, limits: &AreaLimits) -> Result<Self, GeoError> {
        let _ = (value, limits);
        Err(GeoError::new("area", "missing"))
    }
}
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixSpec {
    pub(crate) channel: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) point: Point,
    pub(crate) accuracy: Option<Metres>,
    pub(crate) speed_mps: Option<f64>,
    pub(crate) heading_deg: Option<f64>,
    pub(crate) time_ms: Option<u64>,
    pub(crate) data: Bytes,
    pub(crate) tags: BTreeMap<String, String>,
}
impl FixSpec {
    pub(crate) fn parse(data: &[u8]) -> Result<Self, GeoError> {
        let _ = data;
        Err(GeoError::new("lat", "missing"))
    }
    pub(crate) fn of_publication(data: &[u8], fields: &PlaceFields<'_>) -> Result<Self, GeoError> {
        let _ = (data, fields);
        Err(GeoError::new("lat", "missing"))
    }
}
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceFields<'a> {
    pub(crate) lat: &'a str,
    pub(crate) lng: &'a str,
}
pub(crate) struct Located {
    pub(crate) place: Place,
    pub(crate) reach: Option<Arc<Area>>,
}
pub(crate) fn place_of(
    data: &[u8],
    fields: &PlaceFields<'_>,
    tags: &BTreeMap<String, String>,
) -> Result<Option<Located>, GeoError> {
    let _ = (data, fields, tags);
    Ok(None)
}
pub(crate) fn snap(point: Point, resolution: u8) -> Point {
    let _ = resolution;
    point
}
pub(crate) fn coarsen(data: &[u8], fields: &PlaceFields<'_>, resolution: u8) -> Bytes {
    let _ = (fields, resolution);
    Bytes::copy_from_slice(data)
}
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) event: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) at: LatLng,
    pub(crate) reason: Option<&'a str>,
    pub(crate) data: &'a [u8],
    pub(crate) distance: Option<Metres>,
    pub(crate) accuracy: Option<Metres>,
    pub(crate) speed_mps: Option<f64>,
    pub(crate) heading_deg: Option<f64>,
    pub(crate) time_ms: Option<u64>,
}
impl Shown<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let _ = out;
    }
}
impl ViewSpec {
    pub(crate) fn of(area: AreaSpec) -> Self {
        Self {
            area,
            detect: None,
            dwell: None,
            hysteresis: None,
            approach: None,
            limit: None,
            max_hz: None,
            min_move: None,
            distance: false,
            filter: None,
        }
    }
    pub(crate) fn parse_for(data: &[u8], area: AreaSpec) -> Result<Self, GeoError> {
        let _ = data;
        Ok(Self::of(area))
    }
}
