//! Names of people, rooms and events as Matrix writes them, and which stream a room belongs to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use haechi_base::{PersonId, Time, random};
use haechi_identity::{localpart, person_of_localpart};
use sha2::{Digest, Sha256};

/// Which counter a position was drawn from.
pub(crate) type Stream = u8;

/// How many streams rooms are spread over. Part of what is stored: never changed without a migration.
pub(crate) const STREAMS: Stream = 4;

/// The stream of what people keep for themselves: account data.
pub(crate) const PEOPLE: Stream = STREAMS;

/// The stream of a room: FNV-1a (64 bit) of the room id, modulo [`STREAMS`].
///
/// Written out here because it is stored: the standard library's hash may change with the compiler.
pub(crate) fn stream_of(room_id: &str) -> Stream {
    let hash = room_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    u8::try_from(hash % u64::from(STREAMS)).unwrap_or(0)
}

/// `@` + the person's localpart (their username, or their id as 32 hex digits) + `:` + the server's name.
pub(crate) fn user_id(person: PersonId, server_name: &str) -> String {
    format!("@{}:{server_name}", localpart(person))
}

/// The person of a user id of this server, or `None` for a foreign or malformed one.
pub(crate) fn person_of(user_id: &str, server_name: &str) -> Option<PersonId> {
    let (local, server) = user_id.strip_prefix('@')?.split_once(':')?;
    (server == server_name)
        .then(|| person_of_localpart(local))
        .flatten()
}

/// A room id nobody has used.
pub(crate) fn new_room_id(server_name: &str) -> String {
    format!("!{}:{server_name}", random::name())
}

/// An event id nobody has used, in the form of room version 4 and later: `$` and 43 characters of base64url.
pub(crate) fn new_event_id() -> String {
    format!("${}", random::token())
}

/// The event id of a message that a device sends under a transaction id.
///
/// It is the hash of all that makes the request the same request (client-server API, "Transaction
/// identifiers"), so the primary key of the events is itself the idempotency key: no second index.
pub(crate) fn event_id_of_transaction(
    person: PersonId,
    device: &str,
    room_id: &str,
    kind: &str,
    transaction_id: &str,
) -> String {
    hashed("transaction", person, &[device, room_id, kind, transaction_id])
}

/// The event id of a message that another service posts: the same content at the same moment is the same message,
/// so a transaction that runs twice writes it once.
pub(crate) fn event_id_of_message(person: PersonId, room_id: &str, content: &str, now: Time) -> String {
    hashed("message", person, &[room_id, content, &now.micros().to_string()])
}

/// What makes a request to send messages to devices the same request: its device, type and transaction id.
pub(crate) fn request_id(person: PersonId, device: &str, kind: &str, transaction_id: &str) -> String {
    hashed("to-device", person, &[device, kind, transaction_id])
}

fn hashed(purpose: &str, person: PersonId, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    hash.update(person.uuid().as_bytes());
    for part in parts {
        // The length first, so that no two lists of parts read alike.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("${}", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// Names one person's membership of one room.
pub(crate) fn member_key(person: PersonId, room_id: &str) -> Vec<u8> {
    [person.uuid().as_bytes().as_slice(), room_id.as_bytes()].concat()
}

/// Names the two people of a direct chat, whoever of them asks.
pub(crate) fn pair_key(one: PersonId, other: PersonId) -> Vec<u8> {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    [
        first.uuid().as_bytes().as_slice(),
        second.uuid().as_bytes().as_slice(),
    ]
    .concat()
}
