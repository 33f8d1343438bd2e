//! The commands of docs/backup.md, with an operator at work.

use std::slice::from_ref;

use serde_json::json;
use testbed::{Result, tools::Helm};

use crate::{
    blocks::{blocks, follow},
    cluster::{Cluster, reads, simulator, writes},
};

const RESOURCES: &str = r#"
apiVersion: cloud.qoder.com/v1alpha1
kind: QoderDeployment
metadata: {name: report, namespace: agents}
spec: {deploymentID: dep_report, paused: true}
---
apiVersion: cloud.qoder.com/v1alpha1
kind: QoderDeployment
metadata: {name: broken, namespace: agents, annotations: {cloud.qoder.com/resume-requested-at: "1"}}
spec: {deploymentID: dep_broken, paused: false}
"#;

/// The reasons of Ready of both, once they are these.
fn until(cluster: &Cluster, broken: &str, report: &str) -> Result<()> {
    for (name, reason) in [("broken", broken), ("report", report)] {
        let path = r#"{.status.conditions[?(@.type=="Ready")].reason}"#;
        cluster.types(&format!(
            "kubectl -n agents wait qdep/{name} --for=jsonpath='{path}'={reason} --timeout=60s"
        ))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_pauses_as_the_backup_says_and_lifts_no_pause_by_the_platform() -> Result<()> {
    let simulator = simulator(&["dep_report", "dep_broken"]).await?;
    simulator.pause_by_error("dep_broken", "agent_archived_error");
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.types("kubectl apply -k deploy/base && kubectl create namespace agents")?;
    let _operator = cluster.pod("qoder-operator", "qoder-operator", &simulator).await?;
    cluster.types(&format!("kubectl create -f - <<'E'{RESOURCES}E"))?;
    until(&cluster, "PausedByPlatform", "InSync")?;

    let blocks = blocks("docs/backup.md");
    let [backup, look, restore] = &blocks[..] else { panic!("{blocks:?}") };
    follow(&cluster, from_ref(backup))?;
    cluster.types("kubectl get qdep --all-namespaces --output yaml > uncut.yaml")?;
    cluster.types("kubectl -n agents delete qdep --all")?;
    simulator.set_paused("dep_report", false);

    follow(&cluster, from_ref(look))?;
    until(&cluster, "ReconcileDisabled", "ReconcileDisabled")?;
    reads(&simulator, 3).await?;
    assert_eq!(writes(&simulator), ["pause dep_report 200"], "it only looks");

    follow(&cluster, from_ref(restore))?;
    until(&cluster, "PausedByPlatform", "InSync")?;
    reads(&simulator, 3).await?;
    assert_eq!(writes(&simulator), ["pause dep_report 200"; 2]);
    let broken = simulator.deployment("dep_broken").unwrap();
    assert_eq!(broken["paused_reason"]["type"], json!("error"));

    // Why something is cut out of the file.
    let refused = cluster.types("kubectl apply -f uncut.yaml").unwrap_err().to_string();
    assert!(refused.contains("Conflict"), "{refused}");
    Ok(())
}
