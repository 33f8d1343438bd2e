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

/// What the one allows and the other refuses, or shows no more.
fn breaks(old: &JSONSchemaProps, new: &JSONSchemaProps) -> Vec<String> {
    let mut news = std::collections::BTreeMap::new();
    visit("", new, &mut |path, schema| drop(news.insert(path.to_owned(), schema.clone())));
    let mut breaks = Vec::new();
    visit("", old, &mut |path, old| {
        let Some(new) = news.get(path) else {
            return breaks.push(format!("{path} is gone"));
        };
        let mut check = |holds: bool, what: &str| {
            if !holds {
                breaks.push(format!("{path}: {what}"));
            }
        };
        check(old.type_ == new.type_, "another type");
        check(old.format == new.format, "another format");
        check(old.pattern == new.pattern, "another pattern");
        check(old.default == new.default, "another default");
        check(old.x_kubernetes_list_map_keys == new.x_kubernetes_list_map_keys, "other keys");
        let at_most = |old: Option<i64>, new: Option<i64>| {
            new.is_none_or(|new| old.is_some_and(|old| old <= new))
        };
        let at_least = |old: Option<i64>, new: Option<i64>| {
            new.is_none_or(|new| old.is_some_and(|old| old >= new))
        };
        check(at_most(old.max_length, new.max_length), "a smaller maxLength");
        check(at_most(old.max_items, new.max_items), "a smaller maxItems");
        check(at_least(old.min_length, new.min_length), "a greater minLength");
        check(at_least(old.min_items, new.min_items), "a greater minItems");
        let contains = |all: &[String], some: &[String]| some.iter().all(|one| all.contains(one));
        let [olds, news] = [old, new].map(|schema| schema.required.clone().unwrap_or_default());
        check(contains(&olds, &news), "more is required");
        let values = |schema: &JSONSchemaProps| {
            schema
                .enum_
                .as_ref()
                .map(|values| values.iter().map(|value| value.0.to_string()).collect::<Vec<_>>())
        };
        check(
            values(new).is_none_or(|new| values(old).is_some_and(|old| contains(&new, &old))),
            "fewer values",
        );
        let rules = |schema: &JSONSchemaProps| {
            let rules = schema.x_kubernetes_validations.iter().flatten();
            rules.map(|rule| rule.rule.clone()).collect::<Vec<_>>()
        };
        check(contains(&rules(old), &rules(new)), "another rule");
    });
    breaks
}

/// `deploy/release/crd.yaml` is that of the last release; before the first one, that from which it will be made.
#[test]
fn what_was_released_is_still_taken_and_still_shown() {
    let released = include_str!("../deploy/release/crd.yaml");
    let released: CustomResourceDefinition = serde_yaml_ng::from_str(released).unwrap();
    let now = crd().unwrap();
    assert_eq!(breaks(schema(&released), schema(&now)), [""; 0]);
    let names = |crd: &CustomResourceDefinition| {
        let versions = crd.spec.versions.iter().map(|version| version.name.clone());
        (crd.spec.names.clone(), crd.spec.scope.clone(), versions.collect::<Vec<_>>())
    };
    assert_eq!(names(&released), names(&now));

    // It would be seen.
    let mut stricter = schema(&now).clone();
    let spec = stricter.properties.as_mut().unwrap().get_mut("spec").unwrap();
    spec.required = Some(vec!["deploymentID".into(), "paused".into()]);
    let fields = spec.properties.as_mut().unwrap();
    fields.remove("driftPolicy");
    fields.get_mut("deploymentID").unwrap().max_length = Some(9);
    assert_eq!(
        breaks(schema(&now), &stricter),
        [
            ".spec: more is required",
            ".spec.deploymentID: a smaller maxLength",
            ".spec.driftPolicy is gone"
        ]
    );
    assert_eq!(breaks(&stricter, schema(&now)), [""; 0], "the other way round, more is allowed");
}
