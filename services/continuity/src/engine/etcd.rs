//! etcd, asked about its members.

use std::collections::BTreeMap;

use etcd_client::{Member, MemberAddOptions, ResponseHeader};
use futures_util::future::join_all;
use haechi_cluster::{Etcd, EtcdError};

use super::{EngineError, EtcdMembership};
use crate::model::EtcdFact;

impl From<EtcdError> for EngineError {
    fn from(error: EtcdError) -> Self {
        let text = error.to_string();
        match error {
            EtcdError::Refused(_) => Self::Refused(text),
            EtcdError::Settings(_) | EtcdError::Unreachable(_) => Self::Unreachable(text),
        }
    }
}

/// Asks each member by itself how it is.
pub(super) async fn look(etcd: &Etcd) -> Result<Vec<EtcdFact>, EngineError> {
    let members = members(etcd).await?;
    Ok(join_all(members.iter().map(fact)).await)
}

async fn fact(member: &Member) -> EtcdFact {
    let leads = match member.client_urls().first() {
        Some(url) => leads(url).await.ok(),
        None => None,
    };
    EtcdFact {
        site: member.name().to_owned(),
        is_reachable: leads.is_some(),
        is_leader: leads.unwrap_or(false),
        is_learner: member.is_learner(),
    }
}

async fn leads(url: &str) -> Result<bool, EtcdError> {
    let one = Etcd::new(&[url.to_owned()]).await?;
    let status = one
        .ask_own(|mut client| async move { client.status().await })
        .await?;
    let own = status.header().map(ResponseHeader::member_id);
    Ok(own == Some(status.leader()))
}

async fn members(etcd: &Etcd) -> Result<Vec<Member>, EngineError> {
    let list = etcd
        .ask(|mut client| async move { client.member_list().await })
        .await?;
    Ok(list.members().to_vec())
}

/// Only the leader itself can hand over, so it is looked for and asked.
pub(super) async fn move_leader(etcd: &Etcd, to: &str) -> Result<(), EngineError> {
    let members = members(etcd).await?;
    let target = members
        .iter()
        .find(|member| member.name() == to)
        .ok_or_else(|| EngineError::Refused(format!("etcd has no member {to}")))?;
    for url in members.iter().filter_map(|member| member.client_urls().first()) {
        if leads(url).await.unwrap_or(false) {
            let id = target.id();
            let leader = Etcd::new(std::slice::from_ref(url)).await?;
            leader
                .ask_own(|mut client| async move { client.move_leader(id).await })
                .await?;
            return Ok(());
        }
    }
    Err(EngineError::Unreachable(
        "no member of etcd says that it leads".to_owned(),
    ))
}

pub(super) async fn add_member(
    etcd: &Etcd,
    site: &str,
    peer_url: &str,
) -> Result<EtcdMembership, EngineError> {
    let before = members(etcd).await?;
    let is_there = |member: &Member| {
        // One that has not started yet has no name.
        member.name() == site || member.peer_urls().iter().any(|url| url == peer_url)
    };
    if let Some(taken) = before
        .iter()
        .find(|member| member.name() != site && !member.name().is_empty() && is_there(member))
    {
        return Err(EngineError::Refused(format!(
            "{peer_url} is the peer URL of etcd's member {} already",
            taken.name()
        )));
    }
    let is_new = !before.iter().any(is_there);
    if is_new {
        etcd.ask(|mut client| async move {
            let options = MemberAddOptions::new().with_is_learner();
            client.member_add([peer_url], Some(options)).await
        })
        .await?;
    }
    let mut urls: BTreeMap<String, String> = before
        .iter()
        .filter(|member| !member.name().is_empty())
        .filter_map(|member| Some((member.name().to_owned(), member.peer_urls().first()?.clone())))
        .collect();
    urls.entry(site.to_owned()).or_insert_with(|| peer_url.to_owned());
    let all: Vec<String> = urls.iter().map(|(name, url)| format!("{name}={url}")).collect();
    Ok(EtcdMembership {
        is_new,
        initial_cluster: all.join(","),
    })
}

/// Gives a vote to who has caught up. etcd refuses for one that has not; it is asked again later.
pub(super) async fn promote_learners(etcd: &Etcd) -> Result<usize, EngineError> {
    let mut left = 0;
    for member in members(etcd).await?.iter().filter(|member| member.is_learner()) {
        let id = member.id();
        let promoted = etcd
            .ask(|mut client| async move { client.member_promote(id).await })
            .await;
        match promoted {
            Ok(_) => tracing::info!(site = member.name(), "the site's etcd has a vote from now on"),
            Err(error) => {
                tracing::debug!(site = member.name(), %error, "the site's etcd has no vote yet");
                left += 1;
            }
        }
    }
    Ok(left)
}

pub(super) async fn remove_member(etcd: &Etcd, site: &str) -> Result<(), EngineError> {
    let members = members(etcd).await?;
    let Some(id) = members
        .iter()
        .find(|member| member.name() == site)
        .map(Member::id)
    else {
        return Ok(());
    };
    etcd.ask(|mut client| async move { client.member_remove(id).await })
        .await?;
    Ok(())
}
