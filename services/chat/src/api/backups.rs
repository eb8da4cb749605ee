//! Backups of message keys (client-server API, "Server-side key backups").

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::backup as endpoints;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::ruma::{Path, Query, Who};
use crate::Chat;
use crate::ops::{BackupInfo, BackupKeys, ChangedBackup, Chosen};

type Answer = Result<Json<Value>, MatrixError>;
type Changed = Result<Json<ChangedBackup>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    use endpoints::*;
    let router = Router::new();
    let router = endpoint::<create_backup_version::v3::Request, _, _>(router, create);
    let router = endpoint::<get_latest_backup_info::v3::Request, _, _>(router, newest);
    let router = endpoint::<get_backup_info::v3::Request, _, _>(router, show);
    let router = endpoint::<update_backup_version::v3::Request, _, _>(router, update);
    let router = endpoint::<delete_backup_version::v3::Request, _, _>(router, delete);
    let router = endpoint::<add_backup_keys::v3::Request, _, _>(router, put_all);
    let router = endpoint::<get_backup_keys::v3::Request, _, _>(router, get_all);
    let router = endpoint::<delete_backup_keys::v3::Request, _, _>(router, delete_all);
    let router = endpoint::<add_backup_keys_for_room::v3::Request, _, _>(router, put_of_room);
    let router = endpoint::<get_backup_keys_for_room::v3::Request, _, _>(router, get_of_room);
    let router = endpoint::<delete_backup_keys_for_room::v3::Request, _, _>(router, delete_of_room);
    let router = endpoint::<add_backup_keys_for_session::v3::Request, _, _>(router, put_one);
    let router = endpoint::<get_backup_keys_for_session::v3::Request, _, _>(router, get_one);
    endpoint::<delete_backup_keys_for_session::v3::Request, _, _>(router, delete_one)
}

#[derive(Deserialize)]
struct Described {
    algorithm: String,
    auth_data: Box<RawValue>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The keys of a room.
#[derive(Serialize, Deserialize)]
struct OfRoom {
    sessions: BTreeMap<String, Box<RawValue>>,
}

/// The keys of all rooms.
#[derive(Serialize, Deserialize)]
struct OfAll {
    rooms: BTreeMap<String, OfRoom>,
}

async fn create(State(chat): State<Chat>, Who(actor): Who, Read(described): Read<Described>) -> Answer {
    let version = chat
        .create_backup(&actor, described.algorithm, described.auth_data)
        .await?;
    Ok(Json(json!({ "version": version })))
}

async fn newest(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<BackupInfo>, MatrixError> {
    Ok(Json(chat.backup(&actor, None).await?))
}

async fn show(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(version): Path<String>,
) -> Result<Json<BackupInfo>, MatrixError> {
    Ok(Json(chat.backup(&actor, Some(version)).await?))
}

async fn update(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(version): Path<String>,
    Read(described): Read<Described>,
) -> Answer {
    if described.version.is_some_and(|named| named != version) {
        return Err(MatrixError::invalid_parameter(
            "the body names another version than the address",
        ));
    }
    chat.update_backup(&actor, version, described.algorithm, described.auth_data)
        .await?;
    Ok(Json(json!({})))
}

async fn delete(State(chat): State<Chat>, Who(actor): Who, Path(version): Path<String>) -> Answer {
    chat.delete_backup(&actor, version).await?;
    Ok(Json(json!({})))
}

async fn put_all(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(Version { version }): Query<Version>,
    Read(keys): Read<OfAll>,
) -> Changed {
    let keys = keys.rooms.into_iter();
    let keys = keys
        .map(|(room_id, of_room)| (room_id, of_room.sessions))
        .collect();
    Ok(Json(chat.put_backup_keys(&actor, version, keys).await?))
}

async fn put_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(room_id): Path<String>,
    Query(Version { version }): Query<Version>,
    Read(keys): Read<OfRoom>,
) -> Changed {
    let keys = BackupKeys::from([(room_id, keys.sessions)]);
    Ok(Json(chat.put_backup_keys(&actor, version, keys).await?))
}

async fn put_one(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(Version { version }): Query<Version>,
    Read(key): Read<Box<RawValue>>,
) -> Changed {
    let keys = BackupKeys::from([(room_id, BTreeMap::from([(session_id, key)]))]);
    Ok(Json(chat.put_backup_keys(&actor, version, keys).await?))
}

async fn get_all(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(Version { version }): Query<Version>,
) -> Result<Json<OfAll>, MatrixError> {
    let keys = chat.backup_keys(&actor, version, Chosen::All).await?;
    let rooms = keys.into_iter();
    let rooms = rooms
        .map(|(room_id, sessions)| (room_id, OfRoom { sessions }))
        .collect();
    Ok(Json(OfAll { rooms }))
}

async fn get_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(room_id): Path<String>,
    Query(Version { version }): Query<Version>,
) -> Result<Json<OfRoom>, MatrixError> {
    let mut keys = chat
        .backup_keys(&actor, version, Chosen::OfRoom(room_id.clone()))
        .await?;
    let sessions = keys.remove(&room_id).unwrap_or_default();
    Ok(Json(OfRoom { sessions }))
}

async fn get_one(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(Version { version }): Query<Version>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    let chosen = Chosen::One(room_id.clone(), session_id.clone());
    let mut keys = chat.backup_keys(&actor, version, chosen).await?;
    let key = keys
        .get_mut(&room_id)
        .and_then(|sessions| sessions.remove(&session_id));
    key.map(Json)
        .ok_or_else(|| MatrixError::not_found("there is no such key in this backup"))
}

async fn delete_all(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(Version { version }): Query<Version>,
) -> Changed {
    Ok(Json(chat.delete_backup_keys(&actor, version, Chosen::All).await?))
}

async fn delete_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(room_id): Path<String>,
    Query(Version { version }): Query<Version>,
) -> Changed {
    let chosen = Chosen::OfRoom(room_id);
    Ok(Json(chat.delete_backup_keys(&actor, version, chosen).await?))
}

async fn delete_one(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, session_id)): Path<(String, String)>,
    Query(Version { version }): Query<Version>,
) -> Changed {
    let chosen = Chosen::One(room_id, session_id);
    Ok(Json(chat.delete_backup_keys(&actor, version, chosen).await?))
}
