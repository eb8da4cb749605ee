//! Which parts of events a client wants to have (client-server API, "Filtering", `event_fields`).

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::event::raw_json;

/// The wanted parts, each as the names on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(Vec<Vec<String>>);

impl Fields {
    /// Reads names with dots between; a dot or a backslash of a name's own has a backslash before it.
    pub(crate) fn read<'f>(fields: impl IntoIterator<Item = &'f String>) -> Self {
        Self(fields.into_iter().map(|field| path_of(field)).collect())
    }

    /// The event with only what is wanted of it.
    pub(crate) fn of_event(&self, event: &RawValue) -> Box<RawValue> {
        let Ok(whole) = serde_json::from_str::<Map<String, Value>>(event.get()) else {
            return event.to_owned();
        };
        let mut part = Map::new();
        for path in &self.0 {
            copy(&whole, path, &mut part);
        }
        raw_json(Value::Object(part).to_string())
    }
}

fn path_of(field: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '.' => {
                names.push(String::new());
                continue;
            }
            '\\' => letters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(name) = names.last_mut() {
            name.push(letter);
        }
    }
    names
}

fn copy(from: &Map<String, Value>, path: &[String], to: &mut Map<String, Value>) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let Some(value) = from.get(name) else { return };
    if rest.is_empty() {
        to.insert(name.clone(), value.clone());
        return;
    }
    let Value::Object(inner) = value else { return };
    let mut part = match to.remove(name) {
        Some(Value::Object(part)) => part,
        _ => Map::new(),
    };
    copy(inner, rest, &mut part);
    if !part.is_empty() {
        to.insert(name.clone(), Value::Object(part));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_wanted_parts_stay() {
        let event = json!({
            "type": "t", "sender": "@a:b", "content": { "body": "x", "msgtype": "m.text", "a.b": { "c": 1 } },
        });
        let kept = |fields: &[&str]| -> Value {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            let raw = Fields::read(&fields).of_event(&raw_json(event.to_string()));
            serde_json::from_str(raw.get()).unwrap()
        };
        assert_eq!(
            kept(&["type", "content.body", "content.none", "none.body"]),
            json!({ "type": "t", "content": { "body": "x" } })
        );
        assert_eq!(
            kept(&["content.a\\.b.c", "content.msgtype", "sender.x"]),
            json!({ "content": { "a.b": { "c": 1 }, "msgtype": "m.text" } })
        );
        assert_eq!(kept(&[]), json!({}));
    }
}
