//! Zones and fences as the server API has them: set, shown, sent back.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{call, near, start, view};
use crate::geo_objects::{keys, set};
use crate::node::Node;

/// The text of the error that answers a call of the server API.
async fn refused(node: &Node, method: &str, body: &Value) -> String {
    let answer = node.ask_api(method, body).await;
    assert_eq!(answer["error"]["code"], 107, "{method} {body}: {answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_zone_that_changes_over_still_objects_gives_enter_and_exit() {
    let node = start().await;
    set(&node, "drivers:city", "a", 52.0, 13.0).await;
    node.api("zone_set", &json!({"name": "centre", "area": near(52.0, 13.0, 500.0)})).await;
    let mut client = Client::connect(&node).await;
    let joined = view(&mut client, "drivers:city@zone:centre", Value::Null).await;
    assert_eq!(keys(&joined["data"]["objects"]), ["a"]);
    let at = json!({"lat": 52.0, "lng": 13.0});
    let zones = call(&mut client, "geo.zones", at).await["zones"].clone();
    assert_eq!([&zones[0], &zones[1]], ["centre", "countries/DE"]);
    node.api("zone_set", &json!({"name": "centre", "area": near(53.0, 13.0, 500.0)})).await;
    let told = client.publication().await;
    assert_eq!([&told["event"], &told["reason"]], ["exit", "area_changed"]);
    node.api("zone_set", &json!({"name": "centre", "area": near(52.0, 13.0, 500.0)})).await;
    assert_eq!(client.publication().await["event"], "enter");
    node.api("zone_remove", &json!({"name": "centre"})).await;
    assert_eq!(client.publication().await["event"], "exit");
}

#[tokio::test]
async fn a_backend_learns_the_zones_of_a_place_as_clients_do() {
    let node = start().await;
    node.api("zone_set", &json!({"name": "centre", "area": near(52.52, 13.405, 500.0)})).await;
    let mut client = Client::connect(&node).await;
    for (lat, lng, first) in [
        (52.52, 13.405, json!(["centre", "countries/DE", "cities/DE/berlin"])),
        (66.0, -180.0, json!(["countries/RU"])),
        (-90.0, 12.0, json!(["countries/AQ"])),
        (0.0, -140.0, json!([])),
    ] {
        let at = json!({"lat": lat, "lng": lng});
        let told = node.api("geo_zones", &at).await;
        let zones = told["zones"].as_array().unwrap();
        assert_eq!(Value::from(zones[..zones.len().min(3)].to_vec()), first, "{told}");
        assert_eq!(told, call(&mut client, "geo.zones", at).await);
    }
    for (body, why) in [
        (json!({"lat": 52.0}), "lng: missing"),
        (
            json!({"lat": 113.4, "lng": 52.5}),
            "lat: 113.4 is outside -90..90; lat and lng look swapped",
        ),
        (json!({"lat": 1, "lng": 2, "alt": 3}), "alt: unknown; there are lat, lng"),
        (json!([1, 2]), "must be an object, not a list"),
    ] {
        assert_eq!(refused(&node, "geo_zones", &body).await, format!("bad request: {why}"));
    }
}
