//! Chats of another messenger, put into a room that is only read from then on.

use bytes::Bytes;
use haechi_base::{Actor, PersonId, random};
use haechi_store::{BlobId, Tx, WriteKey, job};
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::Chat;
use super::profile::Profile;
use crate::model::limits::{
    IMPORT_BATCH_MESSAGES, IMPORT_BYTES_MAX, IMPORT_MESSAGES_MAX, IMPORT_NAME_MAX, IMPORT_RUN_BATCHES,
    IMPORTS_A_DAY_MAX,
};
use crate::model::{
    ChatError, Content, Draft, KakaoChat, NewRoom, Origin, Preset, RoomVersion, event_id_of_transaction,
    imported_message, new_room_id, read_kakao, read_only_levels,
};
use crate::store;
use crate::store::imports::Import;

/// The job that puts messages in; its name is the import's id.
pub(crate) const IMPORT_JOB: &str = "chat.import";

/// The time over which a person's imports are counted.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is to be imported.
#[derive(Debug, Clone)]
pub(crate) struct ImportWish {
    pub(crate) text: Bytes,
    /// The name of the room; the chat's own when it is left out.
    pub(crate) name: Option<String>,
    /// The name under which the importer stands in the text.
    pub(crate) own_name: Option<String>,
    pub(crate) offset_minutes: i64,
}

impl Chat {
    /// Begins an import: keeps the text and has it put into a new room bit by bit. The same key begins it once.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a text in which no message is found, [`ChatError::TooLarge`],
    /// [`ChatError::TooOften`] and [`ChatError::Store`].
    pub(crate) async fn begin_import(
        &self,
        actor: &Actor,
        key: &str,
        wish: ImportWish,
    ) -> Result<Import, ChatError> {
        if wish.text.len() > IMPORT_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "a text has at most {IMPORT_BYTES_MAX} bytes"
            )));
        }
        let chat = read_text(wish.text.clone()).await?;
        if chat.messages.is_empty() {
            return Err(ChatError::invalid(
                "no message was found; send the text that KakaoTalk exports of a chat",
            ));
        }
        if chat.is_cut {
            return Err(ChatError::TooLarge(format!(
                "an import has at most {IMPORT_MESSAGES_MAX} messages"
            )));
        }
        let name = wish.name.or(chat.title).unwrap_or_else(|| "KakaoTalk".to_owned());
        check_name(&name)?;
        wish.own_name.as_deref().map(check_name).transpose()?;
        let (person, now) = (actor.person, self.now());
        let import = Import {
            import_id: random::name(),
            person,
            room_id: new_room_id(self.server_name()),
            blob: BlobId::of(&wish.text),
            name,
            own_name: wish.own_name,
            offset_minutes: wish.offset_minutes,
            total: i64::try_from(chat.messages.len()).unwrap_or(i64::MAX),
            done: 0,
            finished_at: None,
            created_at: now,
        };
        let request = json!([
            import.blob.to_string(),
            import.name,
            import.own_name,
            import.offset_minutes
        ]);
        let scope = format!("chat.import/{person}");
        let key = WriteKey::client(&scope, key, request.to_string().as_bytes());
        let import_id: Result<String, ChatError> = self
            .store()
            .write(key, async move |tx: &mut Tx<'_>| {
                if store::imports::count(tx, person, now - DAY).await? >= IMPORTS_A_DAY_MAX {
                    return Err(ChatError::TooOften(DAY));
                }
                store::imports::put(tx, &import).await?;
                Ok(import.import_id.clone())
            })
            .await;
        let import_id = import_id?;
        // Only what was allowed is kept. Should the node die before it is, the client comes back with its key and it is.
        self.store().put_blob(wish.text).await?;
        let job_name = import_id.clone();
        self.write(async move |tx: &mut Tx<'_>| {
            Ok(job::enqueue(tx, IMPORT_JOB, &job_name, "null", now).await?)
        })
        .await?;
        self.import(actor, import_id).await
    }

    /// How far an import of the actor's has come.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] also for those of others, and [`ChatError::Store`].
    pub(crate) async fn import(&self, actor: &Actor, import_id: String) -> Result<Import, ChatError> {
        let found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::imports::find(tx, &import_id).await?))
            .await?;
        found
            .filter(|import| import.person == actor.person)
            .ok_or_else(|| ChatError::not_found("there is no such import of yours"))
    }

    /// Puts the next messages of an import into its room; returns whether it is at its end.
    ///
    /// # Errors
    /// [`ChatError::Store`]; the same messages are then put in again, which changes nothing.
    pub(crate) async fn run_import(&self, import_id: &str) -> Result<bool, ChatError> {
        let id = import_id.to_owned();
        let found = self
            .read(async move |tx: &mut Tx<'_>| Ok(store::imports::find(tx, &id).await?))
            .await?;
        let Some(import) = found.filter(|import| import.finished_at.is_none()) else {
            return Ok(true);
        };
        match self.put_next(&import).await {
            Ok(false) => Ok(false),
            // Who has left the room does not want the rest.
            Ok(true) | Err(ChatError::Forbidden(_)) => {
                let (id, now) = (import.import_id, self.now());
                self.write(async move |tx: &mut Tx<'_>| Ok(store::imports::finish(tx, &id, now).await?))
                    .await?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    async fn put_next(&self, import: &Import) -> Result<bool, ChatError> {
        let text = self.store().get_blob(import.blob).await?;
        let text = text.ok_or_else(|| ChatError::not_found("the text of the import is gone"))?;
        let chat = read_text(text).await?;
        self.make_import_room(import).await?;
        let origin = Origin {
            own_name: import.own_name.clone(),
            offset_minutes: import.offset_minutes,
        };
        let first = usize::try_from(import.done).unwrap_or(usize::MAX);
        let mut done = first;
        let left = chat.messages.get(first..).unwrap_or_default();
        for batch in left.chunks(IMPORT_BATCH_MESSAGES).take(IMPORT_RUN_BATCHES) {
            let drafts = (done..).zip(batch).map(|(number, message)| {
                let content = imported_message(message, &origin);
                message_draft(import, number, content)
            });
            self.put_events(import.person, import.room_id.clone(), drafts.collect())
                .await?;
            done += batch.len();
            let (id, reached) = (import.import_id.clone(), i64::try_from(done).unwrap_or(i64::MAX));
            self.write(async move |tx: &mut Tx<'_>| Ok(store::imports::advance(tx, &id, reached).await?))
                .await?;
        }
        if done < chat.messages.len() {
            return Ok(false);
        }
        let levels = Draft::state(
            event_id(import, "levels"),
            import.person,
            "m.room.power_levels",
            "",
            Content::of(&read_only_levels(None)),
        );
        self.put_events(import.person, import.room_id.clone(), vec![levels])
            .await?;
        Ok(true)
    }

    /// Makes the room, or leaves it as it is. Until the import is at its end the importer may write in it, and nobody
    /// else ever.
    async fn make_import_room(&self, import: &Import) -> Result<(), ChatError> {
        let person: PersonId = import.person;
        let profiles = self.profiles_with(person, &[]).await?;
        let levels = serde_json::to_value(read_only_levels(Some(&self.user_id(person))));
        let Ok(Value::Object(power_levels)) = levels else {
            return Err(ChatError::invalid("the power levels are no object"));
        };
        let room = NewRoom {
            version: RoomVersion::V11,
            creator: person,
            creator_profile: profiles
                .get(&person)
                .map(Profile::member_content)
                .unwrap_or_default(),
            preset: Preset::Private,
            creation_content: Map::new(),
            power_levels,
            initial_state: vec![(
                "org.haechi.import".to_owned(),
                String::new(),
                Content::of(&json!({ "source": "kakaotalk", "messages": import.total })),
            )],
            name: Some(import.name.clone()),
            topic: None,
            alias: None,
            is_direct: false,
            invited: Vec::new(),
            invited_join: false,
        };
        self.make_room(import.room_id.clone(), &room).await
    }
}

/// Reads a text on a thread of its own: it may be long.
async fn read_text(text: Bytes) -> Result<KakaoChat, ChatError> {
    let read = tokio::task::spawn_blocking(move || {
        let text = std::str::from_utf8(&text)
            .map_err(|_| ChatError::invalid("the text is not UTF-8; send the file as KakaoTalk wrote it"))?;
        Ok(read_kakao(text))
    });
    read.await
        .map_err(|_| ChatError::invalid("the text cannot be read"))?
}

fn check_name(name: &str) -> Result<(), ChatError> {
    let count = name.chars().count();
    if (1..=IMPORT_NAME_MAX).contains(&count) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ChatError::invalid(format!(
        "a name has 1 to {IMPORT_NAME_MAX} characters, none of them a control character"
    )))
}

/// The same message of the same import always has the same id: put in twice, it is there once.
fn event_id(import: &Import, what: &str) -> String {
    event_id_of_transaction(import.person, "import", &import.room_id, &import.import_id, what)
}

fn message_draft(import: &Import, number: usize, content: Content) -> Draft {
    Draft {
        event_id: event_id(import, &number.to_string()),
        sender: import.person,
        kind: "m.room.message".to_owned(),
        state_key: None,
        content,
        redacts: None,
        sent_as: None,
    }
}
