//! A person's push rules: read and changed. They are account data, so other devices hear of a change by their sync.

use std::sync::Arc;

use haechi_base::PersonId;
use haechi_store::{Tx, WriteKey};
use ruma::push::{Action, NewPushRule, RuleKind};

use super::account_data::keep;
use super::{AccountData, Chat};
use crate::model::{ChatError, PUSH_RULES, PushRules};
use crate::store;

/// What is to be changed.
#[derive(Debug, Clone)]
pub(crate) enum RulesChange {
    /// A rule of one's own is added or replaced.
    Put {
        rule: NewPushRule,
        after: Option<String>,
        before: Option<String>,
    },
    /// A rule of one's own goes.
    Remove(RuleKind, String),
    /// A rule holds from now on, or does not.
    Enable(RuleKind, String, bool),
    /// A rule does something else from now on.
    Act(RuleKind, String, Vec<Action>),
}

impl RulesChange {
    fn apply(self, rules: &mut PushRules) -> Result<(), ChatError> {
        match self {
            Self::Put { rule, after, before } => rules.put(rule, after.as_deref(), before.as_deref()),
            Self::Remove(kind, rule_id) => rules.remove(kind, &rule_id),
            Self::Enable(kind, rule_id, enabled) => rules.set_enabled(kind, &rule_id, enabled),
            Self::Act(kind, rule_id, actions) => rules.set_actions(kind, &rule_id, actions),
        }
    }
}

impl Chat {
    /// The push rules of a person.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn push_rules(&self, person: PersonId) -> Result<PushRules, ChatError> {
        let chat = self.clone();
        self.read(async move |tx: &mut Tx<'_>| chat.push_rules_in(tx, person).await)
            .await
    }

    pub(super) async fn push_rules_in(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
    ) -> Result<PushRules, ChatError> {
        let kept = store::account_data::find(tx, person, "", PUSH_RULES).await?;
        let kept = kept.as_ref().map(|entry| entry.content.as_str());
        Ok(PushRules::of(&self.user_id(person), kept))
    }

    /// Changes a person's push rules.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::Unknown`], [`ChatError::InvalidParameter`], [`ChatError::TooLarge`],
    /// [`ChatError::Store`].
    pub(crate) async fn change_push_rules(
        &self,
        person: PersonId,
        change: RulesChange,
    ) -> Result<(), ChatError> {
        let (chat, hub) = (self.clone(), Arc::clone(&self.0.hub));
        // Read and written in one transaction: of two devices that change rules at once neither undoes the other's.
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let mut rules = chat.push_rules_in(tx, person).await?;
                change.clone().apply(&mut rules)?;
                let entry = AccountData {
                    person,
                    room_id: String::new(),
                    kind: PUSH_RULES.to_owned(),
                    content: rules.to_content()?,
                };
                keep(tx, entry, &hub).await
            })
            .await
    }
}
