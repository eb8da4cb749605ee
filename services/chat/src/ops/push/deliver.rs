//! Sends what was decided.

use std::time::Duration;

use futures_util::future::join_all;

use super::super::Chat;
use super::super::pushers::web_keys;
use super::Push;
use crate::gateway::{Outcome, Parcel};
use crate::model::{ChatError, Destination, Told};

impl Chat {
    /// Sends pushes, as many at once as the way out takes, and says what became of each.
    pub(super) async fn deliver_pushes(&self, pushes: Vec<Push>, patience: Duration) -> Vec<(Push, Outcome)> {
        let sent = pushes.into_iter().map(|push| async move {
            let outcome = self.send(&push, patience).await;
            metrics::counter!("chat_pushes", "outcome" => word(&outcome)).increment(1);
            if let Outcome::Refused(reason) | Outcome::Late(reason) = &outcome {
                tracing::debug!(event = push.notice.event_id, reason, "a push was not taken");
            }
            (push, outcome)
        });
        join_all(sent).await
    }

    async fn send(&self, push: &Push, patience: Duration) -> Outcome {
        let Some(destination) = push.pusher.destination() else {
            return Outcome::Refused("the pusher cannot be read".to_owned());
        };
        match self.parcel(push, &destination).await {
            Ok(parcel) => {
                let gateways = &self.0.push.gateways;
                gateways
                    .send(&destination.url, &parcel, patience, self.now())
                    .await
            }
            Err(ChatError::Store(error)) => Outcome::Late(error.to_string()),
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }

    async fn parcel(&self, push: &Push, destination: &Destination) -> Result<Parcel, ChatError> {
        let told = Told {
            notice: &push.notice,
            user_id: &push.user_id,
            verdict: &push.verdict,
            unread: push.unread,
        };
        if !push.pusher.is_web() {
            return Ok(Parcel::Matrix {
                push_key: push.pusher.name.push_key.clone(),
                notification: told.for_gateway(&push.pusher, destination),
            });
        }
        Ok(Parcel::Web {
            keys: web_keys(&push.pusher.name.push_key, destination)?,
            notification: told.for_browser(),
            is_urgent: told.is_urgent(),
            house: self.house_key().await?,
            contact: self.contact(),
        })
    }

    /// Where who runs a push service finds who runs this house.
    fn contact(&self) -> String {
        let public_url = self.public_url();
        if public_url.starts_with("https://") {
            public_url.to_owned()
        } else {
            format!("mailto:postmaster@{}", self.server_name())
        }
    }
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Taken => "taken",
        Outcome::Gone => "gone",
        Outcome::Refused(_) => "refused",
        Outcome::Late(_) => "late",
    }
}
