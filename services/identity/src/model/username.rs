//! The name that somebody without a phone number chose: what stands in their user id, and in their person id.
//!
//! Ids of people are turned into user ids and back everywhere, without a look into the store. So such a person's id *is*
//! their name, written as a number: two people cannot have one name, and a name is never given out again.

use std::fmt;
use std::str::FromStr;

use haechi_base::PersonId;
use uuid::Uuid;

use super::IdentityError;

/// Longest username, in characters: as many as an id holds.
pub const USERNAME_CHARACTERS_MAX: usize = 22;

/// What a username is made of (Matrix appendices, "User Identifiers"), each letter worth its place, from 1.
const LETTERS: &[u8; 42] = b"abcdefghijklmnopqrstuvwxyz0123456789._=-/+";

/// The version in the ids of people with a username. No other id has it: those are of version 7, or 8 for services.
const VERSION: u128 = 0xf;

/// Bits of an id behind its version, and behind its variant.
const MIDDLE_BITS: u32 = 12;
const LAST_BITS: u32 = 62;

/// A name to sign in by: 1 to 22 of `a-z 0-9 . _ = - / +`, one of them a letter, so that it is no phone number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the person of this name.
    #[must_use]
    pub fn person(&self) -> PersonId {
        let number = self.0.bytes().fold(0_u128, |number, byte| {
            let place = LETTERS.iter().position(|letter| *letter == byte).unwrap_or(0);
            number * LETTERS.len() as u128 + place as u128 + 1
        });
        let first = number >> (MIDDLE_BITS + LAST_BITS);
        let middle = (number >> LAST_BITS) & low_bits(MIDDLE_BITS);
        let last = number & low_bits(LAST_BITS);
        let id = (first << 80) | (VERSION << 76) | (middle << 64) | (0b10 << LAST_BITS) | last;
        PersonId::from_uuid(Uuid::from_u128(id))
    }

    /// The name of a person who has one.
    #[must_use]
    pub fn of(person: PersonId) -> Option<Self> {
        let id = person.uuid().as_u128();
        if (id >> 76) & 0xf != VERSION {
            return None;
        }
        let middle = (id >> 64) & low_bits(MIDDLE_BITS);
        let mut number = ((id >> 80) << (MIDDLE_BITS + LAST_BITS)) | (middle << LAST_BITS);
        number |= id & low_bits(LAST_BITS);
        let mut letters = Vec::with_capacity(USERNAME_CHARACTERS_MAX);
        while number > 0 {
            let place = usize::try_from((number - 1) % LETTERS.len() as u128).ok()?;
            letters.push(char::from(*LETTERS.get(place)?));
            number = (number - 1) / LETTERS.len() as u128;
        }
        let name: String = letters.iter().rev().collect();
        // An id that was made up may stand for what is no name.
        name.parse().ok().filter(|name: &Self| name.person() == person)
    }
}

const fn low_bits(count: u32) -> u128 {
    (1 << count) - 1
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Username {
    type Err = IdentityError;

    /// Capitals are made small: who is called Minji signs in as minji.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.to_ascii_lowercase();
        let is_name = (1..=USERNAME_CHARACTERS_MAX).contains(&name.len())
            && name.bytes().all(|byte| LETTERS.contains(&byte))
            && name.bytes().any(|byte| byte.is_ascii_lowercase())
            // Those with `_` in front belong to the operator's own programs.
            && !name.starts_with('_');
        if is_name {
            Ok(Self(name))
        } else {
            Err(IdentityError::MalformedUsername)
        }
    }
}

/// What stands between `@` and `:` in a person's user id: their username, or their id as 32 hex digits.
#[must_use]
pub fn localpart(person: PersonId) -> String {
    match Username::of(person) {
        Some(name) => name.0,
        None => person.uuid().simple().to_string(),
    }
}

/// The person of such a part; each has one only.
#[must_use]
pub fn person_of_localpart(localpart: &str) -> Option<PersonId> {
    let is_hex = localpart.len() == 32
        && localpart
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex {
        let person = Uuid::try_parse(localpart).ok().map(PersonId::from_uuid)?;
        return Username::of(person).is_none().then_some(person);
    }
    let name: Username = localpart.parse().ok()?;
    (name.as_str() == localpart).then(|| name.person())
}
