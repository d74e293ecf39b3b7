//! Crowds: many subscribers in one place, and many fences over one point.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{near, publish, start};
use crate::node::Node;

/// Carries out many commands of the server API in order.
async fn batch(node: &Node, method: &str, bodies: impl Iterator<Item = Value>) {
    let commands: Vec<Value> = bodies.map(|body| json!({ method: body })).collect();
    for some in commands.chunks(500) {
        let answer = node.ask_api("batch", &json!({ "commands": some })).await;
        let replies = answer["replies"].as_array().unwrap();
        assert!(replies.iter().all(|reply| reply["error"].is_null()), "{}", replies[0]);
    }
}

#[tokio::test]
async fn twenty_thousand_subscribers_in_one_cell_get_one_event_once_each() {
    let node = start().await;
    let mut clients = Vec::new();
    for number in 0..160 {
        let mut client = Client::connect(&node).await;
        let subscribe = |label: u32| {
            let radius = 400.0 + f64::from(number) + f64::from(label);
            let data = near(52.5147, 13.2395, radius);
            let subscribe = json!({"channel": format!("alerts:stadium@{label}"), "data": data});
            json!({"id": 1000 + label, "subscribe": subscribe}).to_string()
        };
        let all: Vec<String> = (0..125).map(subscribe).collect();
        client.say_text(all.join("\n")).await;
        for _ in 0..125 {
            let reply = client.message().await;
            assert!(reply["subscribe"].is_object(), "{reply}");
        }
        clients.push(client);
    }
    publish(&node, "alerts:stadium", json!({"lat": 52.5148, "lng": 13.2394, "n": 1})).await;
    publish(&node, "alerts:stadium", json!({"lat": 52.6, "lng": 13.2394, "n": 2})).await;
    publish(&node, "alerts:stadium", json!({"lat": 52.5147, "lng": 13.2395, "n": 3})).await;
    let mut deliveries = 0;
    for client in &mut clients {
        let mut told = std::collections::BTreeMap::<String, Vec<u64>>::new();
        for _ in 0..250 {
            let push = client.message().await["push"].take();
            let channel = push["channel"].as_str().unwrap().to_owned();
            told.entry(channel).or_default().push(push["pub"]["data"]["n"].as_u64().unwrap());
            deliveries += 1;
        }
        assert_eq!(told.len(), 125);
        assert!(told.values().all(|numbers| numbers == &[1, 3]), "{told:?}");
    }
    assert_eq!(deliveries, 40_000);
}

#[tokio::test]
async fn ten_thousand_fences_over_one_point_all_tell_of_it_once() {
    let node = start().await;
    let mut client = Client::connect(&node).await;
    client.subscribe("results").await;
    let fence = |number: u32| {
        json!({
            "name": format!("f{number:05}"), "channel": "drivers:city",
            "area": near(52.0, 13.0, 500.0 + f64::from(number) * 0.1),
            "detect": ["enter", "exit"], "publish": "results",
        })
    };
    batch(&node, "fence_set", (0..10_000).map(fence)).await;
    for (lat, event) in [(52.0, "enter"), (53.0, "exit")] {
        let fix = json!({"channel": "drivers:city", "key": "a", "lat": lat, "lng": 13.0});
        node.api("geo_set", &fix).await;
        for number in 0..10_000 {
            let told = client.publication().await;
            assert_eq!(told["event"], event);
            assert_eq!(told["fence"], format!("f{number:05}"), "in the order of their names");
        }
    }
}
