//! Portable SQL: one text for SQLite, PostgreSQL, and engines that speak PostgreSQL's protocol.
//!
//! Why: a service writes each statement once. What only one engine knows, or what the two read differently, is refused
//! here rather than found on the other engine. Checked in migrations and in the statements of the services' stores.

use super::finding::Finding;
use super::sql_place::{is_service_store, is_statement};
use super::tree::Tree;

const RULE: &str = "portable-sql";

const TYPES: &str = "Use BIGINT, DOUBLE PRECISION, BOOLEAN, TEXT or BYTEA";

/// Words that not every engine knows, each with what to write instead.
const WORDS: &[(&str, &str)] = &[
    ("JSONB", TYPES),
    ("JSON", TYPES),
    ("SERIAL", "Ids are made by the program"),
    ("BIGSERIAL", "Ids are made by the program"),
    ("AUTOINCREMENT", "Ids are made by the program"),
    ("TIMESTAMP", "Times are BIGINT microseconds UTC"),
    ("TIMESTAMPTZ", "Times are BIGINT microseconds UTC"),
    ("CURRENT_TIMESTAMP", "Times are handed in"),
    ("CURRENT_DATE", "Times are handed in"),
    ("UUID", TYPES),
    ("INTEGER", TYPES),
    ("INT", TYPES),
    ("SMALLINT", TYPES),
    ("REAL", TYPES),
    ("NUMERIC", TYPES),
    ("DECIMAL", TYPES),
    ("VARCHAR", TYPES),
    ("BLOB", TYPES),
    ("ARRAY", "Make rows of it"),
    ("STRING_AGG", "Join in the program"),
    ("TRIGGER", "Write it in ops.rs, in the same transaction"),
    ("PROCEDURE", "Write it in ops.rs"),
    ("FUNCTION", "Write it in ops.rs"),
    ("LISTEN", "Tell others through the platform"),
    ("NOTIFY", "Tell others through the platform"),
    ("ILIKE", "Keep a normalised column and compare that"),
];

/// Of those, the ones that are fine names in lower case (a column `blob`): keywords and types are written in capitals.
const ALSO_NAMES: &[&str] = &[
    "BLOB", "UUID", "JSON", "INT", "REAL", "ARRAY", "FUNCTION", "TRIGGER", "LISTEN", "NOTIFY",
];

/// Words that follow one another.
const PHRASES: &[(&[&str], &str)] = &[
    (&[":", ":"], "Write CAST(x AS type)"),
    (&["NOW", "("], "Times are handed in"),
    (&["[", "]"], "Make rows of it"),
    (
        &["FOR", "UPDATE"],
        "Every write is serializable: it needs no lock",
    ),
    (&["FOR", "SHARE"], "Every write is serializable: it needs no lock"),
    (
        &["ON", "CONFLICT", "DO"],
        "Name the target: ON CONFLICT (column) DO ...",
    ),
    (
        &["ON", "CONFLICT", "ON"],
        "Name the target: ON CONFLICT (column) DO ...",
    ),
];

/// What only one engine understands.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with(".sql")) {
        findings.extend(of_sql(path, 1, text));
    }
    for source in tree
        .sources
        .iter()
        .filter(|source| is_service_store(&source.path))
    {
        for token in &source.tokens {
            if let Some(statement) = token.string.as_deref().filter(|text| is_statement(text)) {
                findings.extend(of_sql(&source.path, token.line, statement));
            }
        }
    }
    findings
}

/// Findings in a text that begins at `first_line` of its file.
fn of_sql(path: &str, first_line: usize, sql: &str) -> Vec<Finding> {
    let tokens = tokens(sql);
    let mut findings = Vec::new();
    let mut tell = |line: usize, what: &str, mend: &str| {
        let what = format!("`{what}` is not understood alike by every engine");
        findings.push(Finding::new(RULE, path, first_line + line, what, mend));
    };
    for (index, (line, word)) in tokens.iter().enumerate() {
        if let Some((word, mend)) = WORDS.iter().find(|(refused, _)| is_word(word, refused)) {
            tell(*line, word, mend);
        }
        for (phrase, mend) in PHRASES {
            let rest = &tokens[index..];
            let same = |((_, word), wanted): (&(usize, String), &&str)| word.eq_ignore_ascii_case(wanted);
            if rest.len() >= phrase.len() && rest.iter().zip(*phrase).all(same) {
                tell(*line, &phrase.join(" "), mend);
            }
        }
    }
    findings
}

fn is_word(word: &str, refused: &str) -> bool {
    word == refused || (word.eq_ignore_ascii_case(refused) && !ALSO_NAMES.contains(&refused))
}

/// Words and single marks, with their lines from 0; without comments and quoted texts.
fn tokens(sql: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let mut letters = sql.chars().peekable();
    let mut line = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line += 1,
            '-' if letters.peek() == Some(&'-') => while letters.next_if(|next| *next != '\n').is_some() {},
            '/' if letters.peek() == Some(&'*') => {
                let mut before = ' ';
                for next in letters.by_ref() {
                    line += usize::from(next == '\n');
                    if before == '*' && next == '/' {
                        break;
                    }
                    before = next;
                }
            }
            '\'' | '"' => {
                let inside = letters.by_ref().take_while(|next| *next != letter);
                line += inside.filter(|next| *next == '\n').count();
            }
            _ if letter.is_alphanumeric() || letter == '_' => {
                let mut word = letter.to_string();
                while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                tokens.push((line, word));
            }
            _ if letter.is_whitespace() => {}
            mark => tokens.push((line, mark.to_string())),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::{Tree, check};

    fn told(sql: &str) -> Vec<String> {
        let tree = Tree::of(&[("services/pay/migrations/0001_account.sql", sql)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_one_engine_alone_knows_is_told() {
        for sql in [
            "SELECT a::BIGINT FROM b",
            "INSERT INTO a VALUES (now())",
            "CREATE TABLE a (b JSONB NOT NULL)",
            "CREATE TABLE a (b bigserial)",
            "CREATE TABLE a (b SERIAL)",
            "CREATE TABLE a (b TIMESTAMP)",
            "CREATE TABLE a (b TEXT[])",
            "SELECT ARRAY(SELECT 1)",
            "CREATE TRIGGER a",
            "SELECT 1 FROM a FOR UPDATE",
            "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
            "INSERT INTO a VALUES (1) ON CONFLICT ON CONSTRAINT b DO NOTHING",
            "CREATE TABLE a (b INTEGER)",
        ] {
            assert_eq!(told(sql).len(), 1, "{sql}");
        }
    }

    #[test]
    fn portable_sql_is_right() {
        let sql = "-- now() in a comment\n/* JSONB\n in another */\nCREATE TABLE a (json_text TEXT NOT NULL DEFAULT 'now()', blob BYTEA);\n\
            INSERT INTO a VALUES ($1) ON CONFLICT (b) DO UPDATE SET c = excluded.c;\nCREATE INDEX d ON a (printed_at);";
        assert_eq!(told(sql), Vec::<String>::new());
    }

    #[test]
    fn the_line_is_right_after_comments_and_texts() {
        let told = told("-- a\n/* b\n*/ SELECT '\n', c::TEXT");
        assert!(
            told[0].starts_with("services/pay/migrations/0001_account.sql:4: [portable-sql]"),
            "{told:?}"
        );
    }

    #[test]
    fn statements_in_a_services_store_are_read_too() {
        let text = "const A: &str = \"\nSELECT a::BIGINT FROM b\";\nconst C: &str = \"now()\";";
        let findings = |path: &str| check(&Tree::of(&[(path, text)]));
        assert_eq!(findings("services/pay/src/store.rs").len(), 1);
        assert_eq!(findings("services/pay/src/store.rs")[0].line, 2);
        assert_eq!(
            findings("platform/store/src/lib.rs").len(),
            0,
            "the store itself speaks to each engine"
        );
    }
}
