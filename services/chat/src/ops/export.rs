//! A room written out for who is in it, a page of events after the other, whatever its length.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::stream::{Stream, try_unfold};
use haechi_base::{Actor, PersonId, Time};
use haechi_store::Tx;
use serde_json::{Value, json};

use super::Chat;
use super::desk::ExportPlace;
use super::profile::find_profiles;
use super::read_room::view;
use crate::model::limits::EXPORT_PAGE_EVENTS;
use crate::model::{ChatError, Event, HtmlWriter, Language, Reader, stream_of};
use crate::store;

/// In what form a room is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// For programs: all events as they are.
    Json,
    /// For people: a page that stands alone.
    Html,
}

/// What is to be written out.
#[derive(Debug, Clone)]
pub(crate) struct ExportWish {
    pub(crate) room_id: String,
    pub(crate) format: ExportFormat,
    pub(crate) language: Language,
    /// How far the reader's clock is ahead of UTC.
    pub(crate) offset_minutes: i64,
}

/// An export that is under way.
struct Export {
    chat: Chat,
    actor: Actor,
    room_id: String,
    title: Option<String>,
    format: ExportFormat,
    html: HtmlWriter,
    begun_at: Time,
    /// All up to here is written.
    low: i64,
    /// All up to here was there when it began.
    high: i64,
    stage: Stage,
    is_first: bool,
    _place: ExportPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Events,
    Done,
}

impl Chat {
    /// Writes out what the actor may see of a room, in pieces.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::TooOften`], [`ChatError::MediaBusy`] and [`ChatError::Store`]; later in the stream as well, which
    /// then ends where it is.
    pub(crate) async fn export(
        &self,
        actor: &Actor,
        wish: ExportWish,
    ) -> Result<impl Stream<Item = Result<Bytes, ChatError>> + Send + use<>, ChatError> {
        let (person, room_id) = (actor.person, wish.room_id.clone());
        let (high, title) = self
            .read(async move |tx: &mut Tx<'_>| {
                let view = view(tx, person, &room_id).await?;
                let positions = store::streams::positions(tx, 0).await?;
                let name = store::state::current_one(tx, &room_id, "m.room.name", "").await?;
                let name = name.filter(|event| event.position <= view.until);
                Ok((positions.position(stream_of(&room_id)).min(view.until), name))
            })
            .await?;
        let place = self.0.desk.exports.place(person)?;
        let title = title.and_then(|event| {
            let content: Value = serde_json::from_str(&event.content).ok()?;
            content["name"].as_str().map(str::to_owned)
        });
        let media_base = format!("{}/_matrix/client/v1/media/download/", self.public_url());
        let export = Export {
            chat: self.clone(),
            actor: actor.clone(),
            room_id: wish.room_id,
            title,
            format: wish.format,
            html: HtmlWriter::new(person, wish.language, wish.offset_minutes, media_base),
            begun_at: self.now(),
            low: 0,
            high,
            stage: Stage::Head,
            is_first: true,
            _place: place,
        };
        Ok(try_unfold(export, async |mut export: Export| {
            let piece = export.next().await?;
            Ok(piece.map(|piece| (Bytes::from(piece), export)))
        }))
    }
}

impl Export {
    /// The next piece, or nothing after the last one.
    async fn next(&mut self) -> Result<Option<String>, ChatError> {
        match self.stage {
            Stage::Head => {
                self.stage = Stage::Events;
                Ok(Some(self.head()))
            }
            Stage::Events => match self.page().await? {
                Some(piece) => Ok(Some(piece)),
                None => {
                    self.stage = Stage::Done;
                    let foot = match self.format {
                        ExportFormat::Json => "\n]}\n",
                        ExportFormat::Html => self.html.foot(),
                    };
                    Ok(Some(foot.to_owned()))
                }
            },
            Stage::Done => Ok(None),
        }
    }

    fn head(&self) -> String {
        match self.format {
            ExportFormat::Html => self.html.head(self.title.as_deref(), self.begun_at),
            ExportFormat::Json => {
                let head = json!({
                    "format": "org.haechi.export",
                    "version": 1,
                    "room_id": self.room_id,
                    "name": self.title,
                    "exported_at": self.begun_at.millis(),
                    "exported_by": self.chat.user_id(self.actor.person),
                    "media": "every mxc://SERVER/ID is found, by who is signed in, under media_base + SERVER/ID",
                    "media_base": format!("{}/_matrix/client/v1/media/download/", self.chat.public_url()),
                });
                let head = head.to_string();
                format!("{},\"events\":[", head.strip_suffix('}').unwrap_or(&head))
            }
        }
    }

    /// The next events, or nothing when all are written. Whether the reader may see them is asked for each page anew:
    /// they may have been sent out in between.
    async fn page(&mut self) -> Result<Option<String>, ChatError> {
        let (person, room_id, low, high) = (self.actor.person, self.room_id.clone(), self.low, self.high);
        let (rows, shown, names) = self
            .chat
            .read(async move |tx: &mut Tx<'_>| {
                let view = view(tx, person, &room_id).await?;
                let high = high.min(view.until);
                let mut events = store::events::forward(tx, &room_id, low, high, EXPORT_PAGE_EVENTS).await?;
                let last = events.last().map(|event| event.position);
                events.retain(|event| view.shows(event));
                let names = names_of(tx, &events).await?;
                Ok((last, events, names))
            })
            .await?;
        let Some(last) = rows else { return Ok(None) };
        self.low = last;
        Ok(Some(self.written(&shown, &names)))
    }

    fn written(&mut self, events: &[Event], names: &HashMap<PersonId, String>) -> String {
        let mut text = String::new();
        for event in events {
            match self.format {
                ExportFormat::Html => text.push_str(&self.html.event(event, names)),
                ExportFormat::Json => {
                    text.push_str(if self.is_first { "\n" } else { ",\n" });
                    self.is_first = false;
                    let reader = Reader {
                        person: self.actor.person,
                        device: "",
                        server_name: self.chat.server_name(),
                        now: self.begun_at,
                    };
                    text.push_str(event.for_client(reader, false).get());
                }
            }
        }
        text
    }
}

/// The names by which who speaks goes now.
async fn names_of(tx: &mut Tx<'_>, events: &[Event]) -> Result<HashMap<PersonId, String>, ChatError> {
    let mut people: Vec<PersonId> = events.iter().map(|event| event.sender).collect();
    people.sort_unstable();
    people.dedup();
    let profiles = find_profiles(tx, &people).await?;
    Ok(profiles
        .into_iter()
        .map(|profile| (profile.person, profile.display_name))
        .collect())
}
