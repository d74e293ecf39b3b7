//! A client that speaks Protobuf: message types written down once more, from the field numbers of
//! the protocol.

use std::collections::VecDeque;

use prost::Message;

use crate::node::Node;
use crate::raw::{BINARY, CLOSE, Raw};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) connect: Option<Empty>,
    #[prost(message, optional, tag = "5")]
    pub(crate) subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "7")]
    pub(crate) publish: Option<Publish>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribe {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(bool, tag = "9")]
    pub(crate) positioned: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Publish {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Reply {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) error: Option<Fault>,
    #[prost(message, optional, tag = "4")]
    pub(crate) push: Option<Push>,
    #[prost(message, optional, tag = "5")]
    pub(crate) connect: Option<Connected>,
    #[prost(message, optional, tag = "6")]
    pub(crate) subscribe: Option<Subscribed>,
    #[prost(message, optional, tag = "8")]
    pub(crate) publish: Option<Empty>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Fault {
    #[prost(uint32, tag = "1")]
    pub(crate) code: u32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Connected {
    #[prost(string, tag = "1")]
    pub(crate) client: String,
    #[prost(uint32, tag = "7")]
    pub(crate) ping: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Subscribed {
    #[prost(uint64, tag = "9")]
    pub(crate) offset: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Push {
    #[prost(string, tag = "2")]
    pub(crate) channel: String,
    #[prost(message, optional, tag = "4")]
    pub(crate) publication: Option<Publication>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Publication {
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) data: Vec<u8>,
    #[prost(uint64, tag = "6")]
    pub(crate) offset: u64,
}

#[derive(Debug)]
pub(crate) struct ProtobufClient {
    pub(crate) raw: Raw,
    /// Came over the wire and was not looked at yet.
    incoming: VecDeque<Reply>,
    /// Came before a reply that was waited for.
    inbox: VecDeque<Reply>,
    last_id: u32,
}

impl ProtobufClient {
    pub(crate) async fn open(node: &Node) -> ProtobufClient {
        let raw = Raw::open(node.http, "?cf_protocol=protobuf").await;
        ProtobufClient { raw, incoming: VecDeque::new(), inbox: VecDeque::new(), last_id: 0 }
    }

    pub(crate) async fn connect(node: &Node) -> ProtobufClient {
        let mut client = ProtobufClient::open(node).await;
        let reply = client.ask(Command { connect: Some(Empty {}), ..Command::default() }).await;
        assert_ne!(reply.connect.unwrap().client, "");
        client
    }

    /// Sends a command with the next id: its reply. Pushes that come before wait in the inbox.
    pub(crate) async fn ask(&mut self, mut command: Command) -> Reply {
        self.last_id += 1;
        command.id = self.last_id;
        self.raw.binary(&command.encode_length_delimited_to_vec()).await;
        loop {
            let reply = self.listen().await;
            if reply.id == self.last_id {
                return reply;
            }
            self.inbox.push_back(reply);
        }
    }

    /// Subscribes, with positions: the offset from which on publications come.
    pub(crate) async fn subscribe(&mut self, channel: &str) -> u64 {
        let subscribe = Subscribe { channel: channel.to_owned(), positioned: true };
        let reply = self.ask(Command { subscribe: Some(subscribe), ..Command::default() }).await;
        reply.subscribe.unwrap_or_else(|| panic!("{:?}", reply.error)).offset
    }

    pub(crate) async fn publish(&mut self, channel: &str, data: &[u8]) -> Result<(), u32> {
        let publish = Publish { channel: channel.to_owned(), data: data.to_vec() };
        let reply = self.ask(Command { publish: Some(publish), ..Command::default() }).await;
        reply.error.map_or(Ok(()), |fault| Err(fault.code))
    }

    /// The next publication.
    pub(crate) async fn publication(&mut self) -> Publication {
        loop {
            let reply = match self.inbox.pop_front() {
                Some(reply) => reply,
                None => self.listen().await,
            };
            if let Some(publication) = reply.push.and_then(|push| push.publication) {
                return publication;
            }
        }
    }

    /// The next reply from the wire. A ping is answered on the way.
    async fn listen(&mut self) -> Reply {
        loop {
            while let Some(reply) = self.incoming.pop_front() {
                if reply != Reply::default() {
                    return reply;
                }
                self.raw.binary(&[0]).await;
            }
            let (opcode, payload) = self.raw.frame().await.unwrap();
            assert_ne!(opcode, CLOSE, "{}", String::from_utf8_lossy(&payload));
            assert_eq!(opcode, BINARY);
            let mut rest = payload.as_slice();
            while !rest.is_empty() {
                self.incoming.push_back(Reply::decode_length_delimited(&mut rest).unwrap());
            }
        }
    }
}
