//! Words that hide something: unfinished code, tests that do not run, lints that are silenced.

use crate::Finding;
use crate::source::{SourceFile, Sources};
use crate::token::attribute_at;

pub(crate) fn forbidden(files: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values() {
        for at in 0..file.tokens.len() {
            if let Some(rule) = rule_against(file, at) {
                findings.push(Finding::new(&file.path, file.tokens[at].line, rule));
            }
        }
    }
    findings
}

fn rule_against(file: &SourceFile, at: usize) -> Option<&'static str> {
    let tokens = &file.tokens;
    let is = |ahead: usize, text: &str| tokens.get(at + ahead).is_some_and(|token| token.is(text));
    if let Some(attribute) = attribute_at(tokens, at) {
        let ignored = attribute.first() == Some(&"ignore");
        let allowed = attribute.windows(2).any(|pair| pair == ["allow", "("]);
        return match (ignored, allowed) {
            (true, _) => Some("a test that does not run is deleted"),
            (_, true) => Some("expect a lint with a reason, do not allow it"),
            (false, false) => None,
        };
    }
    let product = file.is_product() && !tokens[at].test;
    if product && is(0, ".") && is(1, "unwrap") && is(2, "(") {
        return Some("unwrap: say with expect why it cannot fail, or return the error");
    }
    if !is(1, "!") {
        return None;
    }
    match tokens[at].text.as_str() {
        "todo" | "unimplemented" => Some("unfinished"),
        "dbg" => Some("dbg! is for the desk"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let found = forbidden(&sources([(path, text)]));
        let found: Vec<_> = found.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        let same = found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
        assert!(same, "{text}: {found:?}");
    }

    #[test]
    fn hidden_things_are_found() {
        check("src/lib.rs", "fn a() { todo!() } fn b() { unimplemented!() }", &["unfin", "unfin"]);
        check("tests/a.rs", "fn a() { dbg!(b) }", &["dbg"]);
        check("tests/a.rs", "#[test] #[ignore = \"slow\"] fn a() {}", &["a test"]);
        check("src/lib.rs", "fn a() {\n b.unwrap() }", &["unwrap"]);
        check("src/lib.rs", "#[allow(dead_code)] struct A;", &["expect"]);
        check("src/lib.rs", "#![allow(dead_code)]", &["expect"]);
        check("src/lib.rs", "#[cfg_attr(test, allow(dead_code))] struct A;", &["expect"]);
    }

    #[test]
    fn what_only_looks_like_it_is_not_found() {
        check("src/lib.rs", "// todo!()\nfn a() { \"dbg!(b)\"; b.unwrap_or(c); allow(d) }", &[]);
        check("src/lib.rs", "#[cfg(test)] mod tests { fn a() { b.unwrap() } }", &[]);
        check("tests/a.rs", "fn a() { b.unwrap() }", &[]);
        check("src/lib.rs", "#[expect(dead_code, reason = \"allow(\")] struct A;", &[]);
    }
}
