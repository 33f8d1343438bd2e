//! An object as a watch brings it.

use kube::core::WatchEvent;
use qoder_operator::{
    api::{DeploymentId, MAX_TOKEN, QoderDeployment},
    controller::Watched,
    resources::{Resource, mirror::last_known},
};
use serde_json::{Value, json};
use tokio::time::Instant;

type Event = WatchEvent<Watched>;

/// Whatever is in an object, it does not stop the watch, and keeps its name; one that can be read comes back as it was.
pub fn object(data: &[u8]) {
    // No panic, also where there is no metadata that a server would send.
    let _ = serde_json::from_slice::<Watched>(data);
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(data) else { return };
    let metadata = fields.get("metadata").cloned().unwrap_or_default();
    let text = |name: &str| metadata[name].as_str().unwrap_or("1").to_owned();
    let served = json!({
        "namespace": "agents", "name": "a", "uid": "u", "generation": 1,
        "resourceVersion": text("resourceVersion"),
        "creationTimestamp": "2026-07-01T02:00:00Z",
        "annotations": annotations(&metadata),
    });
    fields.insert("metadata".to_owned(), served);
    let event = json!({ "type": "MODIFIED", "object": fields }).to_string();
    let event: Event = serde_json::from_str(&event).expect("one object must not stop the watch");
    let WatchEvent::Modified(watched) = event else { panic!("another event") };
    match watched.0 {
        Ok(object) => is_taken_in(&object),
        Err(invalid) => {
            assert_eq!(invalid.metadata.name.as_deref(), Some("a"));
            assert_eq!(invalid.metadata.namespace.as_deref(), Some("agents"));
        }
    }
}

/// As a server has them: texts by names.
fn annotations(metadata: &Value) -> Value {
    let mut annotations = metadata["annotations"].clone();
    match &mut annotations {
        Value::Object(all) => all.retain(|_, value| value.is_string()),
        other => *other = json!({}),
    }
    annotations
}

fn is_taken_in(object: &QoderDeployment) {
    let again = serde_json::to_vec(object).unwrap();
    let again: QoderDeployment = serde_json::from_slice(&again).unwrap();
    assert_eq!(&again, object, "what parses prints back the same");
    let now = Instant::now();
    let resource = Resource::new(object, now);
    let id = DeploymentId::try_from(object.spec.deployment_id.as_str());
    let (Ok(resource), Ok(id)) = (&resource, &id) else {
        return assert_eq!(resource.err(), id.err());
    };
    assert_eq!(&resource.deployment, id);
    for request in [&resource.resume_request, &resource.reconcile_request].into_iter().flatten() {
        assert!(request.value.chars().count() <= MAX_TOKEN);
    }
    let status = object.status.clone().unwrap_or_default();
    assert_eq!(status.digest(), again.status.unwrap_or_default().digest());
    let known = last_known(&status);
    assert_eq!(known.is_some(), status.status.is_some());
    assert!(Resource::new(object, now).unwrap().after(resource).is_same_work(resource));
}
