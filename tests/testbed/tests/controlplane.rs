//! A story's surroundings on the real control plane, without the operator.

#![allow(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::config::Kubeconfig;
use qoder_operator::api::QoderDeployment;
use serde_json::json;
use testbed::access::client;
use testbed::readiness::is_ready;
use testbed::{Bed, ControlPlane, Kstatus, Own, Result, Table, kstatus};

const ID: &str = "dep_019ec55a2b687b3f94eee77dd77e4b2a";

#[tokio::test]
async fn a_story_has_a_namespace_and_the_kind() -> Result<()> {
    let bed = Bed::new("surroundings").await?;
    let other = Bed::new("surroundings").await?;
    assert_ne!(bed.namespace(), other.namespace());

    let made = bed.apply("a", json!({"deploymentID": ID, "paused": true})).await?;
    assert_eq!(kstatus(&made), Kstatus::InProgress, "the schema's default status");
    assert_eq!(bed.set_paused("a", None).await?.spec.paused, None);
    let annotated = bed.annotate("a", "cloud.qoder.com/reconcile", "disabled").await?;
    assert!(annotated.annotations().contains_key("cloud.qoder.com/reconcile"));
    assert!(other.get("a").await.is_err());
    let table = Table::get(&bed.client(), bed.namespace()).await?.to_string();
    let cells: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        matches!(&cells[..], [titles, row] if titles.starts_with(&["NAME", "PAUSED"]) && row.starts_with(&["a"])),
        "{table}"
    );
    assert!(bed.events("a").await?.is_empty());
    bed.delete("a").await?;
    assert!(bed.get("a").await.is_err());
    Ok(())
}

#[tokio::test]
async fn waiting_follows_the_status_and_counts_its_writes() -> Result<()> {
    let bed = Bed::new("waiting").await?;
    bed.apply("a", json!({"deploymentID": ID})).await?;
    assert_eq!(bed.status_writes("a").await?, 0);

    let impatient = bed.wait_until_for(Duration::from_millis(200), "a", "Ready", is_ready).await;
    let message = impatient.map(drop).unwrap_err().to_string();
    assert!(message.contains("a was not Ready within"), "{message}");
    assert!(message.contains("\"observedGeneration\": -1"), "{message}");

    let (waited, reported) = tokio::join!(bed.wait_ready("a"), report_ready(&bed, "a"));
    reported?;
    assert_eq!(kstatus(&waited?), Kstatus::Current);
    bed.set_paused("a", Some(true)).await?;
    assert_eq!(bed.status_writes("a").await?, 1, "a new spec is not a new status");
    assert_eq!(kstatus(&bed.get("a").await?), Kstatus::InProgress);
    Ok(())
}

#[tokio::test]
async fn the_operators_account_has_the_shipped_rights_here_and_no_others() -> Result<()> {
    let bed = Bed::new("rights").await?;
    bed.asks_for_too_much();
    let operator = client(Kubeconfig::read_from(bed.kubeconfig())?).await?;
    let here = Api::<QoderDeployment>::namespaced(operator.clone(), bed.namespace());
    assert!(here.list(&ListParams::default()).await?.items.is_empty());
    for refused in [
        Api::<QoderDeployment>::all(operator.clone()).list(&ListParams::default()).await.map(drop),
        Api::<QoderDeployment>::namespaced(operator.clone(), "default")
            .list(&ListParams::default())
            .await
            .map(drop),
        Api::<Secret>::namespaced(operator, bed.namespace())
            .list(&ListParams::default())
            .await
            .map(drop),
    ] {
        assert!(
            matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403),
            "{refused:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_api_server_comes_back_with_what_it_stored() -> Result<()> {
    let Own::Running(control_plane) = ControlPlane::own(&[]).await? else {
        return Ok(());
    };
    let bed = Bed::on(control_plane.clone(), "restart").await?;
    bed.apply("a", json!({"deploymentID": ID})).await?;
    control_plane.stop_api_server().await?;
    assert!(bed.get("a").await.is_err());
    control_plane.start_api_server().await?;
    assert_eq!(bed.get("a").await?.spec.deployment_id, ID);
    Ok(())
}

/// What the operator would publish.
async fn report_ready(bed: &Bed, name: &str) -> Result<()> {
    let ready = json!({
        "type": "Ready", "status": "True", "observedGeneration": 1,
        "lastTransitionTime": "2026-06-14T08:58:01Z", "reason": "InSync", "message": "",
    });
    let patch = json!({"status": {"observedGeneration": 1, "conditions": [ready]}});
    bed.api().patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}
