//! The services of this program. A new one is added here, and nowhere else.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use haechi_base::limits::IDEMPOTENCY_KEY_KEPT;
use haechi_chat::{Chat, ChatSettings, PreviewReach, TurnSettings};
use haechi_continuity::Continuity;
use haechi_continuity::engine::{Engine, PatroniEngine};
use haechi_identity::{CodeGateway, Country, Development, GatewayKind, Identity, IdentitySettings, Webhook};
use haechi_pay::Pay;
use haechi_service::{Context, JobHandler, JobOutcome, Service};
use haechi_store::{Migrations, Tx, forget_keys};

use crate::settings::{CodeGatewaySetting, Settings};

/// How often old idempotency keys are forgotten, and how many at once.
const FORGET_KEYS_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
const FORGET_KEYS_MAX: u32 = 10_000;

/// All services, on one context.
pub(crate) struct Services {
    pub(crate) context: Context,
    pub(crate) identity: Identity,
    pub(crate) chat: Chat,
    pub(crate) pay: Pay,
    pub(crate) continuity: Continuity,
}

impl Services {
    /// Builds them, those that others stand on first.
    pub(crate) fn new(context: Context, settings: &Settings) -> Result<Self> {
        let identity = Identity::new(context.clone(), identity_settings(settings)?);
        let chat = Chat::with_settings(context.clone(), identity.clone(), chat_settings(settings)?);
        let pay = Pay::new(context.clone(), identity.clone(), chat.clone());
        let continuity = Continuity::new(context.clone(), engine(&context)?);
        Ok(Self {
            context,
            identity,
            chat,
            pay,
            continuity,
        })
    }

    /// The services as the program sees them: one line each.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Service>> {
        vec![
            Arc::new(self.identity.clone()),
            Arc::new(self.chat.clone()),
            Arc::new(self.pay.clone()),
            Arc::new(self.continuity.clone()),
            // `cargo xtask new-service` adds its line above this one.
        ]
    }

    /// Their tables.
    pub(crate) fn migrations(&self) -> Vec<Migrations> {
        haechi_service::all_migrations(&self.all())
    }

    /// Their background work, and the store's own.
    pub(crate) fn jobs(&self) -> Vec<JobHandler> {
        let mut jobs: Vec<JobHandler> = self.all().iter().flat_map(|service| service.jobs()).collect();
        jobs.push(forget_old_keys(&self.context));
        jobs
    }
}

/// The store keeps the answers to idempotency keys for a week.
fn forget_old_keys(context: &Context) -> JobHandler {
    let context = context.clone();
    JobHandler::recurring("store.forget_keys", move |_| {
        let context = context.clone();
        async move {
            let before = context.now() - IDEMPOTENCY_KEY_KEPT;
            let forget = async move |tx: &mut Tx<'_>| forget_keys(tx, before, FORGET_KEYS_MAX).await;
            context
                .store
                .write_unkeyed(forget)
                .await
                .map_err(|error| error.to_string())?;
            Ok(JobOutcome::RunAgainAt(context.now() + FORGET_KEYS_EVERY))
        }
    })
}

/// What is under the sites, where etcd was named.
fn engine(context: &Context) -> Result<Option<Arc<dyn Engine>>> {
    let Some(leadership) = context.cluster.leadership() else {
        return Ok(None);
    };
    let authentication = std::env::var("HAECHI_PATRONI_AUTHENTICATION").ok();
    let engine = PatroniEngine::new(leadership.clone(), authentication.as_deref()).context("Patroni")?;
    Ok(Some(Arc::new(engine)))
}

fn chat_settings(settings: &Settings) -> Result<ChatSettings> {
    let turn = match settings.turn_uri() {
        [] => None,
        uris => Some(TurnSettings {
            uris: uris.to_vec(),
            secret: std::env::var("HAECHI_TURN_SECRET")
                .context("turn-uri needs the secret of the TURN server in HAECHI_TURN_SECRET")?,
        }),
    };
    Ok(ChatSettings {
        turn,
        pushes_anywhere: settings.push_anywhere(),
        is_presence_off: !settings.has_presence(),
        previews: match settings.no_url_previews() {
            true => PreviewReach::Nowhere,
            false => PreviewReach::Internet,
        },
    })
}

fn identity_settings(settings: &Settings) -> Result<IdentitySettings> {
    let gateway: Arc<dyn CodeGateway> = match settings.code_gateway()? {
        CodeGatewaySetting::Development => Arc::new(Development),
        CodeGatewaySetting::Webhook(url) => {
            let token = std::env::var("HAECHI_CODE_GATEWAY_TOKEN").ok();
            Arc::new(Webhook::new(&url, token.as_deref()).context("code-gateway")?)
        }
    };
    let token = std::env::var("HAECHI_REGISTRATION_TOKEN").ok();
    let mut chosen = IdentitySettings {
        gateway,
        registration: settings.registration(token)?,
        ..IdentitySettings::default()
    };
    if let Some(code) = settings.country() {
        chosen.country = code
            .parse::<Country>()
            .map_err(|_| anyhow::anyhow!("country {code:?} is no ISO 3166 code"))?;
    }
    if chosen.gateway.kind() == GatewayKind::Development {
        // Nobody's phone is flooded: whoever tries the demonstration signs in as often as they like.
        chosen.codes_per_phone_hourly = u32::MAX;
    }
    if settings.no_rate_limits() {
        chosen.tries_per_caller_hourly = None;
        chosen.codes_per_phone_hourly = u32::MAX;
    }
    Ok(chosen)
}
