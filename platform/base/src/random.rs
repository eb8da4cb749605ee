//! Randomness from the operating system, in the shapes the program needs. The only place that draws any.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `LENGTH` random bytes.
#[must_use]
pub fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0_u8; LENGTH];
    rand::fill(&mut bytes);
    bytes
}

/// A secret of 256 random bits that is safe in a URL: 43 characters of base64url (RFC 4648 section 5).
#[must_use]
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// A name of 96 random bits, for what must be unique and is no secret: 16 characters of base64url.
#[must_use]
pub fn name() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<12>())
}

/// A one-time code of six digits, each of the million equally likely.
#[must_use]
pub fn six_digits() -> String {
    format!("{:06}", rand::random_range(0..1_000_000_u32))
}

/// A fraction between 0 and 1, to spread retries.
#[must_use]
pub fn fraction() -> f64 {
    rand::random_range(0.0..1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_as_said() {
        assert_eq!(token().len(), 43);
        assert_eq!(name().len(), 16);
        let code = six_digits();
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
        assert_ne!(token(), token());
    }
}
