//! GeoJSON geometries (RFC 7946).

use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, not, number};
use super::text;
use crate::base::limits;
use crate::geo::area::{Area, Circle, Vertex};
use crate::geo::error::GeoError;
use crate::geo::point::{LatLng, Metres, Point};

/// A geometry as the set of its places: points are circles of radius 0, lines routes of width 0.
/// At most [`limits::POLYGON_VERTICES`] positions in all.
pub(crate) fn geometry(value: &Value) -> Result<Area, GeoError> {
    read(value, &mut Budget::of(limits::POLYGON_VERTICES), 0)
}

/// The features of a FeatureCollection by their property `name`, as an operator's file has them:
/// at most [`limits::SHAPE_VERTICES`] positions in each.
pub(crate) fn features(text: &[u8]) -> Result<Vec<(Arc<str>, Area)>, GeoError> {
    let value = text::parse(text)?;
    let features = Fields::any(&value)?.need("features")?;
    let feature = |feature: &Value| {
        let fields = Fields::any(feature)?;
        let properties = Fields::any(fields.need("properties")?);
        let name = properties.and_then(|properties| properties.need_text("name"));
        let name = name.map_err(|fault| fault.within("properties"))?;
        let budget = &mut Budget::of(limits::SHAPE_VERTICES);
        let area = read(fields.need("geometry")?, budget, 0);
        Ok((Arc::from(name), area.map_err(|fault| fault.within("geometry"))?))
    };
    list(features, 0).and_then(|list| each(list, feature)).map_err(|fault| fault.within("features"))
}

/// What is left of the positions that one geometry may have.
struct Budget {
    left: usize,
    most: usize,
}

impl Budget {
    fn of(most: usize) -> Self {
        Self { left: most, most }
    }

    fn take(&mut self, count: usize) -> Result<(), GeoError> {
        self.left = self.rest(count)?;
        Ok(())
    }

    /// What would be left; the fault if there is not so much.
    fn rest(&self, count: usize) -> Result<usize, GeoError> {
        self.left.checked_sub(count).ok_or_else(|| {
            GeoError::new("", format_args!("more than {} positions in one geometry", self.most))
        })
    }
}

fn read(value: &Value, budget: &mut Budget, depth: usize) -> Result<Area, GeoError> {
    let fields = Fields::any(value)?;
    let kind = fields.need_text("type")?;
    if kind == "GeometryCollection" {
        return collection(&fields, budget, depth);
    }
    let kinds = ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"];
    if !kinds.contains(&kind) {
        let kind: String = kind.chars().take(64).collect();
        return Err(GeoError::new("type", format_args!("{kind:?} is no geometry")));
    }
    let coordinates = fields.need("coordinates")?;
    coordinates_of(kind, coordinates, budget).map_err(|fault| fault.within("coordinates"))
}

fn collection(fields: &Fields<'_>, budget: &mut Budget, depth: usize) -> Result<Area, GeoError> {
    if depth > 0 {
        return Err(GeoError::new("type", "a collection within a collection"));
    }
    let geometries = fields.need("geometries")?;
    let parts = list(geometries, 1).map_err(|fault| fault.within("geometries"))?;
    // Each has at least one position and takes what it has.
    budget.rest(parts.len()).map_err(|fault| fault.within("geometries"))?;
    let parts: Result<Vec<Area>, GeoError> = each(parts, |part| read(part, budget, depth + 1));
    parts.map(Area::union).map_err(|fault| fault.within("geometries"))
}

fn coordinates_of(kind: &str, value: &Value, budget: &mut Budget) -> Result<Area, GeoError> {
    match kind {
        "Point" => {
            budget.take(1)?;
            position(value).map(|vertex| point(&vertex))
        }
        "MultiPoint" => {
            let points = positions(value, 1, budget)?;
            Ok(Area::Union(points.iter().map(point).collect()))
        }
        "LineString" => {
            let line = positions(value, 2, budget)?;
            // The line's own path has no index in front.
            Area::routes(&[lat_lngs(&line)], Metres(0.0)).map_err(|fault| without_first(&fault))
        }
        "MultiLineString" => {
            let lines = each(list(value, 1)?, |line| positions(line, 2, budget))?;
            let lines: Vec<_> = lines.iter().map(|line| lat_lngs(line)).collect();
            Area::routes(&lines, Metres(0.0))
        }
        "Polygon" => {
            let rings = each(list(value, 1)?, |ring| positions(ring, 3, budget))?;
            Area::polygons(&[rings]).map_err(|fault| without_first(&fault))
        }
        _ => {
            let polygons = each(list(value, 1)?, |polygon| {
                each(list(polygon, 1)?, |ring| positions(ring, 3, budget))
            })?;
            Area::polygons(&polygons)
        }
    }
}

/// Lines of a route: a LineString or a MultiLineString.
pub(super) fn lines(value: &Value) -> Result<Vec<Vec<LatLng>>, GeoError> {
    let budget = &mut Budget::of(limits::POLYGON_VERTICES);
    let fields = Fields::any(value)?;
    let coordinates = fields.need("coordinates")?;
    let lines = match fields.need_text("type")? {
        "LineString" => positions(coordinates, 2, budget).map(|line| vec![line]),
        "MultiLineString" => {
            list(coordinates, 1).and_then(|lines| each(lines, |line| positions(line, 2, budget)))
        }
        _ => return Err(GeoError::new("type", "must be LineString or MultiLineString")),
    };
    let lines = lines.map_err(|fault| fault.within("coordinates"))?;
    Ok(lines.iter().map(|line| lat_lngs(line)).collect())
}

fn point(vertex: &Vertex) -> Area {
    Area::Circle(Circle::new(lat_lng(vertex).into(), Metres(0.0)))
}

fn positions(value: &Value, least: usize, budget: &mut Budget) -> Result<Vec<Vertex>, GeoError> {
    let positions = list(value, least)?;
    budget.take(positions.len())?;
    each(positions, position)
}

/// Longitude, latitude, and perhaps an altitude, which is of no use.
fn position(value: &Value) -> Result<Vertex, GeoError> {
    let numbers = list(value, 2)?;
    if numbers.len() > 3 {
        return Err(GeoError::new("", "a position has 2 or 3 numbers"));
    }
    let numbers = each(numbers, number)?;
    let (lng, lat) = (numbers[0], numbers[1]);
    // RFC 7946 puts longitude first; the fault says which of the two is wrong.
    LatLng::new(lat, lng)
        .map_err(|fault| GeoError::new("", format_args!("{}: {fault}", fault.field())))?;
    Ok(Vertex { lng, lat })
}

fn lat_lngs(line: &[Vertex]) -> Vec<LatLng> {
    line.iter().map(lat_lng).collect()
}

fn lat_lng(vertex: &Vertex) -> LatLng {
    LatLng::new(vertex.lat, vertex.lng).expect("a position was read as a place")
}

fn list(value: &Value, least: usize) -> Result<&[Value], GeoError> {
    let list = value.as_array().ok_or_else(|| not("a list", value))?;
    if list.len() < least {
        return Err(GeoError::new("", format_args!("{} entries; at least {least}", list.len())));
    }
    Ok(list)
}

fn each<T>(
    list: &[Value],
    mut read: impl FnMut(&Value) -> Result<T, GeoError>,
) -> Result<Vec<T>, GeoError> {
    let entry = |(index, value)| read(value).map_err(|fault| fault.within(&format!("[{index}]")));
    list.iter().enumerate().map(entry).collect()
}

/// Drops the index of the only polygon or line from a path.
fn without_first(fault: &GeoError) -> GeoError {
    let path = match fault.path.find(']') {
        Some(end) if fault.path.starts_with('[') => &fault.path[end + 1..],
        _ => &fault.path,
    };
    GeoError::new(path, &fault.fault)
}

/// The place of a GeoJSON Point, for what must be one.
pub(super) fn only_point(value: &Value) -> Result<Point, GeoError> {
    let fields = Fields::any(value)?;
    if fields.need_text("type")? != "Point" {
        return Err(GeoError::new("type", "must be Point"));
    }
    let vertex = position(fields.need("coordinates")?).map_err(|fault| fault.within("coordinates"));
    Ok(lat_lng(&vertex?).into())
}
