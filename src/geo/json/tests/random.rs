//! Whatever comes, an answer comes back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::hostile::{NAMES, send_everywhere};
use crate::geo::json::{FixSpec, parse};

/// JSON in which the names that mean something come up often.
fn some_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "near",
        "follow",
        "bbox",
        "geometry",
        "cells",
        "zone",
        "route",
        "nearest",
        "to",
        "lat",
        "lng",
        "radius_m",
        "width_m",
        "within_m",
        "channel",
        "key",
        "type",
        "coordinates",
        "geometries",
        "properties",
        "id",
        "reach",
        "reach_m",
        "detect",
        "dwell_ms",
        "data",
        "tags",
        "west",
        "south",
        "east",
        "north",
        "x",
    ]);
    let words = prop::sample::select(vec![
        "me",
        "Feature",
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
        "8928308280fffff",
        "enter",
        "dwell",
        "",
        "a",
    ]);
    let leaf = prop_oneof![
        words.prop_map(Value::from),
        (-200.0..200.0_f64).prop_map(Value::from),
        (-3..200_i64).prop_map(Value::from),
        prop::num::f64::ANY.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

/// Polygons, lines and points of a few positions, which may be anywhere and cross themselves.
fn some_geometry() -> impl Strategy<Value = Value> {
    let number = || prop_oneof![-2.0..2.0_f64, -180.0..180.0_f64, Just(180.0), Just(-90.0)];
    let ring = prop::collection::vec((number(), number()).prop_map(|(x, y)| json!([x, y])), 0..7);
    let rings = prop::collection::vec(ring, 0..4);
    (prop::collection::vec(rings, 0..4), 0_usize..6).prop_map(|(polygons, kind)| {
        let first = |value: &Value| value.get(0).cloned().unwrap_or_default();
        let polygons = json!(polygons);
        let (kind, coordinates) = match kind {
            0 => ("MultiPolygon", polygons),
            1 => ("Polygon", first(&polygons)),
            2 => ("MultiLineString", first(&polygons)),
            3 => ("LineString", first(&first(&polygons))),
            4 => ("MultiPoint", first(&first(&polygons))),
            _ => ("Point", first(&first(&first(&polygons)))),
        };
        json!({ "type": kind, "coordinates": coordinates })
    })
}

proptest! {
    #[test]
    fn bytes_never_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        send_everywhere(&data);
    }

    #[test]
    fn json_never_makes_it_panic(value in some_json()) {
        send_everywhere(value.to_string().as_bytes());
    }

    #[test]
    fn geometries_never_make_it_panic(shape in some_geometry(), radius in 0.0..1e7_f64) {
        send_everywhere(shape.to_string().as_bytes());
        send_everywhere(json!({ "geometry": shape }).to_string().as_bytes());
        let route = json!({ "route": shape, "width_m": radius });
        send_everywhere(route.to_string().as_bytes());
        let feature = json!({
            "type": "Feature", "geometry": shape, "reach": { "geometry": shape },
        });
        send_everywhere(feature.to_string().as_bytes());
    }

    /// Ours reads as serde_json does, but for its own key.
    #[test]
    fn values_are_read_as_they_were_written(value in some_json()) {
        prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
    }

    #[test]
    fn an_objects_data_stays_as_it_was_written(value in some_json()) {
        prop_assume!(!value.is_null());
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let fix = format!(r#"{{"lat" : 1, "data" : {pretty}, "lng":2}}"#);
        let expected = value.to_string();
        for fix in [
            FixSpec::parse(fix.as_bytes()).unwrap(),
            FixSpec::of_publication(fix.as_bytes(), &NAMES).unwrap(),
        ] {
            prop_assert_eq!(std::str::from_utf8(&fix.data).unwrap(), &expected);
        }
    }
}
