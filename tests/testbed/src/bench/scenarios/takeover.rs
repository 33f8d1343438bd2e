//! The leader is told to end, and the replica that stands by takes over, as in a rollout of the shipped manifests. It has listed
//! the resources before; it reads the remote, and writes nothing.

use std::time::Duration;

use anyhow::Context;

use super::restart::{Beginning, listed};
use super::{POLL_INTERVAL, count, deadline};
use crate::bench::figure::{Bar, Figure};
use crate::bench::stage::Stage;
use crate::bench::subject::Subject;
use crate::{Result, eventually};

/// The least time between two pages of a list: the vendor asks for it.
const PAGE_SPACING: Duration = Duration::from_millis(100);
/// The leader ends, the standby looks at the Lease every 2 s, and the last page takes its time.
const HANDOVER: Duration = Duration::from_secs(5);
/// A poll of the leader has ended so long after its first page was asked for.
const POLL: Duration = Duration::from_secs(5);

/// Starts a leader and a standby, and ends the leader.
pub(in crate::bench) async fn takeover(
    stage: &Stage,
    subject: Subject,
) -> Result<(Subject, Vec<Figure>)> {
    subject.terminate().await?;
    let mark = stage.simulator.mark().await?;
    let leader = stage.start_replica("leader")?;
    listed(stage, mark).await?;
    let standby = stage.start_replica("standby")?;
    standby.synced(deadline(stage)).await?;
    polled(stage).await?;

    let start = Beginning::now(stage).await?;
    leader.terminate().await?;
    let cost = start.cost(stage, &standby).await?;
    let pages = PAGE_SPACING.mul_f64(count(stage.pages()));
    let figures = vec![
        Figure::measure("takeover by a standby: all is known after", cost.seconds, "s")
            .bar(Bar::AtMost((pages + HANDOVER).as_secs_f64())),
        Figure::count("takeover: reads", cost.reads),
        Figure::count("takeover: remote writes", cost.writes).bar(Bar::Exactly(0.0)),
        Figure::count("takeover: status writes", cost.status_writes).bar(Bar::Exactly(0.0)),
    ];
    Ok((standby, figures))
}

/// Returns when the leader has just polled: what is read next, the standby reads.
async fn polled(stage: &Stage) -> Result<()> {
    let mark = stage.simulator.mark().await?;
    let poll = eventually(2 * POLL_INTERVAL, async || {
        let calls = stage.simulator.calls(mark).await?;
        Ok(calls.iter().any(|call| !call.is_write()).then_some(()))
    });
    poll.await?.context("the leader does not poll")?;
    tokio::time::sleep(POLL).await;
    Ok(())
}
