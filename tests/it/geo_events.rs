//! Channels of events that have a place: who gets what, now and after a reconnect, and how bad
//! areas are answered.

use serde_json::{Value, json};

use crate::client::Client;
use crate::node::{Node, token};

/// Namespaces with geography, and everything allowed.
pub(crate) const FILE: &str = r#"
[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[client]
insecure = true
[client.token]
hmac_secret_key = "secret-of-the-tokens-52ac"
[http_api]
key = "key-of-the-api-8d1f"
[channel.without_namespace]
history_size = 10
history_ttl = "300s"
[[channel.namespaces]]
name = "alerts"
history_size = 100
history_ttl = "300s"
force_recovery = true
allow_tags_filter = true
geo = { kind = "events" }
[[channel.namespaces]]
name = "coarse"
geo = { kind = "events", snap = 7 }
[[channel.namespaces]]
name = "hidden"
history_size = 100
history_ttl = "300s"
allow_history_for_client = true
geo = { kind = "events", hide = ["cities/DE/berlin"] }
[[channel.namespaces]]
name = "drivers"
presence = true
[channel.namespaces.geo]
kind = "objects"
key = "free"
[[channel.namespaces]]
name = "few"
[channel.namespaces.geo]
kind = "objects"
key = "free"
objects_max = 3
snapshot_page = 2
object_ttl = "1s"
[[channel.namespaces]]
name = "shy"
[channel.namespaces.geo]
kind = "objects"
key = "free"
radius_m_min = 500
query_speed_max_mps = 10
[[channel.namespaces]]
name = "own"
[channel.namespaces.geo]
kind = "objects"
key = "client"
"#;

pub(crate) async fn start() -> Node {
    Node::start_with(FILE, &[]).await
}

/// A circle round a place.
pub(crate) fn near(lat: f64, lng: f64, radius_m: f64) -> Value {
    json!({"near": {"lat": lat, "lng": lng, "radius_m": radius_m}})
}

/// Subscribes with this data: the result.
pub(crate) async fn view(client: &mut Client, channel: &str, data: Value) -> Value {
    let reply = client.ask(json!({"subscribe": {"channel": channel, "data": data}})).await;
    assert!(reply["subscribe"].is_object(), "{reply}");
    reply["subscribe"].clone()
}

pub(crate) async fn publish(node: &Node, channel: &str, data: Value) -> Value {
    node.api("publish", &json!({"channel": channel, "data": data})).await
}

pub(crate) async fn call(client: &mut Client, method: &str, data: Value) -> Value {
    let reply = client.ask(json!({"rpc": {"method": method, "data": data}})).await;
    assert!(reply["rpc"].is_object(), "{method}: {reply}");
    reply["rpc"]["data"].clone()
}

/// The text of the error that answers a command.
pub(crate) async fn refused(client: &mut Client, command: Value) -> String {
    let reply = client.ask(command).await;
    assert_eq!(reply["error"]["code"], 107, "{reply}");
    reply["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_reaches_those_whose_area_has_its_place_and_nobody_else() {
    let node = start().await;
    let mut near_it = Client::connect(&node).await;
    let mut far = Client::connect(&node).await;
    let mut labelled = Client::connect(&node).await;
    view(&mut near_it, "alerts:city", near(52.52, 13.405, 1500.0)).await;
    view(&mut far, "alerts:city", near(48.85, 2.35, 1500.0)).await;
    labelled.subscribe("alerts:city@near:52.52,13.405,1500").await;
    publish(&node, "alerts:city", json!({"lat": 52.521, "lng": 13.406, "n": 1})).await;
    publish(&node, "alerts:city", json!({"lat": 48.85, "lng": 2.35, "n": 2})).await;
    let point = json!({"type": "Point", "coordinates": [13.405, 52.52]});
    let feature = json!({"type": "Feature", "geometry": point, "properties": {}, "n": 3});
    publish(&node, "alerts:city", feature).await;
    for client in [&mut near_it, &mut labelled] {
        assert_eq!(client.publication().await["n"], 1);
        assert_eq!(client.publication().await["n"], 3);
    }
    assert_eq!(far.publication().await["n"], 2);
    let push = {
        publish(&node, "alerts:city", json!({"lat": 52.52, "lng": 13.405, "n": 4})).await;
        near_it.publication().await;
        labelled.message().await
    };
    assert_eq!(push["push"]["channel"], "alerts:city@near:52.52,13.405,1500");
}

#[tokio::test]
async fn a_reach_narrows_the_audience_to_those_who_are_in_it() {
    let node = start().await;
    let mut wide = Client::connect(&node).await;
    let mut moved = Client::connect(&node).await;
    view(&mut wide, "alerts:city", near(52.0, 13.0, 500_000.0)).await;
    view(&mut moved, "alerts:city", near(52.0, 13.0, 500_000.0)).await;
    // The last fix counts rather than the centre of the circle.
    call(&mut moved, "geo.position", json!({"lat": 52.5, "lng": 13.4})).await;
    publish(&node, "alerts:city", json!({"lat": 52.5, "lng": 13.4, "reach_m": 1000, "n": 1})).await;
    publish(&node, "alerts:city", json!({"lat": 52.0, "lng": 13.0, "reach_m": 1000, "n": 2})).await;
    let body = json!({
        "channel": "alerts:city", "data": {"n": 3}, "place": {"lat": 52.3, "lng": 13.2},
        "reach": {"bbox": {"west": 13.3, "south": 52.4, "east": 13.5, "north": 52.6}},
    });
    node.api("publish", &body).await;
    assert_eq!(wide.publication().await["n"], 2);
    assert_eq!(moved.publication().await["n"], 1);
    assert_eq!(moved.publication().await["n"], 3);
}

#[tokio::test]
async fn an_area_that_follows_its_client_moves_with_its_fixes() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "alerts:city", json!({"follow": "me", "radius_m": 500})).await;
    let at = |lat: f64, n: u64| json!({"lat": lat, "lng": 13.0, "n": n});
    publish(&node, "alerts:city", at(52.0, 1)).await;
    call(&mut client, "geo.position", json!({"lat": 52.0, "lng": 13.0})).await;
    publish(&node, "alerts:city", at(52.0, 2)).await;
    call(&mut client, "geo.position", json!({"lat": 53.0, "lng": 13.0})).await;
    publish(&node, "alerts:city", at(52.0, 3)).await;
    publish(&node, "alerts:city", at(53.0, 4)).await;
    assert_eq!(client.publication().await["n"], 2);
    assert_eq!(client.publication().await["n"], 4);
}

#[tokio::test]
async fn an_area_follows_an_object_of_another_channel() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let follow = json!({"follow": {"channel": "drivers:city", "key": "d42"}, "radius_m": 500});
    view(&mut client, "alerts:city", follow).await;
    let set = |lat: f64| json!({"channel": "drivers:city", "key": "d42", "lat": lat, "lng": 13.0});
    for (round, lat) in [52.0, 53.0].into_iter().enumerate() {
        node.api("geo_set", &set(lat)).await;
        // The follower's lane may be another one: it hears of the object a moment later.
        let heard = async {
            let mut number = 0;
            loop {
                let name = format!("{round}.{number}");
                publish(&node, "alerts:city", json!({"lat": lat, "lng": 13.0, "n": name})).await;
                number += 1;
                if let Some(n) = client.publication_within(20).await {
                    break n;
                }
            }
        };
        let heard = crate::time::within("an event round the object", heard).await;
        assert!(heard["n"].as_str().unwrap().starts_with(&round.to_string()), "{heard}");
    }
}

#[tokio::test]
async fn a_small_area_in_a_busy_channel_recovers() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let area = near(47.0, 8.0, 1000.0);
    let joined = view(&mut client, "alerts:all", area.clone()).await;
    assert_eq!(joined["recoverable"], true);
    drop(client);
    for n in 0..1000 {
        let (lat, lng) = if n % 400 == 0 { (47.0, 8.0) } else { (52.5, 13.4) };
        publish(&node, "alerts:all", json!({"lat": lat, "lng": lng, "n": n})).await;
    }
    let mut client = Client::connect(&node).await;
    let back = |area: Value, offset: u64| {
        json!({"subscribe": {
            "channel": "alerts:all", "data": area, "recover": true, "offset": offset,
            "epoch": joined["epoch"],
        }})
    };
    let reply = client.ask(back(area, joined["offset"].as_u64().unwrap_or(0))).await;
    assert_eq!(reply["subscribe"]["recovered"], true, "{reply}");
    let told = reply["subscribe"]["publications"].as_array().unwrap();
    let numbers: Vec<&Value> = told.iter().map(|one| &one["data"]["n"]).collect();
    assert_eq!(numbers, [0, 400, 800]);
    let mut busy = Client::connect(&node).await;
    let reply = busy.ask(back(near(52.5, 13.4, 1000.0), 5)).await;
    assert_ne!(reply["subscribe"]["recovered"], true, "{reply}");
}

#[tokio::test]
async fn tags_that_are_ranges_of_places_are_an_area() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let at_least = |key: &str, val: &str| json!({"key": key, "cmp": "gte", "val": val});
    let at_most = |key: &str, val: &str| json!({"key": key, "cmp": "lte", "val": val});
    let nodes = [
        at_least("lat", "52.4"),
        at_most("lat", "52.6"),
        at_least("lng", "13.3"),
        at_most("lng", "13.5"),
    ];
    let subscribe = json!({"channel": "alerts:city", "tf": {"op": "and", "nodes": nodes}});
    let reply = client.ask(json!({"subscribe": subscribe})).await;
    assert!(reply["subscribe"].is_object(), "{reply}");
    for (n, lat, lng) in [(1, "52.5", "13.4"), (2, "52.7", "13.4"), (3, "52.6", "13.5")] {
        let tags = json!({"lat": lat, "lng": lng});
        let body = json!({"channel": "alerts:city", "data": {"n": n}, "tags": tags});
        node.api("publish", &body).await;
    }
    assert_eq!(client.publication().await["n"], 1);
    assert_eq!(client.publication().await["n"], 3);
}

#[tokio::test]
async fn areas_of_tags_and_those_round_objects_recover_what_they_would_have_had() {
    let node = start().await;
    let fix = json!({"channel": "drivers:city", "key": "bus", "lat": 52.0, "lng": 13.0});
    node.api("geo_set", &fix).await;
    let cell = json!({"key": "cell", "cmp": "eq", "val": "there"});
    let north = json!({"key": "lat", "cmp": "gte", "val": "49"});
    let follow = json!({"follow": {"channel": "drivers:city", "key": "bus"}, "radius_m": 1000});
    let views = [
        ("alerts:x@cell", json!({"tf": cell})),
        ("alerts:x@north", json!({"tf": north})),
        ("alerts:x@bus", json!({"data": follow})),
    ];
    let mut client = Client::connect(&node).await;
    let mut joined = Vec::new();
    for (channel, with) in &views {
        let mut subscribe = with.clone();
        subscribe["channel"] = json!(channel);
        joined.push(client.ask(json!({"subscribe": subscribe})).await["subscribe"].take());
    }
    let event = |n: u32, lat: f64, tags: Value| {
        let data = json!({"lat": lat, "lng": 13.0, "n": n});
        json!({"channel": "alerts:x", "data": data, "tags": tags})
    };
    for event in [
        event(1, 10.0, json!({"cell": "there"})),
        event(2, 10.0, json!({"lat": "50"})),
        event(3, 52.001, json!({})),
        event(4, 10.0, json!({"lat": "50", "lng": "7", "cell": "there"})),
        event(5, 10.0, json!({"lat": "48"})),
    ] {
        node.api("publish", &event).await;
    }
    let mut live = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for _ in 0..5 {
        let push = client.message().await["push"].take();
        let channel = push["channel"].as_str().unwrap().to_owned();
        live.entry(channel).or_default().push(push["pub"]["data"]["n"].as_u64().unwrap());
    }
    let expected =
        [("alerts:x@cell", vec![1, 4]), ("alerts:x@north", vec![2, 4]), ("alerts:x@bus", vec![3])];
    let expected = expected.map(|(channel, numbers)| (channel.to_owned(), numbers));
    assert_eq!(live, expected.into_iter().collect());
    let mut late = Client::connect(&node).await;
    for ((channel, with), joined) in views.iter().zip(&joined) {
        let mut subscribe = with.clone();
        subscribe["channel"] = json!(channel);
        subscribe["recover"] = json!(true);
        subscribe["epoch"] = joined["epoch"].clone();
        let reply = late.ask(json!({"subscribe": subscribe})).await;
        assert_eq!(reply["subscribe"]["recovered"], true, "{channel}: {reply}");
        let told = reply["subscribe"]["publications"].as_array().unwrap().iter();
        let numbers: Vec<u64> = told.map(|one| one["data"]["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, live[*channel], "{channel}");
    }
}

#[tokio::test]
async fn where_and_area_hold_together_and_distances_are_told_on_request() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let mut data = near(52.52, 13.405, 1500.0);
    data["where"] = json!({"key": "kind", "cmp": "eq", "val": "fire"});
    data["distance"] = json!(true);
    let epoch = view(&mut client, "alerts:city", data).await["epoch"].take();
    for (n, kind) in [(1, "flood"), (2, "fire")] {
        let data = json!({"lat": 52.52, "lng": 13.405, "n": n});
        let body = json!({"channel": "alerts:city", "data": data, "tags": {"kind": kind}});
        node.api("publish", &body).await;
    }
    let push = client.message().await;
    assert_eq!(push["push"]["pub"]["data"]["n"], 2, "{push}");
    assert_eq!(push["push"]["pub"]["tags"]["distance_m"], "0.0");
    let mut late = Client::connect(&node).await;
    let mut data = near(52.521, 13.405, 1500.0);
    data["distance"] = json!(true);
    let back = json!({"channel": "alerts:city", "data": data, "recover": true, "offset": 1,
                      "epoch": epoch});
    let reply = late.ask(json!({"subscribe": back})).await;
    let recovered = &reply["subscribe"]["publications"][0];
    assert_eq!(recovered["data"]["n"], 2, "{reply}");
    assert_eq!(recovered["tags"]["distance_m"], "111.2", "{reply}");
}

#[tokio::test]
async fn a_moved_area_outlives_a_reconnect_of_its_user() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    let first = near(52.0, 13.0, 500.0);
    view(&mut client, "alerts:city@map", first.clone()).await;
    let moved = json!({"channel": "alerts:city@map", "area": near(53.0, 13.0, 500.0)});
    let answer = call(&mut client, "geo.move", moved).await;
    assert_eq!(answer["added"], json!([]));
    drop(client);
    let mut client = Client::connect_as(&node, "ada").await;
    view(&mut client, "alerts:city@map", first.clone()).await;
    let mut other = Client::connect_as(&node, "eve").await;
    view(&mut other, "alerts:city@map", first).await;
    publish(&node, "alerts:city", json!({"lat": 52.0, "lng": 13.0, "n": 1})).await;
    publish(&node, "alerts:city", json!({"lat": 53.0, "lng": 13.0, "n": 2})).await;
    assert_eq!(client.publication().await["n"], 2);
    assert_eq!(other.publication().await["n"], 1);
}

#[tokio::test]
async fn whoever_comes_back_to_a_moved_area_is_told_and_whoever_left_it_begins_anew() {
    let node = start().await;
    let channel = "drivers:city@map";
    let moved = json!({"channel": channel, "area": near(53.0, 13.0, 500.0)});
    let mut client = Client::connect_as(&node, "ada").await;
    let begun = view(&mut client, channel, near(52.0, 13.0, 500.0)).await;
    assert_eq!(begun["data"], json!({"objects": []}));
    call(&mut client, "geo.move", moved.clone()).await;
    drop(client);
    let mut client = Client::connect_as(&node, "ada").await;
    let begun = view(&mut client, channel, near(52.0, 13.0, 500.0)).await;
    assert_eq!(begun["data"], json!({"objects": [], "moved": true}));
    client.ask(json!({"unsubscribe": {"channel": channel}})).await;
    let begun = view(&mut client, channel, near(52.0, 13.0, 500.0)).await;
    assert_eq!(begun["data"], json!({"objects": []}));
}

#[tokio::test]
async fn a_session_that_comes_back_says_where_it_is_as_it_connects() {
    let node = start().await;
    let follow = json!({"follow": "me", "radius_m": 500});
    let here = json!({"data": {"position": {"lat": 52.0, "lng": 13.0}}});
    let mut client = Client::open(&node).await;
    client.enter(here.clone()).await;
    let joined = view(&mut client, "alerts:me", follow.clone()).await;
    drop(client);
    publish(&node, "alerts:me", json!({"lat": 52.0, "lng": 13.0, "n": 1})).await;
    let back = json!({"subscribe": {
        "channel": "alerts:me", "data": follow, "recover": true, "epoch": joined["epoch"],
    }});
    let mut client = Client::open(&node).await;
    client.enter(here).await;
    let reply = client.ask(back.clone()).await;
    assert_eq!(reply["subscribe"]["recovered"], true, "{reply}");
    assert_eq!(reply["subscribe"]["publications"][0]["data"]["n"], 1, "{reply}");
    publish(&node, "alerts:me", json!({"lat": 52.0, "lng": 13.0, "n": 2})).await;
    assert_eq!(client.publication().await["n"], 2);
    let mut nowhere = Client::connect(&node).await;
    let reply = nowhere.ask(back).await;
    assert_eq!(reply["subscribe"]["was_recovering"], true, "{reply}");
    assert_ne!(reply["subscribe"]["recovered"], true, "nobody knows of which area: {reply}");
    let mut wrong = Client::open(&node).await;
    let connect = json!({"connect": {"data": {"position": {"lat": 95, "lng": 13.0}}}});
    let fault = refused(&mut wrong, connect).await;
    assert!(fault.contains("data.position.lat: 95"), "{fault}");
}

#[tokio::test]
async fn what_happens_in_a_hidden_zone_is_neither_told_nor_kept() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "hidden:a", near(52.0, 13.0, 100_000.0)).await;
    let event = |n: u32, lat: f64| json!({"lat": lat, "lng": 13.4, "n": n});
    publish(&node, "hidden:a", event(1, 52.0)).await;
    publish(&node, "hidden:a", event(2, 52.52)).await;
    let data = event(3, 52.525);
    client.ask(json!({"publish": {"channel": "hidden:a", "data": data}})).await;
    publish(&node, "hidden:a", event(4, 52.1)).await;
    assert_eq!(client.publication().await["n"], 1);
    assert_eq!(client.publication().await["n"], 4);
    let page = client.ask(json!({"history": {"channel": "hidden:a", "limit": 10}})).await;
    let numbers = page["history"]["publications"].as_array().unwrap().iter();
    assert_eq!(numbers.map(|one| &one["data"]["n"]).collect::<Vec<_>>(), [1, 4]);
}

#[tokio::test]
async fn the_server_api_takes_a_label_for_what_it_is() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    for label in ["a", "b"] {
        view(&mut client, &format!("alerts:city@{label}"), near(52.0, 13.0, 500.0)).await;
    }
    publish(&node, "alerts:city@a", json!({"lat": 52.0, "lng": 13.0, "n": 1})).await;
    let told = [client.message().await, client.message().await];
    for push in &told {
        assert_eq!(push["push"]["pub"]["data"]["n"], 1, "{push}");
    }
    assert_ne!(told[0]["push"]["channel"], told[1]["push"]["channel"]);
    node.api("unsubscribe", &json!({"user": "ada", "channel": "alerts:city"})).await;
    for _ in 0..2 {
        let push = client.message().await;
        assert!(push["push"]["unsubscribe"].is_object(), "{push}");
    }
    let subscribe = |channel: &str| json!({"user": "ada", "channel": channel});
    let answer = node.ask_api("subscribe", &subscribe("alerts:city")).await;
    assert_eq!(answer["error"]["code"], 107, "{answer}");
    let answer = node.ask_api("subscribe", &subscribe("alerts:city@near:95,1,5")).await;
    assert_eq!(answer["error"]["code"], 107, "{answer}");
    node.api("subscribe", &subscribe("alerts:city@near:52,13,500")).await;
    let push = client.message().await;
    assert_eq!(push["push"]["channel"], "alerts:city@near:52,13,500", "{push}");
}

#[tokio::test]
async fn a_token_bounds_areas_positions_queries_and_history() {
    let node = start().await;
    let within = json!({"bbox": {"west": 13, "south": 52, "east": 14, "north": 53}});
    let claims = json!({"sub": "ada", "geo": {"within": within, "radius_m_max": 5000}});
    let mut client = Client::open(&node).await;
    client.enter(json!({"token": token(&claims)})).await;
    let ask = |data: Value| json!({"subscribe": {"channel": "alerts:city", "data": data}});
    assert_eq!(client.fault(ask(near(48.85, 2.35, 1000.0))).await, 103);
    assert_eq!(client.fault(ask(near(52.5, 13.4, 6000.0))).await, 107);
    let far = json!({"rpc": {"method": "geo.position", "data": {"lat": 48.85, "lng": 2.35}}});
    assert_eq!(client.fault(far).await, 103);
    let country = json!({"zone": "countries/DE"});
    assert_eq!(client.fault(ask(country.clone())).await, 107, "it is larger than that");
    let mut client = Client::open(&node).await;
    let claims = json!({"sub": "ada", "geo": {"within": within}});
    client.enter(json!({"token": token(&claims)})).await;
    view(&mut client, "alerts:city", country).await;
    for (n, lat, lng) in [(1, 48.1, 11.5), (2, 52.5, 13.4)] {
        publish(&node, "alerts:city", json!({"lat": lat, "lng": lng, "n": n})).await;
    }
    assert_eq!(client.publication().await["n"], 2, "of the zone, what the token allows");
    let history = json!({"history": {"channel": "alerts:city", "limit": 10}});
    let page = client.ask(history).await["history"]["publications"].clone();
    assert_eq!(page.as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page[0]["data"]["n"], 2);
}

#[tokio::test]
async fn a_coarse_namespace_shows_and_matches_the_cell_alone() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "coarse:a", near(52.52, 13.405, 5000.0)).await;
    let place = json!({"lat": 52.5200123, "lng": 13.4051234, "speed_mps": 3});
    publish(&node, "coarse:a", place.clone()).await;
    publish(&node, "coarse:a", json!({"lat": 52.5200999, "lng": 13.4050001})).await;
    let (one, other) = (client.publication().await, client.publication().await);
    assert_eq!(one, other, "two places of one cell are one");
    assert_ne!(one["lat"], place["lat"]);
    assert_eq!(one["speed_mps"], Value::Null);
}

#[tokio::test]
async fn a_bad_area_is_refused_by_its_field_and_nothing_else_is_disturbed() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "alerts:city@good", near(52.52, 13.405, 1500.0)).await;
    let bow_tie = json!([[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]);
    let many: Vec<Value> = (0..1001).map(|n| json!([f64::from(n) * 0.01, 1.0])).collect();
    for (data, field) in [
        (Value::Null, "data"),
        (near(152.52, 13.405, 15.0), "near.lat"),
        (near(52.52, 13.405, 0.0), "near.radius_m"),
        (json!({"bbox": {"west": 179, "south": 0, "east": 181, "north": 1}}), "bbox.east"),
        (json!({"zone": "nowhere/at-all"}), "zone"),
        (json!({"geometry": {"type": "Polygon", "coordinates": bow_tie}}), "geometry.coordinates"),
        (json!({"geometry": {"type": "Polygon", "coordinates": [many]}}), "geometry.coordinates"),
        (json!({"near": {"lat": 1, "lng": 2, "radius_m": 3}, "colour": "red"}), "colour"),
        (json!({"nearest": 3, "to": {"lat": 1, "lng": 2}}), "nearest"),
    ] {
        let command = json!({"subscribe": {"channel": "alerts:city", "data": data}});
        let message = refused(&mut client, command).await;
        assert!(message.contains(field), "{message} does not name {field}");
    }
    let nowhere = json!({"publish": {"channel": "alerts:city", "data": {"n": 1}}});
    assert!(refused(&mut client, nowhere).await.contains("data.lat"));
    publish(&node, "alerts:city", json!({"lat": 52.52, "lng": 13.405, "n": 1})).await;
    assert_eq!(client.publication().await["n"], 1);
}
