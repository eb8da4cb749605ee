//! A room as the rules see it: who made it, who is in it, who may do what.

use std::collections::HashMap;
use std::str::FromStr;

use haechi_base::PersonId;
use serde::{Deserialize, Serialize};

use super::{ChatError, Content, Draft, PowerLevels, ids::person_of};

/// Words that stand in the store and in Matrix alike.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub(crate) enum $name { $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = ChatError;

            fn from_str(word: &str) -> Result<Self, ChatError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(ChatError::bad_json(format!(
                        "{:?} is none of {:?}",
                        other.chars().take(64).collect::<String>(),
                        [$($word),+]
                    ))),
                }
            }
        }
    };
}

words! {
    /// How a person stands to a room.
    Membership {
        /// Asked in, and may come.
        Invite => "invite",
        /// In.
        Join => "join",
        /// Out, by their own will or another's.
        Leave => "leave",
        /// Out, and may not come back.
        Ban => "ban",
    }
}

words! {
    /// Who may join. Knocking and restricted rooms come with the chat issue.
    JoinRule {
        /// Everybody.
        Public => "public",
        /// Who was invited.
        Invite => "invite",
    }
}

words! {
    /// Who may read what was said.
    HistoryVisibility {
        /// Whoever is in the room, and for now nobody else.
        WorldReadable => "world_readable",
        /// Members, also what was said before they came.
        Shared => "shared",
        /// Members, from their invitation on.
        Invited => "invited",
        /// Members, from their joining on.
        Joined => "joined",
    }
}

/// One person's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// How they stand to the room now.
    pub(crate) membership: Membership,
    /// Position since when they are in, without a break.
    pub(crate) joined_from: Option<i64>,
    /// Position since when they are invited.
    pub(crate) invited_from: Option<i64>,
    /// Position where their last stay ended; what is done to them later (a ban, say) does not move it.
    pub(crate) left_at: Option<i64>,
}

/// What a room's state says to the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Who made the room.
    pub(crate) creator: PersonId,
    /// Who may join.
    pub(crate) join_rule: JoinRule,
    /// Who may read.
    pub(crate) history_visibility: HistoryVisibility,
    /// Who may do what; without them the creator may do everything.
    pub(crate) power_levels: Option<PowerLevels>,
}

/// A room with the members that a batch is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    /// `None` when there is no such room yet.
    pub(crate) rules: Option<Rules>,
    /// The people concerned; who is missing here was never in the room.
    pub(crate) members: HashMap<PersonId, Member>,
}

impl Room {
    /// How a person stands to the room; who never was in it has left it.
    pub(crate) fn membership(&self, person: PersonId) -> Membership {
        self.members
            .get(&person)
            .map_or(Membership::Leave, |member| member.membership)
    }

    /// The power level of a person.
    pub(crate) fn power(&self, person: PersonId, server_name: &str) -> i64 {
        match &self.rules {
            Some(Rules {
                power_levels: Some(levels),
                ..
            }) => levels.of(person, server_name),
            Some(rules) if rules.creator == person => 100,
            _ => 0,
        }
    }

    /// Takes up an event that [`authorise`](super::authorise) allowed.
    pub(crate) fn apply(&mut self, event: &Draft, server_name: &str) -> Result<(), ChatError> {
        let Some(state_key) = event.state_key.as_deref() else {
            return Ok(());
        };
        match (event.kind.as_str(), state_key) {
            ("m.room.create", "") => {
                self.rules = Some(Rules {
                    creator: event.sender,
                    join_rule: JoinRule::Invite,
                    history_visibility: HistoryVisibility::Shared,
                    power_levels: None,
                });
            }
            ("m.room.member", user) => {
                let membership = membership_of(&event.content)?;
                if let Some(person) = person_of(user, server_name) {
                    self.take_membership(person, membership);
                }
            }
            ("m.room.power_levels", "") => {
                let levels = PowerLevels::read(&event.content)?;
                self.rules_mut()?.power_levels = Some(levels);
            }
            ("m.room.join_rules", "") => {
                self.rules_mut()?.join_rule = join_rule_of(&event.content)?;
            }
            ("m.room.history_visibility", "") => {
                self.rules_mut()?.history_visibility = history_visibility_of(&event.content)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps the positions of an unbroken stay; a new one has none until its event has its place.
    fn take_membership(&mut self, person: PersonId, membership: Membership) {
        let before = self.members.get(&person).copied();
        let invited_from = before.and_then(|before| before.invited_from);
        let joined_from = before.and_then(|before| before.joined_from);
        let stays = before.is_some_and(|before| before.membership == membership);
        let was_invited = before.is_some_and(|before| before.membership == Membership::Invite);
        let left_at = before.and_then(|before| before.left_at);
        let (joined_from, invited_from) = match membership {
            Membership::Join if stays => (joined_from, invited_from),
            Membership::Join if was_invited => (None, invited_from),
            Membership::Join => (None, None),
            Membership::Invite => (None, invited_from.filter(|_| stays)),
            // Who has left may go on reading what they could read until then.
            Membership::Leave | Membership::Ban => (joined_from, invited_from),
        };
        let member = Member {
            membership,
            joined_from,
            invited_from,
            left_at: left_at.filter(|_| matches!(membership, Membership::Leave | Membership::Ban)),
        };
        self.members.insert(person, member);
    }

    fn rules_mut(&mut self) -> Result<&mut Rules, ChatError> {
        self.rules.as_mut().ok_or_else(ChatError::not_in_room)
    }
}

/// The `membership` of a `m.room.member`.
pub(crate) fn membership_of(content: &Content) -> Result<Membership, ChatError> {
    #[derive(Deserialize)]
    struct Words {
        membership: String,
    }
    word(content, |words: Words| words.membership)
}

/// The `join_rule` of a `m.room.join_rules`.
pub(crate) fn join_rule_of(content: &Content) -> Result<JoinRule, ChatError> {
    #[derive(Deserialize)]
    struct Words {
        join_rule: String,
    }
    word(content, |words: Words| words.join_rule)
}

/// The `history_visibility` of a `m.room.history_visibility`.
pub(crate) fn history_visibility_of(content: &Content) -> Result<HistoryVisibility, ChatError> {
    #[derive(Deserialize)]
    struct Words {
        history_visibility: String,
    }
    word(content, |words: Words| words.history_visibility)
}

fn word<'c, W: Deserialize<'c>, T: FromStr<Err = ChatError>>(
    content: &'c Content,
    pick: impl FnOnce(W) -> String,
) -> Result<T, ChatError> {
    let words = serde_json::from_str(content.as_str())
        .map_err(|error| ChatError::bad_json(format!("the content is refused: {error}")))?;
    pick(words).parse()
}
