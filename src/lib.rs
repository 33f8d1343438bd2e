//! The Qoder operator: pauses and resumes deployments of Qoder Cloud Agents as `QoderDeployment`
//! resources say, and writes what it sees into their status.
//!
//! The story in one breath: [`controller`] watches the resources into an index and puts the
//! deployments that they name into a work queue; a worker takes one and makes a pass of
//! [`reconcile`] over it, with what [`resources`] and [`remote`] know. A pass may begin one write, which goes
//! out through the client in [`qoder`], beside the workers; another pass follows its end. The decision, and what
//! a status says, are pure functions; [`times`] has the times that follow from the flags; [`env`](mod@env) is the
//! only source of chance and of wall-clock time.
//!
//! ```text
//! Kubernetes --watch--> index --key--> work queue --key--> worker: one pass --status--> Kubernetes
//!                         |              ^  ^  ^             |   |
//!                    binds ids           |  |  |             |   +--permit?--> account
//!                         v              |  |  +--granted----|--------------------+
//!                      observer -changed-+  |                +--begins--> write ------> pause / unpause
//!                         ^ (list or get)   +--ended---------|--------------+
//!                         +------------------<--demand-------+
//! ```
//!
//! Dependencies point one way: `controller` -> `reconcile` -> `resources` -> `remote` -> `qoder`, and all of
//! them -> `api`.

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
pub mod chain;
pub mod check;
pub mod config;
pub mod context;
pub mod controller;
pub mod env;
pub mod fair_queue;
pub mod kubernetes;
pub mod leader;
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
pub mod traces;
