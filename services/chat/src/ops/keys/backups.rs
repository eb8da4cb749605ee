//! Backups of message keys (client-server API, "Server-side key backups"), encrypted by their owners.

use std::collections::BTreeMap;

use haechi_base::{Actor, PersonId};
use haechi_store::{Tx, WriteKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Chat;
use crate::model::limits::{BACKUP_KEYS_MAX, BACKUPS_MAX, KEY_DATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{BackedUpKey, ChatError, raw_json};
use crate::store::keys::backups::{self, Backup, Chosen};

/// A backup, as its owner is told of it.
#[derive(Debug, Serialize)]
pub(crate) struct BackupInfo {
    algorithm: String,
    auth_data: Box<RawValue>,
    count: i64,
    etag: String,
    version: String,
}

/// Where a backup stands after a change.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChangedBackup {
    count: i64,
    etag: String,
}

/// Keys by room and session.
pub(crate) type BackupKeys = BTreeMap<String, BTreeMap<String, Box<RawValue>>>;

impl Chat {
    /// Begins another backup; returns its version.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn create_backup(
        &self,
        actor: &Actor,
        algorithm: String,
        auth_data: Box<RawValue>,
    ) -> Result<String, ChatError> {
        check_auth_data(&algorithm, &auth_data)?;
        let person = actor.person;
        let version: i64 = self
            .store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let (count, last) = backups::last_version(tx, person).await?;
                if count >= BACKUPS_MAX {
                    return Err(ChatError::TooLarge(format!(
                        "a person has at most {BACKUPS_MAX} backups in their life"
                    )));
                }
                backups::add(tx, person, last + 1, &algorithm, auth_data.get()).await?;
                Ok(last + 1)
            })
            .await?;
        Ok(version.to_string())
    }

    /// A backup of the actor, or their newest.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn backup(
        &self,
        actor: &Actor,
        version: Option<String>,
    ) -> Result<BackupInfo, ChatError> {
        let person = actor.person;
        let found = self
            .read(async move |tx: &mut Tx<'_>| match &version {
                Some(version) => find(tx, person, version).await,
                None => backups::newest(tx, person).await?.ok_or_else(no_backup),
            })
            .await?;
        Ok(BackupInfo {
            algorithm: found.algorithm,
            auth_data: raw_json(found.auth_data),
            count: found.key_count,
            etag: found.etag.to_string(),
            version: found.version.to_string(),
        })
    }

    /// Gives a backup other `auth_data`; its algorithm stays.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn update_backup(
        &self,
        actor: &Actor,
        version: String,
        algorithm: String,
        auth_data: Box<RawValue>,
    ) -> Result<(), ChatError> {
        check_auth_data(&algorithm, &auth_data)?;
        let person = actor.person;
        self.write(async move |tx: &mut Tx<'_>| {
            let found = find(tx, person, &version).await?;
            if found.algorithm != algorithm {
                return Err(ChatError::invalid("the algorithm of a backup does not change"));
            }
            Ok(backups::set_auth_data(tx, person, found.version, auth_data.get()).await?)
        })
        .await
    }

    /// Deletes a backup with its keys; deleted already, it stays so.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] for a version that never was, and [`ChatError::Store`].
    pub(crate) async fn delete_backup(&self, actor: &Actor, version: String) -> Result<(), ChatError> {
        let person = actor.person;
        self.write(async move |tx: &mut Tx<'_>| {
            let version = number(&version)?;
            let (_, last) = backups::last_version(tx, person).await?;
            if version > last {
                return Err(no_backup());
            }
            Ok(backups::delete(tx, person, version).await?)
        })
        .await
    }

    /// Puts keys into the newest backup, where they are new or better than what is there.
    ///
    /// # Errors
    /// [`ChatError::WrongBackupVersion`], [`ChatError::NotFound`], [`ChatError::InvalidParameter`],
    /// [`ChatError::BadJson`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn put_backup_keys(
        &self,
        actor: &Actor,
        version: String,
        keys: BackupKeys,
    ) -> Result<ChangedBackup, ChatError> {
        let keys = keys
            .iter()
            .flat_map(|(room_id, sessions)| sessions.iter().map(move |session| (room_id, session)))
            .map(|(room_id, (session_id, data))| BackedUpKey::check(room_id, session_id, data))
            .collect::<Result<Vec<_>, _>>()?;
        let person = actor.person;
        // Keyed, so that a commit whose outcome was not known is not counted twice.
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let newest = backups::newest(tx, person).await?.ok_or_else(no_backup)?;
                if newest.version.to_string() != version {
                    return Err(ChatError::WrongBackupVersion(newest.version.to_string()));
                }
                let (new, better) = backups::put_keys(tx, person, newest.version, &keys).await?;
                if newest.key_count + new > BACKUP_KEYS_MAX {
                    return Err(ChatError::TooLarge(format!(
                        "a backup has at most {BACKUP_KEYS_MAX} keys"
                    )));
                }
                changed(tx, person, &newest, new, new + better > 0).await
            })
            .await
    }

    /// Keys of a backup.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn backup_keys(
        &self,
        actor: &Actor,
        version: String,
        chosen: Chosen,
    ) -> Result<BackupKeys, ChatError> {
        let person = actor.person;
        let (rows, chosen) = self
            .read(async move |tx: &mut Tx<'_>| {
                let backup = find(tx, person, &version).await?;
                let rows = backups::keys(tx, person, backup.version, &chosen).await?;
                Ok((rows, chosen.clone()))
            })
            .await?;
        if rows.is_empty() && matches!(chosen, Chosen::One(..)) {
            return Err(ChatError::not_found("there is no such key in this backup"));
        }
        let mut keys = BackupKeys::new();
        for (room_id, session_id, data) in rows {
            keys.entry(room_id)
                .or_default()
                .insert(session_id, raw_json(data));
        }
        Ok(keys)
    }

    /// Deletes keys of a backup.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn delete_backup_keys(
        &self,
        actor: &Actor,
        version: String,
        chosen: Chosen,
    ) -> Result<ChangedBackup, ChatError> {
        let person = actor.person;
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let backup = find(tx, person, &version).await?;
                let deleted = backups::delete_keys(tx, person, backup.version, &chosen).await?;
                let fewer = i64::try_from(deleted).unwrap_or(i64::MAX);
                changed(tx, person, &backup, -fewer, deleted > 0).await
            })
            .await
    }
}

fn no_backup() -> ChatError {
    ChatError::not_found("there is no such backup")
}

/// Versions are written as plain numbers from 1; anything else names none.
fn number(version: &str) -> Result<i64, ChatError> {
    let number = version.parse().ok().filter(|number: &i64| *number > 0);
    number
        .filter(|number| number.to_string() == version)
        .ok_or_else(no_backup)
}

async fn find(tx: &mut Tx<'_>, person: PersonId, version: &str) -> Result<Backup, ChatError> {
    let found = backups::find(tx, person, number(version)?).await?;
    found.ok_or_else(no_backup)
}

async fn changed(
    tx: &mut Tx<'_>,
    person: PersonId,
    backup: &Backup,
    new: i64,
    has_changed: bool,
) -> Result<ChangedBackup, ChatError> {
    let (etag, count) = if has_changed {
        backups::count_change(tx, person, backup.version, new).await?
    } else {
        (backup.etag, backup.key_count)
    };
    Ok(ChangedBackup {
        count,
        etag: etag.to_string(),
    })
}

fn check_auth_data(algorithm: &str, auth_data: &RawValue) -> Result<(), ChatError> {
    if !(1..=NAME_BYTES_MAX).contains(&algorithm.len()) {
        return Err(ChatError::invalid(format!(
            "the name of an algorithm has 1 to {NAME_BYTES_MAX} bytes"
        )));
    }
    if auth_data.get().len() > KEY_DATA_BYTES_MAX {
        return Err(ChatError::TooLarge(format!(
            "the auth_data of a backup has at most {KEY_DATA_BYTES_MAX} bytes"
        )));
    }
    if !auth_data.get().starts_with('{') {
        return Err(ChatError::bad_json("auth_data is an object"));
    }
    Ok(())
}
