//! Waiting for a resource to become what a story expects, by watch.

use std::fmt::Write;
use std::time::Duration;

use anyhow::bail;
use futures::{StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use qoder_operator::api::QoderDeployment;

use crate::bed::DEADLINE;
use crate::readiness::is_ready;
use crate::{Bed, Result, operator};

impl Bed {
    /// Waits, by a watch that starts with a fresh read, until `holds` says so of the resource.
    ///
    /// # Errors
    ///
    /// After [`DEADLINE`]; the message has the last status seen and the tails of the operators' logs.
    pub async fn wait_until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&QoderDeployment) -> bool,
    ) -> Result<QoderDeployment> {
        self.wait_until_for(DEADLINE, name, what, holds).await
    }

    /// [`wait_until`](Self::wait_until) with another deadline.
    ///
    /// # Errors
    ///
    /// After `deadline`.
    pub async fn wait_until_for(
        &self,
        deadline: Duration,
        name: &str,
        what: &str,
        holds: impl Fn(&QoderDeployment) -> bool,
    ) -> Result<QoderDeployment> {
        let states = watch_object(self.api(), name).default_backoff();
        let mut last = None;
        let seen = async {
            pin_mut!(states);
            loop {
                // An interrupted watch starts again by itself.
                let Some(state) = states.next().await else { bail!("the watch of {name} ended") };
                let Ok(state) = state else { continue };
                last = state;
                if let Some(object) = last.take_if(|object| holds(object)) {
                    return Ok(object);
                }
            }
        };
        match tokio::time::timeout(deadline, seen).await {
            Ok(seen) => seen,
            Err(_) => {
                bail!("{name} was not {what} within {deadline:?}\n{}", self.scene(last.as_ref()))
            }
        }
    }

    /// `kubectl wait --for=condition=Ready`.
    ///
    /// # Errors
    ///
    /// As [`wait_until`](Self::wait_until).
    pub async fn wait_ready(&self, name: &str) -> Result<QoderDeployment> {
        self.wait_until(name, "Ready", is_ready).await
    }

    /// What a person would look at first when a wait has failed.
    fn scene(&self, last: Option<&QoderDeployment>) -> String {
        let mut scene = match last {
            None => "it does not exist\n".to_owned(),
            Some(object) => format!(
                "generation {:?}, spec {}\nstatus {}\n",
                object.metadata.generation,
                serde_json::to_string(&object.spec).unwrap_or_default(),
                serde_json::to_string_pretty(&object.status).unwrap_or_default(),
            ),
        };
        for (name, tail) in operator::log_tails(self.folder()) {
            let _ = write!(scene, "{name}:\n{tail}");
        }
        scene
    }
}
