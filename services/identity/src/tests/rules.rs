//! The rules by themselves: numbers, names, codes, generations of tokens.

use std::collections::HashSet;
use std::time::Duration;

use haechi_base::{MasterKey, PersonId, Role, Secrets, SessionId, Time};
use proptest::prelude::*;

use crate::model::{
    CODE_LIFE, CODE_TRIES_MAX, Code, CodeId, CodeVerdict, Country, DeviceId, DeviceRequest, DisplayName,
    IdentityError, Password, PhoneNumber, SESSION_LIFE, Session, USERNAME_CHARACTERS_MAX, Username,
    judge_code, localpart, person_of_localpart, refuse_flood,
};
use crate::secret::{Tokens, hash_password, token_hash, verify_password};

fn phone(text: &str) -> Result<String, IdentityError> {
    PhoneNumber::parse(text, Country::KR).map(|phone| phone.to_string())
}

const NOW: Time = Time::from_micros(1_760_000_000_000_000);

#[test]
fn a_number_has_one_form_however_it_is_written() {
    for text in [
        "010-1000-0001",
        "01010000001",
        "+82 10-1000-0001",
        "+821010000001",
        "(010) 1000 0001",
    ] {
        assert_eq!(phone(text).unwrap(), "+821010000001", "{text:?}");
    }
    assert_eq!(phone("+49 1512 3456789").unwrap(), "+4915123456789");
    assert_eq!(phone("+1 520 878 2491").unwrap(), "+15208782491");
}

#[test]
fn what_cannot_be_called_is_no_number() {
    let long = "0".repeat(41);
    for text in [
        "",
        " ",
        "12",
        "112",
        "abc",
        "+",
        "+82",
        "010-1000-000x",
        "010-1000-0001 ext. 5",
        "+999 1234 5678",
        &long,
        "tel:+821010000001;phone-context=x",
    ] {
        assert_eq!(phone(text), Err(IdentityError::MalformedPhone), "{text:?}");
    }
    assert!("ZZ".parse::<Country>().is_err() && "DE".parse::<Country>().is_ok());
}

#[test]
fn a_username_is_its_persons_id() {
    let longest = "+".repeat(USERNAME_CHARACTERS_MAX - 1) + "a";
    for text in [
        "a",
        "z",
        "minji",
        "minji.kim-2_=/+",
        "0a",
        &longest,
        &"a".repeat(22),
        &("+".repeat(21) + "z"),
    ] {
        let name: Username = text.parse().unwrap();
        assert_eq!(Username::of(name.person()), Some(name.clone()), "{text}");
        assert_eq!(localpart(name.person()), text);
        assert_eq!(person_of_localpart(text), Some(name.person()));
        // Each person has one user id: the other way to write this one means nobody.
        assert_eq!(
            person_of_localpart(&name.person().uuid().simple().to_string()),
            None
        );
    }
    let one = |text: &str| text.parse::<Username>().unwrap().person();
    assert_ne!(one("a"), one("aa"));
    assert_eq!("MinJi".parse::<Username>().unwrap().as_str(), "minji");
    let too_long = "a".repeat(USERNAME_CHARACTERS_MAX + 1);
    for text in [
        "",
        "_minji",
        "01012345678",
        "-",
        "mín",
        "a b",
        "a:b",
        "a@b",
        &too_long,
    ] {
        assert_eq!(
            text.parse::<Username>(),
            Err(IdentityError::MalformedUsername),
            "{text:?}"
        );
        assert_eq!(person_of_localpart(text), None);
    }
    assert_eq!(person_of_localpart("Minji"), None, "a user id has no capitals");
    let numbered = PersonId::new(NOW);
    assert_eq!(Username::of(numbered), None);
    assert_eq!(person_of_localpart(&localpart(numbered)), Some(numbered));
}

proptest! {
    #[test]
    fn no_id_has_two_names(bits in any::<u128>()) {
        for bits in [bits, (bits & !(0xf << 76)) | (0xf << 76), (bits & !(0xf << 76)) | (0x8 << 76)] {
            let person = PersonId::from_uuid(uuid::Uuid::from_u128(bits));
            let local = localpart(person);
            prop_assert_eq!(person_of_localpart(&local), Some(person));
        }
    }

    #[test]
    fn every_username_comes_back(text in "[a-z0-9._=/+-]{0,21}[a-z]") {
        if let Ok(name) = text.parse::<Username>() {
            prop_assert_eq!(Username::of(name.person()).map(|name| name.to_string()), Some(text));
        }
    }
}

#[test]
fn a_name_is_something_one_can_see() {
    let longest = "가".repeat(64);
    for name in ["Minji", "  민지 ", "👩‍👩‍👧 family", &longest] {
        assert_eq!(name.parse::<DisplayName>().unwrap().as_str(), name.trim());
    }
    let too_long = "a".repeat(65);
    for name in [
        "",
        "   ",
        "a\nb",
        "a\u{7}",
        "\u{200b}",
        "\u{3164}",
        "evil\u{202e}txt",
        &too_long,
    ] {
        assert!(name.parse::<DisplayName>().is_err(), "{name:?} was taken");
    }
}

#[test]
fn devices_and_passwords_have_bounds() {
    let made_up = DeviceRequest::new(None, None, true).unwrap();
    assert_eq!(made_up.id.as_str().len(), 16);
    assert!("A".repeat(64).parse::<DeviceId>().is_ok());
    for id in ["", "a b", "장치", &"A".repeat(65)] {
        assert!(id.parse::<DeviceId>().is_err(), "{id:?} was taken");
    }
    for password in ["short12", &"x".repeat(257)] {
        assert!(password.parse::<Password>().is_err());
    }
    let password: Password = "correct horse".parse().unwrap();
    assert_eq!(format!("{password:?}"), "Password(hidden)");
    let hash = hash_password(&password).unwrap();
    assert!(hash.starts_with("$argon2id$") && verify_password(&password, &hash));
    assert!(!verify_password(&"correct horsf".parse().unwrap(), &hash));
    assert!(!verify_password(&password, "no hash"));
}

#[test]
fn a_code_is_right_once_in_time_and_within_five_tries() {
    let code = Code {
        id: CodeId::new(NOW),
        hash: [7; 32],
        tries: 0,
        used: false,
        session: None,
        expires_at: NOW + CODE_LIFE,
    };
    assert_eq!(judge_code(Some(&code), true, NOW), CodeVerdict::Right);
    assert_eq!(judge_code(Some(&code), false, NOW), CodeVerdict::Wrong);
    assert_eq!(judge_code(None, true, NOW), CodeVerdict::None);
    assert_eq!(judge_code(Some(&code), true, NOW + CODE_LIFE), CodeVerdict::None);
    let used = Code { used: true, ..code };
    assert_eq!(judge_code(Some(&used), true, NOW), CodeVerdict::Again);
    assert_eq!(judge_code(Some(&used), false, NOW), CodeVerdict::Wrong, "counted");
    let last = Code {
        tries: CODE_TRIES_MAX - 1,
        ..code
    };
    assert_eq!(judge_code(Some(&last), true, NOW), CodeVerdict::Right);
    let over = Code {
        tries: CODE_TRIES_MAX,
        ..code
    };
    assert_eq!(judge_code(Some(&over), true, NOW), CodeVerdict::None);
}

#[test]
fn the_wait_after_too_many_codes_ends_when_the_oldest_no_longer_counts() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let sent = [NOW - minutes(10), NOW - minutes(50), NOW];
    assert_eq!(refuse_flood(&sent, 4, NOW), Ok(()));
    let retry_after = minutes(10);
    assert_eq!(
        refuse_flood(&sent, 3, NOW),
        Err(IdentityError::TooMany { retry_after })
    );
}

fn tokens() -> Tokens {
    Tokens::new(&Secrets::new(MasterKey::generate()), "haechi.test")
}

fn session() -> Session {
    let device = DeviceRequest::new(Some("PHONE"), Some("Phone"), true).unwrap();
    Session {
        id: SessionId::new(NOW),
        person: PersonId::new(NOW),
        device_id: device.id,
        device_name: device.name,
        refreshable: true,
        generation: 3,
        used_generation: 2,
        refreshes: 2,
        created_at: NOW,
        last_used_at: NOW,
        expires_at: NOW + SESSION_LIFE,
    }
}

#[test]
fn an_access_token_says_who_and_until_when_and_only_ours_counts() {
    let (ours, session) = (tokens(), session());
    let token = ours.access_token(&session, NOW).unwrap();
    let claims = ours.verify_access_token(&token).unwrap();
    assert_eq!((claims.session(), claims.generation()), (session.id, 3));
    assert!(!claims.is_over(NOW + Duration::from_secs(3_599)));
    assert!(claims.is_over(NOW + Duration::from_secs(3_600)));
    let actor = claims.into_actor(Role::Administrator);
    assert_eq!((actor.person, actor.device.as_str()), (session.person, "PHONE"));
    assert_eq!(actor.role, Role::Administrator);
    assert!(tokens().verify_access_token(&token).is_none());

    let (head, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    // {"alg":"none"} without a signature, a foreign payload, and a cut signature.
    for forged in [
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        format!("{head}.{}.{signature}", payload.replace('a', "b")),
        format!("{head}.{payload}.{}", &signature[1..]),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(ours.verify_access_token(&forged).is_none(), "{forged} was taken");
    }
}

#[test]
fn a_refresh_token_cannot_be_made_up() {
    let (ours, id) = (tokens(), SessionId::new(NOW));
    let token = ours.refresh_token(id, 7);
    assert_eq!(ours.verify_refresh_token(&token), Some((id, 7)));
    assert_eq!(ours.verify_refresh_token(&token.replace(".7.", ".8.")), None);
    assert_eq!(tokens().verify_refresh_token(&token), None);
    assert_ne!(token_hash("a"), token_hash("b"));
}

proptest! {
    #[test]
    fn no_text_makes_the_number_parser_panic(text in "\\PC{0,50}|[+0-9() .-]{0,40}") {
        if let Ok(number) = phone(&text) {
            prop_assert!(number.starts_with('+') && number.len() <= 16, "{}", number);
            prop_assert_eq!(phone(&number), Ok(number));
        }
    }

    #[test]
    fn no_text_makes_the_token_parsers_panic(text in "\\PC{0,80}|[0-9a-f.]{0,120}") {
        let ours = tokens();
        prop_assert!(ours.verify_access_token(&text).is_none());
        prop_assert!(ours.verify_refresh_token(&text).is_none());
    }
}

#[test]
fn no_two_made_up_devices_are_alike() {
    let ids: HashSet<DeviceId> = (0..100)
        .map(|_| DeviceRequest::new(None, None, true).unwrap().id)
        .collect();
    assert_eq!(ids.len(), 100);
}
