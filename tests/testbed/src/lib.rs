//! A real control plane, the simulator and the operator as processes, for stories and the demo.
//!
//! A story (an integration test of the operator) reads like this:
//!
//! ```no_run
//! # async fn story() -> testbed::Result<()> {
//! use testbed::Bed;
//!
//! let bed = Bed::new("pause").await?;
//! let operator = bed.operator().base_url("http://127.0.0.1:1").token("pt-story").start().await?;
//! bed.apply("nightly", serde_json::json!({"deploymentID": "dep_1", "paused": true})).await?;
//! bed.wait_ready("nightly").await?;
//! # operator.terminate().await?;
//! # Ok(()) }
//! ```
//!
//! - [`binaries`] finds or builds `etcd` and `kube-apiserver`;
//! - [`process`] and [`supervise`]: whatever was started ends with the process that started it;
//! - [`controlplane`] runs a control plane, or borrows the cluster of `KUBECONFIG_TEST`; [`port`] keeps its ports for it;
//! - [`bed`] is what one story needs: a namespace, the shipped CRD and rights, waiting by watch;
//! - [`operator`] runs the operator's executable against it; [`proxy`] cuts it off from the API server, and [`gateway`] answers in
//!   the API server's place;
//! - [`canary`] and [`rights`]: no story leaks its token, or uses a right that is not granted;
//! - [`readiness`] and [`table`] say what kubectl, Flux and Helm would say of a resource;
//! - [`prometheus`] is a real one that scrapes the operator, and [`exposition`] what a scrape says;
//! - [`gitops`] asks their own code, and the Lua that Argo CD has;
//! - [`bench`] measures what fleets cost;
//! - [`tools`]: Helm and kustomize;
//! - [`demo`] and [`up`] are for people.

pub mod access;
pub mod bed;
pub mod bench;
pub mod binaries;
pub mod canary;
pub mod controlplane;
pub mod demo;
pub mod exposition;
pub mod gateway;
pub mod gitops;
mod go;
mod install;
pub mod operator;
pub mod port;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod readiness;
mod recorder;
pub mod rights;
mod servers;
mod simulator;
mod source;
pub mod supervise;
pub mod table;
pub mod tools;
pub mod up;
mod wait;

pub use bed::Bed;
pub use canary::Canary;
pub use controlplane::{ControlPlane, Own};
pub use gateway::Gateway;
pub use operator::Operator;
pub use port::ReservedPort;
pub use process::Process;
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use readiness::{Kstatus, kstatus};
pub use table::Table;

/// What every fallible function of the testbed returns: stories only ever print the error.
pub type Result<T> = anyhow::Result<T>;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The root of the repository, where the manifests that users install are.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Asks `probe` again and again until it has an answer, or until `deadline` has passed.
///
/// For what cannot be watched: files that another process writes, and HTTP probes.
///
/// # Errors
///
/// What the probe says.
pub async fn eventually<T>(
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe().await? {
            return Ok(Some(answer));
        }
        if start.elapsed() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
