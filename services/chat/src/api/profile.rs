//! Profiles and the directory of people (client-server API, "Profiles").

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use ruma::api::client::profile::get_profile;
use ruma::api::client::user_directory::search_users;
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Anyone, Body, Path, Signed, Who, of_json};
use crate::Chat;
use crate::model::limits::DIRECTORY_PEOPLE_MAX;
use crate::ops::Profile;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_profile::v3::Request, _, _>(router, profile);
    let router = endpoint::<search_users::v3::Request, _, _>(router, search);
    ["v3", "r0"]
        .into_iter()
        .fold(router, |router, version| {
            let path = format!("/_matrix/client/{version}/profile/{{user_id}}/{{field}}");
            router.route(&path, get(field).put(set_field).delete(remove_field))
        })
        .route(
            "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}/{field}",
            get(field).put(set_field).delete(remove_field),
        )
}

/// All that a profile tells.
async fn told(chat: &Chat, profile: &Profile) -> Result<Map<String, Value>, MatrixError> {
    let mut told = profile.member_content();
    told.extend(chat.profile_fields(profile.person).await?);
    Ok(told)
}

async fn profile(State(chat): State<Chat>, Anyone(request): Anyone<get_profile::v3::Request>) -> Answer {
    let person = chat.person(request.user_id.as_str())?;
    let profile = chat.profile(person).await?;
    Ok(Json(told(&chat, &profile).await?.into()))
}

async fn field(State(chat): State<Chat>, Path((user, field)): Path<(String, String)>) -> Answer {
    let profile = chat.profile(chat.person(&user)?).await?;
    let mut told = told(&chat, &profile).await?;
    told.retain(|name, _| *name == field);
    if told.is_empty() {
        return Err(MatrixError::not_found("the profile has no such field"));
    }
    Ok(Json(told.into()))
}

async fn set_field(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, field)): Path<(String, String)>,
    Body(body): Body,
) -> Answer {
    if chat.person(&user)? != actor.person {
        return Err(MatrixError::forbidden("you can change your own profile only"));
    }
    let fields: Map<String, Value> = serde_json::from_slice(&body).map_err(|error| of_json(&error))?;
    let text = || match fields.get(&field) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(MatrixError::bad_json(format!("{field} is a text"))),
    };
    match field.as_str() {
        "displayname" => {
            let name = text()?.ok_or_else(|| MatrixError::bad_json("send a displayname"))?;
            chat.set_display_name(&actor, &name).await?;
        }
        "avatar_url" => chat.set_picture(&actor, text()?).await?,
        _ => {
            let value = fields.get(&field).cloned().ok_or_else(|| {
                let message = format!("the body has no field {field:?}");
                MatrixError::new(http::StatusCode::BAD_REQUEST, "M_MISSING_PARAM", message)
            })?;
            chat.set_profile_field(actor.person, field, Some(value)).await?;
        }
    }
    Ok(Json(json!({})))
}

async fn remove_field(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, field)): Path<(String, String)>,
) -> Answer {
    if chat.person(&user)? != actor.person {
        return Err(MatrixError::forbidden("you can change your own profile only"));
    }
    match field.as_str() {
        "displayname" => {
            return Err(MatrixError::invalid_parameter(
                "everybody has a name; set another one",
            ));
        }
        "avatar_url" => chat.set_picture(&actor, None).await?,
        _ => chat.set_profile_field(actor.person, field, None).await?,
    }
    Ok(Json(json!({})))
}

async fn search(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<search_users::v3::Request>,
) -> Answer {
    let limit = usize::try_from(u64::from(request.limit))
        .unwrap_or(usize::MAX)
        .min(DIRECTORY_PEOPLE_MAX);
    let found = chat
        .search_people(&actor, &request.search_term, limit + 1)
        .await?;
    let results = found.iter().take(limit).map(|profile| {
        json!({
            "user_id": chat.user_id(profile.person),
            "display_name": profile.display_name,
            "avatar_url": profile.avatar_url,
        })
    });
    Ok(Json(
        json!({ "results": results.collect::<Vec<_>>(), "limited": found.len() > limit }),
    ))
}
