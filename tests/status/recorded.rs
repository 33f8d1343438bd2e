//! `tests/gitops/resources.yaml` has a resource for every reason, as the operator publishes it: what Argo CD, Flux
//! and Helm are asked about. Made by the shipped code, so that every reason is there, and the times are the same.

use std::collections::HashSet;

use qoder_operator::{
    api::{Condition, QoderDeployment, Reason},
    qoder::Deployment,
    reconcile::status::{Contents, render},
    resources::Memory,
};
use serde_json::{Value, json};

use super::{
    ID,
    inputs::{readys, remote},
    resource, time,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/resources.yaml");

const HEAD: &str =
    "# A resource for every reason. `UPDATE_DOCS=1 cargo test --test status` writes this file.\n";

/// What someone has applied, and how the deployment is.
struct Case {
    name: &'static str,
    reason: Reason,
    spec: Value,
    remote: Option<Value>,
}

fn cases() -> Vec<Case> {
    let [paused, active] =
        [true, false].map(|paused| json!({ "deploymentID": ID, "paused": paused }));
    let unmanaged = json!({ "deploymentID": ID });
    let warn = json!({ "deploymentID": ID, "paused": true, "driftPolicy": "Warn" });
    let is_active = json!({ "status": "active" });
    let by_hand = json!({ "status": "paused", "paused_reason": { "type": "manual" } });
    let error = json!({ "type": "agent_archived_error" });
    let by_platform =
        json!({ "status": "paused", "paused_reason": { "type": "error", "error": error } });
    let is_archived = json!({ "status": "active", "archived_at": "2026-06-14T08:58:01Z" });
    let is_new = json!({ "status": "sleeping" });
    [
        ("in-sync-running", Reason::InSync, &active, Some(&is_active)),
        ("in-sync-paused", Reason::InSync, &paused, Some(&by_hand)),
        ("in-sync-paused-by-platform", Reason::InSync, &paused, Some(&by_platform)),
        ("observed-running", Reason::Observed, &unmanaged, Some(&is_active)),
        ("observed-paused", Reason::Observed, &unmanaged, Some(&by_hand)),
        ("reconcile-disabled", Reason::ReconcileDisabled, &paused, Some(&is_active)),
        ("drift-tolerated", Reason::DriftTolerated, &warn, Some(&is_active)),
        ("progressing", Reason::Progressing, &paused, None),
        ("pause-pending", Reason::PausePending, &paused, Some(&is_active)),
        ("resume-pending", Reason::ResumePending, &active, Some(&by_hand)),
        ("remote-unavailable", Reason::RemoteUnavailable, &paused, None),
        ("remote-unavailable-last-paused", Reason::RemoteUnavailable, &paused, Some(&by_hand)),
        ("remote-answer-invalid", Reason::RemoteAnswerInvalid, &paused, None),
        ("credential-missing", Reason::CredentialMissing, &paused, None),
        ("credential-rejected", Reason::CredentialRejected, &paused, Some(&by_hand)),
        ("forbidden", Reason::Forbidden, &paused, None),
        ("remote-not-found", Reason::RemoteNotFound, &paused, None),
        ("remote-archived", Reason::RemoteArchived, &paused, Some(&is_archived)),
        ("duplicate-owner", Reason::DuplicateOwner, &active, Some(&by_hand)),
        ("unknown-remote-status", Reason::UnknownRemoteStatus, &paused, Some(&is_new)),
        ("paused-by-platform", Reason::PausedByPlatform, &active, Some(&by_platform)),
        ("contested", Reason::Contested, &paused, Some(&is_active)),
        ("write-refused", Reason::WriteRefused, &paused, Some(&is_active)),
    ]
    .map(|(name, reason, spec, remote)| Case {
        name,
        reason,
        spec: spec.clone(),
        remote: remote.cloned(),
    })
    .into()
}

async fn known(fields: &Value) -> Option<Deployment> {
    let mut whole = json!({
        "name": "nightly-report", "schedule": { "expression": "0 3 * * *", "timezone": "UTC" },
    });
    whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    remote(whole).await
}

/// As the API server has it before the operator has seen it.
fn applied(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": { "name": name, "namespace": "agents", "uid": "u", "generation": 1 },
        "spec": spec,
        "status": { "observedGeneration": -1 },
    })
}

async fn recorded() -> Vec<Value> {
    let readys = readys();
    let mut all = vec![applied("new", &json!({ "deploymentID": ID, "paused": true }))];
    for Case { name, reason, spec, remote } in cases() {
        let mut object = applied(name, &spec);
        if reason == Reason::ReconcileDisabled {
            object["metadata"]["annotations"] = json!({ "cloud.qoder.com/reconcile": "disabled" });
        }
        let known = match &remote {
            Some(fields) => known(fields).await,
            None => None,
        };
        let contents = Contents {
            ready: *readys.iter().find(|ready| ready.reason == reason).unwrap(),
            last_known: known.as_ref(),
            owner: Some("older"),
            hindrance: None,
            now: time(1),
        };
        let before: QoderDeployment = serde_json::from_value(object.clone()).unwrap();
        let status = render(&resource(&before), &Memory::default(), contents);
        object["status"] = serde_json::to_value(status).unwrap();
        all.push(object);
    }
    // Someone has changed the spec since.
    let mut changed = all[1].clone();
    changed["metadata"]["name"] = json!("changed-since");
    changed["metadata"]["generation"] = json!(2);
    changed["spec"]["paused"] = json!(true);
    all.push(changed);
    all
}

#[tokio::test]
async fn a_resource_for_every_reason_is_recorded() {
    let recorded = recorded().await;
    let conditions: Vec<Condition> = recorded
        .iter()
        .filter_map(|object| object["status"].get("conditions"))
        .flat_map(|conditions| serde_json::from_value::<Vec<_>>(conditions.clone()).unwrap())
        .collect();
    let reasons: HashSet<_> =
        conditions.iter().map(|condition| condition.reason.as_str()).collect();
    assert_eq!(reasons, Reason::ALL.iter().map(|reason| reason.as_str()).collect());

    let documents = recorded.iter().map(|object| serde_yaml_ng::to_string(object).unwrap());
    let file = format!("{HEAD}{}", documents.collect::<Vec<_>>().join("---\n"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(FILE, &file).unwrap();
    }
    let stands = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(stands == file, "{FILE} is old; UPDATE_DOCS=1 cargo test --test status writes it");
}
