//! The routes of this service: what is asked and answered, and which problem each refusal is.

use axum::extract::State;
use haechi_base::{IdError, Time};
use haechi_http::{Json, Page, PageQuery, Problem, ProblemDocument, Query, SignedIn};
use haechi_service::{Context, OpenApiRouter};
use haechi_store::{Tx, WriteKey};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::model::{Item, ItemError, ItemId, Title};
use crate::ops;

/// Every route of this service.
pub(crate) fn routes(context: Context) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_items, add_item))
        .with_state(context)
}

/// What is asked to add an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddItem {
    /// 1 to 140 characters.
    title: String,
}

/// An item, as it is told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SampleItem)]
struct ItemAnswer {
    item_id: ItemId,
    title: String,
    created_at: Time,
}

impl From<Item> for ItemAnswer {
    fn from(item: Item) -> Self {
        Self {
            item_id: item.item_id,
            title: item.title.as_str().to_owned(),
            created_at: item.created_at,
        }
    }
}

impl From<ItemError> for Problem {
    fn from(error: ItemError) -> Self {
        match error {
            ItemError::TitleEmpty => Self::unprocessable("title-empty", error.to_string()),
            ItemError::TitleTooLong { .. } => Self::unprocessable("title-too-long", error.to_string()),
            ItemError::Store(error) => error.into(),
        }
    }
}

/// Add an item.
#[utoipa::path(post, path = "/api/sample/items", tag = "sample", operation_id = "sample_add_item",
    request_body = AddItem,
    responses((status = 201, body = ItemAnswer), (status = 422, body = ProblemDocument)))]
async fn add_item(
    State(context): State<Context>,
    SignedIn(actor): SignedIn,
    Json(request): Json<AddItem>,
) -> Result<(StatusCode, Json<ItemAnswer>), Problem> {
    let title = Title::new(&request.title)?;
    let now = context.now();
    let item_id = ItemId::new(now);
    let add = async move |tx: &mut Tx<'_>| ops::add_item(tx, &actor, item_id, &title, now).await;
    let item: Item = context.store.write(WriteKey::fresh(), add).await?;
    Ok((StatusCode::CREATED, Json(item.into())))
}

/// List my items, the newest first.
#[utoipa::path(get, path = "/api/sample/items", tag = "sample", operation_id = "sample_list_items",
    params(PageQuery), responses((status = 200, body = Page<ItemAnswer>)))]
async fn list_items(
    State(context): State<Context>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ItemAnswer>>, Problem> {
    let limit = query.limit();
    let before = query.before.as_deref().map(cursor).transpose()?;
    let list = async move |tx: &mut Tx<'_>| ops::list_items(tx, &actor, before, limit + 1).await;
    let items: Vec<Item> = context.store.read(list).await?;
    let page = Page::from_one_more(items, limit, |item| item.item_id.to_string());
    Ok(Json(page.map(ItemAnswer::from)))
}

/// The cursor of a page is the id of its last item.
fn cursor(text: &str) -> Result<ItemId, Problem> {
    text.parse()
        .map_err(|error: IdError| Problem::bad_request("invalid-query", error.to_string()))
}
