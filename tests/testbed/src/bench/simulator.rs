//! The simulated API as a process of its own, its journal, and its clock beside ours.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;
use crate::simulator::{self, checked};

/// The token that the simulator accepts unless it is told another one.
pub(super) const TOKEN: &str = "pt-simulator";
/// How long every request takes at the API.
pub(super) const LATENCY: Duration = Duration::from_millis(50);
/// What the vendor allows, and the simulator enforces with 429.
pub(super) const READS_PER_SECOND: u32 = 50;
/// See [`READS_PER_SECOND`].
pub(super) const WRITES_PER_SECOND: u32 = 20;

/// How many round trips the clocks are compared by; the fastest counts.
const CLOCK_SAMPLES: usize = 20;

/// Which generation of the API is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
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

    /// How many pages a list with so many entries has.
    pub(super) fn pages(self, entries: usize) -> usize {
        entries.div_ceil(self.page())
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
    process: simulator::Simulator,
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
        let (reads, writes) = (READS_PER_SECOND.to_string(), WRITES_PER_SECOND.to_string());
        let arguments = [
            "--dialect".as_ref(),
            dialect.name().as_ref(),
            "--seed".as_ref(),
            file.as_os_str(),
            "--reads-per-second".as_ref(),
            reads.as_ref(),
            "--writes-per-second".as_ref(),
            writes.as_ref(),
            // Whoever counts calls needs all of them.
            "--journal".as_ref(),
            "10000000".as_ref(),
        ];
        let process = simulator::Simulator::start(folder, arguments).await?;
        let ids = process.ids().await?;
        let (epoch, clock_error) = (Instant::now(), Duration::MAX);
        let mut simulator = Self { process, ids, epoch, clock_error };
        ensure!(simulator.ids.len() == paused.len(), "the simulator has other deployments");
        simulator.compare_clocks().await?;
        simulator.set(&json!({"latency_ms": LATENCY.as_millis()})).await?;
        Ok(simulator)
    }

    /// What the operator is given.
    pub(super) fn base_url(&self) -> &str {
        &self.process.base_url
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
        self.process.tell(Method::PATCH, "settings", settings).await
    }

    /// Somebody pauses or resumes a deployment behind the operator's back.
    pub(super) async fn drift(&self, id: &str, paused: bool) -> Result<()> {
        let verb = if paused { "pause" } else { "unpause" };
        let path = format!("deployments/{id}/{verb}");
        self.process.tell(Method::POST, &path, &json!({})).await
    }

    /// The number of the last call: what comes after it is new.
    pub(super) async fn mark(&self) -> Result<u64> {
        Ok(self.calls(0).await?.last().map_or(0, |call| call.seq))
    }

    /// The calls after the mark, in the order of arrival.
    pub(super) async fn calls(&self, mark: u64) -> Result<Vec<Call>> {
        self.process.journal(mark).await
    }

    /// A call that goes through the API while it has no latency is in the journal at half of its
    /// round trip, give or take that half.
    async fn compare_clocks(&mut self) -> Result<()> {
        for _ in 0..CLOCK_SAMPLES {
            let mark = self.mark().await?;
            let sent = Instant::now();
            let url = format!("{}/deployments?limit=1", self.base_url());
            let answer = self.process.http.get(url).bearer_auth(TOKEN).send().await?;
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
}
