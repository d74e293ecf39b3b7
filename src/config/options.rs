//! Every option of a node besides those of namespaces.

use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::base::limits;
use crate::channel::ChannelRules;
use crate::config::TokenOptions;
use crate::config::table::Kind::{
    Address, Bool, Choice, Count, CountOr, Duration as Time, Inverse, List, Networks, Off, Path,
    Pattern, Size, Text, TextOption, UrlPath,
};
use crate::config::table::Row;
use crate::engine::MemoryOptions;
use crate::hooks::WebhookOptions;
use crate::server::ServerOptions;
use crate::session::{PersonalChannel, SessionOptions};

/// What the node calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeOptions {
    /// `None`: a random name.
    pub(crate) name: Option<String>,
    /// The site that the node belongs to.
    pub(crate) region: String,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogOptions {
    pub(crate) level: LevelFilter,
    /// One JSON object a line rather than text.
    pub(crate) json: bool,
}

/// Options as they are read, one field each, before relations between them are checked.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) session: SessionOptions,
    pub(crate) personal_enabled: bool,
    pub(crate) personal: PersonalChannel,
    pub(crate) token: TokenOptions,
    pub(crate) subscription_enabled: bool,
    pub(crate) subscription: TokenOptions,
    pub(crate) rules: ChannelRules,
    pub(crate) engine: MemoryOptions,
    pub(crate) webhook: WebhookOptions,
    pub(crate) zone_files: Vec<String>,
    pub(crate) server: ServerOptions,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) node: NodeOptions,
    pub(crate) log: LogOptions,
}

impl Default for Draft {
    /// Placeholders: every field is overwritten with its documented default.
    fn default() -> Self {
        Self {
            session: SessionOptions::default(),
            personal_enabled: false,
            personal: PersonalChannel::default(),
            token: TokenOptions::default(),
            subscription_enabled: false,
            subscription: TokenOptions::default(),
            rules: ChannelRules::default(),
            engine: MemoryOptions::default(),
            webhook: WebhookOptions::default(),
            zone_files: Vec::new(),
            server: ServerOptions::default(),
            certificate: None,
            key: None,
            node: NodeOptions::default(),
            log: LogOptions { level: LevelFilter::INFO, json: false },
        }
    }
}

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

const SECOND: Duration = ms(1000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::TRACE,
    LevelFilter::DEBUG,
    LevelFilter::INFO,
    LevelFilter::WARN,
    LevelFilter::ERROR,
    LevelFilter::OFF,
];

/// Grouped by section, in the order of the example.
pub(crate) static OPTIONS: &[Row<Draft>] = &[
    Row::new(
        "node.name",
        TextOption(|d| &mut d.node.name),
        "",
        "Name of this node in logs and answers; empty takes a random one.",
    ),
    Row::new(
        "node.region",
        Text(1..=255, |d| &mut d.node.region),
        "local",
        "The site that this node belongs to.",
    ),
    Row::new(
        "node.lanes",
        CountOr("auto", 1..=limits::LANES_MAX, |d| &mut d.server.lanes),
        "auto",
        "Shares of the channels that are worked on in parallel, a power of two; auto takes the number of cores rounded up.",
    ),
    Row::new(
        "listen.http",
        Address(|d| &mut d.server.http),
        "127.0.0.1:8000",
        "TCP: client connections and the server API.",
    ),
    Row::new(
        "listen.admin",
        Address(|d| &mut d.server.admin),
        "127.0.0.1:9000",
        "TCP: health and metrics. Nothing here asks for a key: keep it private.",
    ),
    Row::new(
        "listen.webtransport",
        Address(|d| &mut d.server.quic),
        "127.0.0.1:8000",
        "UDP: WebTransport sessions. Without tls.certificate they use a certificate for development that is made at start.",
    ),
    Row::new(
        "listen.relay",
        Off("the relay between regions"),
        "off",
        "UDP: links to other regions.",
    ),
    Row::new(
        "listen.proxy_protocol_from",
        Networks(|d| &mut d.server.proxies),
        "[]",
        "Proxies in front of listen.http that tell whom they speak for by PROXY protocol v2; with any, all other connections there are refused.",
    ),
    Row::new(
        "tls.certificate",
        Path(|d| &mut d.certificate),
        "",
        "Certificate chain in PEM, the server's own first; with tls.key it turns listen.http to https and wss. Taken up again when the files change.",
    ),
    Row::new("tls.key", Path(|d| &mut d.key), "", "Private key of the certificate, in PEM."),
    Row::new(
        "client.insecure",
        Bool(|d| &mut d.session.insecure),
        "false",
        "Development only: no tokens, everything allowed.",
    ),
    Row::new(
        "client.allowed_origins",
        List(|d| &mut d.server.allowed_origins),
        "[]",
        "Origins of web pages that may connect, such as \"https://app.example.com\" or \"https://*.example.com\"; \"*\" is any. Clients that send no Origin always may.",
    ),
    Row::new(
        "client.allow_anonymous_connect_without_token",
        Bool(|d| &mut d.session.allow_anonymous_connect_without_token),
        "false",
        "Clients may connect without token; their user id is empty.",
    ),
    Row::new(
        "client.disallow_anonymous_connection_tokens",
        Bool(|d| &mut d.session.disallow_anonymous_connection_tokens),
        "false",
        "Refuse connection tokens whose user id is empty.",
    ),
    Row::new(
        "client.ping_interval",
        Time(SECOND..=HOUR, |d| &mut d.session.ping_interval),
        "25s",
        "How often the server pings a client.",
    ),
    Row::new(
        "client.pong_timeout",
        Time(ms(100)..=HOUR, |d| &mut d.session.pong_timeout),
        "8s",
        "How long a client may take to answer a ping; shorter than client.ping_interval.",
    ),
    Row::new(
        "client.stale_close_delay",
        Time(ms(100)..=HOUR, |d| &mut d.session.stale_close_delay),
        "10s",
        "A connection that has not sent its connect command by then is closed.",
    ),
    Row::new(
        "client.expired_close_delay",
        Time(ms(0)..=HOUR, |d| &mut d.session.expired_close_delay),
        "25s",
        "How long a client whose token expired may take to refresh it.",
    ),
    Row::new(
        "client.expired_sub_close_delay",
        Time(ms(0)..=HOUR, |d| &mut d.session.expired_sub_close_delay),
        "25s",
        "How long a subscription whose token expired may take to refresh it.",
    ),
    Row::new(
        "client.queue_max_size",
        Size(1024..=1 << 30, |d| &mut d.server.queue_max_size),
        "1MiB",
        "Bytes that may wait for one client; a slower client is disconnected. At least websocket.message_size_limit and webtransport.message_size_limit.",
    ),
    Row::new(
        "client.channel_limit",
        Count(1..=1_000_000, |d| &mut d.session.channel_limit),
        "128",
        "Subscriptions that one client may have.",
    ),
    Row::new(
        "client.connection_limit",
        CountOr("off", 1..=100_000_000, |d| &mut d.server.connection_limit),
        "off",
        "Connections that this node accepts at a time.",
    ),
    Row::new(
        "client.user_connection_limit",
        CountOr("off", 1..=100_000_000, |d| &mut d.server.user_connection_limit),
        "off",
        "Connections that one user may have on this node.",
    ),
    Row::new(
        "client.connection_rate_limit",
        CountOr("off", 1..=100_000_000, |d| &mut d.server.connection_rate_limit),
        "off",
        "New connections a second that this node accepts.",
    ),
    Row::new(
        "client.history_max_publication_limit",
        Count(1..=1_000_000, |d| &mut d.session.history_max_publication_limit),
        "300",
        "Publications in one answer to a client's history request.",
    ),
    Row::new(
        "client.recovery_max_publication_limit",
        Count(1..=1_000_000, |d| &mut d.session.recovery_max_publication_limit),
        "300",
        "Publications that one recovery replays; a client that missed more is told so.",
    ),
    Row::new(
        "client.subscribe_to_user_personal_channel.enabled",
        Bool(|d| &mut d.personal_enabled),
        "false",
        "Subscribe every client with a user id to a channel of that user.",
    ),
    Row::new(
        "client.subscribe_to_user_personal_channel.personal_channel_namespace",
        Text(0..=limits::NAMESPACE_BYTES, |d| &mut d.personal.namespace),
        "",
        "Namespace of the personal channels; empty for none.",
    ),
    Row::new(
        "client.subscribe_to_user_personal_channel.single_connection",
        Bool(|d| &mut d.personal.single_connection),
        "false",
        "A new connection of a user closes the older ones.",
    ),
    Row::secret(
        "client.token.hmac_secret_key",
        TextOption(|d| &mut d.token.hmac_secret_key),
        "",
        "Verifies connection tokens signed with HS256, HS384 or HS512.",
    ),
    Row::new(
        "client.token.rsa_public_key",
        TextOption(|d| &mut d.token.rsa_public_key),
        "",
        "PEM text; verifies connection tokens signed with RS256, RS384 or RS512.",
    ),
    Row::new(
        "client.token.ecdsa_public_key",
        TextOption(|d| &mut d.token.ecdsa_public_key),
        "",
        "PEM text; verifies connection tokens signed with ES256 or ES384.",
    ),
    Row::new(
        "client.token.ed25519_public_key",
        TextOption(|d| &mut d.token.ed25519_public_key),
        "",
        "PEM text; verifies connection tokens signed with EdDSA.",
    ),
    Row::new(
        "client.token.audience",
        TextOption(|d| &mut d.token.audience),
        "",
        "Connection tokens must have this audience; empty lets any pass.",
    ),
    Row::new(
        "client.token.audience_regex",
        Pattern(|d, regex| d.token.audience_regex = regex.map(|one| one.as_str().to_owned())),
        "",
        "Connection tokens must have an audience that matches.",
    ),
    Row::new(
        "client.token.issuer",
        TextOption(|d| &mut d.token.issuer),
        "",
        "Connection tokens must have this issuer; empty lets any pass.",
    ),
    Row::new(
        "client.token.issuer_regex",
        Pattern(|d, regex| d.token.issuer_regex = regex.map(|one| one.as_str().to_owned())),
        "",
        "Connection tokens must have an issuer that matches.",
    ),
    Row::new(
        "client.token.user_id_claim",
        TextOption(|d| &mut d.token.user_id_claim),
        "",
        "The claim with the user id; empty takes sub.",
    ),
    Row::new(
        "client.subscription_token.enabled",
        Bool(|d| &mut d.subscription_enabled),
        "false",
        "Verify subscription tokens with the keys of this section rather than those of client.token.",
    ),
    Row::secret(
        "client.subscription_token.hmac_secret_key",
        TextOption(|d| &mut d.subscription.hmac_secret_key),
        "",
        "Verifies subscription tokens signed with HS256, HS384 or HS512.",
    ),
    Row::new(
        "client.subscription_token.rsa_public_key",
        TextOption(|d| &mut d.subscription.rsa_public_key),
        "",
        "PEM text; verifies subscription tokens signed with RS256, RS384 or RS512.",
    ),
    Row::new(
        "client.subscription_token.ecdsa_public_key",
        TextOption(|d| &mut d.subscription.ecdsa_public_key),
        "",
        "PEM text; verifies subscription tokens signed with ES256 or ES384.",
    ),
    Row::new(
        "client.subscription_token.ed25519_public_key",
        TextOption(|d| &mut d.subscription.ed25519_public_key),
        "",
        "PEM text; verifies subscription tokens signed with EdDSA.",
    ),
    Row::new(
        "client.subscription_token.audience",
        TextOption(|d| &mut d.subscription.audience),
        "",
        "Subscription tokens must have this audience; empty lets any pass.",
    ),
    Row::new(
        "client.subscription_token.audience_regex",
        Pattern(|d, regex| {
            d.subscription.audience_regex = regex.map(|one| one.as_str().to_owned())
        }),
        "",
        "Subscription tokens must have an audience that matches.",
    ),
    Row::new(
        "client.subscription_token.issuer",
        TextOption(|d| &mut d.subscription.issuer),
        "",
        "Subscription tokens must have this issuer; empty lets any pass.",
    ),
    Row::new(
        "client.subscription_token.issuer_regex",
        Pattern(|d, regex| d.subscription.issuer_regex = regex.map(|one| one.as_str().to_owned())),
        "",
        "Subscription tokens must have an issuer that matches.",
    ),
    Row::new(
        "client.subscription_token.user_id_claim",
        TextOption(|d| &mut d.subscription.user_id_claim),
        "",
        "The claim with the user id; empty takes sub.",
    ),
    Row::new(
        "http_api.disabled",
        Inverse(|d| &mut d.server.api.enabled),
        "false",
        "Do not serve the server API.",
    ),
    Row::new(
        "geo.zone_files",
        List(|d| &mut d.zone_files),
        "[]",
        "GeoJSON files, each a FeatureCollection whose features are zones by their property name. The server API changes zones while the node runs.",
    ),
    Row::secret(
        "webhook.secret",
        TextOption(|d| &mut d.webhook.secret),
        "",
        "Signs webhooks (HMAC-SHA256); empty sends none.",
    ),
    Row::new(
        "webhook.timeout",
        Time(ms(10)..=HOUR, |d| &mut d.webhook.timeout),
        "5s",
        "How long one attempt at a webhook may take.",
    ),
    Row::new(
        "webhook.retry_for",
        Time(ms(0)..=DAY, |d| &mut d.webhook.retry_for),
        "5m",
        "For how long a webhook that was not taken is tried again, with growing pauses.",
    ),
    Row::new(
        "webhook.queue_max",
        Count(1..=1_000_000, |d| &mut d.webhook.queue_max),
        "10000",
        "Messages that wait for one address; further ones are dropped and counted.",
    ),
    Row::secret(
        "http_api.key",
        TextOption(|d| &mut d.server.api.key),
        "",
        "What requests to the server API carry as X-API-Key; empty refuses every request.",
    ),
    Row::new(
        "http_api.insecure",
        Bool(|d| &mut d.server.api.insecure),
        "false",
        "Development only: the server API asks for no key.",
    ),
    Row::new(
        "http_api.error_mode",
        Choice(&["", "transport"], |d, index| d.server.api.transport_errors = index == 1),
        "",
        "transport answers errors with an HTTP status rather than with 200 and an error.",
    ),
    Row::new(
        "websocket.disabled",
        Inverse(|d| &mut d.server.websocket.enabled),
        "false",
        "Do not serve WebSocket.",
    ),
    Row::new(
        "websocket.handler_prefix",
        UrlPath(|d| &mut d.server.websocket.handler_prefix),
        "/connection/websocket",
        "Path of the WebSocket endpoint.",
    ),
    Row::new(
        "websocket.message_size_limit",
        Size(1024..=64 << 20, |d| &mut d.server.websocket.message_size_limit),
        "64KiB",
        "Bytes of one message from a client; a longer one closes the connection.",
    ),
    Row::new(
        "webtransport.handler_prefix",
        UrlPath(|d| &mut d.server.webtransport.handler_prefix),
        "/connection/webtransport",
        "Path of the WebTransport endpoint.",
    ),
    Row::new(
        "webtransport.message_size_limit",
        Size(1024..=64 << 20, |d| &mut d.server.webtransport.message_size_limit),
        "64KiB",
        "Bytes of one message from a client; a longer one ends the session.",
    ),
    Row::new(
        "webtransport.connection_limit",
        CountOr("off", 1..=100_000_000, |d| &mut d.server.webtransport.connection_limit),
        "20000",
        "QUIC connections that this node accepts at a time; client.connection_limit counts their sessions too.",
    ),
    Row::new(
        "webtransport.address_limit",
        CountOr("off", 1..=100_000_000, |d| &mut d.server.webtransport.address_limit),
        "1000",
        "QUIC connections from one IP address; of IPv6, from one /64.",
    ),
    Row::new(
        "channel.max_length",
        Count(1..=limits::CHANNEL_BYTES, |d| &mut d.rules.length_max),
        "255",
        "Bytes of a channel's name.",
    ),
    Row::new(
        "channel.namespace_boundary",
        Text(1..=16, |d| &mut d.rules.namespace_boundary),
        ":",
        "What is before the first of these in a channel's name is its namespace.",
    ),
    Row::new(
        "channel.private_prefix",
        Text(0..=16, |d| &mut d.rules.private_prefix),
        "$",
        "Channels whose name begins with this need a subscription token; empty for none.",
    ),
    Row::new(
        "channel.user_boundary",
        Text(0..=16, |d| &mut d.rules.user_boundary),
        "#",
        "What follows the last of these in a channel's name are the users who may subscribe; empty for none.",
    ),
    Row::new(
        "channel.user_separator",
        Text(1..=16, |d| &mut d.rules.user_separator),
        ",",
        "Separates those users.",
    ),
    Row::new(
        "channel.history_meta_ttl",
        Time(SECOND..=YEAR, |d| &mut d.engine.history_meta_ttl),
        "720h",
        "How long a channel's position outlives its last publication.",
    ),
    Row::new(
        "engine.type",
        Choice(&["memory"], |_, _| ()),
        "memory",
        "Where publications are kept: in the memory of this process.",
    ),
    Row::new(
        "engine.history_bytes_max",
        Size(1 << 20..=1 << 40, |d| &mut d.engine.history_bytes_max),
        "1GiB",
        "Bytes of all histories together; the oldest publications go first.",
    ),
    Row::new(
        "engine.streams_max",
        Count(1000..=1_000_000_000, |d| &mut d.engine.streams_max),
        "1000000",
        "Channels with a position; the one that was idle longest goes first.",
    ),
    Row::new(
        "engine.idempotency_ttl",
        Time(SECOND..=DAY, |d| &mut d.engine.idempotency_ttl),
        "5m",
        "How long an idempotency key is remembered.",
    ),
    Row::new(
        "engine.idempotency_keys_max",
        Count(1000..=1_000_000_000, |d| &mut d.engine.idempotency_keys_max),
        "1000000",
        "Idempotency keys remembered; the oldest goes first.",
    ),
    Row::new(
        "shutdown.timeout",
        Time(ms(0)..=HOUR, |d| &mut d.server.shutdown_timeout),
        "30s",
        "When a shutdown ends, whatever is left.",
    ),
    Row::new(
        "shutdown.spread",
        Time(ms(0)..=HOUR, |d| &mut d.server.shutdown_spread),
        "5s",
        "Over how long a shutdown spreads the disconnects of clients; at most shutdown.timeout, to which the default is shortened.",
    ),
    Row::new(
        "log.level",
        Choice(&["trace", "debug", "info", "warn", "error", "none"], |d, index| {
            d.log.level = LEVELS[index];
        }),
        "info",
        "The least important events that are logged.",
    ),
    Row::new(
        "log.format",
        Choice(&["text", "json"], |d, index| d.log.json = index == 1),
        "text",
        "How an event is written, one a line.",
    ),
    Row::new(
        "prometheus.enabled",
        Bool(|d| &mut d.server.prometheus),
        "true",
        "Serve metrics at /metrics of listen.admin.",
    ),
    Row::new(
        "health.enabled",
        Bool(|d| &mut d.server.health),
        "true",
        "Serve /health and /ready of listen.admin.",
    ),
];
