//! The project's Rust files as modules of tokens: which file is which module, and which tokens are
//! test code. Built from a list of paths and texts, so that planted faults take the same way.

use std::collections::BTreeMap;

use crate::token::{Kind, Token, lex};

/// One Rust file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative to the project, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// Where it lies in its crate; empty for the crate's root and for orphans.
    pub(crate) module: Vec<String>,
    /// Some `mod` reaches it, or it is a root itself.
    pub(crate) reached: bool,
}

impl SourceFile {
    /// The top-level module that the file belongs to; `None` for the crate's roots.
    pub(crate) fn layer(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(name, "lib" | "main" | "bin")).then_some(name)
    }

    pub(crate) fn is_product(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// Positions of the tokens that are in the product and not in its tests.
    pub(crate) fn product(&self) -> impl Iterator<Item = usize> {
        let product = self.is_product();
        (0..self.tokens.len()).filter(move |at| product && !self.tokens[*at].test)
    }
}

/// All Rust files, by path.
pub(crate) type Sources = BTreeMap<String, SourceFile>;

/// Reads files into modules. A file that is no Rust is the caller's fault.
pub(crate) fn sources<P: Into<String>, T: Into<String>>(
    texts: impl IntoIterator<Item = (P, T)>,
) -> Sources {
    let mut files: Sources = texts
        .into_iter()
        .map(|(path, text)| {
            let (path, text) = (path.into(), text.into());
            let tokens = lex(&path, &text);
            (path.clone(), SourceFile { path, text, tokens, module: Vec::new(), reached: false })
        })
        .collect();
    let roots: Vec<String> = files.keys().filter(|path| is_root(path)).cloned().collect();
    for root in roots {
        let test = root.starts_with("tests/");
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        reach(&mut files, &root, &folder, &[], test);
    }
    for file in files.values_mut().filter(|file| is_test_path(&file.path)) {
        file.tokens.iter_mut().for_each(|token| token.test = true);
    }
    files
}

/// What cargo takes for the root of a crate by itself.
fn is_root(path: &str) -> bool {
    matches!(
        path.split('/').collect::<Vec<_>>()[..],
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// Marks a file and all that its `mod` declarations reach. `folder` is where its modules lie.
fn reach(files: &mut Sources, path: &str, folder: &str, module: &[String], test: bool) {
    let Some(file) = files.get_mut(path) else { return };
    if file.reached {
        return;
    }
    file.reached = true;
    file.module = module.to_vec();
    if test {
        file.tokens.iter_mut().for_each(|token| token.test = true);
    }
    for declared in declarations(&file.tokens) {
        let inner = format!("{folder}/{}", declared.path.join("/"));
        let module = [module, &declared.path].concat();
        for path in [format!("{inner}.rs"), format!("{inner}/mod.rs")] {
            reach(files, &path, &inner, &module, declared.test);
        }
    }
}

#[derive(Debug)]
struct Declared {
    path: Vec<String>,
    test: bool,
}

/// `mod name;`, also within `mod outer { }`.
fn declarations(tokens: &[Token]) -> Vec<Declared> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if tokens[at].is("mod") && tokens.get(at + 2).is_some_and(|after| after.is(";")) {
            let mut path = enclosing_modules(tokens, at);
            path.push(tokens[at + 1].text.clone());
            found.push(Declared { path, test: tokens[at].test });
        }
    }
    found
}

/// Names of the inline modules around a token, outermost first.
pub(crate) fn enclosing_modules(tokens: &[Token], at: usize) -> Vec<String> {
    (0..at)
        .filter(|before| {
            tokens[*before].is("mod")
                && tokens[before + 1].kind == Kind::Word
                && tokens[before + 2].is("{")
                && tokens[before + 2].mate > at
        })
        .map(|before| tokens[before + 1].text.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(files: &Sources) -> Vec<&str> {
        files.values().filter(|file| file.reached).map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn modules_are_found_beside_below_and_inline() {
        let files = sources([
            ("src/lib.rs", "mod a; mod b { mod c; }"),
            ("src/a/mod.rs", "pub mod d; #[cfg(test)] mod e;"),
            ("src/a/d.rs", "mod f;"),
            ("src/a/d/f.rs", ""),
            ("src/a/e.rs", "fn x() {}"),
            ("src/b/c.rs", ""),
            ("src/lost.rs", "// mod a;"),
            ("tests/one.rs", ""),
            ("tests/two/main.rs", "mod three;"),
            ("tests/two/three.rs", ""),
            ("tests/two/four.rs", ""),
        ]);
        assert_eq!(
            reached(&files),
            [
                "src/a/d.rs",
                "src/a/d/f.rs",
                "src/a/e.rs",
                "src/a/mod.rs",
                "src/b/c.rs",
                "src/lib.rs",
                "tests/one.rs",
                "tests/two/main.rs",
                "tests/two/three.rs"
            ]
        );
        assert_eq!(files["src/a/d/f.rs"].module, ["a", "d", "f"]);
        assert_eq!(files["src/b/c.rs"].module, ["b", "c"]);
        assert!(files["src/a/e.rs"].tokens.iter().all(|token| token.test), "cfg(test) goes down");
        assert_eq!(files["src/a/e.rs"].product().count(), 0);
        assert_eq!(files["src/a/mod.rs"].product().count(), 4, "pub mod d ;");
    }

    #[test]
    fn a_layer_is_a_file_or_a_folder_of_src() {
        let texts = ["src/lib.rs", "src/clock.rs", "src/hub/lane.rs", "tests/x.rs"];
        let files = sources(texts.map(|path| (path, "")));
        let layers: Vec<_> = files.values().map(SourceFile::layer).collect();
        assert_eq!(layers, [Some("clock"), Some("hub"), None, None]);
    }
}
