//! The Helm chart, with Helm 3 and Helm 4: what it renders, what it refuses, and its life on a real API server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod document;
mod extras;
mod families;
mod flags;
mod helm;
mod hook;
mod release;
mod releasing;
mod same;
mod schema;
mod snapshots;
mod takeover;
mod values;
