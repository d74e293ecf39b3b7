//! What the log tells at level DEBUG, and what it never tells.

use serde_json::json;

use crate::client::Client;
use crate::node::{API_KEY, Node, SECRET, token};
use crate::protobuf::ProtobufClient;
use crate::raw::Raw;

#[tokio::test]
async fn no_secret_and_no_payload_is_logged() {
    let node = Node::start(&[("log.level", "debug"), ("client.insecure", "false")]).await;
    let info = "planted-in-the-token";
    let claims = json!({"sub": "ann", "info": {"secret": info}, "channels": ["own"]});
    let good = token(&claims);
    let mut ann = Client::open(&node).await;
    ann.enter(json!({"token": good, "data": {"x": "planted-connect-data"}})).await;
    let subscription = token(&json!({"sub": "ann", "channel": "a", "info": {"x": info}}));
    let subscribe =
        json!({"channel": "a", "token": subscription, "data": {"x": "planted-sub-data"}});
    let reply = ann.ask(json!({"subscribe": subscribe})).await;
    assert!(reply["subscribe"].is_object(), "{reply}");
    ann.ask(json!({"refresh": {"token": good}})).await;
    ann.ask(json!({"rpc": {"method": "planted-method", "data": "planted-rpc-data"}})).await;
    ann.command(json!({"publish": {"channel": "a", "data": {"x": "planted-publication"}}})).await;
    // Mistakes are not repeated either.
    let wrong_type = r#"{"id":99,"history":{"channel":"a","limit":"planted-wrong-type"}}"#;
    ann.say_text(wrong_type).await;
    assert_eq!(ann.close_code().await, 3501);
    for connect in [
        r#"{"id":1,"connect":{"token":"planted.wrong.token"}}"#,
        r#"{"id":1,"connect":{"token":{"planted-object":1}}}"#,
        r#"{"id":"planted-id","connect":{}}"#,
        "planted-nonsense",
    ] {
        let mut client = Client::open(&node).await;
        client.say_text(connect).await;
        assert!([3500, 3501].contains(&client.close_code().await), "{connect}");
    }
    let mut protobuf = ProtobufClient::open(&node).await;
    protobuf.raw.binary(b"planted-protobuf").await;
    assert_eq!(protobuf.raw.close_code().await, Some(3501));
    let mut raw = Raw::dial(node.http).await;
    raw.write(b"planted-request / HTTP/1.1\r\nplanted-header: planted\r\n\x00\r\n\r\n").await;
    raw.end().await;

    let data = json!({"channel": "a", "data": {"x": "planted-api-data"}});
    node.api("publish", &data).await;
    let wrong = br#"{"channel":"a","data":{},"skip_history":"planted-api-wrong-type"}"#;
    node.post_api("publish", &[("X-API-Key", API_KEY)], wrong).await;
    assert_eq!(
        node.post_api("publish", &[("X-API-Key", "planted-api-key")], b"").await.status,
        401
    );
    let disconnect = json!({"user": "ann", "disconnect": {"code": 4000, "reason": "bye"}});
    node.api("disconnect", &disconnect).await;

    let log = node.log().join("\n");
    assert!(log.contains("DEBUG") && log.contains("opened") && log.contains("code=3501"), "{log}");
    let signature = good.rsplit('.').next().unwrap();
    for secret in ["planted", SECRET, API_KEY, &good, signature, &subscription] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(lines.is_empty(), "{secret:?} is logged: {lines:#?}");
    }
}
