//! The limits that hold everywhere. A limit of one service stands in that service's `model.rs`.

use std::time::Duration;

/// Largest body of a request that is not an upload, in bytes.
pub const REQUEST_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Largest upload, in bytes.
pub const UPLOAD_BYTES_MAX: usize = 50 * 1024 * 1024;

/// Items on a page when the request names no number.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;

/// Most items on a page.
pub const PAGE_ITEMS_MAX: u32 = 200;

/// Longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// How long a recorded answer to an idempotency key is kept.
pub const IDEMPOTENCY_KEY_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Longest that a request may take; a long poll has its own, longer bound.
pub const REQUEST_DURATION_MAX: Duration = Duration::from_secs(30);
