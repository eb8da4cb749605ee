//! PostgreSQL under Patroni, asked by Patroni's REST API, beside etcd.

use std::time::Duration;

use futures_util::future::{BoxFuture, join, join_all};
use haechi_cluster::{MemberState, PatroniLeadership};
use haechi_store::Leadership;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::{Engine, EngineError, EtcdMembership, etcd};
use crate::model::{EngineFacts, PostgresFact};

/// How long a member may take to say how it is.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// How long the primary may take to move.
const MOVE_WAIT: Duration = Duration::from_secs(30);

/// The engine of a cluster: who leads stands in etcd, everything else is asked of the members.
pub struct PatroniEngine {
    leadership: PatroniLeadership,
    client: Client,
    authentication: Option<(String, String)>,
}

/// What a member tells of itself at `/patroni`.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default)]
    state: String,
    #[serde(default)]
    replication_state: Option<String>,
    #[serde(default)]
    xlog: Option<Positions>,
}

#[derive(Debug, Deserialize)]
struct Positions {
    /// A primary's.
    location: Option<u64>,
    /// A standby's.
    received_location: Option<u64>,
    replayed_location: Option<u64>,
}

impl PatroniEngine {
    /// The engine whose leader is followed there. `authentication` is `user:password` of Patroni's REST API, where it
    /// demands one for changes.
    ///
    /// # Errors
    /// There is no HTTP client, or the authentication has no colon.
    pub fn new(leadership: PatroniLeadership, authentication: Option<&str>) -> Result<Self, EngineError> {
        let authentication = match authentication.map(|text| text.split_once(':')) {
            None => None,
            Some(Some((user, password))) => Some((user.to_owned(), password.to_owned())),
            Some(None) => {
                let text = "the authentication of Patroni's REST API must be user:password";
                return Err(EngineError::Refused(text.to_owned()));
            }
        };
        let client = Client::builder().no_proxy().connect_timeout(ANSWER_WAIT).build();
        Ok(Self {
            leadership,
            client: client.map_err(|error| EngineError::Unreachable(error.to_string()))?,
            authentication,
        })
    }

    async fn ask(&self, member: &MemberState) -> PostgresFact {
        let asked = self.client.get(&member.api_url).timeout(ANSWER_WAIT).send().await;
        let told = match asked {
            Ok(answer) => answer.json::<Told>().await.ok(),
            Err(_) => None,
        };
        let Some(told) = told else {
            return PostgresFact {
                site: member.name.clone(),
                is_reachable: false,
                state: String::new(),
                log_position: None,
            };
        };
        let position = told.xlog.and_then(|xlog| {
            xlog.location
                .or(xlog.received_location.max(xlog.replayed_location))
        });
        PostgresFact {
            site: member.name.clone(),
            is_reachable: told.state == "running",
            state: told.replication_state.unwrap_or(told.state),
            log_position: position,
        }
    }

    /// Who leads; it is waited for where nobody seems to, as in the first moment of a program.
    async fn present_leader(&self) -> Option<String> {
        let mut term = self.leadership.term();
        let known = tokio::time::timeout(ANSWER_WAIT, term.wait_for(Option::is_some)).await;
        let term = known.ok()?.ok()?;
        term.as_ref().map(|term| term.member.clone())
    }

    /// The leader's own Patroni is asked: it alone begins at once, any other would leave it to the next cycle.
    async fn request_switchover(&self, from: &str) -> Result<(), EngineError> {
        let member = self
            .leadership
            .members()
            .into_iter()
            .find(|member| member.name == from);
        let Some(member) = member else {
            return Err(EngineError::Unreachable(format!(
                "the Patroni of {from} is not known"
            )));
        };
        let base = member.api_url.trim_end_matches("/patroni");
        let request = self
            .client
            .post(format!("{base}/switchover"))
            .timeout(MOVE_WAIT)
            .json(&json!({ "leader": from }));
        let answer = self.signed(request).send().await;
        let answer =
            answer.map_err(|error| EngineError::Unreachable(format!("Patroni of {from}: {error}")))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        if status.is_success() {
            return Ok(());
        }
        Err(EngineError::Refused(format!(
            "Patroni of {from} answered {status}: {text}"
        )))
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.authentication {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }

    /// Waits until the leader key names somebody else: an answer of Patroni's does not prove it.
    async fn other_leader(&self, from: &str) -> Option<String> {
        let mut term = self.leadership.term();
        let moved = term.wait_for(|term| term.as_ref().is_some_and(|term| term.member != from));
        let term = moved.await.ok()?;
        term.as_ref().map(|term| term.member.clone())
    }
}

impl Engine for PatroniEngine {
    fn look(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>> {
        Box::pin(async move {
            let leader = self.present_leader().await;
            let members = self.leadership.members();
            let asked = join_all(members.iter().map(|member| self.ask(member)));
            let (postgres, etcd) = join(asked, etcd::look(self.leadership.etcd())).await;
            Ok(EngineFacts {
                leader,
                postgres,
                etcd: etcd?,
            })
        })
    }

    fn move_primary<'a>(&'a self, from: &'a str) -> BoxFuture<'a, Result<String, EngineError>> {
        Box::pin(async move {
            let moving = async {
                let moved = self.other_leader(from);
                tokio::pin!(moved);
                // Patroni answers a second and more after it has moved; the key tells at once.
                tokio::select! {
                    leader = &mut moved => return Ok(leader),
                    asked = self.request_switchover(from) => asked?,
                }
                Ok(moved.await)
            };
            match tokio::time::timeout(MOVE_WAIT, moving).await {
                Ok(Ok(Some(leader))) => Ok(leader),
                Ok(Err(error)) => Err(error),
                Ok(Ok(None)) | Err(_) => Err(EngineError::Unreachable(format!(
                    "{from} still leads {} s after Patroni was asked to move the primary",
                    MOVE_WAIT.as_secs()
                ))),
            }
        })
    }

    fn full_disk(&self) -> BoxFuture<'_, String> {
        Box::pin(self.leadership.full_disk())
    }

    fn move_etcd_leader<'a>(&'a self, to: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(etcd::move_leader(self.leadership.etcd(), to))
    }

    fn add_etcd_member<'a>(
        &'a self,
        site: &'a str,
        peer_url: &'a str,
    ) -> BoxFuture<'a, Result<EtcdMembership, EngineError>> {
        Box::pin(etcd::add_member(self.leadership.etcd(), site, peer_url))
    }

    fn promote_learners(&self) -> BoxFuture<'_, Result<usize, EngineError>> {
        Box::pin(etcd::promote_learners(self.leadership.etcd()))
    }

    fn remove_etcd_member<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(etcd::remove_member(self.leadership.etcd(), site))
    }
}
