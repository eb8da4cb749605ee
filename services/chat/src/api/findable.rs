//! Friends from the phone book: `/api/chat/friends/match`, and the switch of who is found by it.

use axum::extract::State;
use haechi_http::{Json, Problem, SignedIn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::friends::{Friend, told};
use crate::Chat;
use crate::model::limits::MATCH_HASHES_MAX;

/// How numbers are hashed here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PepperDocument {
    /// What goes before a number: SHA-256 of this text followed by the number in E.164, in hex, is its hash.
    pepper: String,
    /// Most hashes in one request.
    hashes_max: usize,
}

/// The hashed numbers of a phone book.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchRequest {
    /// Each 64 hex digits; at most 1,000.
    #[schema(max_items = 1_000)]
    hashes: Vec<String>,
}

/// Somebody of the phone book who allows being found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MatchDocument {
    /// Which of the hashes it was.
    hash: String,
    person: Friend,
}

/// Who of the phone book is here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MatchAnswer {
    matches: Vec<MatchDocument>,
}

/// Whether one is found by one's number.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Discovery {
    /// Off until the person switches it on.
    findable_by_phone: bool,
}

/// What numbers are hashed with here.
#[utoipa::path(get, path = "/api/chat/friends/pepper", tag = "chat",
    responses((status = 200, body = PepperDocument)))]
pub(super) async fn find_pepper(
    State(chat): State<Chat>,
    SignedIn(_actor): SignedIn,
) -> Json<PepperDocument> {
    Json(PepperDocument {
        pepper: chat.phone_pepper(),
        hashes_max: MATCH_HASHES_MAX,
    })
}

/// Tells who of a phone book is here and allows being found. Nobody is put on a list by it.
#[utoipa::path(post, path = "/api/chat/friends/match", tag = "chat", request_body = MatchRequest,
    responses((status = 200, body = MatchAnswer)))]
pub(super) async fn match_friends(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Json(request): Json<MatchRequest>,
) -> Result<Json<MatchAnswer>, Problem> {
    let hashes = request.hashes.iter().map(|hash| read_hash(hash));
    let hashes = hashes.collect::<Option<Vec<_>>>().ok_or_else(|| {
        Problem::unprocessable(
            "invalid-body",
            "A hash is 64 hex digits, the SHA-256 of pepper and number.",
        )
    })?;
    let found = chat.match_friends(&actor, hashes).await?;
    let matches = found.into_iter().map(|found| MatchDocument {
        hash: written(&found.hash),
        person: told(&chat, found.friend),
    });
    Ok(Json(MatchAnswer {
        matches: matches.collect(),
    }))
}

/// Whether one is found by one's number.
#[utoipa::path(get, path = "/api/chat/settings/discovery", tag = "chat",
    responses((status = 200, body = Discovery)))]
pub(super) async fn find_discovery(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Discovery>, Problem> {
    let findable_by_phone = chat.is_findable(&actor).await?;
    Ok(Json(Discovery { findable_by_phone }))
}

/// Lets oneself be found by one's number, or not.
#[utoipa::path(put, path = "/api/chat/settings/discovery", tag = "chat", request_body = Discovery,
    responses((status = 200, body = Discovery)))]
pub(super) async fn set_discovery(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Json(wish): Json<Discovery>,
) -> Result<Json<Discovery>, Problem> {
    chat.set_findable(&actor, wish.findable_by_phone).await?;
    Ok(Json(wish))
}

fn read_hash(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn written(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
