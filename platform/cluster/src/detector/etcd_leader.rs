//! Keeps etcd's own leader out of the primary's site: a fire there would have etcd elect one before anybody could vote,
//! which costs seconds.

use std::time::Duration;

use haechi_store::Leadership;
use tokio::time::sleep;

use super::members::EtcdMembers;
use crate::{EtcdError, PatroniLeadership};

/// How often the node in the primary's site looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Moves etcd's leader away whenever it stands in `site` together with the primary. The node in that site does it:
/// only etcd's leader itself can hand over.
pub(super) async fn keep_away(leadership: PatroniLeadership, members: EtcdMembers, site: String) {
    let present = leadership.term();
    let mut next = 0;
    loop {
        sleep(LOOK_EVERY).await;
        let is_primary_here = present.borrow().as_ref().is_some_and(|term| term.member == site);
        if !is_primary_here {
            continue;
        }
        if let Err(error) = hand_over(&leadership, &members, &site, next).await {
            tracing::debug!(%error, "etcd's leader stays in the primary's site for now");
        }
        next += 1;
    }
}

/// Has this site's member hand over if it leads. Another successor is tried each time: one of them may be down.
async fn hand_over(
    leadership: &PatroniLeadership,
    members: &EtcdMembers,
    site: &str,
    next: usize,
) -> Result<(), EtcdError> {
    let status = leadership
        .etcd()
        .ask_own(|mut client| async move { client.status().await })
        .await?;
    let own = status.header().map(etcd_client::ResponseHeader::member_id);
    if own != Some(status.leader()) {
        return Ok(());
    }
    let others: Vec<_> = members
        .all()
        .into_iter()
        .filter(|member| member.site != site)
        .collect();
    let Some(successor) = others.get(next % others.len().max(1)) else {
        return Ok(());
    };
    let id = successor.id;
    leadership
        .etcd()
        .ask_own(|mut client| async move { client.move_leader(id).await })
        .await?;
    tracing::info!(to = %successor.site, "etcd's leader moved out of the primary's site");
    Ok(())
}
