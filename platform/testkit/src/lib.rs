//! Databases, clocks and routers for tests: each test on a fresh database, on both engines, through the real
//! router with its layers.
//!
//! ```text
//! async fn a_stranger_is_refused(store: TestStore) {
//!     let app = app(store).await;
//!     let response = app.get("/api/identity/me").send().await;
//!     assert_problem(&response, 401, "sign-in-needed");
//! }
//!
//! haechi_testkit::on_both_engines!(a_stranger_is_refused);
//! ```
// Development only: a test that cannot get its database or its answer ends by a panic that says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app;
pub mod etcd_server;
pub mod postgres_server;
mod refusals;
mod request;
mod store;
mod terms;

pub use app::{SignedUp, TestApp, Wiring, operator};
pub use refusals::every_route_refuses;
pub use request::{TestRequest, TestResponse, assert_problem};
pub use store::{TestStore, run_test};
pub use terms::Terms;

/// Makes of each `async fn NAME(store: TestStore)` two tests: `NAME::sqlite` and `NAME::postgres`.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                $crate::run_test(async { super::$name($crate::TestStore::sqlite()).await });
            }

            #[test]
            fn postgres() {
                $crate::run_test(async { super::$name($crate::TestStore::postgres().await).await });
            }
        }
    )*};
}
