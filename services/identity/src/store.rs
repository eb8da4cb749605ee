//! The tables of identity; nobody else reads or writes them.

use haechi_base::{PersonId, Role, SessionId, Time};
use haechi_store::{Row, Statement, StoreError, Tx};

use crate::model::{
    Code, CodeId, DeviceName, DisplayName, Person, PhoneNumber, SESSIONS_PER_PERSON_MAX, Session,
};

const FIND_PERSON: &str =
    "SELECT id, phone, display_name, role, created_at FROM identity_person WHERE id = $1";
const FIND_PERSON_BY_PHONE: &str =
    "SELECT id, phone, display_name, role, created_at FROM identity_person WHERE phone = $1";
const FIND_PEOPLE: &str = "SELECT id, phone, display_name, role, created_at FROM identity_person WHERE id IN";
// Who signs up twice at the same moment becomes one person: the second finds the first one's row.
const ADD_PERSON: &str = "
    INSERT INTO identity_person (id, phone, display_name, role, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (phone) DO UPDATE SET phone = excluded.phone
    RETURNING id, phone, display_name, role, created_at";
const SET_DISPLAY_NAME: &str = "
    UPDATE identity_person SET display_name = $2 WHERE id = $1
    RETURNING id, phone, display_name, role, created_at";
const SET_ROLE: &str = "
    UPDATE identity_person SET role = $2 WHERE id = $1
    RETURNING id, phone, display_name, role, created_at";
const END_ACCOUNT: &str = "
    UPDATE identity_person SET phone = $2, display_name = $3, password_hash = NULL WHERE id = $1";
const PASSWORD_HASH: &str = "SELECT password_hash FROM identity_person WHERE id = $1";
const SET_PASSWORD_HASH: &str = "UPDATE identity_person SET password_hash = $2 WHERE id = $1";

const CODE_TIMES: &str = "SELECT created_at FROM identity_code WHERE phone = $1 AND created_at > $2";
const ADD_CODE: &str = "
    INSERT INTO identity_code (id, phone, code_hash, tries, used, created_at, expires_at)
    VALUES ($1, $2, $3, 0, $4, $5, $6)";
const NEWEST_CODE: &str = "
    SELECT id, code_hash, tries, used, session, expires_at FROM identity_code
    WHERE phone = $1 ORDER BY created_at DESC, id DESC LIMIT 1";
const COUNT_TRY: &str = "UPDATE identity_code SET tries = tries + 1 WHERE id = $1";
const USE_CODE: &str = "UPDATE identity_code SET used = $2, session = $3 WHERE id = $1";
const FORGET_CODES: &str = "
    DELETE FROM identity_code WHERE id IN (
        SELECT id FROM identity_code WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

const FIND_SESSION: &str = "
    SELECT id, person, device_id, device_name, refreshable, generation, used_generation, refreshes, created_at,
        last_used_at, expires_at
    FROM identity_session WHERE id = $1";
const FIND_SESSION_AND_ROLE: &str = "
    SELECT s.id AS id, s.person AS person, s.device_id AS device_id, s.device_name AS device_name,
        s.refreshable AS refreshable, s.generation AS generation, s.used_generation AS used_generation,
        s.refreshes AS refreshes, s.created_at AS created_at, s.last_used_at AS last_used_at, s.expires_at AS expires_at, p.role AS role
    FROM identity_session s JOIN identity_person p ON p.id = s.person WHERE s.id = $1";
const SESSIONS_OF: &str = "
    SELECT id, person, device_id, device_name, refreshable, generation, used_generation, refreshes, created_at,
        last_used_at, expires_at
    FROM identity_session WHERE person = $1 AND expires_at > $2 AND id < $3 ORDER BY id DESC LIMIT $4";
const SESSIONS_OF_PEOPLE: &str = "
    SELECT id, person, device_id, device_name, refreshable, generation, used_generation, refreshes, created_at,
        last_used_at, expires_at
    FROM identity_session WHERE person IN";
const RENAME_DEVICE: &str = "
    UPDATE identity_session SET device_name = $3 WHERE person = $1 AND device_id = $2 AND expires_at > $4
    RETURNING id";
const ADD_SESSION: &str = "
    INSERT INTO identity_session (id, person, device_id, device_name, refreshable, generation, used_generation,
        created_at, last_used_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const END_SESSION_ON_DEVICE: &str =
    "DELETE FROM identity_session WHERE person = $1 AND device_id = $2 RETURNING id";
const END_OLDEST_SESSIONS: &str = "
    DELETE FROM identity_session WHERE id IN (
        SELECT id FROM identity_session WHERE person = $1 ORDER BY id DESC LIMIT $2 OFFSET $3) RETURNING id";
const END_SESSION: &str = "DELETE FROM identity_session WHERE id = $1 AND person = $2 RETURNING id";
const END_OTHER_SESSIONS: &str = "DELETE FROM identity_session WHERE person = $1 AND id <> $2 RETURNING id";
const END_SESSIONS: &str = "DELETE FROM identity_session WHERE person = $1 RETURNING id";
const NEXT_GENERATION: &str = "
    UPDATE identity_session
    SET generation = $2, refreshes = refreshes + 1, last_used_at = $3, expires_at = $4 WHERE id = $1";
const KEEP_REPLACED_TOKEN: &str = "
    INSERT INTO identity_replaced_token (session, generation, replaced_at) VALUES ($1, $2, $3)
    ON CONFLICT (session, generation) DO UPDATE SET replaced_at = excluded.replaced_at
    WHERE identity_replaced_token.replaced_at < excluded.replaced_at";
const REPLACED_AT: &str =
    "SELECT replaced_at FROM identity_replaced_token WHERE session = $1 AND generation = $2";
const FORGET_REPLACED_TOKENS: &str = "
    DELETE FROM identity_replaced_token WHERE replaced_at IN (
        SELECT replaced_at FROM identity_replaced_token WHERE replaced_at < $1 ORDER BY replaced_at LIMIT $2)";
const TOUCH_SESSION: &str = "
    UPDATE identity_session SET used_generation = $2, last_used_at = $3
    WHERE id = $1 AND used_generation <= $2 AND last_used_at <= $3";
const FORGET_SESSIONS: &str = "
    DELETE FROM identity_session WHERE id IN (
        SELECT id FROM identity_session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

const ADD_LOGIN_TOKEN: &str =
    "INSERT INTO identity_login_token (token_hash, person, expires_at) VALUES ($1, $2, $3)";
const TAKE_LOGIN_TOKEN: &str =
    "DELETE FROM identity_login_token WHERE token_hash = $1 RETURNING person, expires_at";
const FORGET_LOGIN_TOKENS: &str = "
    DELETE FROM identity_login_token WHERE token_hash IN (
        SELECT token_hash FROM identity_login_token WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

fn person(row: &Row) -> Result<Person, StoreError> {
    Ok(Person {
        id: row.get("id")?,
        phone: row.get("phone")?,
        display_name: row.get("display_name")?,
        role: row.get("role")?,
        created_at: row.get("created_at")?,
    })
}

fn session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.get("id")?,
        person: row.get("person")?,
        device_id: row.get("device_id")?,
        device_name: row.get("device_name")?,
        refreshable: row.get("refreshable")?,
        generation: row.get("generation")?,
        used_generation: row.get("used_generation")?,
        refreshes: row.get("refreshes")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
        expires_at: row.get("expires_at")?,
    })
}

fn session_ids(rows: &[Row]) -> Result<Vec<SessionId>, StoreError> {
    rows.iter().map(|row| row.get("id")).collect()
}

pub(crate) async fn find_person(tx: &mut Tx<'_>, id: PersonId) -> Result<Option<Person>, StoreError> {
    let row = tx.query_optional(FIND_PERSON, &[&id]).await?;
    row.as_ref().map(person).transpose()
}

pub(crate) async fn find_person_by_phone(
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
) -> Result<Option<Person>, StoreError> {
    let row = tx.query_optional(FIND_PERSON_BY_PHONE, &[phone]).await?;
    row.as_ref().map(person).transpose()
}

pub(crate) async fn find_people(tx: &mut Tx<'_>, ids: &[PersonId]) -> Result<Vec<Person>, StoreError> {
    let rows = tx.query_in(FIND_PEOPLE, ids, "").await?;
    rows.iter().map(person).collect()
}

/// Adds a person, or returns the one who has the number already.
pub(crate) async fn add_person(tx: &mut Tx<'_>, new: &Person) -> Result<Person, StoreError> {
    let row = tx
        .query_one(
            ADD_PERSON,
            &[&new.id, &new.phone, &new.display_name, &new.role, &new.created_at],
        )
        .await?;
    person(&row)
}

pub(crate) async fn set_display_name(
    tx: &mut Tx<'_>,
    id: PersonId,
    name: &DisplayName,
) -> Result<Option<Person>, StoreError> {
    let row = tx.query_optional(SET_DISPLAY_NAME, &[&id, name]).await?;
    row.as_ref().map(person).transpose()
}

pub(crate) async fn set_role(
    tx: &mut Tx<'_>,
    id: PersonId,
    role: Role,
) -> Result<Option<Person>, StoreError> {
    let row = tx.query_optional(SET_ROLE, &[&id, &role]).await?;
    row.as_ref().map(person).transpose()
}

/// The PHC string of the person's password: `None` without a person, `Some(None)` without a password.
pub(crate) async fn password_hash(
    tx: &mut Tx<'_>,
    id: PersonId,
) -> Result<Option<Option<String>>, StoreError> {
    let row = tx.query_optional(PASSWORD_HASH, &[&id]).await?;
    row.map(|row| row.get("password_hash")).transpose()
}

pub(crate) async fn set_password_hash(tx: &mut Tx<'_>, id: PersonId, hash: &str) -> Result<(), StoreError> {
    tx.execute(SET_PASSWORD_HASH, &[&id, &hash]).await.map(drop)
}

/// Takes a person's number, name and password away.
pub(crate) async fn end_account(
    tx: &mut Tx<'_>,
    id: PersonId,
    phone: &PhoneNumber,
    name: &DisplayName,
) -> Result<(), StoreError> {
    tx.execute(END_ACCOUNT, &[&id, phone, name]).await.map(drop)
}

/// When codes were sent to the phone, after `since`.
pub(crate) async fn code_times(
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    since: Time,
) -> Result<Vec<Time>, StoreError> {
    let rows = tx.query(CODE_TIMES, &[phone, &since]).await?;
    rows.iter().map(|row| row.get("created_at")).collect()
}

pub(crate) async fn add_code(
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    code: &Code,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(
        ADD_CODE,
        &[&code.id, phone, &code.hash, &code.used, &now, &code.expires_at],
    )
    .await
    .map(drop)
}

pub(crate) async fn newest_code(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Result<Option<Code>, StoreError> {
    let Some(row) = tx.query_optional(NEWEST_CODE, &[phone]).await? else {
        return Ok(None);
    };
    Ok(Some(Code {
        id: row.get("id")?,
        hash: row.get("code_hash")?,
        tries: row.get("tries")?,
        used: row.get("used")?,
        session: row.get("session")?,
        expires_at: row.get("expires_at")?,
    }))
}

pub(crate) async fn count_try(tx: &mut Tx<'_>, code: CodeId) -> Result<(), StoreError> {
    tx.execute(COUNT_TRY, &[&code]).await.map(drop)
}

pub(crate) async fn use_code(tx: &mut Tx<'_>, code: CodeId, opened: SessionId) -> Result<(), StoreError> {
    tx.execute(USE_CODE, &[&code, &true, &opened]).await.map(drop)
}

pub(crate) async fn find_session(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row = tx.query_optional(FIND_SESSION, &[&id]).await?;
    row.as_ref().map(session).transpose()
}

pub(crate) async fn find_session_and_role(
    tx: &mut Tx<'_>,
    id: SessionId,
) -> Result<Option<(Session, Role)>, StoreError> {
    let row = tx.query_optional(FIND_SESSION_AND_ROLE, &[&id]).await?;
    row.map(|row| Ok((session(&row)?, row.get("role")?))).transpose()
}

/// The person's sessions that still live, newest first, from the one after `before` on.
pub(crate) async fn sessions_of(
    tx: &mut Tx<'_>,
    person: PersonId,
    before: SessionId,
    limit: u32,
    now: Time,
) -> Result<Vec<Session>, StoreError> {
    let rows = tx.query(SESSIONS_OF, &[&person, &now, &before, &limit]).await?;
    rows.iter().map(session).collect()
}

/// The sessions of these people, those that are over included.
pub(crate) async fn sessions_of_people(
    tx: &mut Tx<'_>,
    people: &[PersonId],
) -> Result<Vec<Session>, StoreError> {
    let rows = tx.query_in(SESSIONS_OF_PEOPLE, people, "").await?;
    rows.iter().map(session).collect()
}

/// Gives a device with a living session another name; returns whether there is one.
pub(crate) async fn rename_device(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
    name: &DeviceName,
    now: Time,
) -> Result<bool, StoreError> {
    let renamed = tx
        .query_optional(RENAME_DEVICE, &[&person, &device_id, name, &now])
        .await?;
    Ok(renamed.is_some())
}

/// Adds a session; returns the sessions it ended: the one on the same device, and the oldest over the limit.
pub(crate) async fn add_session(tx: &mut Tx<'_>, new: &Session) -> Result<Vec<SessionId>, StoreError> {
    let answers = tx
        .run_all(&[
            Statement::new(END_SESSION_ON_DEVICE, &[&new.person, &new.device_id]),
            Statement::new(
                ADD_SESSION,
                &[
                    &new.id,
                    &new.person,
                    &new.device_id,
                    &new.device_name,
                    &new.refreshable,
                    &new.generation,
                    &new.used_generation,
                    &new.created_at,
                    &new.last_used_at,
                    &new.expires_at,
                ],
            ),
            Statement::new(
                END_OLDEST_SESSIONS,
                &[&new.person, &SESSIONS_PER_PERSON_MAX, &SESSIONS_PER_PERSON_MAX],
            ),
        ])
        .await?;
    session_ids(&answers.concat())
}

pub(crate) async fn end_session(
    tx: &mut Tx<'_>,
    id: SessionId,
    person: PersonId,
) -> Result<Vec<SessionId>, StoreError> {
    session_ids(&tx.query(END_SESSION, &[&id, &person]).await?)
}

pub(crate) async fn end_sessions(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<SessionId>, StoreError> {
    session_ids(&tx.query(END_SESSIONS, &[&person]).await?)
}

/// Ends all sessions of a person but one.
pub(crate) async fn end_other_sessions(
    tx: &mut Tx<'_>,
    person: PersonId,
    kept: SessionId,
) -> Result<Vec<SessionId>, StoreError> {
    session_ids(&tx.query(END_OTHER_SESSIONS, &[&person, &kept]).await?)
}

/// Keeps the session's next generation, and when the refresh token of `replaced` stopped being the newest.
pub(crate) async fn next_generation(
    tx: &mut Tx<'_>,
    session: &Session,
    replaced: u32,
    now: Time,
) -> Result<(), StoreError> {
    let next = Statement::new(
        NEXT_GENERATION,
        &[
            &session.id,
            &session.generation,
            &session.last_used_at,
            &session.expires_at,
        ],
    );
    let replaced = Statement::new(KEEP_REPLACED_TOKEN, &[&session.id, &replaced, &now]);
    tx.run_all(&[next, replaced]).await.map(drop)
}

/// Keeps that a refresh token was answered once more with the one that took its place.
pub(crate) async fn replace_again(
    tx: &mut Tx<'_>,
    session: SessionId,
    generation: u32,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(KEEP_REPLACED_TOKEN, &[&session, &generation, &now])
        .await
        .map(drop)
}

/// When a refresh token was last replaced by the next one; `None` for one that never was, or longer ago than is kept.
pub(crate) async fn replaced_at(
    tx: &mut Tx<'_>,
    session: SessionId,
    generation: u32,
) -> Result<Option<Time>, StoreError> {
    let row = tx.query_optional(REPLACED_AT, &[&session, &generation]).await?;
    row.map(|row| row.get("replaced_at")).transpose()
}

pub(crate) async fn touch_session(
    tx: &mut Tx<'_>,
    id: SessionId,
    used_generation: u32,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(TOUCH_SESSION, &[&id, &used_generation, &now])
        .await
        .map(drop)
}

pub(crate) async fn add_login_token(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
    person: PersonId,
    expires_at: Time,
) -> Result<(), StoreError> {
    tx.execute(ADD_LOGIN_TOKEN, &[hash, &person, &expires_at])
        .await
        .map(drop)
}

/// Takes the token away and tells whose it was and when it ends.
pub(crate) async fn take_login_token(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
) -> Result<Option<(PersonId, Time)>, StoreError> {
    let row = tx.query_optional(TAKE_LOGIN_TOKEN, &[hash]).await?;
    row.map(|row| Ok((row.get("person")?, row.get("expires_at")?)))
        .transpose()
}

/// Forgets up to `limit` of each: codes from before `codes_before`, refresh tokens that were replaced before
/// `replaced_before`, sessions and login tokens that ended before `now`; returns how many.
pub(crate) async fn forget(
    tx: &mut Tx<'_>,
    codes_before: Time,
    replaced_before: Time,
    now: Time,
    limit: u32,
) -> Result<u64, StoreError> {
    let codes = tx.execute(FORGET_CODES, &[&codes_before, &limit]).await?;
    let sessions = tx.execute(FORGET_SESSIONS, &[&now, &limit]).await?;
    let tokens = tx.execute(FORGET_LOGIN_TOKENS, &[&now, &limit]).await?;
    let replaced = tx
        .execute(FORGET_REPLACED_TOKENS, &[&replaced_before, &limit])
        .await?;
    Ok(codes + sessions + tokens + replaced)
}
