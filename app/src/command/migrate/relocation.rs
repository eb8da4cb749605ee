//! `haechi migrate --from URL --to URL`: moves everything from one store to another, counted and checksummed.

use anyhow::{Context as _, Result, bail};
use haechi_base::MasterKey;
use haechi_store::{StoreUrl, TablePair, compare_stores, copy_store};
use serde_json::json;

use crate::key;
use crate::settings::Settings;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) only_check: bool,
    pub(super) json: bool,
}

pub(super) async fn run(settings: &Settings, from: &str, to: &str, asked: Asked) -> Result<()> {
    let (from, to): (StoreUrl, StoreUrl) = (from.parse().context("from")?, to.parse().context("to")?);
    let services = crate::program::migrations().await?;
    let tell = |pair: &TablePair| {
        if !asked.json {
            println!("{}", line(pair));
        }
    };
    if asked.only_check {
        let pairs = compare_stores(&from, &to, &services, tell).await?;
        return conclude(&from, &to, &pairs, None, asked.json);
    }
    let key = master_key(settings, &from, &to)?;
    let pairs = copy_store(&from, &to, &services, tell).await?;
    if let (StoreUrl::Sqlite(path), Some(key)) = (&to, &key) {
        key::keep_beside(path, key)?;
    }
    conclude(&from, &to, &pairs, key.as_ref(), asked.json)
}

/// The key that the source's secrets are sealed with, which the target's nodes need too; `None` when it is not to be
/// found here.
fn master_key(settings: &Settings, from: &StoreUrl, to: &StoreUrl) -> Result<Option<MasterKey>> {
    let given = key::given(settings)?;
    let kept = |url: &StoreUrl| match url {
        StoreUrl::Sqlite(path) => key::kept_beside(path),
        StoreUrl::Postgres(_) => Ok(None),
    };
    let source = kept(from)?;
    let key = match (given, source) {
        (Some(given), Some(source)) if key::fingerprint(&given) != key::fingerprint(&source) => {
            bail!("the master key given is not the one beside the source: unset it, or give that one")
        }
        (given, source) => given.or(source),
    };
    match (&key, kept(to)?) {
        (Some(key), Some(other)) if key::fingerprint(key) != key::fingerprint(&other) => {
            bail!("the master key beside the target is another than the source's: move it away first")
        }
        (None, None) if matches!(to, StoreUrl::Sqlite(_)) => {
            bail!(
                "the source's master key is needed, to be kept beside the target: give it by master-key-file"
            )
        }
        _ => Ok(key),
    }
}

fn line(pair: &TablePair) -> String {
    let rows = if pair.source.rows == pair.target.rows {
        pair.source.rows.to_string()
    } else {
        format!("{} and {}", pair.source.rows, pair.target.rows)
    };
    let verdict = if pair.is_equal() { "same" } else { "DIFFERENT" };
    let sum = pair.source.sha256.get(..16).unwrap_or_default();
    format!("{:<28} {rows:>12}  {sum}  {verdict}", pair.source.table)
}

/// Tells the sums and, of a move, which key its nodes need.
fn conclude(
    from: &StoreUrl,
    to: &StoreUrl,
    pairs: &[TablePair],
    key: Option<&MasterKey>,
    as_json: bool,
) -> Result<()> {
    let rows: u64 = pairs.iter().map(|pair| pair.source.rows).sum();
    let different: Vec<&str> = pairs
        .iter()
        .filter(|pair| !pair.is_equal())
        .map(|pair| pair.source.table.as_str())
        .collect();
    let fingerprint = key.map(key::fingerprint);
    if as_json {
        let object = json!({
            "from": format!("{from:?}"), "to": format!("{to:?}"), "tables": pairs, "rows": rows,
            "different": different, "key_fingerprint": fingerprint,
        });
        println!("{object}");
    } else {
        println!("{} tables, {rows} rows", pairs.len());
        match &fingerprint {
            Some(fingerprint) => println!("every node needs the master key {fingerprint}, as the source did"),
            None => println!("every node needs the master key that the source's nodes have"),
        }
    }
    if !different.is_empty() {
        bail!("the two sides differ in {}", different.join(", "));
    }
    Ok(())
}
