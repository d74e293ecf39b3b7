//! `nearcast config`: validates a configuration, documents every option, writes an example. All of
//! it comes from the table of options.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::files;
use crate::base::UnixMillis;
use crate::config::{Config, Description, Fault, PREFIX, Source, Warning, describe};

/// What `nearcast config` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read a configuration and tell every fault with key, value and what is accepted; the
    /// files that it names are read, too
    Check {
        /// File in TOML, YAML or JSON; without it only the environment is read
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every option with default, range, environment variable and meaning
    Doc {
        /// Answer in JSON
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// Answer as a Markdown table
        #[arg(long)]
        markdown: bool,
    },
    /// Print a complete configuration with every default
    Example {
        /// JSON has no comments
        #[arg(long, value_enum, default_value_t = ExampleFormat::Toml)]
        format: ExampleFormat,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExampleFormat {
    Toml,
    Yaml,
    Json,
}

/// What to print, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Ends with a line break.
    pub(crate) text: String,
    /// 0, or 2 where the configuration has faults.
    pub(crate) code: u8,
}

/// The environment's variables that are ours. A value that is not UTF-8 is kept with replacement
/// characters, so that it is refused where it matters rather than overlooked.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// Does what a command says. Only `check` looks at environment, time and files.
pub(crate) fn run(
    command: &ConfigCommand,
    environment: impl Iterator<Item = (String, String)>,
    now: UnixMillis,
) -> Answer {
    match command {
        ConfigCommand::Check { config, json } => {
            let loaded = Config::load(config.as_deref(), environment);
            let checked = loaded.and_then(|(config, warnings)| {
                Ok([warnings, files::check(&config, now)?].concat())
            });
            let (faults, more, warnings) = match checked {
                Ok(warnings) => (Vec::new(), 0, warnings),
                Err(faults) => (faults.faults, faults.more, Vec::new()),
            };
            let text = if *json {
                check_json(&faults, more, &warnings)
            } else {
                check_text(&faults, more, &warnings)
            };
            Answer { text, code: if faults.is_empty() { 0 } else { 2 } }
        }
        ConfigCommand::Doc { json, markdown } => {
            let mut options = describe();
            options.sort_by(|one, other| one.key.cmp(&other.key));
            let text = match (json, markdown) {
                (true, _) => doc_json(&options),
                (_, true) => doc_markdown(&options),
                _ => {
                    let options = options.iter().map(doc_text).collect::<Vec<_>>();
                    format!("{NAMESPACES}\n{}", options.join("\n"))
                }
            };
            Answer { text, code: 0 }
        }
        ConfigCommand::Example { format } => Answer { text: example(*format), code: 0 },
    }
}

/// What the table cannot say.
const NAMESPACES: &str = "\
Options of channel.without_namespace are those of every [[channel.namespaces]] as well, beside its
name: there, channel.without_namespace.geo.kind is geo.kind.
";

fn check_text(faults: &[Fault], more: usize, warnings: &[Warning]) -> String {
    let mut text = String::new();
    for fault in faults {
        text.push_str(&format!("{fault}\n"));
    }
    for warning in warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    match faults.len() + more {
        0 => text.push_str("configuration is valid\n"),
        1 => text.push_str("1 fault\n"),
        count => text.push_str(&format!("{count} faults\n")),
    }
    text
}

fn check_json(faults: &[Fault], more: usize, warnings: &[Warning]) -> String {
    let fault = |fault: &Fault| {
        let source = match &fault.source {
            Source::Default => json!({"kind": "default"}),
            Source::File => json!({"kind": "file"}),
            Source::Environment(name) => json!({"kind": "environment", "variable": name}),
        };
        let Fault { key, value, message, .. } = fault;
        json!({"key": key, "value": value, "source": source, "message": message})
    };
    let warning = |Warning { key, message }: &Warning| json!({"key": key, "message": message});
    pretty(&json!({
        "valid": faults.is_empty(),
        "faults": faults.iter().map(fault).collect::<Vec<_>>(),
        "more_faults": more,
        "warnings": warnings.iter().map(warning).collect::<Vec<_>>(),
    }))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn doc_text(option: &Description) -> String {
    let Description { key, default, doc, accepted, variable, .. } = option;
    let mut text =
        format!("{key} = {default}\n    {}\n    {}.\n", meaning(option, doc), capital(accepted));
    text.push_str(&format!("    {variable}\n"));
    if !option.aliases.is_empty() {
        text.push_str(&format!("    Also: {}\n", option.aliases.join(", ")));
    }
    text
}

fn meaning(option: &Description, doc: &str) -> String {
    if option.foreign { format!("Centrifugo's key. {doc}") } else { doc.to_owned() }
}

fn doc_markdown(options: &[Description]) -> String {
    let mut text = String::from(
        "| Option | Type | Default | Accepted | Environment | Meaning |\n|---|---|---|---|---|---|\n",
    );
    for option in options {
        let Description { key, kind, default, accepted, variable, doc, .. } = option;
        let meaning = meaning(option, doc);
        let cells = [
            format!("`{key}`"),
            (*kind).to_owned(),
            format!("`{default}`"),
            accepted.clone(),
            format!("`{variable}`"),
            meaning,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn doc_json(options: &[Description]) -> String {
    let all: Vec<Value> = options
        .iter()
        .map(|option| {
            json!({
                "key": option.key,
                "type": option.kind,
                "default": option.default,
                "accepted": option.accepted,
                "environment": option.variable,
                "documentation": option.doc,
                "aliases": option.aliases,
                "secret": option.secret,
                "centrifugo": option.foreign,
            })
        })
        .collect();
    pretty(&Value::Array(all))
}

// === Example ===

/// A namespace as the example has it.
const CHAT: [(&str, &str); 5] = [
    ("name", "\"chat\""),
    ("history_size", "100"),
    ("history_ttl", "\"5m\""),
    ("force_recovery", "true"),
    ("allow_subscribe_for_client", "true"),
];
const CHAT_COMMENT: &str = "Each namespace has a name and any option of channel.without_namespace.";

/// Every option once, what belongs to one section together.
fn example(format: ExampleFormat) -> String {
    let options: Vec<Description> =
        describe().into_iter().filter(|one| !one.foreign && !one.key.contains("[]")).collect();
    let mut sections: Vec<&str> = options.iter().map(|one| top(&one.key)).collect();
    sections.dedup();
    let first = sections.iter().position(|one| *one == "channel");
    let mut ordered: Vec<&Description> = options.iter().collect();
    // The options of channels without namespace are described last and belong to `channel`.
    ordered
        .sort_by_key(|one| sections.iter().position(|section| *section == top(&one.key)).or(first));
    match format {
        ExampleFormat::Toml => example_toml(&ordered),
        ExampleFormat::Yaml => example_yaml(&ordered),
        ExampleFormat::Json => example_json(&ordered),
    }
}

fn top(key: &str) -> &str {
    key.split('.').next().unwrap_or(key)
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn example_toml(options: &[&Description]) -> String {
    let mut text = String::new();
    let mut section = "";
    for option in options {
        let (path, name) = split(&option.key);
        if path != section {
            text.push_str(&format!("{}[{path}]\n", if section.is_empty() { "" } else { "\n" }));
            section = path;
        }
        text.push_str(&comment("", option));
        text.push_str(&format!("{name} = {}\n", option.default));
    }
    text.push_str(&format!("\n# {CHAT_COMMENT}\n[[channel.namespaces]]\n"));
    for (name, value) in CHAT {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}

fn example_yaml(options: &[&Description]) -> String {
    let mut text = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut with_chat = false;
    for option in options {
        let (path, name) = split(&option.key);
        let path: Vec<&str> = path.split('.').collect();
        if with_chat && top(&option.key) != "channel" {
            text.push_str(&chat_yaml());
            with_chat = false;
        }
        let same = path.iter().zip(&open).take_while(|(one, other)| one == other).count();
        for (depth, part) in path.iter().enumerate().skip(same) {
            text.push_str(&format!("{}{part}:\n", "  ".repeat(depth)));
        }
        let indent = "  ".repeat(path.len());
        text.push_str(&comment(&indent, option));
        text.push_str(&format!("{indent}{name}: {}\n", option.default));
        with_chat |= path.first() == Some(&"channel");
        open = path;
    }
    if with_chat {
        text.push_str(&chat_yaml());
    }
    text
}

fn chat_yaml() -> String {
    let mut text = format!("  # {CHAT_COMMENT}\n  namespaces:\n");
    for (index, (name, value)) in CHAT.iter().enumerate() {
        let mark = if index == 0 { "-" } else { " " };
        text.push_str(&format!("    {mark} {name}: {value}\n"));
    }
    text
}

fn example_json(options: &[&Description]) -> String {
    let mut root = Map::new();
    for option in options {
        let (path, name) = split(&option.key);
        let table = path.split('.').fold(&mut root, |table, part| {
            let section = table.entry(part).or_insert_with(|| Value::Object(Map::new()));
            section.as_object_mut().expect("no option's key is the section of another")
        });
        table.insert(name.to_owned(), option.default.clone());
    }
    let chat: Map<String, Value> = CHAT
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.parse().expect("the example is JSON")))
        .collect();
    let channel = root.get_mut("channel").and_then(Value::as_object_mut);
    channel.expect("channel has options").insert("namespaces".to_owned(), json!([chat]));
    pretty(&Value::Object(root))
}

/// Meaning and range as comments of bounded width.
fn comment(indent: &str, option: &Description) -> String {
    const WIDTH: usize = 100;
    // What a switch takes can be seen, and what a listener that is off takes is off.
    let words = match option.accepted.as_str() {
        "true or false" | "\"off\"" => option.doc.to_owned(),
        accepted => format!("{} {}.", option.doc, capital(accepted)),
    };
    let mut text = String::new();
    let mut line = format!("{indent}#");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = format!("{indent}#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text + &line + "\n"
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests;
