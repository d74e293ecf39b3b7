//! Who names whom: the layer table, the purity of the pure layers, and queues without a bound.

use std::collections::BTreeSet;

use crate::path::named;
use crate::source::{SourceFile, Sources};
use crate::{EVERY, Finding};

/// Paths out of a layer that its row does not allow, layers without a row and rows without a layer.
/// The crate's roots declare the layers and may name them all; tests may name anything.
pub(crate) fn arrows(files: &Sources, table: &[(&str, &[&str])]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files.values() {
        let Some(layer) = file.layer() else { continue };
        let row = table.iter().find(|(name, _)| *name == layer);
        if seen.insert(layer) && row.is_none() {
            findings.push(Finding::new(&file.path, 0, format!("{layer} has no row in LAYERS")));
        }
        let Some((_, allowed)) = row else { continue };
        for path in named(file).iter().filter(|path| !path.test && path.segments[0] == "crate") {
            let Some(target) = path.segments.get(1) else {
                findings.push(Finding::new(&file.path, path.line, "import layers, not the crate"));
                continue;
            };
            let known = table.iter().any(|(name, _)| name == target);
            let open = allowed.contains(&target.as_str()) || (known && allowed.contains(&EVERY));
            if target != layer && !open {
                let rule = format!("{layer} must not name {} (LAYERS in tests/tidy)", path.text());
                findings.push(Finding::new(&file.path, path.line, rule));
            }
        }
    }
    let stale = table.iter().map(|(name, _)| *name).filter(|name| !seen.contains(name));
    findings.extend(stale.map(|name| Finding::new("src", 0, format!("no layer {name}"))));
    findings
}

/// What pure layers name and must not, and async in them.
pub(crate) fn impurities(files: &Sources, pure: &[&str], impure: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values() {
        let Some(layer) = file.layer().filter(|layer| pure.contains(layer)) else { continue };
        for (line, path) in names_of(file, impure) {
            let rule = format!("{layer} is pure and must not name {path}");
            findings.push(Finding::new(&file.path, line, rule));
        }
        for token in file.product().map(|at| &file.tokens[at]) {
            if token.is("async") || token.is("await") {
                let rule = format!("{layer} is pure and must not be {}", token.text);
                findings.push(Finding::new(&file.path, token.line, rule));
            }
        }
    }
    findings
}

/// Queues that grow without end.
pub(crate) fn unbounded(files: &Sources, queues: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values().filter(|file| file.is_product()) {
        for (line, path) in names_of(file, queues) {
            findings.push(Finding::new(&file.path, line, format!("{path} has no bound")));
        }
        for token in file.product().map(|at| &file.tokens[at]) {
            // `Bound::Unbounded` is the open end of a range.
            let word = &token.text;
            if word == "unbounded" || word.starts_with("unbounded_") || is_half(&token.text) {
                let rule = format!("{} has no bound", token.text);
                findings.push(Finding::new(&file.path, token.line, rule));
            }
        }
    }
    findings
}

fn is_half(word: &str) -> bool {
    matches!(word, "UnboundedSender" | "UnboundedReceiver")
}

/// Where product code names one of these paths or something within, or takes in a glob that has it.
fn names_of(file: &SourceFile, banned: &[&str]) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    for path in named(file).into_iter().filter(|path| !path.test) {
        let text = path.text();
        let hit = |banned: &&str| match text.strip_suffix("::*") {
            Some(parent) => is_within(banned, parent) || is_within(parent, banned),
            None => is_within(&text, banned),
        };
        if banned.iter().any(hit) {
            found.insert((path.line, text));
        }
    }
    found
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    const TABLE: &[(&str, &[&str])] =
        &[("base", &[]), ("hub", &["base"]), ("session", &["base"]), ("cli", &[EVERY])];

    fn check(findings: &[Finding], expected: &[&str]) {
        let found: Vec<_> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected);
    }

    /// Plants `hub` into a project whose layers are those of the table.
    fn plant(hub: &'static str) -> Sources {
        sources([
            ("src/lib.rs", "mod base; mod hub; mod session; mod cli;"),
            ("src/base.rs", ""),
            ("src/hub/mod.rs", "mod lane;"),
            ("src/hub/lane.rs", hub),
            ("src/session.rs", ""),
            ("src/cli.rs", "use crate::{base, session::Session};"),
        ])
    }

    fn check_arrows(hub: &'static str, expected: &[&str]) {
        check(&arrows(&plant(hub), TABLE), expected);
    }

    #[test]
    fn an_arrow_that_the_table_lacks_is_found() {
        let rule = |line: usize, path: &str| {
            format!("src/hub/lane.rs:{line}: hub must not name {path} (LAYERS in tests/tidy)")
        };
        let session = rule(2, "crate::session::Session");
        check_arrows("use crate::{\nbase::Id, session::Session};", &[&session]);
        check_arrows("fn a() {\n crate::session::Session }", &[&session]);
        check_arrows("\nuse super::super::session::Session;", &[&session]);
        check_arrows("mod a {\nuse super::super::super::session::Session; }", &[&session]);
        check_arrows("fn a(b:\n &dyn crate::session::Session) {}", &[&session]);
        check_arrows("macro_rules! a { () => {\n $crate::session::Session } }", &[&session]);
        check_arrows("\n\npub(crate) use crate::cli;", &[&rule(3, "crate::cli")]);
        check_arrows("use crate::*;", &[&rule(1, "crate::*")]);
        check_arrows("use crate as all;", &["src/hub/lane.rs:1: import layers, not the crate"]);
    }

    #[test]
    fn what_the_table_allows_and_what_is_no_code_is_not_found() {
        check_arrows("use crate::base::Id; use super::Hub; use crate::hub::Lane;", &[]);
        check_arrows("// use crate::session;\nconst A: &str = \"crate::session::B\";", &[]);
        check_arrows("#[cfg(test)] mod tests { use crate::session::Session; }", &[]);
        check_arrows("pub(crate) struct A; pub(super) struct B; pub(in crate::hub) struct C;", &[]);
    }

    #[test]
    fn table_and_layers_must_agree() {
        let files = sources([("src/lib.rs", "mod hub;"), ("src/geo/mod.rs", "")]);
        check(
            &arrows(&files, &[("hub", &[])]),
            &["src/geo/mod.rs: geo has no row in LAYERS", "src: no layer hub"],
        );
    }

    fn check_purity(hub: &'static str, expected: &[&str]) {
        let impure = ["tokio", "std::net", "std::time::Instant"];
        check(&impurities(&plant(hub), &["hub"], &impure), expected);
    }

    #[test]
    fn impurities_are_found() {
        let rule = |path: &str| format!("src/hub/lane.rs:1: hub is pure and must not {path}");
        check_purity("use tokio::sync::{mpsc};", &[&rule("name tokio::sync::mpsc")]);
        check_purity("use tokio;", &[&rule("name tokio")]);
        check_purity("use std::{fmt, time::Instant};", &[&rule("name std::time::Instant")]);
        check_purity(
            "use std::time::{self, Duration}; fn a() { time::Instant::now() }",
            &[&rule("name std::time::Instant::now")],
        );
        check_purity("use std::time::*;", &[&rule("name std::time::*")]);
        check_purity("fn a(b: ::std::net::IpAddr) {}", &[&rule("name std::net::IpAddr")]);
        check_purity("async fn a() { b.await }", &[&rule("be async"), &rule("be await")]);
    }

    #[test]
    fn pure_code_is_not_found() {
        check_purity("use std::time::Duration; use tracing::debug; use std::fmt::*;", &[]);
        check_purity("// tokio::spawn\n#[tokio::test] async fn a() { tokio::spawn(b).await }", &[]);
        check_purity("fn a(rand: u64) { rand.tokio() }", &[]);
    }

    #[test]
    fn queues_without_bound_are_found() {
        let found = |text| unbounded(&plant(text), &["std::sync::mpsc::channel"]);
        let rule = |path: &str| format!("src/hub/lane.rs:1: {path} has no bound");
        check(
            &found("use std::sync::mpsc; fn a() { mpsc::channel() }"),
            &[&rule("std::sync::mpsc::channel")],
        );
        check(
            &found("fn a() { tokio::sync::mpsc::unbounded_channel() }"),
            &[&rule("unbounded_channel")],
        );
        check(&found("use crossbeam_channel::unbounded;"), &[&rule("unbounded")]);
        check(&found("struct A(mpsc::UnboundedSender<B>);"), &[&rule("UnboundedSender")]);
        check(&found("use tokio::sync::mpsc; fn a() { mpsc::channel(4) }"), &[]);
    }
}
