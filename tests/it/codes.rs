//! Errors in replies: the connection goes on.

use serde_json::json;

use crate::client::Client;
use crate::node::{Node, token};
use crate::protobuf::ProtobufClient;

#[tokio::test]
async fn names_of_channels_have_bounds() {
    let node = Node::start(&[]).await;
    let mut client = Client::connect(&node).await;
    let longest = "c".repeat(255);
    client.subscribe(&longest).await;
    let wrong = ["c".repeat(256), String::new(), "é".into(), "a\u{7}b".into(), "a b\n".into()];
    for channel in wrong {
        for method in ["subscribe", "publish", "presence", "presence_stats", "history"] {
            let mut command = json!({method: {"channel": channel}});
            if method == "publish" {
                command[method]["data"] = json!({});
            }
            assert_eq!(client.fault(command).await, 107, "{method} {channel:?}");
        }
    }
    assert_eq!(client.fault(json!({"subscribe": {"channel": "nowhere:a"}})).await, 102);
    assert_eq!(client.fault(json!({"subscribe": {"channel": longest}})).await, 105);
    assert_eq!(client.fault(json!({"subscribe": {"channel": "binary:a"}})).await, 107);
    assert_eq!(client.fault(json!({"rpc": {"method": "x", "data": {}}})).await, 108);
    let reply = client.ask(json!({"ping": {}})).await;
    assert_eq!(reply["error"], json!(null));
}

#[tokio::test]
async fn the_129th_subscription_is_refused() {
    let node = Node::start(&[]).await;
    let mut client = Client::connect(&node).await;
    for number in 0..128 {
        client.subscribe(&format!("c{number}")).await;
    }
    assert_eq!(client.fault(json!({"subscribe": {"channel": "c128"}})).await, 106);
    let left = client.ask(json!({"unsubscribe": {"channel": "c0"}})).await;
    assert_eq!(left["error"], json!(null));
    client.subscribe("c128").await;
    assert_eq!(node.metric("nearcast_client_num_reply_errors{code=\"106\"}").await, 1);
}

#[tokio::test]
async fn data_that_a_json_client_could_not_read_is_refused() {
    let node = Node::start(&[]).await;
    let mut reader = Client::connect(&node).await;
    reader.subscribe("a").await;
    let mut writer = ProtobufClient::connect(&node).await;
    for data in [&b"not json"[..], b"{", b"", b"\xff\xfe", b"{}{}"] {
        assert_eq!(writer.publish("a", data).await, Err(107), "{data:?}");
    }
    assert_eq!(writer.publish("binary:a", b"\xff\xfe").await, Ok(()));
    // Line breaks within would cut a JSON client's frame.
    assert_eq!(writer.publish("a", b"{\n  \"n\": 1\r\n}\n").await, Ok(()));
    assert_eq!(reader.publication().await, json!({"n": 1}));
}

#[tokio::test]
async fn tokens_decide_who_connects() {
    let node = Node::start(&[("client.insecure", "false")]).await;
    let good = token(&json!({"sub": "ann"}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.";
    let swapped = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let future = token(&json!({"sub": "ann", "nbf": 4_000_000_000_u64}));
    let odd = token(&json!({"sub": "ann", "exp": "tomorrow"}));
    let long = "x".repeat(20_000);
    for wrong in ["", "x", "a.b.c", none, &swapped, &future, &odd, &long] {
        let mut client = Client::open(&node).await;
        client.command(json!({"connect": {"token": wrong}})).await;
        assert_eq!(client.close_code().await, 3500, "{wrong}");
    }
    let mut expired = Client::open(&node).await;
    let old = token(&json!({"sub": "ann", "exp": 1_000_000_000}));
    assert_eq!(expired.fault(json!({"connect": {"token": old}})).await, 109);
    // A connection whose connect was refused is of no more use.
    expired.command(json!({"ping": {}})).await;
    assert_eq!(expired.close_code().await, 3501);
    let mut client = Client::connect_as(&node, "ann").await;
    assert_eq!(client.fault(json!({"subscribe": {"channel": "a"}})).await, 103);
    let broken = json!({"subscribe": {"channel": "a", "token": "x.y.z"}});
    assert_eq!(client.fault(broken).await, 103);
    let old = token(&json!({"sub": "ann", "channel": "a", "exp": 1_000_000_000}));
    let expired = json!({"subscribe": {"channel": "a", "token": old}});
    assert_eq!(client.fault(expired).await, 109);
    let other = token(&json!({"sub": "ann", "channel": "b"}));
    client.command(json!({"subscribe": {"channel": "a", "token": other}})).await;
    assert_eq!(client.close_code().await, 3500);
}
