//! What a client asks of a sliding sync (MSC4186): windows on sorted lists of rooms, single rooms, and extensions.
//!
//! Read with types of our own rather than ruma's: those refuse lists without `timeline_limit`, which stock clients send,
//! and know no filters by tag. Fields that are not known are passed over, as the specification wants.

mod filter;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

pub(crate) use filter::{ListFilter, Listed};
pub(crate) use state::RequiredState;

use super::ChatError;
use super::limits::{
    INBOX_PAGE_MAX, SLIDING_CONNECTION_ID_BYTES_MAX, SLIDING_LISTS_MAX, SLIDING_NAME_BYTES_MAX,
    SLIDING_RANGES_MAX, SLIDING_SUBSCRIPTIONS_MAX, SLIDING_TIMELINE_MAX,
};

/// Types of events that bring a room up in the list.
const BUMPS: [&str; 7] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "m.beacon_info",
];

/// Whether an event of this type brings its room up in the lists.
pub(crate) fn bumps(kind: &str) -> bool {
    BUMPS.contains(&kind)
}

/// Everything a token of the extension `to_device` begins with; the position follows.
const INBOX_TOKEN: char = 'd';

/// The body of a request, as a client writes it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SlidingRequest {
    conn_id: Option<String>,
    txn_id: Option<String>,
    #[serde(default)]
    lists: BTreeMap<String, RequestedList>,
    #[serde(default)]
    room_subscriptions: BTreeMap<String, RequestedView>,
    #[serde(default)]
    unsubscribe_rooms: Vec<String>,
    #[serde(default)]
    extensions: RequestedExtensions,
}

#[derive(Debug, Clone, Deserialize)]
struct RequestedList {
    #[serde(default)]
    ranges: Vec<(i64, i64)>,
    #[serde(flatten)]
    view: RequestedView,
    filters: Option<ListFilter>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RequestedView {
    timeline_limit: Option<i64>,
    #[serde(default)]
    required_state: Vec<(String, String)>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RequestedExtensions {
    #[serde(default)]
    to_device: RequestedExtension,
    #[serde(default)]
    e2ee: RequestedExtension,
    #[serde(default)]
    account_data: RequestedExtension,
    #[serde(default)]
    receipts: RequestedExtension,
    #[serde(default)]
    typing: RequestedExtension,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RequestedExtension {
    enabled: Option<bool>,
    limit: Option<i64>,
    since: Option<String>,
    lists: Option<BTreeSet<String>>,
    rooms: Option<BTreeSet<String>>,
}

/// What is shown of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoomView {
    /// How many events of its timeline at the most.
    pub(crate) timeline_limit: u32,
    pub(crate) required: RequiredState,
}

/// A list of rooms, sorted by when something was last said.
#[derive(Debug, Clone)]
pub(crate) struct WishedList {
    pub(crate) name: String,
    /// First and last place of each window, both within it.
    pub(crate) ranges: Vec<(usize, usize)>,
    pub(crate) view: Arc<RoomView>,
    pub(crate) filter: ListFilter,
}

/// For which rooms an extension is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Names of lists; `None` for all.
    lists: Option<BTreeSet<String>>,
    /// Rooms that are subscribed to; `None` for all of them.
    rooms: Option<BTreeSet<String>>,
}

/// A page of messages to the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InboxWish {
    /// The position up to which the device has all.
    pub(crate) since: Option<i64>,
    pub(crate) limit: u32,
}

/// The extensions that are switched on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) to_device: Option<InboxWish>,
    pub(crate) e2ee: bool,
    pub(crate) account_data: Option<Scope>,
    pub(crate) receipts: Option<Scope>,
    pub(crate) typing: Option<Scope>,
}

/// A request that was found to be sound.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlidingWish {
    /// Which of the device's connections it is; empty for the only one.
    pub(crate) connection: String,
    pub(crate) transaction_id: Option<String>,
    pub(crate) lists: Vec<WishedList>,
    pub(crate) subscriptions: BTreeMap<String, Arc<RoomView>>,
    /// Rooms whose subscription ends.
    pub(crate) unsubscribed: Vec<String>,
    pub(crate) extensions: Extensions,
}

impl SlidingRequest {
    /// Reads the request of somebody of this user id.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for ranges that are none, and where there is too much of something.
    pub(crate) fn read(self, user_id: &str) -> Result<SlidingWish, ChatError> {
        refuse_more("lists", self.lists.len(), SLIDING_LISTS_MAX)?;
        let rooms = self.room_subscriptions.len().max(self.unsubscribe_rooms.len());
        refuse_more("room subscriptions", rooms, SLIDING_SUBSCRIPTIONS_MAX)?;
        let connection = self.conn_id.unwrap_or_default();
        refuse_more(
            "bytes of conn_id",
            connection.len(),
            SLIDING_CONNECTION_ID_BYTES_MAX,
        )?;
        let transaction_bytes = self.txn_id.as_ref().map_or(0, String::len);
        refuse_more("bytes of txn_id", transaction_bytes, SLIDING_NAME_BYTES_MAX)?;
        let lists = self
            .lists
            .into_iter()
            .map(|(name, list)| list.read(name, user_id))
            .collect::<Result<_, _>>()?;
        let subscriptions = self
            .room_subscriptions
            .into_iter()
            .map(|(room_id, view)| Ok((room_id, Arc::new(view.read(user_id)?))))
            .collect::<Result<_, ChatError>>()?;
        Ok(SlidingWish {
            connection,
            transaction_id: self.txn_id,
            lists,
            subscriptions,
            unsubscribed: self.unsubscribe_rooms,
            extensions: self.extensions.read()?,
        })
    }
}

impl RequestedList {
    fn read(self, name: String, user_id: &str) -> Result<WishedList, ChatError> {
        refuse_more("bytes of a list's name", name.len(), SLIDING_NAME_BYTES_MAX)?;
        refuse_more("ranges of a list", self.ranges.len(), SLIDING_RANGES_MAX)?;
        let place = |number: i64| {
            usize::try_from(number).map_err(|_| ChatError::invalid("a range begins at 0 or later"))
        };
        let ranges = self.ranges.into_iter().map(|(first, last)| {
            let (first, last) = (place(first)?, place(last)?);
            if first > last {
                return Err(ChatError::invalid("a range ends before it begins"));
            }
            Ok((first, last))
        });
        let filter = self.filters.unwrap_or_default();
        filter.check()?;
        Ok(WishedList {
            ranges: ranges.collect::<Result<_, _>>()?,
            name,
            view: Arc::new(self.view.read(user_id)?),
            filter,
        })
    }
}

impl RequestedView {
    fn read(self, user_id: &str) -> Result<RoomView, ChatError> {
        // Who names no number gets the latest event.
        let limit = u32::try_from(
            self.timeline_limit
                .unwrap_or(1)
                .min(i64::from(SLIDING_TIMELINE_MAX)),
        )
        .map_err(|_| ChatError::invalid("timeline_limit is negative"))?;
        Ok(RoomView {
            timeline_limit: limit,
            required: RequiredState::read(self.required_state, user_id)?,
        })
    }
}

impl RequestedExtensions {
    fn read(self) -> Result<Extensions, ChatError> {
        let to_device = match self.to_device.is_on() {
            true => Some(self.to_device.read_inbox()?),
            false => None,
        };
        Ok(Extensions {
            to_device,
            e2ee: self.e2ee.is_on(),
            account_data: self.account_data.read_scope()?,
            receipts: self.receipts.read_scope()?,
            typing: self.typing.read_scope()?,
        })
    }
}

impl RequestedExtension {
    fn is_on(&self) -> bool {
        self.enabled == Some(true)
    }

    fn read_inbox(self) -> Result<InboxWish, ChatError> {
        let since = self.since.as_deref().filter(|since| !since.is_empty());
        let limit = self.limit.unwrap_or_else(|| i64::from(INBOX_PAGE_MAX));
        let limit = u32::try_from(limit.min(i64::from(INBOX_PAGE_MAX)))
            .map_err(|_| ChatError::invalid("the limit of to_device is negative"))?;
        Ok(InboxWish {
            since: since.map(read_inbox_token).transpose()?,
            // With 0 nothing would ever come.
            limit: limit.max(1),
        })
    }

    fn read_scope(self) -> Result<Option<Scope>, ChatError> {
        if !self.is_on() {
            return Ok(None);
        }
        let named = [&self.lists, &self.rooms].map(|names| names.as_ref().map_or(0, BTreeSet::len));
        let named = named.into_iter().max().unwrap_or_default();
        refuse_more("names of an extension", named, SLIDING_SUBSCRIPTIONS_MAX)?;
        let all_or_some = |names: Option<BTreeSet<String>>| names.filter(|names| !names.contains("*"));
        Ok(Some(Scope {
            lists: all_or_some(self.lists),
            rooms: all_or_some(self.rooms),
        }))
    }
}

/// The token of the extension `to_device` for a position of the people's stream.
pub(crate) fn inbox_token(position: i64) -> String {
    format!("{INBOX_TOKEN}{position}")
}

fn read_inbox_token(text: &str) -> Result<i64, ChatError> {
    let number = text.strip_prefix(INBOX_TOKEN);
    number
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| ChatError::invalid("the token of to_device was not given out by this server"))
}

impl RoomView {
    /// What two wishes for one room come to.
    pub(crate) fn with(&self, other: &Self) -> Self {
        Self {
            timeline_limit: self.timeline_limit.max(other.timeline_limit),
            required: self.required.with(&other.required),
        }
    }
}

impl Scope {
    /// Which of these lists it is about: a bit each, in their order.
    pub(crate) fn mask(&self, lists: &[WishedList]) -> u32 {
        let bits = lists.iter().enumerate().filter_map(|(index, list)| {
            let is_meant = self.lists.as_ref().is_none_or(|names| names.contains(&list.name));
            is_meant.then(|| 1_u32 << index)
        });
        bits.fold(0, |mask, bit| mask | bit)
    }

    /// Whether it is about this room among those that are subscribed to.
    pub(crate) fn has_subscribed(&self, room_id: &str) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room_id))
    }

    /// Whether the room is named, subscribed to or not.
    pub(crate) fn names(&self, room_id: &str) -> bool {
        self.rooms.as_ref().is_some_and(|rooms| rooms.contains(room_id))
    }
}

fn refuse_more(what: &str, count: usize, most: usize) -> Result<(), ChatError> {
    if count > most {
        return Err(ChatError::invalid(format!(
            "there are {count} {what}; at most {most} are taken"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
