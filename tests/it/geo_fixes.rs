//! Fixes of clients: by `send`, as map publications, and with fields of other names.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{call, near, publish, refused, view};
use crate::node::Node;

/// Namespaces in which clients may do what these options say and nothing else.
const FILE: &str = r#"
[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[client.token]
hmac_secret_key = "secret-of-the-tokens-52ac"
[http_api]
key = "key-of-the-api-8d1f"
[[channel.namespaces]]
name = "alerts"
allow_subscribe_for_client = true
geo = { kind = "events" }
[[channel.namespaces]]
name = "mine"
allow_subscribe_for_client = true
allow_publish_for_client = true
geo = { kind = "objects", key = "user" }
[[channel.namespaces]]
name = "own"
allow_subscribe_for_client = true
allow_publish_for_client = true
geo = { kind = "objects", key = "client" }
[[channel.namespaces]]
name = "mute"
allow_subscribe_for_client = true
geo = { kind = "objects", key = "free" }
[[channel.namespaces]]
name = "slow"
allow_subscribe_for_client = true
geo = { kind = "events", query_speed_max_mps = 10 }
[[channel.namespaces]]
name = "fast"
allow_subscribe_for_client = true
geo = { kind = "events", query_speed_max_mps = 1000 }
[[channel.namespaces]]
name = "named"
allow_subscribe_for_client = true
allow_publish_for_client = true
allow_tags_filter = true
geo = { kind = "events", lat = "breite", lng = "laenge" }
[[channel.namespaces]]
name = "fleet"
allow_subscribe_for_client = true
allow_publish_for_client = true
geo = { kind = "objects", key = "free", lat = "breite", lng = "laenge" }
"#;

const DROPPED: &str = "nearcast_geo_fixes_dropped";

async fn start() -> Node {
    Node::start_with(FILE, &[]).await
}

async fn send(client: &mut Client, data: &Value) {
    client.say_text(json!({"send": {"data": data}}).to_string()).await;
}

fn follow_me() -> Value {
    json!({"follow": "me", "radius_m": 600})
}

/// Event, key and reason of the next publication.
async fn told(client: &mut Client) -> [String; 3] {
    let told = client.publication().await;
    ["event", "key", "reason"].map(|name| told[name].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_sent_fix_moves_the_object_and_the_areas_that_follow_its_client() {
    let node = start().await;
    let mut watcher = Client::connect_as(&node, "eve").await;
    view(&mut watcher, "mine:a", near(52.0, 13.0, 500.0)).await;
    let mut client = Client::connect_as(&node, "ada").await;
    view(&mut client, "alerts:a", follow_me()).await;
    for (lat, heard) in [(52.0, ["enter", "ada", "created"]), (52.001, ["move", "ada", "moved"])] {
        send(&mut client, &json!({"channel": "mine:a", "lat": lat, "lng": 13.0})).await;
        assert_eq!(told(&mut watcher).await, heard);
    }
    // Without a channel the session moves alone.
    send(&mut client, &json!({"lat": 53.0, "lng": 13.0})).await;
    call(&mut client, "geo.zones", json!({"lat": 0.0, "lng": 0.0})).await;
    for (n, lat) in [(1, 52.001), (2, 53.0)] {
        publish(&node, "alerts:a", json!({"lat": lat, "lng": 13.0, "n": n})).await;
    }
    assert_eq!(client.publication().await["n"], 2);
    send(&mut client, &json!({"channel": "mine:a", "lat": 54.0, "lng": 13.0})).await;
    assert_eq!(told(&mut watcher).await, ["exit", "ada", "moved"]);
    assert_eq!(node.metric(DROPPED).await, 0);
}

#[tokio::test]
async fn a_sent_fix_that_is_refused_is_counted_and_changes_nothing() {
    let node = start().await;
    let mut watcher = Client::connect_as(&node, "eve").await;
    for channel in ["mine:a", "mute:a"] {
        view(&mut watcher, channel, near(53.0, 13.0, 500_000.0)).await;
    }
    let mut client = Client::connect_as(&node, "ada").await;
    call(&mut client, "geo.position", json!({"lat": 52.0, "lng": 13.0})).await;
    view(&mut client, "alerts:a", follow_me()).await;
    view(&mut client, "slow:a", follow_me()).await;
    let refused = [
        json!({"channel": "mute:a", "key": "ada", "lat": 53.0, "lng": 13.0}),
        json!({"channel": "mine:a", "key": "eve", "lat": 53.0, "lng": 13.0}),
        json!({"channel": "mine:a", "lat": 53.0, "lng": 13.0}),
        json!({"channel": "alerts:a", "lat": 52.0, "lng": 13.0}),
        json!({"channel": "nowhere:a", "lat": 52.0, "lng": 13.0}),
        json!({"key": "ada", "lat": 52.0, "lng": 13.0}),
        json!({"lat": 53.0, "lng": 13.0}),
        json!({"lat": 95.0, "lng": 13.0}),
        json!({"lat": 52.0}),
        json!({"lat": 52.0, "lng": 13.0, "colour": "red"}),
        json!({"lat": 52.0, "lng": 13.0, "heading_deg": 361}),
        json!(["lat", 52.0]),
        json!("here"),
    ];
    for (number, data) in (1..).zip(&refused) {
        send(&mut client, data).await;
        node.wait_for_metric(DROPPED, number).await;
    }
    for (n, lat) in [(1, 53.0), (2, 52.0)] {
        for channel in ["alerts:a", "slow:a"] {
            publish(&node, channel, json!({"lat": lat, "lng": 13.0, "n": n})).await;
        }
    }
    for _ in 0..2 {
        assert_eq!(client.publication().await["n"], 2, "it is where it was");
    }
    let there = json!({"channel": "mine:a", "lat": 52.0, "lng": 13.0});
    send(&mut client, &there).await;
    assert_eq!(told(&mut watcher).await, ["enter", "ada", "created"]);
    assert_eq!(node.metric(DROPPED).await, refused.len() as u64);
}

#[tokio::test]
async fn a_fix_that_is_too_fast_for_one_area_counts_for_none() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    for channel in ["fast:a", "slow:a"] {
        view(&mut client, channel, follow_me()).await;
    }
    let position =
        |lat: f64| json!({"rpc": {"method": "geo.position", "data": {"lat": lat, "lng": 13.0}}});
    assert!(client.ask(position(52.0)).await["rpc"].is_object());
    // 1,100 m are allowed to one of them after a second, to the other after two minutes.
    let late = async {
        loop {
            let reply = client.ask(position(52.01)).await;
            assert_eq!(reply["error"]["code"], 111, "{reply}");
            if reply["error"]["message"].as_str().unwrap().contains(" 10 m/s") {
                break;
            }
        }
    };
    crate::time::within("a fix that is too fast for the slow one alone", late).await;
    let reply = client.ask(position(52.0)).await;
    assert!(reply["rpc"].is_object(), "it never left: {reply}");
}

#[tokio::test]
async fn a_fix_that_is_too_fast_takes_no_place_among_channels() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    call(&mut client, "geo.position", json!({"lat": 52.0, "lng": 13.0})).await;
    view(&mut client, "slow:a", follow_me()).await;
    for number in 0..128 {
        let fix = json!({"channel": format!("mine:{number}"), "lat": 53.0, "lng": 13.0});
        send(&mut client, &fix).await;
    }
    node.wait_for_metric(DROPPED, 128).await;
    let fix = json!({"channel": "mine:other", "lat": 52.0, "lng": 13.0});
    call(&mut client, "geo.position", fix).await;
}

#[tokio::test]
async fn a_map_publication_is_a_fix_of_its_key_and_a_removal_deletes() {
    let node = start().await;
    let mut watcher = Client::connect_as(&node, "eve").await;
    for channel in ["mine:a", "own:a"] {
        view(&mut watcher, channel, near(52.0, 13.0, 500.0)).await;
    }
    let mut client = Client::open(&node).await;
    let token = crate::node::token(&json!({"sub": "ada"}));
    let id = client.enter(json!({ "token": token })).await["client"].take();
    let id = id.as_str().unwrap().to_owned();
    let place = json!({"lat": 52.0, "lng": 13.0});
    let foreign = json!({"lat": 52.0, "lng": 13.0, "key": "eve"});
    for (channel, key) in [("mine:a", "ada"), ("own:a", id.as_str())] {
        let map = |key: &str, data: &Value| json!({"publish": {"channel": channel, "type": 1, "key": key, "data": data}});
        let removal = |key: &str| json!({"publish": {"channel": channel, "type": 1, "key": key, "removed": true}});
        for refused in [map("eve", &place), map("", &foreign), removal("eve")] {
            assert_eq!(client.fault(refused.clone()).await, 103, "{refused}");
        }
        // The key of the publication goes before that in its data.
        for (command, heard) in [
            (map(key, &place), ["enter", key, "created"]),
            (map(key, &foreign), ["move", key, "moved"]),
            (removal(key), ["exit", key, "deleted"]),
            (map("", &place), ["enter", key, "created"]),
            (removal(""), ["exit", key, "deleted"]),
        ] {
            let reply = client.ask(command.clone()).await;
            assert!(reply["publish"].is_object(), "{command}: {reply}");
            assert_eq!(told(&mut watcher).await, heard, "{command}");
        }
    }
}

#[tokio::test]
async fn nobody_removes_an_object_of_another() {
    let node = start().await;
    let mut ada = Client::connect_as(&node, "ada").await;
    let mut eve = Client::connect_as(&node, "eve").await;
    let joined = view(&mut ada, "mine:a", near(52.0, 13.0, 500.0)).await;
    assert_eq!(joined["data"]["objects"], json!([]));
    let fix = json!({"channel": "mine:a", "lat": 52.0, "lng": 13.0});
    call(&mut ada, "geo.position", fix.clone()).await;
    call(&mut eve, "geo.position", fix).await;
    let removal = |key: &str| json!({"publish": {"channel": "mine:a", "type": 1, "key": key, "removed": true}});
    assert_eq!(eve.fault(removal("ada")).await, 103);
    assert!(eve.ask(removal("eve")).await["publish"].is_object());
    for heard in
        [["enter", "ada", "created"], ["enter", "eve", "created"], ["exit", "eve", "deleted"]]
    {
        assert_eq!(told(&mut ada).await, heard);
    }
}

#[tokio::test]
async fn events_are_where_the_configured_fields_say() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    view(&mut client, "named:a@here", near(52.0, 13.0, 500.0)).await;
    let at_least = |key: &str, val: &str| json!({"key": key, "cmp": "gte", "val": val});
    let at_most = |key: &str, val: &str| json!({"key": key, "cmp": "lte", "val": val});
    let nodes = [
        at_least("breite", "60"),
        at_most("breite", "61"),
        at_least("laenge", "20"),
        at_most("laenge", "21"),
    ];
    let filter = json!({"op": "and", "nodes": nodes});
    let subscribe = json!({"channel": "named:a@tags", "tf": filter});
    assert!(client.ask(json!({"subscribe": subscribe})).await["subscribe"].is_object());
    // What the default names say is the application's.
    let data = json!({"breite": 52.0, "laenge": 13.0, "lat": 0, "lng": "no", "n": 1});
    publish(&node, "named:a", data).await;
    for (n, lat, lng) in [(2, "52.001", "13"), (3, "60.5", "20.5"), (4, "60.5", "22")] {
        let tags = json!({"breite": lat, "laenge": lng});
        let event = json!({"channel": "named:a", "data": {"n": n}, "tags": tags});
        node.api("publish", &event).await;
    }
    let point = json!({"type": "Point", "coordinates": [13.0, 52.0]});
    publish(&node, "named:a", json!({"type": "Feature", "geometry": point, "n": 5})).await;
    for (n, channel) in [(1, "here"), (2, "here"), (3, "tags"), (5, "here")] {
        let push = client.message().await["push"].take();
        let heard = [&push["channel"], &push["pub"]["data"]["n"]];
        assert_eq!(heard, [&json!(format!("named:a@{channel}")), &json!(n)]);
    }
}

#[tokio::test]
async fn faults_of_a_place_name_the_configured_fields() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    let publish =
        |channel: &str, data: &Value| json!({"publish": {"channel": channel, "data": data}});
    for (data, why) in [
        (json!({"lat": 52.0, "lng": 13.0}), "breite: missing"),
        (json!({"breite": 52.0, "lng": 13.0}), "laenge: missing"),
        (json!({"breite": "52", "laenge": 13.0}), "breite: must be a number, not a string"),
        (json!({"breite": 52.0, "laenge": 181}), "laenge: 181"),
        (json!({"breite": 95, "laenge": 13}), "breite: 95"),
    ] {
        for (channel, path) in [("named:a", "data."), ("fleet:a", "")] {
            let mut data = data.clone();
            data["key"] = json!("a");
            let told = refused(&mut client, publish(channel, &data)).await;
            let expected = format!("bad request: {path}{why}");
            assert!(told.starts_with(&expected), "{channel} {data}: {told}");
        }
    }
    for (tags, why) in [
        (json!({"breite": "52"}), "tags.laenge: missing"),
        (json!({"breite": "52", "laenge": "x"}), "tags.laenge: not a number"),
        (json!({"breite": "95", "laenge": "13"}), "tags.breite: 95"),
        (json!({"lat": "52", "lng": "13"}), "data.breite: missing"),
    ] {
        let event = json!({"channel": "named:a", "data": {"n": 1}, "tags": tags});
        let answer = node.ask_api("publish", &event).await;
        let told = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(told.starts_with(&format!("bad request: {why}")), "{tags}: {answer}");
    }
}

#[tokio::test]
async fn published_fixes_are_where_the_configured_fields_say() {
    let node = start().await;
    let mut client = Client::connect_as(&node, "ada").await;
    view(&mut client, "fleet:a", near(52.0, 13.0, 500.0)).await;
    let fix = json!({"key": "a", "breite": 52.0, "laenge": 13.0, "lat": 1, "kind": "bike"});
    let command = json!({"publish": {"channel": "fleet:a", "data": fix}});
    assert!(client.ask(command).await["publish"].is_object());
    let told = client.publication().await;
    assert_eq!(
        [&told["key"], &told["lat"], &told["lng"]],
        [&json!("a"), &json!(52.0), &json!(13.0)]
    );
    assert_eq!(told["data"], json!({"lat": 1, "kind": "bike"}));
    // A call has the names that the protocol gives it.
    let call_data = json!({"channel": "fleet:a", "key": "b", "breite": 52.0, "laenge": 13.0});
    let why = refused(&mut client, json!({"rpc": {"method": "geo.position", "data": call_data}}));
    assert!(why.await.starts_with("bad request: breite: unknown; there are channel, lat, lng"));
}
