//! The statements about sites.

use haechi_base::Time;
use haechi_store::{FromValue, Row, StoreError, ToValue, Tx, Value};

use crate::model::{Site, SiteName, SiteState};

const ALL_SITES: &str = "
    SELECT name, title, url, latitude, longitude, state, capacity, created_at, state_since
    FROM continuity_site ORDER BY created_at, name";
const INSERT_SITE: &str = "
    INSERT INTO continuity_site (name, title, url, latitude, longitude, state, capacity, created_at, state_since)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
const SET_STATE: &str = "
    UPDATE continuity_site SET state = $2, state_since = $3 WHERE name = $1 AND state <> $2";
const SET_CAPACITY: &str = "
    UPDATE continuity_site SET capacity = $2 WHERE name = $1";

/// Every site, in the order they were registered, retired ones too.
pub(crate) async fn all_sites(tx: &mut Tx<'_>) -> Result<Vec<Site>, StoreError> {
    tx.query(ALL_SITES, &[]).await?.iter().map(site).collect()
}

pub(crate) async fn insert_site(tx: &mut Tx<'_>, site: &Site) -> Result<(), StoreError> {
    let state = site.state.as_str();
    let values: [&dyn ToValue; 8] = [
        &site.name,
        &site.title,
        &site.url,
        &site.latitude,
        &site.longitude,
        &state,
        &site.capacity,
        &site.created_at,
    ];
    tx.execute(INSERT_SITE, &values).await.map(drop)
}

/// Puts a site into a state; one that is in it already keeps since when.
pub(crate) async fn set_state(
    tx: &mut Tx<'_>,
    name: &SiteName,
    state: SiteState,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(SET_STATE, &[name, &state.as_str(), &now])
        .await
        .map(drop)
}

/// Notes what a site carries at the most, in requests a second.
pub(crate) async fn set_capacity(
    tx: &mut Tx<'_>,
    name: &SiteName,
    capacity_per_s: u32,
) -> Result<(), StoreError> {
    tx.execute(SET_CAPACITY, &[name, &capacity_per_s]).await.map(drop)
}

fn site(row: &Row) -> Result<Site, StoreError> {
    Ok(Site {
        name: row.get("name")?,
        title: row.get("title")?,
        url: row.get("url")?,
        latitude: row.get("latitude")?,
        longitude: row.get("longitude")?,
        state: row.get("state")?,
        capacity: row.get("capacity")?,
        created_at: row.get("created_at")?,
        state_since: row.get("state_since")?,
    })
}

impl ToValue for SiteName {
    fn to_value(&self) -> Value<'_> {
        self.as_str().to_value()
    }
}

impl FromValue for SiteName {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        let text = String::from_value(value)?;
        text.parse().map_err(|_| StoreError::Type {
            expected: "the name of a site".to_owned(),
            found: text,
        })
    }
}

impl FromValue for SiteState {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        let word = String::from_value(value)?;
        Self::from_word(&word).ok_or(StoreError::Type {
            expected: "the state of a site".to_owned(),
            found: word,
        })
    }
}
