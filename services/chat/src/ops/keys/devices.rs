//! Devices of a person: renamed, and signed out together with what is kept of them.

use haechi_base::{Actor, SessionId};
use haechi_identity::{DeviceName, IdentityError};
use haechi_store::Tx;

use super::super::Chat;
use super::super::profile::of_identity;
use crate::model::ChatError;

impl Chat {
    /// Gives one of the actor's devices another name, which others are told with its keys; without one it keeps its
    /// own.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`], [`ChatError::Store`].
    pub(crate) async fn rename_device(
        &self,
        actor: &Actor,
        device_id: String,
        name: Option<String>,
    ) -> Result<(), ChatError> {
        let now = self.now();
        let Some(name) = name else {
            let sessions = self.sessions(actor.clone(), now).await?;
            let is_there = sessions
                .iter()
                .any(|session| session.device_id.as_str() == device_id);
            return is_there.then_some(()).ok_or_else(no_device);
        };
        let name: DeviceName = name.parse().map_err(of_identity)?;
        let who = actor.clone();
        self.write(async move |tx: &mut Tx<'_>| {
            haechi_identity::ops::rename_device(tx, &who, &device_id, &name, now)
                .await
                .map_err(of_device)
        })
        .await?;
        self.tell_devices(actor).await
    }

    /// Signs devices of the actor out, with their keys and the messages to them. Those that are not there are passed
    /// over: they are signed out already.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn delete_devices(&self, actor: &Actor, device_ids: &[String]) -> Result<(), ChatError> {
        let sessions = self.sessions(actor.clone(), self.now()).await?;
        let ended: Vec<SessionId> = sessions
            .into_iter()
            .filter(|session| device_ids.iter().any(|id| id == session.device_id.as_str()))
            .map(|session| session.id)
            .collect();
        for session in ended {
            match self.identity().end_session(actor, session).await {
                Ok(()) | Err(IdentityError::NoSuchSession) => {}
                Err(error) => return Err(of_identity(error)),
            }
        }
        self.forget_ended(actor.person).await
    }
}

fn of_device(error: IdentityError) -> ChatError {
    match error {
        IdentityError::NoSuchSession => no_device(),
        other => of_identity(other),
    }
}

fn no_device() -> ChatError {
    ChatError::not_found("you have no such device")
}
