//! The load: real clients over HTTP at all sites, and a note of everything they sent and were promised.
//!
//! Every client does what a good client does. It knows all sites and uses its own; on a failure, a timeout or a 5xx
//! it changes over to the next one and sends the same request under the same key again, until somebody
//! acknowledges it. It goes back when its own site has been well for a while.

mod chat;
pub mod figures;
mod hedged;
mod media;
pub mod notes;
mod options;
mod pay;
mod people;
mod readers;
mod refresh;
mod roamer;
mod shared;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use notes::Record;
pub use options::{Administrator, Clients, Live, LoadOptions, Phase, SiteAddress, SiteLive};
pub use shared::{Service, Troubles};

use chat::{Expected, Receiver};
use notes::{ChatNotes, MediaNotes, PayNotes, Read, ReceiverNotes, RefreshNotes};
use people::{Person, Phones, homes};
use readers::Reader;
use roamer::Roamer;
use shared::Shared;

pub(crate) use media::download_path;

/// A load under way.
pub struct Load {
    shared: Arc<Shared>,
    administrator: String,
    chat: JoinSet<ChatNotes>,
    receivers: JoinSet<ReceiverNotes>,
    pay: JoinSet<PayNotes>,
    refresh: JoinSet<RefreshNotes>,
    media: JoinSet<MediaNotes>,
    readers: JoinSet<Vec<Read>>,
    /// Ended when the load is dropped.
    _watchers: JoinSet<()>,
    expected: watch::Sender<Option<Expected>>,
}

impl Load {
    /// Signs people up and starts all clients. The phase is [`Phase::WarmUp`].
    ///
    /// # Errors
    /// There is no site, or the sites refuse to sign people up.
    pub async fn start(sites: &[SiteAddress], options: LoadOptions) -> Result<Self> {
        ensure!(!sites.is_empty(), "a load needs a site");
        let shared = Arc::new(Shared::new(sites));
        let mut watchers = JoinSet::new();
        for site in 0..sites.len() {
            watchers.spawn(roamer::watch(Arc::clone(&shared), site));
        }
        let cast = Cast::gather(&shared, &options).await?;
        shared.begin();
        let (expected, told) = watch::channel(None);
        let mut load = Self {
            shared: Arc::clone(&shared),
            administrator: cast.administrator,
            chat: JoinSet::new(),
            receivers: JoinSet::new(),
            pay: JoinSet::new(),
            refresh: JoinSet::new(),
            media: JoinSet::new(),
            readers: JoinSet::new(),
            _watchers: watchers,
            expected,
        };
        let (pause, slow_pause) = (options.pause, options.slow_pause);
        for receiver in cast.receivers {
            load.receivers
                .spawn(receiver.receive_all(told.clone(), chat::CATCH_UP_WAIT));
        }
        for writer in cast.writers {
            load.chat
                .spawn(chat::send_all(writer, Arc::clone(&shared), pause));
        }
        for payer in cast.payers {
            load.pay.spawn(pay::pay_all(payer, Arc::clone(&shared), pause));
        }
        for person in cast.refreshers {
            load.refresh
                .spawn(refresh::refresh_all(person, Arc::clone(&shared), slow_pause));
        }
        for person in cast.uploaders {
            load.media
                .spawn(media::upload_all(person, Arc::clone(&shared), slow_pause));
        }
        for reader in cast.readers {
            load.readers
                .spawn(readers::read_all(reader, Arc::clone(&shared), slow_pause));
        }
        Ok(load)
    }

    /// The access token of the administrator who was made for this load.
    #[must_use]
    pub fn administrator(&self) -> &str {
        &self.administrator
    }

    /// Notes that a phase begins now.
    pub fn mark(&self, phase: Phase) {
        self.shared.mark(phase);
    }

    /// The figures of this moment.
    #[must_use]
    pub fn live(&self) -> Live {
        self.shared.live()
    }

    /// Ends the load: what is under way is waited for, a little while, and receivers read what is left.
    pub async fn stop(self) -> Record {
        self.shared.stop();
        let chat = self.chat.join_all().await;
        let mut wanted: HashMap<String, HashSet<Box<str>>> = HashMap::new();
        for notes in &chat {
            let room = wanted.entry(notes.room_id.clone()).or_default();
            let acknowledged = notes.sent.iter().filter(|sent| sent.acknowledged_us.is_some());
            room.extend(acknowledged.map(|sent| sent.id.clone()));
        }
        self.expected.send_replace(Some(Arc::new(wanted)));
        let shared = &self.shared;
        Record {
            sites: shared.sites.iter().map(|site| site.name.clone()).collect(),
            marks: shared.marks(),
            ended_us: shared.stopped_at_us(),
            administrator: self.administrator,
            chat,
            receivers: self.receivers.join_all().await,
            pay: self.pay.join_all().await,
            refresh: self.refresh.join_all().await,
            media: self.media.join_all().await,
            reads: self.readers.join_all().await.concat(),
            unavailable: shared.unavailable.load(Ordering::Relaxed),
            unknown_retried: shared.unknown_retried.load(Ordering::Relaxed),
            change_overs: shared.change_overs.load(Ordering::Relaxed),
            refused: shared.refused(),
            signin_failures: shared.signin_failures(),
        }
    }
}

/// Everybody who takes part, ready to begin.
struct Cast {
    administrator: String,
    writers: Vec<chat::Writer>,
    receivers: Vec<Receiver>,
    payers: Vec<pay::Payer>,
    refreshers: Vec<Person>,
    uploaders: Vec<Person>,
    readers: Vec<Reader>,
}

impl Cast {
    async fn gather(shared: &Arc<Shared>, options: &LoadOptions) -> Result<Self> {
        let weights: Vec<u32> = shared.sites.iter().map(|site| site.weight).collect();
        let clients = options.clients;
        let mut phones = Phones::new();
        let mut administrator = people::administrator(shared, &mut phones, &options.administrator).await?;
        let chatters = homes(&weights, clients.chat.next_multiple_of(2));
        let chatters = people::sign_up(shared, &chatters, &mut phones, "writer").await?;
        let writers = chat::pair(chatters).await?;
        // One payer alone would have to pay themselves.
        let count = if clients.pay == 1 { 2 } else { clients.pay };
        let payers = people::sign_up(shared, &homes(&weights, count), &mut phones, "payer").await?;
        let payers = pay::endow(&mut administrator, payers).await?;
        let refreshers = homes(&weights, clients.refresh);
        let uploaders = homes(&weights, clients.media);
        Ok(Self {
            administrator: administrator.token,
            receivers: receivers(shared, &homes(&weights, clients.receivers), &writers)?,
            readers: readers(shared, &homes(&weights, clients.readers), &writers, &payers)?,
            writers,
            payers,
            refreshers: people::sign_up(shared, &refreshers, &mut phones, "refresher").await?,
            uploaders: people::sign_up(shared, &uploaders, &mut phones, "uploader").await?,
        })
    }
}

/// Receivers, each in another room as far as there are rooms.
fn receivers(shared: &Arc<Shared>, homes: &[usize], writers: &[chat::Writer]) -> Result<Vec<Receiver>> {
    let rooms = writers.iter().step_by(2).cycle();
    homes
        .iter()
        .zip(rooms)
        .enumerate()
        .map(|(number, (home, writer))| {
            let mut roamer = Roamer::new(Arc::clone(shared), *home, number);
            roamer.set_token(&writer.person.token)?;
            Ok(Receiver::new(roamer, Arc::clone(shared), writer.room_id.clone()))
        })
        .collect()
}

/// Readers, each of another room and wallet as far as there are some.
fn readers(
    shared: &Arc<Shared>,
    homes: &[usize],
    writers: &[chat::Writer],
    payers: &[pay::Payer],
) -> Result<Vec<Reader>> {
    homes
        .iter()
        .zip(writers.iter().cycle())
        .enumerate()
        .map(|(number, (home, writer))| {
            let roamer = |token: &str| {
                let mut roamer = Roamer::new(Arc::clone(shared), *home, number);
                roamer.set_token(token).map(|()| roamer)
            };
            let payer = payers.get(number % payers.len().max(1));
            Ok(Reader {
                messages: roamer(&writer.person.token)?,
                room_id: writer.room_id.clone(),
                wallet: payer.map(|payer| roamer(&payer.person.token)).transpose()?,
            })
        })
        .collect()
}
