//! The operator stops and starts while everything is in sync: it reads, and writes nothing.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::{calls_that, deadline};
use crate::bench::figure::{Bar, Figure};
use crate::bench::promise::Promise;
use crate::bench::simulator::{Call, LATENCY};
use crate::bench::stage::Stage;
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
    let mark = stage.simulator.mark().await?;
    let before = stage.status_writes().await?;
    let start = Instant::now();
    let subject = stage.start(Program::Operator)?;
    let listed = listed(stage, mark).await?.duration_since(start).as_secs_f64();
    tokio::time::sleep(AFTERMATH).await;
    let writes = stage.status_writes().await?.since(before);
    let calls = stage.simulator.calls(mark).await?;
    let promise = Promise::of(stage.resources());
    let figures = vec![
        Figure::measure("restart: all is known after", listed, "s")
            .at_most(promise.restart(stage.dialect)),
        Figure::count("restart: reads", calls_that(&calls, |call| !call.is_write())),
        Figure::count("restart: remote writes", calls_that(&calls, Call::is_write))
            .bar(Bar::Exactly(0.0)),
        Figure::count("restart: status writes", writes.done + writes.refused)
            .bar(Bar::Exactly(0.0)),
        Figure::measure("peak memory after the restart", subject.peak_mib()?, "MiB")
            .at_most(promise.peak),
    ];
    Ok((subject, figures))
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
