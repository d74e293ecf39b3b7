//! What namespaces and tokens bound: sizes of areas, speeds of their centres, and where a session
//! may look, move and tell.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{call, near, publish, refused, view};
use crate::node::{Node, token};

const FILE: &str = r#"
[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[client]
insecure = true
[client.token]
hmac_secret_key = "secret-of-the-tokens-52ac"
[http_api]
key = "key-of-the-api-8d1f"
[webhook]
secret = "hook-secret"
[[channel.namespaces]]
name = "alerts"
allow_tags_filter = true
geo = { kind = "events" }
[[channel.namespaces]]
name = "drivers"
geo = { kind = "objects", key = "free" }
[[channel.namespaces]]
name = "sized"
geo = { kind = "objects", key = "free", radius_m_min = 500, radius_m_max = 5000 }
[[channel.namespaces]]
name = "sights"
allow_tags_filter = true
geo = { kind = "events", radius_m_min = 500, radius_m_max = 5000 }
[[channel.namespaces]]
name = "slow"
geo = { kind = "objects", key = "free", query_speed_max_mps = 10 }
[[channel.namespaces]]
name = "coarse"
geo = { kind = "objects", key = "free", snap = 7 }
"#;

async fn start() -> Node {
    Node::start_with(FILE, &[]).await
}

async fn set(node: &Node, channel: &str, key: &str, lat: f64, lng: f64) {
    let fix = json!({"channel": channel, "key": key, "lat": lat, "lng": lng});
    node.api("geo_set", &fix).await;
}

fn rpc(method: &str, data: &Value) -> Value {
    json!({"rpc": {"method": method, "data": data}})
}

fn subscribe(channel: &str, data: &Value) -> Value {
    json!({"subscribe": {"channel": channel, "data": data}})
}

fn square(west: f64, south: f64, side: f64) -> Value {
    json!({"bbox": {"west": west, "south": south, "east": west + side, "north": south + side}})
}

/// A client whose token has this claim.
async fn bounded(node: &Node, geo: &Value) -> Client {
    let mut client = Client::open(node).await;
    client.enter(json!({"token": token(&json!({"sub": "ada", "geo": geo}))})).await;
    client
}

fn route(width_m: f64, length: f64) -> Value {
    let line = [[13.0, 52.0], [13.0, 52.0 + length]];
    json!({"route": {"type": "LineString", "coordinates": line}, "width_m": width_m})
}

#[tokio::test]
async fn the_least_and_the_largest_radius_hold_for_every_form() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let to = json!({"lat": 52.0, "lng": 13.0});
    let corners = [[13.0, 52.0], [14.0, 52.0], [14.0, 53.0]];
    let speck = [[13.0, 52.0], [13.0001, 52.0], [13.0001, 52.0001]];
    let fine = [[13.1, 52.1], [13.12, 52.1], [13.12, 52.12]];
    for (area, field) in [
        (square(13.0, 52.0, 1e-5), "bbox: "),
        (square(13.0, 52.0, 1.0), "bbox: "),
        (json!({"geometry": {"type": "Point", "coordinates": [13.0, 52.0]}}), "geometry: "),
        (json!({"geometry": {"type": "Polygon", "coordinates": [corners]}}), "geometry: "),
        (
            json!({"geometry": {"type": "MultiPolygon", "coordinates": [[fine], [speck]]}}),
            "geometry: ",
        ),
        (json!({"cells": ["8f1f1d489000000"]}), "cells: "),
        (json!({"cells": ["831f1dfffffffff"]}), "cells: "),
        (route(0.01, 0.01), "width_m: "),
        (route(1000.0, 1.0), "route: "),
        (json!({"zone": "countries/DE"}), "zone: "),
        (json!({"nearest": 3, "to": to}), "within_m: "),
        (json!({"nearest": 3, "to": to, "within_m": 5001}), "within_m: "),
        (json!({"follow": "me", "radius_m": 1}), "radius_m: "),
    ] {
        let why = refused(&mut client, subscribe("sized:a", &area)).await;
        assert!(why.starts_with(&format!("bad request: {field}")), "{why} for {area}");
        if area["nearest"].is_null() {
            let asked = json!({"channel": "sized:a", "area": area});
            let why = refused(&mut client, rpc("geo.nearby", &asked)).await;
            assert!(why.starts_with("bad request: area."), "{why} for {area}");
        }
    }
    let nearest = json!({"channel": "sized:a", "to": to});
    let why = refused(&mut client, rpc("geo.nearest", &nearest)).await;
    assert!(why.starts_with("bad request: within_m: missing"), "{why}");
    let fine = [
        square(13.0, 52.0, 0.02),
        json!({"geometry": {"type": "Polygon", "coordinates": [fine]}}),
        json!({"cells": ["871f1d489ffffff"]}),
        route(1000.0, 0.01),
        json!({"nearest": 3, "to": to, "within_m": 5000}),
        json!({"follow": "me", "radius_m": 500}),
    ];
    for (number, area) in fine.into_iter().enumerate() {
        view(&mut client, &format!("sized:a@{number}"), area).await;
    }
    let mut fence = near(52.0, 13.0, 600.0);
    fence["detect"] = json!(["approach"]);
    fence["approach_m"] = json!(1);
    let why = refused(&mut client, subscribe("sized:a@fence", &fence)).await;
    assert_eq!(why, "bad request: approach_m: 1 is below the least, 500");
}

#[tokio::test]
async fn a_box_of_tags_and_a_label_are_bounded_as_well() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let at_least = |key: &str, val: &str| json!({"key": key, "cmp": "gte", "val": val});
    let at_most = |key: &str, val: &str| json!({"key": key, "cmp": "lte", "val": val});
    let nodes =
        [at_least("lat", "52"), at_most("lat", "53"), at_least("lng", "13"), at_most("lng", "14")];
    let filter = json!({"op": "and", "nodes": nodes});
    let command = json!({"subscribe": {"channel": "sights:a", "tf": filter}});
    let why = refused(&mut client, command).await;
    assert!(why.starts_with("bad request: tf: "), "{why}");
    for label in ["zone:countries/DE", "h3:831f1dfffffffff"] {
        let command = json!({"subscribe": {"channel": format!("sights:a@{label}")}});
        let why = refused(&mut client, command).await;
        assert!(why.starts_with("bad request: channel: "), "{why}");
    }
    let mut bounded = bounded(&node, &json!({"radius_m_max": 1000})).await;
    let why = refused(&mut bounded, subscribe("drivers:a", &square(13.0, 52.0, 1.0))).await;
    assert!(why.starts_with("bad request: bbox: "), "{why}");
}

#[tokio::test]
async fn who_follows_itself_travels_no_faster_than_queries_may() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "slow:a@me", json!({"follow": "me", "radius_m": 600})).await;
    let position = |lat: f64| rpc("geo.position", &json!({"lat": lat, "lng": 13.0}));
    assert!(client.ask(position(52.0)).await["rpc"].is_object());
    let reply = client.ask(position(53.0)).await;
    assert_eq!(reply["error"]["code"], 111, "{reply}");
    let dropped = "nearcast_geo_fixes_dropped";
    let before = node.metric(dropped).await;
    client.command(json!({"send": {"data": {"lat": 53.0, "lng": 13.0}}})).await;
    node.wait_for_metric(dropped, before + 1).await;
    // The area that the client asks for by itself has a way of its own.
    view(&mut client, "slow:a@map", near(48.0, 2.0, 600.0)).await;
    assert!(client.ask(position(52.0)).await["rpc"].is_object());

    let mut asker = Client::connect(&node).await;
    let me = json!({"channel": "slow:a", "area": {"follow": "me", "radius_m": 600}});
    assert!(asker.ask(position(52.0)).await["rpc"].is_object());
    call(&mut asker, "geo.nearby", me.clone()).await;
    assert!(asker.ask(position(53.0)).await["rpc"].is_object(), "nothing follows it");
    let reply = asker.ask(rpc("geo.nearby", &me)).await;
    assert_eq!(reply["error"]["code"], 111, "{reply}");
}

#[tokio::test]
async fn from_zone_to_zone_is_travel_too() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let zone = |name: &str| json!({"channel": "slow:a", "area": {"zone": name}});
    call(&mut client, "geo.nearby", zone("cities/DE/berlin")).await;
    let reply = client.ask(rpc("geo.nearby", &zone("cities/FR/paris"))).await;
    assert_eq!(reply["error"]["code"], 111, "{reply}");
}

#[tokio::test]
async fn an_object_out_of_bounds_is_not_there_for_who_follows_it() {
    let node = start().await;
    set(&node, "drivers:in", "near", 52.0, 13.0).await;
    set(&node, "drivers:out", "bus", 53.0, 13.0).await;
    let mut client = bounded(&node, &json!({"within": near(52.0, 13.0, 10_000.0)})).await;
    let bus = json!({"channel": "drivers:out", "key": "bus"});
    let data = json!({"follow": bus, "radius_m": 200_000, "distance": true});
    let begun = view(&mut client, "drivers:in", data.clone()).await;
    assert_eq!(begun["data"]["objects"], json!([]));
    view(&mut client, "alerts:in", data).await;
    set(&node, "drivers:out", "bus", 53.1, 13.0).await;
    set(&node, "drivers:out", "bus", 52.01, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"]], ["enter", "near"], "{told}");
    assert!(told["distance_m"].as_f64().is_some_and(|away| away < 1200.0), "{told}");
    set(&node, "drivers:out", "bus", 53.0, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"]], ["exit", "near"], "{told}");
    assert_eq!(told["distance_m"], Value::Null);
    publish(&node, "alerts:in", json!({"lat": 52.0, "lng": 13.0})).await;
    assert_eq!(client.publication_within(200).await, None);
}

#[tokio::test]
async fn properties_of_a_coarse_object_do_not_say_where_it_is() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let point = json!({"type": "Point", "coordinates": [13.4051234, 52.5200123]});
    let properties = [
        json!({"lat": "52.5200123", "lng": "13.4051234", "name": "a"}),
        json!({"lat": 52.520_012_3, "lng": 13.405_123_4, "name": "a"}),
        json!({"lat": 52.520_012_3, "name": "a"}),
        json!({"lat": [52.520_012_3], "lng": 13.405_123_4, "name": "a"}),
    ];
    for properties in properties {
        let feature = json!({
            "type": "Feature", "id": "a", "geometry": point, "properties": properties,
        });
        publish(&node, "coarse:a", feature).await;
        let data = json!({"lat": "52.5200123", "lng": 13.405_123_4});
        let fix = json!({
            "channel": "coarse:a", "key": "b", "lat": 52.520_012_3, "lng": 13.405_123_4,
            "data": data,
        });
        node.api("geo_set", &fix).await;
        let area = json!({"channel": "coarse:a", "area": near(52.52, 13.405, 5000.0)});
        let found = call(&mut client, "geo.nearby", area).await;
        assert_eq!(found["objects"][0]["data"]["name"], "a", "{found}");
        let text = found.to_string();
        assert!(!text.contains("2.52001") && !text.contains("3.40512"), "{text}");
    }
}

#[tokio::test]
async fn a_narrower_token_binds_what_is_subscribed_already() {
    let node = start().await;
    set(&node, "drivers:a", "far", 53.0, 13.0).await;
    let mut client = bounded(&node, &json!({"within": square(12.0, 51.0, 3.0)})).await;
    let channel = "drivers:a@map";
    let asked = near(52.0, 13.0, 500.0);
    view(&mut client, channel, asked.clone()).await;
    let far = json!({"channel": channel, "area": near(53.0, 13.0, 500.0)});
    assert_eq!(call(&mut client, "geo.move", far.clone()).await["added"], json!(["far"]));
    view(&mut client, "alerts:a@zone:countries/DE", Value::Null).await;
    let refresh =
        |geo: Value| json!({"refresh": {"token": token(&json!({"sub": "ada", "geo": geo}))}});
    let same = client.ask(refresh(json!({"within": square(12.0, 51.0, 3.0)}))).await;
    assert!(same["refresh"].is_object(), "{same}");
    let narrower = client.ask(refresh(json!({"within": square(12.9, 51.9, 0.2)}))).await;
    assert!(narrower["refresh"].is_object(), "{narrower}");
    for name in [channel, "alerts:a@zone:countries/DE"] {
        let push = client.message().await["push"].clone();
        assert_eq!(push["channel"], name, "{push}");
        assert_eq!(push["unsubscribe"]["code"], 2500, "SDKs subscribe again: {push}");
    }
    let begun = view(&mut client, channel, asked.clone()).await;
    assert_eq!(begun["data"], json!({"objects": []}), "what was moved is out of bounds");
    assert_eq!(client.fault(rpc("geo.move", &far)).await, 103);
    view(&mut client, "alerts:a@zone:countries/DE", Value::Null).await;
    publish(&node, "alerts:a", json!({"lat": 53.0, "lng": 13.0, "n": 1})).await;
    publish(&node, "alerts:a", json!({"lat": 52.0, "lng": 13.0, "n": 2})).await;
    assert_eq!(client.publication().await["n"], 2);
    // One that is on its way when the token comes is bound as well.
    let mut first = subscribe("drivers:b", &asked);
    first["id"] = json!(101);
    let mut second = refresh(json!({"within": square(12.95, 51.95, 0.1)}));
    second["id"] = json!(102);
    client.say_text(format!("{first}\n{second}")).await;
    let mut ended = Vec::new();
    while !ended.contains(&json!("drivers:b")) {
        let message = client.message().await;
        if message["push"]["unsubscribe"]["code"] == 2500 {
            ended.push(message["push"]["channel"].clone());
        }
    }
    assert_eq!(ended.len(), 3, "{ended:?}");
}

#[tokio::test]
async fn a_bounded_client_publishes_events_within_its_bounds() {
    let node = start().await;
    let mut client = bounded(&node, &json!({"within": square(13.0, 52.0, 1.0)})).await;
    let publish = |data: Value| json!({"publish": {"channel": "alerts:a", "data": data}});
    let line = |to: f64| {
        let geometry = json!({"type": "LineString", "coordinates": [[13.5, 52.5], [to, 52.5]]});
        json!({"type": "Feature", "geometry": geometry, "properties": null})
    };
    assert_eq!(client.fault(publish(json!({"lat": 40.0, "lng": 40.0}))).await, 103);
    assert_eq!(client.fault(publish(line(14.5))).await, 103);
    for data in [json!({"lat": 52.5, "lng": 13.5}), line(13.6)] {
        let reply = client.ask(publish(data)).await;
        assert!(reply["publish"].is_object(), "{reply}");
    }
}

#[tokio::test]
async fn the_nearest_have_no_fence() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let data = json!({"nearest": 2, "to": {"lat": 52.0, "lng": 13.0}, "detect": ["enter"]});
    let why = refused(&mut client, subscribe("drivers:a", &data)).await;
    assert_eq!(why, "bad request: detect: not together with nearest");
}

#[tokio::test]
async fn the_address_of_a_webhook_is_one() {
    let node = start().await;
    let fence = |webhook: &str| {
        json!({
            "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
            "detect": ["enter"], "webhook": webhook,
        })
    };
    for address in [
        "http://",
        "http:///x",
        "http:// x",
        "https://[::1",
        "http://u:p@127.0.0.1:18199/x",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:/",
        "http://exa mple/\r\nX: y",
        "http://example/\u{7f}",
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
    ] {
        let answer = node.ask_api("fence_set", &fence(address)).await;
        assert_eq!(answer["error"]["code"], 107, "{address:?}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("bad request: webhook: "), "{address:?}: {message}");
    }
    for address in ["http://127.0.0.1:18199", "HTTPS://example.com/hook?a=1", "http://[::1]:8/"] {
        node.api("fence_set", &fence(address)).await;
    }
    let mut close = fence("http://127.0.0.1/");
    close["approach_m"] = json!(0);
    let answer = node.ask_api("fence_set", &close).await;
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(message, "bad request: approach_m: 0 is outside 1..100000");
}

#[tokio::test]
async fn a_position_has_no_key_and_goes_forward_in_time() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let keyed = json!({"lat": 52.0, "lng": 13.0, "key": "a"});
    let why = refused(&mut client, rpc("geo.position", &keyed)).await;
    assert_eq!(why, "bad request: key: only with channel");
    view(&mut client, "alerts:me", json!({"follow": "me", "radius_m": 500})).await;
    let at = |lat: f64, time: u64| json!({"lat": lat, "lng": 13.0, "time_ms": time});
    call(&mut client, "geo.position", at(52.0, 1_700_000_000_000)).await;
    let mut late = at(53.0, 1_699_999_999_999);
    call(&mut client, "geo.position", late.clone()).await;
    late["channel"] = json!("drivers:a");
    late["key"] = json!("a");
    call(&mut client, "geo.position", late).await;
    publish(&node, "alerts:me", json!({"lat": 53.0, "lng": 13.0, "n": 1})).await;
    publish(&node, "alerts:me", json!({"lat": 52.0, "lng": 13.0, "n": 2})).await;
    assert_eq!(client.publication().await["n"], 2, "it is where it was last");
}

#[tokio::test]
async fn faults_say_which_cell_and_which_key() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let command = json!({"subscribe": {"channel": "alerts:a@h3:8928308280fffff,zz"}});
    let why = refused(&mut client, command).await;
    assert_eq!(why, "bad request: channel: h3[1]: \"zz\" is no H3 cell");
    for key in [String::new(), "k".repeat(256)] {
        let follow = json!({"channel": "drivers:a", "key": key});
        let data = json!({"follow": follow, "radius_m": 5});
        let why = refused(&mut client, subscribe("drivers:a", &data)).await;
        assert_eq!(why, "bad request: follow.key: a key has 1 to 255 bytes");
    }
}
