//! Clients that only read: the newest messages of a room, the balance of a wallet.

use std::sync::Arc;
use std::time::Duration;

use haechi_bench::client::Call;
use http::StatusCode;
use tokio::time::MissedTickBehavior;

use super::notes::Read;
use super::roamer::Roamer;
use super::shared::Shared;

/// A reader of one room and one wallet.
pub(super) struct Reader {
    /// Signed in as somebody who is in the room.
    pub(super) messages: Roamer,
    pub(super) room_id: String,
    /// Signed in as somebody with a wallet.
    pub(super) wallet: Option<Roamer>,
}

/// Reads at a steady pace until the load ends.
pub(super) async fn read_all(mut reader: Reader, shared: Arc<Shared>, pace: Duration) -> Vec<Read> {
    let messages = Call::get(format!(
        "/_matrix/client/v3/rooms/{}/messages?dir=b&limit=20",
        reader.room_id
    ));
    let wallet = Call::get("/api/pay/wallet");
    let mut ticks = tokio::time::interval(pace.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reads = Vec::new();
    while !shared.is_stopping() {
        ticks.tick().await;
        let (read, answer) = match reader.wallet.as_mut().filter(|_| reads.len() % 2 == 1) {
            Some(roamer) => roamer.read(&wallet).await,
            None => reader.messages.read(&messages).await,
        };
        if answer.is_some_and(|answer| answer.status == StatusCode::UNAUTHORIZED) {
            shared.note_signin_failure(|| "a reader's access token was refused".to_owned());
        }
        reads.push(read);
    }
    reads
}
