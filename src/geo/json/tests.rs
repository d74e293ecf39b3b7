use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::geo::Metres;

mod coarse;
mod hostile;
mod random;

fn told<T: std::fmt::Debug>(result: Result<T, crate::geo::GeoError>) -> String {
    match result {
        Ok(value) => format!("{value:?}").chars().take(40).collect(),
        Err(fault) => fault.to_string(),
    }
}

fn check_views(views: &[&str], expected: &Expect) {
    let limits = AreaLimits { radius_min: Metres(0.001), radius_max: Some(Metres(50_000.0)) };
    let lines: Vec<String> = views
        .iter()
        .map(|view| match ViewSpec::parse(view.as_bytes(), &limits) {
            Ok(_) => "ok".to_owned(),
            Err(fault) => fault.to_string(),
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

/// And one that is right.
const WRONG_VIEWS: [&str; 39] = [
    "",
    "{",
    "[]",
    "{}",
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":1500}}"#,
    r#"{"near":{"lat":52.52,"lng":13.405}}"#,
    r#"{"near":{"lat":"52.52","lng":13.405,"radius_m":1500}}"#,
    r#"{"near":{"lat":113.405,"lng":52.52,"radius_m":1500}}"#,
    r#"{"near":{"lat":52.52,"lng":213.405,"radius_m":1500}}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":0}}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":-5}}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":50001}}"#,
    r#"{"near":{"lat":1e308,"lng":13.405,"radius_m":15}}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":15,"radius":15}}"#,
    r#"{"near":[13.405,52.52]}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":15},"zone":"a"}"#,
    r#"{"near":{"lat":52.52,"lng":13.405,"radius_m":15},"radius_m":15}"#,
    r#"{"follow":"me"}"#,
    r#"{"follow":"you","radius_m":5}"#,
    r#"{"follow":{"channel":"drivers:city"},"radius_m":5}"#,
    r#"{"bbox":{"west":179,"south":-10,"east":181,"north":10}}"#,
    r#"{"bbox":{"west":1,"south":-10,"east":2}}"#,
    r#"{"cells":[]}"#,
    r#"{"cells":["8928308280fffff","nope"]}"#,
    r#"{"zone":""}"#,
    r#"{"route":{"type":"LineString","coordinates":[[13.3,52.4],[13.4,52.5]]}}"#,
    r#"{"route":{"type":"LineString","coordinates":[[13.3,52.4]]},"width_m":5}"#,
    r#"{"route":{"type":"Point","coordinates":[13.3,52.4]},"width_m":5}"#,
    r#"{"nearest":0,"to":{"lat":1,"lng":2}}"#,
    r#"{"nearest":101,"to":{"lat":1,"lng":2}}"#,
    r#"{"nearest":5}"#,
    r#"{"nearest":5,"to":{"lat":1,"lng":2,"alt":3}}"#,
    r#"{"zone":"a","detect":[]}"#,
    r#"{"zone":"a","detect":["enter","entre"]}"#,
    r#"{"zone":"a","detect":["dwell"]}"#,
    r#"{"zone":"a","dwell_ms":100}"#,
    r#"{"zone":"a","max_hz":1000}"#,
    r#"{"zone":"a","distance":"yes"}"#,
    r#"{"zone":"a","colour":"red"}"#,
];

#[test]
fn a_wrong_area_is_refused_by_the_name_of_its_field() {
    check_views(
        &WRONG_VIEWS,
        &expect![[r#"
            data: missing: a geo channel wants an area
            data: not JSON, at line 1 column 1
            data: must be an object, not a list
            area: missing; one of near, follow, bbox, geometry, cells, zone, route, nearest
            ok
            near.radius_m: missing
            near.lat: must be a number, not a string
            near.lat: 113.405 is outside -90..90; lat and lng look swapped
            near.lng: 213.405 is outside -180..180
            near.radius_m: 0 is below the least, 0.001
            near.radius_m: -5 is below the least, 0.001
            near.radius_m: 50001 is above the most, 50000
            near.lat: 1e308 is outside -90..90
            near.radius: unknown; there are lat, lng, radius_m
            near: must be an object, not a list
            zone: not together with near
            radius_m: only with follow
            radius_m: missing
            follow: must be "me" or {"channel", "key"}
            follow.key: missing
            bbox.east: 181 is outside -180..180
            bbox.north: missing
            cells: no cells
            cells[1]: "nope" is no H3 cell
            zone: a zone's name has 1 to 128 bytes
            width_m: missing
            route.coordinates: 1 entries; at least 2
            route.type: must be LineString or MultiLineString
            nearest: must be a whole number 1..100
            nearest: must be a whole number 1..100
            to: missing
            to.alt: unknown; there are lat, lng
            detect: empty
            detect[1]: must be one of exit, outside, enter, inside, cross, dwell, approach
            dwell_ms: missing: detect has dwell
            dwell_ms: only with detect dwell
            max_hz: 1000 is outside 0.01..100
            distance: must be true or false, not a string
            colour: unknown; there are near, follow, bbox, geometry, cells, zone, route, nearest, radius_m, width_m, to, within_m, detect, dwell_ms, hysteresis_m, approach_m, limit, max_hz, min_move_m, distance, where"#]],
    );
}

#[test]
fn a_wrong_geometry_is_refused_by_the_path_of_its_position() {
    let lines: Vec<String> = [
        r#"{"type":"Polygon","coordinates":[[[13.3,52.4],[13.5,152.4],[13.5,52.6],[13.3,52.4]]]}"#,
        r#"{"type":"Polygon","coordinates":[[[13.3,52.4],["13.5",52.4],[13.5,52.6]]]}"#,
        r#"{"type":"Polygon","coordinates":[[13.3,52.4],[13.5,52.4]]}"#,
        r#"{"type":"Polygon","coordinates":[[[13.3,52.4,1,2],[13.5,52.4],[13.5,52.6]]]}"#,
        r#"{"type":"Polygon"}"#,
        r#"{"type":"Circle","coordinates":[]}"#,
        r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1]}]}"#,
    ]
    .iter()
    .map(|text| told(geometry(&serde_json::from_str(text).unwrap())))
    .collect();
    expect![[r#"
        coordinates[0][1]: lat: 152.4 is outside -90..90; lat and lng look swapped
        coordinates[0][1][0]: must be a number, not a string
        coordinates[0]: 2 entries; at least 3
        coordinates[0][0]: a position has 2 or 3 numbers
        coordinates: missing
        type: "Circle" is no geometry
        geometries[0].coordinates: 1 entries; at least 2"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_geometry_with_too_many_positions_is_refused_by_their_number() {
    let ring: Vec<[f64; 2]> = (0..1001).map(|n| [f64::from(n) / 10.0, 1.0]).collect();
    let polygon = serde_json::json!({ "type": "Polygon", "coordinates": [ring] });
    expect!["coordinates[0]: more than 1000 positions in one geometry"]
        .assert_eq(&told(geometry(&polygon)));
}

#[test]
fn labels_that_are_areas_are_read_and_others_are_the_clients() {
    let limits = AreaLimits::default();
    let read = |label: &str| AreaSpec::of_label(label, &limits).map(told);
    assert_eq!(read("map"), None);
    assert_eq!(read("my:map"), None);
    let lines: Vec<String> = [
        "near:52.52,13.405,1500",
        "near:52.52,13.405",
        "near:113.4,52.5,1500",
        "near:52.52,13.405,0",
        "h3:8928308280fffff",
        "h3:nope",
        "zone:countries/DE",
        "zone:",
    ]
    .iter()
    .filter_map(|label| read(label))
    .collect();
    expect![[r#"
        Fixed(Circle(Circle { center: Point { at
        channel: near: must be lat,lng,radius_m
        channel: near: lat: 113.4 is outside -90..90; lat and lng look swapped
        channel: near: radius_m: 0 is below the least, 0.001
        Fixed(Cells(Cells { cells: {20-060405003
        channel: h3[0]: "nope" is no H3 cell
        Zone("countries/DE")
        channel: a zone's name has 1 to 128 bytes"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn fixes_are_read_as_they_are_published() {
    let names = PlaceFields { lat: "lat", lng: "lng" };
    let lines: Vec<String> = [
        r#"{"lat":52.5,"lng":13.4,"status":"free"}"#,
        r#"{"lat":52.5,"lng":13.4,"key":"d42","data":{"a": 1},"other":2,"tags":{"kind":"bike"}}"#,
        r#"{"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[13.4,52.5]},"properties":{"a":1}}"#,
        r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[13.4,52.5],[1,2]]}}"#,
        r#"{"lat":52.5}"#,
        r#"{"lat":52.5,"lng":13.4,"heading_deg":361}"#,
        r#"{"lat":52.5,"lng":13.4,"time_ms":-1}"#,
        r#"{"lat":52.5,"lng":13.4,"tags":{"kind":1}}"#,
        r#"{"lat":52.5,"lng":13.4,"key":""}"#,
        r#"[1,2]"#,
    ]
    .iter()
    .map(|text| match FixSpec::of_publication(text.as_bytes(), &names) {
        Ok(fix) => format!("{:?} {:?} {:?} {:?}", fix.key, fix.point.at, fix.data, fix.tags),
        Err(fault) => fault.to_string(),
    })
    .collect();
    expect![[r#"
        None LatLng { lat: 52.5, lng: 13.4 } b"{\"status\":\"free\"}" {}
        Some("d42") LatLng { lat: 52.5, lng: 13.4 } b"{\"a\":1}" {"kind": "bike"}
        Some("7") LatLng { lat: 52.5, lng: 13.4 } b"{\"a\":1}" {}
        geometry.type: must be Point
        lng: missing
        heading_deg: 361 is outside 0..360
        time_ms: must be a whole number 0..253402300799999
        tags.kind: must be a string, not a number
        key: a key has 1 to 255 bytes
        data: must be an object, not a list"#]]
    .assert_eq(&lines.join("\n"));
    let unknown = FixSpec::parse(br#"{"lat":52.5,"lng":13.4,"status":"free"}"#);
    assert!(told(unknown).starts_with("status: unknown"));
}

#[test]
fn places_are_found_in_data_and_in_tags() {
    let names = PlaceFields { lat: "lat", lng: "lng" };
    let tags = [("lat", "1.5"), ("lng", "2.5")].map(|(key, value)| (key.into(), value.into()));
    let place = |data: &str, tagged: bool| {
        let tags = if tagged { tags.clone().into() } else { Default::default() };
        match place_of(data.as_bytes(), &names, &tags) {
            Ok(Some(located)) => format!(
                "{:?} {} {:?}",
                located.place.at.at,
                located.place.shape.is_some(),
                located.reach.map(|reach| reach.center().map(|center| center.at))
            ),
            Ok(None) => "nowhere".to_owned(),
            Err(fault) => fault.to_string(),
        }
    };
    let lines = [
        place(r#"{"lat":52.5,"lng":13.4}"#, true),
        place(r#"{"text":"x"}"#, true),
        place("7", true),
        place(r#"{"text":"x"}"#, false),
        place(r#"{"lat":52.5}"#, false),
        place(r#"{"lat":52.5,"lng":13.4,"reach_m":100}"#, false),
        place(r#"{"lat":52.5,"lng":13.4,"reach_m":0}"#, false),
        place(r#"{"lat":52.5,"lng":13.4,"reach":{"zone":"a"}}"#, false),
        place(r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[13.4,52.5]}}"#, false),
        place(r#"{"type":"Feature","geometry":null}"#, false),
    ];
    expect![[r#"
        LatLng { lat: 52.5, lng: 13.4 } false None
        LatLng { lat: 1.5, lng: 2.5 } false None
        LatLng { lat: 1.5, lng: 2.5 } false None
        nowhere
        data.lng: missing
        LatLng { lat: 52.5, lng: 13.4 } false Some(Some(LatLng { lat: 52.5, lng: 13.4 }))
        data.reach_m: 0 is not above 0
        data.reach: must be near, bbox, geometry, cells or route
        LatLng { lat: 52.5, lng: 13.4 } false None
        data.geometry: missing"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn coarse_data_tells_the_cell_and_no_more() {
    let names = PlaceFields { lat: "lat", lng: "lng" };
    let coarse = |data: &str| String::from_utf8(coarsen(data.as_bytes(), &names, 7).to_vec());
    let near = coarse(r#"{"lat":52.5200123,"lng":13.4051,"speed_mps":3,"text":"x"}"#).unwrap();
    let other = coarse(r#"{"lat":52.5201234,"lng":13.4052,"text":"x","heading_deg":3}"#).unwrap();
    assert_eq!(near, other);
    assert!(near.contains("\"text\":\"x\"") && !near.contains("52.5200123"), "{near}");
    let feature = coarse(
        r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[13.4051,52.5200123]}}"#,
    );
    assert!(!feature.unwrap().contains("52.5200123"));
}

proptest! {
    /// Whatever comes, an answer comes back.
    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        text in "[{}\\[\\]\":,a-z0-9.eE+-]{0,80}",
        number in prop::num::f64::ANY,
        form in 0_usize..6,
    ) {
        let forms = [
            format!(r#"{{"near":{{"lat":{number},"lng":{number},"radius_m":{number}}}}}"#),
            format!(r#"{{"bbox":{{"west":{number},"south":1,"east":2,"north":{number}}}}}"#),
            format!(r#"{{"geometry":{{"type":"Point","coordinates":[{number},{number}]}}}}"#),
            format!(r#"{{"nearest":{number},"to":{{"lat":{number},"lng":1}}}}"#),
            format!(r#"{{"follow":"me","radius_m":{number}}}"#),
            text,
        ];
        let data = forms[form].as_bytes();
        let names = PlaceFields { lat: "lat", lng: "lng" };
        let limits = AreaLimits::default();
        drop((ViewSpec::parse(data, &limits), FixSpec::parse(data)));
        drop((FixSpec::of_publication(data, &names), place_of(data, &names, &Default::default())));
        let coarse = coarsen(data, &names, 9);
        drop(AreaSpec::of_label(&forms[form], &limits));
        prop_assert_eq!(coarse.is_empty(), data.is_empty(), "coarse data is still data");
    }

    #[test]
    fn what_is_shown_is_json_and_gives_the_same_numbers_again(
        lat in -90.0..90.0_f64, lng in -180.0..180.0_f64, key in ".{1,20}",
    ) {
        let at = crate::geo::LatLng::new(lat, lng).unwrap();
        let shown = Shown {
            event: Some("enter"), key: Some(&key), at, reason: Some("moved"),
            data: br#"{"a":[1]}"#, distance: Some(Metres(12.34)), accuracy: None,
            speed_mps: Some(1.0), heading_deg: None, time_ms: Some(5), suspect: false, tags: None,
        };
        let mut json = Vec::new();
        shown.write(&mut json);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(value["lat"].as_f64(), Some(at.lat()));
        prop_assert_eq!(value["lng"].as_f64(), Some(at.lng()));
        prop_assert_eq!(value["key"].as_str(), Some(key.as_str()));
        prop_assert_eq!(value["distance_m"].as_f64(), Some(12.3));
    }
}
