//! The simulated API as the demo plays with it: what others do there, and what it was asked.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Result, eventually, simulator};

/// How long the operator may take to call.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running simulator.
pub(super) struct Simulator(simulator::Simulator);

/// A request that the simulated API has seen.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Call {
    seq: u64,
    method: String,
    path: String,
    status: Option<u16>,
}

impl Simulator {
    pub(super) async fn start(folder: &Path, deployments: usize) -> Result<Self> {
        let arguments = ["--deployments", &deployments.to_string()];
        Ok(Self(simulator::Simulator::start(folder, arguments).await?))
    }

    /// What the operator is given.
    pub(super) fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The ids of its deployments.
    pub(super) async fn ids(&self) -> Result<Vec<String>> {
        self.0.ids().await
    }

    /// The remote status of a deployment.
    pub(super) async fn status(&self, id: &str) -> Result<String> {
        let deployment: Value = self.0.get(&format!("deployments/{id}")).await?;
        let status = deployment.get("status").and_then(Value::as_str);
        Ok(status.context("a deployment without a status")?.to_owned())
    }

    /// Someone resumes a deployment by hand.
    pub(super) async fn unpause(&self, id: &str) -> Result<()> {
        self.0.tell(Method::POST, &format!("deployments/{id}/unpause"), &json!({})).await
    }

    /// The platform pauses a deployment because of an error of this type.
    pub(super) async fn pause_by_error(&self, id: &str, error: &str) -> Result<()> {
        let path = format!("deployments/{id}/pause_by_error");
        self.0.tell(Method::POST, &path, &json!({"type": error})).await
    }

    /// What the API has seen after the request number `mark`, without what is still under way.
    pub(super) async fn calls(&self, mark: u64) -> Result<Vec<Call>> {
        let mut calls: Vec<Call> = self.0.journal(mark).await?;
        calls.retain(|call| call.status.is_some());
        Ok(calls)
    }

    /// The number of the last request: what comes after it is new.
    pub(super) async fn mark(&self) -> Result<u64> {
        Ok(self.calls(0).await?.last().map_or(0, |call| call.seq))
    }

    /// Waits until the calls after `mark` are enough.
    pub(super) async fn wait_for_calls(
        &self,
        mark: u64,
        what: &str,
        enough: impl Fn(&[Call]) -> bool,
    ) -> Result<Vec<Call>> {
        let calls = eventually(DEADLINE, async || {
            let calls = self.calls(mark).await?;
            Ok(enough(&calls).then_some(calls))
        });
        calls.await?.with_context(|| format!("the API saw no {what} within {DEADLINE:?}"))
    }
}

impl Call {
    /// Whether it was to change something.
    pub(super) fn is_write(&self) -> bool {
        self.method == "POST"
    }

    /// As `POST /deployments/dep_1/pause`, without the part of the path that all have.
    pub(super) fn line(&self) -> String {
        let path = self.path.strip_prefix("/api/v1/cloud").unwrap_or(&self.path);
        format!("{:4} {path}", self.method)
    }

    /// The status that was answered.
    pub(super) fn status(&self) -> u16 {
        self.status.unwrap_or_default()
    }
}
