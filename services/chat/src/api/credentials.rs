//! What one signs in with: password and third-party addresses, and the end of an account (client-server API, "Account
//! management" and "Adding Account Administrative Contact Information").

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use haechi_http::Caller;
use haechi_identity::Password;
use ruma::api::client::account::{change_password, deactivate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::ruma::Who;
use super::uia::{Auth, Refusal, confirm};
use crate::Chat;

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<change_password::v3::Request, _, _>(Router::new(), replace_password);
    let router = endpoint::<deactivate::v3::Request, _, _>(router, end_account);
    ["v3", "r0"].into_iter().fold(router, |router, version| {
        let addresses = format!("/_matrix/client/{version}/account/3pid");
        let router = router.route(&addresses, get(addresses_of).post(refuse_addresses));
        let router = ["add", "bind", "delete", "unbind"]
            .into_iter()
            .fold(router, |router, verb| {
                router.route(
                    &format!("{addresses}/{verb}"),
                    axum::routing::post(refuse_addresses),
                )
            });
        ["email", "msisdn"].into_iter().fold(router, |router, medium| {
            let path = format!("{addresses}/{medium}/requestToken");
            router.route(&path, axum::routing::post(refuse_tokens))
        })
    })
}

#[derive(Deserialize)]
struct NewPassword {
    new_password: Option<String>,
    #[serde(default = "yes")]
    logout_devices: bool,
    auth: Option<Auth>,
}

const fn yes() -> bool {
    true
}

async fn replace_password(
    State(chat): State<Chat>,
    Who(actor): Who,
    caller: Caller,
    Read(wish): Read<NewPassword>,
) -> Result<Json<Value>, Refusal> {
    confirm(&chat, &actor, caller, wish.auth).await?;
    let password = wish.new_password.as_deref().ok_or_else(|| {
        MatrixError::new(
            http::StatusCode::BAD_REQUEST,
            "M_MISSING_PARAM",
            "send a new_password of 8 to 256 characters",
        )
    })?;
    let password: Password = password.parse().map_err(MatrixError::from)?;
    chat.identity()
        .replace_password(&actor, password, wish.logout_devices)
        .await
        .map_err(MatrixError::from)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Ending {
    auth: Option<Auth>,
}

async fn end_account(
    State(chat): State<Chat>,
    Who(actor): Who,
    caller: Caller,
    Read(ending): Read<Ending>,
) -> Result<Json<Value>, Refusal> {
    confirm(&chat, &actor, caller, ending.auth).await?;
    chat.end_account(&actor).await?;
    // There is no identity server from which an address could be taken off.
    Ok(Json(json!({ "id_server_unbind_result": "success" })))
}

async fn addresses_of(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<Value>, MatrixError> {
    let person = chat.known_person(&actor).await?;
    let since = person.created_at.millis();
    let addresses: Vec<Value> = person
        .dialled()
        .map(|phone| {
            json!({
                "medium": "msisdn",
                // Matrix leaves out the plus sign.
                "address": phone.as_str().trim_start_matches('+'),
                "validated_at": since,
                "added_at": since,
            })
        })
        .into_iter()
        .collect();
    Ok(Json(json!({ "threepids": addresses })))
}

async fn refuse_addresses(_: Who) -> MatrixError {
    MatrixError::forbidden("a person has the phone number they signed up with, and no other address")
}

async fn refuse_tokens() -> MatrixError {
    MatrixError::new(
        http::StatusCode::FORBIDDEN,
        "M_THREEPID_DENIED",
        "a person has the phone number they signed up with, and no other address",
    )
}
