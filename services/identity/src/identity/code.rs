//! Codes: sent to a number, and what they sign in.

use haechi_base::{PersonId, SessionId, random};
use haechi_http::Caller;
use haechi_store::{Tx, WriteKey};

use super::{Identity, Result, end_after_commit};
use crate::gateway::GatewayKind;
use crate::model::{
    CODE_LIFE, Code, CodeId, DeviceRequest, DisplayName, IdentityError, IssuedCode, PhoneNumber,
    SignedInSession,
};
use crate::ops::{self, CodeSignIn, CodeSignInOutcome};

impl Identity {
    /// Sends a code to a number.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`], [`IdentityError::CodeNotSent`], [`IdentityError::Store`].
    pub async fn request_code(&self, phone: &PhoneNumber, caller: Caller) -> Result<IssuedCode> {
        self.count_caller(caller)?;
        let now = self.0.context.now();
        let digits = random::six_digits();
        let code = Code {
            id: CodeId::new(now),
            hash: self.0.tokens.code_hash(phone, &digits),
            tries: 0,
            used: false,
            session: None,
            expires_at: now + CODE_LIFE,
        };
        let (id, expires_at) = (code.id, code.expires_at);
        let codes_max = self.0.settings.codes_per_phone_hourly;
        let receiver = phone.clone();
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::issue_code(tx, &receiver, &code, codes_max, now).await
            })
            .await?;
        let gateway = &self.0.settings.gateway;
        if let Err(error) = gateway.deliver(phone, &digits, expires_at).await {
            tracing::warn!(%error, "a code was not sent");
            return Err(IdentityError::CodeNotSent);
        }
        let is_shown = gateway.kind() == GatewayKind::Development;
        Ok(IssuedCode {
            id,
            expires_at,
            development_code: is_shown.then_some(digits),
        })
    }

    /// Signs in, or up, with the code that was sent to the number.
    ///
    /// # Errors
    /// [`IdentityError::WrongCode`] (which counts as a try), [`IdentityError::DisplayNameNeeded`] (the code stays
    /// valid), [`IdentityError::TooMany`], [`IdentityError::Store`].
    pub async fn sign_in_with_code(
        &self,
        phone: &PhoneNumber,
        code: &str,
        display_name: Option<DisplayName>,
        device: DeviceRequest,
        caller: Caller,
    ) -> Result<SignedInSession> {
        self.count_caller(caller)?;
        let now = self.0.context.now();
        let sign_in = CodeSignIn {
            phone: phone.clone(),
            code_hash: self.0.tokens.code_hash(phone, code),
            display_name,
            device,
            person_id: PersonId::new(now),
            session_id: SessionId::new(now),
        };
        let ending = self.0.ending.clone();
        let outcome = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let outcome = ops::sign_in_with_code(tx, &sign_in, now).await?;
                if let CodeSignInOutcome::SignedIn(opened) = &outcome {
                    end_after_commit(tx, &ending, Some(opened.person.id), opened.ended.clone());
                }
                Ok::<_, IdentityError>(outcome)
            })
            .await?;
        match outcome {
            CodeSignInOutcome::SignedIn(opened) => {
                self.end_by_answer(&opened.ended);
                self.give_tokens(*opened, now)
            }
            CodeSignInOutcome::WrongCode => Err(IdentityError::WrongCode),
            CodeSignInOutcome::DisplayNameNeeded => Err(IdentityError::DisplayNameNeeded),
        }
    }
}
