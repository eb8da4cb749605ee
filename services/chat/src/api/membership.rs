//! Coming, going, asking in and putting out (client-server API, "Room membership").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::Actor;
use ruma::api::client::knock::knock_room;
use ruma::api::client::membership::{
    ban_user, forget_room, get_member_events, invite_user, join_room_by_id, join_room_by_id_or_alias,
    joined_members, joined_rooms, kick_user, leave_room, unban_user,
};
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Signed, Who};
use crate::Chat;
use crate::ops::MembershipChange;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<join_room_by_id::v3::Request, _, _>(router, join);
    let router = endpoint::<join_room_by_id_or_alias::v3::Request, _, _>(router, join_by_id_or_alias);
    let router = endpoint::<knock_room::v3::Request, _, _>(router, knock);
    let router = endpoint::<leave_room::v3::Request, _, _>(router, leave);
    let router = endpoint::<invite_user::v3::Request, _, _>(router, invite);
    let router = endpoint::<kick_user::v3::Request, _, _>(router, kick);
    let router = endpoint::<ban_user::v3::Request, _, _>(router, ban);
    let router = endpoint::<unban_user::v3::Request, _, _>(router, unban);
    let router = endpoint::<forget_room::v3::Request, _, _>(router, forget);
    let router = endpoint::<joined_rooms::v3::Request, _, _>(router, rooms);
    let router = endpoint::<joined_members::v3::Request, _, _>(router, joined);
    endpoint::<get_member_events::v3::Request, _, _>(router, members)
}

async fn change(
    chat: &Chat,
    actor: &Actor,
    room_id: &str,
    user: Option<&str>,
    change: MembershipChange,
    reason: Option<String>,
) -> Answer {
    let person = user.map_or(Ok(actor.person), |user| chat.person(user))?;
    chat.change_membership(actor, room_id.to_owned(), person, change, reason)
        .await?;
    Ok(Json(match change {
        MembershipChange::Join | MembershipChange::Knock => json!({ "room_id": room_id }),
        _ => json!({}),
    }))
}

async fn join(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<join_room_by_id::v3::Request>,
) -> Answer {
    let room_id = request.room_id.as_str();
    change(
        &chat,
        &actor,
        room_id,
        None,
        MembershipChange::Join,
        request.reason,
    )
    .await
}

async fn join_by_id_or_alias(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<join_room_by_id_or_alias::v3::Request>,
) -> Answer {
    let room_id = chat.room_named(request.room_id_or_alias.as_str()).await?;
    change(
        &chat,
        &actor,
        &room_id,
        None,
        MembershipChange::Join,
        request.reason,
    )
    .await
}

async fn knock(State(chat): State<Chat>, Signed(actor, request): Signed<knock_room::v3::Request>) -> Answer {
    let room_id = chat.room_named(request.room_id_or_alias.as_str()).await?;
    change(
        &chat,
        &actor,
        &room_id,
        None,
        MembershipChange::Knock,
        request.reason,
    )
    .await
}

async fn leave(State(chat): State<Chat>, Signed(actor, request): Signed<leave_room::v3::Request>) -> Answer {
    change(
        &chat,
        &actor,
        request.room_id.as_str(),
        None,
        MembershipChange::Leave,
        request.reason,
    )
    .await
}

async fn invite(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<invite_user::v3::Request>,
) -> Answer {
    use invite_user::v3::InvitationRecipient;
    let (user, reason) = match &request.recipient {
        InvitationRecipient::UserId(recipient) => (recipient.user_id.to_string(), recipient.reason.clone()),
        InvitationRecipient::ThirdPartyId(address) => {
            let person = chat.person_of_address(&actor, address.medium.as_str(), &address.address);
            (chat.user_id(person.await?), None)
        }
        _ => {
            return Err(MatrixError::invalid_parameter(
                "people are invited by their user id or phone number",
            ));
        }
    };
    change(
        &chat,
        &actor,
        request.room_id.as_str(),
        Some(&user),
        MembershipChange::Invite,
        reason,
    )
    .await
}

async fn kick(State(chat): State<Chat>, Signed(actor, request): Signed<kick_user::v3::Request>) -> Answer {
    let user = Some(request.user_id.as_str());
    change(
        &chat,
        &actor,
        request.room_id.as_str(),
        user,
        MembershipChange::Kick,
        request.reason,
    )
    .await
}

async fn ban(State(chat): State<Chat>, Signed(actor, request): Signed<ban_user::v3::Request>) -> Answer {
    let user = Some(request.user_id.as_str());
    change(
        &chat,
        &actor,
        request.room_id.as_str(),
        user,
        MembershipChange::Ban,
        request.reason,
    )
    .await
}

async fn unban(State(chat): State<Chat>, Signed(actor, request): Signed<unban_user::v3::Request>) -> Answer {
    let user = Some(request.user_id.as_str());
    change(
        &chat,
        &actor,
        request.room_id.as_str(),
        user,
        MembershipChange::Unban,
        request.reason,
    )
    .await
}

async fn forget(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<forget_room::v3::Request>,
) -> Answer {
    chat.forget_room(&actor, request.room_id.to_string()).await?;
    Ok(Json(json!({})))
}

async fn rooms(State(chat): State<Chat>, Who(actor): Who) -> Answer {
    Ok(Json(json!({ "joined_rooms": chat.joined_rooms(&actor).await? })))
}

async fn joined(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<joined_members::v3::Request>,
) -> Answer {
    let room_id = request.room_id.to_string();
    chat.refuse_outsider(room_id.clone(), actor.person).await?;
    let events = chat.member_events(actor.person, room_id, None).await?;
    let mut members = Map::new();
    for event in events {
        let content: Map<String, Value> = serde_json::from_str(&event.content).unwrap_or_default();
        let word = content.get("membership").and_then(Value::as_str);
        if let (Some("join"), Some(user)) = (word, event.state_key) {
            // Clients look for both, whether they say something or not.
            let told = json!({
                "display_name": content.get("displayname"),
                "avatar_url": content.get("avatar_url"),
            });
            members.insert(user, told);
        }
    }
    Ok(Json(json!({ "joined": members })))
}

async fn members(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_member_events::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    let reader = chat.reader(actor.person, &actor.device);
    let events = chat
        .member_events(actor.person, request.room_id.to_string(), request.at.as_deref())
        .await?;
    // Either of the two is enough, as the specification has it.
    let is_wanted = |word: &str| match (&request.membership, &request.not_membership) {
        (Some(wanted), Some(unwanted)) => wanted.as_str() == word || unwanted.as_str() != word,
        (Some(wanted), None) => wanted.as_str() == word,
        (None, Some(unwanted)) => unwanted.as_str() != word,
        (None, None) => true,
    };
    let chunk: Vec<_> = events
        .iter()
        .filter(|event| {
            let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
            is_wanted(content["membership"].as_str().unwrap_or_default())
        })
        .map(|event| event.for_client(reader, true))
        .collect();
    Ok(Json(json!({ "chunk": chunk })))
}
