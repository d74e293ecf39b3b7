//! The paths that a file names: `use` trees leaf by leaf, and paths in the code, both from the root
//! of what they name.

use std::collections::HashMap;

use crate::source::{SourceFile, enclosing_modules};
use crate::token::{Kind, Token};

/// A path as the compiler would resolve it, as far as one file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Begins with `crate` for our own; a last `*` is a glob.
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    pub(crate) test: bool,
}

impl Named {
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// One leaf of a `use` tree.
#[derive(Debug)]
struct Leaf {
    segments: Vec<String>,
    alias: String,
    line: usize,
}

/// Every path of two or more segments that the file names, and every single name that it imports.
pub(crate) fn named(file: &SourceFile) -> Vec<Named> {
    let tokens = &file.tokens;
    let mut found = Vec::new();
    let mut inline = Vec::new();
    let mut aliases = HashMap::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_use = tokens[at].is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<"));
        if is_use {
            let mut leaves = Vec::new();
            let end = use_tree(tokens, at + 1, &[], &mut leaves);
            for leaf in leaves {
                let segments = absolute(file, at, leaf.segments);
                aliases.insert(leaf.alias, segments.clone());
                let test = tokens[at].test;
                found.push(Named { segments, line: leaf.line, test });
            }
            at = end;
        } else if starts_path(tokens, at) {
            let (segments, end) = words(tokens, at);
            inline.push((at, segments));
            at = end;
        } else {
            at += 1;
        }
    }
    for (at, segments) in inline.into_iter().filter(|(_, segments)| segments.len() > 1) {
        let mut segments = absolute(file, at, segments);
        if let Some(alias) = aliases.get(&segments[0]) {
            // Our own modules are judged where they are imported.
            if alias[0] == "crate" {
                continue;
            }
            segments.splice(..1, alias.iter().cloned());
        }
        let (line, test) = (tokens[at].line, tokens[at].test);
        found.push(Named { segments, line, test });
    }
    found
}

fn starts_path(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| &tokens[at]);
    let after_path = before(1).is_some_and(|token| token.is("::"))
        && before(2).is_some_and(|token| token.kind == Kind::Word || token.is(">"));
    let after_mark = before(1).is_some_and(|token| token.is(".") || token.is("'"));
    tokens[at].kind == Kind::Word && !after_path && !after_mark
}

/// `a::b::c` and the position after it.
fn words(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut segments = vec![tokens[at].text.clone()];
    at += 1;
    while tokens.get(at).is_some_and(|token| token.is("::"))
        && tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Word)
    {
        segments.push(tokens[at + 1].text.clone());
        at += 2;
    }
    (segments, at)
}

/// Reads `a::{self, b as c, d::*}` to its end; the position after it.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], leaves: &mut Vec<Leaf>) -> usize {
    let mut segments = prefix.to_vec();
    while at < tokens.len() {
        let token = &tokens[at];
        let mut leaf = |segments: Vec<String>, alias: &str| {
            leaves.push(Leaf { segments, alias: alias.to_owned(), line: token.line });
        };
        match token.text.as_str() {
            "::" | "$" => at += 1,
            "{" => {
                let end = token.mate;
                at += 1;
                while at < end {
                    at = use_tree(tokens, at, &segments, leaves);
                    at += usize::from(tokens[at].is(","));
                }
                return end + 1;
            }
            "*" => {
                segments.push("*".to_owned());
                leaf(segments, "*");
                return at + 1;
            }
            _ if token.kind != Kind::Word => return at + usize::from(token.is(";")),
            word => {
                // `a::{self}` names `a`.
                if word != "self" || segments.is_empty() {
                    segments.push(word.to_owned());
                }
                at += 1;
                let more = tokens.get(at).is_some_and(|next| next.is("::"));
                let renamed = tokens.get(at).is_some_and(|next| next.is("as"));
                if renamed {
                    let alias = tokens[at + 1].text.clone();
                    leaf(segments, &alias);
                    return at + 2;
                }
                if !more {
                    let last = segments.last().cloned().unwrap_or_default();
                    leaf(segments, &last);
                    return at;
                }
            }
        }
    }
    at
}

/// Resolves `self` and `super` by where the file and the token lie.
fn absolute(file: &SourceFile, at: usize, segments: Vec<String>) -> Vec<String> {
    let relative = segments.iter().take_while(|word| matches!(&***word, "self" | "super")).count();
    if relative == 0 {
        return segments;
    }
    let mut module = file.module.clone();
    module.extend(enclosing_modules(&file.tokens, at));
    for word in &segments[..relative] {
        if word == "super" {
            module.pop();
        }
    }
    let from_root = ["crate".to_owned()].into_iter().chain(module);
    from_root.chain(segments.into_iter().skip(relative)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn check(text: &str, expected: &[&str]) {
        let files = sources([
            ("src/lib.rs", "mod hub;"),
            ("src/hub.rs", "mod lane;"),
            ("src/hub/lane.rs", text),
        ]);
        let found: Vec<_> = named(&files["src/hub/lane.rs"]).iter().map(Named::text).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn use_trees_are_read_leaf_by_leaf() {
        check(
            "use crate::{a, b::{self, c as d, e::*}};\nuse std::fmt;",
            &["crate::a", "crate::b", "crate::b::c", "crate::b::e::*", "std::fmt"],
        );
        check("pub(crate) use ::std::{net, fs as disk};", &["std::net", "std::fs"]);
        check("use crate as root; use crate::{self as also};", &["crate", "crate"]);
        check("fn a() -> impl B + use<'a, T> { c::d() }", &["c::d"]);
    }

    #[test]
    fn paths_in_code_are_read() {
        check(
            "fn a(b: crate::c::D<e::F>) { <G as crate::h::I>::j() }",
            &["crate::c::D", "e::F", "crate::h::I"],
        );
        check("macro_rules! a { () => { $crate::b::c!() } }", &["crate::b::c"]);
        check("fn a() { b.c::<D>(); \"crate::e::f\"; /* crate::g::h */ }", &[]);
    }

    #[test]
    fn relative_paths_are_resolved() {
        check(
            "use super::a; use self::b; use super::super::c;",
            &["crate::hub::a", "crate::hub::lane::b", "crate::c"],
        );
        check("mod inner { fn a() { super::super::super::session::b() } }", &["crate::session::b"]);
    }

    #[test]
    fn a_renamed_module_is_followed() {
        check(
            "use std::time as t; fn a() { t::Instant::now() }",
            &["std::time", "std::time::Instant::now"],
        );
    }
}
