//! A drill that was held, as it is filed: the report of `haechi drill --json`, with what a list shows of it.

use haechi_base::{PersonId, Time, define_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// Longest report, in bytes of JSON.
pub(crate) const REPORT_BYTES_MAX: usize = 256 * 1024;

/// Longest word for a fault or a site, in characters.
const WORD_CHARACTERS_MAX: usize = 40;

define_id! {
    /// A drill that was filed.
    pub DrillId, DrillNoun, "drill"
}

/// A drill that was held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// Its id; later ones sort later.
    pub drill_id: DrillId,
    /// Who filed it.
    pub filed_by: PersonId,
    /// When.
    pub filed_at: Time,
    /// What was done: `burn`, `freeze`, `cut`, ...
    pub fault: String,
    /// To which site; empty when the report names none.
    pub site: String,
    /// Acknowledged writes that were lost: none, if all is well.
    pub lost: u64,
    /// Writes that were there twice: none, if all is well.
    pub duplicated: u64,
    /// The whole report.
    pub report: Map<String, Value>,
}

/// What a list shows of a report, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) fault: String,
    pub(crate) site: String,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
}

/// Why a report is not filed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DrillRefusal {
    /// What must be there is not, or is something else.
    #[error("the report's {field:?} must be {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Too much.
    #[error("the report has {bytes} bytes of JSON; {REPORT_BYTES_MAX} are allowed")]
    TooLarge {
        /// How much.
        bytes: usize,
    },
}

/// Reads what a list shows from a report.
///
/// # Errors
/// [`DrillRefusal`].
pub(crate) fn figures(report: &Map<String, Value>) -> Result<Figures, DrillRefusal> {
    let bytes = serde_json::to_string(report).map_or(usize::MAX, |text| text.len());
    if bytes > REPORT_BYTES_MAX {
        return Err(DrillRefusal::TooLarge { bytes });
    }
    let fault = word(report, "fault")?.ok_or(DrillRefusal::Field {
        field: "fault",
        expected: "what was done, such as \"burn\"",
    })?;
    Ok(Figures {
        fault,
        site: word(report, "site")?.unwrap_or_default(),
        lost: count(report, "lost")?,
        duplicated: count(report, "duplicated")?,
    })
}

fn word(report: &Map<String, Value>, field: &'static str) -> Result<Option<String>, DrillRefusal> {
    let refusal = DrillRefusal::Field {
        field,
        expected: "one word of at most 40 characters",
    };
    match report.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let fits = (1..=WORD_CHARACTERS_MAX).contains(&text.chars().count());
            if fits && !text.chars().any(char::is_control) {
                Ok(Some(text.clone()))
            } else {
                Err(refusal)
            }
        }
        Some(_) => Err(refusal),
    }
}

fn count(report: &Map<String, Value>, field: &'static str) -> Result<u64, DrillRefusal> {
    let number = report.get(field).and_then(Value::as_u64);
    // The store counts with a sign.
    number
        .filter(|number| i64::try_from(*number).is_ok())
        .ok_or(DrillRefusal::Field {
            field,
            expected: "a whole number, 0 or more",
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn figures_of(report: &Value) -> Result<Figures, DrillRefusal> {
        figures(report.as_object().unwrap())
    }

    #[test]
    fn a_report_says_what_was_done_and_what_was_lost() {
        let report =
            json!({ "fault": "burn", "site": "pangyo", "lost": 0, "duplicated": 1, "rejoin_s": 9.5 });
        let expected = Figures {
            fault: "burn".to_owned(),
            site: "pangyo".to_owned(),
            lost: 0,
            duplicated: 1,
        };
        assert_eq!(figures_of(&report), Ok(expected));
        for site in [json!({}), json!({ "site": null })] {
            let mut report = json!({ "fault": "burn", "lost": 0, "duplicated": 0 });
            report
                .as_object_mut()
                .unwrap()
                .extend(site.as_object().unwrap().clone());
            assert_eq!(figures_of(&report).unwrap().site, "");
        }
    }

    #[test]
    fn a_report_that_hides_its_figures_is_refused() {
        let good = json!({ "fault": "burn", "site": "pangyo", "lost": 0, "duplicated": 0 });
        for (field, value) in [
            ("fault", json!(null)),
            ("fault", json!("")),
            ("fault", json!(1)),
            ("fault", json!("a".repeat(41))),
            ("site", json!("a\nb")),
            ("lost", json!(null)),
            ("lost", json!(-1)),
            ("lost", json!(0.5)),
            ("lost", json!("0")),
            ("lost", json!(u64::MAX)),
            ("duplicated", json!([])),
        ] {
            let mut report = good.clone();
            report[field] = value;
            let refused = figures_of(&report);
            assert!(
                matches!(refused, Err(DrillRefusal::Field { field: named, .. }) if named == field),
                "{report}: {refused:?}"
            );
        }
        let mut large = good;
        large["rounds"] = json!("x".repeat(REPORT_BYTES_MAX));
        assert!(matches!(figures_of(&large), Err(DrillRefusal::TooLarge { .. })));
    }
}
