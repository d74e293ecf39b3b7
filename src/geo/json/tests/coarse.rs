//! Where exact places are not wanted, none gets through.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::json;

use crate::geo::json::{PlaceFields, coarsen, coarsen_tags, place_of, snap};
use crate::geo::numbers::{Numbers, long_runs};

const NAMES: PlaceFields<'_> = PlaceFields { lat: "lat", lng: "lng" };

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_coarse_place_is_its_own_coarse_place() {
    let mut numbers = Numbers(61);
    for _ in 0..2_000 * long_runs(20_u32) {
        let place = numbers.hard_place();
        for resolution in [0, 5, 8, 12, 15, 99] {
            let coarse = snap(place, resolution);
            assert_eq!(snap(coarse, resolution), coarse, "{place:?} at {resolution}");
        }
    }
}

#[test]
fn what_is_matched_is_what_is_shown() {
    let mut numbers = Numbers(62);
    for _ in 0..1_000 * long_runs(20_u32) {
        let place = numbers.hard_place();
        let (lat, lng) = (place.at.lat(), place.at.lng());
        let point = json!({ "type": "Point", "coordinates": [lng, lat, 34.5] });
        let data = [
            json!({ "lat": lat, "lng": lng, "reach_m": 50, "accuracy_m": 3 }),
            json!({ "type": "Feature", "geometry": point, "properties": null }),
            json!({ "type": "Feature", "geometry": point, "properties": { "speed_mps": 3 } }),
        ];
        for data in data.map(|data| data.to_string()) {
            let located = |data: &[u8]| place_of(data, &NAMES, &BTreeMap::new()).unwrap().unwrap();
            let coarse = coarsen(data.as_bytes(), &NAMES, 8);
            let expected = snap(located(data.as_bytes()).place.at, 8);
            assert_eq!(located(&coarse).place.at, expected, "{data}");
            assert_eq!(coarsen(&coarse, &NAMES, 8), coarse, "{data}");
        }
        let mut coarse = tags(&[("lat", &lat.to_string()), ("lng", &lng.to_string())]);
        coarsen_tags(&mut coarse, &NAMES, 8);
        let located = place_of(b"", &NAMES, &coarse).unwrap().unwrap();
        assert_eq!(located.place.at, snap(place, 8), "{place:?}");
    }
}

/// Digits of the exact place, of which no two in a row may be told.
const EXACT: [&str; 2] = ["52.52001", "13.40512"];

#[test]
fn no_member_that_has_a_place_keeps_it() {
    let deep = "[".repeat(300) + &"]".repeat(300);
    let feature =
        r#""type":"Feature","geometry":{"type":"Point","coordinates":[13.40512,52.52001]}"#;
    let data = [
        r#"{"lat":52.52001,"lng":13.40512,"heading_deg":52.52001,"n":1.10}"#.to_owned(),
        // The members that nobody reads may be anything that is JSON.
        format!(r#"{{"lat":52.52001,"lng":13.40512,"deep":{deep}}}"#),
        r#"{"lat":52.52001,"lng":13.40512,"large":1e400}"#.to_owned(),
        r#"{"lat":1,"lat":52.52001,"lng":13.40512}"#.to_owned(),
        format!(r#"{{{feature},"bbox":[13.40512,52.52001,13.40512,52.52001],"id":7}}"#),
        format!(r#"{{{feature},"lat":52.52001,"lng":13.40512}}"#),
        format!(
            r#"{{{feature},"properties":{{"lat":52.52001,"lng":13.40512,"speed_mps":13.40512,"n":1}}}}"#
        ),
        r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[13.40512,52.52001],[13.40512,52.52002]]}}"#
            .to_owned(),
        r#"{"lat":52.52001,"lng":13.40512,"reach":{"near":{"lat":52.52001,"lng":13.40512,"radius_m":70}}}"#
            .to_owned(),
        // The place is elsewhere, in tags or beside the data.
        r#"{"reach":{"near":{"lat":52.52001,"lng":13.40512,"radius_m":70}}}"#.to_owned(),
        r#"{"reach":{"cells":["8928308280fffff"]},"accuracy_m":13.40512}"#.to_owned(),
    ];
    let mut lines = Vec::new();
    for data in &data {
        let coarse = coarsen(data.as_bytes(), &NAMES, 7);
        let text = std::str::from_utf8(&coarse).unwrap();
        assert!(!EXACT.iter().any(|digits| text.contains(digits)), "{text}");
        lines.push(text.replace(&deep, "(deep)"));
    }
    expect![[r#"
        {"lat":52.525748465276585,"lng":13.40906181434824,"n":1.10}
        {"lat":52.525748465276585,"lng":13.40906181434824,"deep":(deep)}
        {"lat":52.525748465276585,"lng":13.40906181434824,"large":1e400}
        {"lat":52.525748465276585,"lng":13.40906181434824}
        {"type":"Feature","geometry":{"coordinates":[13.40906181434824,52.525748465276585],"type":"Point"},"id":7}
        {"type":"Feature","geometry":{"coordinates":[13.40906181434824,52.525748465276585],"type":"Point"}}
        {"type":"Feature","geometry":{"coordinates":[13.40906181434824,52.525748465276585],"type":"Point"},"properties":{"n":1}}
        {"type":"Feature","geometry":{"coordinates":[13.40906181434824,52.525748465276585],"type":"Point"}}
        {"lat":52.525748465276585,"lng":13.40906181434824,"reach":{"near":{"lat":52.525748465276585,"lng":13.40906181434824,"radius_m":70.0}}}
        {"reach":{"near":{"lat":52.525748465276585,"lng":13.40906181434824,"radius_m":70.0}}}
        {"reach":{"near":{"lat":37.77351509723813,"lng":-122.41827103692466,"radius_m":240.94437813432253}}}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_no_object_or_has_no_place_stays() {
    for data in ["", "7", "[52.52001]", "{", "\u{1}binary", r#"{"lat":52.52001}"#, "{}"] {
        assert_eq!(coarsen(data.as_bytes(), &NAMES, 7), data.as_bytes());
    }
}

#[test]
fn tags_that_are_half_a_place_do_not_tell_the_half() {
    let told = |pairs: &[(&str, &str)]| {
        let mut coarse = tags(pairs);
        coarsen_tags(&mut coarse, &NAMES, 7);
        format!("{coarse:?}")
    };
    let lines = [
        told(&[("lat", "52.52001"), ("lng", "13.40512"), ("kind", "bike")]),
        told(&[("lat", "52.52001"), ("lng", "13.40512 "), ("kind", "bike")]),
        told(&[("lat", "52.52001")]),
        told(&[("lat", "152.52001"), ("lng", "13.40512")]),
    ];
    expect![[r#"
        {"kind": "bike", "lat": "52.525748465276585", "lng": "13.40906181434824"}
        {"kind": "bike"}
        {}
        {}"#]]
    .assert_eq(&lines.join("\n"));
    let half = place_of(b"", &NAMES, &tags(&[("lng", "13.40512")]));
    expect!["tags.lat: missing"].assert_eq(&half.unwrap_err().to_string());
}
