//! What nobody should send, and how it is told.

use expect_test::expect;
use serde_json::{Value, json};

use super::{check_views, told};
use crate::base::limits;
use crate::geo::json::{
    AreaLimits, AreaSpec, Fields, FixSpec, PlaceFields, ViewSpec, coarsen, fixed_area, geometry,
    lasting_area, parse, place_of,
};

pub(super) const NAMES: PlaceFields<'_> = PlaceFields { lat: "lat", lng: "lng" };

/// Every way in, with the same bytes.
pub(super) fn send_everywhere(data: &[u8]) {
    let limits = AreaLimits::default();
    drop((ViewSpec::parse(data, &limits), FixSpec::parse(data)));
    drop((FixSpec::of_publication(data, &NAMES), place_of(data, &NAMES, &Default::default())));
    assert_eq!(coarsen(data, &NAMES, 9).is_empty(), data.is_empty(), "coarse data is still data");
    if let Ok(label) = std::str::from_utf8(data) {
        drop(AreaSpec::of_label(label, &limits));
    }
    if let Ok(value) = parse(data) {
        drop((geometry(&value), fixed_area(&value), lasting_area(&value)));
    }
}

#[test]
fn an_object_is_what_it_looks_like() {
    let key = "$serde_json::private::RawValue";
    let value = parse(format!(r#"{{"{key}":"[1]"}}"#).as_bytes()).unwrap();
    assert_eq!(value[key], "[1]");

    // Were the text of that member read as well, this would nest 1,638 levels.
    let mut text = "1".to_owned();
    for _ in 0..13 {
        let inner = json!({ key: text }).to_string();
        text = format!("{}{inner}{}", "[".repeat(126), "]".repeat(126));
    }
    assert!(text.len() < limits::MESSAGE_BYTES);
    let value = parse(text.as_bytes()).unwrap();
    let lists = std::iter::successors(Some(&value), |value| value.get(0)).count();
    assert_eq!(lists, 127);
    send_everywhere(text.as_bytes());
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    parse(nested(127).as_bytes()).unwrap();
    expect!["nested too deep, at line 1 column 128"]
        .assert_eq(&told(parse(nested(128).as_bytes())));
    let deep = nested(limits::MESSAGE_BYTES / 2);
    for around in [("", ""), (r#"{"lat":1,"lng":2,"x":"#, "}"), (r#"{"geometry":"#, "}")] {
        send_everywhere(format!("{}{deep}{}", around.0, around.1).as_bytes());
    }
    send_everywhere("[".repeat(limits::MESSAGE_BYTES).as_bytes());
    send_everywhere(r#"{"a":"#.repeat(limits::MESSAGE_BYTES / 5).as_bytes());
}

const WRONG_VIEWS: [&str; 39] = [
    r#"{"near":{"lat":1,"lng":2,"radius_m":3,"near":4}}"#,
    r#"{"near":{"lat":1,"lng":2,"radius_m":1e400}}"#,
    r#"{"near":{"lat":1,"lng":2,"radius_m":1e308}}"#,
    r#"{"near":{"lat":1,"lng":2,"radius_m":1e-9}}"#,
    r#"{"near":{"lat":null,"lng":2,"radius_m":5}}"#,
    r#"{"near":{"lat":90.5,"lng":120,"radius_m":5}}"#,
    r#"{"near":{"lat":1,"lng":2,"radius_m":[5]}}"#,
    r#"{"follow":"me","radius_m":50001}"#,
    r#"{"follow":{"channel":"a","key":7},"radius_m":5}"#,
    r#"{"follow":{"channel":"a","key":"b","me":1},"radius_m":5}"#,
    r#"{"follow":7,"radius_m":5}"#,
    r#"{"bbox":{"west":1,"south":10,"east":2,"north":10}}"#,
    r#"{"bbox":{"west":1,"south":1,"east":1,"north":10}}"#,
    r#"{"bbox":[1,2,3,4]}"#,
    r#"{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}"#,
    r#"{"geometry":"Polygon"}"#,
    r#"{"cells":"8928308280fffff"}"#,
    r#"{"cells":[7]}"#,
    r#"{"zone":7}"#,
    r#"{"route":{"type":"LineString","coordinates":[[1,2],[3,4]]},"width_m":0}"#,
    r#"{"route":{"type":"LineString","coordinates":[[1,2],[3,4]]},"width_m":1e300}"#,
    r#"{"route":{"type":"LineString","coordinates":[[1,2],[3,4]]},"width_m":100001}"#,
    r#"{"route":{"type":"LineString","coordinates":[[1,2],[3,114]]},"width_m":5}"#,
    r#"{"route":{"type":"MultiLineString","coordinates":[[[1,2],[3]]]},"width_m":5}"#,
    r#"{"nearest":5.5,"to":{"lat":1,"lng":2}}"#,
    r#"{"nearest":5,"to":{"lat":1,"lng":2},"within_m":0}"#,
    r#"{"nearest":5,"to":{"lat":115,"lng":33}}"#,
    r#"{"zone":"a","within_m":5}"#,
    r#"{"zone":"a","to":{"lat":1,"lng":2}}"#,
    r#"{"zone":"a","detect":"enter"}"#,
    r#"{"zone":"a","detect":["dwell"],"dwell_ms":0}"#,
    r#"{"zone":"a","detect":["dwell"],"dwell_ms":86400001}"#,
    r#"{"zone":"a","detect":["enter"],"dwell_ms":5}"#,
    r#"{"zone":"a","hysteresis_m":5}"#,
    r#"{"zone":"a","detect":["approach"],"approach_m":0}"#,
    r#"{"zone":"a","detect":["exit"],"hysteresis_m":-1}"#,
    r#"{"zone":"a","max_hz":0.001}"#,
    r#"{"zone":"a","limit":0}"#,
    r#"{"zone":"a","min_move_m":-1}"#,
];

#[test]
fn a_view_says_where_it_is_wrong() {
    check_views(
        &WRONG_VIEWS,
        &expect![[r#"
            near.near: unknown; there are lat, lng, radius_m
            data: a number is out of range, at line 1 column 41
            near.radius_m: 1e308 is above the most, 50000
            near.radius_m: 1e-9 is below the least, 0.001
            near.lat: missing
            near.lat: 90.5 is outside -90..90
            near.radius_m: must be a number, not a list
            radius_m: 50001 is above the most, 50000
            follow.key: must be a string, not a number
            follow.me: unknown; there are channel, key
            follow: must be an object, not a number
            bbox.north: 10 is not above south, 10
            bbox.east: 1 is west as well: no width
            bbox: must be an object, not a list
            geometry.coordinates[0][2]: the ring crosses or touches itself
            geometry: must be an object, not a string
            cells: must be a list of H3 cells, not a string
            cells[0]: must be a string, not a number
            zone: must be a string, not a number
            width_m: 0 is not above 0 and at most 1000000
            width_m: 1e300 is not above 0 and at most 1000000
            width_m: 100001 is above the most, 100000
            route.coordinates[1]: lat: 114.0 is outside -90..90; lat and lng look swapped
            route.coordinates[0][1]: 1 entries; at least 2
            nearest: must be a whole number 1..100
            within_m: 0 is below the least, 0.001
            to.lat: 115.0 is outside -90..90; lat and lng look swapped
            within_m: only with nearest
            to: only with nearest
            detect: must be a list of names, not a string
            dwell_ms: must be a whole number 1..86400000
            dwell_ms: must be a whole number 1..86400000
            dwell_ms: only with detect dwell
            hysteresis_m: only with detect
            approach_m: 0 is outside 1..100000
            hysteresis_m: -1 is outside 0..100000
            max_hz: 0.001 is outside 0.01..100
            limit: must be a whole number 1..1000000
            min_move_m: -1 is outside 0..100000"#]],
    );
}

#[test]
fn a_geometry_says_where_it_is_wrong() {
    let lines: Vec<String> = [
        json!({ "type": "Point", "coordinates": [33, 115] }),
        json!({ "type": "Point", "coordinates": [1e308, 15] }),
        json!({ "type": "Point", "coordinates": [] }),
        json!({ "type": "Point", "coordinates": { "lat": 1, "lng": 2 } }),
        json!({ "type": "MultiPoint", "coordinates": [[1, 2], [3, null]] }),
        json!({ "type": "LineString", "coordinates": [[1, 2]] }),
        json!({ "type": "LineString", "coordinates": [[1, 2], [1, 115]] }),
        json!({ "type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]], [[1, 2], [200, 4]]] }),
        json!({ "type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]] }),
        json!({ "type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0], [1, 1]]] }),
        json!({ "type": "Polygon", "coordinates": [] }),
        json!({ "type": "MultiPolygon", "coordinates": [
            [[[0, 0], [1, 0], [1, 1]]],
            [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 191]]],
        ] }),
        json!({ "type": "GeometryCollection", "geometries": [] }),
        json!({ "type": "GeometryCollection", "geometries": [
            { "type": "Point", "coordinates": [1, 2] },
            { "type": "GeometryCollection", "geometries": [] },
        ] }),
        json!({ "type": "Feature", "geometry": null }),
        json!({ "type": 7 }),
        json!([1, 2]),
    ]
    .iter()
    .map(|value| told(geometry(value)))
    .collect();
    expect![[r#"
        coordinates: lat: 115.0 is outside -90..90; lat and lng look swapped
        coordinates: lng: 1e308 is outside -180..180
        coordinates: 0 entries; at least 2
        coordinates: must be a list, not an object
        coordinates[1][1]: must be a number, not null
        coordinates: 1 entries; at least 2
        coordinates[1]: lat: 115.0 is outside -90..90; lat and lng look swapped
        coordinates[1][1]: lng: 200.0 is outside -180..180
        coordinates[0][2]: the ring crosses or touches itself
        coordinates[0]: fewer than 3 different vertices
        coordinates: 0 entries; at least 1
        coordinates[1][1][2]: lat: 191.0 is outside -90..90
        geometries: 0 entries; at least 1
        geometries[1].type: a collection within a collection
        type: "Feature" is no geometry
        type: must be a string, not a number
        must be an object, not a list"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_fix_says_where_it_is_wrong() {
    let check = |read: &dyn Fn(&str) -> String, texts: &[&str], expected: expect_test::Expect| {
        let lines: Vec<String> = texts.iter().map(|text| read(text)).collect();
        expected.assert_eq(&lines.join("\n"));
    };
    check(
        &|text| told(FixSpec::parse(text.as_bytes())),
        &[
            "",
            "[]",
            r#"{"lat":1}"#,
            r#"{"lat":1,"lng":1e400}"#,
            r#"{"lat":115,"lng":33}"#,
            r#"{"lat":1,"lng":"2"}"#,
            r#"{"lat":1,"lng":2,"channel":7}"#,
            r#"{"lat":1,"lng":2,"accuracy_m":-1}"#,
            r#"{"lat":1,"lng":2,"speed_mps":1e300}"#,
            r#"{"lat":1,"lng":2,"time_ms":1.5}"#,
            r#"{"lat":1,"lng":2,"tags":["a"]}"#,
            r#"{"lat":1,"lng":2,"status":"free"}"#,
            r#"{"type":"Feature"}"#,
        ],
        expect![[r#"
            data: not JSON, at line 1 column 0
            data: must be an object, not a list
            lng: missing
            lng: a number is out of range, at line 1 column 5
            lat: 115.0 is outside -90..90; lat and lng look swapped
            lng: must be a number, not a string
            channel: must be a string, not a number
            accuracy_m: -1 is outside 0..40100000
            speed_mps: 1e300 is outside 0..300000
            time_ms: must be a whole number 0..253402300799999
            tags: must be an object, not a list
            status: unknown; there are channel, lat, lng, key, accuracy_m, speed_mps, heading_deg, time_ms, tags, data
            type: unknown; there are channel, lat, lng, key, accuracy_m, speed_mps, heading_deg, time_ms, tags, data"#]],
    );
    let feature = |rest: &str| {
        format!(r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[1,2]}}{rest}}}"#)
    };
    check(
        &|text| told(FixSpec::of_publication(text.as_bytes(), &NAMES)),
        &[
            r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[33,115]}}"#,
            r#"{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":"never read"}}"#,
            r#"{"type":"Feature","geometry":null}"#,
            &feature(r#","id":true"#),
            &feature(r#","id":"""#),
            &feature(&format!(r#","id":"{}""#, "k".repeat(256))),
            &feature(r#","properties":[]"#),
            &feature(r#","properties":{"heading_deg":400}"#),
            &feature(r#","properties":{"key":7}"#),
        ],
        expect![[r#"
            geometry.coordinates: lat: 115.0 is outside -90..90; lat and lng look swapped
            geometry.type: must be Point
            geometry: missing
            id: must be a string or a number, not true or false
            id: a key has 1 to 255 bytes
            id: a key has 1 to 255 bytes
            properties: must be an object, not a list
            properties.heading_deg: 400 is outside 0..360
            properties.key: must be a string, not a number"#]],
    );
}

#[test]
fn bounds_hold_at_the_last_and_one_past_it() {
    let is_ok = |fix: Value| FixSpec::parse(fix.to_string().as_bytes()).is_ok();
    for (count, fits) in [(limits::TAGS, true), (limits::TAGS + 1, false)] {
        let tags: serde_json::Map<_, _> = (0..count).map(|n| (n.to_string(), "".into())).collect();
        assert_eq!(is_ok(json!({ "lat": 1, "lng": 2, "tags": tags })), fits, "{count} tags");
    }
    for (bytes, fits) in [(limits::TAG_BYTES, true), (limits::TAG_BYTES + 1, false)] {
        let tags = json!({ "a": "b".repeat(bytes) });
        assert_eq!(is_ok(json!({ "lat": 1, "lng": 2, "tags": tags })), fits, "{bytes} in a tag");
    }
    for (bytes, fits) in [(limits::OBJECT_KEY_BYTES, true), (limits::OBJECT_KEY_BYTES + 1, false)] {
        let key = "k".repeat(bytes);
        assert_eq!(is_ok(json!({ "lat": 1, "lng": 2, "key": key })), fits, "{bytes} in a key");
    }
    for (count, fits) in [(limits::POLYGON_VERTICES, true), (limits::POLYGON_VERTICES + 1, false)] {
        let points: Vec<Value> = (0..count)
            .map(|n| json!({ "type": "Point", "coordinates": [n as f64 / 100.0, 1] }))
            .collect();
        let geometries = json!({ "type": "GeometryCollection", "geometries": points });
        assert_eq!(geometry(&geometries).is_ok(), fits, "{count} points");
        let positions: Vec<[f64; 2]> = (0..count).map(|n| [n as f64 / 100.0, 1.0]).collect();
        let points = json!({ "type": "MultiPoint", "coordinates": positions });
        assert_eq!(geometry(&points).is_ok(), fits, "{count} positions");
    }
}

/// What is counted is not looked at: the first entry of each list is wrong, and the fault is
/// the number of them.
#[test]
fn too_many_are_refused_before_any_is_read() {
    let mut many = vec![json!("no position"); 10_000];
    let mut lines = Vec::new();
    for (kind, coordinates) in [
        ("MultiPoint", json!(many)),
        ("LineString", json!(many)),
        ("MultiLineString", json!([many])),
        ("Polygon", json!([many])),
        ("MultiPolygon", json!([[many]])),
    ] {
        let value = json!({ "type": kind, "coordinates": coordinates });
        lines.push(told(geometry(&value)));
        lines.push(told(AreaSpec::parse(&json!({ "geometry": value }), &AreaLimits::default())));
    }
    many.truncate(limits::AREA_CELLS + 1);
    lines.push(told(AreaSpec::parse(&json!({ "cells": many }), &AreaLimits::default())));
    let value = json!({ "type": "GeometryCollection", "geometries": many });
    lines.push(told(geometry(&value)));
    expect![[r#"
        coordinates: more than 1000 positions in one geometry
        geometry.coordinates: more than 1000 positions in one geometry
        coordinates: more than 1000 positions in one geometry
        geometry.coordinates: more than 1000 positions in one geometry
        coordinates[0]: more than 1000 positions in one geometry
        geometry.coordinates[0]: more than 1000 positions in one geometry
        coordinates[0]: more than 1000 positions in one geometry
        geometry.coordinates[0]: more than 1000 positions in one geometry
        coordinates[0][0]: more than 1000 positions in one geometry
        geometry.coordinates[0][0]: more than 1000 positions in one geometry
        cells: 4097 cells; at most 4096
        geometries: more than 1000 positions in one geometry"#]]
    .assert_eq(&lines.join("\n"));
}

/// What an area may have at most fits; what is only many small values is not read to its end.
#[test]
fn reading_ends_where_no_area_needs_more() {
    let point = json!({ "type": "Point", "coordinates": [1.5, 2.5, 3.5] });
    let points = vec![point; limits::POLYGON_VERTICES];
    let cells: Vec<String> = "8428309ffffffff"
        .parse::<h3o::CellIndex>()
        .unwrap()
        .children(h3o::Resolution::Nine)
        .take(limits::AREA_CELLS)
        .map(|cell| cell.to_string())
        .collect();
    let limits = AreaLimits::default();
    for view in [
        json!({ "geometry": { "type": "GeometryCollection", "geometries": points } }),
        json!({ "cells": cells, "detect": ["enter"] }),
    ] {
        ViewSpec::parse(view.to_string().as_bytes(), &limits).unwrap();
    }
    let members: Vec<String> = (0..6_000).map(|n| format!("\"{n}\":1")).collect();
    let members = members.join(",");
    let lists = "[],".repeat(20_000) + "[]";
    let lines: Vec<String> = [
        format!("[{lists}]"),
        format!("{{{members}}}"),
        format!("{{\"near\":{{{members}}}}}"),
        format!("{{\"cells\":[{lists}]}}"),
    ]
    .iter()
    .map(|text| told(ViewSpec::parse(text.as_bytes(), &limits)))
    .collect();
    expect![[r#"
        data: too many values, at line 1 column 49156
        data: too many values, at line 1 column 23467
        data: too many values, at line 1 column 23466
        data: too many values, at line 1 column 49147"#]]
    .assert_eq(&lines.join("\n"));
    let fix = format!("{{\"lat\":1,\"lng\":2,\"tags\":{{{members}}}}}");
    expect!["tags: too many values, at line 1 column 23467"]
        .assert_eq(&told(FixSpec::parse(fix.as_bytes())));
    // What nobody reads may be as many as it likes.
    let fix = format!("{{\"lat\":1,\"lng\":2,\"data\":[{lists}]}}");
    assert_eq!(FixSpec::parse(fix.as_bytes()).unwrap().data.len(), lists.len() + 2);
}

/// Published data is shown within an object of a message.
#[test]
fn an_objects_data_is_no_deeper_than_readers_take() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let most = limits::JSON_DEPTH - 2;
    for (levels, fits) in [(most, true), (most + 1, false)] {
        let fix = format!(r#"{{"lat":1,"lng":2,"data":{}}}"#, deep(levels));
        assert_eq!(FixSpec::parse(fix.as_bytes()).is_ok(), fits, "{levels}");
        let fix = format!(r#"{{"lat":1,"lng":2,"own":{}}}"#, deep(levels - 1));
        let read = FixSpec::of_publication(fix.as_bytes(), &NAMES);
        assert_eq!(read.is_ok(), fits, "{levels}");
    }
}

#[test]
fn a_length_that_must_be_above_zero_says_so() {
    let told_of = |value: &Value| {
        let fields = Fields::of(value, &["within_m"]).unwrap();
        told(fields.metres("within_m", f64::MIN_POSITIVE))
    };
    expect!["within_m: 0 is not above 0"].assert_eq(&told_of(&json!({ "within_m": 0 })));
    expect!["within_m: -5 is not above 0"].assert_eq(&told_of(&json!({ "within_m": -5 })));
    expect!["Some(Metres(1e-300))"].assert_eq(&told_of(&json!({ "within_m": 1e-300 })));
}

#[test]
fn no_fault_is_much_longer_than_what_it_names() {
    let long = "k".repeat(60_000);
    for text in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"zone":"{long}"}}"#),
        format!(r#"{{"cells":["{long}"]}}"#),
        format!(r#"{{"geometry":{{"type":"{long}"}}}}"#),
        format!(r#"{{"zone":"a","detect":["{long}"]}}"#),
        format!(r#"{{"lat":1,"lng":2,"tags":{{"{long}":1}}}}"#),
        r#"{"near":{"lat":1,"lng":2,"radius_m":-1e308}}"#.to_owned(),
        r#"{"lat":1,"lng":2,"speed_mps":-1e-300}"#.to_owned(),
        r#"{"lat":1,"lng":2,"reach_m":-1e308}"#.to_owned(),
    ] {
        let data = text.as_bytes();
        let faults = [
            ViewSpec::parse(data, &AreaLimits::default()).err(),
            FixSpec::of_publication(data, &NAMES).err(),
            place_of(data, &NAMES, &Default::default()).err(),
        ];
        for fault in faults.into_iter().flatten() {
            let told = fault.to_string();
            assert!(told.len() < 400, "{} bytes: {told}", told.len());
        }
    }
}

#[test]
fn an_objects_data_keeps_its_digits_and_its_text() {
    let data = |text: &str| {
        let fix = FixSpec::of_publication(text.as_bytes(), &NAMES).unwrap();
        String::from_utf8(fix.data.to_vec()).unwrap()
    };
    let lines = [
        data(r#"{"lat":1,"lng":2,"data":{"b" : 12345678901234567890123, "a":1.10}}"#),
        data("{\"lat\":1,\"lng\":2,\"b\":\t1e2,\n\"a\":\" x \\\" { \\\\\" , \"data\":null}"),
        data(r#"{"lat":1,"lng":2,"data": " " }"#),
        data(r#"{"lat":1,"lng":2,"key":"a","speed_mps":3}"#),
        data(
            r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2,3]},
               "properties":{"n": 1.00, "key":"a"}}"#,
        ),
    ];
    expect![[r#"
        {"b":12345678901234567890123,"a":1.10}
        {"b":1e2,"a":" x \" { \\"}
        " "

        {"n":1.00}"#]]
    .assert_eq(&lines.join("\n"));
}
