//! The platform pauses a deployment after a failed run. That pause is not the user's.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::Result;

use crate::story::{Story, condition, remote};

/// Those of the API page, and one of a later API.
const ERRORS: [&str; 15] = [
    "environment_archived_error",
    "agent_archived_error",
    "environment_not_found_error",
    "vault_not_found_error",
    "vault_archived_error",
    "file_not_found_error",
    "session_resource_not_found_error",
    "workspace_archived_error",
    "organization_disabled_error",
    "memory_store_archived_error",
    "skill_not_found_error",
    "self_hosted_resources_unsupported_error",
    "mcp_egress_blocked_error",
    "unknown_error",
    "an_error_of_a_later_api",
];

const RESUME: &str = "cloud.qoder.com/resume-requested-at";

#[tokio::test]
async fn no_pause_by_the_platform_is_fought_and_each_way_out_lifts_it_once() -> Result<()> {
    let story = Story::with("platform", ERRORS.len()).await?;
    for n in 0..ERRORS.len() {
        story.apply(&format!("r{n}"), n, Some(false)).await?;
    }
    for n in 0..ERRORS.len() {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    for (n, error) in ERRORS.iter().enumerate() {
        story.simulator.pause_by_error(&story.id(n), error);
    }
    for (n, error) in ERRORS.iter().enumerate() {
        let paused = story.until(&format!("r{n}"), "False", "PausedByPlatform").await?;
        assert_eq!(remote(&paused), (Some("paused"), Some("error")));
        assert_eq!(condition(&paused, "Paused").unwrap().reason, "PausedByPlatform");
        let stalled = condition(&paused, "Stalled").unwrap();
        let is_known = n + 1 < ERRORS.len();
        assert_eq!(
            stalled.message.contains(error),
            is_known,
            "no remote text: {}",
            stalled.message
        );
    }
    story.until_warned("r0", "PausedByPlatform").await?;
    story.polls(3).await?;
    assert_eq!(story.writes(), [""; 0]);

    // One way out: ask for it.
    story.bed.annotate("r0", RESUME, "after-the-repair").await?;
    let resumed = story.until("r0", "True", "InSync").await?;
    let status = resumed.status.unwrap();
    assert_eq!(status.last_handled_resume_request.as_deref(), Some("after-the-repair"));
    assert_eq!(story.writes(), ["unpause 200"]);

    // The other: want it paused, then active.
    story.bed.set_paused("r1", Some(true)).await?;
    let as_wished = story.until("r1", "True", "InSync").await?;
    assert_eq!(condition(&as_wished, "Paused").unwrap().reason, "PausedByPlatform");
    story.bed.set_paused("r1", Some(false)).await?;
    story.until("r1", "True", "InSync").await?;
    assert_eq!(story.writes(), ["unpause 200"; 2]);

    // Once for each time it is asked for.
    for n in [0, 1] {
        story.simulator.pause_by_error(&story.id(n), ERRORS[1]);
        story.until(&format!("r{n}"), "False", "PausedByPlatform").await?;
    }
    story.polls(2).await?;
    assert_eq!(story.writes(), ["unpause 200"; 2]);
    Ok(())
}

#[tokio::test]
async fn a_new_or_restored_resource_asks_for_nothing() -> Result<()> {
    let story = Story::with("restored", 1).await?;
    story.simulator.pause_by_error(&story.id(0), ERRORS[0]);
    let manifest = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": { "name": "nightly", "annotations": { RESUME: "from-the-backup" } },
        "spec": { "deploymentID": story.id(0), "paused": false },
    });
    let api = story.bed.api();
    api.create(&kube::api::PostParams::default(), &serde_json::from_value(manifest)?).await?;
    let stalled = story.until("nightly", "False", "PausedByPlatform").await?;
    assert_eq!(
        stalled.status.unwrap().last_handled_resume_request.as_deref(),
        Some("from-the-backup")
    );
    story.polls(2).await?;
    assert_eq!(story.writes(), [""; 0]);

    story.bed.annotate("nightly", RESUME, "by-a-person").await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["unpause 200"]);

    // Taken away and put back, it is the same request.
    let without = json!({ "metadata": { "annotations": { RESUME: null } } });
    api.patch("nightly", &PatchParams::default(), &Patch::Merge(without)).await?;
    story.polls(1).await?;
    story.bed.annotate("nightly", RESUME, "by-a-person").await?;
    story.simulator.pause_by_error(&story.id(0), ERRORS[0]);
    story.until("nightly", "False", "PausedByPlatform").await?;
    story.polls(2).await?;
    assert_eq!(story.writes(), ["unpause 200"]);
    Ok(())
}
