//! Against a node in this process, in both encodings.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;

use super::websocket::Ended;
use super::*;
use crate::access::token::{TokenOptions, TokenSigner, TokenVerifier};
use crate::base::Encoding;
use crate::channel::{GeoKind, GeoOptions, KeyRule, Namespace, NamespaceOptions, Namespaces};
use crate::clock::Clock;
use crate::engine::MemoryOptions;
use crate::geo::Zones;
use crate::hooks::WebhookOptions;
use crate::node::{Node, NodeOptions};
use crate::protocol::{Command, ErrorCode, HistoryRequest, PublishRequest, SubscribeRequest};
use crate::server::{ApiOptions, Pages, Server, ServerOptions};
use crate::session::{Context, SessionOptions};

const SECRET: &str = "secret";

/// A node on a port of its own that keeps history, presence, joins and leaves, and objects in the
/// namespace `objects`.
pub(crate) struct Served {
    pub(crate) server: Server,
    http: SocketAddr,
}

impl Served {
    pub(crate) async fn start(session: SessionOptions, api_key: Option<&str>) -> Self {
        let options = NodeOptions {
            lanes: 1,
            queue_bytes_max: 1 << 20,
            user_connection_limit: None,
            name: "test".to_owned(),
            memory: MemoryOptions::default(),
            webhook: WebhookOptions::default(),
            zones: Zones::default(),
        };
        let namespace = NamespaceOptions {
            presence: true,
            join_leave: true,
            force_push_join_leave: true,
            history_size: 10,
            history_ttl: Duration::from_secs(60),
            allow_recovery: true,
            ..NamespaceOptions::default()
        };
        let geo = GeoOptions { kind: GeoKind::Objects, key: KeyRule::Free, ..Default::default() };
        let objects = Namespace {
            name: "objects".to_owned(),
            options: NamespaceOptions { geo: Some(Arc::new(geo)), ..NamespaceOptions::default() },
        };
        let rules = Namespaces::default().rules;
        let tokens =
            TokenOptions { hmac_secret_key: Some(SECRET.to_owned()), ..TokenOptions::default() };
        let context = Context {
            options: session,
            namespaces: Namespaces::new(rules, namespace, [objects]),
            tokens: TokenVerifier::new(&tokens).unwrap(),
            subscription_tokens: None,
            version: "test",
        };
        let api = ApiOptions {
            key: api_key.map(str::to_owned),
            insecure: api_key.is_none(),
            ..ApiOptions::default()
        };
        let http = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listening = ServerOptions {
            http,
            admin: None,
            quic: http,
            api,
            shutdown_spread: Duration::ZERO,
            ..ServerOptions::default()
        };
        let node = Node::start(options, context, Clock::new());
        let server = Server::start(node, listening, Pages::default()).await.unwrap();
        let http = server.addresses().http.unwrap();
        Self { server, http }
    }

    /// For anybody, without tokens or API key.
    pub(crate) async fn open() -> Self {
        Self::start(SessionOptions { insecure: true, ..SessionOptions::default() }, None).await
    }

    /// A connection token that the node accepts.
    pub(crate) fn token(&self, user: &str) -> String {
        TokenSigner::from_secret(SECRET).unwrap().sign(&serde_json::json!({"sub": user})).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/connection/websocket", self.http)
    }

    /// Where WebTransport is served, and the SHA-256 of its certificate.
    pub(crate) fn webtransport(&self) -> (String, String) {
        let addresses = self.server.addresses();
        let address = addresses.webtransport.unwrap();
        let hash = addresses.certificate_sha256.clone().unwrap();
        (format!("https://{address}/connection/webtransport"), hash)
    }

    pub(crate) fn api(&self) -> String {
        format!("http://{}/api/", self.http)
    }

    async fn client(&self, encoding: Encoding) -> Client {
        let target = target(&self.url(), "", encoding);
        Client::open(&target).await.unwrap()
    }
}

fn target(url: &str, token: &str, encoding: Encoding) -> Target {
    Target { url: url.to_owned(), trust: Trust::Public, token: token.to_owned(), encoding }
}

fn subscribe(channel: &str) -> SubscribeRequest {
    SubscribeRequest { channel: channel.to_owned(), ..SubscribeRequest::default() }
}

fn publish(channel: &str, data: &'static str) -> Command {
    let data = Bytes::from_static(data.as_bytes());
    let publish = PublishRequest { channel: channel.to_owned(), data, ..Default::default() };
    Command { publish: Some(publish), ..Command::default() }
}

const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];

#[tokio::test]
async fn hears_what_others_publish() {
    let served = Served::open().await;
    for (number, encoding) in (1..).zip(BOTH) {
        let mut listener = served.client(encoding).await;
        assert_eq!(listener.connected().version, "test");
        listener.subscribe(subscribe("a")).await.unwrap();
        let mut speaker = served.client(BOTH[number % 2]).await;
        speaker.call(publish("a", r#"{"b":[1]}"#)).await.unwrap();
        let publication = loop {
            let push = listener.next_push().await.unwrap();
            assert_eq!(push.channel, "a");
            match push.r#pub {
                Some(publication) => break publication,
                None => assert!(push.join.is_some(), "only its own join comes before"),
            }
        };
        assert_eq!(
            (&publication.data[..], publication.offset),
            (&br#"{"b":[1]}"#[..], number as u64)
        );
        listener.close().await;
        speaker.close().await;
    }
}

#[tokio::test]
async fn keeps_pushes_that_come_before_a_reply() {
    let served = Served::open().await;
    for encoding in BOTH {
        let mut client = served.client(encoding).await;
        let channel = format!("echo-{encoding:?}");
        client.subscribe(subscribe(&channel)).await.unwrap();
        for _ in 0..5 {
            client.call(publish(&channel, "1")).await.unwrap();
        }
        let history = HistoryRequest { channel, limit: -1, ..HistoryRequest::default() };
        let command = Command { history: Some(history), ..Command::default() };
        let reply = client.call(command).await.unwrap();
        assert_eq!(reply.history.unwrap().publications.len(), 5);
        let mut offsets = Vec::new();
        while offsets.len() < 5 {
            offsets.extend(client.next_push().await.unwrap().r#pub.map(|one| one.offset));
        }
        assert_eq!(offsets, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn names_code_and_reason_of_refusals() {
    let served = Served::start(SessionOptions::default(), None).await;
    for encoding in BOTH {
        let target = target(&served.url(), "no.token.really", encoding);
        let refused = Client::open(&target).await.unwrap_err();
        let ConnectError::Ended(Ended::Closed(disconnect)) = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(disconnect.code, 3500);
        assert!(refused.to_string().contains("(3500)"), "{refused}");
        assert!(!Ended::Closed(disconnect.clone()).reconnects());
    }
    let served = Served::open().await;
    let mut client = served.client(Encoding::Json).await;
    client.subscribe(subscribe("a")).await.unwrap();
    let refused = client.subscribe(subscribe("a")).await.unwrap_err();
    let CallError::Refused(error) = &refused else { panic!("{refused:?}") };
    assert_eq!(error.code, ErrorCode::AlreadySubscribed.number());
    // The session goes on.
    client.call(publish("a", "1")).await.unwrap();
}

#[tokio::test]
async fn answers_pings_while_it_waits() {
    let session = SessionOptions {
        insecure: true,
        ping_interval: Duration::from_secs(1),
        pong_timeout: Duration::from_millis(500),
        ..SessionOptions::default()
    };
    let served = Served::start(session, None).await;
    let listen = async |encoding| {
        let mut client = served.client(encoding).await;
        assert_eq!((client.connected().ping, client.connected().pong), (1, true));
        client.subscribe(subscribe("a")).await.unwrap();
        // An interval and a pong's time: who does not answer is gone by then.
        let waited = tokio::time::timeout(Duration::from_millis(1700), async {
            loop {
                client.next_push().await.unwrap();
            }
        });
        waited.await.unwrap_err();
        client.call(publish("b", "1")).await.unwrap();
    };
    tokio::join!(listen(Encoding::Json), listen(Encoding::Protobuf));
}

#[tokio::test]
async fn tells_how_the_server_says_goodbye() {
    let served = Served::open().await;
    let mut client = served.client(Encoding::Json).await;
    let (ended, ()) = tokio::join!(client.next_push(), served.server.shut_down());
    let ended = ended.unwrap_err();
    assert_eq!(ended.to_string(), "the server closed the connection: shutdown (3001)");
    assert!(ended.reconnects());
}

#[tokio::test]
async fn refuses_urls_that_lead_nowhere() {
    for (url, why) in [
        ("http://127.0.0.1/", "must begin with ws:// or wss://"),
        ("wss://-/", "not a name that a certificate may have"),
        ("ws:///path", "URL"),
        ("127.0.0.1:8000", "ws://"),
    ] {
        let refused = Client::open(&target(url, "", Encoding::Json)).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{url}: {refused}");
    }
    let served = Served::open().await;
    let url = served.url().replace("websocket", "elsewhere");
    let refused = Client::open(&target(&url, "", Encoding::Json)).await.unwrap_err().to_string();
    assert!(refused.contains("the server answered 404 Not Found"), "{refused}");
}

#[tokio::test]
async fn a_server_that_hangs_up_on_tls_may_not_speak_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}/api", listener.local_addr().unwrap());
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let (refused, ()) = tokio::join!(ApiClient::open(&url, None, &Trust::Public), hang_up);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.ends_with("it may not speak TLS there"), "{refused}");
}

#[tokio::test]
async fn calls_the_server_api() {
    let served = Served::start(SessionOptions::default(), Some("key")).await;
    let mut api = ApiClient::open(&served.api(), Some("key"), &Trust::Public).await.unwrap();
    for offset in 1..3 {
        let result = api.call("publish", r#"{"channel":"a","data":1}"#).await.unwrap();
        assert!(result.get().starts_with(&format!(r#"{{"offset":{offset},"#)), "{result}");
    }
    let refused = api.call("publish", r#"{"channel":""}"#).await.unwrap_err();
    assert!(matches!(refused, ApiError::Refused { code: 107, .. }), "{refused}");
    let refused = api.call("nothing", "{}").await.unwrap_err().to_string();
    assert!(refused.ends_with("the server answered 404 Not Found no such method"), "{refused}");
    let mut keyless = ApiClient::open(&served.api(), None, &Trust::Public).await.unwrap();
    let refused = keyless.call("info", "{}").await.unwrap_err().to_string();
    assert!(refused.contains("401 Unauthorized X-API-Key: missing or wrong"), "{refused}");
}
