//! Every option of the table, in one loop each: defaults, sources, ranges.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::base::limits;

/// The table's defaults are those that each layer has by itself.
#[test]
fn defaults_are_those_of_the_layers() {
    let (config, warnings) = Config::load(None, variables(&[])).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(format!("{:?}", config.session), format!("{:?}", SessionOptions::default()));
    assert_eq!(config.engine, MemoryOptions::default());
    assert_eq!(format!("{:?}", config.server), format!("{:?}", ServerOptions::default()));
    assert_eq!(config.namespaces.rules, crate::channel::ChannelRules::default());
    let without = &config.namespaces.find("news").unwrap().options;
    let layer = crate::channel::NamespaceOptions::default();
    assert_eq!(format!("{without:?}"), format!("{layer:?}"));
    assert_eq!(format!("{:?}", config.token), format!("{:?}", TokenOptions::default()));
    assert!(config.subscription_token.is_none());
    assert_eq!(config.node, NodeOptions { name: None, region: "local".into() });
}

/// A value of each option that is not its default, as a file has it.
fn another(option: &Description) -> Value {
    let value = match (option.kind, &option.default) {
        ("bool", default) => json!(default != true),
        ("integer", _) => json!(4),
        ("number", _) => json!(2.5),
        ("size", _) => json!("2MiB"),
        ("duration", _) => json!("3s"),
        ("text" | "regex" | "file", _) => json!("@x"),
        ("url path", _) => json!("/other"),
        ("list", _) => json!(["fossil"]),
        ("address", _) => json!("127.0.0.1:7"),
        ("choice", default) => {
            let words = [
                "transport",
                "cache",
                "json",
                "debug",
                "memory",
                "free",
                "events",
                "flag",
                "rounded",
            ];
            let fits =
                |word: &&str| option.accepted.contains(&format!("{word:?}")) && default != word;
            json!(words.into_iter().find(fits).unwrap_or("memory"))
        }
        (kind, _) => panic!("{kind}: no value for {}", option.key),
    };
    match option.key.as_str() {
        "channel.namespaces[].name" => json!("chat"),
        "listen.proxy_protocol_from" => json!(["10.0.0.0/8"]),
        "listen.relay" => json!("off"),
        "http_server.address" | "http_server.internal_address" => json!("10.0.0.1"),
        key if key.ends_with("_max") && option.kind == "integer" => json!(4000),
        _ => value,
    }
}

/// A tree with one value at a dotted path.
pub(super) fn tree(key: &str, value: Value) -> Value {
    if let Some(name) = key.strip_prefix("channel.namespaces[].") {
        return json!({"channel": {"namespaces": [{name: value}]}});
    }
    key.rsplit('.').fold(value, |inner, part| json!({part: inner}))
}

/// What the layer with only this file says of every option, whether or not relations between
/// options are in order.
fn fields(layer: &Layer) -> String {
    let mut report = Report::default();
    let (mut draft, mut without) = (Draft::default(), NamespaceDraft::default());
    fill(OPTIONS, &layer.node, &mut draft, &mut report);
    translate(layer, &mut draft, &mut report);
    fill(NAMESPACE, &layer.without, &mut without, &mut report);
    let mut named = Vec::new();
    for settings in layer.namespaces.iter().flatten() {
        let mut namespace = NamespaceDraft::default();
        fill(NAMESPACE, settings, &mut namespace, &mut report);
        named.push(namespace);
    }
    assert_eq!(report.finish(), Ok(vec![]));
    // Secrets are redacted, but whether they are set can be seen.
    format!("{draft:?} {without:?} {named:?}")
}

#[test]
fn every_option_is_read_from_every_source_and_changes_something() {
    let untouched = fields(&Layer::default());
    for option in describe() {
        let value = another(&option);
        let file = tree(&option.key, value.clone());
        let json = file.to_string();
        let toml = toml_of(&option.key, &value);
        let text = match &value {
            _ if option.key.contains("[]") => json!([{"name": "chat"}]).to_string(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut report = Report::default();
        let from = [
            source::read_text("f", Format::Json, &json, &mut report),
            // JSON is YAML too.
            source::read_text("f", Format::Yaml, &json, &mut report),
            source::read_text("f", Format::Toml, &toml, &mut report),
            source::read_environment(variables(&[(&option.variable, &text)]), &mut report),
        ];
        assert_eq!(report.finish(), Ok(vec![]), "{}", option.key);
        let read: Vec<String> = from.iter().map(fields).collect();
        for other in &read {
            assert_eq!(&read[0], other, "{}", option.key);
        }
        let inert = ["listen.relay", "engine.type"];
        // Centrifugo's TLS files count only together with their switch.
        let inert =
            inert.contains(&option.key.as_str()) || option.key.starts_with("http_server.tls.");
        assert_eq!(read[0] == untouched, inert, "{}", option.key);
    }
}

fn toml_of(key: &str, value: &Value) -> String {
    match key.strip_prefix("channel.namespaces[].") {
        Some(name) => format!("[[channel.namespaces]]\n{name} = {value}\n"),
        None => format!("{key} = {value}\n"),
    }
}

#[test]
fn every_documented_default_is_accepted_and_changes_nothing() {
    let untouched = fields(&Layer::default());
    for option in describe() {
        if option.foreign || option.key.contains("[]") {
            continue;
        }
        let mut report = Report::default();
        let text = tree(&option.key, option.default.clone()).to_string();
        let layer = source::read_text("f", Format::Json, &text, &mut report);
        assert_eq!(fields(&layer), untouched, "{}", option.key);
        assert_eq!(report.finish(), Ok(vec![]));
    }
}

/// The bounds of a range as its documentation tells them, and one past each.
fn bounds(option: &Description) -> Option<([Value; 2], Vec<Value>)> {
    let (_, range) =
        option.accepted.split_once(" from ").or(option.accepted.split_once("text from "))?;
    let words: Vec<&str> = range.split([' ', ',']).collect();
    let (low, high) = (words[0], words[2]);
    match option.kind {
        "integer" => {
            let (low, high): (u64, u64) = (low.parse().unwrap(), high.parse().unwrap());
            let mut past = vec![json!(high + 1), json!(-1), json!(1.5), json!("4")];
            // 0 is "off" where there is such a word.
            if low > 0 && !option.accepted.contains("\"off\"") {
                past.push(json!(low - 1));
            }
            // Ports may be text, as in Centrifugo.
            past.retain(|value| !(option.key.ends_with("port") && value == "4"));
            Some(([json!(low), json!(high)], past))
        }
        "number" => {
            let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
            let past = vec![json!(low * 0.99 - 0.001), json!(high * 1.01), json!("4"), json!(null)];
            Some(([json!(low), json!(high)], past))
        }
        "size" => {
            let (least, most) = (value::parse_size(low).unwrap(), value::parse_size(high).unwrap());
            Some((
                [json!(low), json!(high)],
                vec![json!(least - 1), json!(most + 1), json!("9TiB")],
            ))
        }
        "duration" => {
            let (least, most) =
                (value::parse_duration(low).unwrap(), value::parse_duration(high).unwrap());
            let one = Duration::from_nanos(1);
            let mut past = vec![json!(value::show_duration(most + one)), json!("-1s"), json!(25)];
            if !least.is_zero() {
                past.push(json!(value::show_duration(least - one)));
            }
            Some(([json!(low), json!(high)], past))
        }
        "text" => {
            let (low, high): (usize, usize) = (low.parse().unwrap(), high.parse().unwrap());
            let mut past = vec![json!("a".repeat(high + 1)), json!(1)];
            if low > 0 {
                past.push(json!("a".repeat(low - 1)));
            }
            Some(([json!("a".repeat(low)), json!("a".repeat(high))], past))
        }
        kind => panic!("{kind}: a range that is not tested, {}", option.key),
    }
}

#[test]
fn every_range_holds_at_its_bounds_and_not_one_past() {
    let mut tested = 0;
    for option in describe() {
        let Some((within, past)) = bounds(&option) else { continue };
        tested += 1;
        let refused = |value: &Value| {
            let mut report = Report::default();
            let text = tree(&option.key, value.clone()).to_string();
            let layer = source::read_text("f", Format::Json, &text, &mut report);
            fill(OPTIONS, &layer.node, &mut Draft::default(), &mut report);
            translate(&layer, &mut Draft::default(), &mut report);
            fill(NAMESPACE, &layer.without, &mut NamespaceDraft::default(), &mut report);
            for settings in layer.namespaces.iter().flatten() {
                fill(NAMESPACE, settings, &mut NamespaceDraft::default(), &mut report);
            }
            report.finish().is_err()
        };
        for value in within {
            assert!(!refused(&value), "{} refuses {value}", option.key);
        }
        for value in past {
            assert!(refused(&value), "{} accepts {value}", option.key);
        }
    }
    assert!(tested > 30, "{tested} ranges");
}

#[test]
fn texts_and_lists_are_bounded() {
    let text = |bytes| told(parse(&json!({"node": {"name": "a".repeat(bytes)}})));
    assert!(text(limits::CONFIG_TEXT_BYTES).ends_with("ok\n"));
    assert!(text(limits::CONFIG_TEXT_BYTES + 1).contains("must be text of at most 16384 bytes"));
    let list = |length| told(parse(&json!({"client": {"allowed_origins": vec!["*"; length]}})));
    assert!(list(limits::CONFIG_LIST).ends_with("ok\n"));
    assert!(list(limits::CONFIG_LIST + 1).contains("of at most 1024 entries"));
    let regex = |count: usize| {
        let regex = format!("[a-z]{{{count}}}");
        told(parse(&json!({"channel": {"without_namespace": {"channel_regex": regex}}})))
    };
    assert!(regex(10).ends_with("ok\n"));
    assert!(regex(1_000_000).contains("must be a regular expression"));
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    let known = |key: &str| {
        let told = told(parse(&tree(key, json!(1))));
        told.split("did you mean ").nth(1).map(|rest| rest.trim_end_matches("?\n").to_owned())
    };
    for (unknown, nearest) in [
        ("client.ping_intervall", "client.ping_interval"),
        ("client.pingInterval", "client.ping_interval"),
        ("ping_interval", "client.ping_interval"),
        ("listen.https", "listen.http"),
        ("history_size", "channel.without_namespace.history_size"),
        ("channel.presence", "channel.without_namespace.presence"),
        ("channel.namespace", "channel.namespaces"),
        ("channel.namespaces[].presense", "channel.namespaces[0].presence"),
        ("http_server.prot", "http_server.port"),
    ] {
        assert_eq!(known(unknown).as_deref(), Some(nearest), "{unknown}");
    }
    for unknown in ["zebra", "metrics.enabled", "client.x", "", "client.", ".", "a.b.c.d"] {
        assert_eq!(known(unknown), None, "{unknown}");
    }
}

fn parse(value: &Value) -> Loaded {
    Config::parse(Format::Json, &value.to_string(), variables(&[]))
}
