//! A file's tokens in one flat list: comments and white space gone, strings whole, brackets paired,
//! test code marked. Lexing is `proc_macro2`'s.

use std::str::FromStr;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Mark,
    Literal,
    Open,
    Close,
}

#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Of a bracket, the position of its other half; of any other token its own.
    pub(crate) mate: usize,
    /// Inside an item under `#[cfg(test)]` or `#[test]`.
    pub(crate) test: bool,
}

impl Token {
    /// Whether it is this word, mark or bracket.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// The pairs of marks that mean one thing.
const DOUBLE: &[&str] = &["::", "->", "=>", "..", "==", "!=", "<=", ">="];

pub(crate) fn lex(path: &str, text: &str) -> Vec<Token> {
    let stream = TokenStream::from_str(text);
    let mut tokens = Vec::new();
    flatten(stream.unwrap_or_else(|fault| unreachable!("{path}: {fault}")), &mut tokens);
    mark_tests(&mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut joint = false;
    for tree in stream {
        let line = tree.span().start().line;
        let was_joint = std::mem::take(&mut joint);
        let (kind, text) = match tree {
            TokenTree::Ident(word) => (Kind::Word, word.to_string()),
            TokenTree::Literal(literal) => (Kind::Literal, literal.to_string()),
            TokenTree::Punct(mark) => {
                joint = mark.spacing() == Spacing::Joint;
                if let Some(before) = tokens.last_mut().filter(|_| was_joint) {
                    let both = format!("{}{}", before.text, mark.as_char());
                    if DOUBLE.contains(&both.as_str()) {
                        before.text = both;
                        continue;
                    }
                }
                (Kind::Mark, mark.as_char().to_string())
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => unreachable!("only macros make groups without brackets"),
                };
                let start = tokens.len();
                push(tokens, Kind::Open, open.into(), line);
                flatten(group.stream(), tokens);
                let end = tokens.len();
                push(tokens, Kind::Close, close.into(), group.span_close().start().line);
                tokens[start].mate = end;
                tokens[end].mate = start;
                continue;
            }
        };
        push(tokens, kind, text, line);
    }
}

fn push(tokens: &mut Vec<Token>, kind: Kind, text: String, line: usize) {
    tokens.push(Token { kind, text, line, mate: tokens.len(), test: false });
}

fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let attribute = attribute_at(tokens, at);
        let test = attribute.is_some_and(|words| is_cfg_test(&words) || is_test(&words));
        if !test {
            at += 1;
            continue;
        }
        let inner = tokens[at + 1].is("!");
        let end = if inner { tokens.len() } else { item_end(tokens, at) };
        tokens[at..end].iter_mut().for_each(|token| token.test = true);
        at = end;
    }
}

/// The words and marks of the attribute that starts here.
pub(crate) fn attribute_at(tokens: &[Token], at: usize) -> Option<Vec<&str>> {
    let open = attribute_open(tokens, at)?;
    Some(tokens[open + 1..tokens[open].mate].iter().map(|token| token.text.as_str()).collect())
}

fn attribute_open(tokens: &[Token], at: usize) -> Option<usize> {
    tokens.get(at).filter(|token| token.is("#"))?;
    let open = at + if tokens.get(at + 1)?.is("!") { 2 } else { 1 };
    tokens.get(open)?.is("[").then_some(open)
}

/// `#[test]` and `#[tokio::test(…)]`.
pub(crate) fn is_test(attribute: &[&str]) -> bool {
    let path = attribute.iter().position(|part| *part == "(").unwrap_or(attribute.len());
    attribute[..path].last() == Some(&"test")
}

fn is_cfg_test(attribute: &[&str]) -> bool {
    matches!(attribute, ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..])
}

/// Where the item ends that the attribute at `start` belongs to.
fn item_end(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while let Some(open) = attribute_open(tokens, at) {
        at = tokens[open].mate + 1;
    }
    // What ends with a block ends at its first braces, a field or a match arm at a comma.
    let mut block = false;
    let mut statement = false;
    let mut angles = 0_i32;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "fn" | "impl" | "struct" | "enum" | "trait" | "mod" | "union" | "macro_rules" => {
                block = !statement;
            }
            "use" | "const" | "static" | "type" | "let" => statement = true,
            "<" => angles += 1,
            ">" => angles -= 1,
            ";" => return at + 1,
            "," if !block && !statement && angles <= 0 => return at + 1,
            ")" | "}" | "]" => return at,
            "{" if !statement || block => return tokens[at].mate + 1,
            _ => {}
        }
        // `const fn` is no constant.
        statement &= !(tokens[at].is("const")
            && tokens.get(at + 1).is_some_and(|next| matches!(&*next.text, "fn" | "unsafe")));
        at = if tokens[at].kind == Kind::Open { tokens[at].mate + 1 } else { at + 1 };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(text: &str) -> String {
        let tokens = lex("x.rs", text);
        let kept = tokens.iter().filter(|token| !token.test).map(|token| token.text.as_str());
        kept.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = r###"/* a /* b */ c */ d("e // f", r#"g " h"#, 'i', '"', b"j"); // k"###;
        let words: Vec<_> = lex("x.rs", text)
            .into_iter()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
            .collect();
        assert_eq!(words, ["d"]);
    }

    #[test]
    fn tokens_know_their_lines_and_mates() {
        let tokens = lex("x.rs", "fn a() {\n    b::c\n}\n");
        let open = tokens.iter().position(|token| token.is("{")).unwrap();
        assert_eq!(tokens[tokens[open].mate].line, 3);
        assert!(tokens.iter().any(|token| token.is("::") && token.line == 2));
    }

    #[test]
    fn an_item_under_test_is_marked_to_its_end_and_no_further() {
        assert_eq!(product("#[cfg(test)] mod tests { fn a() {} } fn b() {}"), "fn b ( ) { }");
        assert_eq!(product("#[cfg(test)] use a::{b, c}; fn b() {}"), "fn b ( ) { }");
        assert_eq!(product("#[test] #[x] fn a<A, B>() -> [u8; 2] { } struct B;"), "struct B ;");
        assert_eq!(product("#[cfg(test)] const A: T = T { a }; use b;"), "use b ;");
        assert_eq!(product("#[cfg(test)] const fn a() {} use b;"), "use b ;");
        assert_eq!(product("struct A { #[cfg(test)] a: M<B, C>, d: E }"), "struct A { d : E }");
        assert_eq!(product("match a { #[cfg(test)] A => {} B => c }"), "match a { B => c }");
        assert_eq!(product("#[cfg(not(test))] mod a;"), "# [ cfg ( not ( test ) ) ] mod a ;");
        assert_eq!(product("#[cfg(all(test, unix))] mod a; mod b;"), "mod b ;");
        assert_eq!(product("#![cfg(test)] mod a;"), "");
    }

    #[test]
    fn test_attributes_are_told_from_others() {
        assert!(is_test(&["test"]) && is_test(&["tokio", "::", "test", "(", "x", ")"]));
        assert!(!is_test(&["cfg", "(", "test", ")"]) && !is_test(&["inline"]));
    }
}
