//! Keys of Centrifugo v6 that are not ours: those that say with several keys what one of ours says,
//! and those of features that nearcast does not have. An existing Centrifugo file loads unless it
//! switches on something that would silently not work.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::Value;

use crate::config::options::Draft;
use crate::config::table::Kind::{Bool, Inverse, Path, Port, TextOption};
use crate::config::table::Row;

/// What Centrifugo's own keys say.
#[expect(clippy::struct_excessive_bools, reason = "each is one key of Centrifugo")]
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    address: Option<String>,
    port: Option<u16>,
    internal_address: Option<String>,
    internal_port: Option<u16>,
    tls: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    websocket_disabled: bool,
    api_disabled: bool,
}

/// Read like our own options; [`GROUPS`] says which of ours they set.
pub(crate) static FOREIGN: &[Row<Foreign>] = &[
    Row::new(
        "http_server.address",
        TextOption(|f| &mut f.address),
        "",
        "Address of listen.http; empty is every interface.",
    ),
    Row::new("http_server.port", Port(|f| &mut f.port), "8000", "Port of listen.http."),
    Row::new(
        "http_server.internal_address",
        TextOption(|f| &mut f.internal_address),
        "",
        "Address of listen.admin; empty takes http_server.address.",
    ),
    Row::new(
        "http_server.internal_port",
        Port(|f| &mut f.internal_port),
        "9000",
        "Port of listen.admin.",
    ),
    Row::new(
        "http_server.tls.enabled",
        Bool(|f| &mut f.tls),
        "false",
        "Whether tls.certificate and tls.key are taken from this section.",
    ),
    Row::aliased(
        "http_server.tls.cert_pem",
        &["http_server.tls.cert_pem_file"],
        Path(|f| &mut f.certificate),
        "",
        "tls.certificate.",
    ),
    Row::aliased(
        "http_server.tls.key_pem",
        &["http_server.tls.key_pem_file"],
        Path(|f| &mut f.key),
        "",
        "tls.key.",
    ),
    Row::new(
        "websocket.enabled",
        Inverse(|f| &mut f.websocket_disabled),
        "true",
        "The opposite of websocket.disabled.",
    ),
    Row::new(
        "http_api.enabled",
        Inverse(|f| &mut f.api_disabled),
        "true",
        "The opposite of http_api.disabled.",
    ),
];

/// A key whose value is in range and still of no use, and what would be.
pub(crate) struct Unusable {
    pub(crate) key: &'static str,
    pub(crate) message: &'static str,
}

/// What foreign keys say together, and which of ours they say it for.
pub(crate) struct Group {
    pub(crate) foreign: &'static [&'static str],
    pub(crate) ours: &'static [&'static str],
    /// Writes it to the draft.
    pub(crate) apply: fn(&Foreign, &mut Draft) -> Result<(), Unusable>,
}

pub(crate) static GROUPS: &[Group] = &[
    Group {
        foreign: &["http_server.address", "http_server.port"],
        ours: &["listen.http"],
        apply: |foreign, draft| {
            let address = host(foreign.address.as_deref(), "http_server.address")?;
            draft.server.http = Some(SocketAddr::new(address, foreign.port.unwrap_or(8000)));
            Ok(())
        },
    },
    Group {
        foreign: &["http_server.internal_address", "http_server.internal_port"],
        ours: &["listen.admin"],
        apply: |foreign, draft| {
            let address = match &foreign.internal_address {
                Some(internal) => host(Some(internal), "http_server.internal_address")?,
                None => host(foreign.address.as_deref(), "http_server.address")?,
            };
            draft.server.admin =
                Some(SocketAddr::new(address, foreign.internal_port.unwrap_or(9000)));
            Ok(())
        },
    },
    Group {
        foreign: &[
            "http_server.tls.enabled",
            "http_server.tls.cert_pem",
            "http_server.tls.key_pem",
        ],
        ours: &["tls.certificate", "tls.key"],
        apply: |foreign, draft| {
            if foreign.tls {
                draft.certificate = file(&foreign.certificate, "http_server.tls.cert_pem")?;
                draft.key = file(&foreign.key, "http_server.tls.key_pem")?;
            }
            Ok(())
        },
    },
    Group {
        foreign: &["websocket.enabled"],
        ours: &["websocket.disabled"],
        apply: |foreign, draft| {
            draft.server.websocket.enabled = !foreign.websocket_disabled;
            Ok(())
        },
    },
    Group {
        foreign: &["http_api.enabled"],
        ours: &["http_api.disabled"],
        apply: |foreign, draft| {
            draft.server.api.enabled = !foreign.api_disabled;
            Ok(())
        },
    },
];

fn host(text: Option<&str>, key: &'static str) -> Result<IpAddr, Unusable> {
    match text {
        None => Ok(Ipv4Addr::UNSPECIFIED.into()),
        Some("localhost") => Ok(Ipv4Addr::LOCALHOST.into()),
        Some(other) => other.parse().ok().ok_or(Unusable { key, message: "must be an IP address" }),
    }
}

/// Centrifugo takes PEM itself here too; a file can be read again when it changes.
fn file(path: &Option<PathBuf>, key: &'static str) -> Result<Option<PathBuf>, Unusable> {
    let inline = path.as_ref().is_some_and(|path| path.to_string_lossy().contains("-----BEGIN"));
    if inline {
        Err(Unusable { key, message: "must be the name of a file" })
    } else {
        Ok(path.clone())
    }
}

/// A feature that nearcast does not have, or a path of ours that lies in the future.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) key: &'static str,
    pub(crate) what: &'static str,
    pub(crate) off: Off,
}

/// When a feature's keys do no harm.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Off {
    /// Its switch `enabled` is missing or false.
    Enabled,
    /// Its switch `disabled` is true.
    Disabled,
    /// Every value says nothing (false, 0, empty) or is among these.
    Unset(&'static [&'static str]),
    /// Always: it tunes what nearcast does another way. Told as a warning.
    Tuning,
}

const fn feature(key: &'static str, what: &'static str, off: Off) -> Feature {
    Feature { key, what, off }
}

use Off::{Disabled, Enabled, Tuning, Unset};

pub(crate) static FEATURES: &[Feature] = &[
    feature("admin", "Centrifugo's admin web interface", Enabled),
    feature("broker", "a broker apart from the engine", Enabled),
    feature("channel.proxy", "proxies", Unset(&[])),
    feature(
        "channel.publication_data_format",
        "a check of data against a format",
        Unset(&["json"]),
    ),
    feature("client.channel_position_check_delay", "that setting", Tuning),
    feature("client.channel_position_max_time_lag", "that setting", Tuning),
    feature("client.concurrency", "that setting", Tuning),
    feature(
        "client.connect_code_to_unidirectional_disconnect",
        "unidirectional transports",
        Enabled,
    ),
    feature(
        "client.connect_include_server_time",
        "the server's time in connect replies",
        Unset(&[]),
    ),
    feature(
        "client.insecure_skip_token_signature_verify",
        "tokens without verification",
        Unset(&[]),
    ),
    feature("client.presence_update_interval", "that setting", Tuning),
    feature("client.proxy.connect", "proxies", Enabled),
    feature("client.proxy.refresh", "proxies", Enabled),
    feature("client.token.hmac_previous_secret_key", "a second HMAC key", Unset(&[])),
    feature("client.token.hmac_previous_secret_key_valid_until", "a second HMAC key", Unset(&[])),
    feature("client.token.insecure_skip_jwks_endpoint_safety_check", "JWKS", Unset(&[])),
    feature("client.token.jwks_public_endpoint", "JWKS", Unset(&[])),
    feature("client.subscription_token.hmac_previous_secret_key", "a second HMAC key", Unset(&[])),
    feature(
        "client.subscription_token.hmac_previous_secret_key_valid_until",
        "a second HMAC key",
        Unset(&[]),
    ),
    feature(
        "client.subscription_token.insecure_skip_jwks_endpoint_safety_check",
        "JWKS",
        Unset(&[]),
    ),
    feature("client.subscription_token.jwks_public_endpoint", "JWKS", Unset(&[])),
    feature("client.user_id_http_header", "user ids from HTTP headers", Unset(&[])),
    feature("consumers", "consumers of message queues", Unset(&[])),
    feature("controller", "a controller", Enabled),
    feature("debug", "Go's profiling endpoints", Enabled),
    feature("emulation", "emulation of bidirectional transports", Unset(&["/emulation", "65536"])),
    feature("enable_unreleased_features", "Centrifugo's unreleased features", Unset(&[])),
    feature("engine.nats", "the NATS engine", Unset(&[])),
    feature("engine.path", "the embedded engine", Unset(&[])),
    feature("engine.redis", "the Redis engine", Unset(&[])),
    feature("graphite", "export to Graphite", Enabled),
    feature("grpc_api", "the gRPC API", Enabled),
    feature("health.handler_prefix", "another path for health", Unset(&["/health"])),
    feature("http_api.external", "that setting", Tuning),
    feature("http_api.handler_prefix", "another path for the server API", Unset(&["/api"])),
    feature("http_server.h2c_external", "HTTP/2", Unset(&[])),
    feature("http_server.http3", "HTTP/3", Enabled),
    feature("http_server.internal_tls", "TLS for internal endpoints", Enabled),
    feature("http_server.tls.client_ca_pem", "certificates of clients", Unset(&[])),
    feature("http_server.tls.insecure_skip_verify", "that setting", Tuning),
    feature("http_server.tls.server_ca_pem", "that setting", Tuning),
    feature("http_server.tls.server_name", "that setting", Tuning),
    feature("http_server.tls_autocert", "automatic certificates", Enabled),
    feature("http_server.tls_external", "that setting", Tuning),
    feature("http_stream", "HTTP-stream", Enabled),
    feature("init", "the connection init endpoint", Enabled),
    feature("log.file", "log files", Unset(&[])),
    feature("map_broker", "map subscriptions", Unset(&["memory"])),
    feature("node.info_metrics_aggregate_interval", "that setting", Tuning),
    feature("opentelemetry", "OpenTelemetry", Enabled),
    feature("pid_file", "a file with its process id", Unset(&[])),
    feature("presence_manager", "presence apart from the engine", Enabled),
    feature("prometheus.handler_prefix", "another path for metrics", Unset(&["/metrics"])),
    feature("prometheus.instrument_http_handlers", "that setting", Tuning),
    feature("prometheus.native_histograms", "native histograms", Unset(&[])),
    feature("prometheus.recovered_publications_histogram", "that setting", Tuning),
    feature("proxies", "proxies", Unset(&[])),
    feature("relay", "the relay between regions", Unset(&[])),
    feature("rpc", "RPC proxies", Unset(&[":", "ping"])),
    feature("shared_poll", "shared poll subscriptions", Unset(&[])),
    feature("sse", "SSE", Enabled),
    feature("swagger", "the Swagger interface", Enabled),
    feature("uni_grpc", "unidirectional gRPC", Enabled),
    feature("uni_http_stream", "unidirectional HTTP-stream", Enabled),
    feature("uni_sse", "unidirectional SSE", Enabled),
    feature("uni_websocket", "unidirectional WebSocket", Enabled),
    feature("usage_stats", "usage statistics", Disabled),
    feature("websocket.compression", "compression", Unset(&[])),
    feature("websocket.compression_level", "that setting", Tuning),
    feature("websocket.compression_min_size", "that setting", Tuning),
    feature("websocket.decompressed_message_size_limit", "that setting", Tuning),
    feature("websocket.read_buffer_size", "that setting", Tuning),
    feature("websocket.use_write_buffer_pool", "that setting", Tuning),
    feature("websocket.write_buffer_size", "that setting", Tuning),
    feature("websocket.write_timeout", "that setting", Tuning),
    feature("webtransport.enabled", "that setting", Tuning),
];

/// The same for the options of namespaces.
pub(crate) static NAMESPACE_FEATURES: &[Feature] = &[
    feature("auto_cache_recover", "recovery that nobody asked for", Unset(&[])),
    feature("client_publish_debounce_interval", "publish debounce", Unset(&["0s"])),
    feature("conflate", "conflation", Unset(&["off"])),
    feature("map", "map subscriptions", Unset(&["default"])),
    feature("map_clients_presence_channel_prefix", "map subscriptions", Unset(&[])),
    feature("map_users_presence_channel_prefix", "map subscriptions", Unset(&[])),
    feature("publication_data_format", "a check of data against a format", Unset(&["json"])),
    feature("publish_proxy_enabled", "proxies", Unset(&[])),
    feature("publish_proxy_name", "proxies", Unset(&["default"])),
    feature("shared_poll", "shared poll subscriptions", Unset(&["default"])),
    feature("sub_refresh_proxy_enabled", "proxies", Unset(&[])),
    feature("sub_refresh_proxy_name", "proxies", Unset(&["default"])),
    feature("subscribe_proxy_enabled", "proxies", Unset(&[])),
    feature("subscribe_proxy_name", "proxies", Unset(&["default"])),
    feature("subscribe_stream_proxy_bidirectional", "proxies", Unset(&[])),
    feature("subscribe_stream_proxy_enabled", "proxies", Unset(&[])),
    feature("subscribe_stream_proxy_name", "proxies", Unset(&["default"])),
    feature("subscription_type", "map and shared poll subscriptions", Unset(&["stream"])),
];

/// The feature that a key belongs to, and the key's path within the feature.
pub(crate) fn feature_of<'a>(
    features: &'static [Feature],
    key: &'a str,
) -> Option<(&'static Feature, &'a str)> {
    features.iter().find_map(|feature| {
        let rest = key.strip_prefix(feature.key)?;
        if rest.is_empty() { Some((feature, "")) } else { Some((feature, rest.strip_prefix('.')?)) }
    })
}

impl Feature {
    /// The key that switches the feature on with this value (`rest` is the key's path within the
    /// feature), or `None` where the value leaves it off.
    pub(crate) fn switched_on(&self, rest: &str, value: &Value) -> Option<String> {
        let switch = |name: &str| match (rest, value) {
            ("", Value::Object(table)) => table.get(name).cloned(),
            ("", other) => Some(other.clone()),
            (rest, value) if rest == name => Some(value.clone()),
            _ => None,
        };
        match self.off {
            Tuning => None,
            Enabled => {
                let on = switch("enabled").is_some_and(|value| !says_nothing(&value, &[]));
                on.then(|| format!("{}.enabled", self.key))
            }
            Disabled => {
                let off = switch("disabled").is_none_or(|value| value == true);
                (!off).then(|| format!("{}.disabled", self.key))
            }
            Unset(defaults) => {
                let within = first_set(value, defaults)?;
                let parts = [self.key, rest, &within];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                Some(parts.join("."))
            }
        }
    }
}

fn says_nothing(value: &Value, defaults: &[&str]) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => {
            number.as_f64() == Some(0.0) || defaults.contains(&number.to_string().as_str())
        }
        Value::String(text) => text.is_empty() || defaults.contains(&text.as_str()),
        Value::Array(items) => items.iter().all(|item| first_set(item, defaults).is_none()),
        Value::Object(_) => first_set(value, defaults).is_none(),
    }
}

/// The path of the first value that says something; a table with `enabled = false` says nothing.
fn first_set(value: &Value, defaults: &[&str]) -> Option<String> {
    let Value::Object(table) = value else {
        return (!says_nothing(value, defaults)).then(String::new);
    };
    if table.get("enabled") == Some(&Value::Bool(false)) {
        return None;
    }
    table.iter().find_map(|(key, value)| {
        let within = first_set(value, defaults)?;
        Some(if within.is_empty() { key.clone() } else { format!("{key}.{within}") })
    })
}
