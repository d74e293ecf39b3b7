//! Relations between options.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;

use crate::access::token::TokenVerifier;
use crate::base::limits;
use crate::channel::{GeoKind, Moved, Namespace, NamespaceOptions};
use crate::config::TokenOptions;
use crate::config::fault::{Fault, Report, Source};
use crate::config::namespace::NAMESPACE;
use crate::config::options::Draft;
use crate::config::source::{Layer, Settings, WITHOUT, join, namespace_path};
use crate::config::table;
use crate::config::value::{show_duration, show_size};

/// A configuration whose values are each in their range.
pub(crate) struct Check<'a> {
    pub(crate) draft: &'a Draft,
    pub(crate) without: &'a NamespaceOptions,
    pub(crate) namespaces: &'a [Namespace],
    pub(crate) layer: &'a Layer,
    pub(crate) report: &'a mut Report,
}

impl Check<'_> {
    pub(crate) fn run(&mut self) {
        self.client();
        self.tokens("client.token", &self.draft.token);
        self.tokens("client.subscription_token", &self.draft.subscription);
        self.server();
        self.boundaries();
        self.personal();
        self.options(WITHOUT, self.without, &self.layer.without);
        let mut names = HashMap::new();
        let none = Settings::new();
        for (index, namespace) in self.namespaces.iter().enumerate() {
            let path = namespace_path(index);
            let settings = self.layer.namespaces.as_ref().and_then(|all| all.get(index));
            let settings = settings.unwrap_or(&none);
            self.name(&path, &namespace.name, settings, &mut names);
            self.options(&path, &namespace.options, settings);
        }
        self.dangers();
    }

    /// A fault at a key, unless it or a key that it is compared with has one already.
    fn fault(
        &mut self,
        key: &str,
        others: &[&str],
        value: impl Display,
        message: impl Into<String>,
    ) {
        if self.report.has(key) || others.iter().any(|other| self.report.has(other)) {
            return;
        }
        let source = self.layer.node.get(key).map_or(Source::Default, |one| one.source.clone());
        self.at(key, source, value, message);
    }

    fn at(&mut self, key: &str, source: Source, value: impl Display, message: impl Into<String>) {
        let value = Some(value.to_string()).filter(|value| !value.is_empty());
        self.report.fault(Fault { key: key.to_owned(), value, source, message: message.into() });
    }

    fn client(&mut self) {
        let Draft { session, server, .. } = self.draft;
        if session.pong_timeout >= session.ping_interval {
            let ping = show_duration(session.ping_interval);
            self.fault(
                "client.pong_timeout",
                &["client.ping_interval"],
                show_duration(session.pong_timeout),
                format!("must be shorter than client.ping_interval ({ping})"),
            );
        }
        let show = |bytes| show_size(u64::try_from(bytes).unwrap_or(u64::MAX));
        for (key, message) in [
            ("websocket.message_size_limit", server.websocket.message_size_limit),
            ("webtransport.message_size_limit", server.webtransport.message_size_limit),
        ] {
            if server.queue_max_size < message {
                self.fault(
                    "client.queue_max_size",
                    &[key],
                    show(server.queue_max_size),
                    format!("must be at least {key} ({})", show(message)),
                );
            }
        }
        if let (Some(all), Some(user)) = (server.connection_limit, server.user_connection_limit)
            && user > all
        {
            self.fault(
                "client.user_connection_limit",
                &["client.connection_limit"],
                user,
                format!("must be at most client.connection_limit ({all})"),
            );
        }
    }

    fn tokens(&mut self, section: &str, token: &TokenOptions) {
        for (plain, regex, name) in [
            (&token.audience, &token.audience_regex, "audience"),
            (&token.issuer, &token.issuer_regex, "issuer"),
        ] {
            if plain.is_some() && regex.is_some() {
                let key = join(section, &format!("{name}_regex"));
                self.fault(&key, &[], "", format!("must be empty where {section}.{name} is set"));
            }
        }
        let both = token.audience.is_some() && token.audience_regex.is_some()
            || token.issuer.is_some() && token.issuer_regex.is_some();
        if !both && let Err(fault) = TokenVerifier::new(token) {
            self.fault(section, &[], "", fault.to_string());
        }
    }

    fn server(&mut self) {
        let server = &self.draft.server;
        if let Some(lanes) = server.lanes.filter(|lanes| !lanes.is_power_of_two()) {
            let message =
                format!("must be a power of two, at most {}, or \"auto\"", limits::LANES_MAX);
            self.fault("node.lanes", &[], lanes, message);
        }
        match (&self.draft.certificate, &self.draft.key) {
            (Some(_), None) => {
                self.fault(
                    "tls.key",
                    &["tls.certificate"],
                    "",
                    "must be set where tls.certificate is",
                );
            }
            (None, Some(_)) => {
                self.fault("tls.certificate", &["tls.key"], "", "must be set where tls.key is");
            }
            _ => {}
        }
        let spread_given = self.layer.node.contains_key("shutdown.spread");
        if spread_given && server.shutdown_spread > server.shutdown_timeout {
            let timeout = show_duration(server.shutdown_timeout);
            self.fault(
                "shutdown.spread",
                &["shutdown.timeout"],
                show_duration(server.shutdown_spread),
                format!("must be at most shutdown.timeout ({timeout})"),
            );
        }
        if let (Some(http), Some(admin)) = (server.http, server.admin)
            && http == admin
            && http.port() != 0
        {
            let message = format!("must be another address than listen.http ({http})");
            self.fault("listen.admin", &["listen.http"], admin, message);
        }
    }

    /// A name could not be read if two of its marks were the same.
    fn boundaries(&mut self) {
        let rules = &self.draft.rules;
        let marks = [
            ("channel.namespace_boundary", &rules.namespace_boundary),
            ("channel.private_prefix", &rules.private_prefix),
            ("channel.user_boundary", &rules.user_boundary),
            ("channel.user_separator", &rules.user_separator),
        ];
        for (index, (key, mark)) in marks.iter().enumerate() {
            if !mark.bytes().all(|byte| byte.is_ascii_graphic()) {
                self.fault(key, &[], format!("{mark:?}"), "must be printable ASCII without spaces");
            }
            let same = marks[..index].iter().find(|(_, other)| other == mark && !mark.is_empty());
            if let Some((other, _)) = same {
                self.fault(key, &[other], format!("{mark:?}"), format!("must differ from {other}"));
            }
        }
    }

    fn personal(&mut self) {
        let name = &self.draft.personal.namespace;
        let known = name.is_empty() || self.namespaces.iter().any(|one| one.name == *name);
        if self.draft.personal_enabled && !known {
            let key = "client.subscribe_to_user_personal_channel.personal_channel_namespace";
            let names: BTreeSet<&str> =
                self.namespaces.iter().map(|one| one.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().take(20).collect();
            let message = match names.as_slice() {
                [] => "no such namespace: there are none in channel.namespaces".to_owned(),
                names => format!("no such namespace; there are: {}", names.join(", ")),
            };
            self.fault(key, &[], format!("{name:?}"), message);
        }
    }

    fn name<'n>(
        &mut self,
        path: &str,
        name: &'n str,
        settings: &Settings,
        names: &mut HashMap<&'n str, String>,
    ) {
        let key = join(path, "name");
        if self.report.has(path) || self.report.has(&key) {
            return;
        }
        let Some(setting) = settings.get("name") else {
            let source = settings.values().next().map_or(Source::File, |one| one.source.clone());
            return self.at(path, source, "", "must have a name");
        };
        let source = setting.source.clone();
        let shown = format!("{name:?}");
        let rules = &self.draft.rules;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.bytes().all(plain) {
            self.at(&key, source, shown, "must be letters, digits, \"-\", \"_\" and \".\" only");
        } else if name.contains(&rules.namespace_boundary) {
            self.at(&key, source, shown, "must not contain channel.namespace_boundary");
        } else if !rules.private_prefix.is_empty() && name.starts_with(&rules.private_prefix) {
            self.at(&key, source, shown, "must not begin with channel.private_prefix");
        } else if let Some(first) = names.get(name) {
            let message = format!("must be unique: {first} has this name");
            self.at(&key, source, shown, message);
        } else {
            names.insert(name, path.to_owned());
        }
    }

    fn options(&mut self, path: &str, options: &NamespaceOptions, settings: &Settings) {
        self.geography(path, options, settings);
        let source =
            |key: &str| settings.get(key).map_or(Source::Default, |one| one.source.clone());
        let (size, ttl) = (join(path, "history_size"), join(path, "history_ttl"));
        if self.report.has(&size) || self.report.has(&ttl) {
            return;
        }
        let shown_ttl = show_duration(options.history_ttl);
        if options.history_size > 0 && options.history_ttl.is_zero() {
            let message = "must be longer than 0s where history_size is set";
            return self.at(&ttl, source("history_ttl"), shown_ttl, message);
        }
        if options.history_size == 0 && !options.history_ttl.is_zero() {
            let message = "must be at least 1 where history_ttl is set";
            return self.at(&size, source("history_size"), 0, message);
        }
        let meta_ttl = options.history_meta_ttl.unwrap_or(self.draft.engine.history_meta_ttl);
        if options.history_ttl > meta_ttl && !self.report.has("channel.history_meta_ttl") {
            let message = format!("must be at most history_meta_ttl ({})", show_duration(meta_ttl));
            self.at(&ttl, source("history_ttl"), shown_ttl, message);
        }
        if options.keeps_history() {
            return;
        }
        if options.force_recovery {
            let message = "needs history_size and history_ttl";
            self.at(&join(path, "force_recovery"), source("force_recovery"), true, message);
        }
        for (key, on) in [
            ("allow_recovery", options.allow_recovery),
            ("allow_positioning", options.allow_positioning),
            ("force_positioning", options.force_positioning),
        ] {
            if on {
                let message = "has no effect without history_size and history_ttl";
                self.report.warn(join(path, key), message);
            }
        }
    }

    fn geography(&mut self, path: &str, options: &NamespaceOptions, settings: &Settings) {
        let Some(geo) = &options.geo else {
            // Where all options are written out, kind is off among them.
            let is_forgotten = !settings.contains_key("geo.kind");
            for (key, setting) in settings.iter().filter(|(key, _)| key.starts_with("geo.")) {
                let row = table::find(NAMESPACE, key).expect("a setting has its row");
                if is_forgotten || setting.value != row.default_value() {
                    self.report.warn(join(path, key), "has no effect where geo.kind is off");
                }
            }
            return;
        };
        let source =
            |key: &str| settings.get(key).map_or(Source::Default, |one| one.source.clone());
        if options.binary {
            let message = "must be false where geo.kind is set: places are found in JSON";
            self.at(&join(path, "binary"), source("binary"), true, message);
        }
        if geo.radius_max.is_some_and(|most| most < geo.radius_min) {
            let message = "must be at least geo.radius_m_min";
            let key = "geo.radius_m_max";
            let shown = geo.radius_max.map_or(0.0, |most| most.0);
            self.at(&join(path, key), source(key), shown, message);
        }
        if geo.lat == geo.lng {
            let (key, message) = ("geo.lng", "must be another member than geo.lat");
            self.at(&join(path, key), source(key), format_args!("{:?}", geo.lng), message);
        }
        if geo.kind == GeoKind::Objects {
            let (room, key) = (self.draft.server.queue_max_size, "geo.objects_max");
            let most = room / Moved::OBJECT_BYTES;
            if geo.objects_max > most && !self.report.has("client.queue_max_size") {
                let room = show_size(u64::try_from(room).unwrap_or(u64::MAX));
                let message = format!(
                    "must be at most {most}: so many may enter and leave a moved area at once, \
                     and wait in client.queue_max_size ({room})"
                );
                self.at(&join(path, key), source(key), geo.objects_max, message);
            }
            for (key, on) in [
                ("force_recovery", options.force_recovery),
                ("force_positioning", options.force_positioning),
            ] {
                if on {
                    let message = "must be false in channels of objects: after a reconnect their \
                                   snapshot is the truth";
                    self.at(&join(path, key), source(key), true, message);
                }
            }
            if options.history_size > 0 {
                let message = "has no effect in channels of objects";
                self.report.warn(join(path, "history_size"), message);
            }
        }
    }
}
