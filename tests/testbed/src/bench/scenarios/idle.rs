//! An idle fleet: what it costs when nothing happens.

use std::time::Duration;

use super::{POLL_INTERVAL, WHOLE, calls_that, count};
use crate::Result;
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::Dialect;
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

    let (bar, stretch) = bars(stage, time);
    let reads = Figure::in_an_hour("idle: reads in an hour", reads, hours);
    Ok(vec![
        reads.bar(Bar::AtMost(bar)).stretch(stretch),
        Figure::count("idle: remote writes", calls.len() - calls_that(&calls, |c| !c.is_write()))
            .bar(Bar::Exactly(0.0)),
        Figure::count("idle: status writes", writes.done + writes.refused).bar(Bar::Exactly(0.0)),
        Figure::measure("idle: CPU in an hour", cpu / hours, "s")
            .bar(Bar::AtMost(4.0))
            .stretch(1.5),
        Figure::measure("idle: resident memory", subject.resident_mib()?, "MiB")
            .bar(Bar::AtMost(32.0))
            .stretch(20.0),
    ])
}

/// For the whole fleet the project's; for smaller ones a quarter above what the plan costs: one page
/// a poll, for the paused ones are few, and the full lists that may fall into the time.
fn bars(stage: &Stage, time: Duration) -> (f64, f64) {
    let hours = time.as_secs_f64() / HOUR.as_secs_f64();
    let full_list = POLL_INTERVAL * POLLS_A_FULL_LIST;
    if stage.resources() == WHOLE && time >= full_list {
        return if stage.dialect == Dialect::D2 { (900.0, 750.0) } else { (250.0, 200.0) };
    }
    let polls = (time.as_secs_f64() / POLL_INTERVAL.as_secs_f64()).ceil();
    let full_lists = (time.as_secs_f64() / full_list.as_secs_f64()).ceil();
    let reads = polls + full_lists * count(stage.pages());
    (1.25 * reads / hours, reads / hours)
}
