//! Pushers: set, listed, taken away. A pusher ends with the sign-in it was set with.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use haechi_base::{Actor, PersonId, SessionId, Time};
use haechi_store::{StoreError, Tx, WriteKey};
use ruma::api::client::push::{Pusher, PusherIds, PusherInit, PusherKind};
use ruma::push::HttpPusherData;

use super::Chat;
use super::profile::of_identity;
use crate::gateway::{HouseKey, WebKeys};
use crate::model::limits::PUSHERS_MAX;
use crate::model::{
    ChatError, Content, Destination, KeptPusher, PusherName, WEB_APP_ID, check_pusher, check_pusher_ids,
};
use crate::store;

/// What the sealed key is good for.
const HOUSE_KEY_PURPOSE: &str = "chat/push-key";

/// A browser's subscription, as its own push service gave it.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) endpoint: String,
    pub(crate) p256dh: String,
    pub(crate) auth: String,
    pub(crate) lang: String,
}

impl Chat {
    /// The actor's pushers, those whose sign-in still holds.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn pushers(&self, actor: &Actor) -> Result<Vec<KeptPusher>, ChatError> {
        let (person, now) = (actor.person, self.now());
        self.read(async move |tx: &mut Tx<'_>| {
            let pushers = store::pushers::of_people(tx, &[person]).await?;
            Ok(living(tx, pushers, now).await?.0)
        })
        .await
    }

    /// Sets a pusher of the actor. Others' of the same app and key go, unless `append` says that they stay.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`], [`ChatError::TooLarge`], [`ChatError::Store`].
    pub(crate) async fn set_pusher(
        &self,
        actor: &Actor,
        pusher: &Pusher,
        append: bool,
    ) -> Result<(), ChatError> {
        let destination = check_pusher(pusher)?;
        let is_web = pusher.ids.app_id == WEB_APP_ID;
        self.0
            .push
            .gateways
            .read_url(&destination.url, is_web)
            .map_err(ChatError::invalid)?;
        if is_web {
            web_keys(&pusher.ids.pushkey, &destination)?;
        }
        let kept = KeptPusher {
            name: PusherName {
                person: actor.person,
                app_id: pusher.ids.app_id.clone(),
                push_key: pusher.ids.pushkey.clone(),
            },
            session: actor.session,
            definition: Content::of(pusher).as_str().to_owned(),
            created_at: self.now(),
        };
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                if !append {
                    for other in store::pushers::of_others(tx, &kept.name).await? {
                        forget(tx, &other.name).await?;
                    }
                }
                if is_web {
                    // A browser has one subscription: this one took the place of the one before.
                    for other in store::pushers::of_session(tx, kept.session, WEB_APP_ID).await? {
                        forget(tx, &other.name).await?;
                    }
                }
                store::pushers::put(tx, &kept).await?;
                let mut own = store::pushers::of_people(tx, &[kept.name.person]).await?;
                own.sort_by_key(|pusher| std::cmp::Reverse(pusher.created_at));
                let kept_max = usize::try_from(PUSHERS_MAX).unwrap_or(usize::MAX);
                for surplus in own.iter().filter(|own| own.name != kept.name).skip(kept_max - 1) {
                    forget(tx, &surplus.name).await?;
                }
                Ok::<(), ChatError>(())
            })
            .await?;
        // Once the pusher is there: whoever looks at a room that is entered from now on finds it.
        let person = actor.person;
        self.write(async move |tx: &mut Tx<'_>| Ok(store::pushes::enter_all(tx, person).await?))
            .await
    }

    /// Takes a pusher of the actor away; one that is not there is as good.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`], [`ChatError::Store`].
    pub(crate) async fn remove_pusher(&self, actor: &Actor, ids: &PusherIds) -> Result<(), ChatError> {
        check_pusher_ids(&ids.app_id, &ids.pushkey)?;
        let name = PusherName {
            person: actor.person,
            app_id: ids.app_id.clone(),
            push_key: ids.pushkey.clone(),
        };
        self.write(async move |tx: &mut Tx<'_>| Ok(forget(tx, &name).await?))
            .await
    }

    /// Tells this browser of the actor from now on.
    ///
    /// # Errors
    /// As [`Chat::set_pusher`].
    pub(crate) async fn subscribe(&self, actor: &Actor, subscription: Subscription) -> Result<(), ChatError> {
        let mut http = HttpPusherData::new(subscription.endpoint);
        http.data.insert("auth".to_owned(), subscription.auth.into());
        let pusher = PusherInit {
            ids: PusherIds::new(subscription.p256dh, WEB_APP_ID.to_owned()),
            kind: PusherKind::Http(http),
            app_display_name: "Haechi".to_owned(),
            device_display_name: actor.device.clone(),
            profile_tag: None,
            lang: subscription.lang,
        };
        self.set_pusher(actor, &pusher.into(), false).await
    }

    /// Tells the browser that the actor is signed in with no longer.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn unsubscribe(&self, actor: &Actor) -> Result<(), ChatError> {
        let session = actor.session;
        self.write(async move |tx: &mut Tx<'_>| {
            for pusher in store::pushers::of_session(tx, session, WEB_APP_ID).await? {
                forget(tx, &pusher.name).await?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets a person's pushers whose sign-in is over. What nobody hinted at is found by whoever pushes.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(super) async fn forget_ended_pushers(&self, person: PersonId) -> Result<(), ChatError> {
        let now = self.now();
        let has_any = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::pushers::has_any(tx, person).await?))
            .await?;
        if !has_any {
            return Ok(());
        }
        self.write(async move |tx: &mut Tx<'_>| {
            let pushers = store::pushers::of_people(tx, &[person]).await?;
            for ended in living(tx, pushers, now).await?.1 {
                forget(tx, &ended.name).await?;
            }
            Ok(())
        })
        .await
    }

    /// The key by which browsers' push services know this house: made once, the same on all nodes.
    ///
    /// # Errors
    /// [`ChatError::Store`], also when the key was sealed under another master key.
    pub(crate) async fn house_key(&self) -> Result<Arc<HouseKey>, ChatError> {
        let key = self.0.push.house_key.get_or_try_init(|| self.keep_house_key());
        key.await.map(Arc::clone)
    }

    async fn keep_house_key(&self) -> Result<Arc<HouseKey>, ChatError> {
        let broken = |reason: String| {
            ChatError::Store(StoreError::Unavailable(format!("the house's push key: {reason}")))
        };
        let (secrets, now) = (&self.0.context.secrets, self.now());
        let private = HouseKey::generate();
        let public = HouseKey::of(&private).map_err(broken)?.public;
        let sealed = secrets.seal(HOUSE_KEY_PURPOSE, b"", &private);
        let sealed = sealed.map_err(|error| broken(error.to_string()))?;
        let (_, sealed) = self
            .write(
                async move |tx: &mut Tx<'_>| Ok(store::pushers::keep_key(tx, &public, &sealed, now).await?),
            )
            .await?;
        let private = secrets.open(HOUSE_KEY_PURPOSE, b"", &sealed);
        let private = private.map_err(|error| broken(error.to_string()))?;
        HouseKey::of(&private).map(Arc::new).map_err(broken)
    }
}

/// The keys of a browser that is told as this pusher says.
///
/// # Errors
/// [`ChatError::InvalidParameter`].
pub(super) fn web_keys(push_key: &str, destination: &Destination) -> Result<WebKeys, ChatError> {
    let auth = destination.data.get("auth").and_then(|auth| auth.as_str());
    WebKeys::read(push_key, auth.unwrap_or_default()).map_err(ChatError::invalid)
}

/// Forgets a pusher, and what was to be tried again.
pub(super) async fn forget(tx: &mut Tx<'_>, name: &PusherName) -> Result<(), StoreError> {
    store::pushers::remove(tx, name).await?;
    store::pushes::forget_all_late(tx, name).await?;
    if !store::pushers::has_any(tx, name.person).await? {
        store::pushes::forget_person(tx, name.person).await?;
    }
    Ok(())
}

/// Tells the pushers whose sign-in still holds from the others.
pub(super) async fn living(
    tx: &mut Tx<'_>,
    pushers: Vec<KeptPusher>,
    now: Time,
) -> Result<(Vec<KeptPusher>, Vec<KeptPusher>), ChatError> {
    let people: BTreeSet<PersonId> = pushers.iter().map(|pusher| pusher.name.person).collect();
    let people: Vec<PersonId> = people.into_iter().collect();
    let sessions = haechi_identity::ops::sessions_of_people(tx, &people, now)
        .await
        .map_err(of_identity)?;
    let living: HashSet<SessionId> = sessions.into_iter().map(|session| session.id).collect();
    Ok(pushers
        .into_iter()
        .partition(|pusher| living.contains(&pusher.session)))
}
