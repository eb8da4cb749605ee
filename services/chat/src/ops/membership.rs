//! Coming, going, asking in and putting out.

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;

use super::Chat;
use super::joining::{VOUCHER, find_voucher};
use super::profile::find_profiles;
use crate::model::{ChatError, Content, Draft, Membership, membership, new_event_id};
use crate::store;

/// A change of somebody's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MembershipChange {
    /// The actor comes in.
    Join,
    /// The actor asks to be let in.
    Knock,
    /// The actor goes, or declines an invitation.
    Leave,
    /// Somebody is asked in.
    Invite,
    /// Somebody is put out, or an invitation is taken back.
    Kick,
    /// Somebody is put out for good.
    Ban,
    /// Somebody may come back.
    Unban,
}

impl MembershipChange {
    const fn word(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Knock => "knock",
            Self::Invite => "invite",
            Self::Ban => "ban",
            Self::Leave | Self::Kick | Self::Unban => "leave",
        }
    }

    /// What the rules would read in another way: they know one word for going, being put out and being let
    /// back.
    fn refuse_other_meaning(self, before: Membership) -> Result<(), ChatError> {
        match (self, before) {
            (Self::Kick, Membership::Leave | Membership::Ban) => {
                Err(ChatError::forbidden("this person is not in the room"))
            }
            (Self::Unban, Membership::Leave | Membership::Join | Membership::Invite | Membership::Knock) => {
                Err(ChatError::forbidden("this person is not banned from the room"))
            }
            _ => Ok(()),
        }
    }
}

impl Chat {
    /// Changes the membership of `person` in a room, by the actor.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] for who is not on this server, [`ChatError::Store`].
    pub(crate) async fn change_membership(
        &self,
        actor: &Actor,
        room_id: String,
        person: PersonId,
        change: MembershipChange,
        reason: Option<String>,
    ) -> Result<(), ChatError> {
        if matches!(change, MembershipChange::Invite | MembershipChange::Knock) {
            self.0.rates.invite(actor.person, 1)?;
        }
        let (room, server_name) = (room_id.clone(), self.server_name().to_owned());
        let (profile, before, is_room, voucher) = self
            .read(async move |tx: &mut Tx<'_>| {
                let profile = find_profiles(tx, &[person]).await?.pop();
                let before = store::memberships::find_one(tx, person, &room).await?;
                let found = store::rooms::find(tx, &[&room]).await?.pop();
                let voucher = match &found {
                    Some(found) if change == MembershipChange::Join => {
                        find_voucher(tx, person, &room, &found.rules, &server_name).await?
                    }
                    _ => None,
                };
                Ok((profile, before, found.is_some(), voucher))
            })
            .await?;
        if !is_room && matches!(change, MembershipChange::Join | MembershipChange::Knock) {
            return Err(ChatError::not_found("there is no such room"));
        }
        let profile = profile
            .filter(|profile| !profile.has_gone || change != MembershipChange::Invite)
            .ok_or_else(|| ChatError::not_found("there is no such person on this server"))?;
        let before = before.map_or(Membership::Leave, |found| found.member.membership);
        change.refuse_other_meaning(before)?;
        let shown = matches!(
            change,
            MembershipChange::Join | MembershipChange::Invite | MembershipChange::Knock
        );
        let mut content = if shown {
            profile.member_content()
        } else {
            serde_json::Map::new()
        };
        if let Some(reason) = reason {
            content.insert("reason".to_owned(), reason.into());
        }
        if let Some(voucher) = voucher.filter(|_| matches!(before, Membership::Leave | Membership::Knock)) {
            content.insert(VOUCHER.to_owned(), self.user_id(voucher).into());
        }
        let content = Content::check(Content::of(&membership(change.word(), &content, false)).as_str())?;
        let state_key = self.user_id(person);
        let draft = Draft::state(new_event_id(), actor.person, "m.room.member", &state_key, content);
        self.put_events(actor.person, room_id.clone(), vec![draft])
            .await?;
        if change == MembershipChange::Join && before != Membership::Join {
            self.carry_settings_over(actor.person, &room_id).await;
        }
        Ok(())
    }

    /// Takes a room the actor has left off their lists; they read nothing of it any more.
    ///
    /// # Errors
    /// [`ChatError::Unknown`] while they are in it, and [`ChatError::Store`].
    pub(crate) async fn forget_room(&self, actor: &Actor, room_id: String) -> Result<(), ChatError> {
        let person = actor.person;
        let is_forgotten = self
            .write(async move |tx: &mut Tx<'_>| Ok(store::memberships::forget(tx, person, &room_id).await?))
            .await?;
        if is_forgotten {
            return Ok(());
        }
        Err(ChatError::Unknown(
            "leave the room before you forget it".to_owned(),
        ))
    }

    /// The rooms the actor is in.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn joined_rooms(&self, actor: &Actor) -> Result<Vec<String>, ChatError> {
        let person = actor.person;
        let rooms = self
            .read(async move |tx: &mut Tx<'_>| {
                Ok(store::memberships::of_person(tx, person, Membership::Join).await?)
            })
            .await?;
        Ok(rooms.into_iter().map(|room| room.room_id).collect())
    }
}
