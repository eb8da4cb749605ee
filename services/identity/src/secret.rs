//! Tokens, codes and password hashes: how they are made and checked. Keys are handed in; nothing is read or kept.

use argon2::password_hash::PasswordHasher as _;
use argon2::{Argon2, PasswordVerifier as _};
use haechi_base::{Actor, PersonId, Role, Secrets, SessionId, Time, random};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::{IdentityError, Password, PhoneNumber, Session};

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub(crate) fn is_equal(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

/// What an access token says (RFC 7519). Private to identity: others ask the `Authenticator`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    sub: PersonId,
    sid: SessionId,
    did: String,
    #[serde(rename = "gen")]
    generation: u32,
    iat: i64,
    exp: i64,
}

impl Claims {
    pub(crate) const fn session(&self) -> SessionId {
        self.sid
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// When it was given out, in seconds since the epoch.
    pub(crate) const fn issued_at(&self) -> i64 {
        self.iat
    }

    pub(crate) const fn is_over(&self, now: Time) -> bool {
        self.exp <= now.seconds()
    }

    /// The actor. What they may do is not in the token: it would outlive its end there.
    pub(crate) fn into_actor(self, role: Role) -> Actor {
        Actor {
            person: self.sub,
            session: self.sid,
            device: self.did,
            role,
        }
    }
}

/// HMAC-SHA256 (RFC 2104) with the key of a purpose, which is filled up with zeros to the hash's block.
fn keyed(secrets: &Secrets, purpose: &str) -> Hmac<Sha256> {
    let mut block = [0_u8; 64];
    for (place, byte) in block.iter_mut().zip(secrets.subkey(purpose).iter()) {
        *place = *byte;
    }
    Hmac::new(&block.into())
}

/// Makes and checks what identity gives out.
pub(crate) struct Tokens {
    issuer: String,
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    codes: Hmac<Sha256>,
    refreshes: Hmac<Sha256>,
}

impl Tokens {
    pub(crate) fn new(secrets: &Secrets, server_name: &str) -> Self {
        let access_key = secrets.subkey("identity/access-token");
        let mut validation = Validation::new(Algorithm::HS256);
        // The time is compared by our own clock, to the second.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        validation.set_issuer(&[server_name]);
        Self {
            issuer: server_name.to_owned(),
            header: Header::new(Algorithm::HS256),
            encoding: EncodingKey::from_secret(access_key.as_ref()),
            decoding: DecodingKey::from_secret(access_key.as_ref()),
            validation,
            codes: keyed(secrets, "identity/code"),
            refreshes: keyed(secrets, "identity/refresh-token"),
        }
    }

    /// An access token for the newest generation of a session.
    pub(crate) fn access_token(&self, session: &Session, now: Time) -> Result<String, IdentityError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: session.person,
            sid: session.id,
            did: session.device_id.as_str().to_owned(),
            generation: session.generation,
            iat: now.seconds(),
            exp: session.access_token_expires_at(now).seconds(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.encoding)
            .map_err(|error| IdentityError::Internal(error.to_string()))
    }

    /// The claims of a token that was signed here. Whether its time is over is for the caller to see.
    pub(crate) fn verify_access_token(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        Some(data.claims)
    }

    /// `SESSION.GENERATION.MAC`: nothing of it needs to be kept, and one that was never given out cannot be
    /// mistaken for one that was used before.
    pub(crate) fn refresh_token(&self, session: SessionId, generation: u32) -> String {
        let mac = self.refresh_mac(session, generation).finalize().into_bytes();
        format!("{}.{generation}.{}", session.uuid().simple(), hex(&mac))
    }

    /// The session and generation of a refresh token that was given out here.
    pub(crate) fn verify_refresh_token(&self, token: &str) -> Option<(SessionId, u32)> {
        let mut parts = token.splitn(3, '.');
        let session: SessionId = parts.next()?.parse().ok()?;
        let generation: u32 = parts.next()?.parse().ok()?;
        let mac = unhex(parts.next()?)?;
        let expected = self.refresh_mac(session, generation).finalize().into_bytes();
        is_equal(&mac, &expected.into()).then_some((session, generation))
    }

    fn refresh_mac(&self, session: SessionId, generation: u32) -> Hmac<Sha256> {
        self.refreshes
            .clone()
            .chain_update(session.uuid().as_bytes())
            .chain_update(generation.to_be_bytes())
    }

    /// The keyed hash under which a code is kept. Without the key, the million codes could be tried out by
    /// whoever reads the database.
    pub(crate) fn code_hash(&self, phone: &PhoneNumber, code: &str) -> [u8; 32] {
        let mac = self.codes.clone().chain_update(phone.as_str()).chain_update([0]);
        mac.chain_update(code).finalize().into_bytes().into()
    }
}

/// The hash under which a token of 256 random bits is kept: it needs no key, it cannot be guessed.
pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The PHC string of a password: Argon2id with the parameters OWASP names (19 MiB, 2 passes). Takes some 20 ms.
pub(crate) fn hash_password(password: &Password) -> Result<String, IdentityError> {
    let salt = random::bytes::<16>();
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| IdentityError::Internal(error.to_string()))
}

/// Whether the password belongs to the PHC string.
pub(crate) fn verify_password(password: &Password, hash: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
