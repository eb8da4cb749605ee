//! What people tell staff of, and what staff makes of it.

use haechi_base::{Actor, PersonId, Role};
use haechi_store::Tx;

use super::Chat;
use super::profile::find_profiles;
use super::read_room::view;
use crate::model::limits::REPORT_TEXT_BYTES_MAX;
use crate::model::{ChatError, Membership, Report, ReportId, Reported, Resolved};
use crate::store;

impl Chat {
    /// Tells staff of a message, a room or a person.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] for what is not there or not to be seen, [`ChatError::TooOften`],
    /// [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn report(
        &self,
        actor: &Actor,
        reported: Reported,
        reason: String,
    ) -> Result<(), ChatError> {
        refuse_long(&reason)?;
        self.0.rates.report(actor.person)?;
        let now = self.now();
        let report = Report {
            report_id: ReportId::new(now),
            reporter: actor.person,
            room_id: None,
            event_id: None,
            person: None,
            content: None,
            reason,
            created_at: now,
            resolved: None,
        };
        self.write(async move |tx: &mut Tx<'_>| {
            let report = fill(tx, report.clone(), &reported).await?;
            Ok(store::reports::put(tx, &report).await?)
        })
        .await
    }

    /// Up to `limit` reports before this one, the newest first. For administrators.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn reports(
        &self,
        actor: &Actor,
        before: Option<ReportId>,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<Report>, ChatError> {
        authorise_staff(actor)?;
        let last = ReportId::from_uuid(haechi_base::uuid::Uuid::max());
        let before = before.unwrap_or(last);
        self.read(async move |tx: &mut Tx<'_>| Ok(store::reports::list(tx, before, open_only, limit).await?))
            .await
    }

    /// Notes what came of a report; what was noted first stands. For administrators.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`], [`ChatError::TooLarge`] and [`ChatError::Store`].
    pub(crate) async fn resolve_report(
        &self,
        actor: &Actor,
        report_id: ReportId,
        resolution: String,
    ) -> Result<Report, ChatError> {
        authorise_staff(actor)?;
        refuse_long(&resolution)?;
        let resolved = Resolved {
            at: self.now(),
            by: actor.person,
            resolution,
        };
        self.write(async move |tx: &mut Tx<'_>| {
            store::reports::resolve(tx, report_id, &resolved).await?;
            let report = store::reports::find(tx, report_id).await?;
            report.ok_or_else(|| ChatError::not_found("there is no such report"))
        })
        .await
    }
}

/// Only administrators.
pub(super) fn authorise_staff(actor: &Actor) -> Result<(), ChatError> {
    match actor.role {
        Role::Administrator => Ok(()),
        Role::Person | Role::Service => Err(ChatError::forbidden("only an administrator may do this")),
    }
}

fn refuse_long(text: &str) -> Result<(), ChatError> {
    if text.len() > REPORT_TEXT_BYTES_MAX {
        return Err(ChatError::TooLarge(format!(
            "a reason has at most {REPORT_TEXT_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// Puts into a report what it is about.
async fn fill(tx: &mut Tx<'_>, mut report: Report, reported: &Reported) -> Result<Report, ChatError> {
    match reported {
        Reported::Event { room_id, event_id } => {
            let not_found = || ChatError::not_found("there is no such event in a room of yours");
            let view = view(tx, report.reporter, room_id)
                .await
                .map_err(|error| match error {
                    ChatError::Forbidden(_) => not_found(),
                    other => other,
                })?;
            if !is_member(tx, report.reporter, room_id).await? {
                return Err(not_found());
            }
            let event = store::events::find(tx, &[event_id]).await?.pop();
            let event = event
                .filter(|event| event.room_id == *room_id && view.shows(event))
                .ok_or_else(not_found)?;
            report.room_id = Some(room_id.clone());
            report.event_id = Some(event_id.clone());
            report.person = Some(event.sender);
            report.content = Some(event.content);
        }
        Reported::Room(room_id) => {
            if store::rooms::creator(tx, room_id).await?.is_none() {
                return Err(ChatError::not_found("there is no such room"));
            }
            report.room_id = Some(room_id.clone());
        }
        Reported::Person(person) => {
            if find_profiles(tx, &[*person]).await?.is_empty() {
                return Err(ChatError::not_found("there is no such person on this server"));
            }
            report.person = Some(*person);
        }
    }
    Ok(report)
}

async fn is_member(tx: &mut Tx<'_>, person: PersonId, room_id: &str) -> Result<bool, ChatError> {
    let found = store::memberships::find_one(tx, person, room_id).await?;
    Ok(found.is_some_and(|found| found.member.membership == Membership::Join))
}
