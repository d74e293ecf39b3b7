//! What the server sends: [`Reply`] with its results, and [`Push`] with its events.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::field::Field;
use super::message::messages;

/// An entry of the map `subs` by channel. Written out because a map leaves out a value in which
/// nothing is set, which centrifuge-js then reads as `null` and fails on.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SubsEntry {
    #[prost(string, tag = "1")]
    pub(crate) channel: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) result: Option<SubscribeResult>,
}

impl SubsEntry {
    pub(crate) fn new(channel: String, result: SubscribeResult) -> Self {
        Self { channel, result: Some(result) }
    }
}

/// In JSON an object by channel.
impl Field for Vec<SubsEntry> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_channel = BTreeMap::<String, SubscribeResult>::read(deserializer)?;
        Ok(by_channel
            .into_iter()
            .map(|(channel, result)| SubsEntry::new(channel, result))
            .collect())
    }

    fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|entry| (&entry.channel, &entry.result)))
    }
}

messages! {
    /// The answer to the command of the same id, or, with id 0, a push or a ping (empty).
    struct Reply {
        #[prost(uint32, tag = "1")]
        id: u32,
        #[prost(message, optional, tag = "2")]
        error: Option<Error>,
        #[prost(message, optional, tag = "4")]
        push: Option<Push>,
        #[prost(message, optional, tag = "5")]
        connect: Option<ConnectResult>,
        #[prost(message, optional, tag = "6")]
        subscribe: Option<SubscribeResult>,
        #[prost(message, optional, tag = "7")]
        unsubscribe: Option<UnsubscribeResult>,
        #[prost(message, optional, tag = "8")]
        publish: Option<PublishResult>,
        #[prost(message, optional, tag = "9")]
        presence: Option<PresenceResult>,
        #[prost(message, optional, tag = "10")]
        presence_stats: Option<PresenceStatsResult>,
        #[prost(message, optional, tag = "11")]
        history: Option<HistoryResult>,
        #[prost(message, optional, tag = "12")]
        ping: Option<PingResult>,
        #[prost(message, optional, tag = "13")]
        rpc: Option<RpcResult>,
        #[prost(message, optional, tag = "14")]
        refresh: Option<RefreshResult>,
        #[prost(message, optional, tag = "15")]
        sub_refresh: Option<SubRefreshResult>,
    }

    /// Why a command failed; the numbers are in [`ErrorCode`](super::ErrorCode).
    struct Error {
        #[prost(uint32, tag = "1")]
        code: u32,
        #[prost(string, tag = "2")]
        message: String,
        /// SDKs try again.
        #[prost(bool, tag = "3")]
        temporary: bool,
    }

    /// An event. Exactly one of the events is present.
    struct Push {
        /// Stands for the channel where the subscribe reply gave an `id`.
        #[prost(int64, tag = "1")]
        id: i64,
        #[prost(string, tag = "2")]
        channel: String,
        #[prost(message, optional, tag = "4")]
        r#pub: Option<Publication>,
        #[prost(message, optional, tag = "5")]
        join: Option<Join>,
        #[prost(message, optional, tag = "6")]
        leave: Option<Leave>,
        #[prost(message, optional, tag = "7")]
        unsubscribe: Option<Unsubscribe>,
        #[prost(message, optional, tag = "8")]
        message: Option<Message>,
        #[prost(message, optional, tag = "9")]
        subscribe: Option<Subscribe>,
        #[prost(message, optional, tag = "10")]
        connect: Option<Connect>,
        #[prost(message, optional, tag = "11")]
        disconnect: Option<DisconnectPush>,
        #[prost(message, optional, tag = "12")]
        refresh: Option<Refresh>,
    }

    /// What was published: live, in history, in recovery, or as an entry of a map.
    struct Publication {
        /// With delta negotiated, a JSON string that holds the JSON or the patch.
        #[prost(bytes = "bytes", tag = "4")]
        data: Bytes,
        /// The client that published; absent where a backend did.
        #[prost(message, optional, tag = "5")]
        info: Option<ClientInfo>,
        #[prost(uint64, tag = "6")]
        offset: u64,
        #[prost(btree_map = "string, string", tag = "7")]
        tags: BTreeMap<String, String>,
        /// `data` is a patch against the previous publication.
        #[prost(bool, tag = "8")]
        delta: bool,
        /// Milliseconds since the Unix epoch.
        #[prost(int64, tag = "9")]
        time: i64,
        /// The channel itself, where a subscription is to a pattern.
        #[prost(string, tag = "10")]
        channel: String,
        #[prost(string, tag = "11")]
        key: String,
        #[prost(bool, tag = "12")]
        removed: bool,
        #[prost(sint64, tag = "13")]
        score: i64,
        #[prost(string, tag = "14")]
        epoch: String,
        #[prost(bytes = "bytes", tag = "15")]
        prev_data: Bytes,
        #[prost(uint64, tag = "16")]
        version: u64,
    }

    /// Who a client is.
    struct ClientInfo {
        #[prost(string, tag = "1")]
        user: String,
        #[prost(string, tag = "2")]
        client: String,
        #[prost(bytes = "bytes", tag = "3")]
        conn_info: Bytes,
        #[prost(bytes = "bytes", tag = "4")]
        chan_info: Bytes,
    }

    /// A client subscribed.
    struct Join {
        #[prost(message, optional, tag = "1")]
        info: Option<ClientInfo>,
    }

    /// A client is gone.
    struct Leave {
        #[prost(message, optional, tag = "1")]
        info: Option<ClientInfo>,
    }

    /// The server ended a subscription; the numbers are in
    /// [`UnsubscribeCode`](super::UnsubscribeCode).
    struct Unsubscribe {
        #[prost(uint32, tag = "2")]
        code: u32,
        #[prost(string, tag = "3")]
        reason: String,
    }

    /// The server subscribed the client.
    struct Subscribe {
        #[prost(bool, tag = "1")]
        recoverable: bool,
        #[prost(string, tag = "4")]
        epoch: String,
        #[prost(uint64, tag = "5")]
        offset: u64,
        #[prost(bool, tag = "6")]
        positioned: bool,
        #[prost(bytes = "bytes", tag = "7")]
        data: Bytes,
    }

    /// A message outside any channel.
    struct Message {
        #[prost(bytes = "bytes", tag = "1")]
        data: Bytes,
    }

    /// The first push of a connection that only flows down.
    struct Connect {
        #[prost(string, tag = "1")]
        client: String,
        #[prost(string, tag = "2")]
        version: String,
        #[prost(bytes = "bytes", tag = "3")]
        data: Bytes,
        #[prost(message, repeated, tag = "4")]
        subs: Vec<SubsEntry>,
        #[prost(bool, tag = "5")]
        expires: bool,
        /// Seconds.
        #[prost(uint32, tag = "6")]
        ttl: u32,
        /// Seconds between pings.
        #[prost(uint32, tag = "7")]
        ping: u32,
        #[prost(bool, tag = "8")]
        pong: bool,
        #[prost(string, tag = "9")]
        session: String,
        #[prost(string, tag = "10")]
        node: String,
        /// Milliseconds since the Unix epoch.
        #[prost(int64, tag = "11")]
        time: i64,
    }

    /// The connection ends; on WebSocket the close frame says so instead.
    struct DisconnectPush {
        #[prost(uint32, tag = "1")]
        code: u32,
        #[prost(string, tag = "2")]
        reason: String,
        #[prost(bool, tag = "3")]
        reconnect: bool,
    }

    /// The connection's expiry changed.
    struct Refresh {
        #[prost(bool, tag = "1")]
        expires: bool,
        /// Seconds.
        #[prost(uint32, tag = "2")]
        ttl: u32,
    }

    /// The session is open.
    struct ConnectResult {
        #[prost(string, tag = "1")]
        client: String,
        #[prost(string, tag = "2")]
        version: String,
        #[prost(bool, tag = "3")]
        expires: bool,
        /// Seconds until the token expires.
        #[prost(uint32, tag = "4")]
        ttl: u32,
        #[prost(bytes = "bytes", tag = "5")]
        data: Bytes,
        /// Server-side subscriptions by channel.
        #[prost(message, repeated, tag = "6")]
        subs: Vec<SubsEntry>,
        /// Seconds between pings.
        #[prost(uint32, tag = "7")]
        ping: u32,
        /// The client answers pings.
        #[prost(bool, tag = "8")]
        pong: bool,
        /// Where to send commands to, on connections that only flow down.
        #[prost(string, tag = "9")]
        session: String,
        #[prost(string, tag = "10")]
        node: String,
        /// Milliseconds since the Unix epoch.
        #[prost(int64, tag = "11")]
        time: i64,
        #[prost(int64, tag = "12")]
        flag: i64,
        #[prost(message, optional, tag = "13")]
        dict: Option<Dict>,
    }

    /// A compression dictionary.
    struct Dict {
        #[prost(string, tag = "1")]
        id: String,
        #[prost(bytes = "bytes", tag = "2")]
        data: Bytes,
        #[prost(string, tag = "3")]
        data_b64: String,
    }

    /// The subscription is live, or one page of a map follows.
    struct SubscribeResult {
        #[prost(bool, tag = "1")]
        expires: bool,
        /// Seconds until the subscription token expires.
        #[prost(uint32, tag = "2")]
        ttl: u32,
        #[prost(bool, tag = "3")]
        recoverable: bool,
        #[prost(string, tag = "6")]
        epoch: String,
        #[prost(message, repeated, tag = "7")]
        publications: Vec<Publication>,
        /// `publications` is everything that the client missed.
        #[prost(bool, tag = "8")]
        recovered: bool,
        /// With `recovered` the offset of the request, else the top of the stream.
        #[prost(uint64, tag = "9")]
        offset: u64,
        #[prost(bool, tag = "10")]
        positioned: bool,
        #[prost(bytes = "bytes", tag = "11")]
        data: Bytes,
        /// The request asked to recover.
        #[prost(bool, tag = "12")]
        was_recovering: bool,
        #[prost(bool, tag = "13")]
        delta: bool,
        /// Stands for the channel in this session's pushes.
        #[prost(int64, tag = "14")]
        id: i64,
        /// As in [`SubscribeRequest`](super::SubscribeRequest).
        #[prost(int32, tag = "15")]
        r#type: i32,
        #[prost(int32, tag = "16")]
        phase: i32,
        #[prost(string, tag = "17")]
        cursor: String,
        #[prost(message, repeated, tag = "18")]
        state: Vec<Publication>,
        /// Milliseconds that an SDK leaves between publications.
        #[prost(uint32, tag = "19")]
        publish_debounce: u32,
    }

    /// The subscription has ended.
    struct UnsubscribeResult {}

    /// The publication is in the stream.
    struct PublishResult {}

    /// Who is subscribed, by client id.
    struct PresenceResult {
        #[prost(btree_map = "string, message", tag = "1")]
        presence: BTreeMap<String, ClientInfo>,
    }

    /// How many are subscribed.
    struct PresenceStatsResult {
        #[prost(uint32, tag = "1")]
        num_clients: u32,
        #[prost(uint32, tag = "2")]
        num_users: u32,
    }

    /// Publications of a stream, and its top.
    struct HistoryResult {
        #[prost(message, repeated, tag = "1")]
        publications: Vec<Publication>,
        #[prost(string, tag = "2")]
        epoch: String,
        #[prost(uint64, tag = "3")]
        offset: u64,
    }

    /// The answer to a client's ping.
    struct PingResult {}

    /// What the method returned.
    struct RpcResult {
        #[prost(bytes = "bytes", tag = "1")]
        data: Bytes,
    }

    /// The session goes on.
    struct RefreshResult {
        #[prost(string, tag = "1")]
        client: String,
        #[prost(string, tag = "2")]
        version: String,
        #[prost(bool, tag = "3")]
        expires: bool,
        /// Seconds.
        #[prost(uint32, tag = "4")]
        ttl: u32,
    }

    /// The subscription goes on; for a shared poll, what is known of the tracked keys.
    struct SubRefreshResult {
        #[prost(bool, tag = "1")]
        expires: bool,
        /// Seconds.
        #[prost(uint32, tag = "2")]
        ttl: u32,
        #[prost(message, repeated, tag = "3")]
        items: Vec<Publication>,
    }
}
