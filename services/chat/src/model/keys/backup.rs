//! Keys of messages in a backup: of two copies of one key the better one is kept.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::ChatError;
use crate::model::limits::{BACKUP_KEY_BYTES_MAX, NAME_BYTES_MAX};

/// A copy of a message key, encrypted by its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackedUpKey {
    pub(crate) room_id: String,
    pub(crate) session_id: String,
    /// How good it is; the smaller the better.
    pub(crate) rank: i64,
    /// The whole, as its client wrote it.
    pub(crate) data: String,
}

#[derive(Deserialize)]
struct Data {
    first_message_index: u64,
    forwarded_count: u64,
    is_verified: bool,
    #[serde(rename = "session_data")]
    _session_data: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
}

impl BackedUpKey {
    /// Checks a copy that a device uploads.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`], [`ChatError::BadJson`] and [`ChatError::InvalidParameter`].
    pub(crate) fn check(room_id: &str, session_id: &str, data: &RawValue) -> Result<Self, ChatError> {
        let is_name = |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0');
        if !is_name(room_id) || !is_name(session_id) {
            return Err(ChatError::invalid(format!(
                "a room id and a session id have 1 to {NAME_BYTES_MAX} bytes"
            )));
        }
        let text = data.get();
        if text.len() > BACKUP_KEY_BYTES_MAX {
            return Err(ChatError::TooLarge(format!(
                "a key in a backup has at most {BACKUP_KEY_BYTES_MAX} bytes"
            )));
        }
        let read: Data = serde_json::from_str(text)
            .map_err(|error| ChatError::bad_json(format!("the key is refused: {error}")))?;
        Ok(Self {
            room_id: room_id.to_owned(),
            session_id: session_id.to_owned(),
            rank: backup_rank(read.is_verified, read.first_message_index, read.forwarded_count),
            data: text.to_owned(),
        })
    }
}

/// Orders copies of one key (client-server API, "Backup algorithm", `PUT /room_keys/keys`): verified ones first, then
/// those that read from an earlier message on, then those that went through fewer hands. The smallest is the best.
fn backup_rank(is_verified: bool, first_message_index: u64, forwarded_count: u64) -> i64 {
    const FIELD_BITS: u32 = 31;
    const FIELD_MAX: i64 = (1 << FIELD_BITS) - 1;
    let bounded = |number: u64| i64::try_from(number).unwrap_or(FIELD_MAX).min(FIELD_MAX);
    (i64::from(!is_verified) << (2 * FIELD_BITS))
        | (bounded(first_message_index) << FIELD_BITS)
        | bounded(forwarded_count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Copy = (bool, u64, u64);

    /// The rule as the specification words it.
    fn is_better(new: Copy, old: Copy) -> bool {
        if new.0 != old.0 {
            return new.0;
        }
        if new.1 != old.1 {
            return new.1 < old.1;
        }
        new.2 < old.2
    }

    fn rank(copy: Copy) -> i64 {
        backup_rank(copy.0, copy.1, copy.2)
    }

    proptest! {
        #[test]
        fn the_smaller_rank_is_the_better_copy(
            new in (any::<bool>(), 0..5_u64, 0..5_u64),
            old in (any::<bool>(), 0..5_u64, 0..5_u64),
            far in (any::<bool>(), any::<u64>(), any::<u64>()),
        ) {
            prop_assert_eq!(rank(new) < rank(old), is_better(new, old));
            prop_assert!(rank(far) >= 0);
            // A verified copy is better than any other, however large the numbers.
            prop_assert_eq!(rank((true, far.1, far.2)) < rank((false, 0, 0)), true);
        }
    }
}
