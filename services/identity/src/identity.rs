//! The verbs of identity that reach beyond a transaction: they draw tokens, call the gateway, hash passwords.

mod authenticate;
mod code;
mod hashing;
mod password;
mod registration;
mod session;

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use haechi_base::{PersonId, SessionId, Time};
use haechi_http::{Caller, KeyedLimiter};
use haechi_service::Context;
use haechi_store::Tx;

use crate::gateway::{CodeGateway, Development, GatewayKind};
use crate::model::{
    CODES_COUNTED_FOR, Country, IdentityError, LATE_REFRESH_MAX, PhoneNumber, SignedInSession, localpart,
    person_of_localpart,
};
use crate::ops::Opened;
use crate::secret::Tokens;
use crate::session_cache::SessionCache;
use crate::store;

use hashing::Hashing;
pub use password::PasswordSubject;
pub use registration::Registration;

type Result<T> = std::result::Result<T, IdentityError>;

/// Tries of one person's password by one caller, all of which are there again after [`PASSWORD_TRIES_PERIOD`].
const PASSWORD_TRIES_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const PASSWORD_TRIES_PERIOD: Duration = Duration::from_secs(10 * 60);

/// What an operator decides about signing in.
#[derive(Clone)]
pub struct IdentitySettings {
    /// How codes reach phones.
    pub gateway: Arc<dyn CodeGateway>,
    /// The country of numbers without a country code.
    pub country: Country,
    /// Codes that one number is sent within an hour.
    pub codes_per_phone_hourly: u32,
    /// Codes asked for and tried from one network address within an hour; `None` for no limit. A tenth as many people
    /// sign up with a username from there.
    pub tries_per_caller_hourly: Option<NonZeroU32>,
    /// Who may sign up with a username and a password, beside those with a phone number.
    pub registration: Registration,
}

impl Default for IdentitySettings {
    /// The development gateway, South Korea, 5 codes a number, 300 tries an address, and phone numbers alone.
    fn default() -> Self {
        Self {
            gateway: Arc::new(Development),
            country: Country::KR,
            codes_per_phone_hourly: 5,
            tries_per_caller_hourly: NonZeroU32::new(300),
            registration: Registration::Closed,
        }
    }
}

/// Who people are and how they sign in. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    context: Context,
    settings: IdentitySettings,
    tokens: Tokens,
    sessions: SessionCache,
    ending: Ending,
    callers: Option<KeyedLimiter<Caller>>,
    registrations: Option<KeyedLimiter<Caller>>,
    password_sign_ins: KeyedLimiter<(Caller, PasswordSubject)>,
    password_changes: KeyedLimiter<PersonId>,
    hashing: Hashing,
}

impl Identity {
    /// The service, on the tables its migrations made.
    #[must_use]
    pub fn new(context: Context, settings: IdentitySettings) -> Self {
        let tokens = Tokens::new(&context.secrets, &context.server_name);
        let sessions = SessionCache::start(&context.cluster);
        let ending = Ending {
            sessions: sessions.clone(),
            listener: Arc::default(),
        };
        let hour = Duration::from_secs(60 * 60);
        let callers = settings
            .tries_per_caller_hourly
            .map(|tries| KeyedLimiter::per_period(tries, hour));
        let registrations = settings
            .tries_per_caller_hourly
            .map(|tries| KeyedLimiter::per_period(registration::accounts_of(tries), hour));
        Self(Arc::new(Inner {
            context,
            settings,
            tokens,
            sessions,
            ending,
            callers,
            registrations,
            password_sign_ins: KeyedLimiter::per_period(PASSWORD_TRIES_MAX, PASSWORD_TRIES_PERIOD),
            password_changes: KeyedLimiter::per_period(PASSWORD_TRIES_MAX, PASSWORD_TRIES_PERIOD),
            hashing: Hashing::new(),
        }))
    }

    /// Has `listener` called on this node after sessions of a person were ended by it: a hint, which may be lost, as
    /// it is when sessions run out or a stolen token ends one. There is one listener; a second is not heard.
    pub fn on_sessions_ended(&self, listener: impl Fn(PersonId) + Send + Sync + 'static) {
        if self.0.ending.listener.set(Box::new(listener)).is_err() {
            tracing::warn!("the end of sessions has a listener already");
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    /// The kind of the gateway.
    #[must_use]
    pub fn gateway_kind(&self) -> GatewayKind {
        self.0.settings.gateway.kind()
    }

    /// The Matrix user id of a person: `@LOCALPART:SERVER`.
    #[must_use]
    pub fn user_id(&self, person: PersonId) -> String {
        format!("@{}:{}", localpart(person), self.0.context.server_name)
    }

    /// The person of a Matrix user id of this server; `None` for other servers and malformed ids. Whether there
    /// is such a person is not looked up.
    #[must_use]
    pub fn person_of_user_id(&self, user_id: &str) -> Option<PersonId> {
        let (localpart, server) = user_id.strip_prefix('@')?.split_once(':')?;
        (server == self.0.context.server_name)
            .then(|| person_of_localpart(localpart))
            .flatten()
    }

    /// Reads a number as people write it, by the country that the operator chose.
    ///
    /// # Errors
    /// [`IdentityError::MalformedPhone`].
    pub fn parse_phone(&self, text: &str) -> Result<PhoneNumber> {
        PhoneNumber::parse(text, self.0.settings.country)
    }

    fn count_caller(&self, caller: Caller) -> Result<()> {
        match &self.0.callers {
            Some(limiter) => too_many(limiter.check(&caller)),
            None => Ok(()),
        }
    }

    /// Ends sessions on all nodes by a write's answer. The hook of [`end_after_commit`] does not run when the
    /// answer is the recorded one, after a commit whose outcome was not known.
    fn end_by_answer(&self, ended: &[SessionId]) {
        self.0.sessions.end(ended);
    }

    fn give_tokens(&self, opened: Opened, now: Time) -> Result<SignedInSession> {
        let Opened { person, session, .. } = opened;
        let access_token = self.0.tokens.access_token(&session, now)?;
        let refresh_token = session
            .refreshable
            .then(|| self.0.tokens.refresh_token(session.id, session.generation));
        Ok(SignedInSession {
            access_token,
            refresh_token,
            expires_at: session.access_token_expires_at(now),
            device_id: session.device_id,
            session_id: session.id,
            person,
        })
    }

    /// Forgets what has expired; returns how many rows.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub(crate) async fn forget_expired(&self) -> Result<u64> {
        const ROWS_AT_ONCE_MAX: u32 = 1_000;
        let now = self.0.context.now();
        let forgotten = self
            .0
            .context
            .store
            .write_unkeyed(async move |tx: &mut Tx<'_>| {
                let (codes_before, replaced_before) = (now - CODES_COUNTED_FOR, now - LATE_REFRESH_MAX);
                store::forget(tx, codes_before, replaced_before, now, ROWS_AT_ONCE_MAX).await
            })
            .await?;
        Ok(forgotten)
    }
}

fn too_many(counted: std::result::Result<(), Duration>) -> Result<()> {
    counted.map_err(|retry_after| IdentityError::TooMany { retry_after })
}

/// Who is told that sessions have ended.
#[derive(Clone)]
struct Ending {
    sessions: SessionCache,
    listener: Arc<OnceLock<Listener>>,
}

type Listener = Box<dyn Fn(PersonId) + Send + Sync>;

/// Ends sessions on all nodes even if nobody waits for the answer of the write any more. Whose they are is told to the
/// listener.
fn end_after_commit(tx: &mut Tx<'_>, ending: &Ending, person: Option<PersonId>, ended: Vec<SessionId>) {
    if ended.is_empty() {
        return;
    }
    let ending = ending.clone();
    tx.after_commit(move || {
        ending.sessions.end(&ended);
        if let (Some(person), Some(listener)) = (person, ending.listener.get()) {
            listener(person);
        }
    });
}
