//! Cross-signing keys: put in the place of those before only by who knows the password.

use haechi_base::Actor;
use haechi_store::Tx;
use serde_json::value::RawValue;

use super::super::Chat;
use super::KeysWish;
use crate::model::{ChatError, CrossSigningKey, CrossSigningKeys, Usage};
use crate::store;

impl Chat {
    /// Keeps the actor's cross-signing keys. The first ones need no confirmation, and neither do the same ones again.
    ///
    /// # Errors
    /// [`ChatError::ConfirmationNeeded`], [`ChatError::InvalidSignature`], [`ChatError::InvalidParameter`],
    /// [`ChatError::BadJson`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn upload_signing_keys(
        &self,
        actor: &Actor,
        keys: Vec<(Usage, Box<RawValue>)>,
        is_confirmed: bool,
    ) -> Result<(), ChatError> {
        let (person, user_id) = (actor.person, self.user_id(actor.person));
        let keys = keys
            .iter()
            .map(|(usage, key)| CrossSigningKey::check(key.get(), &user_id, *usage))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Ok(());
        }
        let new = CrossSigningKeys(keys);
        let present = self.cross_signing_keys(actor).await?;
        present.refuse_unsigned(&new, &user_id)?;
        // Asked again by the batch, where nothing comes in between.
        if !is_confirmed && !present.admits_unasked(&new) {
            return Err(ChatError::ConfirmationNeeded);
        }
        let wish = KeysWish::CrossSigning {
            keys: new.0,
            is_confirmed,
        };
        self.submit_keys(person, wish).await
    }

    /// The cross-signing keys of the actor.
    pub(super) async fn cross_signing_keys(&self, actor: &Actor) -> Result<CrossSigningKeys, ChatError> {
        let person = actor.person;
        let keys = self
            .read(
                async move |tx: &mut Tx<'_>| Ok(store::keys::cross_signing::of_people(tx, &[person]).await?),
            )
            .await?;
        Ok(CrossSigningKeys(keys.into_iter().map(|(_, key)| key).collect()))
    }
}
