//! kube-state-metrics, as our configuration has it, beside the real API server and statuses that the operator wrote.

use std::{fs, process::Command, time::Duration};

use anyhow::Context as _;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::{Api, api::DeleteParams};
use qoder_simulator::{Config, DEFAULT_TOKEN, Simulator};
use serde_json::json;
use testbed::{Bed, Process, Result, eventually, prometheus, tools};

use crate::repository;

const DEADLINE: Duration = Duration::from_secs(60);

/// A kubeconfig of a user who has the rights that the configuration asks for, and no others.
async fn limited(bed: &Bed) -> Result<std::path::PathBuf> {
    let user = format!("{}-kube-state-metrics", bed.namespace());
    let role: ClusterRole = serde_json::from_value(json!({
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": ["cloud.qoder.com"], "resources": ["qoderdeployments"], "verbs": ["list", "watch"]},
            {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["list", "watch"]},
        ],
    }))?;
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }))?;
    Api::all(bed.client()).create(&kube::api::PostParams::default(), &role).await?;
    Api::all(bed.client()).create(&kube::api::PostParams::default(), &binding).await?;
    let mut kubeconfig = bed.control_plane().kubeconfig().clone();
    let who = kubeconfig.auth_infos.first_mut().and_then(|named| named.auth_info.as_mut());
    who.context("an administrator without a user")?.impersonate = Some(user);
    let file = bed.folder().join("kube-state-metrics.kubeconfig");
    fs::write(&file, serde_yaml_ng::to_string(&kubeconfig)?)?;
    Ok(file)
}

async fn forget(bed: &Bed) -> Result<()> {
    let user = format!("{}-kube-state-metrics", bed.namespace());
    let params = DeleteParams::default();
    Api::<ClusterRoleBinding>::all(bed.client()).delete(&user, &params).await?;
    Api::<ClusterRole>::all(bed.client()).delete(&user, &params).await?;
    Ok(())
}

#[tokio::test]
async fn there_is_a_series_for_each_resource() -> Result<()> {
    let binary = tools::kube_state_metrics().await?;
    let simulator = Simulator::start(Config::with_deployments(2)).await?;
    let bed = Bed::new("ksm").await?;
    let operator = bed.operator().base_url(&simulator.base_url()).token(DEFAULT_TOKEN);
    let _operator = operator.start().await?;
    let ids = simulator.ids();
    let spec = json!({ "deploymentID": ids[0], "paused": true, "driftPolicy": "Warn" });
    bed.apply("nightly", spec).await?;
    bed.apply("seen", json!({ "deploymentID": ids[1] })).await?;
    let nightly = bed.wait_ready("nightly").await?;
    bed.wait_ready("seen").await?;

    let mut command = Command::new(binary);
    command
        .arg(format!("--kubeconfig={}", limited(&bed).await?.display()))
        .arg(format!(
            "--custom-resource-state-config-file={}",
            repository().join("deploy/monitoring/kube-state-metrics.yaml").display()
        ))
        .args(["--custom-resource-state-only", "--host=127.0.0.1", "--telemetry-host=127.0.0.1"])
        .arg(format!("--namespaces={}", bed.namespace()))
        .args(["--port=0", "--telemetry-port=0"])
        .envs([("NO_PROXY", "*"), ("no_proxy", "*")]);
    let log = bed.folder().join("kube-state-metrics.log");
    let process = Process::spawn("kube-state-metrics", &command, &log)?;

    // Each line without what is the same in all of them.
    let common = r#"customresource_group="cloud.qoder.com",customresource_kind="QoderDeployment",customresource_version="v1alpha1","#;
    let namespace = format!("namespace=\"{}\"", bed.namespace());
    // It serves its own metrics too, and its log does not say which port is which.
    let scraped = eventually(DEADLINE, async || {
        for address in process.log().lines().filter_map(prometheus::listening) {
            let text = prometheus::fetch(&format!("http://{address}/metrics")).await?;
            let text = text.replace(common, "").replace(&namespace, "NS");
            if text.contains("name=\"seen\"") {
                return Ok(Some(text));
            }
        }
        Ok(None)
    });
    let text = scraped.await?.with_context(|| process.log())?;
    forget(&bed).await?;
    let since = nightly.status.unwrap().conditions[0].last_transition_time.0.as_second();
    for expected in [
        format!(
            "kube_qoderdeployment_info{{deployment_id=\"{}\",drift_policy=\"Warn\",name=\"nightly\",NS,remote_status=\"paused\"}} 1",
            ids[0]
        ),
        "kube_qoderdeployment_spec_paused{name=\"nightly\",NS} 1".to_owned(),
        "kube_qoderdeployment_status_condition{name=\"nightly\",NS,reason=\"InSync\",status=\"True\",type=\"Ready\"} 1".to_owned(),
        "kube_qoderdeployment_status_condition{name=\"nightly\",NS,reason=\"PausedManually\",status=\"True\",type=\"Paused\"} 1".to_owned(),
        "kube_qoderdeployment_status_condition{name=\"seen\",NS,reason=\"Observed\",status=\"True\",type=\"Ready\"} 1".to_owned(),
        "kube_qoderdeployment_metadata_generation{name=\"nightly\",NS} 1".to_owned(),
        "kube_qoderdeployment_status_observed_generation{name=\"nightly\",NS} 1".to_owned(),
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
    }
    assert!(!text.contains("kube_qoderdeployment_spec_paused{name=\"seen\""), "{text}");
    let transition = "kube_qoderdeployment_status_condition_last_transition_time{name=\"nightly\",NS,type=\"Ready\"} ";
    let value = text.lines().find_map(|line| line.strip_prefix(transition));
    let value: f64 = value.with_context(|| text.clone())?.parse()?;
    #[allow(clippy::cast_precision_loss, reason = "seconds are exact for long")]
    let since = since as f64;
    assert!((value - since).abs() < 0.5, "{value} {since}");
    Ok(())
}
