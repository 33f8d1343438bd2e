//! The main job: `spec.paused` and the remote.

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
