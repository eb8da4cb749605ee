//! The vote on a silent site: kept in etcd, counted there, and acted upon by one node.

use std::collections::BTreeSet;
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, Error, GetOptions, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use haechi_store::Term;
use tokio::time::Instant;

use super::members::EtcdMembers;
use crate::{EtcdError, PatroniLeadership};

/// A vote is forgotten after this time unless it is cast again, in seconds: etcd counts leases in them.
const VOTE_KEPT_S: i64 = 3;

/// How often a vote is cast again while the site stays silent.
const VOTE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long nobody revokes after a revocation, in seconds. A candidate that stalled in the middle of Patroni's race
/// must not find that another lease came and went meanwhile.
const QUIET_S: i64 = 60;

/// Votes for one node.
pub(super) struct Voter {
    leadership: PatroniLeadership,
    members: EtcdMembers,
    site: String,
    cast: Option<Cast>,
}

struct Cast {
    term: Term,
    lease: i64,
    at: Instant,
}

impl Voter {
    pub(super) fn new(leadership: PatroniLeadership, members: EtcdMembers, site: String) -> Self {
        Self {
            leadership,
            members,
            site,
            cast: None,
        }
    }

    /// Votes against the session of this term, and ends it if a majority of sites did.
    pub(super) async fn vote_against(&mut self, term: &Term) {
        match self.try_vote_against(term).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, primary = %term.member, "the vote on a silent site failed"),
        }
    }

    async fn try_vote_against(&mut self, term: &Term) -> Result<(), EtcdError> {
        let voters = self.cast_and_count(term).await?;
        let known: BTreeSet<String> = self.members.all().into_iter().map(|member| member.site).collect();
        let counted = voters.intersection(&known).count();
        let Some(majority) = self.members.majority() else {
            return Ok(());
        };
        if counted < majority {
            tracing::info!(primary = %term.member, counted, majority, "the primary's site is silent");
            return Ok(());
        }
        self.revoke(term).await
    }

    /// One transaction casts the vote and finds all that stand against this session.
    async fn cast_and_count(&mut self, term: &Term) -> Result<BTreeSet<String>, EtcdError> {
        let lease = self.vote_lease(term).await?;
        let prefix = format!("{}silent/{:x}/", self.prefix(), term.lease);
        let key = format!("{prefix}{}", self.site);
        let answered = self
            .leadership
            .etcd()
            .ask(|mut client| {
                let vote = TxnOp::put(
                    key.clone(),
                    term.member.clone(),
                    Some(PutOptions::new().with_lease(lease)),
                );
                let all = TxnOp::get(prefix.clone(), Some(GetOptions::new().with_prefix()));
                async move { client.txn(Txn::new().and_then([vote, all])).await }
            })
            .await?;
        let mut voters = BTreeSet::new();
        for response in answered.op_responses() {
            if let TxnOpResponse::Get(found) = response {
                let sites = found.kvs().iter().filter_map(|vote| vote.key_str().ok());
                voters.extend(
                    sites
                        .filter_map(|key| key.strip_prefix(&prefix))
                        .map(str::to_owned),
                );
            }
        }
        Ok(voters)
    }

    /// The lease that this node's vote hangs on; a new one when the last is old.
    async fn vote_lease(&mut self, term: &Term) -> Result<i64, EtcdError> {
        if let Some(cast) = &self.cast
            && cast.term == *term
            && cast.at.elapsed() < VOTE_AGAIN_AFTER
        {
            return Ok(cast.lease);
        }
        let lease = self.grant(VOTE_KEPT_S).await?;
        self.cast = Some(Cast {
            term: term.clone(),
            lease,
            at: Instant::now(),
        });
        Ok(lease)
    }

    /// Ends the session voted against, unless its term is over by now or there was a revocation lately.
    async fn revoke(&self, term: &Term) -> Result<(), EtcdError> {
        let quiet_lease = self.grant(QUIET_S).await?;
        let session = format!("{:x}", term.lease);
        let (leader, quiet) = (self.leadership.keys().leader(), format!("{}quiet", self.prefix()));
        let begun = self
            .leadership
            .etcd()
            .ask(|mut client| {
                let still = [
                    Compare::create_revision(leader.clone(), CompareOp::Equal, term.create_revision),
                    Compare::lease(leader.clone(), CompareOp::Equal, term.lease),
                    Compare::create_revision(quiet.clone(), CompareOp::Equal, 0),
                ];
                let be_quiet = TxnOp::put(
                    quiet.clone(),
                    session.clone(),
                    Some(PutOptions::new().with_lease(quiet_lease)),
                );
                let whose = TxnOp::get(quiet.clone(), None);
                let begin = Txn::new().when(still).and_then([be_quiet]).or_else([whose]);
                async move { client.txn(begin).await }
            })
            .await?;
        if !begun.succeeded() {
            let quiet = quiet_key(&begun);
            // It hangs on our lease when the answer to our first try was lost, and we asked again.
            if quiet.as_ref().is_none_or(|quiet| quiet.lease() != quiet_lease) {
                self.give_back(quiet_lease).await?;
            }
            if quiet.is_none_or(|quiet| quiet.value() != session.as_bytes()) {
                tracing::debug!(primary = %term.member, "no revocation: it is too soon after another");
                return Ok(());
            }
        }
        // Whoever began it may have died before this step, or not have got through: a lease is revoked but once.
        self.give_back(term.lease).await?;
        tracing::warn!(primary = %term.member, lease = term.lease, "the primary's site is silent: its session is ended");
        metrics::counter!("cluster_revocations").increment(1);
        Ok(())
    }

    async fn grant(&self, kept_s: i64) -> Result<i64, EtcdError> {
        let granted = self
            .leadership
            .etcd()
            .ask(|mut client| async move { client.lease_grant(kept_s, None).await })
            .await?;
        Ok(granted.id())
    }

    async fn give_back(&self, lease: i64) -> Result<(), EtcdError> {
        let revoked = self
            .leadership
            .etcd()
            .ask(|mut client| async move {
                match client.lease_revoke(lease).await {
                    // It ran out by itself, or an earlier try got through.
                    Err(Error::GRpcStatus(status)) if status.message().contains("lease not found") => Ok(()),
                    outcome => outcome.map(drop),
                }
            })
            .await;
        revoked.map(drop)
    }

    fn prefix(&self) -> String {
        // Beside Patroni's own keys, and not among them.
        self.leadership
            .keys()
            .prefix()
            .replacen("/service/", "/haechi/", 1)
    }
}

/// Since which session, the value, it is quiet; when it is.
fn quiet_key(answer: &TxnResponse) -> Option<KeyValue> {
    let mut responses = answer.op_responses().into_iter();
    responses.find_map(|response| match response {
        TxnOpResponse::Get(found) => found.kvs().first().cloned(),
        _ => None,
    })
}
