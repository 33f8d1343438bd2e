//! The simulated API as a process of its own, its journal, and its clock beside ours.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::operator::http_client;
use crate::process::workspace_binary;
use crate::{Process, Result};

/// The token that the simulator accepts unless it is told another one.
pub(super) const TOKEN: &str = "pt-simulator";
/// How long every request takes at the API.
pub(super) const LATENCY: Duration = Duration::from_millis(50);
/// What the vendor allows, and the simulator enforces with 429.
pub(super) const READS_PER_SECOND: u32 = 50;
/// See [`READS_PER_SECOND`].
pub(super) const WRITES_PER_SECOND: u32 = 20;

/// How long it may take to start.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many round trips the clocks are compared by; the fastest counts.
const CLOCK_SAMPLES: usize = 20;

/// Which generation of the API is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Dialect {
    /// Pages of 1,000.
    D1,
    /// Pages of 100.
    D2,
}

impl Dialect {
    /// Entries in the largest page that it gives.
    pub(super) fn page(self) -> usize {
        match self {
            Self::D1 => 1000,
            Self::D2 => 100,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::D1 => "d1",
            Self::D2 => "d2",
        }
    }
}

/// A running simulator.
pub(super) struct Simulator {
    process: Process,
    http: reqwest::Client,
    pub(super) base_url: String,
    origin: String,
    /// The ids of its deployments, in the order of their seeds.
    pub(super) ids: Vec<String>,
    /// Our time when the journal's clock said 0.
    epoch: Instant,
    /// By how much `epoch` may be wrong.
    pub(super) clock_error: Duration,
}

/// A request that the API has received.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Call {
    pub(super) seq: u64,
    at_us: u64,
    pub(super) method: String,
    pub(super) operation: String,
    pub(super) id: Option<String>,
    pub(super) status: Option<u16>,
}

impl Call {
    /// When it arrived, by the simulator's clock.
    pub(super) fn at(&self) -> Duration {
        Duration::from_micros(self.at_us)
    }

    pub(super) fn is_write(&self) -> bool {
        self.method == "POST"
    }
}

impl Simulator {
    /// Starts it with a deployment for each of `paused`, which says whether it is.
    pub(super) async fn start(folder: &Path, dialect: Dialect, paused: &[bool]) -> Result<Self> {
        let status = |paused: &bool| if *paused { "paused" } else { "active" };
        let seeds: Vec<Value> = paused.iter().map(|it| json!({"status": status(it)})).collect();
        let file = folder.join("deployments.json");
        fs::write(&file, serde_json::to_vec(&seeds)?)?;
        let mut command = Command::new(workspace_binary("qoder-simulator")?);
        command
            .args(["--listen", "127.0.0.1:0", "--dialect", dialect.name()])
            .arg("--seed")
            .arg(&file)
            .args(["--reads-per-second", &READS_PER_SECOND.to_string()])
            .args(["--writes-per-second", &WRITES_PER_SECOND.to_string()]);
        let process = Process::spawn("simulator", &command, &folder.join("simulator.log"))?;
        let url = process.wait_for_line("a base URL", DEADLINE, |line| {
            line.starts_with("http://").then(|| line.trim().to_owned())
        });
        let base_url = url.await?;
        let authority = base_url.split('/').nth(2).context("a base URL without a host")?;
        let origin = format!("http://{authority}");
        let http = http_client()?;
        let (ids, epoch, clock_error) = (Vec::new(), Instant::now(), Duration::MAX);
        let mut simulator = Self { process, http, base_url, origin, ids, epoch, clock_error };
        simulator.ids = simulator.all_ids().await?;
        ensure!(simulator.ids.len() == paused.len(), "the simulator has other deployments");
        simulator.compare_clocks().await?;
        simulator.set(&json!({"latency_ms": LATENCY.as_millis()})).await?;
        Ok(simulator)
    }

    /// Our time of a time of the journal.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.epoch + at
    }

    /// The journal's time of now.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Changes settings.
    pub(super) async fn set(&self, settings: &Value) -> Result<()> {
        let url = format!("{}/_sim/settings", self.origin);
        checked(self.http.patch(url).json(settings).send().await?).await
    }

    /// Somebody pauses or resumes a deployment behind the operator's back.
    pub(super) async fn drift(&self, id: &str, paused: bool) -> Result<()> {
        let verb = if paused { "pause" } else { "unpause" };
        let url = format!("{}/_sim/deployments/{id}/{verb}", self.origin);
        checked(self.http.post(url).json(&json!({})).send().await?).await
    }

    /// The number of the last call: what comes after it is new.
    pub(super) async fn mark(&self) -> Result<u64> {
        Ok(self.calls(0).await?.last().map_or(0, |call| call.seq))
    }

    /// The calls after the mark, in the order of arrival.
    pub(super) async fn calls(&self, mark: u64) -> Result<Vec<Call>> {
        self.get(&format!("journal?since={mark}")).await
    }

    /// A call that goes through the API while it has no latency is in the journal at half of its
    /// round trip, give or take that half.
    async fn compare_clocks(&mut self) -> Result<()> {
        for _ in 0..CLOCK_SAMPLES {
            let mark = self.mark().await?;
            let sent = Instant::now();
            let url = format!("{}/deployments?limit=1", self.base_url);
            let answer = self.http.get(url).bearer_auth(TOKEN).send().await?;
            let half = sent.elapsed() / 2;
            checked(answer).await?;
            let call = self.calls(mark).await?.pop().context("the journal lacks a call")?;
            let epoch = (sent + half).checked_sub(call.at()).context("it started before time")?;
            if half < self.clock_error {
                (self.epoch, self.clock_error) = (epoch, half);
            }
        }
        Ok(())
    }

    async fn all_ids(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Ids {
            ids: Vec<String>,
        }
        Ok(self.get::<Ids>("deployments").await?.ids)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/_sim/{path}", self.origin)).send().await;
        let answer = answer
            .with_context(|| format!("the simulator is gone:\n{}", self.process.log_tail()))?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

async fn checked(answer: reqwest::Response) -> Result<()> {
    let status = answer.status();
    let body = answer.text().await?;
    ensure!(status.is_success(), "the simulator answered {status}: {body}");
    Ok(())
}
