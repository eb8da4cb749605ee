//! The tables of the cluster; nobody else reads or writes them.

use std::collections::BTreeMap;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

use crate::lease::LeaseRow;
use crate::node::{Node, NodeId};

const RENEW_NODE: &str = "
    INSERT INTO cluster_node (node_id, site, url, version, started_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (node_id) DO UPDATE SET seen_at = excluded.seen_at";
const NODES: &str = "SELECT node_id, site, url, version, started_at, seen_at FROM cluster_node";
const FORGET_NODE: &str = "DELETE FROM cluster_node WHERE node_id = $1";
const FORGET_NODES: &str = "DELETE FROM cluster_node WHERE seen_at < $1";

const RENEW_LEASES: &str = "UPDATE cluster_lease SET expires_at = $2 WHERE owner = $1 RETURNING name";
const LEASES: &str = "SELECT name, owner, expires_at FROM cluster_lease";
// Only from the hands in which it was seen: of two who want it at once, one gets it.
const MOVE_LEASE: &str = "
    INSERT INTO cluster_lease (name, owner, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
    WHERE cluster_lease.owner = $4 AND cluster_lease.expires_at = $5 RETURNING name";

/// Says that a node lives, and renews all its leases; returns their names.
pub(crate) async fn renew(
    tx: &mut Tx<'_>,
    node: &Node,
    now: Time,
    expires_at: Time,
) -> Result<Vec<String>, StoreError> {
    tx.execute(
        RENEW_NODE,
        &[
            &node.node_id,
            &node.site,
            &node.url,
            &node.version,
            &node.started_at,
            &now,
        ],
    )
    .await?;
    let renewed = tx.query(RENEW_LEASES, &[&node.node_id, &expires_at]).await?;
    renewed.iter().map(|row| row.get("name")).collect()
}

/// All nodes whose rows are kept, with the moment each was last seen.
pub(crate) async fn nodes(tx: &mut Tx<'_>) -> Result<Vec<(Node, Time)>, StoreError> {
    let rows = tx.query(NODES, &[]).await?;
    let read = rows.iter().map(|row| {
        let node = Node {
            node_id: row.get("node_id")?,
            site: row.get("site")?,
            url: row.get("url")?,
            version: row.get("version")?,
            started_at: row.get("started_at")?,
        };
        Ok((node, row.get("seen_at")?))
    });
    read.collect()
}

/// Takes a node's row away: it ends in good order.
pub(crate) async fn forget(tx: &mut Tx<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.execute(FORGET_NODE, &[&node]).await.map(drop)
}

/// Takes the rows away of nodes that nobody saw since `before`.
pub(crate) async fn forget_before(tx: &mut Tx<'_>, before: Time) -> Result<u64, StoreError> {
    tx.execute(FORGET_NODES, &[&before]).await
}

/// All leases.
pub(crate) async fn leases(tx: &mut Tx<'_>) -> Result<BTreeMap<String, LeaseRow>, StoreError> {
    let rows = tx.query(LEASES, &[]).await?;
    let read = rows.iter().map(|row| {
        let lease = LeaseRow {
            owner: row.get("owner")?,
            expires_at: row.get("expires_at")?,
        };
        Ok((row.get("name")?, lease))
    });
    read.collect()
}

/// Gives a lease that was seen as `seen` (or not at all) to `to`; returns whether it was still so.
pub(crate) async fn move_lease(
    tx: &mut Tx<'_>,
    name: &str,
    seen: Option<LeaseRow>,
    to: LeaseRow,
) -> Result<bool, StoreError> {
    let seen = seen.unwrap_or(to);
    let moved = tx
        .query(
            MOVE_LEASE,
            &[&name, &to.owner, &to.expires_at, &seen.owner, &seen.expires_at],
        )
        .await?;
    Ok(!moved.is_empty())
}
