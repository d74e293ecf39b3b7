//! The zones that come with the program: countries of Natural Earth, `countries/DE`, and cities of
//! GeoNames, `cities/DE/berlin`. They are read at first use, in some tens of milliseconds.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::geo::area::{Area, Circle, Vertex};
use crate::geo::point::{LatLng, Metres, Point};

/// Areas by name, and the names in order.
#[derive(Debug, Default)]
struct BuiltIn {
    by_name: HashMap<Arc<str>, Arc<Area>>,
    countries: Vec<Arc<str>>,
    /// The largest first.
    cities: Vec<Arc<str>>,
}

static ZONES: LazyLock<BuiltIn> = LazyLock::new(|| {
    let mut zones = BuiltIn::default();
    for feature in features() {
        let Some((name, area)) = country(&feature) else { continue };
        zones.countries.push(name.clone());
        zones.by_name.insert(name, Arc::new(area));
    }
    for line in CITIES.lines().skip(1) {
        let Some((name, circle)) = city(line) else { continue };
        zones.cities.push(name.clone());
        zones.by_name.insert(name, Arc::new(Area::Circle(circle)));
    }
    zones
});

/// A zone that comes with the program.
pub(crate) fn find(name: &str) -> Option<Arc<Area>> {
    // Whoever asks for something else need not wait for the reading.
    if !name.starts_with("countries/") && !name.starts_with("cities/") {
        return None;
    }
    ZONES.by_name.get(name).cloned()
}

/// Names of those that contain a place: its country, then its cities, the largest first.
pub(super) fn at(point: &Point) -> impl Iterator<Item = &'static Arc<str>> {
    let zones = &*ZONES;
    zones.countries.iter().chain(&zones.cities).filter(|name| zones.by_name[*name].contains(point))
}

/// Reads them, so that nobody waits for it later.
pub(crate) fn prepare() {
    LazyLock::force(&ZONES);
}

fn features() -> Vec<Value> {
    let mut countries: Value = serde_json::from_str(COUNTRIES).expect("committed and tested");
    countries["features"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// A country may have more corners than what clients send.
fn country(feature: &Value) -> Option<(Arc<str>, Area)> {
    let id = feature["properties"]["id"].as_str()?;
    let geometry = &feature["geometry"];
    let coordinates = geometry["coordinates"].as_array()?;
    let polygons = match geometry["type"].as_str()? {
        "Polygon" => vec![rings(coordinates)?],
        _ => {
            let each = coordinates.iter().map(|polygon| rings(polygon.as_array()?));
            each.collect::<Option<Vec<_>>>()?
        }
    };
    Some((format!("countries/{id}").into(), Area::polygons(&polygons).ok()?))
}

fn rings(rings: &[Value]) -> Option<Vec<Vec<Vertex>>> {
    let vertex =
        |position: &Value| Some(Vertex { lng: position[0].as_f64()?, lat: position[1].as_f64()? });
    rings.iter().map(|ring| ring.as_array()?.iter().map(vertex).collect()).collect()
}

/// `id country slug name lat lng population`, separated by tabs. A city is the circle in which its
/// people would live at [`DENSITY`].
fn city(line: &str) -> Option<(Arc<str>, Circle)> {
    let mut fields = line.split('\t');
    let (_, country, slug, _) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let mut number = || fields.next()?.parse::<f64>().ok();
    let at = LatLng::new(number()?, number()?).ok()?;
    let area = number()? / DENSITY;
    let radius = (area / std::f64::consts::PI).sqrt().clamp(1000.0, 30_000.0);
    Some((format!("cities/{country}/{slug}").into(), Circle::new(at.into(), Metres(radius))))
}

/// People on a square metre: what large European cities have.
const DENSITY: f64 = 0.004;

/// GeoJSON, one feature a line.
pub(crate) static COUNTRIES: &str = include_str!("../../../geo-data/zones/countries.geojson");
static CITIES: &str = include_str!("../../../geo-data/zones/cities.tsv");

#[cfg(test)]
mod tests {
    use super::*;

    fn names_at(lat: f64, lng: f64) -> Vec<&'static str> {
        at(&LatLng::new(lat, lng).unwrap().into()).map(|name| &**name).collect()
    }

    #[test]
    fn every_country_and_city_that_is_committed_is_a_zone() {
        assert_eq!(ZONES.countries.len(), features().len());
        assert_eq!(ZONES.cities.len(), CITIES.lines().count() - 1);
        assert_eq!(ZONES.by_name.len(), ZONES.countries.len() + ZONES.cities.len());
    }

    #[test]
    fn places_are_in_their_country_and_city() {
        assert_eq!(names_at(52.52, 13.405)[..2], ["countries/DE", "cities/DE/berlin"]);
        assert_eq!(names_at(-90.0, 12.0), ["countries/AQ"]);
        assert_eq!(names_at(66.0, 180.0), ["countries/RU"], "on the antimeridian");
        assert_eq!(names_at(0.0, -140.0), [""; 0], "at sea");
        let berlin = find("cities/DE/berlin").unwrap();
        assert!(!berlin.contains(&LatLng::new(48.137, 11.575).unwrap().into()));
        assert!(find("countries/XX").is_none() && find("berlin").is_none());
    }
}
