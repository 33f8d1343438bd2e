//! The monitors select what the base has.

use serde_json::Value;

use crate::read;

fn object(path: &str) -> Value {
    serde_yaml_ng::from_str(&read(&format!("deploy/{path}"))).unwrap()
}

/// Whether the labels have all that is selected.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn the_monitors_select_the_service_the_pods_and_their_port() {
    let (service, deployment) = (object("base/service.yaml"), object("base/deployment.yaml"));
    // kustomize puts these on everything.
    let base = object("base/kustomization.yaml")["labels"][0]["pairs"].clone();
    let template = &deployment["spec"]["template"];

    let monitor = object("monitoring/servicemonitor.yaml");
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], &base));
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(monitor["metadata"]["namespace"], service["metadata"]["namespace"]);

    let monitor = object("monitoring/podmonitor.yaml");
    let labels = &template["metadata"]["labels"];
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], labels));
    let port = &template["spec"]["containers"][0]["ports"][0]["name"];
    assert_eq!(monitor["spec"]["podMetricsEndpoints"][0]["port"], *port);
    assert_eq!(monitor["metadata"]["namespace"], deployment["metadata"]["namespace"]);
}

#[test]
fn the_kustomization_names_files_that_there_are() {
    let kustomization = object("monitoring/kustomization.yaml");
    let resources = kustomization["resources"].as_array().unwrap().iter();
    let files = kustomization["configMapGenerator"][0]["files"].as_array().unwrap().iter();
    let names = resources.chain(files).map(|name| name.as_str().unwrap());
    let names: Vec<_> = names.map(|name| name.rsplit('=').next().unwrap()).collect();
    assert_eq!(names, ["rules.yaml", "servicemonitor.yaml", "dashboard.json"]);
    for name in names {
        assert!(!read(&format!("deploy/monitoring/{name}")).is_empty());
    }
}
