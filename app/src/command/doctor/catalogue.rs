//! What the tables hold, as people call it. A test fails when a migration makes a table that is not here.

/// Each kind of data with its tables.
pub(super) const KINDS: &[(&str, &[&str])] = &[
    ("people", &["identity_person"]),
    (
        "sign-ins",
        &[
            "identity_session",
            "identity_replaced_token",
            "identity_login_token",
            "identity_code",
        ],
    ),
    (
        "rooms and members",
        &[
            "chat_room",
            "chat_room_state",
            "chat_membership",
            "chat_direct",
            "chat_alias",
            "chat_listing",
        ],
    ),
    (
        "messages",
        &[
            "chat_event",
            "chat_unplaced",
            "chat_stream",
            "chat_activity",
            "chat_relation",
            "chat_edit",
            "chat_thread",
            "chat_delayed",
            "chat_notice",
            "chat_import",
        ],
    ),
    (
        "keys of secret chats, their backups, messages between devices",
        &[
            "chat_device",
            "chat_device_change",
            "chat_one_time_key",
            "chat_fallback_key",
            "chat_cross_signing_key",
            "chat_signature",
            "chat_signature_change",
            "chat_dehydrated_device",
            "chat_backup",
            "chat_backup_key",
            "chat_inbox",
            "chat_sent_to_device",
        ],
    ),
    ("what was reported", &["chat_report"]),
    (
        "whom to push to, and how far",
        &[
            "chat_pusher",
            "chat_pushed_member",
            "chat_push_progress",
            "chat_push_key",
            "chat_late_push",
        ],
    ),
    (
        "what was read",
        &["chat_read", "chat_receipt", "chat_mention", "chat_thread_member"],
    ),
    (
        "the index of the search",
        &["chat_search_room", "chat_search_block", "chat_search_stale"],
    ),
    (
        "profiles and friends",
        &[
            "chat_profile",
            "chat_profile_field",
            "chat_friend",
            "chat_account_data",
            "chat_filter",
            "chat_findable",
            "chat_match_count",
            "chat_blocked_service",
        ],
    ),
    (
        "photos and files",
        &[
            "chat_media",
            "chat_media_reservation",
            "chat_thumbnail",
            "chat_url_preview",
            "store_blob",
            "store_blob_chunk",
            "store_chunk",
        ],
    ),
    (
        "money",
        &["pay_account", "pay_transfer", "pay_entry", "pay_transfer_key"],
    ),
    ("answers to repeated requests", &["store_write_key"]),
    ("jobs", &["store_job"]),
    (
        "sites, incidents and drills",
        &["continuity_site", "continuity_incident", "continuity_drill"],
    ),
    ("nodes and leases", &["cluster_node", "cluster_lease"]),
    (
        "lists of migrations and backups",
        &["store_migration", "store_backup"],
    ),
];

/// What a table holds that nobody named yet: it is examined all the same.
pub(super) const OTHER: &str = "other tables";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::KINDS;

    #[tokio::test]
    async fn every_table_of_every_service_belongs_to_one_kind() {
        let migrations = crate::program::migrations().await.unwrap();
        let made: BTreeSet<String> = haechi_store::table_names(&migrations)
            .unwrap()
            .into_iter()
            .collect();
        let named: Vec<String> = KINDS
            .iter()
            .flat_map(|(_, tables)| tables.iter().map(|table| (*table).to_owned()))
            .collect();
        let once: BTreeSet<String> = named.iter().cloned().collect();
        assert_eq!(named.len(), once.len(), "a table is named twice");
        let unnamed: Vec<&String> = made.difference(&once).collect();
        assert!(
            unnamed.is_empty(),
            "no kind in app/src/command/doctor/catalogue.rs names {unnamed:?}"
        );
        let gone: Vec<&String> = once.difference(&made).collect();
        assert!(gone.is_empty(), "no migration makes {gone:?}");
    }
}
