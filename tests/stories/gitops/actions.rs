//! The actions of Argo CD, and the resources about which it is asked.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use qoder_simulator::Entry;
use serde_json::{Value, json};
use testbed::{
    Result,
    gitops::{documented, lua},
};

use super::{Cluster, Tool};
use crate::story::Story;

/// Argo CD makes a merge patch of what the script has changed.
async fn act(story: &Story, name: &str, action: &str) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/gitops/argo-cd/actions");
    let script = std::fs::read_to_string(format!("{folder}/{action}.lua"))?;
    let object = serde_json::to_value(story.bed.get(name).await?)?;
    let changed = lua(&script, &[object])?.remove(0);
    let annotations = changed["metadata"]["annotations"].clone();
    let patch = json!({ "metadata": { "annotations": annotations }, "spec": changed["spec"] });
    let patch = kube::api::Patch::Merge(patch);
    story.bed.api().patch(name, &kube::api::PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_actions_of_argo_cd_do_what_they_say() -> Result<()> {
    let cluster = Cluster::with("git-actions", 1).await?;
    // In Git without a wish: so Argo CD has nothing to change back.
    let git = cluster.manifest("nightly", 0, &json!({}));
    cluster.apply(Tool::ArgoCd, &git)?;
    cluster.until("nightly", "Observed").await?;
    let story = &cluster.story;

    act(story, "nightly", "pause").await?;
    assert!(cluster.until("nightly", "InSync").await?);
    act(story, "nightly", "resume").await?;
    assert!(!cluster.until("nightly", "InSync").await?);
    cluster.apply(Tool::ArgoCd, &git)?;
    assert_eq!(cluster.paused("nightly").await?, Some(false));
    assert_eq!(story.writes(), ["pause 200", "unpause 200"]);

    // A value has whole seconds: the next resume is a new one only in another second.
    let asked = |object: &qoder_operator::api::QoderDeployment| {
        object.status.as_ref().unwrap().last_handled_resume_request.clone()
    };
    let first = asked(&story.bed.get("nightly").await?).unwrap();
    story.simulator.pause_by_error(&story.id(0), "agent_archived_error");
    story.until("nightly", "False", "PausedByPlatform").await?;
    assert!(first.parse::<k8s_openapi::jiff::Timestamp>()? < k8s_openapi::jiff::Timestamp::now());
    act(story, "nightly", "resume").await?;
    assert!(!cluster.until("nightly", "InSync").await?);
    assert_ne!(asked(&story.bed.get("nightly").await?), Some(first));
    assert_eq!(story.writes(), ["pause 200", "unpause 200", "unpause 200"]);

    act(story, "nightly", "reconcile").await?;
    let echoed = |object: &qoder_operator::api::QoderDeployment| {
        object.status.as_ref().unwrap().last_handled_reconcile_request.is_some()
    };
    story.bed.wait_until("nightly", "the echo", echoed).await?;
    assert!(story.simulator.journal().iter().all(|entry: &Entry| entry.status == Some(200)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_command_gives_argo_cd_its_scripts() -> Result<()> {
    let cluster = Cluster::with("git-argocd-cm", 0).await?;
    cluster
        .types("kubectl create configmap argocd-cm --from-literal=url=https://argocd.example")?;
    let line = documented("kubectl -n argocd patch ")?.replace("-n argocd ", "");
    cluster.types(&line)?;
    cluster.types(&line.replace("argocd-cm.patch", "argocd-cm-suspended.patch"))?;
    let maps =
        Api::<ConfigMap>::namespaced(cluster.story.bed.client(), cluster.story.bed.namespace());
    let data = maps.get("argocd-cm").await?.data.unwrap();
    assert_eq!(data["url"], "https://argocd.example");
    let health = &data["resource.customizations.health.cloud.qoder.com_QoderDeployment"];
    assert!(health.contains("\"Suspended\""), "{health}");
    assert!(data.contains_key("resource.customizations.actions.cloud.qoder.com_QoderDeployment"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorded_resources_are_as_the_api_server_takes_them() -> Result<()> {
    let cluster = Cluster::with("git-recorded", 0).await?;
    let Cluster { story, .. } = cluster;
    story.operator.terminate().await?;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/resources.yaml");
    let file = std::fs::read_to_string(file)?;
    let api = story.bed.api();
    for document in serde_yaml_ng::Deserializer::from_str(&file) {
        let recorded: Value = serde::Deserialize::deserialize(document)?;
        let name = recorded["metadata"]["name"].as_str().unwrap();
        let applied = story.bed.apply(name, recorded["spec"].clone()).await?;
        if name == "new" {
            assert_eq!(serde_json::to_value(applied.status)?, recorded["status"]);
            continue;
        }
        let status = kube::api::Patch::Merge(json!({ "status": recorded["status"] }));
        let params = kube::api::PatchParams {
            field_validation: Some(kube::api::ValidationDirective::Strict),
            ..Default::default()
        };
        let stored = api.patch_status(name, &params, &status).await?;
        assert_eq!(serde_json::to_value(stored.status)?, recorded["status"], "{name}");
    }
    Ok(())
}
