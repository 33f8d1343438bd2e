//! The Qoder operator: pauses and resumes deployments of Qoder Cloud Agents as `QoderDeployment`
//! resources say, and writes what it sees into their status.
//!
//! The story in one breath: [`controller`] watches the resources into an index and puts the
//! deployments that they name into a work queue; a worker takes one and reconciles it, with what
//! [`fleet`] knows of the remote through the client in [`qoder`]; the decision and everything that
//! follows from it are pure functions in [`reconcile`], and [`times`] has every span of time.
//!
//! ```text
//! Kubernetes --watch--> index --key--> work queue --> workers: reconcile(key) --status--> Kubernetes
//!                         |               ^   ^             |        |
//!                    binds ids            |   |             |        +--turn?--> account --> pause / unpause
//!                         v               |   +--its turn---+--------<-----------+
//!                      observer --changed-+                 |
//!                         ^  (list or get)  <----demand-----+
//! ```
//!
//! Dependencies point one way: `controller` -> `reconcile` -> `fleet` -> `qoder`, and everything
//! -> `api`.

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
pub mod check;
pub mod config;
pub mod controller;
pub mod env;
pub mod fleet;
mod lock;
pub mod metrics;
pub mod qoder;
pub mod reconcile;
pub mod server;
pub mod telemetry;
pub mod times;
