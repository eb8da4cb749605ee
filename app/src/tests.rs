//! Tests of the wiring.
