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
pub mod qoder;
