//! What the manifests grant and what the operator uses are the same. That no story uses more is looked at at the end of each: see `Bed`.

use anyhow::Context as _;
use qoder_simulator::{Entry, Operation, Simulator};
use testbed::{Bed, ControlPlane, Own, Result, eventually, rights};

use crate::story::{Story, TOKEN, config};

/// A replica that polls fast and waits for the Lease.
async fn replica(bed: &Bed, simulator: &Simulator) -> Result<testbed::Operator> {
    let operator = bed.operator().base_url(&simulator.base_url()).token(TOKEN);
    operator.arg("--leader-elect").flag("retry-period", "500ms").start().await
}

#[tokio::test]
async fn every_right_that_is_granted_is_used_and_no_other() -> Result<()> {
    // Lists that are streamed are watches. Where they are not, they need the right to list.
    let flags = ["--feature-gates=WatchList=false"];
    let Own::Running(control_plane) = ControlPlane::own(&flags).await? else { return Ok(()) };
    let bed = Bed::on(control_plane, "rights").await?;
    let simulator = Simulator::start(config(1)).await?;
    let operator = replica(&bed, &simulator).await?;
    let story = Story { operator, simulator, bed };
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    // The same event of the same copy once more is added to the first one.
    for corrections in 1..=2 {
        story.simulator.set_paused(&story.id(0), false);
        let is_corrected = |entries: &[Entry]| {
            let pauses = entries.iter().filter(|entry| entry.operation == Operation::Pause);
            pauses.filter(|entry| entry.finished).count() > corrections
        };
        story.until_calls("the correction", is_corrected).await?;
    }
    let granted = rights::granted()?;
    let audit = story.bed.audit().context("it is our own control plane")?;
    let all = eventually(testbed::bed::DEADLINE, async || {
        let used = audit.used()?;
        Ok(granted.iter().all(|right| used.iter().any(|used| right.allows(used))).then_some(()))
    });
    let is_all = all.await?.is_some();
    assert!(story.operator.terminate().await?.success(), "it gives the Lease back");

    let used = audit.used()?;
    let unused: Vec<_> = granted
        .iter()
        .filter(|right| !used.iter().any(|used| right.allows(used)))
        .map(ToString::to_string)
        .collect();
    assert!(is_all && unused.is_empty(), "granted, and never used: {unused:?}");
    assert_eq!(audit.too_much()?, [""; 0], "used, and not granted");
    Ok(())
}
