//! Demonstration data: Minji and Joon, their chat, and some money to send.

use anyhow::Result;
use haechi_base::{Actor, Money, PersonId, Role, SessionId};
use haechi_identity::{IdentityError, Person};
use haechi_store::{Tx, WriteKey};
use serde_json::json;

use super::operator;
use crate::services::Services;

/// Who is there: number and name.
const PEOPLE: [(&str, &str); 2] = [("+821010000001", "Minji"), ("+821010000002", "Joon")];

/// What each of them has, in won.
const BALANCE: i64 = 100_000;

/// What they said: who (by their place above), and what.
const MESSAGES: [(usize, &str); 4] = [
    (0, "점심 뭐 먹을까?"),
    (1, "How about the noodle place by the river?"),
    (0, "좋아! I still owe you for last time."),
    (1, "No hurry :)"),
];

/// Makes what is not there yet.
pub(super) async fn make(services: &Services) -> Result<()> {
    let mut people = Vec::with_capacity(PEOPLE.len());
    for (phone, name) in PEOPLE {
        let person = register(services, phone, name).await?;
        services
            .pay
            .top_up("demo", &person.id.to_string(), person.id, Money::krw(BALANCE))
            .await?;
        people.push(person);
    }
    if let [one, other] = people.as_slice() {
        services.chat.befriend(&acting(one), other.id).await?;
        services.chat.befriend(&acting(other), one.id).await?;
        let room_id = services.chat.open_direct(&acting(one), other.id).await?;
        talk(services, &people, &room_id).await?;
    }
    for person in people {
        println!(
            "{}  {}  {}",
            person.phone,
            person.display_name,
            Money::krw(BALANCE)
        );
    }
    Ok(())
}

async fn register(services: &Services, phone: &str, name: &str) -> Result<Person> {
    let number = services.identity.parse_phone(phone)?;
    let name = name.parse()?;
    let now = services.context.now();
    let id = PersonId::new(now);
    let write = async move |tx: &mut Tx<'_>| {
        let person = haechi_identity::ops::register(tx, &operator(), id, &number, &name, now).await?;
        Ok::<PersonId, IdentityError>(person.id)
    };
    services.context.store.write(WriteKey::fresh(), write).await?;
    super::find(services, phone).await
}

/// Somebody as if they were signed in, on a device of the demonstration's own.
fn acting(person: &Person) -> Actor {
    Actor {
        person: person.id,
        session: SessionId::from_uuid(haechi_base::uuid::Uuid::nil()),
        device: "demo".to_owned(),
        role: Role::Person,
    }
}

async fn talk(services: &Services, people: &[Person], room_id: &str) -> Result<()> {
    for (number, (speaker, text)) in MESSAGES.iter().enumerate() {
        let Some(person) = people.get(*speaker) else {
            continue;
        };
        let content = json!({ "msgtype": "m.text", "body": text });
        // The transaction id makes a repetition of the demonstration say nothing twice.
        services
            .chat
            .say(&acting(person), room_id, &format!("demo-{number}"), &content)
            .await?;
    }
    Ok(())
}
