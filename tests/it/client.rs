//! A client that speaks JSON, over a foreign WebSocket library.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::node::Node;
use crate::time::within;

/// What a client hears.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// A reply or a push.
    Message(Value),
    Closed(u16, String),
    /// The connection ended without a close frame.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    socket: WebSocketStream<S>,
    /// Came over the wire and was not looked at yet.
    incoming: VecDeque<Value>,
    /// Came before a reply that was waited for.
    inbox: VecDeque<Value>,
    last_id: u32,
    pub(crate) answers_pings: bool,
    /// Pings of either kind that came.
    pub(crate) pings: usize,
}

impl Client {
    /// A WebSocket without a connect command.
    pub(crate) async fn open(node: &Node) -> Client {
        Client::open_at(node.http, "/connection/websocket").await
    }

    pub(crate) async fn open_at(address: SocketAddr, path: &str) -> Client {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client::over(stream, &format!("ws://localhost{path}")).await
    }

    /// Connected, as nobody in particular.
    pub(crate) async fn connect(node: &Node) -> Client {
        let mut client = Client::open(node).await;
        client.enter(json!({})).await;
        client
    }

    /// Connected, as this user.
    pub(crate) async fn connect_as(node: &Node, user: &str) -> Client {
        let mut client = Client::open(node).await;
        client.enter(json!({"token": crate::node::token(&json!({"sub": user}))})).await;
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S, url: &str) -> Client<S> {
        let opened = within("a WebSocket", tokio_tungstenite::client_async(url, stream)).await;
        let (socket, _) = opened.unwrap();
        Client {
            socket,
            incoming: VecDeque::new(),
            inbox: VecDeque::new(),
            last_id: 0,
            answers_pings: true,
            pings: 0,
        }
    }

    /// Sends a connect command: its result.
    pub(crate) async fn enter(&mut self, connect: Value) -> Value {
        let reply = self.ask(json!({"connect": connect})).await;
        assert!(reply["connect"]["client"].is_string(), "{reply}");
        reply["connect"].clone()
    }

    pub(crate) async fn say(&mut self, message: Message) {
        within("sending", self.socket.send(message)).await.unwrap();
    }

    pub(crate) async fn say_text(&mut self, text: impl Into<String>) {
        self.say(Message::text(text.into())).await;
    }

    /// Sends a command with the next id.
    pub(crate) async fn command(&mut self, mut command: Value) -> u32 {
        self.last_id += 1;
        command["id"] = self.last_id.into();
        self.say_text(command.to_string()).await;
        self.last_id
    }

    /// Sends a command with the next id: its reply. Pushes that come before wait in the inbox.
    pub(crate) async fn ask(&mut self, command: Value) -> Value {
        let id = self.command(command).await;
        loop {
            match self.listen().await {
                Heard::Message(message) if message["id"] == id => return message,
                Heard::Message(message) => self.inbox.push_back(message),
                end => panic!("{end:?} in place of a reply"),
            }
        }
    }

    /// Subscribes: the result.
    pub(crate) async fn subscribe(&mut self, channel: &str) -> Value {
        let reply = self.ask(json!({"subscribe": {"channel": channel}})).await;
        assert!(reply["subscribe"].is_object(), "{reply}");
        reply["subscribe"].clone()
    }

    /// The code of the error that answers a command.
    pub(crate) async fn fault(&mut self, command: Value) -> u64 {
        let reply = self.ask(command).await;
        reply["error"]["code"].as_u64().unwrap_or_else(|| panic!("no error: {reply}"))
    }

    /// The next push or reply that nobody asked for.
    pub(crate) async fn message(&mut self) -> Value {
        match self.next().await {
            Heard::Message(message) => message,
            end => panic!("{end:?} in place of a message"),
        }
    }

    /// The data of the next publication.
    pub(crate) async fn publication(&mut self) -> Value {
        let message = self.message().await;
        let data = message["push"]["pub"]["data"].clone();
        assert!(!data.is_null(), "no publication: {message}");
        data
    }

    /// The data of the next publication, if one comes within so many milliseconds.
    pub(crate) async fn publication_within(&mut self, milliseconds: u64) -> Option<Value> {
        let patience = std::time::Duration::from_millis(milliseconds);
        tokio::time::timeout(patience, self.publication()).await.ok()
    }

    pub(crate) async fn next(&mut self) -> Heard {
        match self.inbox.pop_front() {
            Some(message) => Heard::Message(message),
            None => self.listen().await,
        }
    }

    /// Everything until the connection ends, and how it ends.
    pub(crate) async fn rest(&mut self) -> (Vec<Value>, Heard) {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Heard::Message(message) => messages.push(message),
                end => return (messages, end),
            }
        }
    }

    /// How the connection ends: the code of the close frame.
    pub(crate) async fn close_code(&mut self) -> u16 {
        match self.rest().await {
            (_, Heard::Closed(code, _)) => code,
            (_, end) => panic!("{end:?} in place of a close frame"),
        }
    }

    /// Waits for this many pings since the start; nothing else may come.
    pub(crate) async fn wait_for_pings(&mut self, count: usize) {
        while self.pings < count {
            if let Some(heard) = self.listen_once().await {
                panic!("{heard:?} in place of a ping");
            }
        }
    }

    async fn listen(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.listen_once().await {
                return heard;
            }
        }
    }

    /// Takes in one message or frame; a ping is answered and nothing more.
    async fn listen_once(&mut self) -> Option<Heard> {
        if let Some(message) = self.incoming.pop_front() {
            if message != json!({}) {
                return Some(Heard::Message(message));
            }
            self.pings += 1;
            if self.answers_pings {
                self.say_text("{}").await;
            }
            return None;
        }
        match within("a message", self.socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let lines = text.trim().split('\n').map(serde_json::from_str);
                self.incoming.extend(lines.map(Result::unwrap));
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                // Answers the close frame.
                drop(within("the end", self.socket.next()).await);
                return Some(Heard::Closed(frame.code.into(), frame.reason.as_str().to_owned()));
            }
            Some(Ok(Message::Ping(_))) => self.pings += 1,
            Some(Ok(other)) => panic!("a client does not expect {other:?}"),
            Some(Err(_)) | None => return Some(Heard::Lost),
        }
        None
    }
}
