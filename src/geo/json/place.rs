//! Where an event is, from its data or tags; and the same coarsened, where a namespace wants no
//! exact places.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::area::{AreaLimits, AreaSpec};
use super::fields::{Fields, number, shown};
use super::geojson;
use super::text::Members;
use crate::geo::area::{Area, Circle, Place};
use crate::geo::error::GeoError;
use crate::geo::point::{LatLng, Metres, Point};
use crate::geo::zones;

/// The names of the members or tags that hold a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceFields<'a> {
    pub(crate) lat: &'a str,
    pub(crate) lng: &'a str,
}

/// An event's place, and where subscribers must be to get it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located {
    pub(crate) place: Place,
    pub(crate) reach: Option<Arc<Area>>,
}

/// Finds the place of an event: in its data, a GeoJSON Feature or an object with the two fields,
/// or in its tags. `None` where nothing of it is there.
pub(crate) fn place_of(
    data: &[u8],
    names: &PlaceFields<'_>,
    tags: &BTreeMap<String, String>,
) -> Result<Option<Located>, GeoError> {
    // Data of other kinds than objects has no place of its own; the tags may.
    let value = match Members::of(data) {
        Some(members) => placing(&members, names).map_err(|fault| fault.within("data"))?,
        None => Value::Object(Map::new()),
    };
    let place = in_data(&value, names).map_err(|fault| fault.within("data"))?;
    let Some(place) = place.map_or_else(|| in_tags(tags, names), |place| Ok(Some(place)))? else {
        return Ok(None);
    };
    let reach = reach(&value, &place).map_err(|fault| fault.within("data"))?;
    Ok(Some(Located { place, reach }))
}

/// Of an event's data the members that say where it is and whom it reaches. The others may be as
/// large and as deep as they like: they are not read.
fn placing(members: &Members<'_>, names: &PlaceFields<'_>) -> Result<Value, GeoError> {
    let place = if members.is_feature() { ["type", "geometry"] } else { [names.lat, names.lng] };
    members.read(&[place[0], place[1], "reach", "reach_m"])
}

fn in_data(value: &Value, names: &PlaceFields<'_>) -> Result<Option<Place>, GeoError> {
    let fields = Fields::any(value)?;
    if fields.find("type").is_some_and(|kind| kind == "Feature") {
        let shape = geojson::geometry(fields.need("geometry")?);
        return shape.map(|area| Some(place_in(area))).map_err(|fault| fault.within("geometry"));
    }
    if fields.find(names.lat).is_none() && fields.find(names.lng).is_none() {
        return Ok(None);
    }
    Ok(Some(Place { at: fields.point(names.lat, names.lng)?, shape: None }))
}

fn in_tags(
    tags: &BTreeMap<String, String>,
    names: &PlaceFields<'_>,
) -> Result<Option<Place>, GeoError> {
    let (lat, lng) = match (tags.get(names.lat), tags.get(names.lng)) {
        (Some(lat), Some(lng)) => (lat, lng),
        (None, None) => return Ok(None),
        (lat, _) => {
            let missing = if lat.is_none() { names.lat } else { names.lng };
            return Err(GeoError::new(format!("tags.{missing}"), "missing"));
        }
    };
    let parsed = |name: &str, text: &str| {
        let number = text.parse::<f64>().ok();
        number.ok_or_else(|| GeoError::new(format!("tags.{name}"), "not a number"))
    };
    let at = LatLng::new(parsed(names.lat, lat)?, parsed(names.lng, lng)?);
    let at = at.map_err(|fault| {
        let name = if fault.field() == "lat" { names.lat } else { names.lng };
        GeoError::new(format!("tags.{name}"), fault)
    })?;
    Ok(Some(Place { at: at.into(), shape: None }))
}

/// A shape as a place; a single point is one.
pub(crate) fn place_in(area: Area) -> Place {
    match area {
        Area::Circle(Circle { center, radius: Metres(0.0), .. }) => {
            Place { at: center, shape: None }
        }
        area => {
            let at = area.center().unwrap_or(Point::from(
                LatLng::new(0.0, 0.0).expect("zero is a latitude and a longitude"),
            ));
            Place { at, shape: Some(Arc::new(area)) }
        }
    }
}

/// `reach_m` is a circle round the event, `reach` an area.
fn reach(value: &Value, place: &Place) -> Result<Option<Arc<Area>>, GeoError> {
    let fields = Fields::any(value)?;
    match (fields.find("reach_m"), fields.find("reach")) {
        (Some(_), Some(_)) => Err(GeoError::new("reach", "not together with reach_m")),
        (Some(radius), None) => {
            let radius = number(radius).map_err(|fault| fault.within("reach_m"))?;
            round(place, radius).map(Some).map_err(|fault| fault.within("reach_m"))
        }
        (None, Some(area)) => fixed_area(area).map(Some).map_err(|fault| fault.within("reach")),
        (None, None) => Ok(None),
    }
}

/// Everything at most so far from an event.
pub(crate) fn round(place: &Place, radius: f64) -> Result<Arc<Area>, GeoError> {
    if !(radius.is_finite() && radius > 0.0) {
        return Err(GeoError::new("", format_args!("{} is not above 0", shown(radius))));
    }
    Ok(Arc::new(Area::Circle(Circle::new(place.at, Metres(radius)))))
}

/// An area that is the same for everyone and stays as it is.
pub(crate) fn fixed_area(value: &Value) -> Result<Arc<Area>, GeoError> {
    match AreaSpec::parse(value, &AreaLimits::default())? {
        AreaSpec::Fixed(area) => Ok(area),
        _ => Err(GeoError::new("", "must be near, bbox, geometry, cells or route")),
    }
}

/// An area that is the same for everyone and stays as it is, as a token has it: zones that come
/// with the program are.
pub(crate) fn lasting_area(value: &Value) -> Result<Arc<Area>, GeoError> {
    match AreaSpec::parse(value, &AreaLimits::default())? {
        AreaSpec::Fixed(area) => Ok(area),
        AreaSpec::Zone(name) => zones::built_in(&name)
            .ok_or_else(|| GeoError::new("zone", "none of this name comes with the program")),
        _ => Err(GeoError::new("", "must be near, bbox, geometry, cells, route or zone")),
    }
}

// === Coarse places ===

/// The centre of the H3 cell that a place is in. Resolutions are 0 to 15; a larger one is 15.
pub(crate) fn snap(point: Point, resolution: usize) -> Point {
    let resolution =
        u8::try_from(resolution).ok().and_then(|one| h3o::Resolution::try_from(one).ok());
    let resolution = resolution.unwrap_or(h3o::Resolution::Fifteen);
    let Ok(at) = h3o::LatLng::new(point.at.lat(), point.at.lng()) else { return point };
    let center = h3o::LatLng::from(at.to_cell(resolution));
    LatLng::new(center.lat(), center.lng()).map_or(point, Point::from)
}

/// Members that would tell more than the cell.
const TELLING: [&str; 3] = ["accuracy_m", "speed_mps", "heading_deg"];

/// The data of an event with every place in it that this module reads replaced by the centre of
/// its cell; a shape becomes the point that stands for it, an area of `reach` the circle round it.
/// Everything else stays as it was written, without the space between. Data that is no object stays as it is, and so do places that [`place_of`] refuses.
pub(crate) fn coarsen(data: &[u8], names: &PlaceFields<'_>, resolution: usize) -> Bytes {
    let Some(mut members) = Members::of(data) else { return Bytes::copy_from_slice(data) };
    if let Ok(value) = placing(&members, names) {
        if let Ok(Some(place)) = in_data(&value, names) {
            let at = snap(place.at, resolution).at;
            if members.is_feature() {
                coarsen_feature(&mut members, names, at);
            } else {
                members.set(names.lat, &at.lat().into());
                members.set(names.lng, &at.lng().into());
            }
        }
        // It reaches from the event's place, which the tags or the request may have instead.
        if let Some(Ok(area)) = value.get("reach").map(fixed_area)
            && let Some(circle) = coarse_circle(&area, resolution)
        {
            let at = circle.center.at;
            let near = serde_json::json!({
                "near": { "lat": at.lat(), "lng": at.lng(), "radius_m": circle.radius.0 }
            });
            members.set("reach", &near);
        }
    }
    members.keep(|name| !TELLING.contains(&name));
    members.text().into()
}

/// The circle that stands for an area, round the centre of a cell: only the size of the area may
/// go on, for its place is as exact as the event's. `None` for an area that is nowhere.
pub(crate) fn coarse_circle(area: &Area, resolution: usize) -> Option<Circle> {
    let (_, radius) = area.cap()?;
    Some(Circle::new(snap(area.center()?, resolution), Metres(radius.0.max(1.0))))
}

/// The data of an object, coarsened as an event's is; what is no place in it goes as well where it
/// is named as one, for the object's place is elsewhere and nothing refuses a faulty one here.
pub(crate) fn coarsen_object(data: &[u8], names: &PlaceFields<'_>, resolution: usize) -> Bytes {
    let coarse = coarsen(data, names, resolution);
    let Some(mut members) = Members::of(&coarse) else { return coarse };
    let place = placing(&members, names).and_then(|value| in_data(&value, names));
    if matches!(place, Ok(Some(_))) {
        return coarse;
    }
    let is_feature = members.is_feature();
    members.keep(|name| {
        name != names.lat
            && name != names.lng
            && !(is_feature && ["geometry", "bbox", "properties"].contains(&name))
    });
    members.text().into()
}

/// A Feature at the place `at`. Its properties are where a fix says its speed, and applications
/// repeat a place there or beside the geometry.
fn coarsen_feature(members: &mut Members<'_>, names: &PlaceFields<'_>, at: LatLng) {
    let position = serde_json::json!([at.lng(), at.lat()]);
    members.set("geometry", &serde_json::json!({ "type": "Point", "coordinates": position }));
    members.keep(|name| ![names.lat, names.lng, "bbox"].contains(&name));
    let properties = members.find("properties").and_then(|text| {
        let mut properties = Members::of(text.as_bytes())?;
        properties.keep(|name| name != names.lat && name != names.lng && !TELLING.contains(&name));
        Some(properties.text())
    });
    if let Some(properties) = properties {
        members.set_text("properties", properties);
    }
}

/// The tags `lat` and `lng` of an event, likewise. What is no place in them goes: beside a place
/// in the data nobody would look at it, and it may be an exact one with a fault.
pub(crate) fn coarsen_tags(
    tags: &mut BTreeMap<String, String>,
    names: &PlaceFields<'_>,
    resolution: usize,
) {
    if let Ok(Some(place)) = in_tags(tags, names) {
        let at = snap(place.at, resolution).at;
        tags.insert(names.lat.to_owned(), at.lat().to_string());
        tags.insert(names.lng.to_owned(), at.lng().to_string());
    } else {
        tags.remove(names.lat);
        tags.remove(names.lng);
    }
}
