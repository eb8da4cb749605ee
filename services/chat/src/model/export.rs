//! A room written out as a page that stands alone: everything that somebody wrote is escaped, and nothing runs.

use std::collections::HashMap;
use std::str::FromStr;

use haechi_base::PersonId;
use serde_json::Value;

use super::calendar::{Day, LocalMinute};
use super::{ChatError, Event, IMPORTED_FIELD};

/// How the page looks: on a phone, on a wide screen, in the dark, and on paper.
const STYLE: &str = "
:root{color-scheme:light dark;--paper:#f4f5f7;--ink:#1b1f24;--soft:#68707a;--theirs:#fff;--own:#ffe68a;--line:#d9dde2}
@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#eceff2;--soft:#98a1ab;--theirs:#242a31;--own:#5b4b12;--line:#333a42}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:44rem;margin:0 auto;padding:1rem}h1{font-size:1.4rem;margin:.5rem 0;overflow-wrap:anywhere}
h2{font-size:.85rem;font-weight:600;color:var(--soft);text-align:center;margin:1.5rem 0 .75rem}
header p,.note{color:var(--soft);font-size:.85rem;margin:.25rem 0}.note{text-align:center;overflow-wrap:anywhere}
article{margin:.5rem 0;max-width:85%;width:fit-content}article.own{margin-left:auto}
article b{display:block;font-size:.8rem;color:var(--soft);font-weight:600}
article p{margin:0;padding:.5rem .75rem;border-radius:.9rem;background:var(--theirs);white-space:pre-wrap;overflow-wrap:anywhere}
article.own p{background:var(--own)}article time{font-size:.75rem;color:var(--soft)}a{color:inherit}
@media print{body{background:#fff;color:#000}main{max-width:none}article{break-inside:avoid}article p{border:1px solid var(--line);background:none}}";

/// The language of the page's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Korean,
    English,
}

impl FromStr for Language {
    type Err = ChatError;

    fn from_str(word: &str) -> Result<Self, ChatError> {
        match word {
            "ko" => Ok(Self::Korean),
            "en" => Ok(Self::English),
            _ => Err(ChatError::invalid("the language is ko or en")),
        }
    }
}

/// The page's own words in one language.
struct Words {
    code: &'static str,
    exported: &'static str,
    media: &'static str,
    taken_back: &'static str,
    secret: &'static str,
    edited: &'static str,
    came: &'static str,
    left: &'static str,
    named: &'static str,
    untitled: &'static str,
    weekdays: [&'static str; 7],
}

const KOREAN: Words = Words {
    code: "ko",
    exported: "내보낸 때",
    media: "사진과 파일은 링크로 남아 있으며, 로그인해야 열립니다.",
    taken_back: "삭제된 메시지입니다.",
    secret: "암호화된 메시지입니다.",
    edited: "수정됨",
    came: "님이 들어왔습니다.",
    left: "님이 나갔습니다.",
    named: "채팅방 이름",
    untitled: "채팅",
    weekdays: [
        "일요일",
        "월요일",
        "화요일",
        "수요일",
        "목요일",
        "금요일",
        "토요일",
    ],
};

const ENGLISH: Words = Words {
    code: "en",
    exported: "Exported",
    media: "Photos and files are links, which open for who is signed in.",
    taken_back: "This message was deleted.",
    secret: "This message is encrypted.",
    edited: "edited",
    came: " joined.",
    left: " left.",
    named: "Room name",
    untitled: "Chat",
    weekdays: [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ],
};

/// Writes a room's events as HTML, a page of them after the other.
#[derive(Debug, Clone)]
pub(crate) struct HtmlWriter {
    reader: PersonId,
    language: Language,
    offset_minutes: i64,
    /// What media is linked to: an address that the parts of an `mxc://` URI follow.
    media_base: String,
    day: Option<Day>,
}

impl HtmlWriter {
    pub(crate) const fn new(
        reader: PersonId,
        language: Language,
        offset_minutes: i64,
        media_base: String,
    ) -> Self {
        Self {
            reader,
            language,
            offset_minutes,
            media_base,
            day: None,
        }
    }

    const fn words(&self) -> &'static Words {
        match self.language {
            Language::Korean => &KOREAN,
            Language::English => &ENGLISH,
        }
    }

    /// All before the first event.
    pub(crate) fn head(&self, title: Option<&str>, now: haechi_base::Time) -> String {
        let words = self.words();
        let title = escaped(title.unwrap_or(words.untitled));
        let minute = LocalMinute::of(now, self.offset_minutes);
        format!(
            "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"referrer\" content=\"no-referrer\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><main><header><h1>{title}</h1>\
             <p>{}: {} {}</p><p>{}</p></header>\n",
            words.code,
            words.exported,
            iso_day(minute.day),
            clock(minute),
            words.media,
        )
    }

    /// All after the last event.
    pub(crate) const fn foot(&self) -> &'static str {
        "</main></body></html>\n"
    }

    /// One event, or nothing where it is none that people see.
    pub(crate) fn event(&mut self, event: &Event, names: &HashMap<PersonId, String>) -> String {
        let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
        let name = names.get(&event.sender).map_or("?", String::as_str);
        let Some(item) = item_of(event, &content, name, self.words(), &self.media_base) else {
            return String::new();
        };
        let imported = imported_of(&content);
        let moment = imported
            .as_ref()
            .and_then(|imported| imported.sent_at)
            .unwrap_or(event.sent_at);
        let minute = LocalMinute::of(moment, self.offset_minutes);
        let mut html = String::new();
        if self.day != Some(minute.day) {
            self.day = Some(minute.day);
            let weekday = self.words().weekdays.get(minute.day.weekday()).copied();
            html = format!(
                "<h2>{} {}</h2>\n",
                iso_day(minute.day),
                weekday.unwrap_or_default()
            );
        }
        match item {
            Item::Note(note) => html.push_str(&format!("<p class=\"note\">{note}</p>\n")),
            Item::Said(said) => {
                let author = imported
                    .as_ref()
                    .map_or(name, |imported| imported.author.as_str());
                let is_own = imported
                    .as_ref()
                    .map_or(event.sender == self.reader, |imported| imported.is_own);
                let class = if is_own { " class=\"own\"" } else { "" };
                let author = escaped(author);
                let time = clock(minute);
                html.push_str(&format!(
                    "<article{class}><b>{author}</b><p>{said}</p><time>{time}</time></article>\n"
                ));
            }
        }
        html
    }
}

/// What the page shows of an event, as HTML.
enum Item {
    Said(String),
    Note(String),
}

fn item_of(event: &Event, content: &Value, name: &str, words: &Words, media_base: &str) -> Option<Item> {
    if event.redacted_because.is_some() {
        let was_shown = matches!(
            event.kind.as_str(),
            "m.room.message" | "m.room.encrypted" | "m.sticker" | "m.poll.start"
        );
        return was_shown.then(|| Item::Said(words.taken_back.to_owned()));
    }
    match event.kind.as_str() {
        "m.room.message" | "m.sticker" => message_of(content, words, media_base),
        "m.room.encrypted" => Some(Item::Said(words.secret.to_owned())),
        "m.poll.start" => {
            let question = &content["m.poll"]["question"]["m.text"][0]["body"];
            let text = question
                .as_str()
                .or_else(|| content["m.text"][0]["body"].as_str());
            Some(Item::Said(format!("📊 {}", escaped(text.unwrap_or_default()))))
        }
        "m.room.member" => {
            let before = event.previous_content.as_deref().unwrap_or("{}");
            let before: Value = serde_json::from_str(before).unwrap_or_default();
            let shown = content["displayname"]
                .as_str()
                .or_else(|| before["displayname"].as_str())
                .unwrap_or(name);
            let (was, is) = (before["membership"].as_str(), content["membership"].as_str());
            let end = match (was, is) {
                (was, Some("join")) if was != Some("join") => words.came,
                (Some("join"), Some("leave" | "ban")) => words.left,
                _ => return None,
            };
            Some(Item::Note(format!("{}{end}", escaped(shown))))
        }
        "m.room.name" => {
            let name = content["name"].as_str()?;
            Some(Item::Note(format!("{}: {}", words.named, escaped(name))))
        }
        _ => None,
    }
}

fn message_of(content: &Value, words: &Words, media_base: &str) -> Option<Item> {
    if let Some(imported) = imported_of(content) {
        let text = escaped(&imported.text);
        return Some(if imported.author.is_empty() {
            Item::Note(text)
        } else {
            Item::Said(text)
        });
    }
    let is_edit = content["m.relates_to"]["rel_type"] == "m.replace";
    let said = if is_edit {
        &content["m.new_content"]
    } else {
        content
    };
    let body = escaped(said["body"].as_str().unwrap_or_default());
    let mut text = match said["url"].as_str().and_then(media_path) {
        Some(path) => {
            let shown = if body.is_empty() { "📎" } else { &body };
            format!(
                "<a href=\"{}{path}\" rel=\"noreferrer\">📎 {shown}</a>",
                escaped(media_base)
            )
        }
        None => body,
    };
    if is_edit {
        text = format!("{text} <small>({})</small>", words.edited);
    }
    (!text.is_empty()).then_some(Item::Said(text))
}

/// What an imported message says of its origin.
struct Imported {
    author: String,
    text: String,
    sent_at: Option<haechi_base::Time>,
    is_own: bool,
}

fn imported_of(content: &Value) -> Option<Imported> {
    let field = content.get(IMPORTED_FIELD)?;
    let sent_at = field["sent_at"].as_i64();
    Some(Imported {
        author: field["author"].as_str().unwrap_or_default().to_owned(),
        text: field["text"].as_str()?.to_owned(),
        sent_at: sent_at.map(|millis| haechi_base::Time::from_micros(millis.saturating_mul(1_000))),
        is_own: field["own"].as_bool().unwrap_or(false),
    })
}

/// `server/id` of an `mxc://` URI in which nothing needs escaping.
fn media_path(uri: &str) -> Option<&str> {
    let path = uri.strip_prefix("mxc://")?;
    let (server, id) = path.split_once('/')?;
    let is_plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
    };
    (is_plain(server) && is_plain(id)).then_some(path)
}

/// A text in which HTML has nothing to read.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What turns the direction of the text around it could make one author's line look like another's.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '\n' | '\t' => safe.push(letter),
            letter if letter.is_control() => {}
            letter => safe.push(letter),
        }
    }
    safe
}

fn iso_day(day: Day) -> String {
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

fn clock(minute: LocalMinute) -> String {
    format!("{:02}:{:02}", minute.hour, minute.minute)
}

#[cfg(test)]
mod tests;
