//! The CRD: `crds/` is what the types say, and it keeps the rules that make a CRD good.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use qoder_operator::api::{crd, crd_yaml};

fn schema(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()
}

#[test]
fn crds_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/qoderdeployments.yaml");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == crd_yaml().unwrap(), "crds/ is stale: run `make generate`");
}

/// Visits every schema below this one with its path.
fn visit(path: &str, schema: &JSONSchemaProps, check: &mut impl FnMut(&str, &JSONSchemaProps)) {
    check(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        visit(&format!("{path}.{name}"), property, check);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        visit(&format!("{path}[]"), items, check);
    }
}

#[test]
fn every_property_has_a_description_bounds_and_a_plain_type() {
    let crd = crd().unwrap();
    let mut seen = 0;
    visit("", schema(&crd), &mut |path, schema| {
        seen += 1;
        let kind = schema.type_.as_deref().unwrap_or_else(|| panic!("{path}: no type"));
        assert!(
            schema.description.as_ref().is_some_and(|text| text.len() > 10),
            "{path}: no description"
        );
        assert_eq!(schema.nullable, None, "{path}: nullable");
        assert_eq!(schema.x_kubernetes_preserve_unknown_fields, None, "{path}");
        match kind {
            "string" => assert!(
                schema.max_length.is_some() || schema.enum_.is_some(),
                "{path}: a string without maxLength or enum"
            ),
            "integer" => {
                let format = schema.format.as_deref();
                assert!(matches!(format, Some("int32" | "int64")), "{path}: format {format:?}");
                assert!(schema.minimum.is_some(), "{path}: an integer without a bound");
            }
            "array" => {
                assert!(schema.max_items.is_some(), "{path}: a list without maxItems");
                assert!(schema.x_kubernetes_list_type.is_some(), "{path}: a list without a type");
            }
            "boolean" => {}
            "object" => assert!(
                schema.properties.is_some() || path == ".metadata",
                "{path}: an object without properties"
            ),
            other => panic!("{path}: {other}"),
        }
        for required in schema.required.iter().flatten() {
            let property = &schema.properties.as_ref().unwrap()[required];
            assert_eq!(property.default, None, "{path}.{required}: required, and has a default");
        }
        for name in schema.properties.iter().flat_map(|properties| properties.keys()) {
            assert!(name != "phase" && !name.ends_with("Timestamp"), "{path}.{name}");
        }
    });
    assert!(seen > 25, "the walk has seen {seen} schemas only");
}

#[test]
fn spec_has_no_default_and_status_has_the_one_that_kstatus_needs() {
    let crd = crd().unwrap();
    let root = schema(&crd).properties.as_ref().unwrap();
    visit(".spec", &root["spec"], &mut |path, schema| assert_eq!(schema.default, None, "{path}"));
    let default = root["status"].default.as_ref().unwrap();
    assert_eq!(default.0, serde_json::json!({ "observedGeneration": -1 }));
}

#[test]
fn columns_fit_a_terminal_and_age_is_last() {
    let crd = crd().unwrap();
    let columns = crd.spec.versions[0].additional_printer_columns.as_ref().unwrap();
    assert!(columns.iter().all(|column| !column.name.contains(' ')));
    let shown: Vec<_> = columns
        .iter()
        .filter(|column| column.priority.unwrap_or_default() == 0)
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(shown, ["Paused", "Remote", "Ready", "Reason", "Age"]);
    assert_eq!(columns.last().unwrap().name, "Age");
}
