//! Clients that refresh their sign-in, again and again, and use what they were given.

use std::sync::Arc;
use std::time::Duration;

use haechi_bench::client::Call;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::notes::{RefreshNotes, Sent};
use super::people::{Person, post};
use super::roamer::Outcome;
use super::shared::Shared;

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    session_id: String,
}

/// Refreshes until the load ends or the session does.
///
/// A refresh has no key: it is sent again with the same refresh token until it is answered. The answer may have been
/// lost; then the same token must buy the same pair again.
pub(super) async fn refresh_all(mut person: Person, shared: Arc<Shared>, pause: Duration) -> RefreshNotes {
    let mut sent = Vec::new();
    let mut has_failed = false;
    for number in 0_u32.. {
        if shared.is_stopping() {
            break;
        }
        let call = post(
            "/api/identity/sessions/refresh",
            &json!({ "refresh_token": person.refresh_token }),
        );
        let first_sent_us = shared.now_us();
        let outcome = person.roamer.write(&call).await;
        let was_refused = matches!(outcome, Outcome::Refused(_));
        let mut tokens = None;
        let mut noted = Sent::note(&shared, number, first_sent_us, outcome, |acknowledged| {
            let answer: Tokens = serde_json::from_slice(&acknowledged.answer.body).ok()?;
            let session_id = answer.session_id.clone();
            tokens = Some(answer);
            Some(session_id)
        });
        let newest = tokens.as_ref().and_then(|tokens| tokens.refresh_token.as_ref());
        noted.is_written = newest.is_none_or(|newest| *newest != person.refresh_token);
        sent.push(noted);
        if was_refused {
            has_failed = true;
            break;
        }
        let Some(tokens) = tokens else {
            // Answered without tokens, it would be asked again at once, without end.
            tokio::time::sleep(pause).await;
            continue;
        };
        person.token = tokens.access_token;
        if let Some(refresh_token) = tokens.refresh_token {
            person.refresh_token = refresh_token;
        }
        if person.roamer.set_token(&person.token).is_err() || !is_known(&mut person, &shared).await {
            has_failed = true;
            break;
        }
        tokio::time::sleep(pause).await;
    }
    RefreshNotes {
        refresh_token: person.refresh_token,
        token: person.token,
        sent,
        has_failed,
    }
}

/// Uses the new access token once.
async fn is_known(person: &mut Person, shared: &Shared) -> bool {
    let (_, answer) = person.roamer.read(&Call::get("/api/identity/me")).await;
    let is_refused = answer.is_some_and(|answer| answer.status == StatusCode::UNAUTHORIZED);
    if is_refused {
        shared.note_signin_failure(|| "a new access token was refused".to_owned());
    }
    !is_refused
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::load::SiteAddress;
    use crate::load::roamer::Roamer;

    /// Answers so many refreshes without tokens, then ends the load.
    async fn answer_without_tokens(listener: TcpListener, shared: Arc<Shared>, refreshes: usize) {
        let (mut stream, _) = listener.accept().await.unwrap();
        for number in 1..=refreshes {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            if number == refreshes {
                shared.stop();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
        }
        // The connection stays open until the client leaves it.
        while stream.read_u8().await.is_ok() {}
    }

    #[tokio::test]
    async fn an_answer_without_tokens_is_followed_by_a_pause() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let site = SiteAddress {
            name: "pangyo".to_owned(),
            http: listener.local_addr().unwrap(),
            weight: 1,
        };
        let shared = Arc::new(Shared::new(&[site]));
        tokio::spawn(answer_without_tokens(listener, Arc::clone(&shared), 3));
        let person = Person {
            roamer: Roamer::new(Arc::clone(&shared), 0, 0),
            user_id: String::new(),
            refresh_token: "token".to_owned(),
            token: String::new(),
        };
        let (begun, pause) = (Instant::now(), Duration::from_millis(30));
        let notes = refresh_all(person, shared, pause).await;
        assert_eq!(notes.sent.len(), 3);
        assert!(begun.elapsed() >= 3 * pause);
    }
}
