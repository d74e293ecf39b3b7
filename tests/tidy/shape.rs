//! The size of files and functions, and files that nothing compiles.

use crate::Finding;
use crate::source::{SourceFile, Sources};
use crate::token::Kind;

pub(crate) fn long_files(files: &Sources, most: usize) -> Vec<Finding> {
    let lines = files.values().map(|file| (file, file.text.lines().count()));
    lines
        .filter(|(_, lines)| *lines > most)
        .map(|(file, lines)| Finding::new(&file.path, 0, format!("{lines} lines, at most {most}")))
        .collect()
}

/// Functions outside tests by all their lines, from `fn` to the brace that closes them.
pub(crate) fn long_functions(files: &Sources, most: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.values() {
        for function in functions(file).iter().filter(|function| !file.tokens[function.at].test) {
            let (start, end) = (file.tokens[function.at].line, file.tokens[function.close].line);
            let lines = end + 1 - start;
            if lines > most {
                let rule = format!("{}: {lines} lines, at most {most}", function.name);
                findings.push(Finding::new(&file.path, start, rule));
            }
        }
    }
    findings
}

/// Files that no `mod` reaches.
pub(crate) fn orphans(files: &Sources) -> Vec<Finding> {
    let cargo = ["src/", "tests/", "benches/", "examples/"];
    files
        .values()
        .filter(|file| cargo.iter().any(|folder| file.path.starts_with(folder)) && !file.reached)
        .map(|file| Finding::new(&file.path, 0, "no mod declaration reaches this file"))
        .collect()
}

/// A function with a body: positions of its `fn` and of its braces.
#[derive(Debug)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) at: usize,
    pub(crate) open: usize,
    pub(crate) close: usize,
}

pub(crate) fn functions(file: &SourceFile) -> Vec<Function<'_>> {
    let tokens = &file.tokens;
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        // `fn(…)` is a type; in a macro the name may be `$name`.
        let named = |name: &crate::token::Token| name.kind == Kind::Word || name.is("$");
        if !tokens[at].is("fn") || !tokens.get(at + 1).is_some_and(named) {
            continue;
        }
        let mut open = at + 1;
        while open < tokens.len() && !tokens[open].is("{") && !tokens[open].is(";") {
            open = if tokens[open].kind == Kind::Open { tokens[open].mate } else { open };
            open += 1;
        }
        if tokens.get(open).is_some_and(|token| token.is("{")) {
            let name = tokens[at + 1].text.as_str();
            found.push(Function { name, at, open, close: tokens[open].mate });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sources;

    #[test]
    fn a_file_is_long_from_its_first_line_past_the_bound() {
        let files = sources([("src/lib.rs", "\n".repeat(4)), ("tests/a.rs", "\n".repeat(3))]);
        assert_eq!(long_files(&files, 3), [Finding::new("src/lib.rs", 0, "4 lines, at most 3")]);
        assert_eq!(long_files(&files, 4), []);
    }

    #[test]
    fn a_function_is_long_from_its_first_line_past_the_bound() {
        let text = "trait A { fn none(); }\n\nfn a(b: [u8; 2])\nwhere C: D\n{\n  \"}\"; // }\n}";
        let files = sources([("src/lib.rs", text)]);
        assert_eq!(long_functions(&files, 5), []);
        let found = Finding::new("src/lib.rs", 3, "a: 5 lines, at most 4");
        assert_eq!(long_functions(&files, 4), [found]);
        let files = sources([("src/lib.rs", format!("#[cfg(test)] mod tests {{ {text} }}"))]);
        assert_eq!(long_functions(&files, 1), []);
    }

    #[test]
    fn a_file_without_declaration_is_an_orphan() {
        let texts = ["src/a/b.rs", "tests/it/x.rs", "benches/y.rs", "fuzz/z.rs"];
        let mut texts = texts.map(|path| (path, "")).to_vec();
        texts.push(("src/lib.rs", "mod a { }"));
        let found: Vec<_> = orphans(&sources(texts)).into_iter().map(|one| one.path).collect();
        assert_eq!(found, ["src/a/b.rs", "tests/it/x.rs"]);
    }
}
