//! Options that an operator can set and nothing reads. Configuration names every field to fill it,
//! and so counts for none.

use std::collections::HashSet;

use crate::Finding;
use crate::source::{SourceFile, Sources};
use crate::token::Kind;

/// Structs of options, and the file that has them.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) file: &'static str,
    pub(crate) structs: &'static [&'static str],
}

/// Fields that product code outside `config` never reads as `.field`. Fields are known by name alone: one that shares its name with another's passes with it.
pub(crate) fn unread(files: &Sources, options: &[Options]) -> Vec<Finding> {
    let readers = files.values().filter(|file| file.layer() != Some("config"));
    let read: HashSet<&str> = readers.flat_map(reads).collect();
    let mut findings = Vec::new();
    for Options { file: path, structs } in options {
        let Some(file) = files.get(*path) else {
            findings.push(Finding::new(path, 0, "has no options: there is no such file"));
            continue;
        };
        for name in *structs {
            let fields = fields(file, name);
            if fields.is_empty() {
                findings.push(Finding::new(path, 0, format!("has no options {name}")));
            }
            let dead = fields.into_iter().filter(|(field, _)| !read.contains(field));
            findings.extend(dead.map(|(field, line)| {
                Finding::new(path, line, format!("nothing reads the option {name}.{field}"))
            }));
        }
    }
    findings
}

/// Names of fields that the product code of a file reads.
fn reads(file: &SourceFile) -> impl Iterator<Item = &str> {
    let tokens = &file.tokens;
    file.product().filter_map(move |at| {
        let field = tokens.get(at + 1).filter(|field| field.kind == Kind::Word)?;
        let after = tokens.get(at + 2);
        let other = after.is_some_and(|after| after.is("(") || after.is("=") || after.is("::"));
        (tokens[at].is(".") && !other).then_some(field.text.as_str())
    })
}

/// The fields of a struct, with their lines.
fn fields<'a>(file: &'a SourceFile, name: &str) -> Vec<(&'a str, usize)> {
    let tokens = &file.tokens;
    let start = (0..tokens.len()).find(|at| {
        tokens[*at].is("struct") && tokens.get(at + 1).is_some_and(|next| next.is(name))
    });
    let open = start.map(|start| start + 2).filter(|open| tokens[*open].is("{"));
    let Some(open) = open else { return Vec::new() };
    (open + 1..tokens[open].mate)
        .filter(|at| tokens[*at].kind == Kind::Word && tokens[at + 1].is(":"))
        .map(|at| (tokens[at].text.as_str(), tokens[at].line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    fn check(reader: &str, expected: &[&str]) {
        let files = sources([
            ("src/lib.rs", "mod config; mod options; mod reader;"),
            ("src/config.rs", "fn fill(a: &mut A) { &mut a.b; &mut a.c; }"),
            (
                "src/options.rs",
                "struct A {\n/// d: e\npub(crate) b: Option<u8>,\npub(crate) c: d::E }",
            ),
            ("src/reader.rs", reader),
        ]);
        let found = unread(&files, &[Options { file: "src/options.rs", structs: &["A"] }]);
        let found: Vec<_> = found.iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{reader}");
    }

    #[test]
    fn an_option_that_nothing_reads_is_found() {
        let (b, c) = (
            "src/options.rs:3: nothing reads the option A.b",
            "src/options.rs:4: nothing reads the option A.c",
        );
        check("", &[b, c]);
        check("fn f(a: A) { a.b; a.c = 1; }", &[c]);
        check("fn f(a: A) { a.b() + a.c }", &[b]);
        check("fn f(a: A) { 0..b; a.c == 1 }", &[b]);
        check("fn f(a: A) { a.b } #[test] fn g(a: A) { assert!(a.c) }", &[c]);
    }

    #[test]
    fn options_that_are_read_are_not_found() {
        check("fn f(a: A) { a.b.is_some() && a.c == d }", &[]);
    }

    #[test]
    fn a_table_that_is_out_of_date_is_found() {
        let files = sources([("src/lib.rs", "")]);
        let lost = unread(&files, &[Options { file: "src/a.rs", structs: &["A"] }]);
        let renamed = unread(&files, &[Options { file: "src/lib.rs", structs: &["A"] }]);
        assert_eq!((lost.len(), renamed.len()), (1, 1));
    }
}
