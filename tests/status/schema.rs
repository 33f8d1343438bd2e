//! Every status against the schema of the CRD.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use qoder_operator::api::crd;
use serde_json::Value;

use super::{
    inputs::{readys, remotes},
    nothing, publish, time,
};

#[tokio::test]
async fn every_status_fits_the_schema_of_the_crd() {
    let crd = crd().unwrap();
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    let whole = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let schema = whole.properties.as_ref().unwrap().get("status").unwrap();
    let mut longest = BTreeSet::new();
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            fits("status", &serde_json::to_value(&status).unwrap(), schema, &mut longest);
        }
    }
    let cut = [
        "status.lastHandledReconcileRequest",
        "status.lastHandledResumeRequest",
        "status.name",
        "status.pausedReason.error.type",
        "status.pausedReason.type",
        "status.schedule.expression",
        "status.schedule.timezone",
        "status.status",
    ];
    assert_eq!(longest, cut.map(str::to_owned).into(), "the longest texts were tried");
}

/// Checks a value against a schema: nothing unknown, nothing missing, nothing out of bounds.
/// Collects the paths of the strings that are as long as they may be.
fn fits(path: &str, value: &Value, schema: &JSONSchemaProps, longest: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let properties = schema.properties.as_ref().unwrap();
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                let schema = properties.get(name).unwrap_or_else(|| panic!("{path}: unknown"));
                fits(&path, value, schema, longest);
            }
            for name in schema.required.iter().flatten() {
                assert!(fields.contains_key(name), "{path}.{name}: missing");
            }
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema_of_one)) = &schema.items else {
                panic!("{path}: no schema of items")
            };
            assert!(i64::try_from(items.len()).unwrap() <= schema.max_items.unwrap(), "{path}");
            for item in items {
                fits(path, item, schema_of_one, longest);
            }
        }
        Value::String(text) => {
            if let Some(values) = &schema.enum_ {
                assert!(values.iter().any(|allowed| allowed.0 == *value), "{path}: {text}");
                return;
            }
            let length = i64::try_from(text.chars().count()).unwrap();
            let most = schema.max_length.unwrap();
            assert!((schema.min_length.unwrap_or(0)..=most).contains(&length), "{path}: {length}");
            if length == most {
                longest.insert(path.to_owned());
            }
        }
        Value::Number(number) => {
            assert!(number.as_f64().unwrap() >= schema.minimum.unwrap(), "{path}: {number}");
        }
        Value::Null | Value::Bool(_) => panic!("{path}: {value} has no place in a status"),
    }
}
