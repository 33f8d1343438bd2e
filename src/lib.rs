//! The Qoder operator: pauses and resumes deployments of Qoder Cloud Agents as `QoderDeployment`
//! resources say, and writes what it sees into their status.
//!
//! The story in one breath: [`controller`] watches the resources into an index and puts the
//! deployments that they name into a work queue; a worker takes one and makes a pass of
//! [`reconcile`] over it, with what [`resources`] and [`remote`] know, through the client in [`qoder`]. The
//! decision and everything that follows from it are pure functions, [`times`] has every span of time, and
//! [`env`](mod@env) is the only source of chance.
//!
//! ```text
//! Kubernetes --watch--> index --key--> work queue --> workers: reconcile(key) --status--> Kubernetes
//!                         |               ^   ^             |        |
//!                    binds ids            |   |             |        +--permit?--> account --> pause / unpause
//!                         v               |   +--its turn---+--------<-----------+
//!                      observer --changed-+                 |
//!                         ^  (list or get)  <----demand-----+
//! ```
//!
//! Dependencies point one way: `controller` -> `reconcile` -> `resources` -> `remote` -> `qoder`, and everything
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
pub mod fair_queue;
pub mod kubernetes;
mod lock;
mod loopback;
pub mod metrics;
pub mod qoder;
pub mod reconcile;
pub mod remote;
pub mod resources;
pub mod server;
pub mod telemetry;
pub mod times;
