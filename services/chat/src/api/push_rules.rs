//! Push rules (client-server API, "Push rules").

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use ruma::api::client::push::{
    PushRule, RuleKind, delete_pushrule, get_pushrule, get_pushrule_actions, get_pushrule_enabled,
    set_pushrule, set_pushrule_actions, set_pushrule_enabled,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Path, Signed, Who};
use crate::Chat;
use crate::model::raw_json;
use crate::ops::RulesChange;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_pushrule::v3::Request, _, _>(router, show);
    let router = endpoint::<set_pushrule::v3::Request, _, _>(router, put);
    let router = endpoint::<delete_pushrule::v3::Request, _, _>(router, remove);
    let router = endpoint::<get_pushrule_enabled::v3::Request, _, _>(router, show_enabled);
    let router = endpoint::<set_pushrule_enabled::v3::Request, _, _>(router, set_enabled);
    let router = endpoint::<get_pushrule_actions::v3::Request, _, _>(router, show_actions);
    let router = endpoint::<set_pushrule_actions::v3::Request, _, _>(router, set_actions);
    ["v3", "r0"].into_iter().fold(router, |router, version| {
        let rules = format!("/_matrix/client/{version}/pushrules");
        router
            .route(&rules, get(show_all))
            .route(&format!("{rules}/"), get(show_all))
            .route(&format!("{rules}/global"), get(show_global))
            .route(&format!("{rules}/global/"), get(show_global))
            .route(&format!("{rules}/global/{{kind}}"), get(show_kind))
            .route(&format!("{rules}/global/{{kind}}/"), get(show_kind))
    })
}

async fn show_all(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<Box<RawValue>>, MatrixError> {
    let rules = chat.push_rules(actor.person).await?.to_content()?;
    Ok(Json(raw_json(rules.as_str().to_owned())))
}

async fn show_global(State(chat): State<Chat>, Who(actor): Who) -> Answer {
    Ok(Json(json!(chat.push_rules(actor.person).await?.rules())))
}

async fn show_kind(State(chat): State<Chat>, Who(actor): Who, Path(kind): Path<String>) -> Answer {
    known(&RuleKind::from(kind.as_str()))?;
    let rules = json!(chat.push_rules(actor.person).await?.rules());
    Ok(Json(rules.get(&kind).cloned().unwrap_or_else(|| json!([]))))
}

/// Refuses kinds that the specification does not know.
fn known(kind: &RuleKind) -> Result<(), MatrixError> {
    match kind {
        RuleKind::Override | RuleKind::Underride | RuleKind::Sender | RuleKind::Room | RuleKind::Content => {
            Ok(())
        }
        _ => Err(MatrixError::invalid_parameter(
            "the kind of a rule is override, content, room, sender or underride",
        )),
    }
}

async fn rule(
    chat: &Chat,
    actor: &haechi_base::Actor,
    kind: &RuleKind,
    rule_id: &str,
) -> Result<PushRule, MatrixError> {
    known(kind)?;
    let rules = chat.push_rules(actor.person).await?;
    Ok(rules.rule(kind, rule_id)?.to_owned().into())
}

async fn show(State(chat): State<Chat>, Signed(actor, request): Signed<get_pushrule::v3::Request>) -> Answer {
    Ok(Json(json!(
        rule(&chat, &actor, &request.kind, &request.rule_id).await?
    )))
}

async fn put(State(chat): State<Chat>, Signed(actor, request): Signed<set_pushrule::v3::Request>) -> Answer {
    let change = RulesChange::Put {
        rule: request.rule,
        after: request.after,
        before: request.before,
    };
    chat.change_push_rules(actor.person, change).await?;
    Ok(Json(json!({})))
}

async fn remove(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<delete_pushrule::v3::Request>,
) -> Answer {
    known(&request.kind)?;
    let change = RulesChange::Remove(request.kind, request.rule_id);
    chat.change_push_rules(actor.person, change).await?;
    Ok(Json(json!({})))
}

async fn show_enabled(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_pushrule_enabled::v3::Request>,
) -> Answer {
    let rule = rule(&chat, &actor, &request.kind, &request.rule_id).await?;
    Ok(Json(json!({ "enabled": rule.enabled })))
}

async fn set_enabled(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<set_pushrule_enabled::v3::Request>,
) -> Answer {
    known(&request.kind)?;
    let change = RulesChange::Enable(request.kind, request.rule_id, request.enabled);
    chat.change_push_rules(actor.person, change).await?;
    Ok(Json(json!({})))
}

async fn show_actions(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_pushrule_actions::v3::Request>,
) -> Answer {
    let rule = rule(&chat, &actor, &request.kind, &request.rule_id).await?;
    Ok(Json(json!({ "actions": rule.actions })))
}

async fn set_actions(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<set_pushrule_actions::v3::Request>,
) -> Answer {
    known(&request.kind)?;
    let change = RulesChange::Act(request.kind, request.rule_id, request.actions);
    chat.change_push_rules(actor.person, change).await?;
    Ok(Json(json!({})))
}
