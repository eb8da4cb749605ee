//! Sign-ins: whoever was signed in still is, every acknowledged refresh is known, and the newest refresh token still
//! buys the next.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use haechi_bench::client::Call;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::super::reading::Reading;
use super::super::{LOOK_PAUSE, LOOKS_MAX, READS_AT_ONCE};
use super::Findings;
use crate::load::notes::{RefreshNotes, Sent};
use crate::load::{Record, Service, SiteAddress};

/// Asks for everybody.
pub(in crate::verify) async fn check(record: &Record, sites: &[SiteAddress]) -> Result<Findings> {
    let mut findings = Findings::default();
    let chat = record.chat.iter().map(|notes| notes.token.as_str());
    let pay = record.pay.iter().map(|notes| notes.token.as_str());
    let media = record.media.iter().map(|notes| notes.token.as_str());
    let tokens: Vec<&str> = chat.chain(pay).chain(media).collect();
    findings.sessions_ended = futures_util::stream::iter(tokens.into_iter().enumerate())
        .map(async |(number, token)| {
            let me = Call::get("/api/identity/me");
            let answer = Reading::new(sites, number).ask(&me, token).await?;
            anyhow::Ok(u64::from(answer.status == StatusCode::UNAUTHORIZED))
        })
        .buffer_unordered(READS_AT_ONCE)
        .try_fold(0, async |sum, ended| Ok(sum + ended))
        .await?;
    let refreshed = futures_util::stream::iter(record.refresh.iter().enumerate())
        .map(|(number, notes)| check_refreshes(record, notes, Reading::new(sites, number)))
        .buffer_unordered(READS_AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    for found in refreshed {
        findings.add(found);
    }
    Ok(findings)
}

#[derive(Deserialize)]
struct Sessions {
    items: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    session_id: String,
    /// How often its tokens were renewed.
    refreshes: u32,
}

/// While the session of somebody who refreshed lives, every acknowledged refresh is known, and the newest refresh token
/// buys the next. A session that was ended is a sign-in that did not survive, and is counted as that.
///
/// The newest token alone proves little: a site takes one that is newer than what its store knows, as it must after a
/// commit was lost, and the loss is gone from sight; so does the client's own next refresh. So the store counts each
/// renewal by itself, and what is lost is missing for ever.
async fn check_refreshes(record: &Record, notes: &RefreshNotes, mut reading: Reading) -> Result<Findings> {
    let mut sent = notes.sent.iter().rev();
    let Some(last) = sent.find(|sent| sent.acknowledged_us.is_some()) else {
        return Ok(Findings::default());
    };
    let Some(known) = count_known(notes, &last.id, &mut reading).await? else {
        return Ok(Findings {
            // What failed under way was counted there.
            sessions_ended: u64::from(!notes.has_failed),
            ..Findings::default()
        });
    };
    let mut findings = compare(record, notes, known);
    let body = json!({ "refresh_token": notes.refresh_token }).to_string();
    let call = Call::with_body(Method::POST, "/api/identity/sessions/refresh", body);
    let answer = reading.ask(&call, "").await?;
    // When refreshes are missing, the newest is one of them, and is not lost twice.
    if !answer.status.is_success() && findings.is_clean() {
        let what = format!("its refresh token is answered by {}", answer.status);
        findings.lost(record, Service::SignIn, last, what);
    }
    Ok(findings)
}

/// How many refreshes of a session the sites know, asked again when some are missing; none when no site knows it.
async fn count_known(notes: &RefreshNotes, session_id: &str, reading: &mut Reading) -> Result<Option<u32>> {
    let list = Call::get("/api/identity/sessions");
    let mut known: Option<u32> = None;
    for look in 0..LOOKS_MAX {
        if look > 0 {
            tokio::time::sleep(LOOK_PAUSE).await;
            reading.move_on();
        }
        let listed = reading.ask(&list, &notes.token).await?;
        if listed.status.is_success() {
            let sessions: Sessions = serde_json::from_slice(&listed.body)?;
            let mut sessions = sessions.items.iter();
            let session = sessions.find(|session| session.session_id == session_id);
            known = known.max(session.map(|session| session.refreshes));
        }
        if known.is_some_and(|known| missing(notes, known).is_empty()) {
            break;
        }
    }
    Ok(known)
}

/// The acknowledged refreshes that are lost when the store knows of this many: the newest.
fn missing(notes: &RefreshNotes, known: u32) -> Vec<&Sent> {
    let acknowledged = notes.sent.iter().filter(|sent| sent.is_acknowledged_write());
    acknowledged
        .skip(usize::try_from(known).unwrap_or(usize::MAX))
        .collect()
}

/// Every acknowledged refresh is one that the store knows. It may know more: those that nobody was told of.
fn compare(record: &Record, notes: &RefreshNotes, known: u32) -> Findings {
    let mut findings = Findings::default();
    let writes = notes.sent.iter().filter(|sent| sent.is_acknowledged_write());
    let acknowledged = writes.count();
    for sent in missing(notes, known) {
        let what = format!("the store knows {known} of {acknowledged} refreshes of its session");
        findings.lost(record, Service::SignIn, sent, what);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refreshes 0, 1, 2, and one that was answered without a write, and one that nobody answered.
    fn notes() -> RefreshNotes {
        let sent = |number: u32, acknowledged_us, is_written| Sent {
            number,
            first_sent_us: u64::from(number),
            acknowledged_us,
            id: "session".into(),
            site: 0,
            is_written,
            ended_us: 9_000,
        };
        RefreshNotes {
            refresh_token: String::new(),
            token: String::new(),
            sent: vec![
                sent(0, Some(1_000), true),
                sent(1, Some(2_000), true),
                sent(2, Some(3_000), false),
                sent(3, Some(4_000), true),
                sent(4, None, true),
            ],
            has_failed: false,
        }
    }

    #[test]
    fn refreshes_that_the_store_knows_are_well_and_it_may_know_more() {
        assert!(compare(&Record::default(), &notes(), 3).is_clean());
        assert!(compare(&Record::default(), &notes(), 4).is_clean());
    }

    #[test]
    fn the_newest_refreshes_are_lost_when_the_store_knows_fewer() {
        let findings = compare(&Record::default(), &notes(), 1);
        assert_eq!(findings.lost[&Service::SignIn], 2);
        let acknowledged_ms: Vec<_> = findings
            .faults
            .iter()
            .map(|fault| fault.acknowledged_ms)
            .collect();
        assert_eq!(acknowledged_ms, [Some(2), Some(4)]);
        assert_eq!(
            findings.faults[0].what,
            "the store knows 1 of 3 refreshes of its session"
        );
    }
}
