//! 1 % of the deployments are changed by others, all at once.

use std::time::Duration;

use anyhow::Context;

use super::{POLL_INTERVAL, calls_that, count, deadline};
use crate::bench::figure::{Bar, Figure};
use crate::bench::simulator::Call;
use crate::bench::stage::Stage;
use crate::{Result, eventually};

/// What may come after the last repair, had it been one too many.
const AFTERMATH: Duration = Duration::from_secs(2);

/// Drifts, and waits for the repairs.
pub(in crate::bench) async fn drift(stage: &Stage) -> Result<Vec<Figure>> {
    let mark = stage.simulator.mark().await?;
    let drifted: Vec<_> = stage.fleet.chunks(100).filter_map(|hundred| hundred.get(50)).collect();
    for target in &drifted {
        stage.drift(target).await?;
    }
    let since = stage.simulator.now();
    let repaired = eventually(deadline(stage), async || {
        let calls = stage.simulator.calls(mark).await?;
        let posts: Vec<&Call> = calls.iter().filter(|call| call.is_write()).collect();
        Ok((posts.len() >= drifted.len()).then(|| posts.last().map(|last| last.at())).flatten())
    });
    let last = repaired.await?.context("the drift was not repaired")?;
    tokio::time::sleep(AFTERMATH).await;
    let calls = stage.simulator.calls(mark).await?;
    let took = last.saturating_sub(since).as_secs_f64();
    Ok(vec![
        Figure::measure("drift of 1 %: repaired after", took, "s")
            .bar(Bar::AtMost(POLL_INTERVAL.as_secs_f64() + 7.0)),
        Figure::ratio(
            "drift of 1 %: POSTs for each",
            calls_that(&calls, Call::is_write),
            drifted.len(),
        )
        .bar(Bar::Exactly(1.0)),
        Figure::count("drift of 1 %: GETs", calls_that(&calls, |call| call.operation == "get"))
            .bar(Bar::AtMost(count(drifted.len()))),
    ])
}
