//! What clients send: [`Command`] and its requests.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::message::messages;

messages! {
    /// One command. The first request that is present counts ([`Command::into_request`]); a command
    /// without any is the answer to a ping.
    struct Command {
        /// Chosen by the client, repeated in the reply. 0 where no reply is due.
        #[prost(uint32, tag = "1")]
        id: u32,
        #[prost(message, optional, tag = "4")]
        connect: Option<ConnectRequest>,
        #[prost(message, optional, tag = "5")]
        subscribe: Option<SubscribeRequest>,
        #[prost(message, optional, tag = "6")]
        unsubscribe: Option<UnsubscribeRequest>,
        #[prost(message, optional, tag = "7")]
        publish: Option<PublishRequest>,
        #[prost(message, optional, tag = "8")]
        presence: Option<PresenceRequest>,
        #[prost(message, optional, tag = "9")]
        presence_stats: Option<PresenceStatsRequest>,
        #[prost(message, optional, tag = "10")]
        history: Option<HistoryRequest>,
        #[prost(message, optional, tag = "11")]
        ping: Option<PingRequest>,
        #[prost(message, optional, tag = "12")]
        send: Option<SendRequest>,
        #[prost(message, optional, tag = "13")]
        rpc: Option<RpcRequest>,
        #[prost(message, optional, tag = "14")]
        refresh: Option<RefreshRequest>,
        #[prost(message, optional, tag = "15")]
        sub_refresh: Option<SubRefreshRequest>,
    }

    /// Opens the session.
    struct ConnectRequest {
        #[prost(string, tag = "1")]
        token: String,
        #[prost(bytes = "bytes", tag = "2")]
        data: Bytes,
        /// Positions of server-side subscriptions by channel, on a reconnect.
        #[prost(btree_map = "string, message", tag = "3")]
        subs: BTreeMap<String, SubscribeRequest>,
        /// Name and version of the SDK.
        #[prost(string, tag = "4")]
        name: String,
        #[prost(string, tag = "5")]
        version: String,
        #[prost(btree_map = "string, string", tag = "6")]
        headers: BTreeMap<String, String>,
        /// Bit 1 offers dictionary compression.
        #[prost(int64, tag = "7")]
        flag: i64,
        #[prost(string, tag = "8")]
        dict: String,
        #[prost(string, tag = "9")]
        profile: String,
    }

    /// Subscribes to a channel, or asks for the next page of a map subscription.
    struct SubscribeRequest {
        #[prost(string, tag = "1")]
        channel: String,
        #[prost(string, tag = "2")]
        token: String,
        /// Asks for what followed `offset` of `epoch`.
        #[prost(bool, tag = "3")]
        recover: bool,
        #[prost(string, tag = "6")]
        epoch: String,
        #[prost(uint64, tag = "7")]
        offset: u64,
        #[prost(bytes = "bytes", tag = "8")]
        data: Bytes,
        #[prost(bool, tag = "9")]
        positioned: bool,
        #[prost(bool, tag = "10")]
        recoverable: bool,
        #[prost(bool, tag = "11")]
        join_leave: bool,
        /// Kind of delta that the client understands: `fossil` or empty.
        #[prost(string, tag = "12")]
        delta: String,
        /// Filter on a publication's tags.
        #[prost(message, optional, tag = "13")]
        tf: Option<FilterNode>,
        /// Bit 1 (value 1) offers numeric channel ids, bit 2 (value 2) asks for error 112 rather
        /// than `recovered: false`.
        #[prost(int64, tag = "14")]
        flag: i64,
        /// 0 stream, 1 map, 2 map of clients, 3 map of users, 4 shared poll.
        #[prost(int32, tag = "15")]
        r#type: i32,
        /// Of a map subscription: 0 live, 1 stream, 2 state.
        #[prost(int32, tag = "16")]
        phase: i32,
        #[prost(string, tag = "17")]
        cursor: String,
        #[prost(int32, tag = "18")]
        limit: i32,
        #[prost(bool, tag = "19")]
        asc: bool,
    }

    /// A node of a tag filter: a comparison of one tag (`op` empty), or `and`, `or`, `not` of
    /// `nodes`.
    struct FilterNode {
        #[prost(string, tag = "1")]
        op: String,
        #[prost(string, tag = "2")]
        key: String,
        /// `eq`, `neq`, `in`, `nin`, `ex`, `nex`, `sw`, `ew`, `ct`, `lt`, `lte`, `gt` or `gte`.
        #[prost(string, tag = "3")]
        cmp: String,
        #[prost(string, tag = "4")]
        val: String,
        #[prost(string, repeated, tag = "5")]
        vals: Vec<String>,
        #[prost(message, repeated, tag = "6")]
        nodes: Vec<FilterNode>,
    }

    /// Ends a subscription.
    struct UnsubscribeRequest {
        #[prost(string, tag = "1")]
        channel: String,
    }

    /// Publishes to a channel.
    struct PublishRequest {
        #[prost(string, tag = "1")]
        channel: String,
        #[prost(bytes = "bytes", tag = "2")]
        data: Bytes,
        /// 0 stream, 1 map.
        #[prost(int32, tag = "3")]
        r#type: i32,
        #[prost(string, tag = "4")]
        key: String,
        /// Removes the map's entry `key`.
        #[prost(bool, tag = "5")]
        removed: bool,
    }

    /// Asks who is subscribed.
    struct PresenceRequest {
        #[prost(string, tag = "1")]
        channel: String,
    }

    /// Asks how many are subscribed.
    struct PresenceStatsRequest {
        #[prost(string, tag = "1")]
        channel: String,
    }

    /// Asks for publications of a stream.
    struct HistoryRequest {
        #[prost(string, tag = "1")]
        channel: String,
        /// 0 asks for the position alone, a negative one for all.
        #[prost(int32, tag = "7")]
        limit: i32,
        #[prost(message, optional, tag = "8")]
        since: Option<StreamPosition>,
        #[prost(bool, tag = "9")]
        reverse: bool,
    }

    /// A place in a stream.
    struct StreamPosition {
        #[prost(uint64, tag = "1")]
        offset: u64,
        #[prost(string, tag = "2")]
        epoch: String,
    }

    /// A ping from the client, answered by a `PingResult`.
    struct PingRequest {}

    /// A message to the server without a reply.
    struct SendRequest {
        #[prost(bytes = "bytes", tag = "1")]
        data: Bytes,
    }

    /// A call of a method by name.
    struct RpcRequest {
        #[prost(bytes = "bytes", tag = "1")]
        data: Bytes,
        #[prost(string, tag = "2")]
        method: String,
    }

    /// Brings a new connection token.
    struct RefreshRequest {
        #[prost(string, tag = "1")]
        token: String,
    }

    /// Brings a new subscription token, or edits the keys of a shared poll.
    struct SubRefreshRequest {
        #[prost(string, tag = "1")]
        channel: String,
        #[prost(string, tag = "2")]
        token: String,
        /// 0 refresh, 1 track, 2 untrack.
        #[prost(int32, tag = "3")]
        r#type: i32,
        #[prost(message, repeated, tag = "4")]
        track: Vec<Track>,
        #[prost(string, repeated, tag = "5")]
        untrack: Vec<String>,
    }

    /// Keys of a shared poll under one signature.
    struct Track {
        #[prost(string, tag = "1")]
        signature: String,
        #[prost(message, repeated, tag = "2")]
        items: Vec<TrackItem>,
    }

    /// A key, and the version of it that the client has.
    struct TrackItem {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(uint64, tag = "2")]
        version: u64,
    }
}

/// What a [`Command`] asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Connect(ConnectRequest),
    Subscribe(SubscribeRequest),
    Unsubscribe(UnsubscribeRequest),
    Publish(PublishRequest),
    Presence(PresenceRequest),
    PresenceStats(PresenceStatsRequest),
    History(HistoryRequest),
    Ping(PingRequest),
    Send(SendRequest),
    Rpc(RpcRequest),
    Refresh(RefreshRequest),
    SubRefresh(SubRefreshRequest),
    /// An empty command: the answer to the server's ping.
    Pong,
    /// An id without a request, which is a bad request.
    Missing,
}

impl Request {
    /// The method's name, for metrics and logs.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Publish(_) => "publish",
            Self::Presence(_) => "presence",
            Self::PresenceStats(_) => "presence_stats",
            Self::History(_) => "history",
            Self::Ping(_) => "ping",
            Self::Send(_) => "send",
            Self::Rpc(_) => "rpc",
            Self::Refresh(_) => "refresh",
            Self::SubRefresh(_) => "sub_refresh",
            Self::Pong => "pong",
            Self::Missing => "missing",
        }
    }
}

impl Command {
    /// The id, and the first request in the order of the fields; the others are ignored.
    pub(crate) fn into_request(self) -> (u32, Request) {
        let id = self.id;
        let without = if id == 0 { Request::Pong } else { Request::Missing };
        let request = None
            .or(self.connect.map(Request::Connect))
            .or(self.subscribe.map(Request::Subscribe))
            .or(self.unsubscribe.map(Request::Unsubscribe))
            .or(self.publish.map(Request::Publish))
            .or(self.presence.map(Request::Presence))
            .or(self.presence_stats.map(Request::PresenceStats))
            .or(self.history.map(Request::History))
            .or(self.ping.map(Request::Ping))
            .or(self.send.map(Request::Send))
            .or(self.rpc.map(Request::Rpc))
            .or(self.refresh.map(Request::Refresh))
            .or(self.sub_refresh.map(Request::SubRefresh))
            .unwrap_or(without);
        (id, request)
    }
}
