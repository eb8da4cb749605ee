//! Friends from the phone book: who allows being found by their number, and who of a phone book does.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use haechi_base::{Actor, PersonId, Time};
use haechi_identity::PhoneNumber;
use haechi_store::Tx;
use sha2::{Digest, Sha256};

use super::Chat;
use super::friends::Friend;
use super::profile::{find_profiles, of_identity};
use crate::model::ChatError;
use crate::model::limits::{MATCH_HASHES_A_DAY_MAX, MATCH_HASHES_MAX};
use crate::store;

const DAY_SECONDS: i64 = 24 * 3600;

/// A number of a phone book and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    pub(crate) hash: [u8; 32],
    pub(crate) friend: Friend,
}

impl Chat {
    /// What goes before a number when it is hashed: the same on all nodes, and another on every other server.
    pub(crate) fn phone_pepper(&self) -> String {
        let key = self.0.context.secrets.subkey("chat/phone-pepper");
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the actor can be found by their number.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn is_findable(&self, actor: &Actor) -> Result<bool, ChatError> {
        let person = actor.person;
        self.read(async move |tx: &mut Tx<'_>| Ok(store::findable::is_findable(tx, person).await?))
            .await
    }

    /// Lets the actor be found by their number, or not.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn set_findable(&self, actor: &Actor, is_findable: bool) -> Result<(), ChatError> {
        let (person, pepper) = (actor.person, self.phone_pepper());
        self.write(async move |tx: &mut Tx<'_>| {
            if !is_findable {
                return Ok(store::findable::remove(tx, person).await?);
            }
            let found = haechi_identity::ops::find_person(tx, person).await;
            let found = found.map_err(of_identity)?;
            let found = found.ok_or_else(|| ChatError::not_found("you are not on this server"))?;
            let phone = found
                .dialled()
                .ok_or_else(|| ChatError::forbidden("you have no phone number here"))?;
            Ok(store::findable::put(tx, person, &hash_of(&pepper, phone)).await?)
        })
        .await
    }

    /// Who of these numbers' owners allows being found. Each number that is compared counts, found or not.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::TooOften`] and [`ChatError::Store`].
    pub(crate) async fn match_friends(
        &self,
        actor: &Actor,
        hashes: Vec<[u8; 32]>,
    ) -> Result<Vec<Match>, ChatError> {
        if hashes.len() > MATCH_HASHES_MAX {
            return Err(ChatError::TooLarge(format!(
                "one request compares at most {MATCH_HASHES_MAX} numbers"
            )));
        }
        let hashes: Vec<[u8; 32]> = hashes.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let count = i64::try_from(hashes.len()).unwrap_or(i64::MAX);
        let (person, pepper, now) = (actor.person, self.phone_pepper(), self.now());
        self.write(async move |tx: &mut Tx<'_>| {
            let day = now.seconds().div_euclid(DAY_SECONDS);
            if store::findable::count(tx, person, day, count).await? > MATCH_HASHES_A_DAY_MAX {
                return Err(ChatError::TooOften(rest_of_day(now)));
            }
            found(tx, person, &hashes, &pepper).await
        })
        .await
    }
}

/// Whom the hashes find, as they are now: a hash of a number that its person no longer has finds nobody.
async fn found(
    tx: &mut Tx<'_>,
    asker: PersonId,
    hashes: &[[u8; 32]],
    pepper: &str,
) -> Result<Vec<Match>, ChatError> {
    let mut by_person: HashMap<PersonId, [u8; 32]> = store::findable::by_hash(tx, hashes)
        .await?
        .into_iter()
        .filter(|(person, _)| *person != asker)
        .collect();
    let mut people: Vec<PersonId> = by_person.keys().copied().collect();
    people.sort_unstable();
    let known = haechi_identity::ops::find_people(tx, &people).await;
    for person in known.map_err(of_identity)? {
        if by_person.get(&person.id) != Some(&hash_of(pepper, &person.phone)) {
            by_person.remove(&person.id);
        }
    }
    people.retain(|person| by_person.contains_key(person));
    let profiles = find_profiles(tx, &people).await?;
    Ok(profiles
        .into_iter()
        .filter_map(|friend| {
            let hash = *by_person.get(&friend.person)?;
            Some(Match { hash, friend })
        })
        .collect())
}

fn hash_of(pepper: &str, phone: &PhoneNumber) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(pepper.as_bytes());
    hash.update(phone.as_str().as_bytes());
    hash.finalize().into()
}

fn rest_of_day(now: Time) -> Duration {
    let gone = now.seconds().rem_euclid(DAY_SECONDS);
    Duration::from_secs(u64::try_from(DAY_SECONDS - gone).unwrap_or(0))
}
