//! An idle fleet: what it costs when nothing happens.

use std::time::Duration;

use super::{PAUSED, POLL_INTERVAL, calls_that, count};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::promise::{AtMost, Promise};
use crate::bench::stage::Stage;
use crate::bench::subject::Subject;

const HOUR: Duration = Duration::from_secs(3600);
/// One full list comes in every so many polls.
const POLLS_A_FULL_LIST: u32 = 20;

/// Nothing happens for `time`.
pub(in crate::bench) async fn idle(
    stage: &Stage,
    subject: &Subject,
    time: Duration,
) -> Result<Vec<Figure>> {
    let mark = stage.simulator.mark().await?;
    let before = stage.status_writes().await?;
    let cpu = subject.cpu_seconds()?;
    tokio::time::sleep(time).await;
    let cpu = subject.cpu_seconds()? - cpu;
    let writes = stage.status_writes().await?.since(before);
    let calls = stage.simulator.calls(mark).await?;
    let reads = calls_that(&calls, |call| !call.is_write());
    let hours = time.as_secs_f64() / HOUR.as_secs_f64();

    let promise = Promise::of(stage.resources());
    Ok(vec![
        Figure::in_an_hour("idle: reads in an hour", reads, hours).at_most(reads_bar(stage, time)),
        Figure::count("idle: remote writes", calls.len() - calls_that(&calls, |c| !c.is_write()))
            .bar(Bar::Exactly(0.0)),
        Figure::count("idle: status writes", writes.done + writes.refused).bar(Bar::Exactly(0.0)),
        Figure::measure("idle: CPU in an hour", cpu / hours, "s").at_most(promise.idle_cpu),
        Figure::measure("idle: resident memory", subject.resident_mib()?, "MiB")
            .at_most(promise.resident),
    ])
}

/// The project's, where it promises something; else a quarter above what the plan costs: the pages with the paused ones
/// at each poll, and the full lists that may fall into the time.
fn reads_bar(stage: &Stage, time: Duration) -> AtMost {
    let hours = time.as_secs_f64() / HOUR.as_secs_f64();
    let full_list = POLL_INTERVAL * POLLS_A_FULL_LIST;
    let (resources, dialect) = (stage.resources(), stage.dialect);
    let promised = Promise::of(resources).idle_reads(resources, dialect);
    if let Some(promised) = promised.filter(|_| time >= full_list) {
        return promised;
    }
    let polls = (time.as_secs_f64() / POLL_INTERVAL.as_secs_f64()).ceil();
    let full_lists = (time.as_secs_f64() / full_list.as_secs_f64()).ceil();
    let paused_pages = dialect.pages(resources / PAUSED);
    let reads = polls * count(paused_pages) + full_lists * count(stage.pages());
    (1.25 * reads / hours, Some(reads / hours))
}
