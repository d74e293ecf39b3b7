//! The table of options in words, for documentation and examples.

use serde_json::Value;

use crate::config::centrifugo::FOREIGN;
use crate::config::namespace::NAMESPACE;
use crate::config::options::OPTIONS;
use crate::config::source::{NAMESPACES, WITHOUT, join, variable};
use crate::config::table::Row;

/// One option in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) key: String,
    /// The type in a word or two.
    pub(crate) kind: &'static str,
    /// The default as it would stand in a file.
    pub(crate) default: Value,
    /// Ranges and choices, to follow "must be".
    pub(crate) accepted: String,
    /// The environment variable that sets it.
    pub(crate) variable: String,
    pub(crate) doc: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) secret: bool,
    /// One of Centrifugo's keys that stands for one or several of ours.
    pub(crate) foreign: bool,
}

/// Every option in the table's order: those of a node, those of the channels without namespace,
/// which every namespace has too, and Centrifugo's.
pub(crate) fn describe() -> Vec<Description> {
    let node = OPTIONS.iter().map(|row| of(row, "", false));
    let channels = NAMESPACE.iter().map(|row| {
        // The name is what a namespace has and the channels without one have not.
        if row.key == "name" {
            let variable = variable(NAMESPACES);
            Description { variable, ..of(row, &format!("{NAMESPACES}[]"), false) }
        } else {
            of(row, WITHOUT, false)
        }
    });
    let foreign = FOREIGN.iter().map(|row| of(row, "", true));
    node.chain(channels).chain(foreign).collect()
}

fn of<T>(row: &Row<T>, path: &str, foreign: bool) -> Description {
    let key = join(path, row.key);
    Description {
        kind: row.kind.name(),
        default: row.default_value(),
        accepted: row.kind.accepted(),
        variable: variable(&key),
        doc: row.doc,
        aliases: row.aliases,
        secret: row.secret,
        foreign,
        key,
    }
}
