//! Configuration: one table of options, read from a file and the environment into each layer's own
//! options. Only `main` and `cli` know of it; nothing here reads the environment by itself.

mod centrifugo;
mod check;
mod dangers;
mod describe;
mod fault;
mod namespace;
mod options;
mod source;
mod table;
mod tree;
mod value;

pub(crate) use crate::access::token::TokenOptions;
pub(crate) use describe::{Description, describe};
pub(crate) use fault::{Fault, Faults, Source, Warning};
pub(crate) use options::{LogOptions, NodeOptions};
pub(crate) use source::Format;
pub(crate) use source::PREFIX;

use std::path::Path;

use serde_json::Value;

use crate::channel::{Namespace, Namespaces};
use crate::config::centrifugo::{FOREIGN, Foreign, GROUPS, Group, Unusable};
use crate::config::check::Check;
use crate::config::fault::Report;
use crate::config::namespace::{NAMESPACE, NamespaceDraft};
use crate::config::options::{Draft, OPTIONS};
use crate::config::source::{Layer, Setting, Settings, printable};
use crate::config::table::{Refused, Row};
use crate::engine::MemoryOptions;
use crate::hooks::WebhookOptions;
use crate::server::{ServerOptions, TlsFiles};
use crate::session::SessionOptions;

/// All that a node is told before it starts.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) session: SessionOptions,
    pub(crate) token: TokenOptions,
    /// `None`: subscription tokens are verified like connection tokens.
    pub(crate) subscription_token: Option<TokenOptions>,
    pub(crate) namespaces: Namespaces,
    pub(crate) engine: MemoryOptions,
    pub(crate) webhook: WebhookOptions,
    /// GeoJSON files with the node's own zones.
    pub(crate) zone_files: Vec<String>,
    pub(crate) server: ServerOptions,
    pub(crate) node: NodeOptions,
    pub(crate) log: LogOptions,
}

impl Config {
    /// Reads a file, if there is one, and the environment, which wins over the file. Either
    /// everything is right, or every fault is told.
    pub(crate) fn load(
        path: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Faults> {
        let mut report = Report::default();
        let file = path.map(|path| source::read_file(path, &mut report)).unwrap_or_default();
        let (config, mut warnings) = Self::build(file, environment, report)?;
        if path.is_none() {
            // Without a file the caller makes a development secret where there is no key.
            warnings.retain(|warning| warning.key != dangers::NO_KEY);
        }
        Ok((config, warnings))
    }

    /// Reads a file's text and the environment, as [`Config::load`] does.
    pub(crate) fn parse(
        format: Format,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), Faults> {
        let mut report = Report::default();
        let file = source::read_text("configuration", format, text, &mut report);
        Self::build(file, environment, report)
    }

    fn build(
        file: Layer,
        environment: impl Iterator<Item = (String, String)>,
        mut report: Report,
    ) -> Result<(Self, Vec<Warning>), Faults> {
        let environment = source::read_environment(environment, &mut report);
        let layer = file.overridden_by(environment);
        let mut draft = Draft::default();
        fill(OPTIONS, &layer.node, &mut draft, &mut report);
        translate(&layer, &mut draft, &mut report);
        let mut without = NamespaceDraft::default();
        fill(NAMESPACE, &layer.without, &mut without, &mut report);
        without.name.clear();
        let without = without.finish();
        let mut namespaces = Vec::new();
        for settings in layer.namespaces.iter().flatten() {
            let mut namespace = NamespaceDraft::default();
            fill(NAMESPACE, settings, &mut namespace, &mut report);
            namespaces.push(namespace.finish());
        }
        Check {
            draft: &draft,
            without: &without.options,
            namespaces: &namespaces,
            layer: &layer,
            report: &mut report,
        }
        .run();
        let warnings = report.finish()?;
        Ok((Self::of(draft, without, namespaces), warnings))
    }

    fn of(draft: Draft, without: Namespace, namespaces: Vec<Namespace>) -> Self {
        let Draft { mut session, mut server, .. } = draft;
        session.personal_channel = draft.personal_enabled.then_some(draft.personal);
        // A shutdown shorter than the default spread shortens the spread.
        server.shutdown_spread = server.shutdown_spread.min(server.shutdown_timeout);
        let files = draft.certificate.zip(draft.key);
        server.tls = files.map(|(certificate, key)| TlsFiles { certificate, key });
        Self {
            session,
            token: draft.token,
            subscription_token: draft.subscription_enabled.then_some(draft.subscription),
            namespaces: Namespaces::new(draft.rules, without.options, namespaces),
            engine: draft.engine,
            webhook: draft.webhook,
            zone_files: draft.zone_files,
            server,
            node: draft.node,
            log: draft.log,
        }
    }
}

/// Puts every option's value, or else its default, in its place.
fn fill<T>(rows: &'static [Row<T>], settings: &Settings, target: &mut T, report: &mut Report) {
    for row in rows {
        // A namespace's name is the one option without a default that passes: it must be given.
        let default = row.kind.set(target, &row.default_value());
        debug_assert!(default.is_ok() || row.key == "name", "{}: default is refused", row.key);
        let Some(setting) = settings.get(row.key) else { continue };
        if let Err(Refused(hint)) = row.kind.set(target, &setting.value) {
            let accepted = row.kind.accepted();
            let message = match hint {
                Some(hint) => format!("must be {accepted} ({hint})"),
                None => format!("must be {accepted}"),
            };
            report.fault(refusal(row, setting, message));
        }
    }
}

fn refusal<T>(row: &Row<T>, setting: &Setting, message: String) -> Fault {
    let value = (!row.secret).then(|| show(&setting.value));
    Fault { key: setting.key.clone(), value, source: setting.source.clone(), message }
}

/// A value as its writer would recognise it.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::String(text) => format!("\"{}\"", printable(text)),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Carries what Centrifugo's own keys say over to the options they say it for.
fn translate(layer: &Layer, draft: &mut Draft, report: &mut Report) {
    let mut foreign = Foreign::default();
    // Their defaults must not be taken for values that were set.
    for row in FOREIGN {
        if let Some(setting) = layer.foreign.get(row.key)
            && let Err(Refused(_)) = row.kind.set(&mut foreign, &setting.value)
        {
            let message = format!("must be {}", row.kind.accepted());
            report.fault(refusal(row, setting, message));
        }
    }
    for group in GROUPS {
        apply_group(group, layer, &foreign, draft, report);
    }
}

fn apply_group(
    group: &Group,
    layer: &Layer,
    foreign: &Foreign,
    draft: &mut Draft,
    report: &mut Report,
) {
    let mut theirs = group.foreign.iter().filter_map(|key| layer.foreign.get(key));
    let Some(first) = theirs.next() else { return };
    let from_file = |setting: &Setting| setting.source == Source::File;
    let their_file = from_file(first) && theirs.all(from_file);
    let ours = group.ours.iter().find_map(|key| layer.node.get(key));
    if let Some(ours) = ours {
        match (their_file, from_file(ours)) {
            // The environment wins over the file.
            (true, false) => return,
            (false, true) => {}
            _ => report.fault(Fault {
                key: first.key.clone(),
                value: None,
                source: first.source.clone(),
                message: format!("set by {} too", ours.key),
            }),
        }
    }
    if let Err(Unusable { key, message }) = (group.apply)(foreign, draft) {
        let setting = layer.foreign.get(key).unwrap_or(first);
        report.fault(Fault {
            key: setting.key.clone(),
            value: None,
            source: setting.source.clone(),
            message: message.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
