//! Several devices of one user, and of nobody: each has its own position and its own moved areas.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{call, near, publish, start, view};
use crate::node::{Node, token};

const CHANNEL: &str = "alerts:city@map";

/// Connects with this connect data; `user` empty for an anonymous client.
async fn device(node: &Node, user: &str, data: Value) -> Client {
    let mut client = Client::open(node).await;
    let mut connect = json!({ "data": data });
    if !user.is_empty() {
        connect["token"] = token(&json!({"sub": user})).into();
    }
    client.enter(connect).await;
    client
}

/// Subscribes as every device does: whether the area is one that was moved.
async fn begin(client: &mut Client) -> bool {
    let joined = view(client, CHANNEL, near(10.0, 10.0, 500.0)).await;
    joined["data"]["moved"] == true
}

async fn move_to(client: &mut Client, lat: f64) {
    let area = json!({"channel": CHANNEL, "area": near(lat, 13.0, 500.0)});
    call(client, "geo.move", area).await;
}

#[tokio::test]
async fn each_device_comes_back_to_its_own_area() {
    let node = start().await;
    let owners = [
        ("ada", json!({"device": "phone"}), 50.0),
        ("ada", json!({"device": "tablet"}), 51.0),
        ("ada", json!({}), 52.0),
        ("eve", json!({"device": "phone"}), 53.0),
        ("", json!({"device": "phone"}), 54.0),
        ("", json!({"device": "tablet"}), 55.0),
    ];
    for (user, data, lat) in &owners {
        let mut client = device(&node, user, data.clone()).await;
        assert!(!begin(&mut client).await, "{user} {data}");
        move_to(&mut client, *lat).await;
    }
    let mut back = Vec::new();
    for (user, data, lat) in &owners {
        let mut client = device(&node, user, data.clone()).await;
        assert!(begin(&mut client).await, "{user} {data}");
        back.push((client, *lat));
    }
    for n in 49..=56 {
        publish(&node, "alerts:city", json!({"lat": n, "lng": 13.0, "n": n})).await;
    }
    publish(&node, "alerts:city", json!({"lat": 10.0, "lng": 10.0, "n": 0})).await;
    for (client, lat) in &mut back {
        assert_eq!(client.publication().await["n"].as_f64(), Some(*lat));
        move_to(client, 56.5).await;
    }
    publish(&node, "alerts:city", json!({"lat": 56.5, "lng": 13.0, "n": "last"})).await;
    for (client, _) in &mut back {
        assert_eq!(client.publication().await["n"], "last", "and nothing of the others' areas");
    }
}

#[tokio::test]
async fn what_names_no_device_is_one_and_nobody_without_one_begins_anew() {
    let node = start().await;
    for data in [Value::Null, json!({"device": 7}), json!({"device": ""}), json!(["device"])] {
        let mut client = device(&node, "", data.clone()).await;
        assert!(!begin(&mut client).await, "{data}");
        move_to(&mut client, 50.0).await;
    }
    let mut client = device(&node, "", Value::Null).await;
    assert!(!begin(&mut client).await);
    let mut first = device(&node, "ada", Value::Null).await;
    assert!(!begin(&mut first).await);
    move_to(&mut first, 50.0).await;
    let mut second = device(&node, "ada", json!({"device": 7})).await;
    assert!(begin(&mut second).await, "two tabs of one user are one");
    move_to(&mut second, 51.0).await;
    drop(first);
    let mut third = device(&node, "ada", Value::Null).await;
    assert!(begin(&mut third).await);
    for n in [50, 51] {
        publish(&node, "alerts:city", json!({"lat": n, "lng": 13.0, "n": n})).await;
    }
    assert_eq!(third.publication().await["n"], 51, "where the last of them moved it");
}

#[tokio::test]
async fn leaving_on_one_device_forgets_nothing_of_another() {
    let node = start().await;
    let mut phone = device(&node, "ada", json!({"device": "phone"})).await;
    let mut tablet = device(&node, "ada", json!({"device": "tablet"})).await;
    for client in [&mut phone, &mut tablet] {
        begin(client).await;
        move_to(client, 50.0).await;
    }
    phone.ask(json!({"unsubscribe": {"channel": CHANNEL}})).await;
    assert!(!begin(&mut phone).await);
    drop(tablet);
    let mut tablet = device(&node, "ada", json!({"device": "tablet"})).await;
    assert!(begin(&mut tablet).await);
}

#[tokio::test]
async fn each_device_is_where_it_says() {
    let node = start().await;
    let at =
        |device: &str, lat: f64| json!({"device": device, "position": {"lat": lat, "lng": 13.0}});
    let mut devices = [
        device(&node, "ada", at("phone", 50.0)).await,
        device(&node, "ada", at("tablet", 51.0)).await,
        device(&node, "", at("phone", 52.0)).await,
        device(&node, "", json!({"position": {"lat": 53.0, "lng": 13.0}})).await,
    ];
    for client in &mut devices {
        view(client, "alerts:me", json!({"follow": "me", "radius_m": 500})).await;
    }
    for n in 49..=54 {
        publish(&node, "alerts:me", json!({"lat": n, "lng": 13.0, "n": n})).await;
    }
    call(&mut devices[0], "geo.position", json!({"lat": 60.0, "lng": 13.0})).await;
    for n in [60, 51, 52, 53] {
        publish(&node, "alerts:me", json!({"lat": n, "lng": 13.0, "n": n})).await;
    }
    for (client, heard) in devices.iter_mut().zip([[50, 60], [51, 51], [52, 52], [53, 53]]) {
        for n in heard {
            assert_eq!(client.publication().await["n"], n);
        }
    }
}
