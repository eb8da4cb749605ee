//! Whether all sites are whole again: etcd healthy, PostgreSQL streaming in the quorum, nodes ready.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::etcd;
use crate::patroni::Member;
use crate::site::{Place, Site};
use crate::sites::{self, Sites, node_is_ready};
use crate::wait::{holds, wait_until};

/// How long a site may take to rejoin by itself.
pub(crate) const REJOIN_DURATION_MAX: Duration = Duration::from_secs(180);

/// How long the nodes may keep quiet after they ended a session: their minute, and etcd's own pace.
const QUIET_DURATION_MAX: Duration = Duration::from_secs(90);

/// For how long the nodes leave a term of leadership alone that they have only just come to know, and a little more.
const TERM_YOUNG_FOR: Duration = Duration::from_secs(61);

/// The key that is there while they do.
const QUIET_KEY: &str = "/haechi/haechi/quiet";

/// Waits until every site is whole. Answers how long that took.
///
/// # Errors
/// It took too long; the message says what did not come.
pub(crate) async fn wait_until_whole(places: &[Place]) -> Result<Duration> {
    let begun = Instant::now();
    wait_until("all sites are whole", REJOIN_DURATION_MAX, async || {
        let lacks = lacks(places).await;
        if !lacks.is_empty() {
            bail!("{}", lacks.join("; "));
        }
        Ok(Some(()))
    })
    .await?;
    Ok(begun.elapsed())
}

/// What is not as it should be, site by site.
async fn lacks(places: &[Place]) -> Vec<String> {
    let asked = places.iter().map(|place| async move {
        let (etcd, node) = tokio::join!(etcd::is_healthy(place), node_is_ready(place));
        let mut lacks = Vec::new();
        if !etcd {
            lacks.push(format!("etcd of {} is not healthy", place.name));
        }
        if !node {
            lacks.push(format!("the node of {} is not ready", place.name));
        }
        lacks
    });
    let (lacking, members) = tokio::join!(futures_util::future::join_all(asked), sites::members(places));
    let mut lacks: Vec<String> = lacking.into_iter().flatten().collect();
    match members {
        Ok(members) => lacks.extend(lacks_of_postgres(places, &members)),
        Err(error) => lacks.push(error.to_string()),
    }
    lacks
}

fn lacks_of_postgres(places: &[Place], members: &[Member]) -> Vec<String> {
    let mut lacks = Vec::new();
    let leaders = members.iter().filter(|member| member.leads()).count();
    if leaders != 1 {
        lacks.push(format!("{leaders} PostgreSQL lead"));
    }
    for place in places {
        match members.iter().find(|member| member.name == place.name) {
            None => lacks.push(format!("Patroni does not know PostgreSQL of {}", place.name)),
            Some(member) if member.leads() || member.confirms() => {}
            Some(member) => lacks.push(format!(
                "PostgreSQL of {} is {} ({})",
                place.name, member.state, member.role
            )),
        }
    }
    lacks
}

impl Sites {
    /// Waits until the nodes may end a silent primary's session: they leave it to Patroni's own lease for a minute after
    /// they did, after another took over, and after they were started.
    ///
    /// # Errors
    /// The minute does not end.
    pub async fn wait_until_votes_count(&self) -> Result<()> {
        tokio::time::sleep((self.changed_at + TERM_YOUNG_FOR).saturating_duration_since(Instant::now()))
            .await;
        let first = &self.places[0];
        wait_until("nodes may vote again", QUIET_DURATION_MAX, async || {
            holds(!etcd::has_key(first, QUIET_KEY).await?)
        })
        .await
    }

    /// Waits until every site is whole: one PostgreSQL leads, the others stream and are in the quorum, etcd is healthy
    /// and the nodes are ready. Answers how long that took.
    ///
    /// # Errors
    /// It took longer than three minutes. The message says what did not come.
    pub async fn wait_until_whole(&mut self) -> Result<Duration> {
        let whole = wait_until_whole(&self.places).await;
        // What ended by itself explains what does not come.
        let ended: Vec<String> = self.sites.iter_mut().flat_map(Site::ended).collect();
        whole.with_context(|| format!("ended by themselves: {}", none_or(&ended)))
    }
}

fn none_or(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::SITES;

    fn member(name: &str, role: &str, state: &str) -> Member {
        let text = format!(r#"{{"name":"{name}","role":"{role}","state":"{state}","lag":0}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_a_site_lacks_is_said_by_name() {
        let places: Vec<Place> = SITES.iter().map(|(name, _)| Place::example(name)).collect();
        let mut members = vec![
            member("pangyo", "leader", "running"),
            member("gasan", "quorum_standby", "streaming"),
            member("sejong", "quorum_standby", "streaming"),
            member("busan", "quorum_standby", "streaming"),
        ];
        assert!(lacks_of_postgres(&places, &members).is_empty());
        members[3] = member("busan", "replica", "starting");
        assert_eq!(
            lacks_of_postgres(&places, &members),
            ["PostgreSQL of busan is starting (replica)"]
        );
        members.truncate(3);
        members[0] = member("pangyo", "quorum_standby", "streaming");
        let lacks = lacks_of_postgres(&places, &members).join("; ");
        assert_eq!(
            lacks,
            "0 PostgreSQL lead; Patroni does not know PostgreSQL of busan"
        );
    }
}
