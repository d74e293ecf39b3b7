//! WebTransport with a foreign client, which trusts the development certificate by its hash.

use std::collections::VecDeque;
use std::sync::Arc;

use quinn::TransportConfig;
use serde_json::{Value, json};
use wtransport::endpoint::ConnectOptions;
use wtransport::endpoint::endpoint_side;
use wtransport::error::{ConnectingError, ConnectionError, StreamReadError};
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};

use crate::client::Client;
use crate::handshake;
use crate::node::{Node, Settings, token};
use crate::time::{now, within};

pub(crate) const PATH: &str = "/connection/webtransport";

/// Bytes of a stream that wait for a client that does not read.
const STREAM_WINDOW: u32 = 64 << 10;

/// A node that serves WebTransport.
pub(crate) async fn start(settings: Settings<'_>) -> Node {
    let listen = [("listen.webtransport", "127.0.0.1:0")];
    Node::start(&[&listen, settings].concat()).await
}

/// A client that speaks JSON.
pub(crate) struct Session {
    _endpoint: Endpoint<endpoint_side::Client>,
    pub(crate) connection: Connection,
    send: SendStream,
    lines: Lines,
    inbox: VecDeque<Value>,
    last_id: u32,
}

/// Messages of one stream, in JSON.
pub(crate) struct Lines {
    pub(crate) receive: RecvStream,
    /// What was read and not looked at yet.
    read: Vec<u8>,
}

impl Lines {
    /// `None` at the stream's end.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, StreamReadError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                assert!(line.is_ascii(), "{line:?}");
                return Ok(Some(serde_json::from_slice(&line).unwrap()));
            }
            if self.read_some().await?.is_none() {
                return Ok(None);
            }
        }
    }

    async fn read_some(&mut self) -> Result<Option<()>, StreamReadError> {
        let mut some = [0; 4096];
        let length = within("a message", self.receive.read(&mut some)).await?;
        self.read.extend_from_slice(&some[..length.unwrap_or_default()]);
        Ok(length.map(drop))
    }
}

fn endpoint(node: &Node) -> Endpoint<endpoint_side::Client> {
    let hash = node.addresses["certificate_sha256"].as_str().unwrap();
    let byte = |at| u8::from_str_radix(hash.get(2 * at..2 * at + 2).unwrap(), 16).unwrap();
    let mut config = ClientConfig::builder()
        .with_bind_address("127.0.0.1:0".parse().unwrap())
        .with_server_certificate_hashes([Sha256Digest::new(std::array::from_fn(byte))])
        .build();
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(STREAM_WINDOW.into());
    config.quic_config_mut().transport_config(Arc::new(transport));
    Endpoint::client(config).unwrap()
}

async fn dial(
    endpoint: &Endpoint<endpoint_side::Client>,
    node: &Node,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Connection, ConnectingError> {
    let address = node.addresses["webtransport"].as_str().unwrap();
    let options = ConnectOptions::builder(format!("https://{address}{target}"));
    let add = |options: wtransport::endpoint::ConnectRequestBuilder,
               (name, value): &(&str, &str)| { options.add_header(name, value) };
    let options = headers.iter().fold(options, add).build();
    within("an answer", endpoint.connect(options)).await
}

impl Session {
    pub(crate) async fn open(node: &Node) -> Session {
        Session::open_at(node, PATH).await
    }

    async fn open_at(node: &Node, target: &str) -> Session {
        let endpoint = endpoint(node);
        let connection = dial(&endpoint, node, target, &[]).await.unwrap();
        let opening = within("a stream", connection.open_bi()).await.unwrap();
        let (send, receive) = within("a stream", opening).await.unwrap();
        let lines = Lines { receive, read: Vec::new() };
        let inbox = VecDeque::new();
        Session { _endpoint: endpoint, connection, send, lines, inbox, last_id: 0 }
    }

    /// The next stream of its own that a subscription has.
    pub(crate) async fn row(&self) -> Lines {
        let receive = within("a stream", self.connection.accept_uni()).await.unwrap();
        Lines { receive, read: Vec::new() }
    }

    pub(crate) async fn connect(node: &Node) -> Session {
        Session::connect_as(node, json!({})).await
    }

    pub(crate) async fn connect_as(node: &Node, connect: Value) -> Session {
        let mut session = Session::open(node).await;
        let reply = session.ask(json!({"connect": connect})).await;
        assert!(reply["connect"]["client"].is_string(), "{reply}");
        session
    }

    async fn say(&mut self, bytes: &[u8]) {
        within("sending", self.send.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn command(&mut self, mut command: Value) -> u32 {
        self.last_id += 1;
        command["id"] = self.last_id.into();
        self.say(format!("{command}\n").as_bytes()).await;
        self.last_id
    }

    pub(crate) async fn ask(&mut self, command: Value) -> Value {
        let id = self.command(command).await;
        loop {
            let message = self.line().await.unwrap();
            if message["id"] == id {
                return message;
            }
            self.inbox.push_back(message);
        }
    }

    pub(crate) async fn message(&mut self) -> Value {
        match self.inbox.pop_front() {
            Some(message) => message,
            None => self.line().await.unwrap(),
        }
    }

    pub(crate) async fn publication(&mut self) -> Value {
        let message = self.message().await;
        let data = message["push"]["pub"]["data"].clone();
        assert!(!data.is_null(), "no publication: {message}");
        data
    }

    /// The next reply or push; pings are answered. `None` at the stream's end.
    async fn line(&mut self) -> Option<Value> {
        loop {
            let message = self.lines.next().await.ok()??;
            if message != json!({}) {
                return Some(message);
            }
            self.say(b"{}\n").await;
        }
    }

    /// What the capsule says that ends the session.
    pub(crate) async fn closed(&self) -> (u64, String) {
        let end = loop {
            // Streams that nobody has looked at come first.
            match within("the end", self.connection.accept_uni()).await {
                Ok(_unread) => {}
                Err(end) => break end,
            }
        };
        match end {
            ConnectionError::ApplicationClosed(close) => {
                let reason = String::from_utf8(close.reason().to_vec()).unwrap();
                (close.code().into_inner(), reason)
            }
            end => panic!("{end:?} in place of a code"),
        }
    }
}

#[tokio::test]
async fn sessions_do_what_a_websocket_does() {
    let node = start(&[]).await;
    let mut session = Session::open(&node).await;
    let connect = json!({"connect": {"token": token(&json!({"sub": "ann"}))}});
    assert_eq!(session.ask(connect).await["connect"]["ping"], 25);
    let mut websocket = Client::connect(&node).await;
    for one in ["a", "b"] {
        let reply = session.ask(json!({"subscribe": {"channel": one}})).await;
        assert!(reply["subscribe"].is_object(), "{reply}");
        websocket.subscribe(one).await;
    }
    let publish = json!({"publish": {"channel": "a", "data": {"n": 1}}});
    assert!(session.ask(publish).await["error"].is_null());
    assert_eq!(session.publication().await, json!({"n": 1}));
    assert_eq!(websocket.publication().await, json!({"n": 1}));
    // ASCII alone goes out, and it means the same.
    let text = "Gr\u{fc}\u{df}e \u{20ac} \u{1f980} \u{10ffff}\u{7f}\\u00fc";
    for filling in [0, 9_000, 60_000] {
        let data = json!([text, "x".repeat(filling), text]);
        node.api("publish", &json!({"channel": "b", "data": data})).await;
        assert_eq!(session.publication().await, data);
        assert_eq!(websocket.publication().await, data);
    }
    // Several commands in one write, cut in the middle of another, and empty lines between.
    let history = r#"{"id":90,"ping":{}}"#;
    session.say(format!("\n{history}\n \r\n{history}\n{}", &history[..9]).as_bytes()).await;
    assert_eq!(session.message().await["id"], 90);
    assert_eq!(session.message().await["id"], 90);
    session.say(format!("{}\n", &history[9..]).as_bytes()).await;
    assert_eq!(session.message().await["id"], 90);
    let label = "nearcast_client_connections_inflight{transport=\"webtransport\"}";
    assert_eq!(node.metric(label).await, 1);
    assert_eq!(
        node.metric("nearcast_client_connections_accepted{transport=\"webtransport\"}").await,
        1
    );
    drop(session);
    node.wait_for_metric(label, 0).await;
    node.wait_for_metric("nearcast_node_num_clients", 1).await;
}

#[tokio::test]
async fn a_session_recovers_what_it_missed_on_either_transport() {
    let node = start(&[]).await;
    let mut session = Session::connect(&node).await;
    let subscribe = json!({"subscribe": {"channel": "a", "recoverable": true}});
    let first = session.ask(subscribe).await["subscribe"].clone();
    drop(session);
    for n in 1..=3 {
        node.api("publish", &json!({"channel": "a", "data": n})).await;
    }
    let again = json!({"subscribe": {
        "channel": "a", "recover": true, "recoverable": true, "epoch": first["epoch"],
    }});
    let mut session = Session::connect(&node).await;
    let mut websocket = Client::connect(&node).await;
    for reply in [session.ask(again.clone()).await, websocket.ask(again).await] {
        assert_eq!(reply["subscribe"]["recovered"], true, "{reply}");
        assert_eq!(reply["subscribe"]["publications"].as_array().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn protobuf_is_spoken_where_it_is_asked_for() {
    let node = start(&[]).await;
    let mut session = Session::open_at(&node, &format!("{PATH}?cf_protocol=protobuf")).await;
    // Command { id: 1, connect: {} }, in two pieces, and Command { id: 2, ping: {} }.
    session.say(&[4, 8, 1]).await;
    session.say(&[34, 0, 4, 8, 2, 90, 0]).await;
    let mut replies = Vec::new();
    while replies.len() < 2 {
        session.lines.read_some().await.unwrap().unwrap();
        let read = &mut session.lines.read;
        while let Some(length) = read.first().copied().map(usize::from) {
            assert!(length < 0x80, "a reply of this size has one digit");
            if read.len() <= length {
                break;
            }
            replies.push(read.drain(..=length).skip(1).collect::<Vec<u8>>());
        }
    }
    // Reply { id, connect: … }, Reply { id, ping }.
    assert_eq!(&replies[0][..3], &[8, 1, 42]);
    assert_eq!(&replies[1][..3], &[8, 2, 98]);
    session.say(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).await;
    assert_eq!(session.closed().await.0, 3501);
}

#[tokio::test]
async fn a_client_is_told_why_its_session_ends() {
    let node = start(&[]).await;
    let mut session = Session::open(&node).await;
    session.say(b"{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}\n").await;
    let push = session.message().await["push"]["disconnect"].clone();
    assert_eq!(push["code"], 3501, "{push}");
    assert_eq!(push["reconnect"], Value::Null, "{push}");
    let (code, reason) = session.closed().await;
    assert_eq!((code, reason.as_str()), (3501, push["reason"].as_str().unwrap()));
    assert_eq!(session.line().await, None);

    let ann = json!({"token": token(&json!({"sub": "ann"}))});
    let mut session = Session::connect_as(&node, ann).await;
    let reason = "Gr\u{fc}\u{df}e";
    let disconnect = json!({"user": "ann", "disconnect": {"code": 4321, "reason": reason}});
    node.api("disconnect", &disconnect).await;
    assert_eq!(session.message().await["push"]["disconnect"]["reason"], reason);
    assert_eq!(session.closed().await, (4321, reason.to_owned()));
    node.wait_for_metric("nearcast_client_connections_inflight{transport=\"webtransport\"}", 0)
        .await;
    assert_eq!(node.metric("nearcast_client_num_server_disconnects{code=\"4321\"}").await, 1);
}

#[tokio::test]
async fn a_request_is_decided_before_there_is_a_session() {
    let mut node = start(&[("client.connection_limit", "1")]).await;
    node.expect_warning(handshake::REFUSED_PAGE);
    let endpoint = endpoint(&node);
    let refused = async |target: &str, headers: &[(&str, &str)]| {
        let answer = dial(&endpoint, &node, target, headers).await;
        assert!(matches!(answer, Err(ConnectingError::SessionRejected)), "{target}: {answer:?}");
    };
    refused("/", &[]).await;
    refused("/connection/websocket", &[]).await;
    refused("/connection/webtransport/", &[]).await;
    refused(PATH, &[("origin", "https://elsewhere.example")]).await;
    refused(PATH, &[("origin", "null")]).await;
    let page = [("origin", "https://app.example.com")];
    let session = dial(&endpoint, &node, PATH, &page).await.unwrap();
    refused(PATH, &page).await;
    for (reason, count) in [("path", 3), ("origin", 2), ("limit", 1)] {
        let counted = node.metric(&handshake::refused("webtransport", reason)).await;
        assert_eq!(counted, count, "{reason}");
    }
    node.wait_for_log("origin=\"https://elsewhere.example\"").await;
    // Without its stream it is no session yet, but it has its place.
    assert_eq!(node.metric("nearcast_node_num_clients").await, 0);
    drop(session);
}

#[tokio::test]
async fn addresses_have_a_limit() {
    let node = start(&[("webtransport.address_limit", "2")]).await;
    let _sessions = (Session::connect(&node).await, Session::connect(&node).await);
    let endpoint = endpoint(&node);
    let third = dial(&endpoint, &node, PATH, &[]).await;
    assert!(matches!(third, Err(ConnectingError::ConnectionError(_))), "{third:?}");
    assert_eq!(node.metric("nearcast_quic_connections{outcome=\"accepted\"}").await, 2);
    node.wait_for_metric("nearcast_quic_connections{outcome=\"refused\"}", 1).await;
}

#[tokio::test]
async fn messages_have_a_limit() {
    let node = start(&[]).await;
    let command = |length: usize| {
        let head = r#"{"id":2,"rpc":{"method":"none","data":""#;
        let filling = "x".repeat(length - head.len() - 3);
        format!("{head}{filling}\"}}}}\n")
    };
    let mut session = Session::connect(&node).await;
    session.say(command(65_536).as_bytes()).await;
    assert_eq!(session.message().await["error"]["code"], 108);
    session.say(command(65_537).as_bytes()).await;
    assert_eq!(session.message().await["push"]["disconnect"]["code"], 3501);
    assert_eq!(session.closed().await, (3501, "bad request: message too large".to_owned()));
}

#[tokio::test]
async fn a_drain_says_goodbye() {
    let mut node = start(&[]).await;
    let mut session = Session::connect(&node).await;
    let fresh = Session::open(&node).await;
    let start = now();
    let endpoint = endpoint(&node);
    let _no_session = dial(&endpoint, &node, PATH, &[]).await.unwrap();
    node.signal("TERM");
    assert_eq!(session.message().await["push"]["disconnect"]["code"], 3001);
    assert_eq!(session.closed().await, (3001, "shutdown".to_owned()));
    assert_eq!(fresh.closed().await.0, 3001);
    assert_eq!(node.exit_code().await, Some(0));
    // A handshake that waits does not hold it up.
    assert!(start.elapsed() < std::time::Duration::from_secs(4));
}
