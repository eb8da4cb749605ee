//! Our own web app's push subscriptions: `/api/chat/push`, told straight by this server (RFC 8030, 8291, 8292).

use axum::extract::State;
use haechi_http::{Json, Problem, SignedIn};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Chat;
use crate::ops::Subscription;

/// The language that is noted of a browser that names none.
const LANGUAGE_DEFAULT: &str = "ko";

/// The key by which browsers' push services know this house.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PushKey {
    /// For `applicationServerKey`: an uncompressed point of P-256 in base64url.
    public_key: String,
}

/// A browser's subscription, as `PushSubscription.toJSON()` gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSubscription {
    /// Where the browser's push service takes messages for it.
    endpoint: String,
    /// The keys that messages are encrypted for.
    keys: SubscriptionKeys,
    /// When it ends, which browsers leave open.
    #[serde(default, rename = "expirationTime")]
    #[schema(value_type = Option<f64>)]
    _expiration_time: Option<f64>,
    /// The language of the app: `ko` or `en`.
    #[serde(default)]
    lang: Option<String>,
}

/// The keys of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionKeys {
    /// The browser's public key, in base64url.
    p256dh: String,
    /// The browser's secret, in base64url.
    auth: String,
}

/// Tells the key that a browser subscribes with.
#[utoipa::path(get, path = "/api/chat/push/key", tag = "chat",
    responses((status = 200, body = PushKey)))]
pub(super) async fn push_key(State(chat): State<Chat>, _who: SignedIn) -> Result<Json<PushKey>, Problem> {
    let public_key = chat.house_key().await?.public.clone();
    Ok(Json(PushKey { public_key }))
}

/// Tells this browser of what is said from now on; an earlier subscription of the same sign-in ends.
#[utoipa::path(post, path = "/api/chat/push/subscriptions", tag = "chat", request_body = NewSubscription,
    responses((status = 204)))]
pub(super) async fn subscribe(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Json(request): Json<NewSubscription>,
) -> Result<StatusCode, Problem> {
    let subscription = Subscription {
        endpoint: request.endpoint,
        p256dh: request.keys.p256dh,
        auth: request.keys.auth,
        lang: request.lang.unwrap_or_else(|| LANGUAGE_DEFAULT.to_owned()),
    };
    chat.subscribe(&actor, subscription).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells the browser of this sign-in no longer.
#[utoipa::path(delete, path = "/api/chat/push/subscriptions", tag = "chat", responses((status = 204)))]
pub(super) async fn unsubscribe(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
) -> Result<StatusCode, Problem> {
    chat.unsubscribe(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
