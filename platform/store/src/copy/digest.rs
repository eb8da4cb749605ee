//! The checksum of a table: SHA-256 over its rows in the order of their keys, each written in one way whatever
//! engine it comes from.

use sha2::{Digest as _, Sha256};

use super::schema::Table;
use super::{Row, TableSum};
use crate::value::Value;

/// Counts rows and takes their checksum as they pass.
pub(super) struct Digest {
    table: String,
    rows: u64,
    hash: Sha256,
}

impl Digest {
    pub(super) fn of(table: &Table) -> Self {
        let mut hash = Sha256::new();
        text(&mut hash, &table.name);
        for column in &table.columns {
            text(&mut hash, &column.name);
        }
        Self {
            table: table.name.clone(),
            rows: 0,
            hash,
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.hash.update((row.len() as u64).to_be_bytes());
        for field in row {
            value(&mut self.hash, field);
        }
    }

    pub(super) fn finish(self) -> TableSum {
        let sum = self.hash.finalize();
        TableSum {
            table: self.table,
            rows: self.rows,
            sha256: sum.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// A byte for the type comes first and a length before what has one, so that no two rows are written alike.
fn value(hash: &mut Sha256, field: &Value<'_>) {
    match field {
        Value::Null => hash.update([0]),
        Value::Bool(flag) => hash.update([1, u8::from(*flag)]),
        Value::Integer(number) => {
            hash.update([2]);
            hash.update(number.to_be_bytes());
        }
        Value::Real(number) => {
            // SQLite keeps no sign of zero: both zeros are the same number and are written alike.
            let number = if *number == 0.0 { 0.0 } else { *number };
            hash.update([3]);
            hash.update(number.to_bits().to_be_bytes());
        }
        Value::Text(words) => {
            hash.update([4]);
            text(hash, words);
        }
        Value::Bytes(bytes) => {
            hash.update([5]);
            counted(hash, bytes);
        }
    }
}

fn text(hash: &mut Sha256, words: &str) {
    counted(hash, words.as_bytes());
}

fn counted(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn sum(rows: &[Row]) -> TableSum {
        let table = Table {
            name: "note".to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
            parents: Vec::new(),
        };
        let mut digest = Digest::of(&table);
        rows.iter().for_each(|row| digest.add(row));
        digest.finish()
    }

    #[test]
    fn what_differs_in_one_value_or_in_where_it_ends_has_another_sum() {
        let word = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let plain = sum(&[vec![word("ab"), word("c")]]);
        assert_eq!((plain.rows, plain.sha256.len()), (1, 64));
        for other in [
            vec![vec![word("a"), word("bc")]],
            vec![vec![word("ab"), Value::Null]],
            vec![vec![word("ab")], vec![word("c")]],
            vec![vec![word("ab"), Value::Bytes(Cow::Borrowed(b"c"))]],
        ] {
            assert_ne!(sum(&other).sha256, plain.sha256, "{other:?}");
        }
        assert_ne!(sum(&[vec![Value::Bool(true)]]), sum(&[vec![Value::Integer(1)]]));
        assert_eq!(sum(&[vec![Value::Real(0.0)]]), sum(&[vec![Value::Real(-0.0)]]));
    }
}
