//! The kinds that are served: one line for each, and its schema.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::json::Fields as _;

/// A kind, and what the server must know of it.
#[derive(Debug)]
pub(crate) struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    /// As in `kind`.
    pub name: &'static str,
    pub plural: &'static str,
    /// Built into Kubernetes: a Go type, which a `PUT` creates when it is not there. Else a custom
    /// resource.
    pub built_in: bool,
    /// It has the subresource `status`, and a generation.
    pub has_status: bool,
    /// A `PUT` without a version overwrites whatever is there.
    pub unconditional_update: bool,
    /// A structural schema.
    pub schema: Value,
}

/// Another kind is one more line.
static KINDS: LazyLock<[Kind; 3]> = LazyLock::new(|| {
    [
        custom("cloud.qoder.com", "v1alpha1", "QoderDeployment", "qoderdeployments", shipped()),
        built_in("events.k8s.io", "v1", "Event", "events", event()),
        built_in("coordination.k8s.io", "v1", "Lease", "leases", lease()),
    ]
});

/// In the order of the table.
pub(crate) fn kinds() -> &'static [Kind; 3] {
    &KINDS
}

fn custom(
    group: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
    schema: Value,
) -> Kind {
    Kind {
        group,
        version,
        name,
        plural,
        built_in: false,
        has_status: true,
        unconditional_update: false,
        schema: with_metadata(schema),
    }
}

fn built_in(
    group: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
    schema: Value,
) -> Kind {
    Kind {
        group,
        version,
        name,
        plural,
        built_in: true,
        has_status: false,
        unconditional_update: plural == "events",
        schema: with_metadata(schema),
    }
}

impl Kind {
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        kinds()
            .iter()
            .find(|kind| (kind.group, kind.version, kind.plural) == (group, version, plural))
    }

    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// As messages name the resource.
    pub fn full_plural(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// The `details` of a status about one object; without a name, about none.
    pub fn details(&self, name: &str) -> Value {
        if name.is_empty() {
            return json!({"group": self.group, "kind": self.plural});
        }
        json!({"name": name, "group": self.group, "kind": self.plural})
    }
}

/// The shipped CRD's. A CRD that cannot be made gives a schema that takes nothing.
fn shipped() -> Value {
    let crd = qoder_operator::api::crd().ok().and_then(|crd| serde_json::to_value(crd).ok());
    let schema =
        crd.as_ref().and_then(|crd| crd.pointer("/spec/versions/0/schema/openAPIV3Schema"));
    schema.cloned().unwrap_or_default()
}

fn object(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// Adds what every object has.
fn with_metadata(mut schema: Value) -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    schema.at("properties").set("apiVersion", text.clone());
    schema.at("properties").set("kind", text.clone());
    schema.at("properties").set("metadata", object(&json!({
        "name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text,
        "resourceVersion": text, "creationTimestamp": text, "deletionTimestamp": text,
        "generation": {"type": "integer"}, "deletionGracePeriodSeconds": {"type": "integer"},
        "labels": texts, "annotations": texts,
        "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "ownerReferences": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
            "items": {
                "type": "object", "x-kubernetes-map-type": "atomic",
                "properties": {
                    "apiVersion": text, "kind": text, "name": text, "uid": text,
                    "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"},
                },
            },
        },
        "managedFields": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
    })));
    schema
}

/// `default` is what the Go type writes where nothing is set.
fn event() -> Value {
    let (text, int) = (json!({"type": "string"}), json!({"type": "integer"}));
    let reference = json!({
        "type": "object", "x-kubernetes-map-type": "atomic",
        "properties": {
            "apiVersion": text, "kind": text, "name": text, "namespace": text, "uid": text,
            "resourceVersion": text, "fieldPath": text,
        },
    });
    let mut regarding = reference.clone();
    regarding.set("default", json!({}));
    object(&json!({
        "action": text, "reason": text, "note": text, "type": text,
        "eventTime": {"type": "string", "x-time": "micro"},
        "reportingController": text, "reportingInstance": text,
        "regarding": regarding, "related": reference,
        "series": object(&json!({
            "count": int, "lastObservedTime": {"type": "string", "x-time": "micro"},
        })),
        "deprecatedCount": int,
        "deprecatedFirstTimestamp": {"type": "string", "nullable": true, "default": null},
        "deprecatedLastTimestamp": {"type": "string", "nullable": true, "default": null},
        "deprecatedSource": {
            "type": "object", "default": {}, "properties": {"component": text, "host": text},
        },
    }))
}

fn lease() -> Value {
    let (text, int) = (json!({"type": "string"}), json!({"type": "integer"}));
    let time = json!({"type": "string", "x-time": "micro"});
    let mut spec = object(&json!({
        "holderIdentity": text, "leaseDurationSeconds": int, "acquireTime": time,
        "renewTime": time, "leaseTransitions": int, "strategy": text, "preferredHolder": text,
    }));
    spec.set("default", json!({}));
    object(&json!({"spec": spec}))
}
