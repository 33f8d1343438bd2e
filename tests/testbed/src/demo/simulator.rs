//! The simulator's executable as a process, and its control API over HTTP.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::operator::http_client;
use crate::process::workspace_binary;
use crate::{Process, Result, eventually};

/// How long the simulator may take to start, and the operator to call.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running simulator.
pub(super) struct Simulator {
    process: Process,
    http: reqwest::Client,
    /// What the operator is given.
    pub(super) base_url: String,
    /// Scheme, host and port.
    pub(super) origin: String,
}

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
        let mut command = Command::new(workspace_binary("qoder-simulator")?);
        command.args(["--listen", "127.0.0.1:0", "--deployments", &deployments.to_string()]);
        let process = Process::spawn("simulator", &command, &folder.join("simulator.log"))?;
        let url = process.wait_for_line("a base URL", DEADLINE, |line| {
            line.starts_with("http://").then(|| line.trim().to_owned())
        });
        let base_url = url.await?;
        let authority = base_url.split('/').nth(2).context("a base URL without a host")?;
        let origin = format!("http://{authority}");
        Ok(Self { process, http: http_client()?, base_url, origin })
    }

    /// The ids of its deployments.
    pub(super) async fn ids(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Ids {
            ids: Vec<String>,
        }
        Ok(self.get::<Ids>("deployments").await?.ids)
    }

    /// The remote status of a deployment.
    pub(super) async fn status(&self, id: &str) -> Result<String> {
        let deployment: Value = self.get(&format!("deployments/{id}")).await?;
        let status = deployment.get("status").and_then(Value::as_str);
        Ok(status.context("a deployment without a status")?.to_owned())
    }

    /// Someone resumes a deployment by hand.
    pub(super) async fn unpause(&self, id: &str) -> Result<()> {
        self.post(&format!("deployments/{id}/unpause"), &json!({})).await
    }

    /// The platform pauses a deployment because of an error of this type.
    pub(super) async fn pause_by_error(&self, id: &str, error: &str) -> Result<()> {
        self.post(&format!("deployments/{id}/pause_by_error"), &json!({"type": error})).await
    }

    /// What the API has seen after the request number `mark`, without what is still under way.
    pub(super) async fn calls(&self, mark: u64) -> Result<Vec<Call>> {
        let mut calls: Vec<Call> = self.get(&format!("journal?since={mark}")).await?;
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

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/_sim/{path}", self.origin)).send().await;
        let answer = answer
            .with_context(|| format!("the simulator is gone:\n{}", self.process.log_tail()))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<()> {
        let answer =
            self.http.post(format!("{}/_sim/{path}", self.origin)).json(body).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "the simulator answered {status}: {}", answer.text().await?);
        Ok(())
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
