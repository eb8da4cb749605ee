//! What Patroni writes into etcd, read.

use std::collections::BTreeMap;

use etcd_client::KeyValue;
use haechi_store::Term;
use serde::Deserialize;

/// The keys of one cluster (Patroni's default namespace, `/service`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatroniKeys {
    prefix: String,
}

impl PatroniKeys {
    /// The keys of the cluster of this name.
    #[must_use]
    pub fn of(scope: &str) -> Self {
        Self {
            prefix: format!("/service/{scope}/"),
        }
    }

    /// Before every key of the cluster.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Who leads.
    #[must_use]
    pub fn leader(&self) -> String {
        format!("{}leader", self.prefix)
    }

    /// For whom Patroni reckons the quorum, and of whom.
    #[must_use]
    pub fn sync(&self) -> String {
        format!("{}sync", self.prefix)
    }

    /// The timelines that came before the present one.
    #[must_use]
    pub fn history(&self) -> String {
        format!("{}history", self.prefix)
    }

    fn member_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)?.strip_prefix("members/")
    }
}

/// One member of the PostgreSQL cluster, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    /// Its name, which is its site's.
    pub name: String,
    /// The host of its PostgreSQL.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// Where its Patroni answers: `http://HOST:8008/patroni`.
    pub api_url: String,
    /// `running`, `streaming`, `stopped`, ...; `silent` while its key is gone.
    pub state: String,
    /// `primary` (Patroni before 4: `master`) or `replica`.
    pub role: String,
    /// The timeline it is on, when it told one.
    pub timeline: Option<i64>,
}

#[derive(Deserialize)]
struct MemberValue {
    conn_url: String,
    api_url: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    timeline: Option<i64>,
}

#[derive(Deserialize)]
struct SyncValue {
    leader: Option<String>,
}

/// The leader that Patroni's `/sync` names.
pub(super) fn sync_leader(value: &[u8]) -> Option<String> {
    serde_json::from_slice::<SyncValue>(value).ok()?.leader
}

/// The timeline to which Patroni's `/history` leads: the one after its last line. The first has no history.
pub(super) fn history_timeline(value: Option<&[u8]>) -> Option<i64> {
    let Some(value) = value else { return Some(1) };
    let lines: Vec<Vec<serde_json::Value>> = serde_json::from_slice(value).ok()?;
    let last = lines.last().map_or(Some(0), |line| line.first()?.as_i64());
    Some(last? + 1)
}

/// What is known of a cluster. Where a member listens is kept when its key goes: the key comes and goes with the
/// member's session, its address does not.
#[derive(Default)]
pub(super) struct Record {
    members: BTreeMap<String, MemberState>,
    leader: Option<(String, i64, i64)>,
}

impl Record {
    /// Takes a whole reading of the cluster's keys up.
    pub(super) fn read(&mut self, keys: &PatroniKeys, found: &[KeyValue]) {
        self.leader = None;
        for member in self.members.values_mut() {
            "silent".clone_into(&mut member.state);
        }
        for pair in found {
            let (Ok(key), Ok(value)) = (pair.key_str(), pair.value_str()) else {
                continue;
            };
            if key == keys.leader() {
                self.leader = Some((value.to_owned(), pair.lease(), pair.create_revision()));
            } else if let Some(name) = keys.member_of(key)
                && let Some(member) = member_state(name, value)
            {
                self.members.insert(name.to_owned(), member);
            }
        }
    }

    /// The present term, if somebody leads whose address is known.
    pub(super) fn term(&self) -> Option<Term> {
        let (name, lease, create_revision) = self.leader.as_ref()?;
        let member = self.members.get(name)?;
        Some(Term {
            member: name.clone(),
            host: member.host.clone(),
            port: member.port,
            lease: *lease,
            create_revision: *create_revision,
        })
    }

    pub(super) fn members(&self) -> Vec<MemberState> {
        self.members.values().cloned().collect()
    }
}

fn member_state(name: &str, value: &str) -> Option<MemberState> {
    let value: MemberValue = serde_json::from_str(value).ok()?;
    let url = reqwest::Url::parse(&value.conn_url).ok()?;
    Some(MemberState {
        name: name.to_owned(),
        host: url.host_str()?.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(5_432),
        api_url: value.api_url,
        state: value.state,
        role: value.role,
        timeline: value.timeline,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_members_word_is_read() {
        let value = r#"{"conn_url":"postgres://127.0.1.2:5433/postgres","api_url":"http://127.0.1.2:8008/patroni",
            "state":"running","role":"replica","version":"4.1.5","xlog_location":83886080,"timeline":3}"#;
        let member = member_state("gasan", value).unwrap();
        assert_eq!((member.host.as_str(), member.port), ("127.0.1.2", 5_433));
        assert_eq!(member.timeline, Some(3));
        assert!(member_state("gasan", "{}").is_none());
    }

    #[test]
    fn keys_lie_below_the_scope() {
        let keys = PatroniKeys::of("haechi");
        assert_eq!(keys.leader(), "/service/haechi/leader");
        assert_eq!(keys.member_of("/service/haechi/members/busan"), Some("busan"));
        assert_eq!(keys.member_of("/service/other/members/busan"), None);
    }
}
