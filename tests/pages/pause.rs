//! The command of docs/gitops.md that pauses everything.

use std::slice::from_ref;

use testbed::{Result, tools::Helm};

use crate::{
    blocks::{blocks, follow},
    cluster::{Cluster, reads, simulator, writes},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_paused_by_one_block_in_all_namespaces() -> Result<()> {
    let simulator = simulator(&["dep_a", "dep_b", "dep_c"]).await?;
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.types("kubectl apply -k deploy/base")?;
    let _operator = cluster.pod("qoder-operator", "qoder-operator", &simulator).await?;
    for (namespace, id, paused) in
        [("north", "a", ", paused: false"), ("south", "b", ""), ("west", "c", ", paused: true")]
    {
        cluster.types(&format!(
            "kubectl create namespace {namespace}\nkubectl create -f - <<'E'\napiVersion: cloud.qoder.com/v1alpha1\n\
             kind: QoderDeployment\nmetadata: {{name: {id}, namespace: {namespace}}}\nspec: {{deploymentID: dep_{id}{paused}}}\nE"
        ))?;
        cluster.ready(namespace, id)?;
    }

    let blocks = blocks("docs/gitops.md");
    let command = blocks.iter().find(|script| script.contains("while read"));
    follow(&cluster, from_ref(command.expect("docs/gitops.md says how")))?;
    reads(&simulator, 3).await?;
    let mut paused = writes(&simulator);
    paused.sort();
    assert_eq!(paused, ["pause dep_a 200", "pause dep_b 200", "pause dep_c 200"]);
    Ok(())
}
