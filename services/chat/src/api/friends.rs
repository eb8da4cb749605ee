//! The list of friends: `/api/chat/friends`, one-sided and by number or user id.

use axum::extract::State;
use axum::response::IntoResponse;
use haechi_base::PersonId;
use haechi_http::{Json, Page, PageQuery, Path, Problem, Query, SignedIn};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::limits::{MEDIA_BUSY_WAIT, UPLOADS_WAIT};
use crate::{Chat, ChatError};

/// A friend.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Friend {
    /// The person.
    person_id: PersonId,
    /// The person as Matrix names them.
    #[schema(example = "@0193a0b0c0d07000800000000000000a:localhost")]
    user_id: String,
    /// The name they go by.
    display_name: String,
    /// Their picture, as an `mxc://` URI.
    avatar_url: Option<String>,
}

/// Whom to put on the list: by number or by user id.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFriend {
    /// Their number, as people write it.
    #[serde(default)]
    #[schema(example = "010-1000-0002")]
    phone: Option<String>,
    /// Or their user id.
    #[serde(default)]
    user_id: Option<String>,
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let detail = error.to_string();
        match error {
            ChatError::Store(error) => error.into(),
            ChatError::Forbidden(_) => Self::forbidden("not-allowed", detail),
            ChatError::NotFound(_) => Self::not_found("no-such-person", detail),
            ChatError::UploadsUsedUp => Self::too_many_requests(UPLOADS_WAIT),
            ChatError::NumberNotFound => Self::not_found("no-such-person", detail),
            ChatError::RoomInUse(_) | ChatError::AliasTaken(_) => Self::conflict("alias-taken", detail),
            ChatError::GuestsForbidden => Self::forbidden("no-guests", detail),
            ChatError::MediaBusy => Self::unavailable(MEDIA_BUSY_WAIT, detail),
            ChatError::TooOften(wait) => Self::too_many_requests(wait),
            ChatError::NotOffered => Self::not_found("not-offered", detail),
            ChatError::TooLarge(_) => Self::unprocessable("too-large", detail),
            ChatError::InvalidParameter(_)
            | ChatError::BadJson(_)
            | ChatError::BadAlias(_)
            | ChatError::MediumNotSupported(_)
            | ChatError::DelayTooLong
            | ChatError::DuplicateAnnotation
            | ChatError::KeyTooLarge
            | ChatError::ProfileTooLarge
            | ChatError::TooManyDelayed
            | ChatError::CannotOverwriteMedia
            | ChatError::NoPicture
            | ChatError::NoPreview
            | ChatError::NotYetUploaded
            | ChatError::Unknown(_)
            | ChatError::UnknownPosition
            | ChatError::InvalidRoomState(_)
            | ChatError::UnsupportedRoomVersion(_)
            | ChatError::InvalidSignature(_)
            | ChatError::ConfirmationNeeded
            | ChatError::WrongBackupVersion(_) => Self::unprocessable("invalid-body", detail),
        }
    }
}

pub(super) fn told(chat: &Chat, friend: crate::ops::Friend) -> Friend {
    Friend {
        person_id: friend.person,
        user_id: chat.user_id(friend.person),
        display_name: friend.display_name,
        avatar_url: friend.avatar_url,
    }
}

/// Lists the people on one's list of friends.
#[utoipa::path(get, path = "/api/chat/friends", tag = "chat", params(PageQuery),
    responses((status = 200, body = Page<Friend>)))]
pub(super) async fn list_friends(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Friend>>, Problem> {
    let after = query.before.as_deref().map(str::parse::<PersonId>).transpose();
    let after = after.map_err(|error| Problem::bad_request("invalid-cursor", error.to_string()))?;
    let limit = query.limit();
    let friends = chat.friends(&actor, after, limit + 1).await?;
    let items = friends.into_iter().map(|friend| told(&chat, friend)).collect();
    Ok(Json(Page::from_one_more(items, limit, |friend: &Friend| {
        friend.person_id.to_string()
    })))
}

/// Puts somebody on one's list of friends; one who is there already stays there.
#[utoipa::path(post, path = "/api/chat/friends", tag = "chat", request_body = NewFriend,
    responses((status = 201, body = Friend)))]
pub(super) async fn add_friend(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Json(request): Json<NewFriend>,
) -> Result<impl IntoResponse, Problem> {
    let friend = match (request.phone, request.user_id) {
        (Some(phone), None) => chat.add_friend_by_phone(&actor, &phone).await?,
        (None, Some(user)) => chat.add_friend(&actor, chat.person(&user)?).await?,
        _ => {
            return Err(Problem::unprocessable(
                "invalid-body",
                "Send either phone or user_id.",
            ));
        }
    };
    Ok((StatusCode::CREATED, Json(told(&chat, friend))))
}

/// Takes somebody off one's list of friends.
#[utoipa::path(delete, path = "/api/chat/friends/{user_id}", tag = "chat",
    params(("user_id" = String, Path, description = "The friend's user id")),
    responses((status = 204)))]
pub(super) async fn remove_friend(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    chat.remove_friend(&actor, chat.person(&user)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
