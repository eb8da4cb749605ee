//! One Rust file: its syntax for rules about structure, and its production code as flat tokens for rules about words.
//!
//! Tokens rather than paths and expressions, because a rule must also see into macro calls: the `Uuid::now_v7()` in
//! `json!({"id": Uuid::now_v7()})` is no expression to `syn`.

use std::str::FromStr as _;

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};

use super::finding::Finding;

/// A Rust file.
pub struct Source {
    /// Where it lies, from the root of the workspace.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its syntax, tests and all.
    pub(super) syntax: syn::File,
    /// Its production code: without comments, and without items that exist for tests only.
    pub(super) tokens: Vec<Token>,
    /// Whether the whole file exists for tests only.
    pub is_test: bool,
    /// Modules in other files that it declares for tests only.
    test_modules: Vec<String>,
}

/// A word, a mark (`::` is one), a bracket or a literal.
#[derive(Debug)]
pub(super) struct Token {
    /// As it is written.
    pub(super) text: String,
    /// The value, when it is a string literal.
    pub(super) string: Option<String>,
    /// The line, from 1.
    pub(super) line: usize,
}

impl Source {
    /// Reads a file; the finding says where it does not parse.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, Finding> {
        let broken = |line, what: String| Finding::new("parse", path, line, what, "Mend the syntax");
        let stream = TokenStream::from_str(text)
            .map_err(|error: LexError| broken(error.span().start().line, error.to_string()))?;
        let syntax = syn::parse2::<syn::File>(stream.clone())
            .map_err(|error| broken(error.span().start().line, error.to_string()))?;
        let mut flattening = Flattening::default();
        flattening.stream(stream);
        let is_test = is_test_path(path) || flattening.whole_file;
        let tokens = if is_test { Vec::new() } else { flattening.tokens };
        let test_modules = flattening.test_modules;
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            syntax,
            tokens,
            is_test,
            test_modules,
        })
    }

    /// The paths, without `.rs`, of the modules that this file declares for tests only.
    pub(super) fn declared_test_stems(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let home = if matches!(name, "lib" | "main" | "mod") {
            folder
        } else {
            stem
        };
        self.test_modules
            .iter()
            .map(|module| format!("{home}/{module}"))
            .collect()
    }

    /// The whole file is a test: rules about production code have nothing to see in it.
    pub(super) fn mark_as_test(&mut self) {
        self.is_test = true;
        self.tokens.clear();
    }

    /// Where the words and marks of `pattern` follow one another; the index of the first token.
    pub(super) fn find(&self, pattern: &[&str]) -> Vec<usize> {
        let fits = |window: &[Token]| {
            window
                .iter()
                .zip(pattern)
                .all(|(token, word)| token.text == *word)
        };
        let windows = self.tokens.windows(pattern.len()).enumerate();
        windows
            .filter(|(_, window)| fits(window))
            .map(|(index, _)| index)
            .collect()
    }

    /// The lines on which a path begins with the crate (or module) `name`: `name::x`, `use name;`, not `x::name::y`.
    pub(super) fn lines_using(&self, name: &str) -> Vec<usize> {
        let text = |index: Option<usize>| {
            index
                .and_then(|index| self.tokens.get(index))
                .map(|token| &*token.text)
        };
        let begins = |index: usize| {
            let before = index.checked_sub(1);
            let rooted = text(before) != Some("::") || !text(index.checked_sub(2)).is_some_and(is_word);
            let path = text(Some(index + 1)) == Some("::");
            let import = text(before) == Some("use") && matches!(text(Some(index + 1)), Some(";" | "as"));
            rooted && (path || import)
        };
        self.find(&[name])
            .into_iter()
            .filter(|index| begins(*index))
            .map(|index| self.tokens[index].line)
            .collect()
    }
}

/// Whether a file is a test by its place alone.
fn is_test_path(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

fn is_word(text: &str) -> bool {
    text.chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
}

/// Turns nested tokens into flat ones, leaving out comments and what exists for tests only.
#[derive(Default)]
struct Flattening {
    tokens: Vec<Token>,
    test_modules: Vec<String>,
    whole_file: bool,
}

impl Flattening {
    fn stream(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut index = 0;
        while index < trees.len() {
            index = match attribute_at(&trees, index) {
                Some((group, inner, after)) => self.attribute(&trees, group, inner, after),
                None => self.tree(&trees, index),
            };
        }
    }

    /// Takes the attribute `group`, whose last token lies before `after`; answers where to go on.
    fn attribute(&mut self, trees: &[TokenTree], group: &Group, inner: bool, after: usize) -> usize {
        if is_for_tests(group) {
            if !inner {
                return self.skip_item(trees, after);
            }
            self.whole_file = true;
        } else if first_word(group) != "doc" {
            self.stream(group.stream());
        }
        after
    }

    /// Skips an item that exists for tests only: up to its block, or its semicolon.
    fn skip_item(&mut self, trees: &[TokenTree], mut index: usize) -> usize {
        while let Some(tree) = trees.get(index) {
            match tree {
                TokenTree::Ident(word) if *word == "mod" => {
                    if let Some(TokenTree::Ident(name)) = trees.get(index + 1) {
                        self.test_modules.push(name.to_string());
                    }
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return index + 1,
                TokenTree::Punct(mark) if mark.as_char() == ';' => return index + 1,
                _ => {}
            }
            index += 1;
        }
        index
    }

    fn tree(&mut self, trees: &[TokenTree], index: usize) -> usize {
        match &trees[index] {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                self.push(open.to_owned(), group.span_open());
                self.stream(group.stream());
                self.push(close.to_owned(), group.span_close());
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && is_mark(trees.get(index + 1), ':') => {
                self.push("::".to_owned(), mark.span());
                return index + 2;
            }
            other => self.push(other.to_string(), other.span()),
        }
        index + 1
    }

    fn push(&mut self, text: String, span: proc_macro2::Span) {
        let quoted = text.starts_with(['"', 'r']) && text.ends_with(['"', '#']);
        let string = quoted
            .then(|| syn::parse_str::<syn::LitStr>(&text).ok())
            .flatten()
            .map(|text| text.value());
        self.tokens.push(Token {
            text,
            string,
            line: span.start().line,
        });
    }
}

/// The attribute that begins at `index`, whether it is an inner one (`#![...]`), and where what follows it begins.
fn attribute_at(trees: &[TokenTree], index: usize) -> Option<(&Group, bool, usize)> {
    if !is_mark(trees.get(index), '#') {
        return None;
    }
    let inner = is_mark(trees.get(index + 1), '!');
    let at = if inner { index + 2 } else { index + 1 };
    match trees.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((group, inner, at + 1))
        }
        _ => None,
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, unix))]`; not `#[cfg(any(test, unix))]`, which is
/// production code too, nor `#[cfg(not(test))]`.
fn is_for_tests(attribute: &Group) -> bool {
    let text: String = attribute
        .stream()
        .to_string()
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let name = text.split('(').next().unwrap_or(&text);
    name == "test" || name.ends_with("::test") || text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

fn first_word(attribute: &Group) -> String {
    attribute
        .stream()
        .into_iter()
        .next()
        .map(|tree| tree.to_string())
        .unwrap_or_default()
}

fn is_mark(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::Source;

    fn words(text: &str) -> String {
        let source = Source::parse("services/pay/src/ops.rs", text).unwrap();
        source
            .tokens
            .iter()
            .map(|token| token.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn tests_and_comments_are_not_production_code() {
        let text = "//! Head.\n/// SELECT 1.\nfn a() { b() } // c\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn d() {} }\n\
            #[tokio::test]\nasync fn e() {}\n#[cfg(test)]\nuse f::g;\nfn h() {}";
        assert_eq!(words(text), "fn a ( ) { b ( ) } fn h ( ) { }");
    }

    #[test]
    fn code_that_is_not_only_for_tests_stays() {
        assert_eq!(
            words("#[cfg(not(test))]\nfn a() {}"),
            "cfg ( not ( test ) ) fn a ( ) { }"
        );
        assert_eq!(
            words("#[cfg(any(test, unix))]\nfn a() {}"),
            "cfg ( any ( test , unix ) ) fn a ( ) { }"
        );
    }

    #[test]
    fn macros_are_seen_through() {
        assert_eq!(
            words("fn a() { json!({\"id\": Uuid::now_v7()}) }")
                .matches("Uuid :: now_v7")
                .count(),
            1
        );
    }

    #[test]
    fn files_for_tests_are_known_by_place_and_by_attribute() {
        assert!(
            Source::parse("services/pay/src/tests.rs", "fn a() {}")
                .unwrap()
                .is_test
        );
        assert!(
            Source::parse("services/pay/src/tests/ledger.rs", "fn a() {}")
                .unwrap()
                .is_test
        );
        assert!(
            Source::parse("services/pay/src/proofs.rs", "#![cfg(test)]\nfn a() {}")
                .unwrap()
                .is_test
        );
        assert!(
            !Source::parse("services/pay/src/contests.rs", "fn a() {}")
                .unwrap()
                .is_test
        );
    }

    #[test]
    fn declared_test_modules_lie_beside_or_below() {
        let stems = |path: &str| {
            Source::parse(path, "#[cfg(test)]\nmod proofs;")
                .unwrap()
                .declared_test_stems()
        };
        assert_eq!(stems("services/pay/src/lib.rs"), ["services/pay/src/proofs"]);
        assert_eq!(stems("services/pay/src/ops.rs"), ["services/pay/src/ops/proofs"]);
    }

    #[test]
    fn a_crate_is_used_where_a_path_begins_with_it() {
        let source = Source::parse(
            "a/src/b.rs",
            "use http::Uri;\nuse http;\nfn a() { ::http::b(); crate::http::c(); http() }",
        );
        assert_eq!(source.unwrap().lines_using("http"), [1, 2, 3]);
    }
}
