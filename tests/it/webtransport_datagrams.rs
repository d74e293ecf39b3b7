//! Fixes by datagram, over networks that lose, double and turn round what they carry.

use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::{near, view};
use crate::node::Node;
use crate::random::Random;
use crate::webtransport::Session;

async fn start() -> Node {
    let listen = [("listen.webtransport", "127.0.0.1:0")];
    Node::start_with(crate::geo_events::FILE, &listen).await
}

fn wants(extras: Value) -> Value {
    let mut connect = json!({"data": {}});
    connect["data"]["webtransport"] = extras;
    connect
}

async fn session(node: &Node) -> Session {
    Session::connect_as(node, wants(json!({"datagrams": true}))).await
}

fn dropped(reason: &str) -> String {
    format!("nearcast_geo_datagrams_dropped{{reason=\"{reason}\"}}")
}

fn fix(seq: u64, lat: f64) -> Value {
    json!({"seq": seq, "lat": lat, "lng": 13.0})
}

fn object(seq: u64, key: &str, lat: f64) -> Value {
    let mut fix = fix(seq, lat);
    fix["channel"] = "drivers:city".into();
    fix["key"] = key.into();
    fix
}

#[tokio::test]
async fn what_a_client_asks_of_its_transport_is_answered() {
    let node = start().await;
    let mut open = Session::open(&node).await;
    let reply = open.ask(json!({"connect": wants(json!({"datagrams": true}))})).await;
    let told = &reply["connect"]["data"]["webtransport"];
    assert_eq!(told, &json!({"datagram_bytes_max": 1024}), "{reply}");
    for (extras, why) in [
        (json!({"datagram": true}), "data.webtransport.datagram: unknown"),
        (json!({"datagrams": 1}), "data.webtransport.datagrams: "),
        (json!(true), "data.webtransport: "),
    ] {
        let mut open = Session::open(&node).await;
        let error = open.ask(json!({"connect": wants(extras)})).await["error"].clone();
        assert_eq!(error["code"], 107, "{error}");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    // Who asks for nothing is told nothing, and to other transports it is the application's own.
    let mut open = Session::open(&node).await;
    let reply = open.ask(json!({"connect": wants(json!({}))})).await;
    assert_eq!(reply["connect"]["data"], Value::Null, "{reply}");
    let mut websocket = Client::open(&node).await;
    let reply = websocket.ask(json!({"connect": wants(json!({"datagram": 7}))})).await;
    assert!(reply["connect"]["client"].is_string(), "{reply}");
    assert_eq!(reply["connect"]["data"], Value::Null, "{reply}");
}

#[tokio::test]
async fn of_each_object_and_of_the_session_the_highest_number_counts() {
    let node = start().await;
    let mut watcher = Client::connect(&node).await;
    view(&mut watcher, "drivers:city", near(52.0, 13.0, 5000.0)).await;
    let mut session = session(&node).await;
    let follow = json!({"follow": "me", "radius_m": 500});
    let subscribe = json!({"subscribe": {"channel": "alerts:city", "data": follow}});
    assert!(session.ask(subscribe).await["subscribe"].is_object());
    let say = |fix: &Value| session.connection.send_datagram(fix.to_string()).unwrap();
    say(&object(5, "d1", 52.001));
    assert_eq!(watcher.publication().await["lat"], 52.001);
    // Older and repeated; another object has its own row.
    say(&object(4, "d1", 52.003));
    say(&object(5, "d1", 52.003));
    say(&object(3, "d2", 52.002));
    assert_eq!(watcher.publication().await["key"], "d2");
    node.wait_for_metric(&dropped("late"), 2).await;
    // The area that follows the session is where it was last.
    say(&fix(9, 52.5));
    say(&fix(8, 48.0));
    node.wait_for_metric(&dropped("late"), 3).await;
    // A request waits for those before it.
    session.ask(json!({"history": {"channel": "alerts:city", "limit": 0}})).await;
    for (lat, n) in [(48.0, 1), (52.5, 2)] {
        let data = json!({"lat": lat, "lng": 13.0, "n": n});
        node.api("publish", &json!({"channel": "alerts:city", "data": data})).await;
    }
    assert_eq!(session.publication().await["n"], 2);
}

#[tokio::test]
async fn datagrams_that_are_no_fixes_are_counted() {
    let node = start().await;
    let mut session = session(&node).await;
    let say = |bytes: &[u8]| session.connection.send_datagram(bytes).unwrap();
    say(b"");
    node.wait_for_metric(&dropped("empty"), 1).await;
    let filled = |length: usize, seq: u64| {
        let text = object(seq, "d1", 52.0).to_string();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    say(filled(1025, 1).as_bytes());
    node.wait_for_metric(&dropped("oversized"), 1).await;
    let no_number = json!({"lat": 52.0, "lng": 13.0});
    for wrong in [&json!({"seq": 1, "lat": 91, "lng": 13.0}), &no_number, &json!("nonsense")] {
        say(wrong.to_string().as_bytes());
    }
    say(&[0xFF, 0, 0x80]);
    node.wait_for_metric(&dropped("wrong"), 4).await;
    // What was refused used no number up, and a datagram of 1,024 bytes is none too large.
    say(filled(1024, 1).as_bytes());
    node.wait_for_metric("nearcast_geo_objects", 1).await;
    let unasked = Session::connect(&node).await;
    unasked.connection.send_datagram(fix(1, 52.0).to_string()).unwrap();
    node.wait_for_metric(&dropped("unasked"), 1).await;
    assert!(session.ask(json!({"ping": {}})).await["error"].is_null());
}

#[tokio::test]
async fn the_log_tells_what_is_wrong_with_a_datagram() {
    let settings = [("listen.webtransport", "127.0.0.1:0"), ("log.level", "debug")];
    let mut node = Node::start_with(crate::geo_events::FILE, &settings).await;
    let session = session(&node).await;
    for (wrong, why) in [
        (json!({"lat": 52.0, "lng": 13.0}), "seq: missing"),
        (json!({"seq": 1, "lat": 52.0, "lng": 13.0, "key": "a"}), "key: only with channel"),
        (json!({"seq": 1, "lat": 52.0, "lng": 13.0, "speed_mps": "fast"}), "speed_mps: must be"),
        (json!({"seq": 1, "lat": 139.6917, "lng": 35.6895}), "lat: missing, or not in degrees"),
        (json!({"seq": 1, "lat": 52.0, "lng": 13.0, "channel": "none:a"}), "unknown channel"),
    ] {
        session.connection.send_datagram(wrong.to_string()).unwrap();
        node.wait_for_log(why).await;
    }
    node.wait_for_metric(&dropped("wrong"), 5).await;
    let log = node.log().join("\n");
    assert!(!log.contains("139.69"), "a place in the log: {log}");
}

/// What a network makes of numbered datagrams: each is lost or doubled in `percent` of cases, or
/// changes places with one up to eight before it.
fn network(count: u64, percent: usize, random: &mut Random) -> Vec<u64> {
    let mut sent = Vec::new();
    for number in 1..=count {
        let copies = match random.below(100) {
            chance if chance < percent => 0,
            chance if chance < 2 * percent => 2,
            _ => 1,
        };
        sent.extend(std::iter::repeat_n(number, copies));
    }
    for at in 8..sent.len() {
        if random.below(100) < percent {
            sent.swap(at, at - 1 - random.below(8));
        }
    }
    sent
}

#[tokio::test]
async fn objects_never_go_back_whatever_the_network_does() {
    for percent in [1, 20] {
        let node = start().await;
        let mut watcher = Client::connect(&node).await;
        view(&mut watcher, "drivers:city", near(52.0, 13.0, 5000.0)).await;
        let session = session(&node).await;
        let mut random = Random::new(percent as u64);
        let lat = |number: u64| 52.0 + number as f64 * 1e-5;
        let (mut highest, mut late) = (0, 0);
        for number in network(600, percent, &mut random) {
            let text = object(number, "d1", lat(number)).to_string();
            session.connection.send_datagram(text).unwrap();
            // One after the other, so that the network is the one that is written here.
            if number > highest {
                highest = number;
                assert_eq!(watcher.publication().await["lat"], lat(number), "{percent} %");
            } else {
                late += 1;
                node.wait_for_metric(&dropped("late"), late).await;
            }
        }
        assert!(late > 0, "{percent} %");
        assert!(highest > 580, "{percent} %");
    }
}
