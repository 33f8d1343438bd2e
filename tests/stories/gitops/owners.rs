//! Who owns a field: Git, or a hand.

use serde_json::json;
use testbed::Result;

use super::{Cluster, TOOLS, Tool};
use crate::story::remote;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_git_says_comes_back_over_a_hand() -> Result<()> {
    let cluster = Cluster::with("git-wins", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let git = cluster.manifest(&name, n, &json!({ "paused": false }));
        cluster.apply(tool, &git)?;
        assert!(!cluster.until(&name, "InSync").await?);
        cluster.pause(&name)?;
        assert!(cluster.until(&name, "InSync").await?, "{tool:?}");
        cluster.apply(tool, &git)?;
        assert!(!cluster.until(&name, "InSync").await?, "{tool:?}");
    }
    assert_eq!(cluster.story.writes(), ["pause 200", "unpause 200"].repeat(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_git_does_not_say_is_the_hands_and_flux_takes_it_back_and_resumes_nothing()
-> Result<()> {
    let cluster = Cluster::with("git-is-silent", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let git = cluster.manifest(&name, n, &json!({}));
        cluster.apply(tool, &git)?;
        cluster.pause(&name)?;
        assert!(cluster.until(&name, "InSync").await?);
        cluster.apply(tool, &git)?;
        let kept = (tool != Tool::Flux).then_some(true);
        assert_eq!(cluster.paused(&name).await?, kept, "{tool:?}");
    }
    assert!(cluster.until("r0", "Observed").await?, "it stays paused");

    // With the one name that Flux leaves alone.
    let git = cluster.manifest("r0", 0, &json!({}));
    cluster.types_documented("kubectl patch qdep ", "r0")?;
    cluster.apply(Tool::Flux, &git)?;
    assert_eq!(cluster.paused("r0").await?, Some(true));
    cluster.story.polls(2).await?;
    assert_eq!(cluster.story.writes(), ["pause 200"; 3]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_that_disables_reconciliation_is_left_alone_and_flux_needs_to_be_told() -> Result<()>
{
    const DISABLE: &str = "kubectl annotate qdep r0 cloud.qoder.com/reconcile=disabled";
    let cluster = Cluster::with("git-disabled", 1).await?;
    let git = cluster.manifest("r0", 0, &json!({ "paused": false }));
    for tool in [Tool::ArgoCd, Tool::ArgoCdServerSide] {
        cluster.apply(tool, &git)?;
        cluster.types(DISABLE)?;
        cluster.until("r0", "ReconcileDisabled").await?;
        // Someone pauses it in the console. Nobody changes that back.
        let id = cluster.story.id(0);
        cluster.story.simulator.set_paused(&id, true);
        cluster.apply(tool, &git)?;
        cluster.story.polls(2).await?;
        assert!(cluster.until("r0", "ReconcileDisabled").await?, "{tool:?}");
        cluster.story.simulator.set_paused(&id, false);
        let is_active = |object: &_| remote(object).0 == Some("active");
        cluster.story.bed.wait_until("r0", "active", is_active).await?;
        cluster.types("kubectl annotate qdep r0 cloud.qoder.com/reconcile-")?;
        cluster.until("r0", "InSync").await?;
    }
    assert_eq!(cluster.story.writes(), [""; 0]);

    cluster.types(DISABLE)?;
    cluster.apply(Tool::Flux, &git)?;
    assert_eq!(cluster.story.bed.get("r0").await?.metadata.annotations, None, "taken back");
    cluster.types_documented("kubectl annotate qdep ", "r0")?;
    cluster.apply(Tool::Flux, &git)?;
    cluster.until("r0", "ReconcileDisabled").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removing_the_line_or_setting_it_to_null_resumes_nothing() -> Result<()> {
    let cluster = Cluster::with("git-forgets", TOOLS.len()).await?;
    for (n, tool) in TOOLS.into_iter().enumerate() {
        let name = format!("r{n}");
        let paused = cluster.manifest(&name, n, &json!({ "paused": true }));
        let null = cluster.manifest(&name, n, &json!({ "paused": null }));
        cluster.apply(tool, &paused)?;
        assert!(cluster.until(&name, "InSync").await?);
        cluster.apply(tool, &cluster.manifest(&name, n, &json!({})))?;
        assert_eq!(cluster.paused(&name).await?, None, "{tool:?}");
        assert!(cluster.until(&name, "Observed").await?);

        cluster.apply(tool, &paused)?;
        assert!(cluster.until(&name, "InSync").await?);
        let (done, said) = cluster.try_apply(tool, &null)?;
        assert_eq!(done, tool == Tool::ArgoCd, "{tool:?}: {said}");
        if done {
            assert_eq!(cluster.paused(&name).await?, None);
            assert!(cluster.until(&name, "Observed").await?);
        } else {
            assert!(said.contains("spec.paused"), "{tool:?}: {said}");
            assert_eq!(cluster.paused(&name).await?, Some(true));
        }
    }
    cluster.story.polls(2).await?;
    assert_eq!(cluster.story.writes(), ["pause 200"; 3]);
    Ok(())
}
