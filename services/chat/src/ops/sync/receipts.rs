//! Receipts, as a sync tells them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::room::RoomReader;
use crate::store::receipts::Receipt;

/// The content of a `m.receipt`: by event, kind and user.
type Receipts = BTreeMap<String, BTreeMap<String, Map<String, Value>>>;

impl RoomReader<'_> {
    /// Receipts as they are told. One event has one receipt of a kind and person; who read a message for the room and
    /// for a thread is told of in two of them, the room's first.
    pub(super) fn receipt_events(&self, mut receipts: Vec<Receipt>) -> Vec<Value> {
        let mut told: Vec<Receipts> = Vec::new();
        receipts.sort_by_key(|receipt| !receipt.thread.is_empty());
        for receipt in receipts {
            let user = self.chat.user_id(receipt.person);
            let mut content = json!({ "ts": receipt.sent_at.millis() });
            if !receipt.thread.is_empty() {
                content["thread_id"] = receipt.thread.into();
            }
            let is_free = |known: &Receipts| {
                let of_kind = known
                    .get(&receipt.event_id)
                    .and_then(|kinds| kinds.get(&receipt.kind));
                !of_kind.is_some_and(|users| users.contains_key(&user))
            };
            let place = told.iter().position(is_free).unwrap_or_else(|| {
                told.push(Receipts::new());
                told.len() - 1
            });
            if let Some(free) = told.get_mut(place) {
                let of_kind = free.entry(receipt.event_id).or_default().entry(receipt.kind);
                of_kind.or_default().insert(user, content);
            }
        }
        let events = told.into_iter();
        events
            .map(|content| json!({ "type": "m.receipt", "content": content }))
            .collect()
    }
}
