//! The routes of continuity through the real router, on both engines. The rules' own tests stand in `model`.
#![allow(clippy::unwrap_used)]
