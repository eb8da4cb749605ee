//! Sign-ins: whoever was signed in still is, and the newest refresh token still buys the next.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use haechi_bench::client::Call;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::super::READS_AT_ONCE;
use super::super::reading::Reading;
use super::Findings;
use crate::load::notes::RefreshNotes;
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
    for (number, notes) in record.refresh.iter().enumerate() {
        check_refresh(record, notes, Reading::new(sites, number), &mut findings).await?;
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
}

/// The last acknowledged refresh gave out a token. While its session lives, that token buys the next; if it does not,
/// the refresh was lost. A session that was ended is a sign-in that did not survive, and is counted as that.
async fn check_refresh(
    record: &Record,
    notes: &RefreshNotes,
    mut reading: Reading,
    findings: &mut Findings,
) -> Result<()> {
    let mut sent = notes.sent.iter().rev();
    let Some(last) = sent.find(|sent| sent.acknowledged_us.is_some()) else {
        return Ok(());
    };
    let list = Call::get("/api/identity/sessions");
    let listed = reading.ask(&list, &notes.token).await?;
    let is_alive = listed.status.is_success()
        && serde_json::from_slice::<Sessions>(&listed.body)?
            .items
            .iter()
            .any(|session| session.session_id == *last.id);
    if !is_alive {
        // What failed under way was counted there.
        findings.sessions_ended += u64::from(!notes.has_failed);
        return Ok(());
    }
    let body = json!({ "refresh_token": notes.refresh_token }).to_string();
    let call = Call::with_body(Method::POST, "/api/identity/sessions/refresh", body);
    let answer = reading.ask(&call, "").await?;
    if !answer.status.is_success() {
        let what = format!("its refresh token is answered by {}", answer.status);
        findings.lost(record, Service::SignIn, last, what);
    }
    Ok(())
}
