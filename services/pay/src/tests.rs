//! Routes of the ledger through the real router, on both engines.
