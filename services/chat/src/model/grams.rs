//! How texts are searched: as small letters in one form (NFKC), by pieces of one and two letters, so that part of a
//! Hangul or an English word is found.
//!
//! A run of a room's messages keeps the hashes of all pieces that stand in any of them, 16 bits each. What is looked for
//! can only stand in a run that holds all its pieces; which of its messages it is, their texts tell. That costs about
//! forty bytes a message, where an entry for each piece of each message would cost a thousand.

use std::collections::BTreeSet;

use haechi_base::Time;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::limits::{SEARCH_TERM_BYTES_MAX, SEARCHED_LETTERS_MAX};
use super::{ChatError, Event, Relation};

/// Pieces after which a run of messages is full.
const BLOCK_GRAMS_MAX: usize = 512;

/// Messages after which it is.
const BLOCK_MESSAGES_MAX: i64 = 128;

/// Terms of one search.
const TERMS_MAX: usize = 16;

/// Which part of an event is searched (client-server API, `POST /search`, `keys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum SearchKey {
    /// What a message says.
    #[serde(rename = "content.body")]
    Body,
    /// A room's name.
    #[serde(rename = "content.name")]
    Name,
    /// A room's topic.
    #[serde(rename = "content.topic")]
    Topic,
}

/// What a search finds of an event: from which part, and its text in the form it is searched in.
pub(crate) fn searched_text(event: &Event) -> Option<(SearchKey, String)> {
    #[derive(Deserialize)]
    struct Texts {
        body: Option<String>,
        name: Option<String>,
        topic: Option<String>,
        #[serde(rename = "m.new_content")]
        new_content: Option<New>,
    }
    #[derive(Deserialize)]
    struct New {
        body: Option<String>,
    }
    let key = match (event.kind.as_str(), event.state_key.as_deref()) {
        ("m.room.message", None) => SearchKey::Body,
        ("m.room.name", Some("")) => SearchKey::Name,
        ("m.room.topic", Some("")) => SearchKey::Topic,
        _ => return None,
    };
    let texts: Texts = serde_json::from_str(&event.content).ok()?;
    let text = match key {
        // An edit is found by what it says now, not by the fallback for those who know of no edits.
        SearchKey::Body if Relation::of_event(event).is_some_and(|relation| relation.is_edit()) => {
            texts.new_content.and_then(|new| new.body)
        }
        SearchKey::Body => texts.body,
        SearchKey::Name => texts.name,
        SearchKey::Topic => texts.topic,
    };
    text.map(|text| (key, in_one_form(&text)))
}

fn in_one_form(text: &str) -> String {
    let letters = text.chars().take(SEARCHED_LETTERS_MAX);
    letters.nfkc().collect::<String>().to_lowercase()
}

/// The hashes of the pieces of a text that is in the searched form.
fn grams(text: &str) -> BTreeSet<u16> {
    let mut grams = BTreeSet::new();
    for word in text.split_whitespace() {
        let mut before = None;
        for letter in word.chars() {
            // One Latin letter stands in nearly every run, and would tell nothing.
            if !letter.is_ascii() {
                grams.insert(hash(letter, '\0'));
            }
            if let Some(before) = before {
                grams.insert(hash(before, letter));
            }
            before = Some(letter);
        }
    }
    grams
}

/// FNV-1a of two letters, folded. Part of what is stored: never changed without a migration.
fn hash(first: char, second: char) -> u16 {
    let bytes = [u32::from(first).to_le_bytes(), u32::from(second).to_le_bytes()];
    let hash = bytes.as_flattened().iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    let [one, two, three, four] = hash.to_le_bytes();
    u16::from_le_bytes([one ^ three, two ^ four])
}

/// A run of a room's messages with the pieces of their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) first_position: i64,
    pub(crate) last_position: i64,
    /// When the last of them was said.
    pub(crate) last_at: Time,
    pub(crate) messages: i64,
    grams: BTreeSet<u16>,
}

impl Block {
    /// A run of one message.
    fn begin(position: i64) -> Self {
        Self {
            first_position: position,
            last_position: position,
            last_at: Time::from_micros(0),
            messages: 0,
            grams: BTreeSet::new(),
        }
    }

    /// A run as it is kept.
    pub(crate) fn of_stored(
        first_position: i64,
        last_position: i64,
        last_at: Time,
        messages: i64,
        grams: &[u8],
    ) -> Self {
        let grams = grams.as_chunks::<2>().0.iter();
        Self {
            first_position,
            last_position,
            last_at,
            messages,
            grams: grams.map(|gram| u16::from_be_bytes(*gram)).collect(),
        }
    }

    /// The pieces, in the form they are kept in: sorted, so that one is found by halving.
    pub(crate) fn grams(&self) -> Vec<u8> {
        self.grams.iter().flat_map(|gram| gram.to_be_bytes()).collect()
    }

    /// Takes a message up at the end.
    fn add(&mut self, event: &Event, text: &str) {
        self.last_position = event.position;
        self.last_at = self.last_at.max(event.sent_at);
        self.messages += 1;
        self.grams.append(&mut grams(text));
    }

    fn is_full(&self) -> bool {
        self.grams.len() >= BLOCK_GRAMS_MAX || self.messages >= BLOCK_MESSAGES_MAX
    }

    /// The same run with other messages left in it.
    pub(crate) fn of_messages(&self, events: &[Event]) -> Self {
        let mut block = Self {
            messages: 0,
            grams: BTreeSet::new(),
            ..self.clone()
        };
        for (event, text) in events
            .iter()
            .filter_map(|event| Some((event, searched_text(event)?.1)))
        {
            block.add(event, &text);
        }
        // Its bounds stay: another run begins where it ended.
        block.last_position = self.last_position;
        block
    }

    /// Adds messages to the last run of a room, and to new ones when it is full; returns those that changed.
    pub(crate) fn extend(last: Option<Self>, events: &[Event]) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut open = last.filter(|block| !block.is_full());
        for event in events {
            let Some((_, text)) = searched_text(event) else {
                continue;
            };
            let block = open.get_or_insert_with(|| Self::begin(event.position));
            block.add(event, &text);
            if block.is_full() {
                blocks.extend(open.take());
            }
        }
        blocks.extend(open);
        blocks
    }
}

/// What somebody looks for: words that must all stand in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchTerms {
    terms: Vec<String>,
    grams: Vec<u16>,
}

impl SearchTerms {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] when that is nothing or too much.
    pub(crate) fn read(typed: &str) -> Result<Self, ChatError> {
        if typed.len() > SEARCH_TERM_BYTES_MAX {
            return Err(ChatError::invalid(format!(
                "a search has at most {SEARCH_TERM_BYTES_MAX} bytes"
            )));
        }
        let text = in_one_form(typed);
        let mut terms: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        terms.sort_unstable();
        terms.dedup();
        if terms.is_empty() {
            return Err(ChatError::invalid("there is nothing to search for"));
        }
        terms.truncate(TERMS_MAX);
        let grams: BTreeSet<u16> = terms.iter().flat_map(|term| grams(term)).collect();
        Ok(Self {
            terms,
            grams: grams.into_iter().collect(),
        })
    }

    /// The words, as they are to be shown.
    pub(crate) fn terms(&self) -> &[String] {
        &self.terms
    }

    /// Whether they may stand in a run of messages with these pieces.
    pub(crate) fn may_stand_in(&self, grams: &[u8]) -> bool {
        let (grams, _) = grams.as_chunks::<2>();
        self.grams
            .iter()
            .all(|wanted| grams.binary_search(&wanted.to_be_bytes()).is_ok())
    }

    /// How well a text matches: how often the words stand in it, for its length. `None` when one does not.
    pub(crate) fn rank(&self, text: &str) -> Option<f64> {
        let mut found = 0_u16;
        for term in &self.terms {
            let count = text.matches(term.as_str()).take(16).count();
            if count == 0 {
                return None;
            }
            found = found.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        }
        let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Some(f64::from(found) / (1.0 + f64::from(letters)).ln().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use haechi_base::{PersonId, uuid::Uuid};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(position: i64, body: &str) -> Event {
        Event {
            event_id: format!("${position}"),
            room_id: "!r:s".to_owned(),
            position,
            ordinal: 0,
            sender: PersonId::from_uuid(Uuid::nil()),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: json!({ "body": body }).to_string(),
            sent_at: Time::from_micros(position),
            visible_to: "shared".to_owned(),
            redacts: None,
            redacted_because: None,
            replaces: None,
            previous_content: None,
            sent_as: None,
            related: None,
            standing: None,
        }
    }

    #[test]
    fn part_of_a_word_is_found_in_either_script_and_any_case() {
        let text = in_one_form("우리 내일 해운대에서 만나자 at GATE 12");
        for found in ["해운", "운대에", "만나", "gate", "Ate", "12", "내일 만나", "자"] {
            assert!(SearchTerms::read(found).unwrap().rank(&text).is_some(), "{found}");
        }
        for missing in ["광안리", "gates", "내일 모레", "대운"] {
            assert!(
                SearchTerms::read(missing).unwrap().rank(&text).is_none(),
                "{missing}"
            );
        }
        // Letters taken apart, as some phones write them, and wide ones.
        let apart: String = "해운대".nfd().collect();
        assert!(SearchTerms::read(&apart).unwrap().rank(&text).is_some());
        assert!(SearchTerms::read("ｇａｔｅ").unwrap().rank(&text).is_some());
        for nothing in ["", "  \n", &"가".repeat(100)] {
            assert!(SearchTerms::read(nothing).is_err());
        }
    }

    #[test]
    fn a_full_run_ends_and_the_next_goes_on() {
        let events: Vec<Event> = (1..=300).map(|at| message(at, "안녕")).collect();
        let blocks = Block::extend(None, &events);
        let bounds: Vec<(i64, i64)> = blocks
            .iter()
            .map(|block| (block.first_position, block.last_position))
            .collect();
        assert_eq!(bounds, [(1, 128), (129, 256), (257, 300)]);
        let more = Block::extend(blocks.last().cloned(), &[message(301, "하세요")]);
        assert_eq!(more.len(), 1);
        assert_eq!((more[0].first_position, more[0].messages), (257, 45));
        assert!(Block::extend(None, &[]).is_empty());
    }

    #[test]
    fn what_was_taken_back_is_gone_from_its_run() {
        let (kept, gone) = (message(1, "안녕"), message(2, "비밀"));
        let block = Block::extend(None, &[kept.clone(), gone]).remove(0);
        let secret = SearchTerms::read("비밀").unwrap();
        assert!(secret.may_stand_in(&block.grams()));
        let without = block.of_messages(&[kept]);
        assert!(!secret.may_stand_in(&without.grams()));
        assert_eq!((without.last_position, without.messages), (2, 1));
    }

    proptest! {
        #[test]
        fn a_run_holds_the_pieces_of_all_that_stands_in_it(texts in prop::collection::vec("\\PC{0,40}", 1..8), pick in 0_usize..8, from in 0_usize..20, letters in 1_usize..8) {
            let events: Vec<Event> = (1..).zip(&texts).map(|(at, text)| message(at, text)).collect();
            let blocks = Block::extend(None, &events);
            let text = searched_text(&events[pick % events.len()]).unwrap().1;
            let part: String = text.chars().skip(from).take(letters).collect();
            if let Ok(terms) = SearchTerms::read(&part) && terms.rank(&text).is_some() {
                prop_assert!(blocks.iter().any(|block| terms.may_stand_in(&block.grams())));
                let stored: Vec<Block> = blocks.iter().map(|block| Block::of_stored(block.first_position, block.last_position, block.last_at, block.messages, &block.grams())).collect();
                prop_assert_eq!(&stored, &blocks);
            }
        }
    }
}
