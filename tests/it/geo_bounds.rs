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
