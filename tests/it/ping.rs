//! Pings and pongs, of the protocol and of WebSocket.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::node::{Node, Settings};
use crate::protobuf::{Command, Empty, ProtobufClient};
use crate::raw::{BINARY, LAST, PING, PONG, Raw, frame};
use crate::time::now;

const QUICK: Settings<'_> = &[("client.ping_interval", "1s"), ("client.pong_timeout", "300ms")];
const NO_PONG: &str = "nearcast_client_num_server_disconnects{code=\"3012\"}";

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let node = Node::start(QUICK).await;
    let mut client = Client::open(&node).await;
    let connect = client.enter(json!({})).await;
    assert_eq!((&connect["ping"], &connect["pong"]), (&json!(1), &json!(true)));
    client.wait_for_pings(3).await;
    assert_eq!(client.ask(json!({"ping": {}})).await["error"], json!(null));
    assert_eq!(node.metric(NO_PONG).await, 0);
}

#[tokio::test]
async fn a_client_without_pongs_is_closed() {
    let node = Node::start(QUICK).await;
    let mut client = Client::connect(&node).await;
    client.answers_pings = false;
    client.wait_for_pings(1).await;
    let start = now();
    // Other commands are no pongs.
    client.ask(json!({"ping": {}})).await;
    assert_eq!(client.close_code().await, 3012);
    let took = start.elapsed();
    assert!(took > Duration::from_millis(200), "{took:?}");
    let mut protobuf = ProtobufClient::connect(&node).await;
    assert_eq!(protobuf.raw.frame().await, Some((BINARY, vec![0])));
    assert_eq!(protobuf.raw.close_code().await, Some(3012));
    assert_eq!(node.metric(NO_PONG).await, 2);
}

#[tokio::test]
async fn a_pong_that_answers_no_ping_is_a_bad_request() {
    let node = Node::start(QUICK).await;
    let mut client = Client::connect(&node).await;
    client.wait_for_pings(1).await;
    client.say_text("{}").await;
    assert_eq!(client.close_code().await, 3501);
}

#[tokio::test]
async fn native_pings_take_the_place_of_the_protocols() {
    let node = Node::start(QUICK).await;
    let path = "/connection/websocket?cf_ws_frame_ping_pong=true";
    let mut client = Client::open_at(node.http, path).await;
    let connect = client.enter(json!({})).await;
    assert_eq!((&connect["ping"], &connect["pong"]), (&json!(null), &json!(null)));
    // The library answers with pongs by itself.
    client.wait_for_pings(3).await;
    assert_eq!(client.ask(json!({"ping": {}})).await["error"], json!(null));

    let mut silent = Raw::open(node.http, "?cf_ws_frame_ping_pong=true").await;
    silent.text(r#"{"id":1,"connect":{}}"#).await;
    assert!(silent.frame().await.is_some());
    let (opcode, payload) = silent.frame().await.unwrap();
    assert_eq!(opcode, PING);
    silent.write(&frame(LAST | PONG, &payload)).await;
    assert_eq!(silent.frame().await.map(|(opcode, _)| opcode), Some(PING));
    assert_eq!(silent.close_code().await, Some(3012));
}

#[tokio::test]
async fn native_pings_are_for_protobuf_too() {
    let node = Node::start(QUICK).await;
    let mut raw = Raw::open(node.http, "?cf_protocol=protobuf&cf_ws_frame_ping_pong=true").await;
    let connect = Command { id: 1, connect: Some(Empty {}), ..Command::default() };
    raw.binary(&prost::Message::encode_length_delimited_to_vec(&connect)).await;
    assert_eq!(raw.frame().await.map(|(opcode, _)| opcode), Some(BINARY));
    assert_eq!(raw.frame().await.map(|(opcode, _)| opcode), Some(PING));
    assert_eq!(raw.close_code().await, Some(3012));
}
