//! A room as the rules see it: who made it, who is in it, who may do what.

use std::collections::HashMap;
use std::str::FromStr;

use haechi_base::PersonId;
use serde::{Deserialize, Serialize};

use super::limits::ALLOWED_ROOMS_MAX;
use super::{ChatError, Content, Draft, PowerLevels, RoomVersion, ids::person_of};

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
        /// Out, and asks to be let in.
        Knock => "knock",
        /// Out, by their own will or another's.
        Leave => "leave",
        /// Out, and may not come back.
        Ban => "ban",
    }
}

words! {
    /// Who may join.
    JoinRule {
        /// Everybody.
        Public => "public",
        /// Who was invited.
        Invite => "invite",
        /// Who was invited, and anybody may ask to be.
        Knock => "knock",
        /// Who was invited, and who is in one of some other rooms.
        Restricted => "restricted",
        /// The same, and anybody may ask to be invited.
        KnockRestricted => "knock_restricted",
    }
}

impl JoinRule {
    /// Whether members of other rooms may come in.
    pub(crate) const fn admits_by_room(self) -> bool {
        matches!(self, Self::Restricted | Self::KnockRestricted)
    }

    /// Whether who is not in the room may be shown what it is.
    pub(crate) const fn is_open_to_strangers(self) -> bool {
        matches!(self, Self::Public | Self::Knock | Self::KnockRestricted)
    }

    /// Whether people may ask to be invited.
    pub(crate) const fn takes_knocks(self) -> bool {
        matches!(self, Self::Knock | Self::KnockRestricted)
    }
}

words! {
    /// Who may read what was said.
    HistoryVisibility {
        /// Everybody, in the room or not.
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
    /// By which version's rules.
    pub(crate) version: RoomVersion,
    /// Who made the room.
    pub(crate) creator: PersonId,
    /// Who else counts as its maker (room version 12).
    pub(crate) more_creators: Vec<PersonId>,
    /// Who may join.
    pub(crate) join_rule: JoinRule,
    /// The rooms whose members may join, when the join rule says so.
    pub(crate) allowed_rooms: Vec<String>,
    /// Who may read.
    pub(crate) history_visibility: HistoryVisibility,
    /// Who may do what; without them the creator may do everything.
    pub(crate) power_levels: Option<PowerLevels>,
    /// Whether staff closed the room.
    pub(crate) is_shut: bool,
}

impl Rules {
    /// The rules of a room right after its first event.
    ///
    /// # Errors
    /// [`ChatError::BadJson`] for a creation that cannot be read, [`ChatError::UnsupportedRoomVersion`].
    pub(crate) fn of_creation(event: &Draft, server_name: &str) -> Result<Self, ChatError> {
        #[derive(Deserialize)]
        struct Creation {
            room_version: Option<String>,
            creator: Option<String>,
            #[serde(default)]
            additional_creators: serde_json::Value,
        }
        let creation: Creation = serde_json::from_str(event.content.as_str())
            .map_err(|error| ChatError::bad_json(format!("the content is refused: {error}")))?;
        let version: RoomVersion = creation.room_version.as_deref().unwrap_or("1").parse()?;
        if version.names_creator() && creation.creator.is_none() {
            return Err(ChatError::bad_json("a room of this version names its creator"));
        }
        let more = creation.additional_creators;
        let more_creators = if version.privileges_creators() && !more.is_null() {
            let users: Vec<String> = serde_json::from_value(more)
                .map_err(|_| ChatError::bad_json("additional_creators is a list of user ids"))?;
            let person = |user: &String| {
                person_of(user, server_name)
                    .ok_or_else(|| ChatError::bad_json(format!("{user:?} is no user id of this server")))
            };
            users.iter().map(person).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        Ok(Self {
            version,
            creator: event.sender,
            more_creators,
            join_rule: JoinRule::Invite,
            allowed_rooms: Vec::new(),
            history_visibility: HistoryVisibility::Shared,
            power_levels: None,
            is_shut: false,
        })
    }

    /// Whether a person stands above all power levels.
    pub(crate) fn has_all_power(&self, person: PersonId) -> bool {
        self.version.privileges_creators() && (self.creator == person || self.more_creators.contains(&person))
    }
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

    /// The power level of a person; who stands above all levels has the highest number there is.
    pub(crate) fn power(&self, person: PersonId, server_name: &str) -> i64 {
        match &self.rules {
            Some(rules) if rules.has_all_power(person) => i64::MAX,
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
                self.rules = Some(Rules::of_creation(event, server_name)?);
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
                let rules = self.rules_mut()?;
                rules.join_rule = join_rule_of(&event.content)?;
                rules.allowed_rooms = if rules.join_rule.admits_by_room() {
                    allowed_rooms_of(&event.content)
                } else {
                    Vec::new()
                };
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
            Membership::Leave | Membership::Ban | Membership::Knock => (joined_from, invited_from),
        };
        let is_out = matches!(
            membership,
            Membership::Leave | Membership::Ban | Membership::Knock
        );
        let member = Member {
            membership,
            joined_from,
            invited_from,
            left_at: left_at.filter(|_| is_out),
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

/// The rooms that a `m.room.join_rules` lets people in from. What cannot be read lets in nobody.
fn allowed_rooms_of(content: &Content) -> Vec<String> {
    #[derive(Deserialize)]
    struct Words {
        allow: Vec<serde_json::Value>,
    }
    let allow = content
        .read::<Words>()
        .map(|words| words.allow)
        .unwrap_or_default();
    let rooms = allow.iter().filter(|rule| rule["type"] == "m.room_membership");
    rooms
        .filter_map(|rule| Some(rule["room_id"].as_str()?.to_owned()))
        .take(ALLOWED_ROOMS_MAX)
        .collect()
}

/// The user in whose name somebody joins a restricted room.
pub(crate) fn authorising_user_of(content: &Content) -> Option<String> {
    #[derive(Deserialize)]
    struct Words {
        join_authorised_via_users_server: String,
    }
    if !content.as_str().contains("join_authorised_via_users_server") {
        return None;
    }
    content
        .read::<Words>()
        .map(|words| words.join_authorised_via_users_server)
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
