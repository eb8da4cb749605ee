//! Who may put which event into a room: the authorisation rules of room versions 10 to 12, for one server.
//!
//! <https://spec.matrix.org/v1.11/rooms/v11/#authorization-rules>. What the rules say about signatures, servers
//! and third-party invites has no counterpart here and is left out. Who may join by another room's membership is
//! found out before (`ops/joining.rs`); here it is checked that whoever vouches for them may invite.

use haechi_base::PersonId;

use super::room::{authorising_user_of, history_visibility_of, join_rule_of, membership_of};
use super::{
    ChatError, Content, Draft, JoinRule, Membership, PowerLevels, Room, Rules, ids::person_of, ids::user_id,
};

/// Allows an event, or says why not.
///
/// # Errors
/// [`ChatError::Forbidden`] and, for an event that no rule could judge, [`ChatError::BadJson`].
pub(crate) fn authorise(room: &Room, event: &Draft, server_name: &str) -> Result<(), ChatError> {
    if event.kind == "m.room.create" {
        return authorise_create(room, event, server_name);
    }
    let Some(rules) = &room.rules else {
        return Err(ChatError::not_in_room());
    };
    if rules.is_shut && !is_own_leave(event, server_name) {
        return Err(ChatError::forbidden(
            "this room was closed by the staff of this server",
        ));
    }
    if event.kind == "m.room.member" {
        return authorise_member(room, event, server_name);
    }
    if room.membership(event.sender) != Membership::Join {
        return Err(ChatError::not_in_room());
    }
    refuse_too_little_power(room, event, server_name)?;
    if let Some(state_key) = event.state_key.as_deref() {
        authorise_state(room, event, state_key, server_name)?;
    }
    Ok(())
}

fn authorise_create(room: &Room, event: &Draft, server_name: &str) -> Result<(), ChatError> {
    if room.rules.is_some() || event.state_key.as_deref() != Some("") {
        return Err(ChatError::forbidden("a room is created once"));
    }
    Rules::of_creation(event, server_name).map(drop)
}

/// Whether somebody goes by themselves, which is allowed as long as they are there.
fn is_own_leave(event: &Draft, server_name: &str) -> bool {
    event.kind == "m.room.member"
        && event.state_key.as_deref() == Some(&user_id(event.sender, server_name))
        && membership_of(&event.content) == Ok(Membership::Leave)
}

/// Rule 7: the event's type needs no more power than the sender has.
fn refuse_too_little_power(room: &Room, event: &Draft, server_name: &str) -> Result<(), ChatError> {
    let levels = room.rules.as_ref().and_then(|rules| rules.power_levels.as_ref());
    let is_state = event.state_key.is_some();
    let needed = levels.map_or(0, |levels| levels.needed_to_send(&event.kind, is_state));
    let own = room.power(event.sender, server_name);
    if own < needed {
        let kind = &event.kind;
        return Err(ChatError::forbidden(format!(
            "{kind} needs power level {needed} in this room, and yours is {own}"
        )));
    }
    Ok(())
}

fn authorise_state(room: &Room, event: &Draft, state_key: &str, server_name: &str) -> Result<(), ChatError> {
    if state_key.starts_with('@') && state_key != user_id(event.sender, server_name) {
        return Err(ChatError::forbidden(
            "state under another person's user id is theirs to set",
        ));
    }
    match event.kind.as_str() {
        "m.room.power_levels" if state_key.is_empty() => {
            let next = PowerLevels::read(&event.content)?;
            refuse_levels_of_creators(room, &next, server_name)?;
            let levels = room.rules.as_ref().and_then(|rules| rules.power_levels.as_ref());
            let Some(before) = levels else { return Ok(()) };
            let actor = user_id(event.sender, server_name);
            before.may_become(&next, &actor, room.power(event.sender, server_name))
        }
        "m.room.join_rules" if state_key.is_empty() => join_rule_of(&event.content).map(drop),
        "m.room.history_visibility" if state_key.is_empty() => {
            history_visibility_of(&event.content).map(drop)
        }
        _ => Ok(()),
    }
}

/// Room version 12: who made the room stands above all levels, and is given none.
fn refuse_levels_of_creators(room: &Room, levels: &PowerLevels, server_name: &str) -> Result<(), ChatError> {
    let Some(rules) = &room.rules else { return Ok(()) };
    let people = levels
        .users
        .keys()
        .filter_map(|user| person_of(user, server_name));
    for person in people {
        if rules.has_all_power(person) {
            return Err(ChatError::forbidden(
                "who created the room stands above all power levels and is not listed in them",
            ));
        }
    }
    Ok(())
}

/// Rule 4: memberships.
fn authorise_member(room: &Room, event: &Draft, server_name: &str) -> Result<(), ChatError> {
    let target = event
        .state_key
        .as_deref()
        .and_then(|user| person_of(user, server_name))
        .ok_or_else(|| ChatError::invalid("the state key of a membership is a user id of this server"))?;
    let judged = Judged {
        room,
        sender: event.sender,
        target,
        server_name,
    };
    match membership_of(&event.content)? {
        Membership::Join => judged.join(&event.content),
        Membership::Knock => judged.knock(),
        Membership::Invite => judged.invite(),
        Membership::Leave => judged.leave(),
        Membership::Ban => judged.ban(),
    }
}

struct Judged<'r> {
    room: &'r Room,
    sender: PersonId,
    target: PersonId,
    server_name: &'r str,
}

impl Judged<'_> {
    fn join(&self, content: &Content) -> Result<(), ChatError> {
        if self.sender != self.target {
            return Err(ChatError::forbidden("nobody can join for somebody else"));
        }
        let Some(rules) = &self.room.rules else {
            return Err(ChatError::not_in_room());
        };
        // The first to join is who created the room.
        let first = self.room.members.is_empty() && rules.creator == self.sender;
        match self.room.membership(self.sender) {
            Membership::Ban => Err(ChatError::forbidden("you are banned from this room")),
            Membership::Join | Membership::Invite => Ok(()),
            Membership::Leave | Membership::Knock if first || rules.join_rule == JoinRule::Public => Ok(()),
            Membership::Leave | Membership::Knock if rules.join_rule.admits_by_room() => {
                self.refuse_without_voucher(content)
            }
            Membership::Leave | Membership::Knock => {
                Err(ChatError::forbidden("you are not invited to this room"))
            }
        }
    }

    /// Into a restricted room one comes in the name of a member who may invite.
    fn refuse_without_voucher(&self, content: &Content) -> Result<(), ChatError> {
        let voucher = authorising_user_of(content).and_then(|user| person_of(&user, self.server_name));
        let invite = self.level(|levels| levels.invite, 0);
        let is_able = |person: PersonId| {
            self.room.membership(person) == Membership::Join
                && self.room.power(person, self.server_name) >= invite
        };
        if voucher.is_some_and(is_able) {
            return Ok(());
        }
        Err(ChatError::forbidden(
            "you are neither invited to this room nor in a room whose members may join it",
        ))
    }

    fn knock(&self) -> Result<(), ChatError> {
        if self.sender != self.target {
            return Err(ChatError::forbidden("nobody can knock for somebody else"));
        }
        let takes_knocks = |rules: &Rules| rules.join_rule.takes_knocks();
        if !self.room.rules.as_ref().is_some_and(takes_knocks) {
            return Err(ChatError::forbidden("this room takes no requests to join"));
        }
        match self.room.membership(self.sender) {
            Membership::Leave | Membership::Knock => Ok(()),
            Membership::Invite => Err(ChatError::forbidden("you are invited to this room already")),
            Membership::Join => Err(ChatError::forbidden("you are in this room already")),
            Membership::Ban => Err(ChatError::forbidden("you are banned from this room")),
        }
    }

    fn invite(&self) -> Result<(), ChatError> {
        self.refuse_outsider()?;
        match self.room.membership(self.target) {
            Membership::Join => Err(ChatError::forbidden("this person is in the room already")),
            Membership::Ban => Err(ChatError::forbidden("this person is banned from the room")),
            Membership::Invite | Membership::Leave | Membership::Knock => {
                self.refuse_below(self.level(|levels| levels.invite, 0), "invite")
            }
        }
    }

    fn leave(&self) -> Result<(), ChatError> {
        let before = self.room.membership(self.target);
        if self.sender == self.target {
            return match before {
                Membership::Join | Membership::Invite | Membership::Knock => Ok(()),
                Membership::Leave => Err(ChatError::not_in_room()),
                Membership::Ban => Err(ChatError::forbidden("you are banned from this room")),
            };
        }
        self.refuse_outsider()?;
        if before == Membership::Ban {
            self.refuse_below(self.level(|levels| levels.ban, 50), "unban")?;
        }
        self.refuse_below(self.level(|levels| levels.kick, 50), "kick")?;
        self.refuse_peer("kick")
    }

    fn ban(&self) -> Result<(), ChatError> {
        self.refuse_outsider()?;
        self.refuse_below(self.level(|levels| levels.ban, 50), "ban")?;
        self.refuse_peer("ban")
    }

    fn level(&self, pick: impl FnOnce(&PowerLevels) -> i64, otherwise: i64) -> i64 {
        let levels = self
            .room
            .rules
            .as_ref()
            .and_then(|rules| rules.power_levels.as_ref());
        levels.map_or(otherwise, pick)
    }

    fn refuse_outsider(&self) -> Result<(), ChatError> {
        if self.room.membership(self.sender) == Membership::Join {
            return Ok(());
        }
        Err(ChatError::not_in_room())
    }

    fn refuse_below(&self, needed: i64, verb: &str) -> Result<(), ChatError> {
        let own = self.room.power(self.sender, self.server_name);
        if own >= needed {
            return Ok(());
        }
        Err(ChatError::forbidden(format!(
            "to {verb} needs power level {needed} in this room, and yours is {own}"
        )))
    }

    fn refuse_peer(&self, verb: &str) -> Result<(), ChatError> {
        let own = self.room.power(self.sender, self.server_name);
        if self.room.power(self.target, self.server_name) < own {
            return Ok(());
        }
        Err(ChatError::forbidden(format!(
            "to {verb} somebody needs a higher power level than theirs"
        )))
    }
}
