//! A Kubernetes API server in memory, below `kube::Client`, for driver tests of the operator on
//! tokio's paused clock.
//!
//! There is `kube-fake-client`, which answers single requests. It has no watches, no streaming
//! lists and no virtual time, and it cannot hold back or lose an answer after its effect, which is
//! what a driver test is about; so this is our own.
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use apiserver::{ApiServer, Match};
//! use serde_json::json;
//!
//! let server = ApiServer::new();
//! let manifest = json!({
//!     "metadata": {"namespace": "agents", "name": "a"},
//!     "spec": {"deploymentID": "dep_1", "paused": true},
//! });
//! server.deployments().create(manifest)?;
//! let held = server.on(Match::status_patches().name("a")).hold_answer();
//! let client = server.client(); // for what is tested
//! held.arrived().await; // it has taken effect, and its answer waits
//! server.deployments().edit("agents", "a", |object| object["spec"]["paused"] = json!(false))?;
//! held.drop_held(); // the client sees a broken connection
//! assert_eq!(server.changes().len(), 1);
//! # Ok(()) }
//! ```
//!
//! It must not lie: `tests/differential.rs` sends the same requests to it and to a real
//! kube-apiserver, and compares the answers.
//!
//! - [`ApiServer`] is what a test holds: clients, faults, rights, the journal;
//! - [`Objects`] are the objects as users see and change them;
//! - [`Match`], [`On`] and [`Rule`] hold, lose, delay or refuse requests;
//! - [`Watch`] does the same to the events of a watch.

mod builtin;
mod failure;
mod feed;
mod fields;
mod journal;
mod json;
mod kind;
mod managers;
mod merge;
mod meta;
mod objects;
mod options;
mod read;
mod request;
mod rule;
mod save;
mod schema;
mod server;
mod service;
mod store;
mod times;
mod typed;
mod validate;
mod watches;
mod write;

pub use failure::Failure;
pub use journal::Entry;
pub use objects::Objects;
pub use request::Verb;
pub use rule::{Match, On, Rule};
pub use server::ApiServer;
pub use service::Service;
pub use watches::Watch;
