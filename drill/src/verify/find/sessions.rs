//! Sign-ins: whoever was signed in still is, and the newest refresh token still buys the next.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use haechi_bench::client::Call;
use http::{Method, StatusCode};
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
    let refresh = record.refresh.iter().filter(|notes| !notes.has_failed);
    let tokens: Vec<&str> = chat
        .chain(pay)
        .chain(media)
        .chain(refresh.map(|notes| notes.token.as_str()))
        .collect();
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

/// The last acknowledged refresh gave out a token. If that refresh were lost, nobody would know the token.
async fn check_refresh(
    record: &Record,
    notes: &RefreshNotes,
    mut reading: Reading,
    findings: &mut Findings,
) -> Result<()> {
    let acknowledged = notes.sent.iter().rev();
    let Some(last) = acknowledged
        .into_iter()
        .find(|sent| sent.acknowledged_us.is_some())
    else {
        return Ok(());
    };
    let body = json!({ "refresh_token": notes.refresh_token }).to_string();
    let call = Call::with_body(Method::POST, "/api/identity/sessions/refresh", body);
    let answer = reading.ask(&call, "").await?;
    if !answer.status.is_success() {
        let what = format!("its refresh token is answered by {}", answer.status);
        findings.lost(record, Service::SignIn, last, what);
    }
    Ok(())
}
