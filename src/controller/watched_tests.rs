use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::WatchEvent;
use serde_json::json;

use super::*;

/// With everything that the operator asks of an object, and what it does not.
fn object() -> Value {
    json!({
        "apiVersion": "cloud.qoder.com/v1alpha1", "kind": "QoderDeployment",
        "metadata": {
            "name": "nightly", "namespace": "agents", "uid": "u", "generation": 3, "resourceVersion": "17",
            "creationTimestamp": "2026-07-01T02:00:00Z", "deletionTimestamp": "2026-07-02T02:00:00Z",
            "annotations": {"cloud.qoder.com/reconcile": "disabled"},
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {"deploymentID": "dep_1", "paused": true, "driftPolicy": "Warn"},
        "status": {"observedGeneration": 3, "status": "paused", "pausedReason": {"type": "manual"}},
    })
}

#[test]
fn an_object_is_read_as_it_is_but_for_who_manages_its_fields() {
    let mut whole: QoderDeployment = serde_json::from_value(object()).unwrap();
    assert_eq!(whole.metadata.managed_fields.as_deref().map(<[ManagedFieldsEntry]>::len), Some(1));
    whole.metadata.managed_fields = None;

    let watched: Watched = serde_json::from_value(object()).unwrap();
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
