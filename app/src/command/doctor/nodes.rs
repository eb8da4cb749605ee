//! Asks every node about itself. One that answers to our pass holds the same master key: that is how it is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use haechi_base::Time;
use haechi_cluster::{Asker, Node, QuestionFailed, read_nodes};
use haechi_continuity::model::examination::{NodeFacts, NodeTold};

use super::collect::{disk, optional};
use crate::serve::report::{Free, QUESTION, Question, Report};
use crate::services::Services;

/// How long requests are counted.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// Of one URL the newest run is meant; a row older than this is of a run that ended long ago.
const ROW_AGE_MAX: Duration = Duration::from_secs(10 * 60);

/// A node, and the disks of the folders that it found.
pub(super) struct SeenNode {
    pub(super) facts: NodeFacts,
    pub(super) disks: BTreeMap<String, Free>,
}

/// Asks all nodes, twice a second apart. `paths` are folders whose disks they look at.
pub(super) async fn look(services: &Services, paths: &[String]) -> Result<Vec<SeenNode>> {
    let context = &services.context;
    let rows = optional(read_nodes(&context.store).await)?.unwrap_or_default();
    let asker = Asker::new(&context.secrets, context.now())?;
    let asked = current(rows)
        .into_iter()
        .map(|node| ask(services, &asker, node, paths));
    Ok(join_all(asked).await)
}

/// One run of the program at each URL: the newest.
fn current(mut rows: Vec<(Node, Time)>) -> Vec<Node> {
    let newest = rows.iter().map(|(_, seen_at)| *seen_at).max().unwrap_or_default();
    rows.retain(|(_, seen_at)| newest.since(*seen_at) <= ROW_AGE_MAX);
    rows.sort_by_key(|(node, _)| std::cmp::Reverse(node.started_at));
    let mut urls = BTreeSet::new();
    rows.retain(|(node, _)| urls.insert(node.url.clone()));
    rows.sort_by(|(one, _), (other, _)| (&one.site, &one.url).cmp(&(&other.site, &other.url)));
    rows.into_iter().map(|(node, _)| node).collect()
}

async fn ask(services: &Services, asker: &Asker, node: Node, paths: &[String]) -> SeenNode {
    let question = Question {
        paths: paths.to_vec(),
    };
    let clock = &services.context.clock;
    let asked = async || {
        let asked_at = clock.now();
        let told = asker
            .ask::<Report>(&node.url, QUESTION, &question, asked_at)
            .await?;
        Ok::<_, QuestionFailed>((asked_at, clock.now().since(asked_at), told))
    };
    let looked = async {
        let (_, _, before) = asked().await?;
        tokio::time::sleep(COUNTED_FOR).await;
        let (asked_at, way, after) = asked().await?;
        Ok::<_, QuestionFailed>((asked_at, way, before, after))
    };
    let (told, disks) = match looked.await {
        Ok((asked_at, way, before, after)) => (told(asked_at, way, &before, &after), after.disks),
        Err(QuestionFailed::PassRefused) => (NodeTold::AnotherKey, BTreeMap::new()),
        Err(error) => (NodeTold::Nothing(error.to_string()), BTreeMap::new()),
    };
    SeenNode {
        facts: NodeFacts {
            site: node.site,
            url: node.url,
            version: node.version,
            told,
        },
        disks,
    }
}

fn told(asked_at: Time, way: Duration, before: &Report, after: &Report) -> NodeTold {
    let answered = after.requests_answered.saturating_sub(before.requests_answered);
    let counted_ms = u64::try_from(after.now.since(before.now).as_millis()).unwrap_or(u64::MAX);
    // As NTP does it: what it said is compared with the middle between question and answer.
    let middle = asked_at + way / 2;
    NodeTold::All {
        requests_per_s: answered.saturating_mul(1_000) / counted_ms.max(1),
        clock_ahead_us: after.now.micros() - middle.micros(),
        clock_error_us: i64::try_from(way.as_micros() / 2).unwrap_or(i64::MAX),
        is_clock_trusted: after.is_clock_trusted,
        settings: after.settings.clone(),
        disk: after.disk.map(disk),
    }
}

#[cfg(test)]
mod tests {
    use haechi_base::uuid::Uuid;
    use haechi_cluster::NodeId;

    use super::*;

    #[test]
    fn of_one_url_the_newest_run_is_asked_and_old_rows_are_not() {
        let at = |seconds: i64| Time::from_micros(seconds * 1_000_000);
        let row = |id: u128, url: &str, started_s: i64, seen_s: i64| {
            let node = Node {
                node_id: NodeId::from_uuid(Uuid::from_u128(id)),
                site: "pangyo".to_owned(),
                url: url.to_owned(),
                version: "1".to_owned(),
                started_at: at(started_s),
            };
            (node, at(seen_s))
        };
        let rows = vec![
            row(1, "http://a", 10, 990),
            row(2, "http://a", 500, 1_000),
            row(3, "http://b", 20, 1_000),
            row(4, "http://c", 5, 100),
        ];
        let kept: Vec<Uuid> = current(rows).iter().map(|node| node.node_id.uuid()).collect();
        assert_eq!(kept, [Uuid::from_u128(2), Uuid::from_u128(3)]);
    }
}
