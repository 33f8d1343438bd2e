//! The main job: `spec.paused` and the remote.

use qoder_simulator::{Fault, Operation};
use serde_json::json;
use testbed::Result;

use crate::story::{Story, condition, remote};

#[tokio::test]
async fn a_pause_and_an_unpause_are_one_call_each_and_the_status_tells_the_truth() -> Result<()> {
    let story = Story::with("pause", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;

    let paused = story.bed.wait_ready("nightly").await?;
    assert_eq!(story.simulator.deployment(&story.id(0)).unwrap()["status"], "paused");
    assert_eq!(remote(&paused), (Some("paused"), Some("manual")));
    assert_eq!(condition(&paused, "Paused").unwrap().reason, "PausedManually");
    assert_eq!(story.writes(), ["pause 200"]);

    story.bed.set_paused("nightly", Some(false)).await?;
    let active = story.bed.wait_ready("nightly").await?;
    assert_eq!(story.simulator.deployment(&story.id(0)).unwrap()["status"], "active");
    assert_eq!(remote(&active), (Some("active"), None));
    assert_eq!(condition(&active, "Paused").unwrap().reason, "Running");

    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);
    assert_eq!(story.bed.status_writes("nightly").await?, 2, "one for each flip");
    Ok(())
}

#[tokio::test]
async fn what_is_already_so_costs_no_write() -> Result<()> {
    let story = Story::with("already-so", 2).await?;
    story.simulator.set_paused(&story.id(0), true);
    story.apply("paused", 0, Some(true)).await?;
    story.apply("active", 1, Some(false)).await?;
    story.bed.wait_ready("paused").await?;
    story.bed.wait_ready("active").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_409_that_a_look_confirms_is_success() -> Result<()> {
    let story = Story::with("conflict", 1).await?;
    // Someone pauses it between our look, which still shows it active, and our call.
    story.simulator.set_paused(&story.id(0), true);
    story.simulator.inject(Fault::stale().on(Operation::Get));
    story.apply("nightly", 0, Some(true)).await?;

    let paused = story.until("nightly", "True", "InSync").await?;
    assert_eq!(remote(&paused), (Some("paused"), Some("manual")));
    assert_eq!(story.calls()[..3], ["get 200", "pause 409", "get 200"]);
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 409"]);
    assert_eq!(story.bed.status_writes("nightly").await?, 1);
    assert_eq!(story.warnings("nightly").await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_409_that_a_look_denies_is_tried_again_after_a_while() -> Result<()> {
    let story = Story::with("odd-conflict", 1).await?;
    story.simulator.inject(Fault::respond(409).on(Operation::Pause));
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "False", "PausePending").await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 409", "pause 200"]);
    Ok(())
}

#[tokio::test]
async fn an_absent_wish_only_observes_and_taking_the_wish_away_changes_nothing() -> Result<()> {
    let story = Story::with("unmanaged", 1).await?;
    story.apply("nightly", 0, None).await?;
    let observed = story.until("nightly", "True", "Observed").await?;
    assert_eq!(remote(&observed), (Some("active"), None));
    story.simulator.set_paused(&story.id(0), true);
    let mirrors = |object: &_| remote(object) == (Some("paused"), Some("manual"));
    story.bed.wait_until("nightly", "mirrored", mirrors).await?;
    story.simulator.set_paused(&story.id(0), false);
    story.bed.wait_until("nightly", "mirrored", |object| !mirrors(object)).await?;
    assert_eq!(story.writes(), [""; 0]);

    story.bed.set_paused("nightly", Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.bed.set_paused("nightly", None).await?;
    let observed = story.until("nightly", "True", "Observed").await?;
    assert_eq!(
        remote(&observed),
        (Some("paused"), Some("manual")),
        "removing the line resumes nothing"
    );
    story.simulator.set_paused(&story.id(0), false);
    story.bed.wait_until("nightly", "mirrored", |object| !mirrors(object)).await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);

    // Added back under Warn: a new wish is acted upon; only later differences are drift.
    let id = story.id(0);
    story
        .bed
        .apply("nightly", json!({ "deploymentID": id, "paused": true, "driftPolicy": "Warn" }))
        .await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200", "pause 200"]);
    Ok(())
}

#[tokio::test]
async fn a_disabled_reconcile_reports_and_does_not_act() -> Result<()> {
    let story = Story::with("disabled", 1).await?;
    story.apply("nightly", 0, Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.bed.annotate("nightly", "cloud.qoder.com/reconcile", "disabled").await?;
    story.until("nightly", "True", "ReconcileDisabled").await?;
    story.bed.set_paused("nightly", Some(true)).await?;
    story.until("nightly", "True", "ReconcileDisabled").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), [""; 0]);
    story.bed.annotate("nightly", "cloud.qoder.com/reconcile", "enabled").await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}
