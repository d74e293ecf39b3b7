//! Webhooks: signed, in order, and sent again until they are taken.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::geo_events::{FILE, near};
use crate::node::Node;
use crate::time::within;

/// One request that an application got.
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(": ")).unwrap().1.trim()
    }

    /// Whether the signature is that of the body under this secret.
    fn is_signed(&self, secret: &str) -> bool {
        let signature = self.header("x-nearcast-signature");
        let (time, tag) = signature.split_once(",v1=").unwrap();
        let mut signed = format!("{}.", time.trim_start_matches("t=")).into_bytes();
        signed.extend(&self.body);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let bytes: Vec<u8> = (0..tag.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(tag.get(at..at + 2).unwrap(), 16).unwrap())
            .collect();
        ring::hmac::verify(&key, &signed, &bytes).is_ok()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Takes the next request and answers it with this status.
async fn take(listener: &TcpListener, status: &str) -> Got {
    let (mut stream, _) = within("a webhook", listener.accept()).await.unwrap();
    let got = read(&mut stream).await;
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    got
}

async fn read(stream: &mut TcpStream) -> Got {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = within("a request", stream.read(&mut some)).await.unwrap();
        bytes.extend(some.get(..count).unwrap());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
        });
        if length.is_some_and(|length| body.len() >= length.unwrap()) {
            return Got { head: head.to_owned(), body: body.as_bytes().to_vec() };
        }
    }
}

#[tokio::test]
async fn a_fence_tells_a_webhook_in_order_until_it_is_taken() {
    let secret = "hook-secret";
    let node = Node::start_with(FILE, &[("webhook.secret", secret)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook?a=1", listener.local_addr().unwrap());
    let fence = json!({
        "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
        "detect": ["enter", "exit"], "webhook": address,
    });
    node.api("fence_set", &fence).await;
    for lat in [52.0, 53.0] {
        let fix = json!({"channel": "drivers:city", "key": "a", "lat": lat, "lng": 13.0});
        node.api("geo_set", &fix).await;
    }
    let first = take(&listener, "503 Service Unavailable").await;
    let again = take(&listener, "200 OK").await;
    let exit = take(&listener, "204 No Content").await;
    assert!(first.head.starts_with("POST /hook?a=1 HTTP/1.1"), "{}", first.head);
    for got in [&first, &again, &exit] {
        assert!(got.is_signed(secret), "{}", got.head);
    }
    assert_eq!(first.json(), again.json());
    assert_eq!(first.header("x-nearcast-delivery"), again.header("x-nearcast-delivery"));
    assert_ne!(exit.header("x-nearcast-delivery"), again.header("x-nearcast-delivery"));
    let told = [&first.json()["event"], &exit.json()["event"], &exit.json()["fence"]];
    assert_eq!(told, ["enter", "exit", "depot"]);
}

#[tokio::test]
async fn a_webhook_without_a_secret_or_address_is_refused() {
    let node = Node::start_with(FILE, &[]).await;
    let fence = |webhook: &str| {
        json!({
            "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
            "detect": ["enter"], "webhook": webhook,
        })
    };
    let answer = node.ask_api("fence_set", &fence("http://127.0.0.1:1/")).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("webhook.secret"), "{answer}");
    let node = Node::start_with(FILE, &[("webhook.secret", "s")]).await;
    let answer = node.ask_api("fence_set", &fence("ftp://127.0.0.1/")).await;
    assert_eq!(answer["error"]["code"], 107, "{answer}");
}

#[tokio::test]
async fn an_answer_takes_a_webhook_by_its_status_alone() {
    let settings = [("webhook.secret", "s"), ("webhook.timeout", "1s")];
    let node = Node::start_with(FILE, &settings).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fence = json!({
        "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
        "detect": ["enter", "exit"],
        "webhook": format!("http://{}/", listener.local_addr().unwrap()),
    });
    node.api("fence_set", &fence).await;
    for lat in [52.0, 53.0] {
        let fix = json!({"channel": "drivers:city", "key": "a", "lat": lat, "lng": 13.0});
        node.api("geo_set", &fix).await;
    }
    // It promises a body that never comes.
    let (mut stream, _) = within("a webhook", listener.accept()).await.unwrap();
    assert_eq!(read(&mut stream).await.json()["event"], "enter");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nso").await.unwrap();
    assert_eq!(take(&listener, "200 OK").await.json()["event"], "exit");
    node.wait_for_metric("nearcast_webhook_attempts{outcome=\"delivered\"}", 2).await;
    assert_eq!(node.metric("nearcast_webhook_attempts{outcome=\"retried\"}").await, 0);
    drop(stream);
}

#[tokio::test]
async fn what_has_no_room_on_its_way_to_a_webhook_is_counted_and_said() {
    let settings = [("webhook.secret", "s"), ("webhook.queue_max", "1")];
    let mut node = Node::start_with(FILE, &settings).await;
    node.expect_warning("webhooks are dropped");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fence = json!({
        "name": "depot", "channel": "drivers:city", "area": near(52.0, 13.0, 1000.0),
        "detect": ["enter", "exit"],
        "webhook": format!("http://{}/", listener.local_addr().unwrap()),
    });
    node.api("fence_set", &fence).await;
    for round in 0..10 {
        let lat = if round % 2 == 0 { 52.0 } else { 53.0 };
        let fix = json!({"channel": "drivers:city", "key": "noisy", "lat": lat, "lng": 13.0});
        node.api("geo_set", &fix).await;
    }
    node.wait_for_log("webhooks are dropped: too many wait for their address").await;
    let said = node.log().iter().filter(|line| line.contains("webhooks are dropped")).count();
    assert_eq!(said, 1, "once, until there is room");
    assert!(node.metric("nearcast_webhook_attempts{outcome=\"dropped\"}").await > 0);
}
