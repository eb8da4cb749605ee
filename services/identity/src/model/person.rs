//! A person: who they are here, and the number they proved to be theirs.

use std::fmt;
use std::str::FromStr;

use haechi_base::{PersonId, Role, Time};
use haechi_store::{FromValue, StoreError, ToValue, Value};
use serde::{Deserialize, Serialize};

use super::{IdentityError, localpart};

/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARACTERS_MAX: usize = 64;

/// Longest text that is looked at for a phone number, in bytes: E.164 has 15 digits, people add spaces.
const PHONE_BYTES_MAX: usize = 40;

/// The country whose national numbers are understood without a country code (ISO 3166-1 alpha-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(phonenumber::country::Id);

impl Country {
    /// South Korea.
    pub const KR: Self = Self(phonenumber::country::Id::KR);
}

impl FromStr for Country {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let country = text.parse().map(Self);
        country.map_err(|_| format!("{text:?} is no country: expected two letters of ISO 3166-1, such as KR"))
    }
}

/// A phone number in E.164 (`+821012345678`): the one form in which numbers are compared and kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as people write it; one without a country code belongs to `country`.
    ///
    /// # Errors
    /// [`IdentityError::MalformedPhone`].
    pub fn parse(text: &str, country: Country) -> Result<Self, IdentityError> {
        let looks_dialled = text.len() <= PHONE_BYTES_MAX
            && text
                .chars()
                .all(|letter| letter.is_ascii_digit() || "+-(). \u{a0}".contains(letter));
        if !looks_dialled {
            return Err(IdentityError::MalformedPhone);
        }
        let number = phonenumber::parse(Some(country.0), text).map_err(|_| IdentityError::MalformedPhone)?;
        if number.extension().is_some() || !phonenumber::is_valid(&number) {
            return Err(IdentityError::MalformedPhone);
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// What stands in the place of a number for a service of the house. It is none that could be read, so no code is
    /// ever sent to it.
    pub(crate) fn of_service(service: &str) -> Self {
        Self(format!("service:{service}"))
    }

    /// What stands in the place of a number for somebody who signed up with a username.
    pub(crate) fn of_username(person: PersonId) -> Self {
        Self(format!("username:{}", localpart(person)))
    }

    /// What stands in the place of a number for somebody whose account was ended. The number is free again.
    pub(crate) fn of_ended(person: PersonId) -> Self {
        Self(format!("ended:{}", localpart(person)))
    }

    /// Whether it is a number that can be dialled, and not what stands in the place of one.
    #[must_use]
    pub fn is_dialled(&self) -> bool {
        self.0.starts_with('+')
    }

    /// The number in E.164.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ToValue for PhoneNumber {
    fn to_value(&self) -> Value<'_> {
        self.0.to_value()
    }
}

impl FromValue for PhoneNumber {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        String::from_value(value).map(Self)
    }
}

/// The name a person goes by: 1 to 64 characters without control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DisplayName(String);

impl DisplayName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for DisplayName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        name(text).map(Self).ok_or(IdentityError::MalformedDisplayName)
    }
}

/// The trimmed text, when it can be shown as a name.
pub(super) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let length = text.chars().take(DISPLAY_NAME_CHARACTERS_MAX + 1).count();
    let is_name = (1..=DISPLAY_NAME_CHARACTERS_MAX).contains(&length)
        && !text
            .chars()
            .any(|letter| letter.is_control() || is_direction(letter))
        && text.chars().any(|letter| !is_unseen(letter));
    is_name.then(|| text.to_owned())
}

/// Characters that turn the direction of the text around them: a name with one could look like another's.
const fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a picture of their own; a joiner belongs into an emoji but is no name alone.
fn is_unseen(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            letter,
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{3164}'
        )
}

impl ToValue for DisplayName {
    fn to_value(&self) -> Value<'_> {
        self.0.to_value()
    }
}

impl FromValue for DisplayName {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        String::from_value(value).map(Self)
    }
}

/// A person who signed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The id, which never changes.
    pub id: PersonId,
    /// The number they proved to be theirs, or what stands in its place for who has none.
    pub phone: PhoneNumber,
    /// The name they go by.
    pub display_name: DisplayName,
    /// What they may do.
    pub role: Role,
    /// When they signed up.
    pub created_at: Time,
}

impl Person {
    /// Their number, when they have one.
    #[must_use]
    pub fn dialled(&self) -> Option<&PhoneNumber> {
        self.phone.is_dialled().then_some(&self.phone)
    }

    /// Whether their account was ended: nobody signs in to it again.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phone == PhoneNumber::of_ended(self.id)
    }
}
