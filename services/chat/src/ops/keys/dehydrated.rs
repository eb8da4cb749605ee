//! Dehydrated devices (MSC3814): one a person, which gathers message keys while nobody is signed in.

use std::collections::BTreeMap;

use haechi_base::Actor;
use haechi_store::Tx;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Chat;
use super::KeysWish;
use super::wishes::Dehydration;
use crate::model::limits::{INBOX_PAGE_MAX, KEY_DATA_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{ChatError, PEOPLE, check_device_keys, check_keys, raw_json};
use crate::store;
use crate::store::keys::devices::Dehydrated;

/// A dehydrated device that a client uploads.
#[derive(Debug, Deserialize)]
pub(crate) struct DehydratedDevice {
    device_id: String,
    #[serde(default)]
    initial_device_display_name: Option<String>,
    device_data: Box<RawValue>,
    device_keys: Box<RawValue>,
    #[serde(default)]
    one_time_keys: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    fallback_keys: BTreeMap<String, Box<RawValue>>,
}

/// A dehydrated device as its owner reads it.
#[derive(Debug, Serialize)]
pub(crate) struct FoundDehydrated {
    device_id: String,
    device_data: Box<RawValue>,
}

/// Messages to a dehydrated device. While there are any, `next_batch` tells where to go on.
#[derive(Debug, Serialize)]
pub(crate) struct InboxPage {
    events: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

impl Chat {
    /// Keeps a dehydrated device of the actor in the place of the one before; returns its id.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`], [`ChatError::BadJson`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn dehydrate(
        &self,
        actor: &Actor,
        device: DehydratedDevice,
    ) -> Result<String, ChatError> {
        let device_id = device.device_id;
        if !(1..=NAME_BYTES_MAX).contains(&device_id.len()) {
            return Err(ChatError::invalid("a device id has 1 to 255 bytes"));
        }
        let name = device.initial_device_display_name;
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(ChatError::invalid("the name of a device has at most 255 bytes"));
        }
        if device.device_data.get().len() > KEY_DATA_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "the device_data of a dehydrated device has at most {KEY_DATA_BYTES_MAX} bytes"
            )));
        }
        check_device_keys(device.device_keys.get(), &self.user_id(actor.person), &device_id)?;
        let dehydration = Dehydration {
            device_id: device_id.clone(),
            display_name: name,
            device_data: device.device_data.get().to_owned(),
            keys: device.device_keys.get().to_owned(),
            one_time_keys: check_keys(&device.one_time_keys)?,
            fallback_keys: super::upload::check_one_an_algorithm(check_keys(&device.fallback_keys)?)?,
            now: self.now(),
        };
        let wish = KeysWish::Dehydrate(Box::new(dehydration));
        self.submit_keys(actor.person, wish).await?;
        Ok(device_id)
    }

    /// The dehydrated device of the actor.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn dehydrated_device(&self, actor: &Actor) -> Result<FoundDehydrated, ChatError> {
        let found = self.find_dehydrated(actor).await?;
        Ok(FoundDehydrated {
            device_id: found.device_id,
            device_data: raw_json(found.device_data),
        })
    }

    /// Forgets the dehydrated device of the actor; returns its id.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn forget_dehydrated_device(&self, actor: &Actor) -> Result<String, ChatError> {
        let device_id = self.find_dehydrated(actor).await?.device_id;
        let wish = KeysWish::Revive {
            device_id: device_id.clone(),
        };
        self.submit_keys(actor.person, wish).await?;
        Ok(device_id)
    }

    /// Messages that the dehydrated device of the actor received, after those that were told of.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`], [`ChatError::Store`].
    pub(crate) async fn dehydrated_inbox(
        &self,
        actor: &Actor,
        device_id: String,
        from: Option<String>,
    ) -> Result<InboxPage, ChatError> {
        let from: i64 = match from.as_deref() {
            None | Some("") => 0,
            Some(from) => from
                .parse()
                .map_err(|_| ChatError::invalid("the token was not given out by this server"))?,
        };
        if self.find_dehydrated(actor).await?.device_id != device_id {
            return Err(ChatError::not_found("you have no such dehydrated device"));
        }
        let person = actor.person;
        let messages = self
            .read(async move |tx: &mut Tx<'_>| {
                let now = store::streams::positions(tx, 0).await?.position(PEOPLE);
                let page = store::keys::inbox::page(person, &device_id, from, now, INBOX_PAGE_MAX);
                let answers = tx.run_all(&[page]).await?;
                Ok(store::keys::inbox::read(&answers.concat())?)
            })
            .await?;
        Ok(InboxPage {
            next_batch: messages.last().map(|message| message.position.to_string()),
            events: messages
                .into_iter()
                .map(|message| raw_json(message.message))
                .collect(),
        })
    }

    async fn find_dehydrated(&self, actor: &Actor) -> Result<Dehydrated, ChatError> {
        let person = actor.person;
        let mut found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::keys::devices::dehydrated_of(tx, &[person]).await?))
            .await?;
        found
            .pop()
            .ok_or_else(|| ChatError::not_found("you have no dehydrated device"))
    }
}
