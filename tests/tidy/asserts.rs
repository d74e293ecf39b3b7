//! Tests that cannot fail: no assertion in their body, nor in a helper that they call.

use std::collections::HashSet;

use crate::Finding;
use crate::shape::{Function, functions};
use crate::source::{SourceFile, Sources};
use crate::token::{Token, attribute_at, is_test};

pub(crate) fn idle_tests(files: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values() {
        let helpers = asserting(files.values().filter(|other| is_near(file, other)));
        for (test, panics) in tests(file) {
            if !panics && !asserts(file, &test, &helpers) {
                let rule = format!("the test {} asserts nothing", test.name);
                findings.push(Finding::new(&file.path, file.tokens[test.at].line, rule));
            }
        }
    }
    findings
}

/// Whether helpers of the one are helpers of the other: both in one layer, or one test crate.
fn is_near(file: &SourceFile, other: &SourceFile) -> bool {
    let home = |path: &str| path.split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    home(&file.path) == home(&other.path)
}

/// Names of the test code's functions that assert, by themselves or through another of them.
fn asserting<'a>(files: impl Iterator<Item = &'a SourceFile>) -> HashSet<&'a str> {
    let helpers: Vec<(&SourceFile, Function<'_>)> = files
        .flat_map(|file| functions(file).into_iter().map(move |function| (file, function)))
        .filter(|(file, function)| file.tokens[function.at].test)
        .collect();
    let mut names = HashSet::new();
    loop {
        let before = names.len();
        for (file, function) in &helpers {
            if asserts(file, function, &names) {
                names.insert(function.name);
            }
        }
        if names.len() == before {
            return names;
        }
    }
}

fn asserts(file: &SourceFile, function: &Function<'_>, helpers: &HashSet<&str>) -> bool {
    let body = &file.tokens[function.open..function.close];
    body.windows(2).any(|pair| is_assertion(&pair[0], &pair[1], helpers))
}

fn is_assertion(token: &Token, next: &Token, helpers: &HashSet<&str>) -> bool {
    let word = token.text.as_str();
    let asserts = ["assert", "prop_assert"].iter().any(|start| word.starts_with(start));
    if next.is("!") {
        return asserts || matches!(word, "panic" | "unreachable" | "expect");
    }
    let call = next.is("(") || next.is("::");
    call && (asserts
        || matches!(word, "check" | "unwrap_err" | "expect_err")
        || helpers.contains(word))
}

/// The test functions, and whether each has to panic.
fn tests(file: &SourceFile) -> Vec<(Function<'_>, bool)> {
    let mut attributes: Vec<(usize, bool)> = Vec::new();
    for at in 0..file.tokens.len() {
        match attribute_at(&file.tokens, at) {
            Some(attribute) if is_test(&attribute) => attributes.push((at, false)),
            Some(attribute) if attribute.first() == Some(&"should_panic") => {
                attributes.push((at, true));
            }
            _ => {}
        }
    }
    let all = functions(file);
    let mut before = 0;
    let mut found = Vec::new();
    for function in all {
        let own = attributes.iter().filter(|(at, _)| (before..function.at).contains(at));
        let (mut test, mut panics) = (false, false);
        for (_, should_panic) in own {
            test |= !should_panic;
            panics |= should_panic;
        }
        before = function.at;
        if test {
            found.push((function, panics));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn check(text: &str, expected: &[&str]) {
        let support = "pub fn verify() { inner() } fn inner() { assert!(true) }";
        let files = sources([
            ("src/lib.rs", "mod hub;"),
            ("src/hub/mod.rs", "mod lane; #[cfg(test)] mod support; fn ours() { assert!(true) }"),
            ("src/hub/lane.rs", text),
            ("src/hub/support.rs", support),
        ]);
        let found: Vec<_> = idle_tests(&files).iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_test_that_cannot_fail_is_found() {
        let rule = |line: usize| format!("src/hub/lane.rs:{line}: the test a asserts nothing");
        check("#[test] fn a() { let b = c(); }", &[&rule(1)]);
        check("#[tokio::test]\nasync fn a() { b().await; }", &[&rule(2)]);
        check("#[test] fn a() { // assert!(b)\n \"assert!(b)\"; }", &[&rule(1)]);
        check("#[test] fn a() { ours(); helper() } #[cfg(test)] fn helper() {}", &[&rule(1)]);
        check("proptest! { #[test] fn a(b in c()) { d(b); } }", &[&rule(1)]);
        check("#[should_panic] #[test] fn b() {} #[test] fn a() {}", &[&rule(1)]);
        check("#[test] fn b() { assert!(c) } #[test] fn a() {}", &[&rule(1)]);
    }

    #[test]
    fn a_test_that_can_fail_is_not_found() {
        check("#[test] fn a() { assert_eq!(b, c) }", &[]);
        check("#[test] fn a() { if b { panic!() } }", &[]);
        check("#[test] fn a() { b.unwrap_err(); }", &[]);
        check("proptest! { #[test] fn a(b in c()) { prop_assert!(b) } }", &[]);
        check("#[test] fn a() { verify() }", &[]);
        check("#[test] #[should_panic(expected = \"b\")] fn a() { c() }", &[]);
        check("fn a() {} #[cfg(test)] fn b() {}", &[]);
    }
}
