//! stub
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that meets the impossible should stop there"
    )
)]
pub mod api;
pub mod fleet;
pub mod metrics;
pub mod qoder;
pub mod reconcile;
pub mod times;
