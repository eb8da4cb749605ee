//! The first sync of a person with many rooms.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::crowd::{self, Account};

/// Requests under way while the rooms are made.
const AT_ONCE: usize = 16;

/// How often the sync is asked for.
const TIMES: usize = 5;

/// Puts a person into `rooms` rooms, each with a name, a topic and a message, and times the sync that tells all of it:
/// the median of five, in milliseconds.
pub(crate) async fn measure(address: SocketAddr, account: &Account, rooms: usize) -> Result<f64> {
    let each = stream::iter(0..rooms).map(|number| async move {
        let mut client = account.connect(address).await?;
        let body =
            json!({ "preset": "private_chat", "name": format!("Room {number}"), "topic": "What we do" });
        let room = client
            .post("/_matrix/client/v3/createRoom", &body)
            .await?
            .success()?;
        let room_id = room["room_id"].as_str().context("a room without an id")?;
        crowd::say(&mut client, room_id, "1").await
    });
    each.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let mut client = account.connect(address).await?;
    let mut times_ms = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = client.get("/_matrix/client/v3/sync").await?;
        times_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
        let told = answer.success()?["rooms"]["join"]
            .as_object()
            .map_or(0, serde_json::Map::len);
        ensure!(told >= rooms, "the sync tells of {told} rooms of {rooms}");
    }
    times_ms.sort_unstable_by(f64::total_cmp);
    times_ms.get(TIMES / 2).copied().context("no sync was timed")
}
