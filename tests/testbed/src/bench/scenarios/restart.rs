//! The operator stops and starts while everything is in sync: it reads, and writes nothing.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::{calls_that, deadline};
use crate::bench::figure::{Bar, Figure};
use crate::bench::promise::Promise;
use crate::bench::simulator::{Call, LATENCY};
use crate::bench::stage::{Stage, StatusWrites};
use crate::bench::subject::{Program, Subject};
use crate::{Result, eventually};

/// What may come after the list, had there been a needless write.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Stops it and starts it.
pub(in crate::bench) async fn restart(
    stage: &Stage,
    subject: Subject,
) -> Result<(Subject, Vec<Figure>)> {
    subject.terminate().await?;
    let start = Beginning::now(stage).await?;
    let subject = stage.start(Program::Operator)?;
    let cost = start.cost(stage, &subject).await?;
    let promise = Promise::of(stage.resources());
    let figures = vec![
        Figure::measure("restart: all is known after", cost.seconds, "s")
            .at_most(promise.restart(stage.dialect)),
        Figure::count("restart: reads", cost.reads),
        Figure::count("restart: remote writes", cost.writes).bar(Bar::Exactly(0.0)),
        Figure::count("restart: status writes", cost.status_writes).bar(Bar::Exactly(0.0)),
        Figure::measure("peak memory after the restart", subject.peak_mib()?, "MiB")
            .at_most(promise.peak),
    ];
    Ok((subject, figures))
}

/// When a process begins to work, and what has been counted until then.
pub(super) struct Beginning {
    at: Instant,
    mark: u64,
    status_writes: StatusWrites,
}

/// What it costs until all is known, which is when both lists are complete, and a little later.
pub(super) struct Cost {
    pub(super) seconds: f64,
    pub(super) reads: usize,
    pub(super) writes: usize,
    pub(super) status_writes: usize,
}

impl Beginning {
    pub(super) async fn now(stage: &Stage) -> Result<Self> {
        let mark = stage.simulator.mark().await?;
        let status_writes = stage.status_writes().await?;
        Ok(Self { at: Instant::now(), mark, status_writes })
    }

    pub(super) async fn cost(self, stage: &Stage, subject: &Subject) -> Result<Cost> {
        let (listed, synced) =
            tokio::try_join!(listed(stage, self.mark), subject.synced(deadline(stage)))?;
        tokio::time::sleep(AFTERMATH).await;
        let StatusWrites { done, refused } = stage.status_writes().await?.since(self.status_writes);
        let calls = stage.simulator.calls(self.mark).await?;
        Ok(Cost {
            seconds: listed.max(synced).duration_since(self.at).as_secs_f64(),
            reads: calls_that(&calls, |call| !call.is_write()),
            writes: calls_that(&calls, Call::is_write),
            status_writes: done + refused,
        })
    }
}

/// When the last page of the first full list after the mark was answered.
pub(super) async fn listed(stage: &Stage, mark: u64) -> Result<Instant> {
    let last = eventually(deadline(stage), async || {
        let calls = stage.simulator.calls(mark).await?;
        let pages = calls.iter().filter(|call| call.operation == "list" && is_good(call));
        Ok(pages.map(Call::at).nth(stage.pages() - 1))
    });
    let last = last.await?.context("there was no full list")?;
    Ok(stage.simulator.instant(last + LATENCY))
}

fn is_good(call: &Call) -> bool {
    call.status == Some(200)
}
