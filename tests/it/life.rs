//! The life of the process: start, reload, drain, restart, and how it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::node::{self, FILE, Node, sign};
use crate::raw::Raw;
use crate::slow::deaf;
use crate::time::{now, within};

#[tokio::test]
async fn sigterm_drains_over_the_spread() {
    let settings = [("shutdown.spread", "1s"), ("shutdown.timeout", "20s")];
    let mut node = Node::start(&settings).await;
    let mut clients = Vec::new();
    for _ in 0..11 {
        clients.push(Client::connect(&node).await);
    }
    let mut idle = Raw::dial(node.http).await;
    assert_eq!(node.get("/ready").await.status, 200);
    let start = now();
    node.signal("TERM");
    node.wait_for_log("draining").await;
    let ends = join_all(clients.iter_mut().map(|client| async move {
        let code = client.close_code().await;
        (code, start.elapsed())
    }));
    let operator = async { (node.get("/ready").await.status, node.get("/health").await.status) };
    // The log tells before the listener is closed.
    let refused = async { while TcpStream::connect(node.http).await.is_ok() {} };
    let newcomer = within("a refusal of new connections", refused);
    let (ends, ready_and_health, ()) = tokio::join!(ends, operator, newcomer);
    assert_eq!(ready_and_health, (503, 200));
    assert!(ends.iter().all(|(code, _)| *code == 3001), "{ends:?}");
    let mut times: Vec<Duration> = ends.into_iter().map(|(_, time)| time).collect();
    times.sort();
    // On a busy machine the first may hear of it late, and then the others follow more closely.
    assert!(times[0] < Duration::from_secs(3), "{times:?}");
    assert!(times[10] - times[0] > Duration::from_millis(400), "{times:?}");
    assert_eq!(idle.end().await, b"");
    assert_eq!(node.exit_code().await, Some(0));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn sigint_and_an_empty_node_end_at_once() {
    let mut node = crate::webtransport::start(&[]).await;
    let start = now();
    node.signal("INT");
    node.wait_for_log("draining connections=0 ").await;
    assert_eq!(node.exit_code().await, Some(0));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn connections_without_a_connect_do_not_hold_a_drain_up() {
    let settings = [
        ("shutdown.spread", "0s"),
        ("shutdown.timeout", "20s"),
        ("client.stale_close_delay", "1h"),
    ];
    let mut node = Node::start(&settings).await;
    let mut fresh = Client::open(&node).await;
    let start = now();
    node.signal("TERM");
    node.wait_for_log("draining connections=1 ").await;
    assert_eq!(fresh.close_code().await, 3001);
    assert_eq!(node.exit_code().await, Some(0));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_outlive_the_timeout() {
    let settings = [
        ("shutdown.spread", "0s"),
        ("shutdown.timeout", "2s"),
        ("client.queue_max_size", "256MiB"),
    ];
    let mut node = Node::start(&settings).await;
    node.expect_warning("the drain took too long");
    let deaf = deaf(&node, "plain:a").await;
    let body = json!({"channel": "plain:a", "data": "x".repeat(1 << 20)});
    for _ in 0..16 {
        node.api("publish", &body).await;
    }
    let start = now();
    node.signal("TERM");
    assert_eq!(node.exit_code().await, Some(0));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    drop(deaf);
}

#[tokio::test]
async fn sighup_reloads_the_namespaces() {
    let mut node = Node::start(&[]).await;
    let mut before = Client::connect(&node).await;
    assert_eq!(before.fault(json!({"subscribe": {"channel": "news:a"}})).await, 102);
    let more = format!("{FILE}\n[[channel.namespaces]]\nname = \"news\"\npresence = true\n");
    std::fs::write(&node.file, more).unwrap();
    node.signal("HUP");
    node.wait_for_log("reloaded").await;
    let mut after = Client::connect(&node).await;
    after.subscribe("news:a").await;
    node.api("publish", &json!({"channel": "news:a", "data": {"n": 1}})).await;
    assert_eq!(after.publication().await, json!({"n": 1}));
    // Who was there before goes on.
    before.subscribe("a").await;

    node.expect_warning("nothing was reloaded");
    std::fs::write(&node.file, format!("{FILE}\n[client]\nnonsense = 1\n")).unwrap();
    node.signal("HUP");
    node.wait_for_log("nothing was reloaded").await;
    let mut later = Client::connect(&node).await;
    later.subscribe("news:a").await;
    assert_eq!(after.ask(json!({"ping": {}})).await["error"], Value::Null);
}

/// A key that leaked is of no use from the reload on.
#[tokio::test]
async fn sighup_replaces_the_key_of_the_api() {
    let mut node = Node::start(&[]).await;
    let other = FILE.replace(node::API_KEY, "another-key-of-the-api");
    assert_ne!(other, FILE);
    std::fs::write(&node.file, other).unwrap();
    node.signal("HUP");
    node.wait_for_log("reloaded").await;
    let old = node.post_api("info", &[("X-API-Key", node::API_KEY)], b"{}").await;
    assert_eq!(old.status, 401);
    let new = node.post_api("info", &[("X-API-Key", "another-key-of-the-api")], b"{}").await;
    assert_eq!(new.status, 200);
}

#[tokio::test]
async fn a_node_starts_again_on_its_port() {
    let mut node = Node::start(&[("shutdown.spread", "0s")]).await;
    let mut client = Client::connect(&node).await;
    let subscribe = json!({"subscribe": {"channel": "a", "recoverable": true}});
    let first = client.ask(subscribe).await["subscribe"].clone();
    node.api("publish", &json!({"channel": "a", "data": {}})).await;
    client.publication().await;
    node.signal("TERM");
    assert_eq!(client.close_code().await, 3001);
    assert_eq!(node.exit_code().await, Some(0));

    let address = node.http.to_string();
    let node = Node::start(&[("listen.http", &address)]).await;
    let mut client = Client::connect(&node).await;
    // What a memory of the last run held is gone, and the client is told.
    let again = json!({"channel": "a", "recover": true, "recoverable": true, "offset": 1, "epoch": first["epoch"]});
    let again = client.ask(json!({"subscribe": again})).await["subscribe"].clone();
    assert_eq!(again["recovered"], Value::Null, "{again}");
    assert_eq!(again["was_recovering"], true, "{again}");
    assert_ne!(again["epoch"], first["epoch"]);
}

#[tokio::test]
async fn an_address_in_use_ends_the_start() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = [("listen.http", address.as_str()), ("listen.admin", "off")];
    let (code, log) = node::run(&["serve"], &settings);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("listen.http") && log.contains(&address), "{log}");
}

#[test]
fn a_faulty_configuration_is_told_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faulty.toml");
    let faulty =
        "[client]\nping_interval = \"fast\"\nchanel_limit = 3\n[listen]\nhttp = \"here\"\n";
    std::fs::write(&path, faulty).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let (code, log) = node::run(&arguments, &[("shutdown.timeout", "never")]);
    assert_eq!(code, Some(2), "{log}");
    let told = ["client.ping_interval", "chanel_limit", "listen.http", "shutdown.timeout"];
    for fault in told {
        let lowered = log.to_lowercase();
        let by_name = lowered.contains(fault);
        let by_variable = lowered.contains(&fault.replace('.', "__"));
        assert!(by_name || by_variable, "no word of {fault}: {log}");
    }
    let (code, log) = node::run(&["serve", "--config", "nowhere.toml"], &[]);
    assert_eq!(code, Some(2), "{log}");
    assert_eq!(node::run(&["serve", "--nonsense"], &[]).0, Some(2));
}

#[tokio::test]
async fn the_addresses_are_printed_as_json() {
    let node = Node::start(&[]).await;
    let mut keys: Vec<&String> = node.addresses.as_object().unwrap().keys().collect();
    keys.sort();
    let certificate = ["certificate_by_hash", "certificate_sha256"];
    let expected =
        [&["admin"], certificate.as_slice(), &["http", "relay", "webtransport"]].concat();
    assert_eq!(keys, expected);
    assert_eq!(certificate.map(|key| node.addresses[key].clone()), [json!(false), json!(null)]);
    assert_eq!(
        (&node.addresses["relay"], &node.addresses["webtransport"]),
        (&json!(null), &json!(null))
    );
    assert_ne!((node.http.port(), node.admin.port()), (0, 0));
    assert_ne!(node.http, node.admin);
}

#[tokio::test]
async fn without_a_file_secrets_are_made_and_told_once() {
    let settings = [("listen.http", "127.0.0.1:0"), ("listen.admin", "127.0.0.1:0")];
    let mut node = Node::start_bare(&[], &settings).await;
    node.wait_for_log("http_api.key").await;
    let log = node.log();
    let told = |what: &str| {
        let lines: Vec<&String> = log.iter().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), 1, "{log:?}");
        lines[0].rsplit(' ').next().unwrap().to_owned()
    };
    let (secret, key) = (told("client.token.hmac_secret_key"), told("http_api.key"));
    assert!(secret.len() >= 32 && key.len() >= 32 && secret != key);
    let times = log.iter().filter(|line| line.contains(&secret) || line.contains(&key)).count();
    assert_eq!(times, 2, "{log:?}");
    let mut client = Client::open(&node).await;
    client.enter(json!({"token": sign(&json!({"sub": "ann"}), &secret)})).await;
    let answer = node.post_api("info", &[("X-API-Key", &key)], b"{}").await;
    assert_eq!(answer.json()["result"]["nodes"][0]["num_clients"], 1);
    // Tokens and key are required all the same.
    let mut stranger = Client::open(&node).await;
    stranger.command(json!({"connect": {}})).await;
    assert_eq!(stranger.close_code().await, 3500);
    assert_eq!(node.post_api("info", &[], b"{}").await.status, 401);
}

#[tokio::test]
async fn dev_is_open_to_this_machine_alone() {
    for listener in ["listen.http", "listen.admin"] {
        let local = if listener == "listen.http" { "listen.admin" } else { "listen.http" };
        for address in ["0.0.0.0:0", "[::]:0"] {
            let settings = [(listener, address), (local, "127.0.0.1:0")];
            let (code, log) = node::run(&["serve", "--dev"], &settings);
            assert_eq!(code, Some(2), "{listener} {address}: {log}");
            assert!(log.contains("loopback"), "{log}");
        }
    }
    let settings = [("listen.http", "127.0.0.1:0"), ("listen.admin", "127.0.0.1:0")];
    let node = Node::start_bare(&["--dev"], &settings).await;
    let mut client = Client::connect(&node).await;
    client.subscribe("a").await;
    let reply = client.ask(json!({"publish": {"channel": "a", "data": {"n": 1}}})).await;
    assert_eq!(reply["error"], Value::Null);
    assert_eq!(node.post_api("info", &[], b"{}").await.status, 200);
    let mut raw = Raw::dial(node.http).await;
    let page = crate::raw::upgrade("/connection/websocket", &[("Origin", "https://any.example")]);
    raw.write(page.as_bytes()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101"));
}
