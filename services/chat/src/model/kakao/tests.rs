//! Tests of reading exported chats.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::model::calendar::Day;

fn at(day: (i64, i64, i64), hour: i64, minute: i64) -> LocalMinute {
    LocalMinute {
        day: Day::new(day.0, day.1, day.2).unwrap(),
        hour,
        minute,
    }
}

/// Author (or nothing), text.
fn said(chat: &KakaoChat) -> Vec<(&str, &str)> {
    let messages = chat.messages.iter();
    messages
        .map(|message| (message.author.as_deref().unwrap_or(""), message.text.as_str()))
        .collect()
}

const ANDROID: &str = "\
바다 모임 3 님과 카카오톡 대화
저장한 날짜 : 2022년 10월 17일 오전 9:01


2022년 10월 15일 오후 3:19
2022년 10월 15일 오후 3:19, 김바다님이 이하늘님을 초대했습니다.
2022년 10월 15일 오후 3:19, 김바다 : 안녕
2022년 10월 15일 오후 3:20, 이하늘 : 토요일에 만나요
장소는 시청 앞

시간 : 오전 11시
2022년 10월 16일 오전 12:05
2022년 10월 16일 오전 12:05, 김바다 : 사진
2022년 10월 16일 오후 12:30, 박 : 콜론 : 네 : 좋아요
";

#[test]
fn the_form_of_phones_in_korean_is_read() {
    let chat = read_kakao(ANDROID);
    assert_eq!(chat.title.as_deref(), Some("바다 모임 3"));
    assert_eq!(
        said(&chat),
        [
            ("", "김바다님이 이하늘님을 초대했습니다."),
            ("김바다", "안녕"),
            ("이하늘", "토요일에 만나요\n장소는 시청 앞\n\n시간 : 오전 11시"),
            ("김바다", "사진"),
            ("박", "콜론 : 네 : 좋아요"),
        ]
    );
    let times: Vec<LocalMinute> = chat.messages.iter().map(|message| message.at).collect();
    let (saturday, sunday) = ((2022, 10, 15), (2022, 10, 16));
    assert_eq!(
        times,
        [
            at(saturday, 15, 19),
            at(saturday, 15, 19),
            at(saturday, 15, 20),
            at(sunday, 0, 5),
            at(sunday, 12, 30),
        ]
    );
}

#[test]
fn the_form_of_the_pc_in_korean_is_read() {
    let chat = read_kakao(
        "\u{feff}바다 모임 님과 카카오톡 대화\r\n저장한 날짜 : 2022-10-17 09:01:22\r\n\r\n\
         --------------- 2022년 10월 15일 토요일 ---------------\r\n\
         김바다님이 들어왔습니다.\r\n\
         [김바다] [오후 3:19] 안녕\r\n\
         [이하늘 [부산]] [오후 3:20] [공지] 모입시다\r\n둘째 줄\r\n\
         이하늘님이 나갔습니다.\r\n\
         --------------- 2022년 10월 16일 일요일 ---------------\r\n\
         [김바다] [오전 12:00] 이모티콘\r\n",
    );
    assert_eq!(chat.title.as_deref(), Some("바다 모임"));
    assert_eq!(
        said(&chat),
        [
            ("", "김바다님이 들어왔습니다."),
            ("김바다", "안녕"),
            ("이하늘 [부산]", "[공지] 모입시다\n둘째 줄"),
            ("", "이하늘님이 나갔습니다."),
            ("김바다", "이모티콘"),
        ]
    );
    assert_eq!(chat.messages[0].at, at((2022, 10, 15), 0, 0));
    assert_eq!(chat.messages[3].at, at((2022, 10, 15), 15, 20));
    assert_eq!(chat.messages[4].at, at((2022, 10, 16), 0, 0));
}

#[test]
fn the_forms_in_english_are_read() {
    let phone = read_kakao(
        "KakaoTalk Chats with Sea club\nDate Saved : Oct 17, 2022, 9:01 AM\n\n\
         October 15, 2022 at 3:19 PM\n\
         October 15, 2022 at 3:19 PM, Kim : hello\n\
         Oct 15, 2022, 12:00 AM, Lee : midnight\nand more\n\
         Sat, Oct 15, 2022 at 15:20, Kim left.\n",
    );
    assert_eq!(phone.title.as_deref(), Some("Sea club"));
    assert_eq!(
        said(&phone),
        [("Kim", "hello"), ("Lee", "midnight\nand more"), ("", "Kim left.")]
    );
    assert_eq!(phone.messages[1].at, at((2022, 10, 15), 0, 0));
    let computer = read_kakao(
        "--------------- Saturday, October 15, 2022 ---------------\n\
         [Kim] [3:19 PM] hello\nLee joined this chatroom.\n[Lee] [15:20] hi\n",
    );
    assert_eq!(
        said(&computer),
        [("Kim", "hello"), ("", "Lee joined this chatroom."), ("Lee", "hi")]
    );
    assert_eq!(computer.messages[0].at, at((2022, 10, 15), 15, 19));
}

#[test]
fn the_dotted_form_is_read() {
    let chat = read_kakao(
        "2022년 10월 15일 토요일\n2022. 10. 15. 오후 3:19, 김바다 : 안녕\n2022. 10. 15. 15:20, 이하늘 : 네\n",
    );
    assert_eq!(said(&chat), [("김바다", "안녕"), ("이하늘", "네")]);
    assert_eq!(chat.messages[1].at, at((2022, 10, 15), 15, 20));
}

#[test]
fn what_is_no_chat_has_no_messages() {
    for text in [
        "",
        "\n\n",
        "hello",
        "2022년 13월 45일 오후 3:19, 가 : 나",
        "[가] [오후 3:19] 나",
    ] {
        assert_eq!(read_kakao(text).messages, [], "{text:?}");
    }
    let days_only = read_kakao("2022년 10월 15일 오후 3:19\n2022년 10월 16일 오후 3:19\n");
    assert_eq!(days_only.messages, []);
}

#[test]
fn names_and_texts_have_bounds() {
    let long = "가".repeat(IMPORT_TEXT_BYTES_MAX);
    let chat = read_kakao(&format!(
        "2022년 10월 15일 오후 3:19, {long} : 안\0녕{long}\n{long}\n"
    ));
    let message = &chat.messages[0];
    assert_eq!(message.author.as_ref().unwrap().chars().count(), IMPORT_NAME_MAX);
    assert!(message.text.len() <= IMPORT_TEXT_BYTES_MAX && message.text.starts_with("안녕"));
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in "\\PC*") {
        read_kakao(&text);
    }

    #[test]
    fn any_lines_around_a_message_leave_it_found(
        before in proptest::collection::vec("[가-힣a-z ]{0,20}", 0..5),
        author in "[가-힣a-zA-Z0-9]{1,12}",
        text in "[가-힣a-zA-Z0-9.!?]{1,40}",
        hour in 0_i64..24,
        minute in 0_i64..60,
        is_phone in any::<bool>(),
    ) {
        let half = if hour < 12 { "오전" } else { "오후" };
        let shown = if hour % 12 == 0 { 12 } else { hour % 12 };
        let line = if is_phone {
            format!("2022년 10월 15일 {half} {shown}:{minute:02}, {author} : {text}")
        } else {
            let ruler = "-".repeat(15);
            format!("{ruler} 2022년 10월 15일 토요일 {ruler}\n[{author}] [{half} {shown}:{minute:02}] {text}")
        };
        let chat = read_kakao(&format!("{}\n{line}\n", before.join("\n")));
        let last = chat.messages.last().unwrap();
        prop_assert_eq!(last.author.as_deref(), Some(author.as_str()));
        prop_assert_eq!(&last.text, &text);
        prop_assert_eq!(last.at, at((2022, 10, 15), hour, minute));
    }

    #[test]
    fn days_only_go_forward_as_they_were_written(numbers in proptest::collection::vec((1_i64..=12, 1_i64..=28), 1..20)) {
        let lines: Vec<String> = numbers
            .iter()
            .map(|(month, day)| format!("2021년 {month}월 {day}일 오전 1:02, 가 : 나"))
            .collect();
        let chat = read_kakao(&lines.join("\n"));
        let found: Vec<(i64, i64)> = chat
            .messages
            .iter()
            .map(|message| (message.at.day.month, message.at.day.day))
            .collect();
        prop_assert_eq!(found, numbers);
    }
}
