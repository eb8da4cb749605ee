//! A password, for Matrix clients that know no other way to sign in.

use std::fmt;
use std::str::FromStr;

use super::IdentityError;

/// Shortest password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 8;

/// Longest password, in characters: a bound on what is hashed.
pub const PASSWORD_CHARACTERS_MAX: usize = 256;

/// A password as it was typed. Never printed, never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password in UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(hidden)")
    }
}

impl FromStr for Password {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().take(PASSWORD_CHARACTERS_MAX + 1).count();
        if (PASSWORD_CHARACTERS_MIN..=PASSWORD_CHARACTERS_MAX).contains(&length) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::MalformedPassword)
        }
    }
}
