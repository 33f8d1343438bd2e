//! The simulator's executable as a process, and its control API over HTTP.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::operator::http_client;
use crate::process::workspace_binary;
use crate::{Process, Result};

/// How long it may take to start: with a hundred thousand deployments it takes a while.
const DEADLINE: Duration = Duration::from_secs(120);

/// A running simulator.
pub(crate) struct Simulator {
    process: Process,
    pub(crate) http: reqwest::Client,
    /// What the operator is given.
    pub(crate) base_url: String,
    /// Scheme, host and port.
    pub(crate) origin: String,
}

impl Simulator {
    /// Starts it on a free port, with these further arguments.
    pub(crate) async fn start(
        folder: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Self> {
        let mut command = Command::new(workspace_binary("qoder-simulator")?);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let process = Process::spawn("simulator", &command, &folder.join("simulator.log"))?;
        let url = process.wait_for_line("a base URL", DEADLINE, |line| {
            line.starts_with("http://").then(|| line.trim().to_owned())
        });
        let base_url = url.await?;
        let authority = base_url.split('/').nth(2).context("a base URL without a host")?;
        let origin = format!("http://{authority}");
        Ok(Self { process, http: http_client()?, base_url, origin })
    }

    /// The ids of its deployments, in the order of their seeds.
    pub(crate) async fn ids(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Ids {
            ids: Vec<String>,
        }
        Ok(self.get::<Ids>("deployments").await?.ids)
    }

    /// The requests after the number `mark`, in the order of arrival.
    pub(crate) async fn journal<T: DeserializeOwned>(&self, mark: u64) -> Result<Vec<T>> {
        self.get(&format!("journal?since={mark}")).await
    }

    /// Asks its control API.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/_sim/{path}", self.origin)).send().await;
        let answer = answer
            .with_context(|| format!("the simulator is gone:\n{}", self.process.log_tail()))?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Tells its control API.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let url = format!("{}/_sim/{path}", self.origin);
        checked(self.http.request(method, url).json(body).send().await?).await
    }
}

/// An answer that is a success.
pub(crate) async fn checked(answer: reqwest::Response) -> Result<()> {
    let status = answer.status();
    let body = answer.text().await?;
    ensure!(status.is_success(), "the simulator answered {status}: {body}");
    Ok(())
}
