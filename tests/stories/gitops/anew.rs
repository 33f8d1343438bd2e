//! A resource that is made anew: for another deployment, or from a backup.

use serde_json::json;
use testbed::Result;

use super::{Cluster, TOOLS, Tool};
use crate::story::start;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_id_is_refused_until_the_resource_is_made_anew() -> Result<()> {
    let cluster = Cluster::with("git-other-id", 4).await?;
    let paused = json!({ "paused": true });
    for tool in TOOLS {
        cluster.apply(tool, &cluster.manifest("nightly", 0, &paused))?;
        assert!(cluster.until("nightly", "InSync").await?);
        let (done, said) = cluster.try_apply(tool, &cluster.manifest("nightly", 1, &paused))?;
        assert!(!done && said.contains("deploymentID is immutable"), "{tool:?}: {said}");
    }
    // In one commit: the new resource under another name, and the old one goes.
    cluster.apply(Tool::Flux, &cluster.manifest("nightly-2", 1, &paused))?;
    cluster.story.bed.delete("nightly").await?;
    assert!(cluster.until("nightly-2", "InSync").await?);
    // Or under the same name, by what each tool has for it.
    let mut anew = cluster.manifest("nightly-2", 2, &paused);
    anew["metadata"]["annotations"] = json!({ "kustomize.toolkit.fluxcd.io/force": "enabled" });
    cluster.apply(Tool::Flux, &anew)?;
    assert!(cluster.until("nightly-2", "InSync").await?);
    let replace = ["replace", "--force", "--filename=-"];
    let output = cluster.run("kubectl", &replace, &cluster.manifest("nightly-2", 3, &paused))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(cluster.until("nightly-2", "InSync").await?);
    // What was paused stays so, and nothing was done twice.
    assert_eq!(cluster.story.writes(), ["pause 200"; 4]);
    assert_eq!((0..4).map(|n| cluster.story.effects(n)).collect::<Vec<_>>(), [1; 4]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_without_its_status_calls_nothing_needless() -> Result<()> {
    let cluster = Cluster::with("git-backup", 2).await?;
    let Cluster { mut story, .. } = cluster;
    for (n, paused) in [(0, true), (1, false)] {
        story.apply(&format!("r{n}"), n, Some(paused)).await?;
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    assert_eq!(story.writes(), ["pause 200"]);
    for name in ["r0", "r1"] {
        let mut backup = story.bed.get(name).await?;
        story.bed.delete(name).await?;
        backup.status = None;
        backup.metadata.uid = None;
        backup.metadata.resource_version = None;
        backup.metadata.managed_fields = None;
        if name == "r1" {
            // This one comes back while no operator runs, as after a re-install.
            story.operator.terminate().await?;
        }
        story.bed.api().create(&kube::api::PostParams::default(), &backup).await?;
    }
    story.operator = start(&story.bed, &story.simulator).await?;
    for name in ["r0", "r1"] {
        story.until(name, "True", "InSync").await?;
    }
    story.polls(2).await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}
