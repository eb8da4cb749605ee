//! What is remembered of connections, and what is not.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use haechi_base::uuid::Uuid;

use super::*;

fn step(position: i64) -> Step {
    Step {
        token: SyncToken::new([position, 0, 0, 0, 0], 0),
        rooms: Vec::new(),
        counts: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        has_account_data: false,
        views: Vec::new(),
    }
}

fn caller(person: u128, connection: &str) -> Caller<'_> {
    Caller {
        person: PersonId::from_uuid(Uuid::from_u128(person)),
        device: "device",
        connection,
    }
}

fn position(base: &Base) -> i64 {
    base.known.token.map_or(-1, |token| token.position(0))
}

const NOW: Time = Time::from_micros(0);

#[test]
fn an_answer_that_was_lost_is_given_again_from_where_it_was_asked() {
    let connections = Connections::default();
    let one = caller(1, "");
    let first = connections.answer(one, &Base::default(), step(1), NOW);
    let base = connections.resume(one, &first, NOW).unwrap();
    let lost = connections.answer(one, &base, step(2), NOW);
    let again = connections.resume(one, &first, NOW).unwrap();
    assert_eq!(position(&again), 1);
    let second = connections.answer(one, &again, step(3), NOW);
    assert_ne!(lost, second);
    assert_eq!(position(&connections.resume(one, &second, NOW).unwrap()), 3);
    for gone in [&first, &lost] {
        assert_eq!(
            connections.resume(one, gone, NOW).unwrap_err(),
            ChatError::UnknownPosition
        );
    }
}

#[test]
fn a_pos_of_another_person_device_connection_or_time_is_unknown() {
    let connections = Connections::default();
    let pos = connections.answer(caller(1, "a"), &Base::default(), step(1), NOW);
    let elsewhere = Caller {
        device: "other",
        ..caller(1, "a")
    };
    for other in [caller(2, "a"), caller(1, "b"), caller(1, ""), elsewhere] {
        assert!(connections.resume(other, &pos, NOW).is_err());
    }
    for nonsense in ["", "1", ".", "1.", "x.y", "-1.a", "99999999999999999999999.a"] {
        assert!(
            connections.resume(caller(1, "a"), nonsense, NOW).is_err(),
            "{nonsense}"
        );
    }
    // It begins anew: the earlier one is over.
    let anew = connections.answer(caller(1, "a"), &Base::default(), step(5), NOW);
    assert!(connections.resume(caller(1, "a"), &pos, NOW).is_err());
    assert!(connections.resume(caller(1, "a"), &anew, NOW).is_ok());
}

#[test]
fn of_a_device_few_connections_are_remembered_and_quiet_ones_are_forgotten() {
    let connections = Connections::default();
    let names: Vec<String> = (0..=SLIDING_CONNECTIONS_A_DEVICE_MAX)
        .map(|number| number.to_string())
        .collect();
    let at = |second: u64| NOW + Duration::from_secs(second);
    let begin = |(second, name): (u64, &String)| {
        connections.answer(caller(1, name), &Base::default(), step(1), at(second))
    };
    let places: Vec<String> = (0..).zip(&names).map(begin).collect();
    assert!(
        connections
            .resume(caller(1, &names[0]), &places[0], at(20))
            .is_err()
    );
    assert!(
        connections
            .resume(caller(1, &names[1]), &places[1], at(20))
            .is_ok()
    );
    connections.state.lock().sweep(at(20) + SLIDING_CONNECTION_KEPT);
    assert!(
        connections
            .resume(caller(1, &names[1]), &places[1], at(20))
            .is_ok()
    );
    assert!(
        connections
            .resume(caller(1, &names[2]), &places[2], at(20))
            .is_err()
    );
}
