//! Ways into a room: by its name, by a member's word, and by a phone number.

use std::collections::HashMap;

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::Chat;
use super::profile::of_identity;
use crate::model::{
    ChatError, Content, JoinRule, Membership, PowerLevels, Room, Rules, check_alias, person_of,
};
use crate::store;

/// Where a membership names the member in whose name somebody joins.
pub(super) const VOUCHER: &str = "join_authorised_via_users_server";

/// Members that are looked at for one who may invite.
const VOUCHERS_MAX: usize = 100;

impl Chat {
    /// The id of the room that a client names by id or alias.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] for an alias that points to none, and [`ChatError::Store`].
    pub(crate) async fn room_named(&self, room: &str) -> Result<String, ChatError> {
        if !room.starts_with('#') {
            return Ok(room.to_owned());
        }
        let not_found = || ChatError::not_found("no room has this alias");
        let alias = check_alias(room, self.server_name()).map_err(|_| not_found())?;
        let found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::aliases::find_one(tx, &alias).await?))
            .await?;
        found.map(|alias| alias.room_id).ok_or_else(not_found)
    }

    /// The person of a third-party address: only phone numbers are known. Each look counts as an invitation, so that
    /// nobody tries all numbers.
    ///
    /// # Errors
    /// [`ChatError::NumberNotFound`], [`ChatError::MediumNotSupported`], [`ChatError::TooOften`] and
    /// [`ChatError::Store`].
    pub(crate) async fn person_of_address(
        &self,
        actor: &Actor,
        medium: &str,
        address: &str,
    ) -> Result<PersonId, ChatError> {
        if medium != "msisdn" {
            return Err(ChatError::MediumNotSupported(medium.chars().take(64).collect()));
        }
        self.0.rates.invite(actor.person, 1)?;
        // Matrix leaves out the plus sign of a number with its country.
        let is_bare = !address.starts_with('0') && address.bytes().all(|byte| byte.is_ascii_digit());
        let written = if is_bare {
            format!("+{address}")
        } else {
            address.to_owned()
        };
        let phone = self
            .identity()
            .parse_phone(&written)
            .map_err(|_| ChatError::NumberNotFound)?;
        let found = self
            .read(async move |tx: &mut Tx<'_>| {
                haechi_identity::ops::find_by_phone(tx, &phone)
                    .await
                    .map_err(of_identity)
            })
            .await?;
        found.map(|person| person.id).ok_or(ChatError::NumberNotFound)
    }

    /// The content of a membership that a client wrote itself: who vouches for a person is for the server to say.
    /// Invitations are counted here as through their own verb.
    pub(super) async fn vouched(
        &self,
        actor: &Actor,
        room_id: &str,
        person: PersonId,
        content: Content,
    ) -> Result<Content, ChatError> {
        let Some(mut words) = content.read::<Map<String, Value>>() else {
            return Ok(content);
        };
        let word = words.get("membership").and_then(Value::as_str);
        let (is_join, is_asking) = (word == Some("join"), matches!(word, Some("invite" | "knock")));
        if is_asking {
            self.0.rates.invite(actor.person, 1)?;
        }
        let was_named = words.remove(VOUCHER).is_some();
        let mut voucher = None;
        if is_join && person == actor.person {
            let (room_id, server_name) = (room_id.to_owned(), self.server_name().to_owned());
            voucher = self
                .read(async move |tx: &mut Tx<'_>| {
                    let before = store::memberships::find_one(tx, person, &room_id).await?;
                    let stands = before.map_or(Membership::Leave, |found| found.member.membership);
                    let Some(found) = store::rooms::find(tx, &[&room_id]).await?.pop() else {
                        return Ok(None);
                    };
                    if !matches!(stands, Membership::Leave | Membership::Knock) {
                        return Ok(None);
                    }
                    find_voucher(tx, person, &room_id, &found.rules, &server_name).await
                })
                .await?;
        }
        if let Some(voucher) = voucher {
            words.insert(VOUCHER.to_owned(), self.user_id(voucher).into());
        } else if !was_named {
            return Ok(content);
        }
        Content::check(Content::of(&words).as_str())
    }
}

/// The member in whose name a person may come into a restricted room: one who may invite, when the person is in one
/// of the rooms whose members may join.
pub(super) async fn find_voucher(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
    rules: &Rules,
    server_name: &str,
) -> Result<Option<PersonId>, ChatError> {
    if !may_come_from(tx, person, rules).await? {
        return Ok(None);
    }
    let room = Room {
        rules: Some(rules.clone()),
        members: HashMap::new(),
    };
    let levels = rules.power_levels.clone().unwrap_or_default();
    let is_able = |person: &PersonId| room.power(*person, server_name) >= levels.invite;
    let mut named = named_people(rules, &levels, server_name);
    named.retain(is_able);
    named.truncate(VOUCHERS_MAX);
    let pairs: Vec<(PersonId, &str)> = named.iter().map(|person| (*person, room_id)).collect();
    let found = store::memberships::find(tx, &pairs).await?;
    let mut present = found
        .iter()
        .filter(|found| found.member.membership == Membership::Join)
        .map(|found| found.person);
    if let Some(voucher) = present.next() {
        return Ok(Some(voucher));
    }
    let limit = u32::try_from(VOUCHERS_MAX).unwrap_or(u32::MAX);
    let members = store::memberships::of_room(tx, room_id, Membership::Join, limit).await?;
    Ok(members.into_iter().find(is_able))
}

/// Whether the join rule lets a person in for being in another room.
pub(super) async fn may_come_from(
    tx: &mut Tx<'_>,
    person: PersonId,
    rules: &Rules,
) -> Result<bool, ChatError> {
    if !matches!(rules.join_rule, JoinRule::Restricted | JoinRule::KnockRestricted) {
        return Ok(false);
    }
    let rooms = rules.allowed_rooms.iter();
    let pairs: Vec<(PersonId, &str)> = rooms.map(|room_id| (person, room_id.as_str())).collect();
    let found = store::memberships::find(tx, &pairs).await?;
    Ok(found
        .iter()
        .any(|found| found.member.membership == Membership::Join))
}

/// The people whom the rules name, the most powerful first.
fn named_people(rules: &Rules, levels: &PowerLevels, server_name: &str) -> Vec<PersonId> {
    let mut by_level: Vec<(&String, &i64)> = levels.users.iter().collect();
    by_level.sort_by(|one, other| other.1.cmp(one.1));
    let mut named = vec![rules.creator];
    named.extend(&rules.more_creators);
    named.extend(
        by_level
            .iter()
            .filter_map(|(user, _)| person_of(user, server_name)),
    );
    named
}
