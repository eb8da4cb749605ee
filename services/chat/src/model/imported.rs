//! Imported messages as events: said by who imports, with author and time of the original beside.

use serde_json::json;

use super::calendar::LocalMinute;
use super::kakao::KakaoMessage;
use super::{Content, PowerLevels};

/// The field of a message that tells where it came from: `source`, `author` (left out for what the program said),
/// `text`, `sent_at` in milliseconds, and `own` for what the importer had written.
pub(crate) const IMPORTED_FIELD: &str = "org.haechi.imported";

/// What is the same for all messages of an import.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The name under which the importer stands in the text.
    pub(crate) own_name: Option<String>,
    /// How far the clocks of the text are ahead of UTC.
    pub(crate) offset_minutes: i64,
}

/// The content of the event for a message; clients that do not know the field show a body that reads by itself.
pub(crate) fn imported_message(message: &KakaoMessage, origin: &Origin) -> Content {
    let LocalMinute { day, hour, minute } = message.at;
    let time = format!(
        "{:04}-{:02}-{:02} {hour:02}:{minute:02}",
        day.year, day.month, day.day
    );
    let sent_at = message.at.moment(origin.offset_minutes).millis();
    let mut field = json!({ "source": "kakaotalk", "text": message.text, "sent_at": sent_at });
    let (kind, body) = match &message.author {
        Some(author) => {
            field["author"] = author.as_str().into();
            field["own"] = (origin.own_name.as_ref() == Some(author)).into();
            ("m.text", format!("{author} ({time}): {}", message.text))
        }
        None => ("m.notice", format!("{} ({time})", message.text)),
    };
    Content::of(&json!({ "msgtype": kind, "body": body, IMPORTED_FIELD: field }))
}

/// The power levels of a room in which nobody says or sets anything any more; `importer` still may while they are named.
pub(crate) fn read_only_levels(importer: Option<&str>) -> PowerLevels {
    let users = importer.map(|importer| (importer.to_owned(), 100));
    PowerLevels {
        ban: 50,
        events: std::collections::BTreeMap::new(),
        events_default: 100,
        invite: 0,
        kick: 50,
        notifications: std::collections::BTreeMap::new(),
        redact: 100,
        state_default: 100,
        users: users.into_iter().collect(),
        users_default: 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::calendar::Day;

    fn origin() -> Origin {
        Origin {
            own_name: Some("홍길동".to_owned()),
            offset_minutes: 540,
        }
    }

    fn message(author: Option<&str>, text: &str) -> KakaoMessage {
        KakaoMessage {
            at: LocalMinute {
                day: Day::new(2022, 10, 15).unwrap(),
                hour: 15,
                minute: 19,
            },
            author: author.map(str::to_owned),
            text: text.to_owned(),
        }
    }

    fn told(author: Option<&str>, text: &str) -> serde_json::Value {
        serde_json::from_str(imported_message(&message(author, text), &origin()).as_str()).unwrap()
    }

    #[test]
    fn an_imported_message_reads_by_itself_and_tells_its_origin() {
        let content = told(Some("홍길동"), "안녕");
        assert_eq!(content["body"], "홍길동 (2022-10-15 15:19): 안녕");
        let field = &content[IMPORTED_FIELD];
        assert_eq!(
            (&field["author"], &field["own"]),
            (&"홍길동".into(), &true.into())
        );
        assert_eq!(field["sent_at"], 1_665_814_740_000_i64);
        assert_eq!(told(Some("김바다"), "네")[IMPORTED_FIELD]["own"], false);
        let system = told(None, "김바다님이 나갔습니다.");
        assert_eq!(
            (&system["msgtype"], &system[IMPORTED_FIELD]["author"]),
            (&"m.notice".into(), &serde_json::Value::Null)
        );
    }

    #[test]
    fn the_longest_message_still_is_an_event() {
        let text = "\"".repeat(crate::model::limits::IMPORT_TEXT_BYTES_MAX);
        let author = "\\".repeat(crate::model::limits::IMPORT_NAME_MAX);
        let content = imported_message(&message(Some(&author), &text), &origin());
        assert!(Content::check(content.as_str()).is_ok());
    }
}
