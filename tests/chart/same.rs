//! The chart and the kustomizations are two ways to the same objects.

use std::fs;

use serde_json::Value;
use testbed::tools::Helm;

use crate::helm::{NAME, Objects, case, compare, kustomize, objects, pod, render, root, template};

/// What Helm adds and kustomize does not, and the Namespace, which Helm makes with --create-namespace.
/// Nothing else may differ.
fn comparable(objects: Objects) -> Objects {
    let kept = objects.into_iter().filter(|(_, object)| object["kind"] != "Namespace");
    kept.map(|(key, mut object)| {
        for map in ["/metadata/labels", "/metadata/annotations"] {
            if let Some(map) = object.pointer_mut(map).and_then(Value::as_object_mut) {
                map.retain(|key, _| {
                    !key.starts_with("helm.sh/") && key != "app.kubernetes.io/managed-by"
                });
            }
        }
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        (key, object)
    })
    .collect()
}

/// Their order means nothing.
fn sort_variables(objects: &mut Objects) {
    for object in objects.values_mut() {
        let variables = object.pointer_mut("/spec/template/spec/containers/0/env");
        if let Some(variables) = variables.and_then(Value::as_array_mut) {
            variables.sort_by_key(|variable| variable["name"].to_string());
        }
    }
}

#[track_caller]
fn assert_same(mut rendered: Objects, mut built: Objects) {
    for objects in [&mut rendered, &mut built] {
        sort_variables(objects);
    }
    let keys = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&rendered), keys(&built));
    for (key, object) in &rendered {
        assert_eq!(*object, built[key], "{key}");
    }
}

#[test]
fn the_default_is_the_base() {
    for helm in Helm::ALL {
        let rendered = comparable(render(helm, &[]));
        assert!(rendered.len() >= 10, "{:?}", rendered.keys());
        assert_same(rendered, comparable(kustomize("base")));
    }
}

#[test]
fn in_one_namespace_it_is_the_overlay() {
    for helm in Helm::ALL {
        let rendered = render(helm, &["--set", "namespaces={agents}"]);
        assert_same(comparable(rendered), comparable(kustomize("namespaced")));
    }
}

#[test]
fn against_the_simulator_it_is_the_operator_of_the_overlay() {
    for helm in Helm::ALL {
        let rendered = comparable(render(helm, &["--values", &case("simulator")]));
        let mut built = comparable(kustomize("simulator"));
        built.retain(|key, _| rendered.contains_key(key));
        assert_same(rendered, built);
    }
}

/// The operator of a tenant is that of the overlay, in a namespace of its own, without what the cluster has once.
#[test]
fn a_tenant_is_the_overlay_for_one_namespace_with_its_operator_beside_it() {
    let mut all = kustomize("cluster");
    let mut once = kustomize("base");
    once.retain(|key, _| all.contains_key(key));
    assert_same(once, all.clone());
    let mut overlay = kustomize("namespaced");
    overlay.retain(|key, _| !all.contains_key(key));
    let overlay: Vec<_> = overlay.values().map(Value::to_string).collect();
    for tenant in ["north", "south"] {
        let moved = overlay
            .join("\n---\n")
            .replace(
                r#""namespace":"qoder-operator""#,
                &format!(r#""namespace":"{tenant}-operator""#),
            )
            .replace(r#""agents""#, &format!(r#""{tenant}""#));
        let mut expected = objects(&moved);
        let mut beside = expected.remove(&format!("Namespace {NAME}")).unwrap();
        beside["metadata"]["name"] = format!("{tenant}-operator").into();
        expected.insert(format!("Namespace {tenant}-operator"), beside);
        let built = kustomize(&format!("tenants/{tenant}"));
        all.extend(built.clone());
        let of_people = |key: &str| key == format!("Namespace {tenant}");
        assert_same(expected, built.into_iter().filter(|(key, _)| !of_people(key)).collect());
    }
    assert_same(all, kustomize("tenants"));
}

/// The same objects in one file, for whoever has neither Helm nor kustomize.
#[test]
fn the_one_file_is_the_base_with_its_namespace() {
    let namespace = fs::read_to_string(root().join("deploy/base/namespace.yaml")).unwrap();
    let helms = ["helm.sh/", "app.kubernetes.io/managed-by:", "# Source:"];
    let of_helm = |line: &&str| helms.iter().any(|helms| line.trim_start().starts_with(helms));
    let mut made = String::new();
    for helm in Helm::ALL {
        let rendered = template(helm, &["--skip-tests"]).unwrap();
        let lines: Vec<_> = rendered.lines().filter(|line| !of_helm(line)).collect();
        // The CRD has no other annotation.
        let lines = lines.join("\n").replace("  annotations:\n  labels:", "  labels:");
        made = format!(
            "# All of the operator but its token, in one file. `make generate` writes it.\n{namespace}{lines}\n"
        );
        compare("deploy/install.yaml", &made);
    }

    let mut built = kustomize("base");
    let namespace = built.get_mut(&format!("Namespace {NAME}")).unwrap();
    // The kustomization gives it labels that no one needs.
    namespace["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .retain(|key, _| !key.starts_with("app."));
    assert_same(objects(&made), built);
    assert_eq!(pod(&objects(&made))["spec"]["nodeSelector"]["kubernetes.io/os"], "linux");
}

/// Helm reads no file outside of the chart.
#[test]
fn what_the_chart_carries_is_what_the_repository_has() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    for (file, own) in [
        ("crd.yaml", "crds/qoderdeployments.yaml"),
        ("rules.yaml", "deploy/monitoring/rules.yaml"),
        ("dashboard.json", "deploy/monitoring/dashboard.json"),
    ] {
        compare(&format!("deploy/chart/files/{file}"), &read(own));
    }

    let chart: Value = serde_yaml_ng::from_str(&read("deploy/chart/Chart.yaml")).unwrap();
    for version in ["version", "appVersion"] {
        assert_eq!(chart[version], env!("CARGO_PKG_VERSION"), "{version}");
    }
}
