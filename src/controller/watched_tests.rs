use kube::core::WatchEvent;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::resources::Resource as Taken;

/// With everything that the operator asks of an object, and what it does not.
fn object() -> Value {
    json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": {
            "name": "nightly", "namespace": "agents", "uid": "u", "generation": 3, "resourceVersion": "17",
            "creationTimestamp": "2026-07-01T02:00:00Z", "deletionTimestamp": "2026-07-02T02:00:00Z",
            "annotations": {
                "cloud.qoder.com/reconcile": "disabled",
                "cloud.qoder.com/reconcile-requested-at": "1", "cloud.qoder.com/resume-requested-at": "2",
            },
            "labels": {"app": "agents"}, "finalizers": ["example.com/keep"],
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {"deploymentID": "dep_1", "paused": true, "driftPolicy": "Warn"},
        "status": {"observedGeneration": 3, "status": "paused", "pausedReason": {"type": "manual"}},
    })
}

#[test]
fn an_object_has_all_that_the_operator_asks_for() {
    let mut whole: QoderDeployment = serde_json::from_value(object()).unwrap();
    let watched: Watched = serde_json::from_value(object()).unwrap();
    let now = Instant::now();
    let taken = |object| format!("{:?}", Taken::new(object, now).unwrap());
    assert_eq!(taken(watched.0.as_ref().unwrap()), taken(&whole));

    let rest = &mut whole.metadata;
    assert!(rest.managed_fields.take().is_some());
    assert!(rest.labels.take().is_some() && rest.finalizers.take().is_some());
    assert_eq!(watched.meta(), &whole.metadata);
    assert_eq!(watched.0.unwrap(), whole);
}

#[test]
fn an_object_that_cannot_be_read_keeps_its_name_and_says_why() {
    for (part, value, why) in [
        ("spec", json!({"paused": true}), "missing field `deploymentID`"),
        ("spec", json!("none"), "invalid type: string \"none\""),
        ("spec", Value::Null, "invalid type: null"),
        ("status", json!({"conditions": 1}), "invalid type: integer `1`"),
    ] {
        let mut object = object();
        object[part] = value;
        let event = json!({"type": "ADDED", "object": object}).to_string();
        let Ok(WatchEvent::Added(watched)) = serde_json::from_str::<WatchEvent<Watched>>(&event)
        else {
            panic!("one object stops the list")
        };
        assert_eq!(watched.meta().name.as_deref(), Some("nightly"));
        assert_eq!(watched.meta().resource_version.as_deref(), Some("17"));
        let error = watched.0.unwrap_err().error;
        assert!(error.starts_with(why), "{error}");
    }
}
