//! Where configuration comes from: a file in TOML, YAML or JSON, and the environment. What is found
//! is sorted to the options it sets; whether values are right is not judged here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::base::limits;
use crate::config::centrifugo::{self, FEATURES, FOREIGN, Feature, NAMESPACE_FEATURES, Off};
use crate::config::fault::{Fault, Report, Source};
use crate::config::namespace::NAMESPACE;
use crate::config::options::OPTIONS;
use crate::config::table::{self, Row};
use crate::config::tree::Tree;

/// What begins the name of every variable that configures.
pub(crate) const PREFIX: &str = "NEARCAST_";
pub(crate) const WITHOUT: &str = "channel.without_namespace";
const WITHOUT_GEO: &str = "channel.without_namespace.geo";
pub(crate) const NAMESPACES: &str = "channel.namespaces";

/// A value that was set.
#[derive(Clone)]
pub(crate) struct Setting {
    /// The key as it was written: an alias, perhaps.
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// Settings by the key of their option.
pub(crate) type Settings = BTreeMap<&'static str, Setting>;

/// All that one source, or several merged, set.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) node: Settings,
    pub(crate) foreign: Settings,
    pub(crate) without: Settings,
    pub(crate) namespaces: Option<Vec<Settings>>,
}

impl Layer {
    /// Lets another layer's settings win over these.
    pub(crate) fn overridden_by(mut self, other: Self) -> Self {
        self.node.extend(other.node);
        self.foreign.extend(other.foreign);
        self.without.extend(other.without);
        self.namespaces = other.namespaces.or(self.namespaces);
        self
    }
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Toml,
    Yaml,
    Json,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads a file's settings. A file that cannot be read or parsed is one fault.
pub(crate) fn read_file(path: &Path, report: &mut Report) -> Layer {
    let read = || {
        let format = Format::of(path).ok_or("must end in .toml, .yaml, .yml or .json")?;
        let file = File::open(path).map_err(|error| error.to_string())?;
        // One byte more than is accepted tells a file at the limit from one past it.
        let limit = u64::try_from(limits::CONFIG_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        check_size(bytes.len())?;
        let text = String::from_utf8(bytes).map_err(|error| error.utf8_error().to_string())?;
        Ok::<_, String>((format, text))
    };
    let name = path.display().to_string();
    match read() {
        Ok((format, text)) => read_text(&name, format, &text, report),
        Err(message) => {
            report.fault(Fault { key: name, value: None, source: Source::File, message });
            Layer::default()
        }
    }
}

/// Reads the settings in a file's text.
pub(crate) fn read_text(name: &str, format: Format, text: &str, report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    match parse(format, text) {
        Ok(value) => Walk { layer: &mut layer, report, source: Source::File }.section("", value),
        Err(message) => {
            report.fault(Fault { key: name.to_owned(), value: None, source: Source::File, message })
        }
    }
    layer
}

/// Messages say where, never what stands there: it may be a secret.
fn parse(format: Format, text: &str) -> Result<Value, String> {
    check_size(text.len())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree: Tree = match format {
        Format::Toml => toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            format!("line {line}: {}", error.message())
        })?,
        Format::Yaml => yaml(text)?,
        Format::Json => serde_json::from_str(text).map_err(|error| error.to_string())?,
    };
    Ok(tree.0)
}

fn check_size(bytes: usize) -> Result<(), String> {
    if bytes <= limits::CONFIG_BYTES {
        Ok(())
    } else {
        Err(format!("longer than {} bytes", limits::CONFIG_BYTES))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn yaml(text: &str) -> Result<Tree, String> {
    // An empty document is a null, and a file of comments is a valid configuration.
    let options = serde_saphyr::options! {
        // `off` is a value of ours, not YAML 1.1's word for false.
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 32,
            max_documents: 1,
            max_merge_keys: 1_000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 * limits::CONFIG_BYTES,
            max_total_scalar_bytes: 4 * limits::CONFIG_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| error.render_with_formatter(&serde_saphyr::UserMessageFormatter))
}

/// Reads the settings in the environment. Variables that have no `__` are none of ours, besides
/// whole sections in JSON: Kubernetes, for one, names variables after a service.
pub(crate) fn read_environment(
    environment: impl Iterator<Item = (String, String)>,
    report: &mut Report,
) -> Layer {
    let mut variables: Vec<(String, String)> = environment
        .filter(|(name, text)| name.strip_prefix(PREFIX).is_some_and(|rest| is_ours(rest, text)))
        .collect();
    variables.sort();
    let mut layer = Layer::default();
    for (name, text) in variables {
        let key = name[PREFIX.len()..].replace("__", ".").to_ascii_lowercase();
        let source = Source::Environment(name);
        if let Err(message) = check_size(text.len()) {
            report.fault(Fault { key, value: None, source, message });
            continue;
        }
        let value = variable_value(&key, &text);
        Walk { layer: &mut layer, report, source }.visit(&key, value);
    }
    layer
}

fn is_ours(name: &str, text: &str) -> bool {
    let section = || text.starts_with('{') && is_section(&name.to_ascii_lowercase());
    name.contains("__") || section()
}

fn variable_value(key: &str, text: &str) -> Value {
    let without = key.strip_prefix(WITHOUT).and_then(|rest| rest.strip_prefix('.'));
    if let Some(row) = table::find(OPTIONS, key) {
        row.kind.read_text(text)
    } else if let Some(row) = table::find(FOREIGN, key) {
        row.kind.read_text(text)
    } else if let Some(row) = without.and_then(|key| table::find(NAMESPACE, key)) {
        row.kind.read_text(text)
    } else {
        let parsed: Result<Tree, _> = serde_json::from_str(text);
        parsed.map_or_else(|_| Value::String(text.to_owned()), |tree| tree.0)
    }
}

/// The name of the variable that sets an option.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Sorts a tree of values into a layer.
struct Walk<'a> {
    layer: &'a mut Layer,
    report: &'a mut Report,
    source: Source,
}

impl Walk<'_> {
    fn section(&mut self, path: &str, value: Value) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    self.visit(&join(path, &key), value);
                }
            }
            Value::Null => {}
            _ if path.is_empty() => self.fault("configuration", "must be a table of sections"),
            _ => self.fault(path, "must be a section: a table of keys"),
        }
    }

    fn visit(&mut self, path: &str, value: Value) {
        if let Some(row) = table::find(OPTIONS, path) {
            self.put(|layer| &mut layer.node, row, path, value);
        } else if let Some(row) = table::find(FOREIGN, path) {
            self.put(|layer| &mut layer.foreign, row, path, value);
        } else if path == NAMESPACES {
            self.namespaces(value);
        } else if path == WITHOUT || (path == WITHOUT_GEO && value.is_object()) {
            self.section(path, value);
        } else if let Some(key) = path.strip_prefix(WITHOUT).and_then(|rest| rest.strip_prefix('.'))
        {
            match table::find(NAMESPACE, key).filter(|row| row.key != "name") {
                Some(row) => self.put(|layer| &mut layer.without, row, path, value),
                None => self.stranger(WITHOUT, NAMESPACE_FEATURES, key, &value),
            }
        } else if is_section(path) {
            self.section(path, value);
        } else {
            self.stranger("", FEATURES, path, &value);
        }
    }

    fn put<T>(
        &mut self,
        settings: impl FnOnce(&mut Layer) -> &mut Settings,
        row: &'static Row<T>,
        path: &str,
        value: Value,
    ) {
        let setting = Setting { key: path.to_owned(), value, source: self.source.clone() };
        let before = settings(self.layer).insert(row.key, setting);
        if let Some(before) = before {
            self.twice(path, &before);
        }
    }

    fn twice(&mut self, path: &str, before: &Setting) {
        let message = match &before.source {
            Source::Environment(name) => format!("set by {name} too"),
            _ => format!("set by {} too", before.key),
        };
        self.fault(path, message);
    }

    fn namespaces(&mut self, value: Value) {
        let Value::Array(items) = value else {
            return self.fault(NAMESPACES, "must be a list of tables, each with a name");
        };
        if items.len() > limits::NAMESPACES {
            let message = format!("{} namespaces; at most {}", items.len(), limits::NAMESPACES);
            return self.fault(NAMESPACES, message);
        }
        if self.layer.namespaces.is_some() {
            self.fault(NAMESPACES, "set twice");
        }
        let all = items.into_iter().enumerate();
        let all = all.map(|(index, item)| self.namespace(&namespace_path(index), item)).collect();
        self.layer.namespaces = Some(all);
    }

    fn namespace(&mut self, path: &str, value: Value) -> Settings {
        let mut settings = Settings::new();
        let Value::Object(table) = value else {
            self.fault(path, "must be a table with a name");
            return settings;
        };
        for (key, value) in flat(table) {
            let Some(row) = table::find(NAMESPACE, &key) else {
                self.stranger(path, NAMESPACE_FEATURES, &key, &value);
                continue;
            };
            let key = join(path, &key);
            let setting = Setting { key: key.clone(), value, source: self.source.clone() };
            if let Some(before) = settings.insert(row.key, setting) {
                self.twice(&key, &before);
            }
        }
        settings
    }

    /// A key that is no option: of a feature that we do not have, or of nobody.
    fn stranger(&mut self, path: &str, features: &'static [Feature], key: &str, value: &Value) {
        let Some((feature, rest)) = centrifugo::feature_of(features, key) else {
            return self.unknown(path, key);
        };
        if let Some(switch) = feature.switched_on(rest, value) {
            let message = format!("nearcast does not have {} in this version", feature.what);
            self.fault(&join(path, &switch), message);
        } else if matches!(feature.off, Off::Tuning) {
            self.report.warn(
                printable(&join(path, key)),
                "has no effect: nearcast does not have that setting",
            );
        }
    }

    fn unknown(&mut self, path: &str, key: &str) {
        // Spelling is compared for as many faults as are told.
        let known = if self.report.full() { None } else { nearest(path, key) };
        let message = match known {
            Some(known) => format!("no such option; did you mean {known}?"),
            None => "no such option".to_owned(),
        };
        self.fault(&join(path, key), message);
    }

    fn fault(&mut self, key: &str, message: impl Into<String>) {
        let source = self.source.clone();
        self.report.fault(Fault {
            key: printable(key),
            value: None,
            source,
            message: message.into(),
        });
    }
}

pub(crate) fn namespace_path(index: usize) -> String {
    format!("{NAMESPACES}[{index}]")
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A text from a file on one line of bounded length.
pub(crate) fn printable(text: &str) -> String {
    const LENGTH: usize = 128;
    let mut shown = String::new();
    for c in text.chars().take(LENGTH) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LENGTH).is_some() {
        shown.push('…');
    }
    shown
}

/// Keys that a file may use, besides those of namespaces.
fn known() -> impl Iterator<Item = &'static str> {
    let options = OPTIONS.iter().map(|row| row.key);
    let foreign = FOREIGN.iter().map(|row| row.key);
    options.chain(foreign).chain([WITHOUT, NAMESPACES])
}

fn is_section(path: &str) -> bool {
    let within = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    known().chain(FEATURES.iter().map(|feature| feature.key)).any(within)
}

/// The known key that an unknown one was probably meant to be: the same last part in another
/// section, or the closest in spelling.
fn nearest(path: &str, key: &str) -> Option<String> {
    const CLOSE: f64 = 0.7;
    if key.len() > limits::CHANNEL_BYTES {
        return None;
    }
    let here: Vec<String> = if path.is_empty() {
        known()
            .map(str::to_owned)
            .chain(NAMESPACE.iter().map(|row| join(WITHOUT, row.key)))
            .collect()
    } else {
        NAMESPACE.iter().map(|row| row.key.to_owned()).collect()
    };
    let last = key.rsplit('.').next().unwrap_or(key);
    let mut same = here.iter().filter(|known| known.rsplit('.').next() == Some(last));
    if let (Some(only), None) = (same.next(), same.next()) {
        return Some(join(path, only));
    }
    let score = |known: &String| strsim::normalized_damerau_levenshtein(known, key);
    let scored = here.into_iter().map(|known| (score(&known), known));
    let (best, known) = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best >= CLOSE).then(|| join(path, &known))
}

/// The members of a namespace with those of its section `geo` by their dotted paths.
fn flat(table: Map<String, Value>) -> Vec<(String, Value)> {
    let mut members = Vec::with_capacity(table.len());
    for (key, value) in table {
        match value {
            Value::Object(section) if key == "geo" => {
                let dotted = section.into_iter().map(|(name, value)| (join("geo", &name), value));
                members.extend(dotted);
            }
            value => members.push((key, value)),
        }
    }
    members
}
