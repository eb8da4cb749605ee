//! Cross-signing keys, and signatures that came after the keys they sign.

use haechi_base::PersonId;
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

use crate::model::{CrossSigningKey, Signature};

const PUT: &str = "
    INSERT INTO chat_cross_signing_key (person, usage, public_key, keys) VALUES ($1, $2, $3, $4)
    ON CONFLICT (person, usage) DO UPDATE SET public_key = excluded.public_key, keys = excluded.keys";
const OF_PEOPLE: &str = "
    SELECT person, usage, public_key, keys FROM chat_cross_signing_key WHERE person IN";
const PUT_SIGNATURES: &str = "
    INSERT INTO chat_signature (pair, target, signer_key, signature) VALUES";
const PUT_SIGNATURES_AFTER: &str = "
    ON CONFLICT (pair, target, signer_key) DO UPDATE SET signature = excluded.signature";
const SIGNATURES: &str = "SELECT pair, target, signer_key, signature FROM chat_signature WHERE pair IN";
const FORGET_SIGNATURES: &str = "DELETE FROM chat_signature WHERE pair = $1";

/// Names who signed and whose key it is, in one column, so that many are found by one IN list.
pub(crate) fn pair(signer: PersonId, owner: PersonId) -> Vec<u8> {
    [
        signer.uuid().as_bytes().as_slice(),
        owner.uuid().as_bytes().as_slice(),
    ]
    .concat()
}

/// Keeps cross-signing keys in the place of those before.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    keys: &[CrossSigningKey],
) -> Result<(), StoreError> {
    let statements: Vec<Statement> = keys
        .iter()
        .map(|key| {
            let usage = key.usage.as_str();
            Statement::new(PUT, &[&person, &usage, &key.public_key, &key.text])
        })
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// The cross-signing keys of these people.
pub(crate) async fn of_people(
    tx: &mut Tx<'_>,
    people: &[PersonId],
) -> Result<Vec<(PersonId, CrossSigningKey)>, StoreError> {
    let rows = tx.query_in(OF_PEOPLE, people, "").await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(PersonId, CrossSigningKey), StoreError> {
    let word: String = row.get("usage")?;
    let usage = word.parse().map_err(|()| StoreError::Type {
        expected: "the usage of a cross-signing key".to_owned(),
        found: word,
    })?;
    let key = CrossSigningKey {
        usage,
        public_key: row.get("public_key")?,
        text: row.get("keys")?,
    };
    Ok((row.get("person")?, key))
}

/// Keeps signatures; each signing key signs a target once.
pub(crate) async fn put_signatures(tx: &mut Tx<'_>, signatures: &[Signature]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = signatures
        .iter()
        .map(|signature| {
            vec![
                Value::Bytes(pair(signature.signer, signature.owner).into()),
                signature.target.to_value(),
                signature.signer_key.to_value(),
                signature.signature.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT_SIGNATURES, &rows, PUT_SIGNATURES_AFTER)
        .await
        .map(drop)
}

/// What these people signed of one another: (who signed, whose key it is).
pub(crate) async fn signatures(
    tx: &mut Tx<'_>,
    pairs: &[(PersonId, PersonId)],
) -> Result<Vec<Signature>, StoreError> {
    let keys: Vec<Vec<u8>> = pairs
        .iter()
        .map(|(signer, owner)| pair(*signer, *owner))
        .collect();
    let rows = tx.query_in(SIGNATURES, &keys, "").await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let key: Vec<u8> = row.get("pair")?;
        // Of a pair that was asked for, so it is always found.
        if let Some(place) = keys.iter().position(|asked| *asked == key) {
            let (signer, owner) = pairs[place];
            found.push(Signature {
                signer,
                owner,
                target: row.get("target")?,
                signer_key: row.get("signer_key")?,
                signature: row.get("signature")?,
            });
        }
    }
    Ok(found)
}

/// Forgets what a person signed of their own.
pub(crate) async fn forget_own_signatures(tx: &mut Tx<'_>, person: PersonId) -> Result<(), StoreError> {
    tx.execute(FORGET_SIGNATURES, &[&pair(person, person)])
        .await
        .map(drop)
}
