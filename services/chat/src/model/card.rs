//! Cards: what a service of the house writes to people, with rows and buttons beside the text.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ChatError;

/// The field of a message that holds its card.
pub(crate) const CARD_FIELD: &str = "org.haechi.card";

const TITLE_MAX: usize = 100;
const TEXT_MAX: usize = 1_000;
const ROWS_MAX: usize = 20;
const ROW_LABEL_MAX: usize = 40;
const ROW_VALUE_MAX: usize = 200;
const BUTTONS_MAX: usize = 5;
const BUTTON_LABEL_MAX: usize = 30;
const LINK_BYTES_MAX: usize = 500;

/// A card, as the service that writes it fills it in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it is about, in a few words: 1 to 100 characters.
    pub title: String,
    /// What is to be said: at most 1,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Facts, one a line: at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<CardRow>,
    /// Where to go on: at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<CardButton>,
}

/// A fact on a card: `Amount`, `5,000 won`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardRow {
    /// What it is: 1 to 40 characters.
    pub label: String,
    /// How it stands: 1 to 200 characters.
    pub value: String,
}

/// A button on a card. It leads into the app and nowhere else: nobody learns from a card where people go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardButton {
    /// What it says: 1 to 30 characters.
    pub label: String,
    /// A path of the app: `/wallet/transfers/...`, at most 500 bytes.
    pub link: String,
}

impl Card {
    /// Refuses a card that could not be shown.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`].
    pub(crate) fn check(&self) -> Result<(), ChatError> {
        check_text("title", &self.title, 1, TITLE_MAX)?;
        check_text("text", &self.text, 0, TEXT_MAX)?;
        if self.rows.len() > ROWS_MAX || self.buttons.len() > BUTTONS_MAX {
            return Err(ChatError::invalid(format!(
                "a card has at most {ROWS_MAX} rows and {BUTTONS_MAX} buttons"
            )));
        }
        for row in &self.rows {
            check_text("row's label", &row.label, 1, ROW_LABEL_MAX)?;
            check_text("row's value", &row.value, 1, ROW_VALUE_MAX)?;
        }
        for button in &self.buttons {
            check_text("button's label", &button.label, 1, BUTTON_LABEL_MAX)?;
            if !is_path(&button.link) {
                return Err(ChatError::invalid(format!(
                    "a button leads to a path of the app, such as /wallet, of at most {LINK_BYTES_MAX} bytes"
                )));
            }
        }
        Ok(())
    }

    /// The message that carries the card; clients that know no cards show its text.
    pub(crate) fn message(&self) -> Value {
        let rows = self
            .rows
            .iter()
            .map(|row| format!("{}: {}", row.label, row.value));
        let lines: Vec<String> = [self.title.clone(), self.text.clone()]
            .into_iter()
            .filter(|line| !line.is_empty())
            .chain(rows)
            .collect();
        json!({ "msgtype": "m.text", "body": lines.join("\n"), CARD_FIELD: self })
    }
}

fn check_text(what: &str, text: &str, least: usize, most: usize) -> Result<(), ChatError> {
    let count = text.chars().count();
    let is_plain = !text.chars().any(|letter| letter.is_control() && letter != '\n');
    if is_plain && (least..=most).contains(&count) {
        return Ok(());
    }
    Err(ChatError::invalid(format!(
        "a card's {what} has {least} to {most} characters, none of them a control character"
    )))
}

/// A path of our own, which no client can take for another site's address.
fn is_path(link: &str) -> bool {
    link.len() <= LINK_BYTES_MAX
        && link.starts_with('/')
        && !link.starts_with("//")
        && link.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Card {
        Card {
            title: "Receipt".to_owned(),
            text: "You paid for a ride.".to_owned(),
            rows: vec![CardRow {
                label: "Amount".to_owned(),
                value: "5,000 won".to_owned(),
            }],
            buttons: vec![CardButton {
                label: "Show".to_owned(),
                link: "/wallet".to_owned(),
            }],
        }
    }

    #[test]
    fn a_card_is_a_text_for_clients_that_know_none() {
        let message = receipt().message();
        assert_eq!(receipt().check(), Ok(()));
        assert_eq!(message["msgtype"], "m.text");
        assert_eq!(
            message["body"],
            "Receipt\nYou paid for a ride.\nAmount: 5,000 won"
        );
        assert_eq!(message[CARD_FIELD]["buttons"][0]["link"], "/wallet");
    }

    #[test]
    fn a_card_that_could_not_be_shown_is_refused() {
        let changes: [fn(&mut Card); 7] = [
            |card| card.title.clear(),
            |card| card.title = "x".repeat(TITLE_MAX + 1),
            |card| card.text = "\u{7}".to_owned(),
            |card| card.rows = vec![card.rows[0].clone(); ROWS_MAX + 1],
            |card| card.rows[0].value.clear(),
            |card| card.buttons = vec![card.buttons[0].clone(); BUTTONS_MAX + 1],
            |card| card.buttons[0].label.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut card = receipt();
            change(&mut card);
            assert!(card.check().is_err(), "change {index}");
        }
    }

    #[test]
    fn a_button_leads_into_the_app_only() {
        for link in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "",
            "/a b",
        ] {
            let mut card = receipt();
            card.buttons[0].link = link.to_owned();
            assert!(card.check().is_err(), "{link}");
        }
    }
}
