//! Someone else changes the remote.

use qoder_simulator::Entry;
use serde_json::json;
use testbed::Result;

use crate::story::{Story, condition};

/// Someone resumes `nightly` three times, and three times it is paused again.
async fn contest(story: &Story) -> Result<()> {
    let before = story.effects(0);
    for corrections in 1..=3 {
        story.simulator.set_paused(&story.id(0), false);
        let repaired = |_: &[Entry]| story.effects(0) == before + corrections;
        story.until_calls("a correction", repaired).await?;
    }
    Ok(())
}

#[tokio::test]
async fn drift_is_corrected_until_it_is_a_contest_and_a_new_wish_ends_that() -> Result<()> {
    let story = Story::with("drift", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;

    contest(&story).await?;
    story.until_warned("nightly", "DriftCorrected").await?;
    story.until("nightly", "True", "InSync").await?;

    story.simulator.set_paused(&story.id(0), false);
    let held = story.until("nightly", "False", "Contested").await?;
    assert_eq!(condition(&held, "Stalled").unwrap().status, "True");
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"; 4], "the fourth drift within the window is held");

    // A changed wish is not held.
    story.bed.set_paused("nightly", Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.bed.set_paused("nightly", Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"; 5]);
    Ok(())
}

#[tokio::test]
async fn a_reconcile_request_ends_a_contest_and_is_echoed() -> Result<()> {
    let story = Story::with("contest", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    contest(&story).await?;
    story.until("nightly", "True", "InSync").await?;
    story.simulator.set_paused(&story.id(0), false);
    story.until("nightly", "False", "Contested").await?;

    story.bed.annotate("nightly", "cloud.qoder.com/reconcile-requested-at", "now").await?;
    let echoed = |object: &qoder_operator::api::QoderDeployment| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_reconcile_request.as_deref()) == Some("now")
    };
    let done = story.bed.wait_until("nightly", "echoed", echoed).await?;
    assert!(crate::story::is(&done, "True", "InSync"));
    assert_eq!(story.writes(), ["pause 200"; 5]);
    Ok(())
}

#[tokio::test]
async fn under_warn_drift_is_reported_and_left() -> Result<()> {
    let story = Story::with("warn", 1).await?;
    let id = story.id(0);
    story
        .bed
        .apply("nightly", json!({ "deploymentID": id, "paused": true, "driftPolicy": "Warn" }))
        .await?;
    story.until("nightly", "True", "InSync").await?;

    story.simulator.set_paused(&id, false);
    story.until("nightly", "True", "DriftTolerated").await?;
    story.until_warned("nightly", "DriftDetected").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    assert_eq!(story.warnings("nightly").await?, ["DriftDetected"], "one for a change");

    story.bed.annotate("nightly", "cloud.qoder.com/reconcile-requested-at", "now").await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"; 2], "asked for, it is applied again");
    Ok(())
}
