//! A stream for each subscription: what waits in one holds up no other, and each is whole, in order
//! and without repetition.

use std::collections::{BTreeMap, BTreeSet};

use quinn::TransportConfig;
use serde_json::{Value, json};

use crate::client::Client;
use crate::geo_events::near;
use crate::node::{Node, token};
use crate::time::within;
use crate::webtransport::{Lines, Session, start};
use crate::webtransport_raw::{Raw, RawSession};

fn wants() -> Value {
    let token = token(&json!({"sub": "ann"}));
    json!({"token": token, "data": {"webtransport": {"streams": true}}})
}

async fn session(node: &Node) -> Session {
    Session::connect_as(node, wants()).await
}

/// Subscribes: the command's id.
async fn subscribe(session: &mut Session, subscribe: Value) -> u64 {
    let reply = session.ask(json!({ "subscribe": subscribe })).await;
    assert!(reply["subscribe"].is_object(), "{reply}");
    reply["id"].as_u64().unwrap()
}

fn begin(id: u64, channel: &str) -> Value {
    json!({"id": id, "push": {"channel": channel}})
}

async fn publish(node: &Node, channel: &str, data: Value) {
    node.api("publish", &json!({"channel": channel, "data": data})).await;
}

async fn message(row: &mut Lines) -> Value {
    row.next().await.unwrap().expect("it goes on")
}

async fn data(row: &mut Lines) -> Value {
    message(row).await["push"]["pub"]["data"].clone()
}

/// Hears what a session still has to say before the answer to a command that is given now.
async fn until_now(session: &mut Session) -> Vec<Value> {
    let id = session.command(json!({"ping": {}})).await;
    let mut heard = Vec::new();
    loop {
        let message = session.message().await;
        if message["id"] == id {
            return heard;
        }
        heard.push(message);
    }
}

#[tokio::test]
async fn each_subscription_has_a_stream_of_its_own() {
    let node = start(&[]).await;
    let mut session = session(&node).await;
    let a = subscribe(&mut session, json!({"channel": "a"})).await;
    let b = subscribe(&mut session, json!({"channel": "b"})).await;
    for n in 0..50 {
        publish(&node, "b", json!(n)).await;
        publish(&node, "a", json!(n)).await;
    }
    let (mut a_row, mut b_row) = (session.row().await, session.row().await);
    let mut first = message(&mut a_row).await;
    if first == begin(b, "b") {
        std::mem::swap(&mut a_row, &mut b_row);
        first = message(&mut a_row).await;
    } else {
        assert_eq!(message(&mut b_row).await, begin(b, "b"));
    }
    assert_eq!(first, begin(a, "a"));
    for n in 0..50 {
        assert_eq!(data(&mut a_row).await, n);
        assert_eq!(data(&mut b_row).await, n);
    }
    assert_eq!(until_now(&mut session).await, Vec::<Value>::new());
    // What was published before is on the stream, then it ends.
    publish(&node, "a", json!(50)).await;
    session.ask(json!({"unsubscribe": {"channel": "a"}})).await;
    assert_eq!(data(&mut a_row).await, 50);
    assert_eq!(a_row.next().await.unwrap(), None);
    // The same channel again is another subscription.
    let again = subscribe(&mut session, json!({"channel": "a"})).await;
    publish(&node, "a", json!(51)).await;
    let mut a_row = session.row().await;
    assert_eq!(message(&mut a_row).await, begin(again, "a"));
    assert_eq!(data(&mut a_row).await, 51);
    // The session's stream tells every end, of what had no stream as well.
    let _quiet = subscribe(&mut session, json!({"channel": "quiet"})).await;
    for channel in ["a", "quiet"] {
        node.api("unsubscribe", &json!({"user": "ann", "channel": channel})).await;
        let push = session.message().await["push"].clone();
        assert_eq!(
            push,
            json!({"channel": channel, "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}})
        );
    }
    assert_eq!(a_row.next().await.unwrap(), None);
    publish(&node, "b", json!(50)).await;
    assert_eq!(data(&mut b_row).await, 50);
}

#[tokio::test]
async fn what_the_client_does_not_read_holds_up_no_other() {
    let node = start(&[("client.queue_max_size", "262144")]).await;
    let mut session = session(&node).await;
    let recoverable = |channel: &str| json!({"channel": channel, "recoverable": true});
    let slow = subscribe(&mut session, recoverable("slow")).await;
    let fast = subscribe(&mut session, recoverable("fast")).await;
    publish(&node, "slow", json!([0])).await;
    let mut slow_row = session.row().await;
    assert_eq!(message(&mut slow_row).await, begin(slow, "slow"));
    assert_eq!(data(&mut slow_row).await, json!([0]));
    publish(&node, "fast", json!([0])).await;
    let mut fast_row = session.row().await;
    assert_eq!(message(&mut fast_row).await, begin(fast, "fast"));
    assert_eq!(data(&mut fast_row).await, json!([0]));
    let before = node.resident_kib();
    let filling = "x".repeat(32 << 10);
    let (mut number, mut most) = (0, before);
    let unsubscribed = loop {
        number += 1;
        assert!(number < 30, "1 MiB waits for one subscription");
        for channel in ["slow", "fast"] {
            publish(&node, channel, json!([number, filling])).await;
        }
        assert_eq!(data(&mut fast_row).await[0], number);
        most = most.max(node.resident_kib());
        if let Some(push) = until_now(&mut session).await.pop() {
            break push["push"].clone();
        }
    };
    assert_eq!(unsubscribed["channel"], "slow");
    assert_eq!(unsubscribed["unsubscribe"]["code"], 2500);
    assert!(number > 8, "given up after {number} publications");
    assert!(most < before + (4 << 10), "{before} KiB grew to {most}");
    // What had arrived and was not read is lost with the rest, as QUIC has it.
    slow_row.next().await.unwrap_err();
    let mut last = 1;
    let history = session.ask(json!({"history": {"channel": "slow", "limit": 0}})).await;
    let epoch = history["history"]["epoch"].clone();
    let again = json!({
        "channel": "slow", "recoverable": true, "recover": true, "epoch": epoch, "offset": last,
    });
    let id = session.command(json!({ "subscribe": again })).await;
    let reply = session.message().await;
    assert_eq!((&reply["id"], &reply["subscribe"]["recovered"]), (&json!(id), &json!(true)));
    for one in reply["subscribe"]["publications"].as_array().unwrap() {
        assert_eq!(one["data"][0], last);
        last += 1;
    }
    assert_eq!(last, number + 1);
    publish(&node, "slow", json!([last])).await;
    let mut slow_row = session.row().await;
    assert_eq!(message(&mut slow_row).await, begin(id.into(), "slow"));
    assert_eq!(data(&mut slow_row).await[0], last);
}

#[tokio::test]
async fn a_stream_that_is_stopped_ends_its_subscription_alone() {
    let node = start(&[]).await;
    let mut session = session(&node).await;
    let mut rows = Vec::new();
    for channel in ["a", "b"] {
        subscribe(&mut session, json!({ "channel": channel })).await;
        publish(&node, channel, json!(0)).await;
        rows.push(session.row().await);
    }
    let (mut b_row, a_row) = (rows.pop().unwrap(), rows.pop().unwrap());
    a_row.receive.stop(7_u8.into());
    let unsubscribed = loop {
        if let Some(push) = until_now(&mut session).await.pop() {
            break push["push"].clone();
        }
    };
    assert_eq!(
        (&unsubscribed["channel"], &unsubscribed["unsubscribe"]["code"]),
        (&json!("a"), &json!(2500))
    );
    publish(&node, "b", json!(1)).await;
    message(&mut b_row).await;
    assert_eq!((data(&mut b_row).await, data(&mut b_row).await), (json!(0), json!(1)));
    let channels = node.api("channels", &json!({})).await;
    assert_eq!(channels["channels"].as_object().unwrap().len(), 1, "{channels}");
}

#[tokio::test]
async fn without_a_stream_to_be_had_the_row_is_on_the_sessions() {
    let node = start(&[]).await;
    // One for the server's settings, and one for a subscription.
    let mut transport = TransportConfig::default();
    transport.max_concurrent_uni_streams(2_u8.into());
    let raw = Raw::dial_from(Raw::endpoint_with(transport), &node).await;
    let mut session = RawSession::over(raw).await;
    session.say(&json!({"id": 1, "connect": wants()}).to_string()).await;
    assert!(session.hear().await.contains("\"streams_max\":64"));
    for (id, channel) in [(2, "a"), (3, "b")] {
        session.say(&json!({"id": id, "subscribe": {"channel": channel}}).to_string()).await;
        session.hear().await;
    }
    publish(&node, "a", json!(0)).await;
    let _settings = within("settings", session.raw.connection.accept_uni()).await.unwrap();
    let _row = within("a stream", session.raw.connection.accept_uni()).await.unwrap();
    for n in 0..2 {
        publish(&node, "b", json!(n)).await;
    }
    let mut heard = String::new();
    while heard.lines().count() < 3 {
        heard += &session.hear().await;
    }
    let mut heard = heard.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(heard.next().unwrap(), begin(3, "b"));
    assert_eq!(heard.next().unwrap()["push"]["pub"]["data"], 0);
    assert_eq!(heard.next().unwrap()["push"]["pub"]["data"], 1);
}

#[tokio::test]
async fn sixty_four_have_streams() {
    let node = start(&[]).await;
    let mut session = session(&node).await;
    for n in 0..70 {
        subscribe(&mut session, json!({"channel": format!("c{n}")})).await;
        publish(&node, &format!("c{n}"), json!(n)).await;
    }
    let mut rows = BTreeMap::new();
    let mut told = Vec::new();
    for _ in 0..64 {
        let mut row = session.row().await;
        let channel = message(&mut row).await["push"]["channel"].as_str().unwrap().to_owned();
        told.push(data(&mut row).await.as_i64().unwrap());
        rows.insert(channel, row);
    }
    while told.len() < 70 {
        let push = session.message().await["push"].clone();
        told.extend(push["pub"]["data"].as_i64());
    }
    told.sort_unstable();
    assert!(told.into_iter().eq(0..70));
    // Where one has ended, another may begin.
    let (channel, mut row) = rows.pop_first().unwrap();
    session.ask(json!({"unsubscribe": {"channel": channel}})).await;
    assert_eq!(row.next().await.unwrap(), None);
    subscribe(&mut session, json!({"channel": "late"})).await;
    publish(&node, "late", json!(70)).await;
    let mut row = session.row().await;
    message(&mut row).await;
    assert_eq!(data(&mut row).await, 70);
}

/// A map of what is in the area, as the stream of a subscription tells it.
#[derive(Default)]
struct View(BTreeSet<String>);

impl View {
    fn enter(&mut self, key: &Value) {
        assert!(self.0.insert(key.as_str().unwrap().to_owned()), "{key} entered twice");
    }

    fn exit(&mut self, key: &Value) {
        assert!(self.0.remove(key.as_str().unwrap()), "{key} left twice");
    }

    /// Takes a message: the id, if it is a reply.
    fn take(&mut self, message: &Value) -> Option<u64> {
        if let Some(id) = message["id"].as_u64() {
            let moved = &message["rpc"]["data"];
            moved["removed"].as_array().unwrap().iter().for_each(|key| self.exit(key));
            moved["added"].as_array().unwrap().iter().for_each(|key| self.enter(key));
            return Some(id);
        }
        let data = &message["push"]["pub"]["data"];
        match data["event"].as_str().unwrap() {
            "enter" => self.enter(&data["key"]),
            "exit" => self.exit(&data["key"]),
            "move" => assert!(self.0.contains(data["key"].as_str().unwrap()), "{data} unseen"),
            other => panic!("{other}"),
        }
        None
    }
}

#[tokio::test]
async fn a_moved_area_is_answered_where_its_objects_are_told() {
    let listen = [("listen.webtransport", "127.0.0.1:0")];
    let node = Node::start_with(crate::geo_events::FILE, &listen).await;
    let mut session = session(&node).await;
    let mut drivers = Client::connect(&node).await;
    let place = |n: u64| 13.0 + 0.01 * f64::from(u32::try_from(n % 10).unwrap());
    let drive = json!({"channel": "drivers:city", "data": near(52.0, 13.0, 1500.0)});
    subscribe(&mut session, drive).await;
    let mut asked = Vec::new();
    for n in 0..300 {
        let key = format!("d{}", n % 7);
        let fix = json!({"key": key, "lat": 52.0, "lng": place(n * 7 + n / 10)});
        drivers.command(json!({"publish": {"channel": "drivers:city", "data": fix}})).await;
        if n % 3 == 0 {
            let area = near(52.0, place(n / 3), 1500.0);
            let moved = json!({"channel": "drivers:city", "area": area});
            let call = json!({"rpc": {"method": "geo.move", "data": moved}});
            asked.push(u64::from(session.command(call).await));
        }
        drivers.ask(json!({"ping": {}})).await;
    }
    let mut row = session.row().await;
    message(&mut row).await;
    let (mut view, mut answered) = (View::default(), Vec::new());
    while answered.len() < asked.len() {
        answered.extend(view.take(&message(&mut row).await));
    }
    assert_eq!(answered, asked);
    assert_eq!(until_now(&mut session).await, Vec::<Value>::new());
    // What is there at last is what a query finds.
    let last = json!({"channel": "drivers:city", "area": near(52.0, place(99), 1500.0)});
    let found = session.ask(json!({"rpc": {"method": "geo.nearby", "data": last}})).await;
    let found = found["rpc"]["data"]["objects"].as_array().unwrap().clone();
    let found: BTreeSet<_> =
        found.iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect();
    while view.0 != found {
        view.take(&message(&mut row).await);
    }
}

#[tokio::test]
async fn a_session_whose_streams_are_not_read_hears_the_server() {
    let node = start(&[]).await;
    let mut session = session(&node).await;
    let filling = "x".repeat(40 << 10);
    for channel in ["a", "b", "c", "d", "e", "f"] {
        subscribe(&mut session, json!({ "channel": channel })).await;
        for _ in 0..4 {
            publish(&node, channel, json!(filling)).await;
        }
    }
    // Nearly a megabyte waits in streams that nobody reads.
    node.api("unsubscribe", &json!({"user": "ann", "channel": "a"})).await;
    assert_eq!(session.message().await["push"]["unsubscribe"]["code"], 2000);
    node.api("disconnect", &json!({"user": "ann"})).await;
    assert_eq!(session.message().await["push"]["disconnect"]["code"], 3503);
    assert_eq!(session.closed().await.0, 3503);
}

/// What a message says of a map: nothing is set twice, and nothing goes that was not there.
fn take_map(seen: &mut BTreeSet<String>, message: &Value) {
    let page = message["subscribe"]["state"].as_array().into_iter().flatten();
    let push = Some(&message["push"]["pub"]).filter(|entry| entry.is_object());
    for entry in page.chain(push) {
        let key = entry["key"].as_str().unwrap().to_owned();
        let is_new = if entry["removed"] == true { seen.remove(&key) } else { seen.insert(key) };
        assert!(is_new, "{message}");
    }
}

#[tokio::test]
async fn pages_of_a_map_and_what_happens_meanwhile_come_in_one_row() {
    let listen = [("listen.webtransport", "127.0.0.1:0")];
    let node = Node::start_with(crate::geo_events::FILE, &listen).await;
    for n in 0..150 {
        let object =
            json!({"channel": "drivers:city", "key": format!("k{n:03}"), "lat": 52.0, "lng": 13.0});
        node.api("geo_set", &object).await;
    }
    let mut session = session(&node).await;
    let channel = "drivers:city@map";
    let mut seen = BTreeSet::new();
    let here = near(52.0, 13.0, 500.0);
    let page = |cursor: &str| {
        let request =
            json!({"channel": channel, "type": 1, "limit": 100, "cursor": cursor, "data": here});
        json!({ "subscribe": request })
    };
    let moved = |lat: f64| {
        let area = json!({"channel": channel, "area": near(lat, 13.0, 500.0)});
        json!({"rpc": {"method": "geo.move", "data": area}})
    };
    let reply = session.ask(page("")).await;
    take_map(&mut seen, &reply);
    let first = reply["subscribe"]["cursor"].as_str().unwrap().to_owned();
    // Away before or after the second page, and back.
    session.command(moved(53.0)).await;
    session.command(page(&first)).await;
    for message in until_now(&mut session).await {
        take_map(&mut seen, &message);
    }
    let last = session.command(moved(52.0)).await;
    let mut row = session.row().await;
    assert_eq!(message(&mut row).await["push"]["channel"], channel);
    loop {
        let told = message(&mut row).await;
        take_map(&mut seen, &told);
        if told["id"] == last {
            break;
        }
    }
    assert_eq!(seen.len(), 150);
}
