//! Tests of the page that a room is written out as.
#![allow(clippy::unwrap_used)]

use haechi_base::{Time, uuid::Uuid};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn person(number: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number))
}

fn event(sender: PersonId, kind: &str, content: &Value) -> Event {
    Event {
        event_id: "$1".to_owned(),
        room_id: "!1:haechi.test".to_owned(),
        position: 1,
        ordinal: 1,
        sender,
        kind: kind.to_owned(),
        state_key: None,
        content: content.to_string(),
        sent_at: Time::from_micros(1_665_814_740_000_000),
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

fn written(event: &Event) -> String {
    let names = HashMap::from([(person(1), "<Minji>".to_owned()), (person(2), "Joon".to_owned())]);
    let base = "https://haechi.test/media/".to_owned();
    HtmlWriter::new(person(1), Language::Korean, 540, base).event(event, &names)
}

#[test]
fn a_message_stands_under_its_day_with_its_author_and_time() {
    let html = written(&event(
        person(2),
        "m.room.message",
        &json!({"msgtype": "m.text", "body": "a\nb"}),
    ));
    assert_eq!(
        html,
        "<h2>2022-10-15 토요일</h2>\n<article><b>Joon</b><p>a\nb</p><time>15:19</time></article>\n"
    );
    let own = written(&event(
        person(1),
        "m.room.message",
        &json!({"msgtype": "m.text", "body": "a"}),
    ));
    assert!(
        own.contains("<article class=\"own\"><b>&lt;Minji&gt;</b>"),
        "{own}"
    );
}

#[test]
fn media_is_a_link_and_a_strange_address_is_none() {
    let image = |url: &str| {
        let content = json!({"msgtype": "m.image", "body": "sea.jpg", "url": url});
        written(&event(person(2), "m.room.message", &content))
    };
    assert!(image("mxc://haechi.test/a-1").contains("<a href=\"https://haechi.test/media/haechi.test/a-1\""));
    for url in [
        "https://evil.example/x",
        "mxc://a/b\"onclick=x",
        "mxc://a",
        "mxc:///b",
        "javascript:alert(1)",
    ] {
        assert!(!image(url).contains("<a "), "{url}");
    }
}

#[test]
fn what_was_taken_back_or_edited_or_imported_is_told_so() {
    let mut gone = event(person(2), "m.room.message", &json!({}));
    gone.redacted_because = Some("{}".to_owned());
    assert!(written(&gone).contains("삭제된 메시지입니다."));
    let edit = json!({
        "body": "* new", "m.new_content": {"body": "new"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"},
    });
    assert!(
        written(&event(person(2), "m.room.message", &edit)).contains("<p>new <small>(수정됨)</small></p>")
    );
    let imported = json!({
        "body": "홍길동, 2001-02-03 04:05: 안녕",
        IMPORTED_FIELD: {"author": "홍길동", "text": "안녕", "sent_at": 981_140_700_000_i64, "own": true},
    });
    let html = written(&event(person(2), "m.room.message", &imported));
    assert!(
        html.contains("2001-02-03") && html.contains("<b>홍길동</b><p>안녕</p><time>04:05</time>"),
        "{html}"
    );
    assert_eq!(written(&event(person(2), "m.reaction", &json!({}))), "");
}

proptest! {
    #[test]
    fn nothing_that_somebody_wrote_becomes_markup(text in "([<>&\"'/]|script|img|\\PC){0,60}") {
        let content = json!({"msgtype": "m.text", "body": text});
        let html = written(&event(person(2), "m.room.message", &content));
        let said = html.split_once("<p>").map_or("", |(_, rest)| rest);
        let said = said.split_once("</p>").map_or("", |(said, _)| said);
        prop_assert!(!said.contains(['<', '>', '"', '\'']));
    }
}
