//! What every service's HTTP looks like: problems, sign-in, JSON in and out, pages, and the layers around it all.
//!
//! A handler takes [`SignedIn`], [`Json`], [`Path`], [`Query`] and returns `Result<Json<T>, Problem>`. Nothing of
//! axum's own refusals reaches a caller: each is turned into an RFC 9457 problem that says what is wrong.

mod authenticate;
mod caller;
mod extract;
mod json;
mod layers;
mod limits;
mod page;
mod problem;
mod rate_limit;

pub use authenticate::{
    Administrator, Authenticated, AuthenticationError, Authenticator, SignedIn, bearer_token,
};
pub use caller::{Caller, Peer};
pub use extract::{IdempotencyKey, Path, Query};
pub use json::{Json, JsonWithBytes, has_nul};
pub use layers::{ErrorStyle, RequestId, layers, requests_answered};
pub use limits::{HttpLimits, Rate};
pub use page::{Page, PageQuery};
pub use problem::{Problem, ProblemDocument};
pub use rate_limit::KeyedLimiter;
