//! One PostgreSQL after the other, each asked directly.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

use super::chunks::COUNT_MISSING;
use super::{Chunks, ChunksSeen, HostCopy, HostFacts, HostTable, SeenHost};
use crate::postgres::{PostgresUrl, connect_any};

/// How long a host may take to tell about itself: one that is frozen accepts connections and says nothing.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How long it may take to read all chunks.
const DEEP_ANSWER_WAIT: Duration = Duration::from_secs(60 * 60);

const APPLICATION: &str = "haechi doctor";

const STATE: &str = "
    SELECT pg_is_in_recovery(), current_setting('server_version'), pg_database_size(current_database()),
        CAST(pg_wal_lsn_diff(
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_flush_lsn() END,
            '0/0') AS BIGINT)";
const SETTINGS: &str = "
    SELECT name, setting FROM pg_catalog.pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'data_checksums',
        'data_directory', 'wal_level')
    ORDER BY name";
const TABLES: &str = "
    SELECT CAST(relname AS TEXT), relpersistence = 'p' FROM pg_catalog.pg_class
    WHERE relnamespace = CAST(current_schema() AS regnamespace) AND relkind IN ('r', 'p', 'f') ORDER BY 1";
// Only what has been written to the standby's disk counts.
const COPIES: &str = "
    SELECT COALESCE(application_name, ''), COALESCE(state, ''), COALESCE(sync_state, ''),
        CAST(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn) AS BIGINT),
        CAST(EXTRACT(EPOCH FROM flush_lag) * 1000 AS BIGINT)
    FROM pg_catalog.pg_stat_replication ORDER BY 1";
const CHUNKS: &str = "
    SELECT COUNT(*), COUNT(*) FILTER (WHERE sha256(bytes) <> hash)
    FROM (SELECT hash, bytes FROM store_chunk WHERE hash >= $1 ORDER BY hash LIMIT $2) AS part";

pub(super) async fn look_at_all(url: &PostgresUrl, chunks: Chunks) -> Vec<SeenHost> {
    join_all(url.each().into_iter().map(|(host, at)| async move {
        SeenHost {
            host,
            told: look_at(&at, chunks).await,
        }
    }))
    .await
}

async fn look_at(at: &PostgresUrl, chunks: Chunks) -> Result<HostFacts, String> {
    let looking = async {
        let client = connect_any(at, APPLICATION).await?;
        facts(&client).await.map(|facts| (client, facts))
    };
    let (client, mut facts) = within(ANSWER_WAIT, looking).await?;
    let wait = match chunks {
        Chunks::Sample => ANSWER_WAIT,
        Chunks::All => DEEP_ANSWER_WAIT,
    };
    if facts.tables.iter().any(|table| table.name == "store_chunk") {
        facts.chunks = Some(within(wait, look_at_chunks(&client, chunks)).await?);
    }
    Ok(facts)
}

async fn within<T>(wait: Duration, asking: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match timeout(wait, asking).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => {
            Err(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
        }
        Err(_) => Err(format!("no answer in {} s", wait.as_secs())),
    }
}

async fn facts(client: &Client) -> Result<HostFacts, Error> {
    let state = client.query_one(STATE, &[]).await?;
    let is_standby: bool = state.try_get(0)?;
    let settings: Vec<(String, String)> = client
        .query(SETTINGS, &[])
        .await?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, Error>>()?;
    let (directory, settings): (Vec<_>, Vec<_>) = settings
        .into_iter()
        .partition(|(name, _)| name == "data_directory");
    let table = |row: &tokio_postgres::Row| {
        Ok(HostTable {
            name: row.try_get(0)?,
            is_logged: row.try_get(1)?,
        })
    };
    let tables = client.query(TABLES, &[]).await?;
    Ok(HostFacts {
        is_standby,
        version: state.try_get(1)?,
        log_position: state.try_get(3)?,
        settings,
        data_directory: directory.into_iter().next().map(|(_, value)| value),
        size_bytes: state.try_get(2)?,
        tables: tables.iter().map(table).collect::<Result<_, Error>>()?,
        copies: if is_standby {
            Vec::new()
        } else {
            copies(client).await?
        },
        chunks: None,
    })
}

async fn copies(client: &Client) -> Result<Vec<HostCopy>, Error> {
    let rows = client.query(COPIES, &[]).await?;
    let copy = |row: &tokio_postgres::Row| {
        Ok(HostCopy {
            name: row.try_get(0)?,
            state: row.try_get(1)?,
            sync_state: row.try_get(2)?,
            lag_bytes: row.try_get(3)?,
            lag_ms: row.try_get(4)?,
        })
    };
    rows.iter().map(copy).collect()
}

/// The host hashes by itself: what is on its own disk is judged, and nothing travels.
async fn look_at_chunks(client: &Client, chunks: Chunks) -> Result<ChunksSeen, Error> {
    let count_max = chunks.count_max().map_or(i64::MAX, i64::from);
    let row = client
        .query_one(CHUNKS, &[&chunks.first().as_slice(), &count_max])
        .await?;
    let mut seen = ChunksSeen {
        read: count(row.try_get(0)?),
        damaged: count(row.try_get(1)?),
        missing: 0,
    };
    if chunks == Chunks::All {
        seen.missing = count(client.query_one(COUNT_MISSING, &[]).await?.try_get(0)?);
    }
    Ok(seen)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
