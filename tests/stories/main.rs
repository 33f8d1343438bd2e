//! User stories: the shipped binary, with the shipped rights, on a real API server, against the
//! simulator. Each has its own namespace, simulator and operator, and they run side by side.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

#[path = "../catalogue/mod.rs"]
mod catalogue;
mod credential;
mod diagnosis;
mod drift;
mod every_fault;
mod faults;
mod gitops;
mod gone;
mod identity;
mod kubernetes;
mod leader;
mod paused;
mod platform;
mod process;
mod rights;
mod secrets;
mod story;
mod traces;
