//! What this server is and can do.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::error::MatrixError;
use super::ruma::Who;
use crate::Chat;
use crate::model::RoomVersion;

pub(super) fn routes() -> Router<Chat> {
    let router = ["v3", "r0"].into_iter().fold(Router::new(), |router, version| {
        let network = format!("/_matrix/client/{version}/thirdparty");
        router
            .route(&format!("{network}/protocols"), get(networks))
            .route(&format!("{network}/protocol/{{protocol}}"), get(no_network))
            .route(&format!("{network}/location"), get(nobody_elsewhere))
            .route(&format!("{network}/location/{{protocol}}"), get(no_network))
            .route(&format!("{network}/user"), get(nobody_elsewhere))
            .route(&format!("{network}/user/{{protocol}}"), get(no_network))
    });
    router
        .route("/_matrix/client/versions", get(versions))
        .route("/.well-known/matrix/client", get(well_known))
        .route("/_matrix/client/v3/capabilities", get(capabilities))
        .route("/_matrix/client/r0/capabilities", get(capabilities))
}

async fn versions() -> Json<Value> {
    Json(json!({
        "versions": [
            "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11",
        ],
        "unstable_features": {
            "org.matrix.msc3391": true,
            "org.matrix.msc3440.stable": true,
            "org.matrix.msc3771": true,
            "org.matrix.msc3773": true,
            "org.matrix.msc3856": true,
            "org.matrix.msc3981": true,
            "org.matrix.msc4140": true,
            "org.matrix.simplified_msc3575": true,
            "uk.tcpip.msc4133": true,
            "uk.tcpip.msc4133.stable": true,
        },
    }))
}

async fn well_known(State(chat): State<Chat>) -> Json<Value> {
    Json(json!({ "m.homeserver": { "base_url": chat.public_url() } }))
}

/// No other networks are bridged to; stock clients ask at each start (client-server API, "Third-party networks").
async fn networks(_: Who) -> Json<Value> {
    Json(json!({}))
}

async fn nobody_elsewhere(_: Who) -> Json<Value> {
    Json(json!([]))
}

async fn no_network(_: Who) -> MatrixError {
    MatrixError::not_found("this server bridges to no such network")
}

async fn capabilities(_: Who) -> Json<Value> {
    let versions = RoomVersion::ALL.map(|version| (version.as_str().to_owned(), Value::from("stable")));
    let versions: Value = Map::from_iter(versions).into();
    Json(json!({
        "capabilities": {
            "m.room_versions": { "default": RoomVersion::default().as_str(), "available": versions },
            "m.change_password": { "enabled": true },
            "m.set_displayname": { "enabled": true },
            "m.set_avatar_url": { "enabled": true },
            "m.profile_fields": { "enabled": true },
            "m.3pid_changes": { "enabled": false },
            "m.get_login_token": { "enabled": true },
        },
    }))
}
