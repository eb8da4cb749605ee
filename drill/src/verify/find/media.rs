//! Uploads: each is downloaded and its hash compared.

use anyhow::Result;
use haechi_bench::client::Call;
use sha2::{Digest, Sha256};

use super::super::reading::Reading;
use super::super::{LOOK_PAUSE, LOOKS_MAX};
use super::Findings;
use crate::load::notes::{MediaNotes, Sent};
use crate::load::{Record, Service, download_path};

/// Downloads what one person uploaded.
pub(in crate::verify) async fn check(
    record: &Record,
    notes: &MediaNotes,
    mut reading: Reading,
) -> Result<Findings> {
    let mut findings = Findings::default();
    for (sent, hash) in notes.sent.iter().zip(&notes.hashes) {
        if sent.acknowledged_us.is_some()
            && let Some(what) = missing(&mut reading, sent, hash, &notes.token).await?
        {
            findings.lost(record, Service::Media, sent, what);
        }
    }
    Ok(findings)
}

/// What is wrong with an upload, if it stays so.
async fn missing(reading: &mut Reading, sent: &Sent, hash: &[u8; 32], token: &str) -> Result<Option<String>> {
    let Some(path) = download_path(&sent.id) else {
        return Ok(Some("its address is malformed".to_owned()));
    };
    let mut what = String::new();
    for look in 0..LOOKS_MAX {
        if look > 0 {
            tokio::time::sleep(LOOK_PAUSE).await;
            reading.move_on();
        }
        let answer = reading.ask(&Call::get(path.as_str()), token).await?;
        if !answer.status.is_success() {
            what = format!("the download is answered by {}", answer.status);
        } else if Sha256::digest(&answer.body).as_slice() != hash {
            "its bytes are others".clone_into(&mut what);
        } else {
            return Ok(None);
        }
    }
    Ok(Some(what))
}
