//! Lengths: files shorter than 500 lines, functions shorter than 70.
//!
//! Why: a file that fits in a head can be changed without fear, and a function that fits on a screen has one job.
//! Exceptions are ratcheted: see `ratchet.rs`.

use syn::spanned::Spanned as _;
use syn::visit::Visit;

use super::finding::Finding;
use super::ratchet::Ratchet;
use super::source::Source;
use super::tree::Tree;

const RULE: &str = "length";

/// The longest that a file may be.
const FILE_LINES_MAX: usize = 499;

/// The longest that a function may be, from `fn` to its last brace.
const FUNCTION_LINES_MAX: usize = 69;

/// Files and functions that are too long.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut files = Ratchet::read(tree, RULE, "files", FILE_LINES_MAX);
    for (path, text) in tree.files.iter().filter(|(path, _)| is_counted(path)) {
        let mend = "Make it a folder of the same name, one file a noun or verb";
        files.judge(path, path, 1, text.lines().count(), mend);
    }
    let mut functions = Ratchet::read(tree, RULE, "functions", FUNCTION_LINES_MAX);
    for source in &tree.sources {
        for function in functions_of(source) {
            let name = format!("{}::{}", source.path, function.name);
            functions.judge(
                &name,
                &source.path,
                function.line,
                function.lines,
                "Name its parts, and make functions of them",
            );
        }
    }
    let mut findings = files.finish();
    findings.extend(functions.finish());
    findings
}

/// Written by people, in a language that has files too long to read.
fn is_counted(path: &str) -> bool {
    let written = [".rs", ".ts", ".svelte"]
        .iter()
        .any(|extension| path.ends_with(extension));
    written && !path.ends_with(".gen.ts")
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn functions_of(source: &Source) -> Vec<Function> {
    let mut walk = Walk {
        names: Vec::new(),
        found: Vec::new(),
    };
    walk.visit_file(&source.syntax);
    walk.found
}

/// Collects functions under the names of the modules, types and functions they lie in.
struct Walk {
    names: Vec<String>,
    found: Vec<Function>,
}

impl Walk {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block, inside: impl FnOnce(&mut Self)) {
        self.names.push(signature.ident.to_string());
        let first = signature.fn_token.span().start().line;
        let last = block.brace_token.span.close().end().line;
        self.found.push(Function {
            name: self.names.join("::"),
            line: first,
            lines: last + 1 - first,
        });
        inside(self);
        self.names.pop();
    }
}

impl<'syntax> Visit<'syntax> for Walk {
    fn visit_item_mod(&mut self, module: &'syntax syn::ItemMod) {
        self.names.push(module.ident.to_string());
        syn::visit::visit_item_mod(self, module);
        self.names.pop();
    }

    fn visit_item_impl(&mut self, item: &'syntax syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        self.names.push(name.unwrap_or_else(|| "impl".to_owned()));
        syn::visit::visit_item_impl(self, item);
        self.names.pop();
    }

    fn visit_item_trait(&mut self, item: &'syntax syn::ItemTrait) {
        self.names.push(item.ident.to_string());
        syn::visit::visit_item_trait(self, item);
        self.names.pop();
    }

    fn visit_item_fn(&mut self, item: &'syntax syn::ItemFn) {
        self.function(&item.sig, &item.block, |walk| {
            syn::visit::visit_item_fn(walk, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'syntax syn::ImplItemFn) {
        self.function(&item.sig, &item.block, |walk| {
            syn::visit::visit_impl_item_fn(walk, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'syntax syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block, |walk| {
                syn::visit::visit_trait_item_fn(walk, item);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Source, Tree, check, functions_of};

    fn lines(count: usize) -> String {
        "x();\n".repeat(count)
    }

    fn findings(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn functions_are_counted_from_fn_to_brace() {
        let text = "/// Doc.\n#[a]\npub fn b(\n    c: u8,\n) {\n}\nimpl D<E> {\n fn f() {\n }\n}\nmod g { trait H { fn i() {} } }";
        let source = Source::parse("a/src/b.rs", text).unwrap();
        let found: Vec<_> = functions_of(&source)
            .into_iter()
            .map(|found| (found.name, found.line, found.lines))
            .collect();
        let wanted = [("b", 3, 4), ("D::f", 8, 2), ("g::H::i", 11, 1)];
        assert_eq!(
            found,
            wanted.map(|(name, line, lines)| (name.to_owned(), line, lines))
        );
    }

    #[test]
    fn a_function_has_fewer_than_70_lines() {
        assert_eq!(
            findings("a/src/b.rs", &format!("fn a() {{\n{}}}\n", lines(67))),
            0
        );
        assert_eq!(
            findings("a/src/b.rs", &format!("fn a() {{\n{}}}\n", lines(68))),
            1
        );
        assert_eq!(
            findings(
                "a/src/tests.rs",
                &format!("#[test]\nfn a() {{\n{}}}\n", lines(68))
            ),
            1,
            "tests are read too"
        );
    }

    #[test]
    fn a_file_has_fewer_than_500_lines() {
        let text = |count: usize| "// a\n".repeat(count);
        for path in ["a/src/b.rs", "web/src/a.ts", "web/src/A.svelte"] {
            assert_eq!(findings(path, &text(499)), 0, "{path}");
            assert_eq!(findings(path, &text(500)), 1, "{path}");
        }
        assert_eq!(findings("web/src/api.gen.ts", &text(5000)), 0);
        assert_eq!(findings("services/pay/migrations/0001_a.sql", &text(5000)), 0);
    }

    #[test]
    fn the_ratchet_holds_what_is_listed() {
        let files = |listed: &str, count: usize| {
            let text = "// a\n".repeat(count);
            check(&Tree::of(&[
                ("a/src/b.rs", &text),
                ("xtask/ratchet.toml", listed),
            ]))
            .len()
        };
        assert_eq!(files("[files]\n\"a/src/b.rs\" = 510\n", 510), 0);
        assert_eq!(files("[files]\n\"a/src/b.rs\" = 510\n", 511), 1);
    }
}
