//! Channels of objects: snapshots, deltas, maps, fences and queries.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{call, near, publish, refused, start, view};
use crate::node::{Node, token};

pub(crate) async fn set(node: &Node, channel: &str, key: &str, lat: f64, lng: f64) {
    let fix = json!({"channel": channel, "key": key, "lat": lat, "lng": lng});
    node.api("geo_set", &fix).await;
}

pub(crate) fn keys(objects: &Value) -> Vec<String> {
    let list = objects.as_array().unwrap_or_else(|| panic!("no objects: {objects}"));
    list.iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_view_begins_with_what_is_there_and_goes_on_with_what_happens() {
    let node = start().await;
    set(&node, "drivers:city", "a", 52.52, 13.405).await;
    set(&node, "drivers:city", "b", 48.0, 2.0).await;
    let mut client = Client::connect(&node).await;
    let joined = view(&mut client, "drivers:city", near(52.52, 13.405, 1500.0)).await;
    assert_eq!(keys(&joined["data"]["objects"]), ["a"]);
    set(&node, "drivers:city", "a", 52.521, 13.405).await;
    set(&node, "drivers:city", "b", 52.52, 13.40).await;
    set(&node, "drivers:city", "c", 52.52, 13.41).await;
    set(&node, "drivers:city", "a", 53.0, 13.0).await;
    node.api("geo_remove", &json!({"channel": "drivers:city", "key": "c"})).await;
    for (event, key, reason) in [
        ("move", "a", "moved"),
        ("enter", "b", "moved"),
        ("enter", "c", "created"),
        ("exit", "a", "moved"),
        ("exit", "c", "deleted"),
    ] {
        let told = client.publication().await;
        let what = [&told["event"], &told["key"], &told["reason"]];
        assert_eq!(what, [event, key, reason], "{told}");
    }
}

#[tokio::test]
async fn a_client_moves_its_own_object_which_goes_when_it_goes() {
    let node = start().await;
    let mut watcher = Client::connect(&node).await;
    view(&mut watcher, "own:city", near(52.0, 13.0, 1500.0)).await;
    let mut mover = Client::connect(&node).await;
    let fix = json!({"lat": 52.0, "lng": 13.0, "speed_mps": 4, "data": {"name": "ada"}});
    let reply = mover.ask(json!({"publish": {"channel": "own:city", "data": fix}})).await;
    assert!(reply["publish"].is_object(), "{reply}");
    let told = watcher.publication().await;
    assert_eq!(told["data"], json!({"name": "ada"}), "{told}");
    assert_eq!(told["speed_mps"], 4.0);
    let fix = json!({"channel": "own:city", "lat": 52.001, "lng": 13.0});
    call(&mut mover, "geo.position", fix).await;
    assert_eq!(watcher.publication().await["event"], "move");
    drop(mover);
    let told = watcher.publication().await;
    assert_eq!([&told["event"], &told["reason"]], ["exit", "offline"]);
}

#[tokio::test]
async fn a_moved_view_answers_with_what_it_added_and_removed() {
    let node = start().await;
    set(&node, "drivers:city", "a", 52.0, 13.0).await;
    set(&node, "drivers:city", "b", 53.0, 13.0).await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "drivers:city@map", near(52.0, 13.0, 500.0)).await;
    let moved = json!({"channel": "drivers:city@map", "area": near(53.0, 13.0, 500.0)});
    let answer = call(&mut client, "geo.move", moved).await;
    assert_eq!(answer["added"], json!(["b"]));
    assert_eq!(answer["removed"], json!(["a"]));
    set(&node, "drivers:city", "a", 52.001, 13.0).await;
    set(&node, "drivers:city", "b", 53.001, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"]], ["move", "b"]);
}

#[tokio::test]
async fn a_call_in_the_frame_of_a_subscribe_is_for_that_subscription() {
    let node = start().await;
    set(&node, "drivers:city", "a", 52.0, 13.0).await;
    set(&node, "drivers:city", "b", 53.0, 13.0).await;
    let mut client = Client::connect_as(&node, "ada").await;
    let me = json!({"follow": "me", "radius_m": 500});
    let subscribe = json!({"id": 100, "subscribe": {"channel": "drivers:city@me", "data": me}});
    let here = json!({"lat": 52.0, "lng": 13.0});
    let position = json!({"id": 101, "rpc": {"method": "geo.position", "data": here}});
    client.say_text(format!("{subscribe}\n{position}")).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(client.message().await);
    }
    assert!(told.iter().any(|one| one["subscribe"].is_object()), "{told:?}");
    assert!(told.iter().any(|one| one["id"] == 101 && one["rpc"].is_object()), "{told:?}");
    let entered = told.iter().find(|one| one["push"].is_object()).expect("an object is there");
    assert_eq!(entered["push"]["pub"]["data"]["key"], "a");
    let map = near(52.0, 13.0, 500.0);
    let subscribe = json!({"id": 102, "subscribe": {"channel": "drivers:city@map", "data": map}});
    let moved = json!({"channel": "drivers:city@map", "area": near(53.0, 13.0, 500.0)});
    let moved = json!({"id": 103, "rpc": {"method": "geo.move", "data": moved}});
    client.say_text(format!("{subscribe}\n{moved}")).await;
    assert!(client.message().await["subscribe"].is_object());
    assert_eq!(client.message().await["rpc"]["data"]["added"], json!(["b"]));
}

#[tokio::test]
async fn a_move_whose_subscription_ends_is_answered() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "drivers:city", near(52.0, 13.0, 500.0)).await;
    let moved = json!({"channel": "drivers:city", "area": near(53.0, 13.0, 500.0)});
    let moved = json!({"id": 101, "rpc": {"method": "geo.move", "data": moved}});
    let unsubscribe = json!({"id": 102, "unsubscribe": {"channel": "drivers:city"}});
    client.say_text(format!("{moved}\n{unsubscribe}")).await;
    let refused = client.message().await;
    assert_eq!(
        [&refused["id"], &refused["error"]["code"]],
        [&json!(101), &json!(107)],
        "{refused}"
    );
    assert_eq!(client.message().await["id"], 102);
}

#[tokio::test]
async fn a_move_that_is_refused_changes_nothing() {
    let node = start().await;
    for number in 0..4 {
        set(&node, "few:a", &format!("crowd{number}"), 53.0, 13.0).await;
    }
    set(&node, "few:a", "bus", 52.0, 13.0).await;
    set(&node, "few:a", "one", 52.001, 13.0).await;
    let mut client = Client::connect_as(&node, "ada").await;
    let follow = json!({"follow": {"channel": "few:a", "key": "bus"}, "radius_m": 500});
    let begun = view(&mut client, "few:a@v", follow.clone()).await;
    assert_eq!(begun["data"]["objects"][0]["key"], "one", "it begins round the object");
    let too_many = json!({"channel": "few:a@v", "area": near(53.0, 13.0, 500.0)});
    let refused = json!({"rpc": {"method": "geo.move", "data": too_many}});
    assert_eq!(client.fault(refused).await, 106);
    set(&node, "few:a", "bus", 51.0, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"]], ["exit", "one"], "it still follows");
    drop(client);
    let mut client = Client::connect_as(&node, "ada").await;
    view(&mut client, "few:a@v", follow).await;
}

#[tokio::test]
async fn an_area_that_begins_to_follow_is_round_where_that_is_now() {
    let node = start().await;
    set(&node, "drivers:city", "bus", 52.0, 13.0).await;
    set(&node, "drivers:city", "near", 52.001, 13.0).await;
    let mut client = Client::connect_as(&node, "ada").await;
    call(&mut client, "geo.position", json!({"lat": 10.0, "lng": 10.0})).await;
    view(&mut client, "drivers:city@v", near(0.0, 0.0, 500.0)).await;
    call(&mut client, "geo.position", json!({"lat": 52.0, "lng": 13.0})).await;
    let to = |area: Value| json!({"channel": "drivers:city@v", "area": area});
    let me = call(&mut client, "geo.move", to(json!({"follow": "me", "radius_m": 500}))).await;
    assert_eq!(me["added"], json!(["bus", "near"]));
    let bus = json!({"channel": "drivers:city", "key": "bus"});
    let bus = call(&mut client, "geo.move", to(json!({"follow": bus, "radius_m": 500}))).await;
    assert_eq!([&bus["added"], &bus["removed"]], [&json!([]), &json!(["bus"])]);
    set(&node, "drivers:city", "bus", 53.0, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"]], ["exit", "near"]);
}

#[tokio::test]
async fn a_moved_area_is_only_for_who_might_move_it_there_again() {
    let node = start().await;
    let within =
        |south: u32| json!({"bbox": {"west": 12, "south": south, "east": 14, "north": 54}});
    let claims = |south: u32| json!({"sub": "ada", "geo": {"within": within(south)}});
    let first = near(53.5, 13.0, 500.0);
    let moved = json!({"channel": "drivers:city@v", "area": near(52.0, 13.0, 500.0)});
    for (south, is_moved) in [(51, Value::Null), (51, json!(true)), (53, Value::Null)] {
        let mut client = Client::open(&node).await;
        client.enter(json!({"token": token(&claims(south))})).await;
        let begun = view(&mut client, "drivers:city@v", first.clone()).await;
        assert_eq!(begun["data"]["moved"], is_moved, "{begun}");
        if south == 51 {
            call(&mut client, "geo.move", moved.clone()).await;
        }
    }
}

#[tokio::test]
async fn lists_of_objects_have_their_tags() {
    let node = start().await;
    let fix = json!({"channel": "drivers:city", "key": "a", "lat": 52.0, "lng": 13.0,
                     "tags": {"kind": "bike"}});
    node.api("geo_set", &fix).await;
    let mut client = Client::connect(&node).await;
    let begun = view(&mut client, "drivers:city", near(52.0, 13.0, 500.0)).await;
    let ask = json!({"channel": "drivers:city", "area": near(52.0, 13.0, 500.0)});
    let found = call(&mut client, "geo.nearby", ask.clone()).await;
    let backend = node.api("geo_nearby", &ask).await;
    for list in [&begun["data"], &found, &backend] {
        assert_eq!(list["objects"][0]["tags"], json!({"kind": "bike"}), "{list}");
    }
}

#[tokio::test]
async fn a_map_is_paged_and_then_kept() {
    let node = start().await;
    for number in 0..250 {
        set(&node, "drivers:city", &format!("d{number:03}"), 52.0, 13.0).await;
    }
    let mut client = Client::connect(&node).await;
    let ask = |cursor: &str, data: Value| {
        json!({"subscribe": {
            "channel": "drivers:city", "type": 1, "phase": 2, "limit": 100, "cursor": cursor,
            "data": data,
        }})
    };
    let first = client.ask(ask("", near(52.0, 13.0, 500.0))).await["subscribe"].clone();
    assert_eq!(first["phase"], 2, "{first}");
    // What happens between two pages is told after the last.
    set(&node, "drivers:city", "d000", 52.001, 13.0).await;
    set(&node, "drivers:city", "d240", 0.0, 0.0).await;
    let mut all = keys(&first["state"]);
    let mut cursor = first["cursor"].as_str().unwrap().to_owned();
    let last = loop {
        let page = client.ask(ask(&cursor, Value::Null)).await["subscribe"].clone();
        all.extend(keys(&page["state"]));
        match page["cursor"].as_str() {
            Some(next) if !next.is_empty() => cursor = next.to_owned(),
            _ => break page,
        }
    };
    assert_eq!(last["phase"].as_u64().unwrap_or(0), 0);
    assert_eq!(all.len(), 249, "one left before its page");
    let push = client.message().await["push"]["pub"].clone();
    assert_eq!([&push["key"], &push["data"]["lat"]], [&json!("d000"), &json!(52.001)]);
    set(&node, "drivers:city", "d001", 0.0, 0.0).await;
    let push = client.message().await["push"]["pub"].clone();
    assert_eq!([&push["key"], &push["removed"]], [&json!("d001"), &json!(true)]);
}

#[tokio::test]
async fn a_snapshot_larger_than_a_page_follows_and_one_over_the_limit_is_refused() {
    let node = start().await;
    for key in ["a", "b", "c"] {
        set(&node, "few:city", key, 52.0, 13.0).await;
    }
    let mut client = Client::connect(&node).await;
    let joined = view(&mut client, "few:city", near(52.0, 13.0, 500.0)).await;
    assert_eq!(keys(&joined["data"]["objects"]), ["a", "b"]);
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"], &told["reason"]], ["enter", "c", "snapshot"]);
    set(&node, "few:city", "d", 52.0, 13.0).await;
    let mut late = Client::connect(&node).await;
    let data = near(52.0, 13.0, 500.0);
    let reply = late.ask(json!({"subscribe": {"channel": "few:city", "data": data}})).await;
    assert_eq!(reply["error"]["code"], 106, "{reply}");
    assert!(reply["error"]["message"].as_str().unwrap().contains('4'), "{reply}");
    // They expire without a further fix.
    let mut gone = Vec::new();
    while gone.len() < 4 {
        let told = client.publication().await;
        if told["event"] == "exit" {
            assert_eq!(told["reason"], "expired");
            gone.push(told["key"].clone());
        }
    }
}

#[tokio::test]
async fn a_view_that_comes_to_have_too_many_objects_ends() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let data = json!({"follow": "me", "radius_m": 1000.0});
    view(&mut client, "few:city", data).await;
    for key in ["a", "b", "c", "d"] {
        set(&node, "few:city", key, 52.0, 13.0).await;
    }
    client.command(rpc("geo.position", &json!({"lat": 52.0, "lng": 13.0}))).await;
    let told = loop {
        let message = client.message().await;
        if message["push"]["unsubscribe"].is_object() {
            break message["push"].clone();
        }
    };
    assert_eq!(
        [&told["channel"], &told["unsubscribe"]["code"]],
        [&json!("few:city"), &json!(2106)]
    );
}

#[tokio::test]
async fn the_nearest_are_kept_as_they_move() {
    let node = start().await;
    for (key, lat) in [("a", 52.01), ("b", 52.02), ("c", 52.03)] {
        set(&node, "drivers:city", key, lat, 13.0).await;
    }
    let mut client = Client::connect(&node).await;
    let data = json!({"nearest": 2, "to": {"lat": 52.0, "lng": 13.0}});
    let joined = view(&mut client, "drivers:city", data).await;
    let mut held = keys(&joined["data"]["objects"]);
    held.sort();
    assert_eq!(held, ["a", "b"]);
    set(&node, "drivers:city", "c", 52.005, 13.0).await;
    let mut told = [client.publication().await, client.publication().await];
    told.sort_by_key(|one| one["event"].to_string());
    assert_eq!([&told[0]["event"], &told[0]["key"]], ["enter", "c"]);
    assert_eq!([&told[1]["event"], &told[1]["key"]], ["exit", "b"]);
}

#[tokio::test]
async fn queries_find_what_is_there() {
    let node = start().await;
    for (key, lat) in [("a", 52.01), ("b", 52.02), ("c", 52.03), ("d", 60.0)] {
        set(&node, "drivers:city", key, lat, 13.0).await;
    }
    let mut client = Client::connect(&node).await;
    let area = near(52.0, 13.0, 10_000.0);
    let ask = json!({"channel": "drivers:city", "area": area, "limit": 2});
    let page = call(&mut client, "geo.nearby", ask.clone()).await;
    assert_eq!(keys(&page["objects"]), ["a", "b"]);
    let mut rest = ask;
    rest["cursor"] = page["cursor"].clone();
    let page = call(&mut client, "geo.nearby", rest).await;
    assert_eq!(keys(&page["objects"]), ["c"]);
    assert_eq!(page["cursor"], Value::Null);
    let to = json!({"lat": 52.03, "lng": 13.0});
    let ask = json!({"channel": "drivers:city", "to": to, "k": 2});
    let found = call(&mut client, "geo.nearest", ask.clone()).await;
    assert_eq!(keys(&found["objects"]), ["c", "b"]);
    assert_eq!(found["objects"][0]["distance_m"], 0.0);
    assert_eq!(node.api("geo_nearest", &ask).await, found);
    let count = json!({"channel": "drivers:city", "area": near(52.0, 13.0, 1e7)});
    assert_eq!(node.api("geo_count", &count).await["count"], 0, "fewer than the floor are none");
    set(&node, "drivers:city", "e", 52.0, 13.0).await;
    assert_eq!(node.api("geo_count", &count).await["count"], 5);
}

fn rpc(method: &str, data: &Value) -> Value {
    json!({"rpc": {"method": method, "data": data}})
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_by_field() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let to = json!({"lat": 52.0, "lng": 13.0});
    let area = near(52.0, 13.0, 100.0);
    let channel = "drivers:city";
    let cases = [
        ("geo.nearby", json!({}), "channel: missing"),
        ("geo.nearby", json!([]), "data: must be an object, not a list"),
        ("geo.nearby", json!({"channel": channel}), "area: missing"),
        (
            "geo.nearby",
            json!({"channel": 7, "area": area}),
            "channel: must be a string, not a number",
        ),
        (
            "geo.nearby",
            json!({"channel": channel, "area": area, "limit": 0}),
            "limit: must be a whole number 1..1000",
        ),
        (
            "geo.nearby",
            json!({"channel": channel, "area": near(95.0, 13.0, 100.0)}),
            "area.near.lat: 95.0 is outside -90..90; lat and lng look swapped",
        ),
        (
            "geo.nearby",
            json!({"channel": channel, "area": {"nearest": 2, "to": to}}),
            "area: not one to ask for; use geo.nearest",
        ),
        ("geo.nearest", json!({"channel": channel}), "to: missing"),
        ("geo.nearest", json!({"channel": channel, "to": {"lat": 52.0}}), "to.lng: missing"),
        (
            "geo.nearest",
            json!({"channel": channel, "to": to, "k": 101}),
            "k: must be a whole number 1..100",
        ),
        (
            "geo.nearest",
            json!({"channel": channel, "to": to, "colour": 1}),
            "colour: unknown; there are channel, to, k, within_m",
        ),
        ("geo.nearest", json!({"channel": "news", "to": to}), "channel: not a channel of objects"),
        (
            "geo.move",
            json!({"channel": "news", "area": area}),
            "channel: its namespace has no geography",
        ),
        ("geo.move", json!({"channel": channel, "area": area}), "channel: not subscribed"),
        ("geo.zones", json!({"lat": 52.0}), "lng: missing"),
        ("geo.position", json!({"lat": 52.0, "lng": "13"}), "lng: must be a number, not a string"),
    ];
    for (method, data, why) in cases {
        let told = refused(&mut client, rpc(method, &data)).await;
        assert_eq!(told, format!("bad request: {why}"), "{method} {data}");
    }
}

#[tokio::test]
async fn the_least_radius_is_that_of_queries_too() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let area = json!({"channel": "shy:city", "area": near(52.0, 13.0, 499.0)});
    let why = refused(&mut client, rpc("geo.nearby", &area)).await;
    assert_eq!(why, "bad request: area.near.radius_m: 499 is below the least, 500");
    let to = json!({"lat": 52.0, "lng": 13.0});
    let nearest = json!({"channel": "shy:city", "to": to, "within_m": 499.0});
    let why = refused(&mut client, rpc("geo.nearest", &nearest)).await;
    assert_eq!(why, "bad request: within_m: 499 is below the least, 500");
    call(&mut client, "geo.nearest", json!({"channel": "shy:city", "to": to, "within_m": 500.0}))
        .await;
}

#[tokio::test]
async fn a_session_keeps_no_more_than_so_many_channels_of_what_it_did() {
    let node = start().await;
    for (namespace, key) in [("own", json!({})), ("drivers", json!({"key": "a"}))] {
        let mut client = Client::connect(&node).await;
        let fix = |number: i32, lat: f64| {
            let mut fix = key.clone();
            fix["channel"] = format!("{namespace}:{number}").into();
            (fix["lat"], fix["lng"]) = (lat.into(), 13.0.into());
            fix
        };
        for number in 0..128 {
            call(&mut client, "geo.position", fix(number, 52.0)).await;
        }
        let reply = client.ask(rpc("geo.position", &fix(128, 52.1))).await;
        assert_eq!(reply["error"]["code"], 106);
        let why = "limit exceeded: channel: a client has objects in at most 128 channels";
        assert_eq!(reply["error"]["message"], why);
        call(&mut client, "geo.position", fix(5, 52.1)).await;
    }

    let mut client = Client::connect(&node).await;

    let ask = |number, lat: f64| json!({"channel": format!("shy:{number}"), "to": {"lat": lat, "lng": 13.0}, "within_m": 500.0});
    for number in 0..128 {
        call(&mut client, "geo.nearest", ask(number, 52.0)).await;
    }
    for number in [0, 127] {
        let reply = client.ask(rpc("geo.nearest", &ask(number, 53.0))).await;
        assert_eq!(reply["error"]["code"], 111, "{reply}");
    }
    call(&mut client, "geo.nearest", ask(128, 52.0)).await;
    let reply = client.ask(rpc("geo.nearest", &ask(127, 53.0))).await;
    assert_eq!(reply["error"]["code"], 111, "{reply}");
    call(&mut client, "geo.nearest", ask(0, 53.0)).await;
}

#[tokio::test]
async fn a_fence_of_the_server_tells_a_channel() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    client.subscribe("results").await;
    set(&node, "drivers:city", "still", 52.0, 13.0).await;
    let fence = json!({
        "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
        "detect": ["enter", "exit"], "publish": "results",
    });
    node.api("fence_set", &fence).await;
    let told = client.publication().await;
    assert_eq!([&told["fence"], &told["event"], &told["key"]], ["depot", "enter", "still"]);
    assert!(told["told_ms"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{told}");
    set(&node, "drivers:city", "a", 53.0, 13.0).await;
    set(&node, "drivers:city", "a", 52.0, 13.0).await;
    assert_eq!(client.publication().await["event"], "enter");
    set(&node, "drivers:city", "a", 53.0, 13.0).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["key"], &told["reason"]], ["exit", "a", "moved"]);
    let list = node.api("fence_list", &json!({"channel": "drivers:city"})).await;
    assert_eq!(list["fences"][0]["name"], "depot");
    node.api("fence_remove", &json!({"channel": "drivers:city", "name": "depot"})).await;
    let list = node.api("fence_list", &json!({"channel": "drivers:city"})).await;
    assert_eq!(list["fences"], json!([]));
}

#[tokio::test]
async fn a_slow_view_is_told_the_latest_and_no_more_often_than_it_asked() {
    let node = start().await;
    set(&node, "drivers:city", "a", 52.0, 13.0).await;
    let mut client = Client::connect(&node).await;
    let mut data = near(52.0, 13.0, 5000.0);
    data["max_hz"] = json!(5);
    view(&mut client, "drivers:city", data).await;
    for step in 1..=40 {
        set(&node, "drivers:city", "a", 52.0 + f64::from(step) * 1e-5, 13.0).await;
    }
    let (mut told, mut last) = (0, Value::Null);
    while last["lat"] != json!(52.0 + 40.0 * 1e-5) {
        last = client.publication().await;
        assert_eq!(last["event"], "move");
        told += 1;
    }
    assert!(told <= 20, "{told} moves for 40 fixes");
}

#[tokio::test]
async fn a_detecting_view_is_told_of_transitions_alone() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    let mut data = near(33.0, -115.0, 5000.0);
    data["detect"] = json!(["enter", "exit", "inside", "outside", "cross", "dwell"]);
    data["dwell_ms"] = json!(50);
    view(&mut client, "drivers:city", data).await;
    set(&node, "drivers:city", "a", 33.0, -115.0).await;
    for event in ["enter", "inside", "dwell"] {
        assert_eq!(client.publication().await["event"], event);
    }
    set(&node, "drivers:city", "a", 34.0, -115.0).await;
    for event in ["exit", "outside"] {
        assert_eq!(client.publication().await["event"], event);
    }
    publish(&node, "drivers:city", json!({"key": "a", "lat": 32.0, "lng": -115.0})).await;
    for event in ["outside", "cross"] {
        assert_eq!(client.publication().await["event"], event);
    }
}
