//! A person's push rules (client-server API, "Push rules"): how they are kept and changed, and what they say of an event.

use futures_util::FutureExt;
use ruma::events::AnySyncTimelineEvent;
use ruma::power_levels::NotificationPowerLevels;
use ruma::push::{
    Action, AnyPushRuleRef, ConditionalPushRule, FlattenedJson, InsertPushRuleError, NewPushRule,
    NewSimplePushRule, PushCondition, PushConditionPowerLevelsCtx, PushConditionRoomCtx, RemovePushRuleError,
    RuleKind, Ruleset,
};
use ruma::room_version_rules::{AuthorizationRules, RoomPowerLevelsRules};
use ruma::serde::Raw;
use ruma::{Int, OwnedRoomId, OwnedUserId, UInt, UserId};
use serde::{Deserialize, Serialize};

use super::limits::{
    ACCOUNT_DATA_BYTES_MAX, NAME_BYTES_MAX, PUSH_CONDITIONS_MAX, PUSH_PATTERN_BYTES_MAX, PUSH_RULES_OWN_MAX,
};
use super::{ChatError, Content, Event, Rules, raw_json, user_id};

/// The type of account data that they are kept as.
pub(crate) const PUSH_RULES: &str = "m.push_rules";

/// The level that calling everybody needs where the room says nothing.
const ROOM_CALL_LEVEL_DEFAULT: i64 = 50;

/// What is kept: the rules of the one scope there is.
#[derive(Serialize, Deserialize)]
struct Scopes {
    global: Ruleset,
}

/// A person's push rules, those of everybody among them.
#[derive(Debug, Clone)]
pub(crate) struct PushRules {
    rules: Ruleset,
    /// Whether one that everybody has was changed.
    has_changed_defaults: bool,
    has_own: bool,
}

/// What rules say of an event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub(crate) notifies: bool,
    pub(crate) highlights: bool,
    pub(crate) actions: Vec<Action>,
}

/// An event as rules look at it.
pub(crate) struct JudgedEvent(FlattenedJson);

/// A room as rules look at it, and who looks.
pub(crate) struct JudgedRoom(PushConditionRoomCtx);

impl PushRules {
    /// The rules of a person, from what was kept of them; those that came into the specification later are added.
    pub(crate) fn of(user_id: &str, kept: Option<&str>) -> Self {
        let user = UserId::parse(user_id);
        let defaults = user
            .map(|user| Ruleset::server_default(&user))
            .unwrap_or_default();
        let kept = kept.and_then(|text| serde_json::from_str::<Scopes>(text).ok());
        let Some(Scopes { global: mut rules }) = kept else {
            return Self {
                rules: defaults,
                has_changed_defaults: false,
                has_own: false,
            };
        };
        rules.update_with_server_default(defaults.clone());
        Self {
            has_changed_defaults: rules
                .iter()
                .filter(|rule| rule.is_server_default())
                .any(|rule| !is_unchanged(rule, &defaults)),
            has_own: rules.iter().any(|rule| !rule.is_server_default()),
            rules,
        }
    }

    pub(crate) const fn rules(&self) -> &Ruleset {
        &self.rules
    }

    /// One rule.
    ///
    /// # Errors
    /// [`ChatError::NotFound`].
    pub(crate) fn rule(&self, kind: &RuleKind, rule_id: &str) -> Result<AnyPushRuleRef<'_>, ChatError> {
        self.rules.get(kind.clone(), rule_id).ok_or_else(no_such_rule)
    }

    /// What is to be kept.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`].
    pub(crate) fn to_content(&self) -> Result<Content, ChatError> {
        let content = Content::of(&Scopes {
            global: self.rules.clone(),
        });
        if content.as_str().len() > ACCOUNT_DATA_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "push rules have at most {ACCOUNT_DATA_BYTES_MAX} bytes"
            )));
        }
        Ok(content)
    }

    /// Adds a rule of the person's own, or changes it. One that stands there keeps its place unless another is named.
    ///
    /// # Errors
    /// [`ChatError::Unknown`], [`ChatError::InvalidParameter`], [`ChatError::TooLarge`].
    pub(crate) fn put(
        &mut self,
        rule: NewPushRule,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<(), ChatError> {
        check(&rule)?;
        let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
        let before_it = self
            .rules
            .get(kind.clone(), &rule_id)
            .map(|known| known.enabled());
        if before_it.is_some() && (after.is_some() || before.is_some()) {
            // It is moved: taken out first, so that its old place does not count.
            self.rules.remove(kind.clone(), &rule_id).map_err(of_removal)?;
        }
        self.rules.insert(rule, after, before).map_err(of_insertion)?;
        if let Some(enabled) = before_it {
            self.rules
                .set_enabled(kind, &rule_id, enabled)
                .map_err(|_| no_such_rule())?;
        }
        let conditional = self.rules.override_.iter().chain(&self.rules.underride);
        let own = conditional.filter(|rule| !rule.default).count();
        if own + self.rules.content.len() > PUSH_RULES_OWN_MAX {
            return Err(ChatError::TooLarge(format!(
                "there are at most {PUSH_RULES_OWN_MAX} rules of one's own of the kinds override, content and underride"
            )));
        }
        Ok(())
    }

    /// Has the rule for a room hold for another one too, which has none yet; returns whether there is one.
    pub(crate) fn carry_over(&mut self, from_room: &str, to_room: &str) -> bool {
        let Ok(to_room) = OwnedRoomId::try_from(to_room) else {
            return false;
        };
        let of_room = |room: &str| self.rules.room.iter().find(|rule| rule.rule_id == room);
        let Some(known) = of_room(from_room).filter(|_| of_room(to_room.as_str()).is_none()) else {
            return false;
        };
        let (actions, enabled) = (known.actions.clone(), known.enabled);
        let rule = NewPushRule::Room(NewSimplePushRule::new(to_room.clone(), actions));
        if self.rules.insert(rule, None, None).is_err() {
            return false;
        }
        self.rules
            .set_enabled(RuleKind::Room, to_room.as_str(), enabled)
            .is_ok()
    }

    /// Takes a rule of the person's own away.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], and [`ChatError::Unknown`] for those that everybody has.
    pub(crate) fn remove(&mut self, kind: RuleKind, rule_id: &str) -> Result<(), ChatError> {
        self.rules.remove(kind, rule_id).map_err(of_removal)
    }

    /// Lets a rule hold or not.
    ///
    /// # Errors
    /// [`ChatError::NotFound`].
    pub(crate) fn set_enabled(
        &mut self,
        kind: RuleKind,
        rule_id: &str,
        enabled: bool,
    ) -> Result<(), ChatError> {
        self.rules
            .set_enabled(kind, rule_id, enabled)
            .map_err(|_| no_such_rule())
    }

    /// Says what a rule does.
    ///
    /// # Errors
    /// [`ChatError::NotFound`].
    pub(crate) fn set_actions(
        &mut self,
        kind: RuleKind,
        rule_id: &str,
        actions: Vec<Action>,
    ) -> Result<(), ChatError> {
        self.rules
            .set_actions(kind, rule_id, actions)
            .map_err(|_| no_such_rule())
    }

    /// Whether they may say something else of this room's events than those of everybody do.
    pub(crate) fn differ_in(&self, room_id: &str) -> bool {
        if self.has_changed_defaults {
            return true;
        }
        self.has_own
            && self
                .rules
                .iter()
                .any(|rule| rule.enabled() && !rule.is_server_default() && is_about(rule, room_id))
    }

    /// What they say of an event.
    pub(crate) fn judge(&self, event: &JudgedEvent, room: &JudgedRoom) -> Verdict {
        let JudgedEvent(event) = event;
        let JudgedRoom(room) = room;
        if event.get_str("sender") == Some(room.user_id.as_str()) {
            return Verdict::default();
        }
        // The look at a rule is written as a future, which never waits for anything here.
        let applies = |rule: &AnyPushRuleRef<'_>| rule.applies(event, room).now_or_never() == Some(true);
        let Some(rule) = self.rules.iter().find(applies) else {
            return Verdict::default();
        };
        Verdict {
            notifies: rule.triggers_notification(),
            highlights: rule.triggers_notification() && rule.triggers_highlight(),
            actions: rule.actions().to_vec(),
        }
    }
}

impl JudgedEvent {
    pub(crate) fn of(event: &Event, server_name: &str) -> Self {
        let mut told = serde_json::json!({
            "type": event.kind,
            "sender": user_id(event.sender, server_name),
            "room_id": event.room_id,
            "event_id": event.event_id,
            "content": serde_json::from_str(&event.content).unwrap_or(serde_json::Value::Null),
        });
        if let Some(state_key) = &event.state_key {
            told["state_key"] = state_key.as_str().into();
        }
        let raw: Raw<AnySyncTimelineEvent> = Raw::from_json(raw_json(told.to_string()));
        Self(FlattenedJson::from_raw(&raw))
    }
}

impl JudgedRoom {
    /// A room of so many members; `None` when its id is none.
    pub(crate) fn of(room_id: &str, members: u32, rules: Option<&Rules>, server_name: &str) -> Option<Self> {
        let room_id = OwnedRoomId::try_from(room_id).ok()?;
        // Whoever looks is named before each look.
        let nobody = OwnedUserId::try_from(format!("@nobody:{server_name}")).ok()?;
        let context = PushConditionRoomCtx::new(room_id, UInt::from(members), nobody, String::new());
        let levels = rules.map(|rules| levels_of(rules, server_name));
        Some(Self(match levels {
            Some(levels) => context.with_power_levels(levels),
            None => context,
        }))
    }

    /// Looks with the eyes of this person, who goes by that name in the room.
    pub(crate) fn seen_by(&mut self, user_id: &str, display_name: &str) {
        if let Ok(user_id) = OwnedUserId::try_from(user_id) {
            self.0.user_id = user_id;
        }
        self.0.user_display_name = display_name.to_owned();
    }
}

fn levels_of(rules: &Rules, server_name: &str) -> PushConditionPowerLevelsCtx {
    let whole = |level: i64| Int::try_from(level).unwrap_or_default();
    let mut notifications = NotificationPowerLevels::new();
    let (users, users_default) = match &rules.power_levels {
        Some(levels) => {
            let room = levels.notifications.get("room").copied();
            notifications.room = whole(room.unwrap_or(ROOM_CALL_LEVEL_DEFAULT));
            let users = levels.users.iter().filter_map(|(user, level)| {
                Some((OwnedUserId::try_from(user.as_str()).ok()?, whole(*level)))
            });
            (users.collect(), whole(levels.users_default))
        }
        None => {
            let creator = OwnedUserId::try_from(user_id(rules.creator, server_name));
            let creator = creator.map(|creator| (creator, whole(100)));
            (creator.into_iter().collect(), whole(0))
        }
    };
    let rules = RoomPowerLevelsRules::new(&AuthorizationRules::V11, None);
    PushConditionPowerLevelsCtx::new(users, users_default, notifications, rules)
}

/// Whether a rule that everybody has is as everybody has it.
fn is_unchanged(rule: AnyPushRuleRef<'_>, defaults: &Ruleset) -> bool {
    let same = |known: AnyPushRuleRef<'_>| {
        known.rule_id() == rule.rule_id()
            && known.enabled() == rule.enabled()
            && Content::of(&known.actions()) == Content::of(&rule.actions())
    };
    defaults.iter().any(same)
}

/// Whether a rule may hold for a room: it does not name another one.
fn is_about(rule: AnyPushRuleRef<'_>, room_id: &str) -> bool {
    let named_elsewhere = |rule: &ConditionalPushRule| {
        rule.conditions.iter().any(|condition| match condition {
            PushCondition::EventMatch(matched) => {
                matched.key == "room_id"
                    && !matched.pattern.contains(['*', '?'])
                    && !matched.pattern.eq_ignore_ascii_case(room_id)
            }
            _ => false,
        })
    };
    match rule {
        AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => !named_elsewhere(rule),
        AnyPushRuleRef::Room(rule) => rule.rule_id == room_id,
        _ => true,
    }
}

fn check(rule: &NewPushRule) -> Result<(), ChatError> {
    let rule_id = rule.rule_id();
    if rule_id.len() > NAME_BYTES_MAX || rule_id.contains('\0') {
        return Err(ChatError::Unknown(format!(
            "the id of a rule has at most {NAME_BYTES_MAX} bytes, and no NUL among them"
        )));
    }
    let conditions = match rule {
        NewPushRule::Override(rule) | NewPushRule::Underride(rule) => rule.conditions.as_slice(),
        NewPushRule::Content(rule) if rule.pattern.len() > PUSH_PATTERN_BYTES_MAX => {
            return Err(long_pattern());
        }
        _ => &[],
    };
    if conditions.len() > PUSH_CONDITIONS_MAX {
        return Err(ChatError::TooLarge(format!(
            "a rule has at most {PUSH_CONDITIONS_MAX} conditions"
        )));
    }
    for condition in conditions {
        if let PushCondition::EventMatch(matched) = condition
            && matched.pattern.len() > NAME_BYTES_MAX
        {
            return Err(long_pattern());
        }
    }
    Ok(())
}

fn long_pattern() -> ChatError {
    ChatError::TooLarge(format!(
        "a pattern has at most {PUSH_PATTERN_BYTES_MAX} bytes, and {NAME_BYTES_MAX} in a condition"
    ))
}

fn no_such_rule() -> ChatError {
    ChatError::not_found("you have no such push rule")
}

fn of_insertion(error: InsertPushRuleError) -> ChatError {
    match error {
        InsertPushRuleError::BeforeHigherThanAfter => ChatError::invalid(error.to_string()),
        error => ChatError::Unknown(error.to_string()),
    }
}

fn of_removal(error: RemovePushRuleError) -> ChatError {
    match error {
        RemovePushRuleError::NotFound => no_such_rule(),
        error => ChatError::Unknown(error.to_string()),
    }
}
