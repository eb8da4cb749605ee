//! Secrets at rest: one master key from the environment, a subkey for each purpose, sealed boxes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random;

const NONCE_BYTES: usize = 24;

/// Why a key or a sealed box was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// The master key is not 32 bytes in base64.
    #[error(
        "the master key must be 32 bytes in base64 (44 characters); make one with `openssl rand -base64 32`"
    )]
    MalformedKey,
    /// The box was sealed with another key, for another purpose or context, or was changed.
    #[error("the sealed value cannot be opened with this key")]
    CannotOpen,
    /// The cipher refused the input, which is larger than it can take.
    #[error("the value is too large to be sealed")]
    CannotSeal,
}

/// The one key an operator keeps: 256 bits. Never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// The key in base64, to be written to a file that only the operator can read.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_ref()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(hidden)")
    }
}

impl FromStr for MasterKey {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text.trim())
                .map_err(|_| SecretError::MalformedKey)?,
        );
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SecretError::MalformedKey)?;
        Ok(Self(Zeroizing::new(key)))
    }
}

/// Derives and uses the subkeys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Secrets(MasterKey);

impl Secrets {
    /// Works with subkeys of `master`.
    #[must_use]
    pub const fn new(master: MasterKey) -> Self {
        Self(master)
    }

    /// The key for one purpose, by HKDF-SHA256 (RFC 5869): `identity/access-token`.
    #[must_use]
    pub fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0_u8; 32]);
        let derived = Hkdf::<Sha256>::new(None, self.0.0.as_ref()).expand(purpose.as_bytes(), key.as_mut());
        // HKDF refuses only outputs over 255 blocks; one block is asked for.
        debug_assert!(derived.is_ok());
        key
    }

    /// Encrypts `plain` so that it opens only for the same purpose and context (XChaCha20-Poly1305).
    ///
    /// # Errors
    /// [`SecretError::CannotSeal`] when the value passes the cipher's limit of 256 GiB.
    pub fn seal(&self, purpose: &str, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self
            .cipher(purpose)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SecretError::CannotSeal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Secrets::seal`] made for the same purpose and context.
    ///
    /// # Errors
    /// [`SecretError::CannotOpen`].
    pub fn open(
        &self,
        purpose: &str,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (nonce, body) = sealed
            .split_at_checked(NONCE_BYTES)
            .ok_or(SecretError::CannotOpen)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SecretError::CannotOpen)?;
        let payload = Payload {
            msg: body,
            aad: context,
        };
        let plain = self
            .cipher(purpose)
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SecretError::CannotOpen)?;
        Ok(Zeroizing::new(plain))
    }

    fn cipher(&self, purpose: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.subkey(purpose)).into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_for_its_purpose_context_and_key() {
        let secrets = Secrets::new(MasterKey::generate());
        let sealed = secrets.seal("a", b"row 1", b"secret").unwrap();
        assert_eq!(
            secrets.open("a", b"row 1", &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert_eq!(secrets.open("b", b"row 1", &sealed), Err(SecretError::CannotOpen));
        assert_eq!(secrets.open("a", b"row 2", &sealed), Err(SecretError::CannotOpen));
        let other = Secrets::new(MasterKey::generate());
        assert_eq!(other.open("a", b"row 1", &sealed), Err(SecretError::CannotOpen));
        assert_eq!(
            secrets.open("a", b"row 1", &sealed[..10]),
            Err(SecretError::CannotOpen)
        );
    }

    #[test]
    fn the_key_survives_its_text_form_and_is_never_shown() {
        let key = MasterKey::generate();
        let again: MasterKey = key.to_base64().parse().unwrap();
        assert_eq!(
            Secrets::new(key.clone()).subkey("x"),
            Secrets::new(again).subkey("x")
        );
        assert_eq!(format!("{key:?}"), "MasterKey(hidden)");
        assert!("short".parse::<MasterKey>().is_err());
    }
}
