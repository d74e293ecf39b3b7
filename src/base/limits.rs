//! Every bound that is not configuration, in one place, with the relations between them asserted at
//! compile time. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// Shares of the channel space; engines order events within one.
pub(crate) const PARTITIONS: usize = 64;
/// Most lanes a node may have; the default is the number of cores rounded up to a power of two.
pub(crate) const LANES_MAX: usize = 64;
/// Inputs that wait for a lane; a publisher waits for a place before it appends.
pub(crate) const LANE_QUEUE: usize = 4096;
/// How long a lane lets what it has for a full lane wait before it looks again.
pub(crate) const LANE_RETRY: Duration = Duration::from_millis(1);
/// Areas that clients moved and that are kept for when they come back.
pub(crate) const MOVED_AREAS: usize = 100_000;
pub(crate) const MOVED_AREA_BYTES: usize = 128 << 20;
/// What fences of the server's tell and waits to be published or sent.
pub(crate) const FENCE_QUEUE: usize = 65_536;
/// Mailboxes that one event fills in one go.
pub(crate) const FAN_OUT_CHUNK: usize = 512;
/// Mailboxes that a lane fills before it lets the connections run, about 0.5 ms. It decides how many
/// messages a connection finds at once, flat out, and writes in one system call; a lane that is not
/// flat out waits for its next event long before.
pub(crate) const FAN_OUT_YIELD: usize = 16_384;

/// Bytes of a channel's name, from the wire and in configuration (`channel.max_length` lowers it).
pub(crate) const CHANNEL_BYTES: usize = 255;
/// Bytes of a user's id in a token or an API request.
pub(crate) const USER_BYTES: usize = 255;
/// Levels of arrays and objects in JSON that clients or backends send. SDKs in several languages
/// parse recursively (CPython gives up at 1,000), so deeper data could be published but not read.
pub(crate) const JSON_DEPTH: usize = 128;
/// Tags on one publication, and bytes of one key or value.
pub(crate) const TAGS: usize = 64;
pub(crate) const TAG_BYTES: usize = 1024;
/// Nodes in one tag filter.
pub(crate) const FILTER_NODES: usize = 64;
/// Values in the lists of one tag filter, all together.
pub(crate) const FILTER_VALUES: usize = 256;
/// Levels of a tag filter.
pub(crate) const FILTER_DEPTH: usize = 16;
/// Bytes of a publication, and of the one before it, between which a delta is computed; larger
/// ones are delivered whole. The lane computes it: at this size about 0.14 ms for changes in
/// places, and 1 ms where nothing is equal.
pub(crate) const DELTA_BYTES: usize = 64 << 10;
/// Bytes of an idempotency key.
pub(crate) const IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Bytes of a connection or subscription token, looked at before anything of it is parsed.
pub(crate) const TOKEN_BYTES: usize = 16 << 10;
/// Memory of one compiled regular expression from a token's capabilities or from the options that
/// check tokens.
pub(crate) const REGEX_BYTES: usize = 256 << 10;
/// Regular expressions in one token's capabilities; every session keeps its own.
pub(crate) const CAPABILITY_REGEXES: usize = 16;

/// Default size of a message from a client, a whole frame after reassembly.
pub(crate) const MESSAGE_BYTES: usize = 65_536;
/// Default bytes that wait for one client, not yet given to the kernel.
pub(crate) const QUEUE_BYTES: usize = 1 << 20;
/// Mailbox entries for which a connection keeps room between two batches.
pub(crate) const BATCH_KEPT: usize = 64;
/// While more than this waits in a connection's write buffer, its mailbox is left alone: slow
/// clients are judged by their mailbox.
pub(crate) const WRITE_HIGH_WATER: usize = 64 << 10;
/// While more than this waits in a connection's write buffer (replies included), no further frame
/// is read from that client.
pub(crate) const READ_GATE: usize = 256 << 10;
/// Requests to lanes and engine that one session may have under way before its connection stops
/// reading.
pub(crate) const SESSION_REQUESTS: usize = 256;
/// Bytes of publications in one history or recovery reply; a page ends early at this size (with at
/// least one publication), a recovery that needs more is answered `recovered: false`.
pub(crate) const HISTORY_REPLY_BYTES: usize = 1 << 20;
/// Expired publications, streams and keys that an engine drops before it lets publishers of the
/// partition have a turn.
pub(crate) const EXPIRY_STEPS: usize = 256;
/// Such turns in one partition each second; what is left waits for the next second, bounded by
/// the engine's caps.
pub(crate) const EXPIRY_ROUNDS: usize = 16;

/// How long a backend may take to send the body of a request.
pub(crate) const API_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the answers to one batch; commands beyond are carried out and answered by error 106.
pub(crate) const BATCH_REPLY_BYTES: usize = 16 << 20;
/// Commands of a parallel batch under way at a time.
pub(crate) const BATCH_PARALLEL: usize = 64;
/// How long a peer may take to read what an HTTP answer wrote, before the connection is dropped.
pub(crate) const HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the members in one answer to a client's presence request; a channel with more is
/// answered by error 106.
pub(crate) const PRESENCE_REPLY_BYTES: usize = 1 << 20;
/// Bytes of a request body on the server API.
pub(crate) const API_BODY_BYTES: usize = 4 << 20;
/// Bytes of a request's line and headers.
pub(crate) const HTTP_BUFFER_BYTES: usize = 16 << 10;
/// How long a client may take to send its complete request headers.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an HTTP connection that has asked before may take until it has asked again: longer than
/// clients keep theirs, so that it is they who close them.
pub(crate) const HTTP_IDLE: Duration = Duration::from_secs(75);
/// How long a close frame may take to reach a client that does not read.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a close frame's reason (RFC 6455 section 5.5: control frames carry 125 bytes, two are
/// the code).
pub(crate) const CLOSE_REASON_BYTES: usize = 123;
/// Bytes of a file with certificates or a key.
pub(crate) const TLS_FILE_BYTES: usize = 1 << 20;
/// How often those files are looked at.
pub(crate) const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);
/// How long before its certificate expires a node begins to warn.
pub(crate) const CERTIFICATE_NEAR_END: Duration = Duration::from_secs(7 * 24 * 3600);
/// Names of a certificate that the log tells.
pub(crate) const CERTIFICATE_NAMES: usize = 10;
/// How often at most the log tells of clients that are refused for the same reason.
pub(crate) const REFUSALS_TOLD: Duration = Duration::from_secs(60);
/// Bytes of a client's text in one field of the log.
pub(crate) const LOGGED_BYTES: usize = 256;
/// Bytes of a PROXY protocol header. Addresses take 52 or less; the rest is what proxies add about
/// themselves, their client's certificate at most.
pub(crate) const PROXY_HEADER_BYTES: usize = 4 << 10;
/// Bytes read from a socket at once, into space on the stack.
pub(crate) const READ_BYTES: usize = 8 << 10;
/// WebSocket control frames and empty fragments that a client may send in a row, without a whole
/// message or a pause between them.
pub(crate) const FRAMES_WITHOUT_DATA: u16 = 1_000;

/// Bytes of the reason in the capsule that ends a WebTransport session
/// (draft-ietf-webtrans-http3 section 6).
pub(crate) const CAPSULE_REASON_BYTES: usize = 1024;
/// Bytes of one frame or capsule of HTTP/3 around a session: above all of the request's headers.
pub(crate) const H3_RECORD_BYTES: usize = 16 << 10;
/// Bytes of datagrams that wait for the node in its one socket of QUIC.
pub(crate) const QUIC_SOCKET_BYTES: usize = 4 << 20;
/// QUIC handshakes under way at a time; further ones are refused.
pub(crate) const QUIC_HANDSHAKES: usize = 1024;
/// Of those, how many are kept for addresses that have proved to be the client's.
pub(crate) const QUIC_HANDSHAKES_VALIDATED: usize = 768;
/// How many one address may have that has proved to be the client's.
pub(crate) const QUIC_HANDSHAKES_ADDRESS: usize = 256;
/// Bytes kept of a QUIC connection before it is let in.
pub(crate) const QUIC_INCOMING_BYTES: u64 = 16 << 10;
/// Bytes that a client may send ahead of what is read: on one stream, and on all of a connection. A
/// message may be larger, it is read as it comes.
pub(crate) const QUIC_STREAM_BYTES: u32 = 32 << 10;
pub(crate) const QUIC_CONNECTION_BYTES: u32 = 64 << 10;
/// Bytes that a QUIC connection holds until the client has them; 1.3 MB/s where that takes 100 ms.
pub(crate) const QUIC_SEND_BYTES: u64 = 128 << 10;
/// Streams of their own that the channels of one session may have at a time.
pub(crate) const STREAMS: usize = 64;
/// Bytes of a client's datagram: with its headers it fits into the smallest packet of QUIC.
pub(crate) const DATAGRAM_BYTES: usize = 1024;
/// Objects of one session whose last datagram is remembered.
pub(crate) const DATAGRAM_TARGETS: usize = 128;
/// Bytes of datagrams that wait in each direction; the oldest are dropped.
pub(crate) const QUIC_DATAGRAM_BYTES: usize = 16 << 10;

/// Bytes of a message that the protocol client takes from a server: a recovery reply with its heads
/// fits several times over.
pub(crate) const CLIENT_MESSAGE_BYTES: usize = 8 << 20;
/// Pushes that arrive while the protocol client waits for a reply and are kept for later.
pub(crate) const CLIENT_BACKLOG: usize = 4096;
/// How long the protocol client waits for a connection and for each reply.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much later than announced a server's ping may come, as in the SDKs.
pub(crate) const PING_GRACE: Duration = Duration::from_secs(10);
/// Bytes of an answer of the server API that the API client takes.
pub(crate) const API_ANSWER_BYTES: usize = 64 << 20;

/// Positions of one polygon, multipolygon, line or other geometry.
pub(crate) const POLYGON_VERTICES: usize = 1000;
/// Vertices of all polygons of one area, those of zones and cells included.
pub(crate) const SHAPE_VERTICES: usize = 1 << 16;
/// Values in the JSON of one area or fix, a member counted as six: a collection of as many points as
/// there may be positions has 16,000 with their altitudes.
pub(crate) const AREA_VALUES: usize = 16_384;
/// H3 cells of one area.
pub(crate) const AREA_CELLS: usize = 4_096;
/// Metres of a route's whole width.
pub(crate) const ROUTE_WIDTH_M: f64 = 1_000_000.0;
/// Zones of a node's own.
pub(crate) const ZONES: usize = 10_000;
/// Characters of a device's name that tell it from others.
pub(crate) const DEVICE_CHARACTERS: usize = 64;
/// Cells of one channel of events of which the history is known.
pub(crate) const HISTORY_BUCKETS: usize = 16_384;
/// Publications near an area that one recovery compares with it, a few milliseconds where the area
/// has a thousand vertices; with more it is answered `recovered: false`.
pub(crate) const HISTORY_LOOKS: usize = 16_384;
/// Cells that lost something of which one recovery finds out whether the area meets them, as above.
pub(crate) const HISTORY_DOUBTS: usize = 256;
/// Fences of the server's, and subscriptions with `detect`, in one channel.
pub(crate) const FENCES: usize = 100_000;
/// Changes of zones that wait for one another.
pub(crate) const ZONE_QUEUE: usize = 64;
/// Bytes of a fence's name, and of a webhook's address.
pub(crate) const FENCE_NAME_BYTES: usize = 128;
pub(crate) const URL_BYTES: usize = 2048;
/// Bytes of a zone's name.
pub(crate) const ZONE_NAME_BYTES: usize = 128;
/// Milliseconds after which a stay may count as a dwell: a day.
pub(crate) const DWELL_MS: usize = 86_400_000;
/// Objects that a view may ask for at most.
pub(crate) const VIEW_OBJECTS: usize = 1_000_000;
/// Bytes of an object's key.
pub(crate) const OBJECT_KEY_BYTES: usize = 255;
/// How far a device's clock may be ahead before its time counts for nothing.
pub(crate) const CLOCK_AHEAD: Duration = Duration::from_secs(5);
/// Subscriptions that follow objects of one channel; of those beyond, the areas stay empty.
pub(crate) const FOLLOWERS: usize = 100_000;
/// Pairs of a fence or detecting subscription and an object in it that one channel remembers.
pub(crate) const FENCE_STAYS: usize = 1_000_000;
/// Those of them that may be subscriptions': the rest is for the server's fences.
pub(crate) const VIEWER_STAYS: usize = FENCE_STAYS / 2;
/// Objects of all channels of one lane, and channels that have any: an object takes about 0.6 KB
/// without its data, a channel 2.7 KB with its first.
pub(crate) const LANE_OBJECTS: usize = 4_000_000;
pub(crate) const LANE_OBJECT_CHANNELS: usize = 65_536;
/// Objects at which a lane looks in one go for areas that follow somebody and for lists of the
/// nearest that have to be filled, 6 ms or more; and how long it does other things in between.
pub(crate) const LANE_LOOKS: usize = 250_000;
pub(crate) const LOOKS_PAUSE: Duration = Duration::from_millis(1);
/// Objects that expire in one turn of a lane, about 1 ms where nobody looks.
pub(crate) const EXPIRY_PORTION: usize = 16_384;
/// Objects that take as long as a look at one more channel.
pub(crate) const EXPIRY_ROOM: usize = 8;
/// Channels in which one session has objects, or had within their time to live, and of which it
/// keeps where it asked.
pub(crate) const SESSION_PLACES: usize = 128;
/// Calls of `geo.move` under way for one subscription.
pub(crate) const MOVES: usize = 16;
/// Objects in one answer to `geo.nearby`, at most and unless asked for otherwise.
pub(crate) const QUERY_OBJECTS: usize = 1000;
pub(crate) const QUERY_PAGE: usize = 100;
/// Objects that a query or an area of the nearest may name.
pub(crate) const NEAREST: usize = 100;
/// Objects in one page of a map.
pub(crate) const MAP_PAGE_MAX: usize = 1000;

/// Bytes of a configuration file or of one environment variable.
pub(crate) const CONFIG_BYTES: usize = 1 << 20;
/// Bytes of one text in the configuration; the longest are keys in PEM.
pub(crate) const CONFIG_TEXT_BYTES: usize = 16 << 10;
/// Entries of one list in the configuration.
pub(crate) const CONFIG_LIST: usize = 1024;
/// Faults of a configuration that are told one by one, and warnings.
pub(crate) const CONFIG_FAULTS: usize = 100;
/// Bytes of a compiled regular expression.
pub(crate) const CONFIG_REGEX_BYTES: usize = 1 << 20;
/// Namespaces of a node.
pub(crate) const NAMESPACES: usize = 1024;
/// Bytes of a namespace's name.
pub(crate) const NAMESPACE_BYTES: usize = 128;

const _: () = assert!(LANES_MAX <= PARTITIONS && PARTITIONS.is_multiple_of(LANES_MAX));
const _: () = assert!(WRITE_HIGH_WATER < READ_GATE && READ_GATE < QUEUE_BYTES);
const _: () = assert!(MESSAGE_BYTES <= QUEUE_BYTES);
const _: () = assert!(QUIC_HANDSHAKES_VALIDATED < QUIC_HANDSHAKES);
const _: () = assert!(QUIC_HANDSHAKES_ADDRESS <= QUIC_HANDSHAKES / 4);
const _: () = assert!(QUIC_STREAM_BYTES < QUIC_CONNECTION_BYTES, "the request's stream has room");
const _: () = assert!(HISTORY_REPLY_BYTES + MESSAGE_BYTES < CLIENT_MESSAGE_BYTES);
const _: () = assert!(TOKEN_BYTES < MESSAGE_BYTES, "a token arrives within one message");
const _: () = assert!(NAMESPACE_BYTES < CHANNEL_BYTES);
