//! Web Push: messages that only the browser can read (RFC 8291), and the house's name tag for push services (RFC 8292).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use haechi_base::{Time, random};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde::Serialize;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;
use web_push_native::p256::pkcs8::EncodePrivateKey;
use web_push_native::p256::{PublicKey, SecretKey};
use web_push_native::{Auth, encrypt};

/// How long a name tag is good: less than the day that RFC 8292 allows.
const NAME_TAG_LIFE: Duration = Duration::from_secs(12 * 3600);

/// The bytes of a browser's secret (RFC 8291, section 3.2).
const AUTH_BYTES: usize = 16;

/// The keys of a browser's subscription.
#[derive(Clone)]
pub(crate) struct WebKeys {
    public: PublicKey,
    auth: [u8; AUTH_BYTES],
}

impl fmt::Debug for WebKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebKeys(hidden)")
    }
}

impl WebKeys {
    /// Reads the keys as browsers give them: base64url of a point of P-256, and of 16 bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(p256dh: &str, auth: &str) -> Result<Self, String> {
        let public = bytes_of(p256dh)
            .filter(|bytes| bytes.len() == 65)
            .and_then(|bytes| PublicKey::from_sec1_bytes(&bytes).ok())
            .ok_or("p256dh is no public key of a browser: 65 bytes in base64url")?;
        let auth = bytes_of(auth)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("auth is no secret of a browser: 16 bytes in base64url")?;
        Ok(Self { public, auth })
    }

    /// Encrypts what only the browser reads.
    pub(super) fn encrypt(&self, plain: Vec<u8>) -> Result<Vec<u8>, String> {
        encrypt(plain, &self.public, Auth::from_slice(&self.auth)).map_err(|error| error.to_string())
    }
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let decoded = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.ok()
}

/// The key by which push services know this house.
pub(crate) struct HouseKey {
    /// The public half as browsers want it: an uncompressed point in base64url.
    pub(crate) public: String,
    signing: EncodingKey,
}

impl fmt::Debug for HouseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HouseKey({})", self.public)
    }
}

#[derive(Serialize)]
struct NameTag<'t> {
    aud: String,
    exp: i64,
    sub: &'t str,
}

impl HouseKey {
    /// A new private key: 32 bytes.
    pub(crate) fn generate() -> [u8; 32] {
        loop {
            // All but one in 2^32 numbers of 256 bits are a key of the curve.
            let bytes = random::bytes::<32>();
            if SecretKey::from_slice(&bytes).is_ok() {
                return bytes;
            }
        }
    }

    /// The key of these bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn of(private: &[u8]) -> Result<Self, String> {
        let secret = SecretKey::from_slice(private).map_err(|error| error.to_string())?;
        let public = secret.public_key().to_encoded_point(false);
        let document = secret.to_pkcs8_der().map_err(|error| error.to_string())?;
        Ok(Self {
            public: URL_SAFE_NO_PAD.encode(public.as_bytes()),
            signing: EncodingKey::from_ec_der(document.as_bytes()),
        })
    }

    /// The header by which the push service of this URL knows the house.
    pub(super) fn authorization(&self, url: &Url, contact: &str, now: Time) -> Result<String, String> {
        let name_tag = NameTag {
            aud: url.origin().ascii_serialization(),
            exp: (now + NAME_TAG_LIFE).seconds(),
            sub: contact,
        };
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &name_tag, &self.signing);
        let signed = signed.map_err(|error| error.to_string())?;
        Ok(format!("vapid t={signed}, k={}", self.public))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_that_no_browser_has_are_refused() {
        let key = HouseKey::of(&HouseKey::generate()).unwrap();
        let auth = URL_SAFE_NO_PAD.encode([7; 16]);
        assert!(WebKeys::read(&key.public, &auth).is_ok());
        let not_on_the_curve = URL_SAFE_NO_PAD.encode([4; 65]);
        for (p256dh, auth) in [
            (not_on_the_curve.as_str(), auth.as_str()),
            ("", auth.as_str()),
            ("%", auth.as_str()),
            (key.public.as_str(), "AAAA"),
            (key.public.as_str(), ""),
        ] {
            assert!(WebKeys::read(p256dh, auth).is_err(), "{p256dh} {auth}");
        }
    }
}
