//! Holds the source tree to what `docs/architecture.md` says of it: which layer may name which, what
//! pure code never touches, how long a function may be. Each check is in a module of its own, takes
//! the files as an argument and is tried there on planted faults. What may be decided differently
//! is the tables below.

mod asserts;
mod docs;
mod layers;
mod locks;
mod options;
mod path;
mod shape;
mod source;
mod token;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use locks::Lock;
use options::Options;
use source::Sources;

/// What a layer may name besides itself. `docs/architecture.md` shows the same table; why it is
/// kept is decision 0001.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("geo", &["base"]),
    ("channel", &["base", "geo"]),
    ("protocol", &["base"]),
    ("access", &["base", "channel", "geo"]),
    ("hub", &["base", "channel", "geo"]),
    ("session", &["access", "base", "channel", "geo", "protocol"]),
    ("clock", &["base"]),
    ("telemetry", &["base"]),
    ("engine", &["base", "channel", "geo", "telemetry"]),
    ("hooks", &["base", "clock", "telemetry"]),
    ("transport", &["base", "telemetry"]),
    ("node", NODE),
    ("server", SERVER),
    ("client", &["base", "protocol"]),
    ("internals", &["base", "channel", "geo", "hub"]),
    ("config", CONFIG),
    ("cli", &[EVERY]),
];

const NODE: &[&str] = &[
    "access",
    "base",
    "channel",
    "clock",
    "engine",
    "geo",
    "hooks",
    "hub",
    "protocol",
    "session",
    "telemetry",
    "transport",
];

const SERVER: &[&str] = &[
    "access",
    "base",
    "channel",
    "clock",
    "engine",
    "geo",
    "hooks",
    "hub",
    "node",
    "protocol",
    "session",
    "telemetry",
    "transport",
];

/// Builds the options of every other layer.
const CONFIG: &[&str] = &[
    "access",
    "base",
    "channel",
    "client",
    "clock",
    "engine",
    "geo",
    "hooks",
    "hub",
    "node",
    "protocol",
    "server",
    "session",
    "telemetry",
    "transport",
];

/// In [`LAYERS`]: all other layers.
const EVERY: &str = "all";

/// Layers without IO, clock, randomness and async.
const PURE: &[&str] = &["base", "geo", "channel", "protocol", "access", "hub", "session"];

/// What those never name. A `Duration` is a value and no clock.
const IMPURE: &[&str] = &[
    "axum",
    "getrandom",
    "hyper",
    "rand",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tokio_util",
];

/// Queues without a bound.
const UNBOUNDED: &[&str] = &["std::sync::mpsc::channel"];

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Every lock that is shared between tasks, and the decision that says why it is one.
const LOCKS: &[Lock] = &[
    Lock { file: "src/node/mailbox.rs", count: 1, decision: "0002-mailbox.md" },
    Lock {
        file: "src/engine/memory/mod.rs",
        count: 1,
        decision: "0003-memory-engine-partition-locks.md",
    },
    Lock {
        file: "src/engine/memory/presence.rs",
        count: 1,
        decision: "0003-memory-engine-partition-locks.md",
    },
];

/// The structs that operators fill by configuration.
const OPTIONS: &[Options] = &[
    Options { file: "src/session/options.rs", structs: &["SessionOptions", "PersonalChannel"] },
    Options { file: "src/engine/options.rs", structs: &["MemoryOptions"] },
    Options {
        file: "src/server/options.rs",
        structs: &["ServerOptions", "TlsFiles", "ApiOptions", "WebSocketOptions"],
    },
    Options { file: "src/channel/namespace.rs", structs: &["NamespaceOptions", "Grants", "Allow"] },
    Options { file: "src/channel/geo.rs", structs: &["GeoOptions"] },
    Options { file: "src/hooks/options.rs", structs: &["WebhookOptions"] },
    Options { file: "src/channel/name.rs", structs: &["ChannelRules"] },
    Options { file: "src/access/token/mod.rs", structs: &["TokenOptions"] },
    Options { file: "src/node/mod.rs", structs: &["NodeOptions"] },
    Options { file: "src/config/mod.rs", structs: &["Config"] },
    Options { file: "src/config/options.rs", structs: &["NodeOptions", "LogOptions"] },
];

/// Something that is against a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// 0 where it is about the file as a whole.
    line: usize,
    rule: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule: rule.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.rule),
            line => write!(f, "{}:{line}: {}", self.path, self.rule),
        }
    }
}

// === The project ===

/// The text files of the project, by path.
type Texts = Vec<(String, String)>;

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored =
        fs::read_to_string(root.join(".gitignore")).expect("the project has a .gitignore");
    let mut texts = Texts::new();
    read(root, "", &ignored.lines().collect::<Vec<_>>(), &mut texts);
    texts.sort();
    texts
});

static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    source::sources(TEXTS.iter().filter(|(path, _)| path.ends_with(".rs")).cloned())
});

fn read(root: &Path, folder: &str, ignored: &[&str], texts: &mut Texts) {
    let entries = fs::read_dir(root.join(folder)).expect("the project can be read");
    for entry in entries {
        let entry = entry.expect("the project can be read");
        let name = entry.file_name().into_string().expect("names of files are UTF-8");
        if name == ".git" || ignored.iter().any(|line| line.trim_matches('/') == name) {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type().expect("a file has a type").is_dir() {
            read(root, &path, ignored, texts);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            texts.push((path, text));
        }
    }
}

#[track_caller]
fn assert_tidy(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn the_project_is_found() {
    assert!(SOURCES.contains_key("src/lib.rs") && SOURCES.contains_key("tests/tidy/main.rs"));
    assert!(TEXTS.iter().any(|(path, _)| path == "docs/architecture.md"));
}

#[test]
fn layers_name_only_what_the_table_lets_them() {
    assert_tidy(&layers::arrows(&SOURCES, LAYERS));
}

#[test]
fn pure_layers_stay_pure() {
    assert_tidy(&layers::impurities(&SOURCES, PURE, IMPURE));
}

#[test]
fn every_queue_is_bounded() {
    assert_tidy(&layers::unbounded(&SOURCES, UNBOUNDED));
}

#[test]
fn files_are_short() {
    assert_tidy(&shape::long_files(&SOURCES, FILE_LINES));
}

#[test]
fn functions_are_short() {
    assert_tidy(&shape::long_functions(&SOURCES, FUNCTION_LINES));
}

#[test]
fn every_file_is_a_module() {
    assert_tidy(&shape::orphans(&SOURCES));
}

#[test]
fn tests_assert() {
    assert_tidy(&asserts::idle_tests(&SOURCES));
}

/// Two would have two ideas of what is safe, and rustls panics where it has to choose.
#[test]
fn there_is_one_crypto_provider() {
    let lock = include_str!("../../Cargo.lock");
    assert!(lock.contains("name = \"ring\""));
    for other in ["aws-lc-rs", "aws-lc-sys", "rustls-openssl", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{other}\"")), "{other} is in the tree");
    }
}

#[test]
fn shared_locks_are_decided() {
    assert_tidy(&locks::undecided(&SOURCES, LOCKS, &TEXTS));
}

#[test]
fn options_have_readers() {
    assert_tidy(&options::unread(&SOURCES, OPTIONS));
}

#[test]
fn nothing_is_left_to_do_or_hidden() {
    assert_tidy(&words::forbidden(&SOURCES));
}

#[test]
fn the_map_shows_the_layers_that_are() {
    assert_tidy(&docs::map(&SOURCES, LAYERS, &TEXTS));
}

#[test]
fn decisions_are_numbered_and_titled() {
    assert_tidy(&docs::decisions(&TEXTS));
}

#[test]
fn documents_that_are_named_exist() {
    assert_tidy(&docs::dead_references(&TEXTS));
}

#[test]
fn files_do_not_tell_where_they_were_made() {
    assert_tidy(&docs::traces(&TEXTS));
}
