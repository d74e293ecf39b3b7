//! The documents: the map of the code shows what is there, decisions are in order, and no file
//! tells of the machine on which it was made.

use std::collections::BTreeSet;

use crate::source::{SourceFile, Sources};
use crate::{Finding, Texts};

const MAP: &str = "docs/architecture.md";
const DECISIONS: &str = "docs/decisions/";

/// The layer table of the map and ours must be one, and every layer must be in it.
pub(crate) fn map(files: &Sources, table: &[(&str, &[&str])], texts: &Texts) -> Vec<Finding> {
    let Some((_, text)) = texts.iter().find(|(path, _)| path == MAP) else {
        return vec![Finding::new(MAP, 0, "the map of the code is missing")];
    };
    let mut findings = Vec::new();
    let layers: BTreeSet<&str> = files.values().filter_map(SourceFile::layer).collect();
    let rows: Vec<_> = text.lines().enumerate().filter_map(|(at, line)| row(at, line)).collect();
    for layer in &layers {
        if !rows.iter().any(|(_, names, _)| names.contains(layer)) {
            findings.push(Finding::new(MAP, 0, format!("the layer table has no row for {layer}")));
        }
    }
    for (at, names, shown) in rows {
        for name in names.iter().filter(|name| layers.contains(*name)) {
            let allowed = table.iter().find(|(layer, _)| layer == name).map(|(_, allowed)| allowed);
            let allowed: BTreeSet<&str> = allowed.into_iter().copied().flatten().copied().collect();
            if allowed != shown {
                let rule = format!("shows {shown:?} for {name}, LAYERS in tests/tidy {allowed:?}");
                findings.push(Finding::new(MAP, at, rule));
            }
        }
    }
    findings
}

/// `| layer, layer | may name | … |`.
fn row(at: usize, line: &str) -> Option<(usize, Vec<&str>, BTreeSet<&str>)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let names = cells.next()?.split(',').map(|name| name.trim().trim_matches('`')).collect();
    let shown = cells.next()?.split(',').map(|name| name.trim().trim_matches('`'));
    Some((at + 1, names, shown.filter(|name| !matches!(*name, "" | "–")).collect()))
}

/// Records are numbered from 1 without gap, and each begins with its number and title.
pub(crate) fn decisions(texts: &Texts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let records = texts.iter().filter(|(path, _)| path.starts_with(DECISIONS));
    for (at, (path, text)) in records.enumerate() {
        let number = format!("{:04}", at + 1);
        let name = &path[DECISIONS.len()..];
        if !name.starts_with(&format!("{number}-")) {
            findings.push(Finding::new(path, 0, format!("the next decision's number is {number}")));
        }
        let title =
            text.lines().next().and_then(|line| line.strip_prefix(&format!("# {number}: ")));
        if title.is_none_or(str::is_empty) {
            findings.push(Finding::new(path, 1, format!("must begin with `# {number}: title`")));
        }
    }
    findings
}

/// Documents that source or documents name by path and that are not there.
pub(crate) fn dead_references(texts: &Texts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = |path: &str| path.starts_with("src/") || path.ends_with(".md");
    for (path, text) in texts.iter().filter(|(path, _)| sources(path)) {
        for (at, line) in text.lines().enumerate() {
            for (start, _) in line.match_indices("docs/") {
                let rest = &line[start..];
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/-_.".contains(c)));
                let named = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
                let there = texts.iter().any(|(path, _)| path == named);
                if named.ends_with(".md") && !there {
                    findings.push(Finding::new(path, at + 1, format!("there is no {named}")));
                }
            }
        }
    }
    findings
}

/// Folders of the machines that build; in parts, so that this file does not hold them.
const FOLDERS: &[&str] = &[concat!("/", "work/"), concat!("/", "tmp/trees"), concat!("/", "root/")];

/// How tools write down where packages came from. The index that cargo writes into every lock file
/// is the public one's name and no host that was asked.
const REGISTRIES: &[&str] = &[
    concat!("\"resolved\": ", "\"http"),
    concat!("index", "-url"),
    concat!("registry", "=http"),
    concat!("registry", "+http"),
    concat!("sparse", "+http"),
];
const PUBLIC_INDEX: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Lines that tell on which machine, or from which registry, a file was made.
pub(crate) fn traces(texts: &Texts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in texts {
        for (at, line) in text.lines().enumerate() {
            if FOLDERS.iter().any(|folder| has_path(line, folder)) {
                findings.push(Finding::new(path, at + 1, "names a folder of a build machine"));
            }
            let line = line.replace(PUBLIC_INDEX, "");
            if REGISTRIES.iter().any(|mark| line.contains(mark)) {
                findings.push(Finding::new(path, at + 1, "names the host of a registry"));
            }
        }
    }
    findings
}

/// Whether an absolute path begins so: what goes before is no part of a path or of an address.
fn has_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn texts(all: &[(&str, &str)]) -> Texts {
        all.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[track_caller]
    fn check(findings: &[Finding], expected: &[&str]) {
        let found: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_map_that_differs_from_the_code_is_found() {
        let files = sources([("src/hub.rs", ""), ("src/base.rs", "")]);
        let table: &[(&str, &[&str])] = &[("base", &[]), ("hub", &["base"])];
        let found = |text| map(&files, table, &texts(&[(MAP, text)]));
        check(&found("| base | – |\n| `hub` | base | never geo |"), &[]);
        check(
            &found("base, hub\n| base | – |"),
            &[&format!("{MAP}: the layer table has no row for hub")],
        );
        let rule = "shows {} for hub, LAYERS in tests/tidy {\"base\"}";
        check(&found("| base, hub | – |"), &[&format!("{MAP}:1: {rule}")]);
        check(
            &map(&files, table, &Texts::new()),
            &[&format!("{MAP}: the map of the code is missing")],
        );
    }

    #[test]
    fn decisions_out_of_order_or_without_title_are_found() {
        let (a, b) = ("docs/decisions/0001-a.md", "docs/decisions/0002-b.md");
        check(&decisions(&texts(&[(a, "# 0001: A\n"), (b, "# 0002: B")])), &[]);
        check(
            &decisions(&texts(&[(b, "# 0001: B")])),
            &[&format!("{b}: the next decision's number is 0001")],
        );
        check(
            &decisions(&texts(&[(a, "# 0001: ")])),
            &[&format!("{a}:1: must begin with `# 0001: title`")],
        );
    }

    #[test]
    fn a_document_that_is_named_and_missing_is_found() {
        let (a, b) = ("docs/a.md", "src/b.rs");
        check(&dead_references(&texts(&[(a, "see docs/a.md."), (b, "//! `docs/a.md`")])), &[]);
        check(
            &dead_references(&texts(&[(a, ""), (b, "\n// docs/c/d.md: why")])),
            &["src/b.rs:2: there is no docs/c/d.md"],
        );
    }

    #[test]
    fn traces_of_a_machine_are_found() {
        let folder = "a:1: names a folder of a build machine";
        for path in FOLDERS {
            check(&traces(&texts(&[("a", &format!("see {path}x"))])), &[folder]);
            check(&traces(&texts(&[("a", &format!("\"{path}x\""))])), &[folder]);
            check(&traces(&texts(&[("a", &format!("https://example.com{path}"))])), &[]);
        }
        let registry = "a:1: names the host of a registry";
        for mark in REGISTRIES {
            check(&traces(&texts(&[("a", &format!("{mark}s://example.com"))])), &[registry]);
        }
        check(&traces(&texts(&[("a", &format!("source = \"{PUBLIC_INDEX}\""))])), &[]);
    }
}
