//! The JSON schema of the CRD, for editors and `kubeconform`: as strict as the API server, and then some.

use qoder_operator::api::{DeploymentId, annotation, crd};
use serde_json::{Map, Value, json};

use super::assert_is;

const FILE: &str = "deploy/gitops/schema/qoderdeployment_v1alpha1.json";

/// What a JSON schema knows of an `OpenAPI` one: an object has no field but those that are named.
fn strict(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let known = fields.iter().filter(|(name, _)| !name.starts_with("x-kubernetes-"));
    let mut strict: Map<_, _> = known
        .map(|(name, value)| match name.as_str() {
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                (
                    name.clone(),
                    properties.map(|(name, one)| (name.clone(), self::strict(one))).collect(),
                )
            }
            "items" => (name.clone(), self::strict(value)),
            _ => (name.clone(), value.clone()),
        })
        .collect();
    if strict.contains_key("properties") {
        strict.insert("additionalProperties".to_owned(), json!(false));
    }
    strict.into()
}

/// The annotations that the operator reads. Another one with its prefix is a mistake, which nothing else would notice.
fn metadata() -> Value {
    let timestamp = |what: &str| json!({ "type": "string", "minLength": 1, "description": what });
    json!({
        "type": "object",
        "properties": {
            "annotations": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "properties": {
                    (annotation::RECONCILE): {
                        "enum": [annotation::RECONCILE_ENABLED, annotation::RECONCILE_DISABLED],
                        "description": "disabled: the operator reads and reports, and changes nothing.",
                    },
                    (annotation::RECONCILE_REQUESTED_AT): timestamp("Any new value: look now, and apply the spec again."),
                    (annotation::RESUME_REQUESTED_AT): timestamp("Any new value: resume once, also what the platform has paused."),
                },
                "propertyNames": { "anyOf": [
                    { "enum": [annotation::RECONCILE, annotation::RECONCILE_REQUESTED_AT, annotation::RESUME_REQUESTED_AT] },
                    { "not": { "pattern": "^cloud\\.qoder\\.com/" } },
                ] },
            },
        },
    })
}

fn schema() -> Value {
    let crd = crd().unwrap();
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    let whole = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut schema = strict(&serde_json::to_value(whole).unwrap());
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    let (api_version, kind) =
        (format!("{}/{}", crd.spec.group, version.name), &crd.spec.names.kind);
    schema["properties"]["apiVersion"] = json!({ "type": "string", "enum": [api_version] });
    schema["properties"]["kind"] = json!({ "type": "string", "enum": [kind] });
    schema["properties"]["metadata"] = metadata();
    // What the CRD says by a rule.
    schema["properties"]["spec"]["properties"]["deploymentID"]["pattern"] =
        json!(DeploymentId::PATTERN);
    schema
}

#[test]
fn the_schema_is_what_the_types_say() {
    assert_is(FILE, &format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap()));
}
