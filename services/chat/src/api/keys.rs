//! Keys of devices and people (client-server API, "Key management API" and "Cross-signing").

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Json, Router};
use haechi_http::Caller;
use ruma::api::client::keys::{
    claim_keys, get_key_changes, get_keys, upload_keys, upload_signatures, upload_signing_keys,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::ruma::{Query, Who};
use super::uia::{Auth, Refusal, is_confirmed};
use crate::Chat;
use crate::model::Usage;
use crate::ops::{KeysPage, KeysUpload};

type Answer = Result<Json<Value>, MatrixError>;

/// Something by user id and device id.
type ByDevice<T> = BTreeMap<String, BTreeMap<String, T>>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<upload_keys::v3::Request, _, _>(router, upload);
    let router = endpoint::<get_keys::v3::Request, _, _>(router, query);
    let router = endpoint::<claim_keys::v3::Request, _, _>(router, claim);
    let router = endpoint::<get_key_changes::v3::Request, _, _>(router, changes);
    let router = endpoint::<upload_signing_keys::v3::Request, _, _>(router, upload_signing);
    endpoint::<upload_signatures::v3::Request, _, _>(router, signatures)
}

async fn upload(State(chat): State<Chat>, Who(actor): Who, Read(upload): Read<KeysUpload>) -> Answer {
    let counts = chat.upload_keys(&actor, upload).await?;
    Ok(Json(json!({ "one_time_key_counts": counts })))
}

#[derive(Deserialize)]
struct Queried {
    device_keys: BTreeMap<String, Vec<String>>,
}

async fn query(
    State(chat): State<Chat>,
    Who(actor): Who,
    Read(queried): Read<Queried>,
) -> Result<Json<KeysPage>, MatrixError> {
    Ok(Json(chat.query_keys(&actor, queried.device_keys).await?))
}

#[derive(Deserialize)]
struct Claimed {
    one_time_keys: ByDevice<String>,
}

async fn claim(State(chat): State<Chat>, Who(_): Who, Read(claimed): Read<Claimed>) -> Answer {
    let keys = chat.claim_keys(claimed.one_time_keys).await?;
    Ok(Json(json!({ "one_time_keys": keys, "failures": {} })))
}

#[derive(Deserialize)]
struct Between {
    from: String,
    to: String,
}

async fn changes(State(chat): State<Chat>, Who(actor): Who, Query(between): Query<Between>) -> Answer {
    let (changed, left) = chat.key_changes(&actor, &between.from, &between.to).await?;
    Ok(Json(json!({ "changed": changed, "left": left })))
}

#[derive(Deserialize)]
struct SigningKeys {
    auth: Option<Auth>,
    master_key: Option<Box<RawValue>>,
    self_signing_key: Option<Box<RawValue>>,
    user_signing_key: Option<Box<RawValue>>,
}

async fn upload_signing(
    State(chat): State<Chat>,
    Who(actor): Who,
    caller: Caller,
    Read(upload): Read<SigningKeys>,
) -> Result<Json<Value>, Refusal> {
    let session = upload.auth.as_ref().and_then(Auth::session);
    let is_confirmed = is_confirmed(&chat, &actor, caller, upload.auth).await?;
    let keys = [
        (Usage::Master, upload.master_key),
        (Usage::SelfSigning, upload.self_signing_key),
        (Usage::UserSigning, upload.user_signing_key),
    ];
    let keys = keys
        .into_iter()
        .filter_map(|(usage, key)| Some((usage, key?)))
        .collect();
    let kept = chat.upload_signing_keys(&actor, keys, is_confirmed).await;
    kept.map_err(|error| Refusal::from(error).in_session(session))?;
    Ok(Json(json!({})))
}

async fn signatures(
    State(chat): State<Chat>,
    Who(actor): Who,
    Read(signed): Read<ByDevice<Box<RawValue>>>,
) -> Answer {
    let failures = chat.upload_signatures(&actor, signed).await?;
    Ok(Json(json!({ "failures": failures })))
}
