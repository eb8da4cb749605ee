//! Lists in pages: `?limit=&before=` in, items and the cursor of the next page out.

use haechi_base::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `before` for the page after this one; null on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is always given whole.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// A page from `limit + 1` items read: the one too many tells that there is a next page, whose cursor is
    /// taken from the last item on this one.
    #[must_use]
    pub fn from_one_more(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = limit as usize;
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = if is_last { None } else { items.last().map(cursor) };
        Self { items, next }
    }

    /// The same page with each item told in another form.
    #[must_use]
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(form).collect(),
            next: self.next,
        }
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most items on the page: 1 to 200, and 50 when it is not said.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default)]
    pub before: Option<String>,
}

impl PageQuery {
    /// Most items on the page.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE_ITEMS_DEFAULT)
    }
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let limit = u32::deserialize(deserializer)?;
    if (1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Ok(Some(limit));
    }
    Err(serde::de::Error::custom(format_args!(
        "limit must lie between 1 and {PAGE_ITEMS_MAX}"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::extract::Query;

    fn query(text: &str) -> Result<PageQuery, String> {
        let uri = format!("/?{text}").parse().unwrap();
        let query = Query::try_from_uri(&uri).map_err(|refusal| refusal.body_text())?;
        Ok(query.0)
    }

    #[test]
    fn the_limit_has_bounds() {
        assert_eq!(query("").unwrap().limit(), 50);
        assert_eq!(query("limit=200&before=x").unwrap().limit(), 200);
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x", "offset=3"] {
            assert!(query(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn the_one_too_many_is_the_cursor_and_not_an_item() {
        let page = Page::from_one_more(vec![3, 2, 1], 2, ToString::to_string);
        assert_eq!((page.items, page.next.as_deref()), (vec![3, 2], Some("2")));
        let last = Page::from_one_more(vec![3, 2], 2, ToString::to_string);
        assert_eq!((last.items, last.next), (vec![3, 2], None));
    }
}
