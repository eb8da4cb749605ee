//! The verbs of chat, one noun or verb a file. What other services call is on [`Chat`]: `post_message`,
//! `joined_members`, `is_joined`.

mod account_data;
mod aliases;
mod batch;
mod bundle;
mod cards;
mod carried;
mod closing;
mod create_room;
pub(crate) mod delayed;
mod desk;
mod direct;
mod directory;
mod ending;
mod export;
mod filters;
mod findable;
mod friends;
mod hub;
mod import;
mod joining;
mod keys;
mod media;
mod membership;
mod messages;
mod notices;
mod notifications;
mod people;
mod post_message;
mod presence;
mod previews;
mod profile;
mod profile_fields;
mod pulse;
mod push;
mod push_rules;
mod pushers;
mod rates;
mod reached;
mod read_room;
mod receipts;
mod relations;
mod reports;
mod reservations;
mod search;
mod send;
mod sliding;
mod spaces;
pub(crate) mod stream;
mod sync;
mod tags;
mod thumbnails;
mod timeline;
mod timestamp;
mod typing;
mod unread;
mod upgrade;

use std::sync::Arc;

use haechi_base::limits::PAGE_ITEMS_MAX;
use haechi_base::{Actor, PersonId, Time};
use haechi_identity::{Identity, Session};
use haechi_service::Context;
use haechi_store::{Store, Tx};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

#[cfg(test)]
use crate::model::STREAMS;
use crate::model::{ChatError, TurnCredentials, TurnSettings, person_of, user_id};

pub(crate) use account_data::AccountData;
pub(crate) use create_room::RoomWish;
pub(crate) use delayed::DelayedAction;
pub use desk::PreviewReach;
pub(crate) use directory::ListingPage;
pub(crate) use export::{ExportFormat, ExportWish};
pub(crate) use friends::Friend;
pub(crate) use import::{IMPORT_JOB, ImportWish};
pub(crate) use keys::{
    BackupInfo, BackupKeys, ChangedBackup, Chosen, DehydratedDevice, FoundDehydrated, InboxPage, KeysPage,
    KeysUpload, ToDeviceTarget,
};
pub(crate) use media::{Download, MediaRoom, Upload};
pub(crate) use membership::MembershipChange;
pub(crate) use messages::PageWish;
pub(crate) use notices::NOTICES_JOB;
pub use notices::{NoticeOutcome, ServiceAccount};
pub(crate) use notifications::{Notification, NotificationPage};
pub(crate) use presence::PresenceState;
pub(crate) use profile::Profile;
pub(crate) use push::late_pushes;
pub(crate) use push_rules::RulesChange;
pub(crate) use pushers::Subscription;
pub(crate) use receipts::ReceiptKind;
pub(crate) use relations::{RelationsPage, RelationsWish, ThreadsWish};
pub(crate) use search::{SearchContext, SearchPage, SearchWish, index::job as search_job};
pub(crate) use sliding::SlidingAnswer;
pub(crate) use sync::{SyncAnswer, SyncWish};

use desk::Desk;
use hub::Hub;
use people::PeopleBatcher;
use push::Pushes;
use rates::Rates;
use sliding::SlidingDesk;
use stream::Streams;
use typing::Typing;

/// What an operator decides about chat.
#[derive(Clone, Default)]
pub struct ChatSettings {
    /// The TURN server of calls, where there is one.
    pub turn: Option<TurnSettings>,
    /// Whether pushes may leave by `http:` and to addresses that are not public: for tests.
    pub pushes_anywhere: bool,
    /// Whether nobody is told who is online: for operators to whom it is not worth its cost.
    pub is_presence_off: bool,
    /// Which pages the program fetches to show what people link to.
    pub previews: PreviewReach,
}

/// The chat service. Cheap to clone.
#[derive(Clone)]
pub struct Chat(Arc<Inner>);

struct Inner {
    context: Context,
    identity: Identity,
    server_name: Arc<str>,
    hub: Arc<Hub>,
    typing: Typing,
    streams: Streams,
    people: PeopleBatcher,
    push: Pushes,
    settings: ChatSettings,
    /// What the node's uploads and downloads take up, in units.
    media: Arc<Semaphore>,
    /// How often people do what troubles others.
    rates: Rates,
    presence: presence::PresenceRoom,
    filters: filters::KnownFilters,
    /// Up to which room the index of the search was looked after.
    search_sweep: Mutex<String>,
    desk: Desk,
    /// What the clients of sliding sync know.
    sliding: SlidingDesk,
}

impl Chat {
    /// The service, with its batchers started on the present tokio runtime.
    #[must_use]
    pub fn new(context: Context, identity: Identity) -> Self {
        Self::with_settings(context, identity, ChatSettings::default())
    }

    /// The same as an operator wants it.
    #[must_use]
    pub fn with_settings(context: Context, identity: Identity, settings: ChatSettings) -> Self {
        let server_name: Arc<str> = Arc::from(context.server_name.as_str());
        let hub = Hub::start(&context.cluster, &context.store);
        let streams = Streams::start(
            &context.cluster,
            &context.store,
            &hub,
            &server_name,
            &context.shutdown,
        );
        tokio::spawn(pulse::beat_until_shutdown(
            Arc::clone(&hub),
            context.store.clone(),
            context.shutdown.clone(),
        ));
        let people = people::start(&context.cluster, &context.store, &hub);
        let chat = Self(Arc::new(Inner {
            media: media::node_room(),
            rates: Rates::default(),
            presence: presence::PresenceRoom::new(settings.is_presence_off),
            filters: filters::KnownFilters::default(),
            search_sweep: Mutex::default(),
            desk: Desk::new(settings.previews),
            sliding: SlidingDesk::default(),
            typing: Typing::new(context.now()),
            context,
            identity,
            server_name,
            hub,
            streams,
            people,
            push: Pushes::new(settings.pushes_anywhere),
            settings,
        }));
        chat.listen_for_presence();
        chat.listen_for_typing();
        chat.listen_for_ended_sessions();
        chat.start_pushing();
        chat
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.0.context.public_url
    }

    pub(crate) fn server_name(&self) -> &str {
        &self.0.server_name
    }

    pub(crate) fn user_id(&self, person: PersonId) -> String {
        user_id(person, self.server_name())
    }

    /// The person of a user id that a client named.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] for user ids of other servers and malformed ones: nobody of that name is here.
    pub(crate) fn person(&self, user_id: &str) -> Result<PersonId, ChatError> {
        person_of(user_id, self.server_name())
            .ok_or_else(|| ChatError::not_found("there is no such person on this server"))
    }

    /// The present moment.
    pub(crate) fn moment(&self) -> Time {
        self.0.context.now()
    }

    /// What a person signs in to the TURN server with, where there is one.
    pub(crate) fn turn_credentials(&self, person: PersonId) -> Option<TurnCredentials> {
        let turn = self.0.settings.turn.as_ref()?;
        turn.credentials(&self.user_id(person), self.now())
    }

    /// The sessions of the actor: their devices.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn sessions(&self, actor: Actor, now: Time) -> Result<Vec<Session>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            haechi_identity::ops::sessions(tx, &actor, None, PAGE_ITEMS_MAX, now)
                .await
                .map_err(profile::of_identity)
        })
        .await
    }

    /// How many streams, that of the people included, this node makes the batches of.
    #[cfg(test)]
    pub(crate) fn streams_here(&self) -> usize {
        let rooms = (0..STREAMS)
            .filter(|stream| self.0.streams.is_here(*stream))
            .count();
        rooms + usize::from(self.0.people.is_here())
    }

    /// Returns once a person asks for news on this node. Their request may have looked or not: what happens now is found
    /// by it or wakes it.
    #[cfg(test)]
    pub(crate) async fn until_asking(&self, person: PersonId) {
        while !self.0.hub.is_asking(person) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Returns once a person's first sync after a token has looked, found nothing and waits: what it read is kept right
    /// before.
    #[cfg(test)]
    pub(crate) async fn until_waiting(&self, person: PersonId) {
        while !self.0.hub.is_known(person) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Who waits for news on this node, and how busy it is.
    #[cfg(test)]
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// As if a person had sent all invitations that they may for now.
    #[cfg(test)]
    pub(crate) fn use_up_invitations(&self, person: PersonId) {
        self.0.rates.use_up(person);
    }

    fn store(&self) -> &Store {
        &self.0.context.store
    }

    fn now(&self) -> Time {
        self.moment()
    }

    /// Runs a read that ends in chat's own errors.
    async fn read<T, F>(&self, transaction: F) -> Result<T, ChatError>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, ChatError> + Send + 'static,
        T: Send + 'static,
    {
        self.store().read(transaction).await
    }

    /// Runs a write that may be repeated, because each of its statements sets the same again.
    async fn write<T, F>(&self, transaction: F) -> Result<T, ChatError>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, ChatError> + Send + 'static,
        T: Send + 'static,
    {
        self.store().write_unkeyed(transaction).await
    }
}
