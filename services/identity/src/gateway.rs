//! Gateways: how a code reaches a phone.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use futures_util::future::BoxFuture;
use haechi_base::Time;
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::model::PhoneNumber;

/// How long the webhook may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is called again after a failure.
const RETRIES_MAX: usize = 2;

/// The kind of a gateway, which the sign-in page shows a hint for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// Codes are shown on the page and in the log.
    Development,
    /// Codes are handed to an HTTP service that sends them.
    Webhook,
}

/// The code could not be delivered.
#[derive(Debug, Clone, Error)]
#[error("the gateway did not take the code: {0}")]
pub struct GatewayError(pub String);

/// Brings codes to phones.
pub trait CodeGateway: Send + Sync + 'static {
    /// What kind it is.
    fn kind(&self) -> GatewayKind;

    /// Hands the code over. A code handed over twice does no harm.
    ///
    /// # Errors
    /// [`GatewayError`].
    fn deliver<'a>(
        &'a self,
        phone: &'a PhoneNumber,
        code: &'a str,
        expires_at: Time,
    ) -> BoxFuture<'a, Result<(), GatewayError>>;
}

/// Shows codes instead of sending them. Anyone can sign in as anyone: for development and for demonstrations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Development;

impl CodeGateway for Development {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Development
    }

    fn deliver<'a>(
        &'a self,
        phone: &'a PhoneNumber,
        code: &'a str,
        _expires_at: Time,
    ) -> BoxFuture<'a, Result<(), GatewayError>> {
        // The one place where a number and a code are logged: with this gateway that is what the log is for.
        tracing::info!(%phone, code, "the code to sign in with (development gateway)");
        Box::pin(async { Ok(()) })
    }
}

/// Posts `{"phone": "+8210...", "code": "123456", "expires_at": 1760000000000000}` to a service that sends it.
/// Any 2xx answer means that the service has taken it.
#[derive(Clone)]
pub struct Webhook {
    client: reqwest::Client,
    url: reqwest::Url,
    token: Option<Arc<str>>,
}

#[derive(Serialize)]
struct Delivery<'a> {
    phone: &'a str,
    code: &'a str,
    expires_at: Time,
}

impl Webhook {
    /// A webhook at `url`; `token` is sent as `Authorization: Bearer`, so that the service knows us.
    ///
    /// # Errors
    /// [`GatewayError`] when the URL is none of HTTP or HTTPS.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, GatewayError> {
        let url: reqwest::Url = url
            .parse()
            .map_err(|error| GatewayError(format!("{url:?} is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(GatewayError(format!("{url} is neither http:// nor https://")));
        }
        let client = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| GatewayError(error.to_string()))?;
        Ok(Self {
            client,
            url,
            token: token.map(Arc::from),
        })
    }

    async fn post(&self, delivery: &Delivery<'_>) -> Result<(), reqwest::Error> {
        let mut request = self.client.post(self.url.clone()).json(delivery);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await?.error_for_status().map(drop)
    }
}

impl CodeGateway for Webhook {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Webhook
    }

    fn deliver<'a>(
        &'a self,
        phone: &'a PhoneNumber,
        code: &'a str,
        expires_at: Time,
    ) -> BoxFuture<'a, Result<(), GatewayError>> {
        Box::pin(async move {
            let delivery = Delivery {
                phone: phone.as_str(),
                code,
                expires_at,
            };
            (|| self.post(&delivery))
                .retry(
                    ExponentialBuilder::default()
                        .with_max_times(RETRIES_MAX)
                        .with_jitter(),
                )
                // A service that says the request is wrong will say so again.
                .when(|error| !error.status().is_some_and(|status| status.is_client_error()))
                .await
                .map_err(|error| GatewayError(error.without_url().to_string()))
        })
    }
}
