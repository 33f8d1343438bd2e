//! The annotations that the operator reads.

use apiserver::ApiServer;
use k8s_openapi::jiff::Timestamp;
use qoder_operator::{
    api::{ConditionStatus, QoderDeploymentStatus, Reason, annotation},
    reconcile::{
        settle::{Kind, Ready},
        status::{Contents, render},
    },
    resources::{Memory, Progress, ReachedChange, Resource},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::status::is_readable;

/// The three values, with `|` between them; one that is empty is absent. The switch fails safe; the API server takes the status that answers the
/// requests; and what was handled asks for nothing again.
pub fn annotations(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '|');
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let [switch, reconcile, resume] = [part(), part(), part()];
    let resource = resource(&object([switch, reconcile, resume], None));
    assert_eq!(resource.disabled, switch.is_some_and(|value| value != "enabled"));
    assert_eq!(resource.has_unknown_switch, resource.disabled && switch != Some("disabled"));
    assert!(resource.resume_requested().is_none(), "before the first status nothing asks");
    assert_eq!(resource.reconcile_requested().is_some(), reconcile.is_some());

    let progress = Progress {
        reached: ReachedChange::Keep,
        resume_handled: true,
        reconcile_handled: true,
        is_told: true,
    };
    let memory = resource.memory.after(progress, &resource.asked());
    let status = publish(&resource, &memory);
    is_readable(&status);
    // Our own words: whatever the requests say, and whichever unknown switch it is.
    let other = object(
        [
            switch.map(|_| "other").filter(|_| resource.has_unknown_switch).or(switch),
            reconcile.map(|_| "x"),
            resume.map(|_| "y"),
        ],
        None,
    );
    assert_eq!(publish(&self::resource(&other), &memory).conditions, status.conditions);

    let stands = stands([switch, reconcile, resume], &status);
    let next = self::resource(&stands);
    assert_eq!(next.published.digest, status.digest(), "it stands as it was sent");
    assert!(next.resume_requested().is_none() && next.reconcile_requested().is_none());
}

fn object(
    [switch, reconcile, resume]: [Option<&str>; 3],
    status: Option<&QoderDeploymentStatus>,
) -> Value {
    let mut annotations = json!({});
    for (name, value) in [
        (annotation::RECONCILE, switch),
        (annotation::RECONCILE_REQUESTED_AT, reconcile),
        (annotation::RESUME_REQUESTED_AT, resume),
    ] {
        if let Some(value) = value {
            annotations[name] = json!(value);
        }
    }
    let mut object = json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": { "namespace": "agents", "name": "a", "uid": "u", "generation": 1, "annotations": annotations },
        "spec": { "deploymentID": "dep_1", "paused": true },
    });
    if let Some(status) = status {
        object["status"] = json!(status);
    }
    object
}

fn resource(object: &Value) -> Resource {
    Resource::new(&serde_json::from_value(object.clone()).unwrap(), Instant::now()).unwrap()
}

fn publish(resource: &Resource, memory: &Memory) -> QoderDeploymentStatus {
    let reason = if resource.disabled { Reason::ReconcileDisabled } else { Reason::InSync };
    let ready = Ready { status: ConditionStatus::True, reason, kind: Kind::Done };
    let now = Timestamp::UNIX_EPOCH;
    let contents = Contents { ready, last_known: None, owner: None, hindrance: None, now };
    render(resource, memory, contents)
}

/// The object, after an API server with the shipped schema has taken the status.
fn stands(values: [Option<&str>; 3], status: &QoderDeploymentStatus) -> Value {
    let server = ApiServer::new();
    let all = server.deployments();
    all.create(object(values, None)).expect("an annotation may be any text");
    let stands = all.edit_status("agents", "a", |stands| *stands = json!(status));
    stands.expect("a status that fits the schema");
    all.get("agents", "a").unwrap()
}
