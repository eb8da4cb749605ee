//! `cargo xtask new-service NAME`: the rooms of a new service, which compile, have tests and are tidy.
//!
//! The template is a crate of the workspace (`xtask/template`), so that it is compiled, formatted, linted and tested
//! with everything else: it cannot fall behind what a service is.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process;

/// The template's files, and where they go in the new service.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../template/Cargo.toml")),
    ("README.md", include_str!("../template/README.md")),
    (
        "migrations/0001_item.sql",
        include_str!("../template/migrations/0001_item.sql"),
    ),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("src/model.rs", include_str!("../template/src/model.rs")),
    ("src/ops.rs", include_str!("../template/src/ops.rs")),
    ("src/store.rs", include_str!("../template/src/store.rs")),
    ("src/api.rs", include_str!("../template/src/api.rs")),
    ("src/tests.rs", include_str!("../template/src/tests.rs")),
];

/// Where the app lists its services.
const LIST: &str = "app/src/services.rs";

/// The line of the list above which the new service goes.
const MARK: &str = "// `cargo xtask new-service` adds its line above this one.";

/// Names of crates that are no services, and words that would read wrong in a path.
const TAKEN: &[&str] = &[
    "base", "store", "http", "service", "testkit", "bench", "journeys", "cluster", "sample", "crate",
];

/// The service to make.
#[derive(clap::Args)]
pub struct Arguments {
    /// A noun in lower case, one word: `booking`
    name: String,
}

/// Makes the rooms of a service.
///
/// # Errors
/// The name is no name for a service, it is already there, or a file to be changed is not as expected; then nothing
/// was changed.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let name = arguments.name.as_str();
    refuse_name(name)?;
    let folder = root.join("services").join(name);
    if folder.exists() {
        bail!("services/{name} is already there");
    }
    // All new texts before the first write: a refusal changes nothing.
    let mut texts = Vec::new();
    for (path, change) in CHANGES {
        let text = std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        texts.push((
            root.join(path),
            change(&text, name).with_context(|| format!("cannot change {path}"))?,
        ));
    }
    texts.extend(
        FILES
            .iter()
            .map(|(path, text)| (folder.join(path), named(text, name))),
    );
    for (path, text) in &texts {
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    process::run(process::cargo(root).args(["fmt", "--package", &format!("haechi-{name}")]))?;
    println!("services/{name} is there, and {LIST} lists it.");
    println!(
        "Next: its README.md, then its first noun in the place of `Item` (STYLE.md, \"adding an endpoint\")."
    );
    Ok(())
}

fn refuse_name(name: &str) -> Result<()> {
    let plain = name
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    if !plain
        || !name.starts_with(|first: char| first.is_ascii_lowercase())
        || !(2..=30).contains(&name.len())
    {
        bail!("{name:?} is no name for a service: take one word of 2 to 30 letters a-z, like `booking`");
    }
    if TAKEN.contains(&name) || syn::parse_str::<syn::Ident>(name).is_err() {
        bail!("{name:?} is taken by something else");
    }
    Ok(())
}

/// The template's text with the service's name in it.
fn named(text: &str, name: &str) -> String {
    text.replace("Sample", &type_name(name)).replace("sample", name)
}

fn type_name(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

/// A file's text, with the service of that name in it.
type Change = fn(&str, &str) -> Result<String>;

/// What changes outside the new folder.
const CHANGES: &[(&str, Change)] = &[
    ("Cargo.toml", |text, name| {
        let line = format!("haechi-{name} = {{ path = \"services/{name}\" }}");
        insert_after(
            text,
            |line| line.starts_with("haechi-") && line.contains("path = \"services/"),
            &line,
        )
    }),
    ("app/Cargo.toml", |text, name| {
        let line = format!("haechi-{name}.workspace = true");
        // In the alphabet's order, as the other dependencies.
        insert_after(
            text,
            |other| other.starts_with("haechi-") && other < line.as_str(),
            &line,
        )
    }),
    (LIST, |text, name| {
        let position = text
            .find(MARK)
            .with_context(|| format!("it has no line `{MARK}`"))?;
        let start = text[..position].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = &text[start..position];
        let line = format!(
            "{indent}Arc::new(haechi_{name}::{}::new(self.context.clone())),\n",
            type_name(name)
        );
        Ok(format!("{}{line}{}", &text[..start], &text[start..]))
    }),
];

/// Inserts `line` after the last line that is `like` it.
fn insert_after(text: &str, like: impl Fn(&str) -> bool, line: &str) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines
        .iter()
        .rposition(|line| like(line))
        .context("it names none of our crates")?;
    lines.insert(last + 1, line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{CHANGES, FILES, LIST, MARK, named, refuse_name};
    use crate::tidy::{Tree, check};

    #[test]
    fn what_is_made_is_tidy() {
        let mut files: Vec<(String, String)> = FILES
            .iter()
            .map(|(path, text)| (format!("services/booking/{path}"), named(text, "booking")))
            .collect();
        files.push((
            LIST.to_owned(),
            "//! The services there are.\nfn all() { haechi_booking::Booking; }".to_owned(),
        ));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let told: Vec<String> = check(&Tree::of(&files)).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        assert!(
            files
                .iter()
                .all(|(path, text)| !text.contains("ample") || path.contains("README"))
        );
    }

    #[test]
    fn names_are_one_plain_word() {
        for name in ["booking", "map2"] {
            assert!(refuse_name(name).is_ok(), "{name}");
        }
        for name in [
            "", "a", "Booking", "mini-app", "mini_app", "2map", "지도", "../pay", "http", "type", "sample",
        ] {
            assert!(refuse_name(name).is_err(), "{name}");
        }
    }

    /// What a change makes of the lines `before`.
    fn changed(index: usize, before: &[&str]) -> Vec<String> {
        let (_, change) = CHANGES[index];
        change(&(before.join("\n") + "\n"), "gift")
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_workspace_and_the_app_name_the_service() {
        let workspace = [
            "haechi-base = { path = \"platform/base\" }",
            "haechi-pay = { path = \"services/pay\" }",
            "axum = 1",
        ];
        assert_eq!(
            changed(0, &workspace)[2],
            "haechi-gift = { path = \"services/gift\" }"
        );
        let app = [
            "[dependencies]",
            "haechi-chat.workspace = true",
            "haechi-pay.workspace = true",
        ];
        assert_eq!(changed(1, &app)[2], "haechi-gift.workspace = true");
        let mark = format!("        {MARK}");
        let list = ["    vec![", "        Arc::new(self.pay.clone()),", &mark, "    ]"];
        assert_eq!(
            changed(2, &list)[2],
            "        Arc::new(haechi_gift::Gift::new(self.context.clone())),"
        );
        assert_eq!(changed(2, &list)[3], mark);
    }

    #[test]
    fn a_list_without_its_mark_is_not_touched() {
        let (_, change) = CHANGES[2];
        assert!(change("vec![]", "gift").unwrap_err().to_string().contains(MARK));
    }
}
