//! The server API: every method's answer, and what the subscribers hear of it.

use serde_json::{Value, json};

use crate::client::{Client, Heard};
use crate::node::Node;

#[tokio::test]
async fn publish_answers_with_the_position() {
    let node = Node::start(&[]).await;
    let mut client = Client::connect(&node).await;
    client.subscribe("a").await;
    let body = json!({"channel": "a", "data": {"n": 1}, "tags": {"k": "v"}});
    let first = node.api("publish", &body).await;
    assert_eq!(first["offset"], 1);
    assert!(first["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()), "{first}");
    let mut push = client.message().await;
    assert!(push["push"]["pub"]["time"].take().as_u64() > Some(1_700_000_000_000));
    let publication = json!({"data": {"n": 1}, "offset": 1, "tags": {"k": "v"}, "time": null});
    assert_eq!(push, json!({"push": {"channel": "a", "pub": publication}}));
    // Base64 for data that is not at hand as JSON.
    let second = node.api("publish", &json!({"channel": "a", "b64data": "eyJuIjoyfQ=="})).await;
    assert_eq!(second, json!({"offset": 2, "epoch": first["epoch"]}));
    assert_eq!(client.publication().await, json!({"n": 2}));
    let unkept = json!({"channel": "a", "data": {"n": 3}, "skip_history": true});
    assert_eq!(node.api("publish", &unkept).await["offset"].as_u64().unwrap_or(0), 0);
    assert_eq!(client.publication().await, json!({"n": 3}));
    let page = node.api("history", &json!({"channel": "a", "limit": -1})).await;
    assert_eq!(page["offset"], 2);
    assert_eq!(page["publications"].as_array().unwrap().len(), 2);
    // A channel without history has no positions.
    let plain = node.api("publish", &json!({"channel": "plain:a", "data": {}})).await;
    assert_eq!(plain["offset"].as_u64().unwrap_or(0), 0);
}

#[tokio::test]
async fn a_publication_with_the_same_idempotency_key_counts_once() {
    let node = Node::start(&[]).await;
    let mut client = Client::connect(&node).await;
    client.subscribe("a").await;
    let body = json!({"channel": "a", "data": {"n": 1}, "idempotency_key": "once"});
    let first = node.api("publish", &body).await;
    assert_eq!(node.api("publish", &body).await, first);
    node.api("publish", &json!({"channel": "a", "data": {"n": 2}})).await;
    assert_eq!(client.publication().await, json!({"n": 1}));
    assert_eq!(client.publication().await, json!({"n": 2}));
    // Keys are those of one channel.
    let other = json!({"channel": "b", "data": {"n": 1}, "idempotency_key": "once"});
    assert_eq!(node.api("publish", &other).await["offset"], 1);
}

#[tokio::test]
async fn broadcast_answers_for_each_channel() {
    let node = Node::start(&[]).await;
    let mut client = Client::connect(&node).await;
    client.subscribe("a").await;
    client.subscribe("b").await;
    let body = json!({"channels": ["a", "nowhere:x", "b"], "data": {"n": 1}});
    let answer = node.api("broadcast", &body).await;
    let responses = answer["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 3, "{answer}");
    assert_eq!(responses[0]["result"]["offset"], 1);
    assert_eq!(responses[1]["error"]["code"], 102);
    assert_eq!(responses[2]["result"]["offset"], 1);
    assert_eq!(client.publication().await, json!({"n": 1}));
    assert_eq!(client.publication().await, json!({"n": 1}));
    assert_eq!(node.ask_api("broadcast", &json!({"data": {}})).await["error"]["code"], 107);
}

#[tokio::test]
async fn subscribe_and_unsubscribe_reach_the_user() {
    let node = Node::start(&[]).await;
    let mut ann = Client::connect_as(&node, "ann").await;
    let mut bob = Client::connect_as(&node, "bob").await;
    let body = json!({"user": "ann", "channel": "a", "data": {"why": "x"}});
    assert_eq!(node.api("subscribe", &body).await, json!({}));
    let push = ann.message().await;
    assert_eq!(push["push"]["channel"], "a");
    assert_eq!(push["push"]["subscribe"]["data"], json!({"why": "x"}));
    node.api("publish", &json!({"channel": "a", "data": {"n": 1}})).await;
    assert_eq!(ann.publication().await, json!({"n": 1}));
    assert_eq!(node.api("unsubscribe", &json!({"user": "ann", "channel": "a"})).await, json!({}));
    let push = ann.message().await;
    assert_eq!(push["push"]["unsubscribe"]["code"], 2000, "{push}");
    assert_eq!(push["push"]["channel"], "a");
    // A subscription that the client made ends just so.
    bob.subscribe("b").await;
    node.api("unsubscribe", &json!({"user": "bob", "channel": "b"})).await;
    assert_eq!(bob.message().await["push"]["unsubscribe"]["code"], 2000);
    // What was published before is told before.
    for round in 0..20 {
        bob.subscribe("b").await;
        let unsubscribe = json!({"unsubscribe": {"user": "bob", "channel": "b"}});
        let publish = |n: u32| json!({"publish": {"channel": "b", "data": n}});
        let commands = [publish(1), publish(2), unsubscribe, publish(3)];
        node.ask_api("batch", &json!({ "commands": commands })).await;
        for n in 1..=2 {
            assert_eq!(bob.publication().await, n, "round {round}");
        }
        assert_eq!(bob.message().await["push"]["unsubscribe"]["code"], 2000);
    }
    let nobody = json!({"user": "nobody", "channel": "a"});
    assert_eq!(node.api("subscribe", &nobody).await, json!({}));
    for wrong in [json!({"channel": "a"}), json!({"user": "ann"})] {
        assert_eq!(node.ask_api("subscribe", &wrong).await["error"]["code"], 107, "{wrong}");
        assert_eq!(node.ask_api("unsubscribe", &wrong).await["error"]["code"], 107, "{wrong}");
    }
}

#[tokio::test]
async fn disconnect_ends_connections_with_its_code() {
    let node = Node::start(&[]).await;
    let mut ann = Client::connect_as(&node, "ann").await;
    node.api("disconnect", &json!({"user": "ann"})).await;
    assert_eq!(ann.close_code().await, 3503);
    let (mut ann, mut kept, mut bob) = tokio::join!(
        Client::connect_as(&node, "ann"),
        Client::open(&node),
        Client::connect_as(&node, "bob")
    );
    let token = crate::node::token(&json!({"sub": "ann"}));
    let client = kept.enter(json!({"token": token})).await["client"].clone();
    let disconnect = json!({"code": 4321, "reason": "moved"});
    let body = json!({"user": "ann", "whitelist": [client], "disconnect": disconnect});
    assert_eq!(node.api("disconnect", &body).await, json!({}));
    assert_eq!(ann.rest().await, (vec![], Heard::Closed(4321, "moved".to_owned())));
    for client in [&mut kept, &mut bob] {
        assert_eq!(client.ask(json!({"ping": {}})).await["error"], Value::Null);
    }
    for wrong in [
        json!({"user": "ann", "disconnect": {"code": 1000}}),
        json!({"user": "ann", "disconnect": {"code": 5000}}),
        json!({"user": "ann", "disconnect": {"code": 4000, "reason": "x".repeat(124)}}),
        json!({"disconnect": {"code": 4000}}),
    ] {
        assert_eq!(node.ask_api("disconnect", &wrong).await["error"]["code"], 107, "{wrong}");
    }
    // One client of the user's alone.
    let (one, mut other) = (client, Client::connect_as(&node, "ann").await);
    node.api("disconnect", &json!({"user": "ann", "client": one})).await;
    assert_eq!(kept.close_code().await, 3503);
    assert_eq!(other.ask(json!({"ping": {}})).await["error"], Value::Null);
    // Who is nobody is named by the client alone.
    let (mut nobody, mut another) = tokio::join!(Client::open(&node), Client::connect(&node));
    let one = nobody.enter(json!({})).await["client"].clone();
    node.api("disconnect", &json!({ "client": one })).await;
    assert_eq!(nobody.close_code().await, 3503);
    assert_eq!(another.ask(json!({"ping": {}})).await["error"], Value::Null);
}

#[tokio::test]
async fn refresh_moves_the_expiry() {
    let node = Node::start(&[("client.expired_close_delay", "0s")]).await;
    let mut ann = Client::connect_as(&node, "ann").await;
    let far = json!({"user": "ann", "expire_at": 4_000_000_000_u64});
    assert_eq!(node.api("refresh", &far).await, json!({}));
    let push = ann.message().await;
    assert_eq!(push["push"]["refresh"]["expires"], true, "{push}");
    assert!(push["push"]["refresh"]["ttl"].as_u64().unwrap() > 1_000_000, "{push}");
    node.api("refresh", &json!({"user": "ann", "expired": true})).await;
    assert_eq!(ann.close_code().await, 3005);
}

#[tokio::test]
async fn presence_names_the_members() {
    let node = Node::start(&[]).await;
    let mut client = Client::open(&node).await;
    let token = crate::node::token(&json!({"sub": "ann", "info": {"name": "Ann"}}));
    let id = client.enter(json!({"token": token})).await["client"].as_str().unwrap().to_owned();
    client.subscribe("a").await;
    let mut twice = Client::connect_as(&node, "ann").await;
    twice.subscribe("a").await;
    let presence = node.api("presence", &json!({"channel": "a"})).await;
    let member = json!({"user": "ann", "client": id, "conn_info": {"name": "Ann"}});
    assert_eq!(presence["presence"][&id], member, "{presence}");
    let stats = node.api("presence_stats", &json!({"channel": "a"})).await;
    assert_eq!(stats, json!({"num_clients": 2, "num_users": 1}));
    let empty = node.api("presence_stats", &json!({"channel": "empty"})).await;
    assert!(empty["num_clients"].as_u64().unwrap_or(0) == 0, "{empty}");
    for method in ["presence", "presence_stats"] {
        let off = node.ask_api(method, &json!({"channel": "plain:a"})).await;
        assert_eq!(off["error"]["code"], 108);
    }
}

#[tokio::test]
async fn history_is_read_in_pages_either_way() {
    let node = Node::start(&[]).await;
    for n in 1..=10 {
        node.api("publish", &json!({"channel": "a", "data": {"n": n}})).await;
    }
    let offsets = |page: &Value| -> Vec<u64> {
        let publications = page["publications"].as_array().cloned().unwrap_or_default();
        publications.iter().map(|one| one["offset"].as_u64().unwrap()).collect()
    };
    let top = node.api("history", &json!({"channel": "a"})).await;
    assert_eq!((top["offset"].as_u64(), offsets(&top)), (Some(10), vec![]));
    let epoch = &top["epoch"];
    let ask = |body: Value| node.api("history", &body);
    let all = ask(json!({"channel": "a", "limit": -1})).await;
    assert_eq!(offsets(&all), (1..=10).collect::<Vec<_>>());
    assert_eq!(all["publications"][0]["data"], json!({"n": 1}));
    let since = json!({"offset": 4, "epoch": epoch});
    let page = ask(json!({"channel": "a", "limit": 3, "since": since})).await;
    assert_eq!(offsets(&page), [5, 6, 7]);
    let page = ask(json!({"channel": "a", "limit": 3, "reverse": true})).await;
    assert_eq!(offsets(&page), [10, 9, 8]);
    let page = ask(json!({"channel": "a", "limit": 2, "since": since, "reverse": true})).await;
    assert_eq!(offsets(&page), [3, 2]);
    let other = json!({"channel": "a", "limit": 1, "since": {"offset": 4, "epoch": "other"}});
    assert_eq!(node.ask_api("history", &other).await["error"]["code"], 112);
    assert_eq!(node.api("history_remove", &json!({"channel": "a"})).await, json!({}));
    assert_eq!(offsets(&ask(json!({"channel": "a", "limit": -1})).await), Vec::<u64>::new());
    let off = node.ask_api("history", &json!({"channel": "plain:a"})).await;
    assert_eq!(off["error"]["code"], 108);
}

#[tokio::test]
async fn info_and_channels_tell_what_is_there() {
    let node = Node::start(&[("node.name", "edge-7")]).await;
    let mut ann = Client::connect_as(&node, "ann").await;
    let mut bob = Client::connect_as(&node, "bob").await;
    ann.subscribe("plain:a").await;
    bob.subscribe("plain:a").await;
    bob.subscribe("b").await;
    let info = node.api("info", &json!({})).await;
    let one = &info["nodes"][0];
    assert_eq!((&one["name"], &one["num_clients"]), (&json!("edge-7"), &json!(2)), "{info}");
    assert_eq!((&one["num_users"], &one["num_subs"]), (&json!(2), &json!(3)), "{info}");
    assert_eq!(one["num_channels"], 2);
    assert!(one["uid"].is_string() && one["version"].is_string() && one["uptime"].is_u64());
    let all = node.api("channels", &json!({})).await;
    let both = json!({"plain:a": {"num_clients": 2}, "b": {"num_clients": 1}});
    assert_eq!(all, json!({"channels": both}));
    let some = node.api("channels", &json!({"pattern": "plain:*"})).await;
    assert_eq!(some, json!({"channels": {"plain:a": {"num_clients": 2}}}));
    let none = node.api("channels", &json!({"pattern": "x*"})).await;
    assert_eq!(none, json!({"channels": {}}));
}

#[tokio::test]
async fn a_batch_keeps_the_order_of_its_commands() {
    let node = Node::start(&[]).await;
    let publish = |n: usize| json!({"publish": {"channel": "a", "data": {"n": n}}});
    let mut commands: Vec<Value> = (1..=50).map(publish).collect();
    commands.push(json!({"unheard": {}}));
    commands.push(json!({"publish": {"channel": "nowhere:a", "data": {}}}));
    commands.push(json!({}));
    commands.push(json!({"history": {"channel": "a", "limit": 1}}));
    let answer = node.post_api("batch", &KEY, &bytes(&json!({"commands": commands}))).await.json();
    let replies = answer["replies"].as_array().unwrap();
    assert_eq!(replies.len(), 54, "{answer}");
    for (number, reply) in replies[..50].iter().enumerate() {
        assert_eq!(reply["publish"]["offset"], number + 1, "{reply}");
    }
    assert_eq!(replies[50]["error"]["code"], 104);
    assert_eq!(replies[51]["error"]["code"], 102);
    assert_eq!(replies[52]["error"]["code"], 107);
    assert_eq!(replies[53]["history"]["offset"], 50);

    let publish = |n: usize| json!({"publish": {"channel": format!("p{n}"), "data": {"n": n}}});
    let commands: Vec<Value> = (0..50).map(publish).collect();
    let body = bytes(&json!({"commands": commands, "parallel": true}));
    let answer = node.post_api("batch", &KEY, &body).await.json();
    let replies = answer["replies"].as_array().unwrap();
    assert_eq!(replies.len(), 50);
    assert!(replies.iter().all(|reply| reply["publish"]["offset"] == 1), "{answer}");
    let empty = node.post_api("batch", &KEY, b"{}").await.json();
    assert_eq!(empty, json!({"replies": []}));
}

const KEY: [(&str, &str); 1] = [("X-API-Key", crate::node::API_KEY)];

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}
