//! Which resource decides: two for one deployment, and one that comes back as another.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use qoder_simulator::{Fault, Operation};
use serde_json::json;
use testbed::Result;

use crate::story::{Story, condition, is, remote};

#[tokio::test]
async fn the_oldest_owns_and_its_deletion_hands_over() -> Result<()> {
    let story = Story::with("owners", 1).await?;
    story.apply("first", 0, Some(true)).await?;
    let first = story.until("first", "True", "InSync").await?;
    // A creationTimestamp has whole seconds; within one, the uid would decide.
    let created = first.creation_timestamp().unwrap().0;
    let next_second = created + SignedDuration::from_secs(1) - Timestamp::now();
    tokio::time::sleep(next_second.try_into().unwrap_or_default()).await;
    story.apply("second", 0, Some(false)).await?;
    let duplicate = story.until("second", "False", "DuplicateOwner").await?;
    let stalled = condition(&duplicate, "Stalled").unwrap();
    assert!(
        stalled.message.contains("It is qoderdeployment/first in this namespace"),
        "{}",
        stalled.message
    );
    story.until_warned("second", "DuplicateOwner").await?;
    story.apply("watcher", 0, None).await?;
    story.until("watcher", "True", "Observed").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);

    story.bed.delete("first").await?;
    let owner = story.until("second", "True", "InSync").await?;
    assert_eq!(remote(&owner), (Some("active"), None));
    let mirrors = |object: &_| remote(object) == (Some("active"), None);
    story.bed.wait_until("watcher", "mirrored", mirrors).await?;
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);
    Ok(())
}

#[tokio::test]
async fn deletion_leaves_the_remote_as_it_is_and_works_without_the_api() -> Result<()> {
    let story = Story::with("deletion", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.simulator.inject(Fault::respond(503).always());
    story.bed.delete("nightly").await?;
    assert!(story.bed.api().get_opt("nightly").await?.is_none(), "gone at once: no finalizer");
    story.simulator.clear_faults();
    assert_eq!(story.simulator.deployment(&story.id(0)).unwrap()["status"], "paused");
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn deleted_and_made_again_with_the_opposite_wish_during_the_call() -> Result<()> {
    let story = Story::with("again", 1).await?;
    story.simulator.inject(Fault::delay(Duration::from_millis(700)).on(Operation::Pause));
    let first = story.apply("nightly", 0, Some(true)).await?;
    let under_way = |entries: &[qoder_simulator::Entry]| {
        entries.iter().any(|entry| entry.operation == Operation::Pause && !entry.finished)
    };
    story.until_calls("the pause", under_way).await?;
    story.bed.delete("nightly").await?;
    let second = story.apply("nightly", 0, Some(false)).await?;
    assert_ne!(first.metadata.uid, second.metadata.uid);

    let settled = story.until("nightly", "True", "InSync").await?;
    assert_eq!(settled.metadata.uid, second.metadata.uid);
    assert_eq!(remote(&settled), (Some("active"), None));
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);
    assert_eq!(
        story.bed.status_writes("nightly").await?,
        1,
        "nothing of the first was written to the second"
    );
    Ok(())
}

#[tokio::test]
async fn a_flip_back_during_the_call_ends_as_the_last_word_says() -> Result<()> {
    let story = Story::with("flip-back", 1).await?;
    story.apply("nightly", 0, Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.simulator.inject(Fault::delay(Duration::from_millis(700)).on(Operation::Pause));
    story.bed.set_paused("nightly", Some(true)).await?;
    let under_way = |entries: &[qoder_simulator::Entry]| {
        entries.iter().any(|entry| entry.operation == Operation::Pause && !entry.finished)
    };
    story.until_calls("the pause", under_way).await?;
    story.bed.set_paused("nightly", Some(false)).await?;
    let settled = story.until("nightly", "True", "InSync").await?;
    assert_eq!(remote(&settled), (Some("active"), None));
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);
    Ok(())
}

/// A backup tool puts an old status back, as a field manager of its own, which an apply leaves alone.
#[tokio::test]
async fn what_a_restore_has_put_into_the_status_goes_and_what_others_say_stays() -> Result<()> {
    let story = Story::with("restored-status", 1).await?;
    story.apply("nightly", 0, Some(false)).await?;
    let now = story.until("nightly", "True", "InSync").await?;
    let mut status = serde_json::to_value(now.status)?;
    for kind in ["Stalled", "Audited"] {
        let condition = json!({
            "type": kind, "status": "True", "reason": "Restored", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        status["conditions"].as_array_mut().unwrap().push(condition);
    }
    status["pausedReason"] = json!({ "type": "error", "error": { "type": "unknown_error" } });
    let params = PatchParams { field_manager: Some("backup".to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "status": status }));
    story.bed.api().patch_status("nightly", &params, &patch).await?;

    story.polls(2).await?;
    let object = story.bed.get("nightly").await?;
    assert!(condition(&object, "Stalled").is_none() && condition(&object, "Audited").is_some());
    assert!(is(&object, "True", "InSync"));
    assert_eq!(remote(&object), (Some("active"), None));
    let writes = story.bed.status_writes("nightly").await?;
    assert_eq!(writes, 3, "ours, the restore, and what takes it away");
    story.polls(2).await?;
    assert_eq!(story.bed.status_writes("nightly").await?, writes);
    Ok(())
}
