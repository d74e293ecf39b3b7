use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::channel::RecoveryMode;

mod hostile;
mod table;

type Loaded = Result<(Config, Vec<Warning>), Faults>;

fn variables<'a>(
    all: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (String, String)> + use<'a> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn told(loaded: Loaded) -> String {
    match loaded {
        Ok((_, warnings)) => {
            let lines = warnings.iter().map(|one| format!("warning: {one}\n"));
            lines.collect::<String>() + "ok\n"
        }
        Err(faults) => format!("{faults}\n"),
    }
}

fn check(format: Format, text: &str, expected: Expect) {
    expected.assert_eq(&told(Config::parse(format, text, variables(&[]))));
}

fn check_environment(all: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&told(Config::load(None, variables(all))));
}

fn load(format: Format, text: &str) -> Config {
    Config::parse(format, text, variables(&[])).unwrap().0
}

#[test]
fn an_empty_file_of_each_format_is_a_configuration() {
    for (format, text) in [
        (Format::Toml, ""),
        (Format::Yaml, ""),
        (Format::Yaml, "# nothing\n"),
        (Format::Json, "\u{feff}{}"),
        (Format::Json, "{}"),
    ] {
        check(
            format,
            text,
            expect![[r#"
            warning: client.token: has no key: no client can connect
            ok
        "#]],
        );
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_order() {
    let text = r#"
        client:
          ping_interval: 1ms
          pong_timeout: 25
          queue_max_size: lots
          chanel_limit: 3
          allowed_origins: "*"
          channel_limit: "128"
          token:
            hmac_secret_key: 123456
        ping_interval: 25s
        whatever: 1
        listen:
          http: localhost:8000
          admin: ":9000"
          webtransport: 8000
        http_stream:
          enabled: true
        engine:
          type: redis
        channel:
          without_namespace:
            force_recovery: true
            histroy_size: 3
            channel_regex: "a("
          namespaces:
            - name: a
            - name: chat
              history_size: 10
            - name: chat
            - presence: true
            - name: "b b"
            - 7
        shutdown: 30s
        log:
          level: loud
    "#;
    check(
        Format::Yaml,
        text,
        expect![[r#"
            channel.namespaces[0].name = "a" (file): must be text from 2 to 128 bytes long
            channel.namespaces[1].history_ttl = 0s (default): must be longer than 0s where history_size is set
            channel.namespaces[2].name = "chat" (file): must be unique: channel.namespaces[1] has this name
            channel.namespaces[3] (file): must have a name
            channel.namespaces[4].name = "b b" (file): must be letters, digits, "-", "_" and "." only
            channel.namespaces[5] (file): must be a table with a name
            channel.without_namespace.channel_regex = "a(" (file): must be a regular expression (unclosed group)
            channel.without_namespace.force_recovery = true (file): needs history_size and history_ttl
            channel.without_namespace.histroy_size (file): no such option; did you mean channel.without_namespace.history_size?
            client.allowed_origins = "*" (file): must be a list of texts, none of them empty (in square brackets, such as ["one", "two"])
            client.chanel_limit (file): no such option; did you mean client.channel_limit?
            client.channel_limit = "128" (file): must be an integer from 1 to 1000000 (without quotes)
            client.ping_interval = "1ms" (file): must be a duration from 1s to 1h
            client.pong_timeout = 25 (file): must be a duration from 100ms to 1h (with its unit, such as "25s" or "1h30m")
            client.queue_max_size = "lots" (file): must be a size from 1KiB to 1GiB, in bytes or with unit
            client.token.hmac_secret_key (file): must be text of at most 16384 bytes (put it in quotes)
            engine.type = "redis" (file): must be "memory"
            http_stream.enabled (file): nearcast does not have HTTP-stream in this version
            listen.admin = ":9000" (file): must be an IP address with port, such as "127.0.0.1:8000", or "off" ("0.0.0.0:9000" is every interface)
            listen.http = "localhost:8000" (file): must be an IP address with port, such as "127.0.0.1:8000", or "off" (an address rather than a name)
            listen.webtransport = 8000 (file): must be an IP address with port, such as "127.0.0.1:8000", or "off" (put it in quotes)
            log.level = "loud" (file): must be one of "trace", "debug", "info", "warn", "error", "none"
            ping_interval (file): no such option; did you mean client.ping_interval?
            shutdown (file): must be a section: a table of keys
            whatever (file): no such option
        "#]],
    );
}

#[test]
fn as_many_objects_may_be_seen_as_a_client_has_room_for() {
    let text = r#"
        [client]
        insecure = true
        queue_max_size = "1MiB"
        [[channel.namespaces]]
        name = "taxis"
        geo = { kind = "objects", objects_max = 32769 }
        [[channel.namespaces]]
        name = "buses"
        geo = { kind = "objects", objects_max = 32768 }
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
        channel.namespaces[0].geo.objects_max = 32769 (file): must be at most 32768: so many may enter and leave a moved area at once, and wait in client.queue_max_size (1MiB)
    "#]],
    );
}

#[test]
fn a_geo_section_without_kind_is_told_to_do_nothing() {
    let text = r#"
        [client]
        insecure = true
        [[channel.namespaces]]
        name = "alerts"
        geo = { key = "user" }
        [[channel.namespaces]]
        name = "taxis"
        geo = { kind = "off", key = "user", snap = 7 }
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
        warning: channel.namespaces[0].geo.key: has no effect where geo.kind is off
        warning: channel.namespaces[1].geo.snap: has no effect where geo.kind is off
        ok
    "#]],
    );
}

#[test]
fn a_place_has_two_members() {
    let text = r#"
        [client]
        insecure = true
        [[channel.namespaces]]
        name = "alerts"
        geo = { kind = "events", lat = "at", lng = "at" }
        [[channel.namespaces]]
        name = "taxis"
        geo = { kind = "objects", lat = "lng", lng = "lat" }
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
            channel.namespaces[0].geo.lng = "at" (file): must be another member than geo.lat
        "#]],
    );
}

#[test]
fn relations_between_options_are_checked() {
    let text = r#"
        tls.certificate = "cert.pem"
        listen.http = "127.0.0.1:7000"
        listen.admin = "127.0.0.1:7000"
        node.lanes = 3
        shutdown = { timeout = "1s", spread = "2s" }
        websocket.message_size_limit = "2MiB"

        [client]
        ping_interval = "8s"
        connection_limit = 10
        user_connection_limit = 11
        token = { audience = "a", audience_regex = "b" }
        subscribe_to_user_personal_channel = { enabled = true, personal_channel_namespace = "mine" }

        [channel]
        user_boundary = ":"
        [channel.without_namespace]
        history_size = 1
        history_ttl = "721h"
        [[channel.namespaces]]
        name = "chat"
        history_ttl = "1s"
        [[channel.namespaces]]
        name = "news"
        force_recovery = true
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
        channel.namespaces[0].history_size = 0 (default): must be at least 1 where history_ttl is set
        channel.namespaces[1].force_recovery = true (file): needs history_size and history_ttl
        channel.user_boundary = ":" (file): must differ from channel.namespace_boundary
        channel.without_namespace.history_ttl = 721h (file): must be at most history_meta_ttl (720h)
        client.pong_timeout = 8s (default): must be shorter than client.ping_interval (8s)
        client.queue_max_size = 1MiB (default): must be at least websocket.message_size_limit (2MiB)
        client.subscribe_to_user_personal_channel.personal_channel_namespace = "mine" (file): no such namespace; there are: chat, news
        client.token.audience_regex (file): must be empty where client.token.audience is set
        client.user_connection_limit = 11 (file): must be at most client.connection_limit (10)
        listen.admin = 127.0.0.1:7000 (file): must be another address than listen.http (127.0.0.1:7000)
        node.lanes = 3 (file): must be a power of two, at most 64, or "auto"
        shutdown.spread = 2s (file): must be at most shutdown.timeout (1s)
        tls.key (default): must be set where tls.certificate is
    "#]],
    );
}

#[test]
fn a_network_begins_where_it_begins() {
    let text = r#"listen.proxy_protocol_from = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]"#;
    let proxies = load(Format::Toml, text).server.proxies;
    let shown: Vec<String> = proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]);
    check(
        Format::Toml,
        r#"listen.proxy_protocol_from = ["10.0.0.1/8"]"#,
        expect![[r#"
        listen.proxy_protocol_from = a list (file): must be a list of IP addresses and networks, such as "10.0.0.0/8" (10.0.0.1/8 has bits behind its prefix: 10.0.0.0/8?)
    "#]],
    );
    check(
        Format::Toml,
        r#"listen.proxy_protocol_from = ["10.0.0.0/8", "proxy.internal"]"#,
        expect![[r#"
            listen.proxy_protocol_from = a list (file): must be a list of IP addresses and networks, such as "10.0.0.0/8" (entry 2 is none: "proxy.internal")
        "#]],
    );
}

#[test]
fn a_shutdown_shorter_than_the_default_spread_shortens_it() {
    let config = load(Format::Toml, "shutdown.timeout = '2s'");
    assert_eq!(config.server.shutdown_spread, Duration::from_secs(2));
}

#[test]
fn what_is_probably_a_mistake_is_warned_of() {
    let text = r#"
        listen.http = "0.0.0.0:8000"
        client.insecure = true
        http_api.insecure = true
        websocket.write_timeout = "1s"
        [client.subscription_token]
        hmac_secret_key = "secret"
        [channel.without_namespace]
        allow_recovery = true
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
            warning: channel.without_namespace.allow_recovery: has no effect without history_size and history_ttl
            warning: client.insecure: anyone who reaches 0.0.0.0:8000 may do anything
            warning: client.subscription_token: has no effect: client.subscription_token.enabled is false
            warning: http_api.insecure: anyone who reaches 0.0.0.0:8000 may use the server API
            warning: listen.http: tokens and the API key come to 0.0.0.0:8000 in the clear, unless a proxy in front speaks TLS: there is no tls.certificate
            warning: websocket.write_timeout: has no effect: nearcast does not have that setting
            ok
        "#]],
    );
}

#[test]
fn what_others_reach_unprotected_is_warned_of() {
    let open = r#"
        client.token.hmac_secret_key = "x"
        [listen]
        http = "0.0.0.0:8000"
        webtransport = "[::]:8000"
    "#;
    check(
        Format::Toml,
        open,
        expect![[r#"
        warning: listen.http: tokens and the API key come to 0.0.0.0:8000 in the clear, unless a proxy in front speaks TLS: there is no tls.certificate
        warning: listen.webtransport: [::]:8000 shows a certificate for development, which clients trust by its hash alone and which expires 13 days after the start: there is no tls.certificate
        ok
    "#]],
    );
    let tls = "[tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    check(
        Format::Toml,
        &format!("{open}{tls}"),
        expect![[r#"
        ok
    "#]],
    );
    let local = open.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    check(
        Format::Toml,
        &local,
        expect![[r#"
        ok
    "#]],
    );
    let proxied = format!("{open}proxy_protocol_from = ['10.0.0.0/8', '0.0.0.0/0', '::/0']\n");
    check(
        Format::Toml,
        &format!("{proxied}{tls}"),
        expect![[r#"
        warning: listen.proxy_protocol_from: 0.0.0.0/0: anybody may say that it is any address
        warning: listen.proxy_protocol_from: ::/0: anybody may say that it is any address
        warning: listen.proxy_protocol_from: does not concern listen.webtransport: clients reach [::]:8000 past the proxies, unless it is "off"
        ok
    "#]],
    );
    let alone = proxied.replace("[::]:8000", "off");
    check(
        Format::Toml,
        &alone.replace(", '0.0.0.0/0', '::/0'", ""),
        expect![[r#"
        ok
    "#]],
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = r#"
        client.ping_interval = "20s"
        channel.namespaces = [{ name = "chat" }]
        [http_server]
        port = 8001
    "#;
    let environment = [
        ("NEARCAST_CLIENT__PING_INTERVAL", "30s"),
        ("NEARCAST_CLIENT__ALLOWED_ORIGINS", r#"["https://a.example"]"#),
        ("NEARCAST_CLIENT__TOKEN__HMAC_SECRET_KEY", "123"),
        ("NEARCAST_CLIENT__CHANNEL_LIMIT", "7"),
        ("NEARCAST_CHANNEL__NAMESPACES", r#"[{"name": "news", "presence": true}]"#),
        ("NEARCAST_CHANNEL__WITHOUT_NAMESPACE__JOIN_LEAVE", "true"),
        ("NEARCAST_HTTP_API", r#"{"insecure": true}"#),
        ("NEARCAST_LISTEN__HTTP", "127.0.0.1:8002"),
        ("NEARCAST_SSE__ENABLED", "false"),
        ("NEARCAST_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("NEARCAST_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    let (config, _) = Config::parse(Format::Toml, text, variables(&environment)).unwrap();
    assert_eq!(config.session.ping_interval, Duration::from_secs(30));
    assert_eq!(config.server.allowed_origins, ["https://a.example"]);
    assert_eq!(config.token.hmac_secret_key.as_deref(), Some("123"));
    assert_eq!(config.session.channel_limit, 7);
    assert!(config.namespaces.find("news:1").is_some_and(|one| one.options.presence));
    assert!(config.namespaces.find("chat:1").is_none());
    assert!(config.namespaces.find("x").is_some_and(|one| one.options.join_leave));
    assert!(config.server.api.insecure);
    assert_eq!(config.server.http, Some("127.0.0.1:8002".parse().unwrap()));
}

#[test]
fn faults_in_the_environment_name_the_variable() {
    check_environment(
        &[
            ("NEARCAST_CLIENT__PING_INTERVALL", "1s"),
            ("NEARCAST_CLIENT__PONG_TIMEOUT", "8"),
            ("NEARCAST_CLIENT__INSECURE", "yes"),
            ("NEARCAST_CLIENT__ALLOWED_ORIGINS", "https://a.example"),
            ("NEARCAST_CHANNEL__NAMESPACES", "chat"),
            ("NEARCAST_HTTP_API__KEY", "topsecret"),
            ("NEARCAST_HTTP_API", r#"{"key": "topsecret"}"#),
            ("NEARCAST_SSE__ENABLED", "true"),
        ],
        expect![[r#"
            channel.namespaces (NEARCAST_CHANNEL__NAMESPACES): must be a list of tables, each with a name
            client.allowed_origins = "https://a.example" (NEARCAST_CLIENT__ALLOWED_ORIGINS): must be a list of texts, none of them empty (in square brackets, such as ["one", "two"])
            client.insecure = "yes" (NEARCAST_CLIENT__INSECURE): must be true or false
            client.ping_intervall (NEARCAST_CLIENT__PING_INTERVALL): no such option; did you mean client.ping_interval?
            client.pong_timeout = "8" (NEARCAST_CLIENT__PONG_TIMEOUT): must be a duration from 100ms to 1h (with its unit, such as "25s" or "1h30m")
            http_api.key (NEARCAST_HTTP_API__KEY): set by NEARCAST_HTTP_API too
            sse.enabled (NEARCAST_SSE__ENABLED): nearcast does not have SSE in this version
        "#]],
    );
}

#[test]
fn a_centrifugo_file_loads() {
    let text = include_str!("tests/centrifugo.yaml");
    check(
        Format::Yaml,
        text,
        expect![[r#"
        warning: client.concurrency: has no effect: nearcast does not have that setting
        warning: client.presence_update_interval: has no effect: nearcast does not have that setting
        warning: websocket.write_timeout: has no effect: nearcast does not have that setting
        ok
    "#]],
    );
    let config = load(Format::Yaml, text);
    assert_eq!(config.server.http, Some("0.0.0.0:8000".parse().unwrap()));
    assert_eq!(config.server.admin, Some("127.0.0.1:9000".parse().unwrap()));
    assert!(config.server.tls.is_some_and(|files| files.certificate == Path::new("cert.pem")));
    assert_eq!(config.server.shutdown_timeout, Duration::from_secs(20));
    assert_eq!(config.server.connection_limit, None);
    let chat = config.namespaces.find("chat:1").unwrap();
    assert_eq!(chat.options.history_ttl, Duration::from_secs(300));
    assert_eq!(chat.options.force_recovery_mode, RecoveryMode::Cache);
    assert!(chat.options.grants.publish.subscriber && chat.options.allow_delta_fossil);
    assert!(chat.options.channel_regex.as_ref().is_some_and(|regex| regex.is_match("room42")));
    assert!(config.session.personal_channel.is_some_and(|one| one.namespace == "personal"));
}

#[test]
fn features_of_centrifugo_that_are_missing_are_refused_by_name() {
    let text = r#"
        [http_server]
        address = "example.com"
        port = "8000"
        http3 = { enabled = true }
        tls_autocert = { enabled = false, host_whitelist = ["a"] }
        tls = { enabled = true, cert_pem = "-----BEGIN CERTIFICATE-----", key_pem_file = "key.pem" }
        [listen]
        http = "127.0.0.1:8000"
        [[proxies]]
        name = "backend"
        endpoint = "http://localhost"
        [[consumers]]
        name = "idle"
        enabled = false
        [client.token]
        jwks_public_endpoint = "https://a.example"
        [client.proxy.connect]
        endpoint = "http://localhost"
        [client.proxy.refresh]
        enabled = true
        [sse]
        enabled = true
        [uni_sse]
        handler_prefix = "/x"
        [usage_stats]
        disabled = true
        [engine.redis]
        address = ["redis://localhost"]
        [rpc.ping]
        enabled = false
        [[channel.namespaces]]
        name = "chat"
        subscribe_proxy_name = "default"
        subscribe_proxy_enabled = true
        subscription_type = "map"
        map = { mode = "ephemeral" }
        geo = { kind = "events" }
        publication_data_format = "json"
    "#;
    check(
        Format::Toml,
        text,
        expect![[r#"
            channel.namespaces[0].map.mode (file): nearcast does not have map subscriptions in this version
            channel.namespaces[0].subscribe_proxy_enabled (file): nearcast does not have proxies in this version
            channel.namespaces[0].subscription_type (file): nearcast does not have map and shared poll subscriptions in this version
            client.proxy.refresh.enabled (file): nearcast does not have proxies in this version
            client.token.jwks_public_endpoint (file): nearcast does not have JWKS in this version
            engine.redis.address (file): nearcast does not have the Redis engine in this version
            http_server.address (file): set by listen.http too
            http_server.address (file): must be an IP address
            http_server.http3.enabled (file): nearcast does not have HTTP/3 in this version
            http_server.tls.cert_pem (file): must be the name of a file
            proxies (file): nearcast does not have proxies in this version
            sse.enabled (file): nearcast does not have SSE in this version
        "#]],
    );
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    check(
        Format::Json,
        r#"{"node": {"region": "a", "region": "b"}}"#,
        expect![[r#"
        configuration (file): a key is given twice in one table at line 1 column 39
    "#]],
    );
    check(
        Format::Toml,
        "node.region = 'a'\nnode.region = 'b'",
        expect![[r#"
        configuration (file): line 2: duplicate key
    "#]],
    );
    check(
        Format::Yaml,
        "node:\n  region: a\n  region: b",
        expect![[r#"
            configuration (file): duplicate mapping key `region` is not allowed here at line 3, column 3
        "#]],
    );
    check(
        Format::Json,
        r#"{"node": {"region": "a"}, "node.region": "b"}"#,
        expect![[r#"
        node.region (file): set by node.region too
    "#]],
    );
}

#[test]
fn a_file_is_read_by_its_extension() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.toml", "node.region = 'eu'"),
        ("a.yaml", "node: {region: eu}"),
        ("a.YML", "node:\n  region: eu"),
        ("a.json", r#"{"node": {"region": "eu"}}"#),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (config, _) = Config::load(Some(&path), variables(&[])).unwrap();
        assert_eq!(config.node.region, "eu", "{name}");
    }
    let missing = Config::load(Some(&folder.path().join("b.toml")), variables(&[])).unwrap_err();
    assert!(missing.to_string().contains("b.toml (file): No such file"), "{missing}");
    let other = Config::load(Some(&folder.path().join("a.ini")), variables(&[])).unwrap_err();
    assert!(other.to_string().contains("must end in .toml"), "{other}");
}
