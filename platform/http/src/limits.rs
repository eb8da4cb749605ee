//! The bounds of the HTTP side, each with the number that is right for a small machine.

use std::num::NonZeroU32;
use std::time::Duration;

use haechi_base::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_DURATION_MAX};

/// So many a second on average, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Sustained, a second.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; zero counts as one.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        let one = NonZeroU32::MIN;
        Self {
            per_second: match NonZeroU32::new(per_second) {
                Some(number) => number,
                None => one,
            },
            burst: match NonZeroU32::new(burst) {
                Some(number) => number,
                None => one,
            },
        }
    }
}

/// What a caller may ask of this node.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Largest body, in bytes, where a route does not say otherwise by `DefaultBodyLimit`.
    pub body_bytes_max: usize,
    /// Longest that a request may take.
    pub request_duration_max: Duration,
    /// Longest that a request on one of `slow_routes` may take: a long poll or an upload.
    pub slow_request_duration_max: Duration,
    /// Routes (as they were registered, with their `{parameters}`) that may take longer.
    pub slow_routes: Vec<&'static str>,
    /// Requests of one signed-in session; `None` for no limit.
    pub session_rate: Option<Rate>,
    /// Requests of one network address without a valid sign-in; `None` for no limit.
    pub stranger_rate: Option<Rate>,
    /// Whether a proxy that we trust stands in front and says in `X-Forwarded-For` who calls.
    pub behind_proxy: bool,
    /// Whether people reach us by https only: then their browsers are told so (RFC 6797), for a year.
    pub https_only: bool,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: REQUEST_BODY_BYTES_MAX,
            request_duration_max: REQUEST_DURATION_MAX,
            slow_request_duration_max: Duration::from_secs(300),
            slow_routes: Vec::new(),
            session_rate: Some(Rate::new(100, 500)),
            stranger_rate: Some(Rate::new(50, 500)),
            behind_proxy: false,
            https_only: false,
        }
    }
}
