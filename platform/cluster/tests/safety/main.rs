//! Never a lost write, searched: a model of fail-over, and a model checker that tries every order of what can happen.
//!
//! The argument in words, with the same rules under the same numbers: docs/decisions/0006-never-a-lost-write.md.
//!
//! * `rules`: the rules, each with its switch, and the bounds of the search
//! * `state`, `log`: the cluster at one moment
//! * `patroni`, `node`, `fault`: what can happen next
//! * `model`: what must hold always; `symmetry`: which states are the same
//! * `search`: the checker, and how it tells what it found
//! * `kept`: with the rules nothing is lost; `lost`: without any one of them something is; `remaining`: what is left;
//!   `wide`: wider bounds, on request

mod fault;
mod kept;
mod log;
mod lost;
mod model;
mod node;
mod patroni;
mod remaining;
mod rules;
mod search;
mod state;
mod symmetry;
mod wide;
