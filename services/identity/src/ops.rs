//! The verbs of identity inside a transaction: what other services call, and what [`Identity`](crate::Identity)'s
//! own verbs are made of.

mod newcomer;

use haechi_base::{Actor, PersonId, Role, SessionId, Time};
use haechi_store::Tx;
use serde::{Deserialize, Serialize};

use crate::model::{
    CODES_COUNTED_FOR, Code, CodeVerdict, DeviceName, DeviceRequest, DisplayName, GivenToken, IdentityError,
    Person, PhoneNumber, RefreshStep, SESSION_LIFE, Session, judge_code, refresh_step, refuse_flood,
};
use crate::store;

pub(crate) use newcomer::{Newcomer, add_newcomer, end_account};

type Result<T> = std::result::Result<T, IdentityError>;

/// The person of an id.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn find_person(tx: &mut Tx<'_>, id: PersonId) -> Result<Option<Person>> {
    Ok(store::find_person(tx, id).await?)
}

/// The person who has a number.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn find_by_phone(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Result<Option<Person>> {
    Ok(store::find_person_by_phone(tx, phone).await?)
}

/// The people of some ids, in no order; ids of nobody are left out.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn find_people(tx: &mut Tx<'_>, ids: &[PersonId]) -> Result<Vec<Person>> {
    Ok(store::find_people(tx, ids).await?)
}

/// Gives the actor another display name.
///
/// # Errors
/// [`IdentityError::NoSuchPerson`], [`IdentityError::Store`].
pub async fn set_display_name(tx: &mut Tx<'_>, actor: &Actor, name: &DisplayName) -> Result<Person> {
    let person = store::set_display_name(tx, actor.person, name).await?;
    person.ok_or(IdentityError::NoSuchPerson)
}

/// Lets a person do more, or less. For administrators.
///
/// # Errors
/// [`IdentityError::NotAllowed`], [`IdentityError::NoSuchPerson`], [`IdentityError::Store`].
pub async fn grant_role(tx: &mut Tx<'_>, actor: &Actor, person: PersonId, role: Role) -> Result<Person> {
    authorise_administrator(actor)?;
    let person = store::set_role(tx, person, role).await?;
    person.ok_or(IdentityError::NoSuchPerson)
}

/// Adds a person whose number need not be proved, or finds the one who has it. For administrators.
///
/// # Errors
/// [`IdentityError::NotAllowed`], [`IdentityError::Store`].
pub async fn register(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: PersonId,
    phone: &PhoneNumber,
    display_name: &DisplayName,
    now: Time,
) -> Result<Person> {
    authorise_administrator(actor)?;
    add_person(tx, id, phone, display_name, now).await
}

/// Adds the account of a service of the house, or finds it. It has no number, so nobody can sign in as it.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn ensure_service_account(
    tx: &mut Tx<'_>,
    id: PersonId,
    service: &str,
    display_name: &DisplayName,
    now: Time,
) -> Result<Person> {
    if let Some(account) = store::find_person(tx, id).await? {
        return Ok(account);
    }
    let account = Person {
        id,
        phone: PhoneNumber::of_service(service),
        display_name: display_name.clone(),
        role: Role::Service,
        created_at: now,
    };
    Ok(store::add_person(tx, &account).await?)
}

fn authorise_administrator(actor: &Actor) -> Result<()> {
    match actor.role {
        Role::Administrator => Ok(()),
        Role::Person | Role::Service => Err(IdentityError::NotAllowed),
    }
}

async fn add_person(
    tx: &mut Tx<'_>,
    id: PersonId,
    phone: &PhoneNumber,
    display_name: &DisplayName,
    now: Time,
) -> Result<Person> {
    if let Some(person) = store::find_person_by_phone(tx, phone).await? {
        return Ok(person);
    }
    let new = Person {
        id,
        phone: phone.clone(),
        display_name: display_name.clone(),
        role: Role::Person,
        created_at: now,
    };
    Ok(store::add_person(tx, &new).await?)
}

/// Keeps a code for a number, unless too many were sent to it.
///
/// # Errors
/// [`IdentityError::TooMany`], [`IdentityError::Store`].
pub(crate) async fn issue_code(
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    code: &Code,
    codes_max: u32,
    now: Time,
) -> Result<()> {
    let sent = store::code_times(tx, phone, now - CODES_COUNTED_FOR).await?;
    refuse_flood(&sent, codes_max, now)?;
    Ok(store::add_code(tx, phone, code, now).await?)
}

/// A sign-in with a code; the ids are those that are given out if it succeeds.
#[derive(Debug, Clone)]
pub(crate) struct CodeSignIn {
    pub(crate) phone: PhoneNumber,
    pub(crate) code_hash: [u8; 32],
    pub(crate) display_name: Option<DisplayName>,
    pub(crate) device: DeviceRequest,
    pub(crate) person_id: PersonId,
    pub(crate) session_id: SessionId,
}

/// How a sign-in with a code ended. A wrong code is an outcome, not an error, because its try must be counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum CodeSignInOutcome {
    SignedIn(Box<Opened>),
    WrongCode,
    DisplayNameNeeded,
}

/// A session that was opened, whose it is, and which sessions it ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) person: Person,
    pub(crate) session: Session,
    pub(crate) ended: Vec<SessionId>,
}

/// Signs in, or up, with a code.
pub(crate) async fn sign_in_with_code(
    tx: &mut Tx<'_>,
    sign_in: &CodeSignIn,
    now: Time,
) -> Result<CodeSignInOutcome> {
    let Some(code) = store::newest_code(tx, &sign_in.phone).await? else {
        return Ok(CodeSignInOutcome::WrongCode);
    };
    let is_equal = crate::secret::is_equal(&code.hash, &sign_in.code_hash);
    match judge_code(Some(&code), is_equal, now) {
        CodeVerdict::Right => {}
        CodeVerdict::Again => return sign_in_again(tx, code.session, sign_in, now).await,
        CodeVerdict::Wrong => {
            store::count_try(tx, code.id).await?;
            return Ok(CodeSignInOutcome::WrongCode);
        }
        CodeVerdict::None => return Ok(CodeSignInOutcome::WrongCode),
    }
    let known = store::find_person_by_phone(tx, &sign_in.phone).await?;
    let person = match (known, &sign_in.display_name) {
        (Some(person), _) => person,
        (None, Some(name)) => add_person(tx, sign_in.person_id, &sign_in.phone, name, now).await?,
        (None, None) => return Ok(CodeSignInOutcome::DisplayNameNeeded),
    };
    store::use_code(tx, code.id, sign_in.session_id).await?;
    let opened = open_session(tx, person, sign_in.session_id, &sign_in.device, now).await?;
    Ok(CodeSignInOutcome::SignedIn(Box::new(opened)))
}

/// Answers a repeated sign-in with the session that its code opened, as long as nobody used that.
///
/// It gives a thief who has the code nothing that the code did not give them already, and only until the person's first
/// request. After that the code is of no use.
async fn sign_in_again(
    tx: &mut Tx<'_>,
    opened: Option<SessionId>,
    sign_in: &CodeSignIn,
    now: Time,
) -> Result<CodeSignInOutcome> {
    let Some(opened) = opened else {
        return Ok(CodeSignInOutcome::WrongCode);
    };
    let found = store::find_session(tx, opened).await?.filter(|session| {
        let is_unused = session.generation == 1 && session.used_generation == 0;
        is_unused && session.device_name == sign_in.device.name && now < session.expires_at
    });
    let Some(session) = found else {
        return Ok(CodeSignInOutcome::WrongCode);
    };
    let person = store::find_person(tx, session.person)
        .await?
        .ok_or(IdentityError::NoSuchPerson)?;
    let ended = Vec::new();
    Ok(CodeSignInOutcome::SignedIn(Box::new(Opened {
        person,
        session,
        ended,
    })))
}

/// Opens a session for a person whose sign-in was checked.
pub(crate) async fn open_session(
    tx: &mut Tx<'_>,
    person: Person,
    id: SessionId,
    device: &DeviceRequest,
    now: Time,
) -> Result<Opened> {
    let session = Session {
        id,
        person: person.id,
        device_id: device.id.clone(),
        device_name: device.name.clone(),
        refreshable: device.refreshes,
        generation: 1,
        used_generation: 0,
        refreshes: 0,
        created_at: now,
        last_used_at: now,
        expires_at: now + SESSION_LIFE,
    };
    let ended = store::add_session(tx, &session).await?;
    Ok(Opened {
        person,
        session,
        ended,
    })
}

/// How a refresh ended. A token used twice is an outcome, not an error, because it ends the session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum RefreshOutcome {
    Refreshed(Box<Opened>),
    Late,
    Ended(Vec<SessionId>),
    Unknown,
}

/// Gives out the next generation of a session's tokens.
pub(crate) async fn refresh(
    tx: &mut Tx<'_>,
    id: SessionId,
    token_generation: u32,
    now: Time,
) -> Result<RefreshOutcome> {
    let found = store::find_session(tx, id).await?;
    let Some(mut session) = found.filter(|session| session.refreshable && now < session.expires_at) else {
        return Ok(RefreshOutcome::Unknown);
    };
    match step(tx, &session, token_generation, now).await? {
        RefreshStep::Rotate => {
            session.generation = token_generation.saturating_add(1);
            session.last_used_at = now;
            session.expires_at = now + SESSION_LIFE;
            store::next_generation(tx, &session, token_generation, now).await?;
        }
        // The client may only learn of its new token now: from now on the old one comes late.
        RefreshStep::Repeat => store::replace_again(tx, id, token_generation, now).await?,
        RefreshStep::Wait => return Ok(RefreshOutcome::Late),
        RefreshStep::End => {
            let ended = store::end_session(tx, id, session.person).await?;
            return Ok(RefreshOutcome::Ended(ended));
        }
        RefreshStep::Refuse => return Ok(RefreshOutcome::Unknown),
    }
    let person = store::find_person(tx, session.person)
        .await?
        .ok_or(IdentityError::NoSuchPerson)?;
    let ended = Vec::new();
    Ok(RefreshOutcome::Refreshed(Box::new(Opened {
        person,
        session,
        ended,
    })))
}

async fn step(tx: &mut Tx<'_>, session: &Session, token_generation: u32, now: Time) -> Result<RefreshStep> {
    let replaced_at = if token_generation < session.generation {
        store::replaced_at(tx, session.id, token_generation).await?
    } else {
        None
    };
    let token = GivenToken {
        generation: token_generation,
        replaced_for: replaced_at.map(|at| now.since(at)),
    };
    Ok(refresh_step(session.generation, session.used_generation, token))
}

/// How a refresh without a write ended.
pub(crate) enum ExtendOutcome {
    Extended(Box<Opened>),
    Late,
    Refused,
    /// The database that answered does not know the session.
    NotSeen,
}

/// Finds what a refresh token is good for, and changes nothing.
pub(crate) async fn extend(
    tx: &mut Tx<'_>,
    id: SessionId,
    token_generation: u32,
    now: Time,
) -> Result<ExtendOutcome> {
    let Some(mut session) = store::find_session(tx, id).await? else {
        return Ok(ExtendOutcome::NotSeen);
    };
    if !session.refreshable || now >= session.expires_at {
        return Ok(ExtendOutcome::Refused);
    }
    match step(tx, &session, token_generation, now).await? {
        // Never a newer one than the client has: what a standby shows may be a commit that was not acknowledged, and that
        // the next primary does not have.
        RefreshStep::Rotate | RefreshStep::Repeat => session.generation = token_generation,
        RefreshStep::Wait => return Ok(ExtendOutcome::Late),
        RefreshStep::Refuse | RefreshStep::End => return Ok(ExtendOutcome::Refused),
    }
    let Some(person) = store::find_person(tx, session.person).await? else {
        return Ok(ExtendOutcome::NotSeen);
    };
    let ended = Vec::new();
    Ok(ExtendOutcome::Extended(Box::new(Opened {
        person,
        session,
        ended,
    })))
}

/// The actor's sessions, newest first.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn sessions(
    tx: &mut Tx<'_>,
    actor: &Actor,
    before: Option<SessionId>,
    limit: u32,
    now: Time,
) -> Result<Vec<Session>> {
    let newest = SessionId::from_uuid(uuid::Uuid::max());
    Ok(store::sessions_of(tx, actor.person, before.unwrap_or(newest), limit, now).await?)
}

/// The living sessions of these people: their devices. In no order; people without one are left out.
///
/// # Errors
/// [`IdentityError::Store`].
pub async fn sessions_of_people(tx: &mut Tx<'_>, people: &[PersonId], now: Time) -> Result<Vec<Session>> {
    let mut sessions = store::sessions_of_people(tx, people).await?;
    sessions.retain(|session| now < session.expires_at);
    Ok(sessions)
}

/// Gives one of the actor's devices another name.
///
/// # Errors
/// [`IdentityError::NoSuchSession`], [`IdentityError::Store`].
pub async fn rename_device(
    tx: &mut Tx<'_>,
    actor: &Actor,
    device_id: &str,
    name: &DeviceName,
    now: Time,
) -> Result<()> {
    match store::rename_device(tx, actor.person, device_id, name, now).await? {
        true => Ok(()),
        false => Err(IdentityError::NoSuchSession),
    }
}

/// Ends one of the actor's sessions; returns it.
pub(crate) async fn end_session(tx: &mut Tx<'_>, actor: &Actor, id: SessionId) -> Result<Vec<SessionId>> {
    let ended = store::end_session(tx, id, actor.person).await?;
    if ended.is_empty() {
        return Err(IdentityError::NoSuchSession);
    }
    Ok(ended)
}

/// Ends all of the actor's sessions; returns them.
pub(crate) async fn end_sessions(tx: &mut Tx<'_>, actor: &Actor) -> Result<Vec<SessionId>> {
    Ok(store::end_sessions(tx, actor.person).await?)
}

/// Keeps the hash of a token that signs in another device of the actor.
pub(crate) async fn keep_login_token(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token_hash: &[u8; 32],
    expires_at: Time,
) -> Result<()> {
    Ok(store::add_login_token(tx, token_hash, actor.person, expires_at).await?)
}

/// Takes a login token and opens a session for it; `None` when it is not valid, and then it is gone as well.
pub(crate) async fn sign_in_with_login_token(
    tx: &mut Tx<'_>,
    token_hash: &[u8; 32],
    session_id: SessionId,
    device: &DeviceRequest,
    now: Time,
) -> Result<Option<Opened>> {
    let Some((person, expires_at)) = store::take_login_token(tx, token_hash).await? else {
        return Ok(None);
    };
    if expires_at <= now {
        return Ok(None);
    }
    let person = store::find_person(tx, person)
        .await?
        .ok_or(IdentityError::NoSuchPerson)?;
    if person.is_ended() {
        return Ok(None);
    }
    Ok(Some(open_session(tx, person, session_id, device, now).await?))
}
