//! The verbs of identity that reach beyond a transaction: they draw tokens, call the gateway, hash passwords.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use haechi_base::{Actor, PersonId, SessionId, Time, random};
use haechi_http::{AuthenticationError, Authenticator, Caller, KeyedLimiter};
use haechi_service::Context;
use haechi_store::{StoreError, Tx, WriteKey};
use tokio::sync::Semaphore;

use crate::gateway::{CodeGateway, Development, GatewayKind};
use crate::model::{
    CODE_LIFE, Code, CodeId, Country, DeviceRequest, DisplayName, IdentityError, IssuedCode,
    LOGIN_TOKEN_LIFE, LoginToken, Password, PhoneNumber, SignedInSession,
};
use crate::ops::{self, CodeSignIn, CodeSignInOutcome, Opened, RefreshOutcome};
use crate::secret::{self, Claims, Tokens};
use crate::session_cache::{Known, SessionCache};
use crate::store;

type Result<T> = std::result::Result<T, IdentityError>;

/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const PASSWORDS_AT_ONCE_MAX: usize = 2;

/// Tries of one person's password, all of which are there again after [`PASSWORD_TRIES_PERIOD`].
const PASSWORD_TRIES_MAX: NonZeroU32 = NonZeroU32::new(10).unwrap();
const PASSWORD_TRIES_PERIOD: Duration = Duration::from_secs(10 * 60);

/// The time after which a session's last use is written down anew.
const TOUCH_AFTER: Duration = Duration::from_secs(10 * 60);

/// How long a request waits for the store to tell whether its session lives.
const SESSION_READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What an operator decides about signing in.
#[derive(Clone)]
pub struct IdentitySettings {
    /// How codes reach phones.
    pub gateway: Arc<dyn CodeGateway>,
    /// The country of numbers without a country code.
    pub country: Country,
    /// Codes that one number is sent within an hour.
    pub codes_per_phone_hourly: u32,
    /// Codes asked for and tried from one network address within an hour; `None` for no limit.
    pub tries_per_caller_hourly: Option<NonZeroU32>,
}

impl Default for IdentitySettings {
    /// The development gateway, South Korea, 5 codes a number and 300 tries an address.
    fn default() -> Self {
        Self {
            gateway: Arc::new(Development),
            country: Country::KR,
            codes_per_phone_hourly: 5,
            tries_per_caller_hourly: NonZeroU32::new(300),
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
    callers: Option<KeyedLimiter<Caller>>,
    passwords: KeyedLimiter<PersonId>,
    hashing: Semaphore,
}

/// A person who signs in with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSubject {
    /// By user id.
    Person(PersonId),
    /// By number.
    Phone(PhoneNumber),
}

impl Identity {
    /// The service, on the tables its migrations made.
    #[must_use]
    pub fn new(context: Context, settings: IdentitySettings) -> Self {
        let tokens = Tokens::new(&context.secrets, &context.server_name);
        let hour = Duration::from_secs(60 * 60);
        let callers = settings
            .tries_per_caller_hourly
            .map(|tries| KeyedLimiter::per_period(tries, hour));
        Self(Arc::new(Inner {
            context,
            settings,
            tokens,
            sessions: SessionCache::new(),
            callers,
            passwords: KeyedLimiter::per_period(PASSWORD_TRIES_MAX, PASSWORD_TRIES_PERIOD),
            hashing: Semaphore::new(PASSWORDS_AT_ONCE_MAX),
        }))
    }

    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    /// The kind of the gateway.
    #[must_use]
    pub fn gateway_kind(&self) -> GatewayKind {
        self.0.settings.gateway.kind()
    }

    /// The Matrix user id of a person: `@HEX:SERVER`.
    #[must_use]
    pub fn user_id(&self, person: PersonId) -> String {
        format!("@{}:{}", person.uuid().simple(), self.0.context.server_name)
    }

    /// The person of a Matrix user id of this server; `None` for other servers and malformed ids. Whether there
    /// is such a person is not looked up.
    #[must_use]
    pub fn person_of_user_id(&self, user_id: &str) -> Option<PersonId> {
        let (localpart, server) = user_id.strip_prefix('@')?.split_once(':')?;
        (server == self.0.context.server_name)
            .then(|| self.person_of_localpart(localpart))
            .flatten()
    }

    /// The person of the part of a user id before the colon: 32 lower-case hex digits.
    #[must_use]
    pub fn person_of_localpart(&self, localpart: &str) -> Option<PersonId> {
        let is_canonical = localpart.len() == 32
            && localpart
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_canonical.then(|| localpart.parse().ok()).flatten()
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
            Some(limiter) => limiter
                .check(&caller)
                .map_err(|retry_after| IdentityError::TooMany { retry_after }),
            None => Ok(()),
        }
    }

    /// Sends a code to a number.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`], [`IdentityError::CodeNotSent`], [`IdentityError::Store`].
    pub async fn request_code(&self, phone: &PhoneNumber, caller: Caller) -> Result<IssuedCode> {
        self.count_caller(caller)?;
        let now = self.0.context.now();
        let digits = random::six_digits();
        let code = Code {
            id: CodeId::new(now),
            hash: self.0.tokens.code_hash(phone, &digits),
            tries: 0,
            used: false,
            expires_at: now + CODE_LIFE,
        };
        let (id, expires_at) = (code.id, code.expires_at);
        let codes_max = self.0.settings.codes_per_phone_hourly;
        let receiver = phone.clone();
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::issue_code(tx, &receiver, &code, codes_max, now).await
            })
            .await?;
        let gateway = &self.0.settings.gateway;
        if let Err(error) = gateway.deliver(phone, &digits, expires_at).await {
            tracing::warn!(%error, "a code was not sent");
            return Err(IdentityError::CodeNotSent);
        }
        let is_shown = gateway.kind() == GatewayKind::Development;
        Ok(IssuedCode {
            id,
            expires_at,
            development_code: is_shown.then_some(digits),
        })
    }

    /// Signs in, or up, with the code that was sent to the number.
    ///
    /// # Errors
    /// [`IdentityError::WrongCode`] (which counts as a try), [`IdentityError::DisplayNameNeeded`] (the code stays
    /// valid), [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn sign_in_with_code(
        &self,
        phone: &PhoneNumber,
        code: &str,
        display_name: Option<DisplayName>,
        device: DeviceRequest,
        caller: Caller,
    ) -> Result<SignedInSession> {
        self.count_caller(caller)?;
        let now = self.0.context.now();
        let sign_in = CodeSignIn {
            phone: phone.clone(),
            code_hash: self.0.tokens.code_hash(phone, code),
            display_name,
            device,
            person_id: PersonId::new(now),
            session_id: SessionId::new(now),
        };
        let cache = self.0.sessions.clone();
        let outcome = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let outcome = ops::sign_in_with_code(tx, &sign_in, now).await?;
                if let CodeSignInOutcome::SignedIn(opened) = &outcome {
                    end_after_commit(tx, &cache, opened.ended.clone());
                }
                Ok::<_, IdentityError>(outcome)
            })
            .await?;
        match outcome {
            CodeSignInOutcome::SignedIn(opened) => self.give_tokens(opened, now),
            CodeSignInOutcome::WrongCode => Err(IdentityError::WrongCode),
            CodeSignInOutcome::DisplayNameNeeded => Err(IdentityError::DisplayNameNeeded),
        }
    }

    fn give_tokens(&self, opened: Opened, now: Time) -> Result<SignedInSession> {
        let Opened { person, session, .. } = opened;
        let access_token = self.0.tokens.access_token(&session, person.role, now)?;
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

    /// Signs in with a password.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`] (also when there is no such person, or none with a password),
    /// [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn sign_in_with_password(
        &self,
        subject: PasswordSubject,
        password: Password,
        device: DeviceRequest,
    ) -> Result<SignedInSession> {
        let found = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| {
                let person = match &subject {
                    PasswordSubject::Person(id) => ops::find_person(tx, *id).await?,
                    PasswordSubject::Phone(phone) => ops::find_by_phone(tx, phone).await?,
                };
                let Some(person) = person else {
                    return Ok::<_, IdentityError>(None);
                };
                let hash = store::password_hash(tx, person.id).await?.flatten();
                Ok(Some((person, hash)))
            })
            .await?;
        let Some((person, Some(hash))) = found else {
            // As long as a real try takes, so that the time does not tell who has signed up.
            self.hash(password).await?;
            return Err(IdentityError::WrongPassword);
        };
        if !self.is_password(person.id, password, hash).await? {
            return Err(IdentityError::WrongPassword);
        }
        let now = self.0.context.now();
        let id = SessionId::new(now);
        let cache = self.0.sessions.clone();
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let opened = ops::open_session(tx, person.clone(), id, &device, now).await?;
                end_after_commit(tx, &cache, opened.ended.clone());
                Ok::<_, IdentityError>(opened)
            })
            .await?;
        self.give_tokens(opened, now)
    }

    async fn is_password(&self, person: PersonId, password: Password, hash: String) -> Result<bool> {
        self.0
            .passwords
            .check(&person)
            .map_err(|retry_after| IdentityError::TooMany { retry_after })?;
        self.hashing(move || secret::verify_password(&password, &hash))
            .await
    }

    async fn hash(&self, password: Password) -> Result<String> {
        self.hashing(move || secret::hash_password(&password)).await?
    }

    /// Runs what takes a core for a while on a thread of its own, few at a time.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let inside = |error: &dyn std::fmt::Display| IdentityError::Internal(error.to_string());
        let _permit = self.0.hashing.acquire().await.map_err(|error| inside(&error))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| inside(&error))
    }

    /// Gives the actor a password, or another one: then the one they have must be said.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`], [`IdentityError::TooMany`], [`IdentityError::NoSuchPerson`],
    /// [`IdentityError::Store`].
    pub async fn set_password(
        &self,
        actor: &Actor,
        password: Password,
        current: Option<Password>,
    ) -> Result<()> {
        let person = actor.person;
        let present = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| store::password_hash(tx, person).await)
            .await?
            .ok_or(IdentityError::NoSuchPerson)?;
        if let Some(hash) = present {
            let current = current.ok_or(IdentityError::WrongPassword)?;
            if !self.is_password(person, current, hash).await? {
                return Err(IdentityError::WrongPassword);
            }
        }
        let hash = self.hash(password).await?;
        self.0
            .context
            .store
            .write_unkeyed(async move |tx: &mut Tx<'_>| store::set_password_hash(tx, person, &hash).await)
            .await?;
        Ok(())
    }

    /// A token with which another device of the actor signs in, once, within two minutes.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn issue_login_token(&self, actor: &Actor) -> Result<LoginToken> {
        let token = random::token();
        let hash = secret::token_hash(&token);
        let expires_at = self.0.context.now() + LOGIN_TOKEN_LIFE;
        let actor = actor.clone();
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::keep_login_token(tx, &actor, &hash, expires_at).await
            })
            .await?;
        Ok(LoginToken { token, expires_at })
    }

    /// Signs in with a login token.
    ///
    /// # Errors
    /// [`IdentityError::UnknownToken`], [`IdentityError::Store`].
    pub async fn sign_in_with_login_token(
        &self,
        token: &str,
        device: DeviceRequest,
    ) -> Result<SignedInSession> {
        let now = self.0.context.now();
        let id = SessionId::new(now);
        let hash = secret::token_hash(token);
        let cache = self.0.sessions.clone();
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let opened = ops::sign_in_with_login_token(tx, &hash, id, &device, now).await?;
                if let Some(opened) = &opened {
                    end_after_commit(tx, &cache, opened.ended.clone());
                }
                Ok::<_, IdentityError>(opened)
            })
            .await?;
        self.give_tokens(opened.ok_or(IdentityError::UnknownToken)?, now)
    }

    /// The next access and refresh token for a refresh token. One that was used before ends its session: either
    /// now or then it was a thief who used it.
    ///
    /// # Errors
    /// [`IdentityError::UnknownToken`], [`IdentityError::Store`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedInSession> {
        let verified = self.0.tokens.verify_refresh_token(refresh_token);
        let (id, generation) = verified.ok_or(IdentityError::UnknownToken)?;
        let now = self.0.context.now();
        let cache = self.0.sessions.clone();
        let outcome = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let outcome = ops::refresh(tx, id, generation, now).await?;
                if let RefreshOutcome::Ended(ended) = &outcome {
                    end_after_commit(tx, &cache, ended.clone());
                }
                Ok::<_, IdentityError>(outcome)
            })
            .await?;
        match outcome {
            RefreshOutcome::Refreshed(opened) => self.give_tokens(opened, now),
            RefreshOutcome::Ended(_) => {
                tracing::warn!(session = %id, "a refresh token was used twice; its session was ended");
                Err(IdentityError::UnknownToken)
            }
            RefreshOutcome::Unknown => Err(IdentityError::UnknownToken),
        }
    }

    /// Ends one of the actor's sessions.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchSession`], [`IdentityError::Store`].
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<()> {
        let (actor, cache) = (actor.clone(), self.0.sessions.clone());
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_session(tx, &actor, session).await?;
                end_after_commit(tx, &cache, ended);
                Ok(())
            })
            .await
    }

    /// Ends the session the actor came in with.
    ///
    /// # Errors
    /// As [`Identity::end_session`].
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        self.end_session(actor, actor.session).await
    }

    /// Ends all sessions of the actor.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn sign_out_all(&self, actor: &Actor) -> Result<()> {
        let (actor, cache) = (actor.clone(), self.0.sessions.clone());
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_sessions(tx, &actor).await?;
                end_after_commit(tx, &cache, ended);
                Ok(())
            })
            .await
    }

    async fn actor_of(&self, token: &str) -> std::result::Result<Actor, AuthenticationError> {
        let claims = self
            .0
            .tokens
            .verify_access_token(token)
            .ok_or(AuthenticationError::Unknown)?;
        if claims.is_over(self.0.context.now()) {
            return Err(AuthenticationError::Expired);
        }
        let known = match self.0.sessions.get(claims.session()) {
            Some(known) => known,
            None => self.look_up(&claims).await?,
        };
        match known {
            Known::Alive { role } => Ok(claims.into_actor(Some(role))),
            Known::Ended => Err(AuthenticationError::Unknown),
            Known::Unsure => Ok(claims.into_actor(None)),
        }
    }

    /// Reads the session and remembers it. During an outage the signature alone decides: people who are signed
    /// in stay so, and each request would otherwise wait for a store that does not answer.
    async fn look_up(&self, claims: &Claims) -> std::result::Result<Known, StoreError> {
        let (id, now) = (claims.session(), self.0.context.now());
        let reading = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| store::find_session_and_role(tx, id).await);
        let known = match tokio::time::timeout(SESSION_READ_TIMEOUT, reading).await {
            Ok(Ok(Some((session, role)))) if now < session.expires_at => {
                let used_generation = session.used_generation.max(claims.generation());
                let is_new = used_generation > session.used_generation;
                if is_new || now.since(session.last_used_at) >= TOUCH_AFTER {
                    self.touch(id, used_generation, now);
                }
                Known::Alive { role }
            }
            Ok(Ok(_)) => Known::Ended,
            Ok(Err(StoreError::Unavailable(_) | StoreError::Unknown(_))) | Err(_) => Known::Unsure,
            Ok(Err(error)) => return Err(error),
        };
        Ok(self.0.sessions.learn(id, known))
    }

    /// Writes down that a session is in use, beside the request: losing it does no harm.
    fn touch(&self, id: SessionId, used_generation: u32, now: Time) {
        let store = self.0.context.store.clone();
        tokio::spawn(async move {
            let touched = store
                .write_unkeyed(async move |tx: &mut Tx<'_>| {
                    store::touch_session(tx, id, used_generation, now).await
                })
                .await;
            if let Err(error) = touched {
                tracing::debug!(%error, "a session's use was not written down");
            }
        });
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
                store::forget(tx, now - crate::model::CODES_COUNTED_FOR, now, ROWS_AT_ONCE_MAX).await
            })
            .await?;
        Ok(forgotten)
    }
}

fn end_after_commit(tx: &mut Tx<'_>, cache: &SessionCache, ended: Vec<SessionId>) {
    if !ended.is_empty() {
        let cache = cache.clone();
        tx.after_commit(move || ended.into_iter().for_each(|id| cache.end(id)));
    }
}

impl Authenticator for Identity {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, std::result::Result<Actor, AuthenticationError>> {
        Box::pin(self.actor_of(token))
    }
}
