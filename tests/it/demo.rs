//! `nearcast demo`: its page, its couriers, its events, its end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{near, view};
use crate::http::{self, Response};
use crate::node::{self, Node};

/// All of the city.
fn city() -> Value {
    near(57.7, 11.967, 5000.0)
}

async fn get(node: &Node, path: &str) -> Response {
    http::exchange(node.http, http::request("GET", path, &[], &[])).await
}

/// Everybody, by key.
async fn couriers(node: &Node) -> BTreeMap<String, Value> {
    let ask = json!({"channel": "couriers:city", "area": city(), "limit": 1000});
    let found = node.api("geo_nearby", &ask).await["objects"].clone();
    by_key(found.as_array().unwrap().clone())
}

fn by_key(objects: Vec<Value>) -> BTreeMap<String, Value> {
    objects.into_iter().map(|one| (one["key"].as_str().unwrap().to_owned(), one)).collect()
}

fn metres(one: &Value, other: &Value) -> f64 {
    let (lat, lng) = (one["lat"].as_f64().unwrap(), one["lng"].as_f64().unwrap());
    let (north, east) =
        (other["lat"].as_f64().unwrap() - lat, other["lng"].as_f64().unwrap() - lng);
    (north.powi(2) + (east * lat.to_radians().cos()).powi(2)).sqrt() * 111_195.0
}

#[tokio::test]
async fn the_page_and_all_that_it_names_are_served() {
    let node = Node::start_demo(&["--couriers", "5"]).await;
    let page = get(&node, "/").await;
    assert_eq!(page.status, 200, "{}", page.head);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let mut text = page.text();
    text.push_str(&get(&node, "/page.js").await.text());
    let files = text.split('"').filter(|word| {
        let is_file = [".js", ".css", ".json", ".svg"].iter().any(|end| word.ends_with(end));
        word.starts_with('/') && is_file
    });
    let files: Vec<&str> = files.collect();
    assert_eq!(files.len(), 8, "{files:?}");
    for file in files {
        let answer = get(&node, file).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(answer.body.len() > 100, "{file}");
    }
    assert_eq!(get(&node, "/elsewhere").await.status, 404);
}

#[tokio::test]
async fn a_node_that_is_no_demo_has_no_pages() {
    let node = Node::start(&[]).await;
    for path in ["/", "/page.js", "/streets.json"] {
        assert_eq!(get(&node, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn couriers_move_and_a_view_hears_of_them() {
    let node = Node::start_demo(&["--couriers", "200"]).await;
    let mut client = Client::connect(&node).await;
    let joined = view(&mut client, "couriers:city", city()).await;
    let objects = joined["data"]["objects"].as_array().unwrap().clone();
    assert_eq!(objects.len(), 200);
    let mut last = by_key(objects);
    let mut moved = 0;
    for _ in 0..600 {
        let told = client.publication().await;
        assert_eq!(told["event"], "move", "{told}");
        let before = last.insert(told["key"].as_str().unwrap().to_owned(), told.clone()).unwrap();
        let gone = metres(&before, &told);
        assert!(gone < 6.3, "{gone} m in a second: {before} {told}");
        assert!(told["data"]["name"].is_string(), "{told}");
        moved += usize::from(gone > 0.5);
    }
    assert!(moved > 200, "{moved} of 600 fixes");
}

#[tokio::test]
async fn a_near_view_is_told_who_enters() {
    let node = Node::start_demo(&["--couriers", "1000"]).await;
    let mut client = Client::connect(&node).await;
    let joined = view(&mut client, "couriers:city", near(57.7, 11.967, 500.0)).await;
    let objects = joined["data"]["objects"].as_array().unwrap();
    let mut inside: Vec<Value> = objects.iter().map(|one| one["key"].clone()).collect();
    let mut entered = 0;
    while entered < 3 {
        let told = client.publication().await;
        let place = inside.iter().position(|key| *key == told["key"]);
        match (told["event"].as_str().unwrap(), place) {
            ("enter", None) => {
                inside.push(told["key"].clone());
                entered += 1;
            }
            ("exit", Some(place)) => drop(inside.remove(place)),
            ("move", Some(_)) => {}
            (_, _) => panic!("{told}, with {inside:?} inside"),
        }
    }
}

#[tokio::test]
async fn things_happen_in_the_city_and_in_the_world() {
    let node = Node::start_demo(&["--couriers", "1"]).await;
    let mut client = Client::connect(&node).await;
    // Whoever sees the whole city is in reach of what happens anywhere.
    let bbox = json!({"bbox": {"west": 11.9, "south": 57.6, "east": 12.1, "north": 57.8}});
    view(&mut client, "alerts:city", bbox).await;
    let world = json!({"bbox": {"west": -180, "south": -90, "east": 180, "north": 90}});
    view(&mut client, "alerts:earthquakes", world).await;
    let (mut here, mut there) = (0, 0);
    while here < 2 || there < 2 {
        let told = client.publication().await;
        match told["kind"].as_str().unwrap() {
            "earthquake" => {
                assert!(told["magnitude"].as_f64().unwrap() >= 2.5, "{told}");
                there += 1;
            }
            _ => {
                assert!(told["reach_m"].as_f64().unwrap() >= 400.0, "{told}");
                here += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_seed_is_a_city() {
    let start = |seed| async move {
        let node = Node::start_demo(&["--couriers", "40", "--seed", seed]).await;
        couriers(&node).await
    };
    let (one, same, other) = (start("7").await, start("7").await, start("8").await);
    assert_eq!(one.len(), 40);
    // Nobody goes far in the seconds that a busy machine needs to ask.
    let apart = |other: &BTreeMap<String, Value>| {
        one.iter().filter(|(key, courier)| metres(courier, &other[*key]) > 200.0).count()
    };
    assert_eq!(apart(&same), 0);
    assert!(apart(&other) > 30, "{}", apart(&other));
    let names = |all: &BTreeMap<String, Value>| {
        all.values().map(|one| one["data"]["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&one), names(&same));
    assert_ne!(names(&one), names(&other));
}

#[tokio::test]
async fn the_demo_ends_as_a_node_does() {
    let mut node = Node::start_demo(&["--couriers", "50"]).await;
    let mut client = Client::connect(&node).await;
    view(&mut client, "couriers:city@all", city()).await;
    node.signal("TERM");
    assert_eq!(client.close_code().await, 3001);
    assert_eq!(node.exit_code().await, Some(0));
}

#[test]
fn the_demo_stays_on_this_machine() {
    for option in ["--http", "--admin"] {
        let (code, said) = node::run(&["demo", option, "0.0.0.0:0"], &[]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("only on loopback addresses"), "{said}");
    }
}
