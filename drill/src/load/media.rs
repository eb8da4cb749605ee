//! Clients that upload, and download again what was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use haechi_base::random;
use haechi_bench::client::Call;
use http::{HeaderValue, Method};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::chat::REFUSAL_PAUSE;
use super::notes::{MediaNotes, Read, Sent};
use super::people::Person;
use super::shared::Shared;

/// Smallest and largest upload, in bytes: from an icon to a small photo.
const UPLOAD_BYTES: std::ops::RangeInclusive<usize> = 8 * 1024..=64 * 1024;

#[derive(Deserialize)]
struct UploadAnswer {
    content_uri: String,
}

/// Uploads until the load ends; after each, something uploaded earlier is downloaded and compared.
pub(super) async fn upload_all(mut person: Person, shared: Arc<Shared>, pause: Duration) -> MediaNotes {
    let (mut sent, mut hashes, mut reads) = (Vec::<Sent>::new(), Vec::new(), Vec::new());
    for number in 0_u32.. {
        if shared.is_stopping() {
            break;
        }
        let bytes = picture();
        hashes.push(Sha256::digest(&bytes).into());
        let mut call = Call::with_body(Method::POST, "/_matrix/media/v3/upload", bytes);
        call.content_type = HeaderValue::from_static("image/png");
        let first_sent_us = shared.now_us();
        let outcome = person.roamer.write(&call).await;
        let noted = Sent::note(&shared, number, first_sent_us, outcome, |acknowledged| {
            let answer: UploadAnswer = serde_json::from_slice(&acknowledged.answer.body).ok()?;
            Some(answer.content_uri)
        });
        let is_refused = noted.acknowledged_us.is_none();
        sent.push(noted);
        // One of some uploads ago, if it was acknowledged.
        let earlier = sent.len().saturating_sub(5);
        if let (Some(upload), Some(hash)) = (sent.get(earlier), hashes.get(earlier))
            && upload.acknowledged_us.is_some()
        {
            reads.push(download(&mut person, &upload.id, hash, &shared).await);
        }
        tokio::time::sleep(if is_refused { REFUSAL_PAUSE } else { pause }).await;
    }
    MediaNotes {
        token: person.token,
        sent,
        hashes,
        reads,
    }
}

/// The path of an upload's bytes; none when the address is no `mxc://server/id`.
pub(crate) fn download_path(content_uri: &str) -> Option<String> {
    let name = content_uri.strip_prefix("mxc://")?;
    Some(format!("/_matrix/client/v1/media/download/{name}"))
}

async fn download(person: &mut Person, content_uri: &str, hash: &[u8; 32], shared: &Shared) -> Read {
    let call = Call::get(download_path(content_uri).unwrap_or_default());
    let (read, answer) = person.roamer.read(&call).await;
    if let Some(answer) = answer
        && answer.status.is_success()
        && Sha256::digest(&answer.body).as_slice() != hash
    {
        shared.note_refused(|| format!("{content_uri} has other bytes than were uploaded"));
    }
    read
}

/// Bytes that nobody else uploads: a random beginning, then a pattern.
fn picture() -> Bytes {
    let head: [u8; 32] = random::bytes();
    let span = UPLOAD_BYTES.end() - UPLOAD_BYTES.start();
    let size = UPLOAD_BYTES.start() + usize::from(u16::from_be_bytes([head[0], head[1]])) * span / 65_535;
    head.iter().copied().cycle().take(size).collect()
}
