//! Reading the text that KakaoTalk exports of a chat: the forms of its phones and of its PC program, in Korean and
//! English. Any text can be read; what looks like no message belongs to the message before it.

mod stamp;

use std::borrow::Cow;

use super::calendar::LocalMinute;
use super::limits::{IMPORT_MESSAGES_MAX, IMPORT_NAME_MAX, IMPORT_TEXT_BYTES_MAX};

use stamp::{clock, day, minute};

/// One message of an exported chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KakaoMessage {
    /// When, on the clock of whoever exported it.
    pub(crate) at: LocalMinute,
    /// Who; `None` for what the program itself said (somebody came or left).
    pub(crate) author: Option<String>,
    /// What, its lines parted by a line feed.
    pub(crate) text: String,
}

/// An exported chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KakaoChat {
    /// The chat's name, when the text begins with it.
    pub(crate) title: Option<String>,
    pub(crate) messages: Vec<KakaoMessage>,
    /// Whether there were more messages than are read.
    pub(crate) is_cut: bool,
}

/// What the program itself says in a chat, in the PC's form: there nothing else tells it from a message's second line.
const SYSTEM_ENDINGS: [&str; 13] = [
    "님이 들어왔습니다.",
    "님이 나갔습니다.",
    "님을 초대했습니다.",
    "님을 초대하였습니다.",
    "님을 내보냈습니다.",
    "님을 내보내기 했습니다.",
    "님이 방장이 되었습니다.",
    "메시지를 가렸습니다.",
    "메시지가 삭제되었습니다.",
    "joined this chatroom.",
    "left this chatroom.",
    "left.",
    "was removed from this chatroom.",
];

/// What a line is.
enum Line<'l> {
    /// The line between two days.
    Day(super::calendar::Day),
    /// A message begins.
    Message {
        at: LocalMinute,
        author: Option<&'l str>,
        text: &'l str,
    },
    /// Neither.
    Other(&'l str),
}

/// Reads an exported chat.
pub(crate) fn read_kakao(text: &str) -> KakaoChat {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chat = KakaoChat::default();
    let mut today = None;
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        match line_of(line, today) {
            Line::Day(day) => today = Some(day),
            Line::Message { at, author, text } => {
                if chat.messages.len() == IMPORT_MESSAGES_MAX {
                    chat.is_cut = true;
                    break;
                }
                today = Some(at.day);
                chat.messages.push(KakaoMessage {
                    at,
                    author: author.map(name),
                    text: bounded(text).into_owned(),
                });
            }
            Line::Other(line) => take_other(&mut chat, line, today),
        }
    }
    for message in &mut chat.messages {
        message.text.truncate(message.text.trim_end().len());
    }
    chat.messages
        .retain(|message| message.author.is_some() || !message.text.is_empty());
    chat
}

/// A line that begins nothing: the chat's name, what the program says, or more of the message before.
fn take_other(chat: &mut KakaoChat, line: &str, today: Option<super::calendar::Day>) {
    let is_system = SYSTEM_ENDINGS.iter().any(|ending| line.ends_with(ending));
    match (chat.messages.last_mut(), today) {
        (None, None) => {
            if let Some(title) = title_of(line).filter(|_| chat.title.is_none()) {
                chat.title = Some(name(title));
            }
        }
        (last, Some(day)) if is_system => {
            // The PC's form tells no time of these: they follow what was said before them on that day.
            let midnight = LocalMinute {
                day,
                hour: 0,
                minute: 0,
            };
            let at = last.map_or(midnight, |last| last.at.max(midnight));
            if chat.messages.len() < IMPORT_MESSAGES_MAX {
                chat.messages.push(KakaoMessage {
                    at,
                    author: None,
                    text: bounded(line).into_owned(),
                });
            }
        }
        (Some(last), _) => {
            if last.text.len() + line.len() < IMPORT_TEXT_BYTES_MAX {
                last.text.push('\n');
                last.text.push_str(&bounded(line));
            }
        }
        (None, Some(_)) => {}
    }
}

/// `홍길동 님과 카카오톡 대화`, `KakaoTalk Chats with 홍길동`.
fn title_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let korean = line.strip_suffix("카카오톡 대화").map(str::trim_end);
    let korean = korean.map(|rest| rest.strip_suffix("님과").unwrap_or(rest).trim_end());
    let english = ["KakaoTalk Chats with ", "KakaoTalk Chat with "]
        .iter()
        .find_map(|start| line.strip_prefix(start));
    korean
        .or(english)
        .map(|title| title.trim_start_matches('\u{feff}').trim())
        .filter(|title| !title.is_empty())
}

fn line_of(line: &str, today: Option<super::calendar::Day>) -> Line<'_> {
    if let Some(day) = day_line(line) {
        return Line::Day(day);
    }
    if let (Some(day), Some(message)) = (today, bracketed(line)) {
        let (author, (hour, minute), text) = message;
        return Line::Message {
            at: LocalMinute { day, hour, minute },
            author: Some(author),
            text,
        };
    }
    let Some((at, rest)) = minute(line) else {
        return Line::Other(line);
    };
    if rest.trim().is_empty() {
        // Phones write the minute alone where a day begins.
        return Line::Day(at.day);
    }
    let Some(said) = rest.strip_prefix(',').map(str::trim_start) else {
        return Line::Other(line);
    };
    match said.split_once(" : ").or_else(|| {
        let author = said.strip_suffix(" :")?;
        Some((author, ""))
    }) {
        Some((author, text)) if !author.is_empty() => Line::Message {
            at,
            author: Some(author),
            text,
        },
        _ => Line::Message {
            at,
            author: None,
            text: said,
        },
    }
}

/// `--------------- 2022년 10월 15일 토요일 ---------------`, or a day alone on its line.
fn day_line(line: &str) -> Option<super::calendar::Day> {
    let line = line.trim();
    let bare = line.trim_matches('-').trim();
    let is_ruled = line.starts_with("---") && line.ends_with("---");
    let (found, rest) = day(bare)?;
    let rest = rest.trim().trim_end_matches('.');
    let is_alone = rest.is_empty() || stamp::is_weekday(rest);
    (is_alone && (is_ruled || bare == line)).then_some(found)
}

/// `[홍길동] [오후 3:19] 안녕`: author, hour and minute, text. An author may hold brackets too.
fn bracketed(line: &str) -> Option<(&str, (i64, i64), &str)> {
    let inner = line.strip_prefix('[')?;
    for (at, _) in inner.match_indices("] [") {
        let (author, rest) = (inner.get(..at)?, inner.get(at + "] [".len()..)?);
        let Some((time, text)) = rest.split_once(']') else {
            continue;
        };
        if let Some((found, left)) = clock(time)
            && left.trim().is_empty()
            && !author.is_empty()
        {
            return Some((author, found, text.strip_prefix(' ').unwrap_or(text)));
        }
    }
    None
}

/// A name of a bearable length, without what cannot be shown.
fn name(text: &str) -> String {
    let shown = text.trim().chars().filter(|letter| !letter.is_control());
    shown.take(IMPORT_NAME_MAX).collect()
}

/// A text of a bearable length, without what cannot be shown or kept.
fn bounded(text: &str) -> Cow<'_, str> {
    let mut end = text.len().min(IMPORT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let is_hidden = |letter: char| letter.is_control() && letter != '\t';
    if text.contains(is_hidden) {
        return Cow::Owned(text.replace(is_hidden, ""));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests;
