//! The rules of this service, and its routes on both engines.

#![allow(clippy::unwrap_used)]

use crate::model::{ItemError, Title};

#[test]
fn a_title_says_something_and_fits_on_a_line() {
    assert_eq!(Title::new("  milk ").unwrap().as_str(), "milk");
    assert_eq!(Title::new(" \n"), Err(ItemError::TitleEmpty));
    assert_eq!(
        Title::new(&"가".repeat(140)).unwrap().as_str().chars().count(),
        140
    );
    assert_eq!(
        Title::new(&"a".repeat(141)),
        Err(ItemError::TitleTooLong { count: 141 })
    );
}
