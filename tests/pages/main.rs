//! The pages for whoever runs a cluster: their commands as they stand, and the manifests that they lead to, on a real API server. There is no
//! kubelet: no Pod ever runs, and what needs one is marked in the page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod blocks;
mod cluster;
mod examples;
mod lease;
mod pause;
mod restore;
mod security;
mod tenants;
