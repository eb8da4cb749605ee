//! Sends as rooms grow: the same writers in rooms of 2, 10, 100, 1,000 and 10,000, of whom nobody syncs.

use std::net::SocketAddr;

use anyhow::Result;
use serde::Serialize;

use crate::BenchOptions;
use crate::chat::{SendMessages, Writer, verify};
use crate::crowd::{self, Account};
use crate::load;
use crate::report::{tenths, thousandths};

/// People in a room.
const SIZES: [usize; 5] = [2, 10, 100, 1_000, 10_000];

/// Rooms of each size, so that each stream of the server has some of them.
const ROOMS_MIN: usize = 4;

/// Sends into rooms of one size.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// People in each room.
    pub room_size: usize,
    /// Rooms.
    pub rooms: usize,
    /// Clients that send, each with one request under way.
    pub senders: usize,
    /// Messages acknowledged, a second.
    pub acknowledged_per_s: f64,
    /// 99 of 100 were faster, in milliseconds.
    pub p99_ms: f64,
}

/// How many people [`measure`] needs.
pub(crate) const PEOPLE: usize = SIZES[SIZES.len() - 1];

/// Measures each size with the same people. Everything acknowledged is read back; also returns how much that was.
pub(crate) async fn measure(
    address: SocketAddr,
    people: &[Account],
    options: &BenchOptions,
) -> Result<(Vec<Growth>, u64)> {
    let (mut figures, mut verified) = (Vec::new(), 0);
    for room_size in SIZES {
        let rooms = ROOMS_MIN.max(options.clients.div_ceil(room_size));
        let mut writers = Vec::new();
        for room in 0..rooms {
            // Small rooms are of different people, the large ones of the same.
            let first = (room * room_size) % (people.len() - room_size + 1);
            let members = &people[first..first + room_size];
            let room_id = crowd::make_room(address, members).await?;
            for member in members.iter().take(options.clients.div_ceil(rooms)) {
                writers.push(Writer {
                    person: member.person(address).await?,
                    room_id: room_id.clone(),
                    acknowledged: Vec::new(),
                });
            }
        }
        writers.truncate(options.clients);
        let senders = writers.len();
        let (load, writers) = load::run(writers, options, SendMessages).await?;
        verified += verify(address, &writers).await?;
        figures.push(Growth {
            room_size,
            rooms,
            senders,
            acknowledged_per_s: tenths(load.per_s),
            p99_ms: thousandths(load.p99_ms),
        });
    }
    Ok((figures, verified))
}
