//! What a cluster may have besides: a network policy, Prometheus, Grafana.

use std::fs;

use serde_json::{Value, json};

use crate::{
    helm::{case, only, pod, root},
    values::with,
};

#[test]
fn the_network_policy_is_off_and_its_ports_are_values() {
    assert!(!with(&[]).keys().any(|key| key.starts_with("NetworkPolicy")));
    let ports = |arguments: &[&str]| {
        let arguments: Vec<_> =
            ["--set", "networkPolicy.enabled=true"].iter().chain(arguments).copied().collect();
        let rendered = with(&arguments);
        let spec = only(&rendered, "NetworkPolicy")["spec"].clone();
        let labels = pod(&rendered)["metadata"]["labels"].as_object().unwrap();
        for (key, value) in spec["podSelector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(labels[key], *value);
        }
        assert_eq!(spec["ingress"], json!([{"ports": [{"port": "http"}]}]));
        spec["egress"].clone()
    };
    let dns = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]);
    assert_eq!(ports(&[]), json!([{"ports": [{"port": 443}, {"port": 6443}]}, {"ports": dns}]));
    assert_eq!(
        ports(&[
            "--set",
            "networkPolicy.apiServerPorts={16443},networkPolicy.qoderPorts={3128,443},networkPolicy.collectorPorts={4318}"
        ]),
        json!([{"ports": [{"port": 16443}, {"port": 3128}, {"port": 443}, {"port": 4318}]}, {"ports": dns}])
    );
}

#[test]
fn the_values_of_docs_traces_name_the_collector_and_let_the_pod_reach_it() {
    let page = fs::read_to_string(root().join("docs/traces.md")).unwrap();
    let values = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = format!("{}/traces-values.yaml", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&file, values).unwrap();
    let rendered = with(&["--values", &file, "--set", "networkPolicy.enabled=true"]);
    let ports = &only(&rendered, "NetworkPolicy")["spec"]["egress"][0]["ports"];
    assert_eq!(*ports, json!([{"port": 443}, {"port": 6443}, {"port": 4318}]));
    let variables = pod(&rendered)["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    let names: Vec<_> = variables.iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(
        names.ends_with(&["POD_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_RESOURCE_ATTRIBUTES"]),
        "{names:?}"
    );
}

#[test]
fn prometheus_and_grafana_get_their_objects_on_demand() {
    for kind in ["ServiceMonitor", "PrometheusRule", "ConfigMap"] {
        assert!(!with(&[]).keys().any(|key| key.starts_with(kind)), "{kind}");
    }
    let set = with(&["--values", &case("everything")]);
    let monitor = only(&set, "ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["endpoints"], json!([{"port": "http", "interval": "15s"}]));
    let service = only(&set, "Service");
    assert_eq!(service["spec"]["ports"][0]["name"], "http");
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(service["metadata"]["labels"][key], *value);
    }
    let rules = fs::read_to_string(root().join("deploy/monitoring/rules.yaml")).unwrap();
    let rules: Value = serde_yaml_ng::from_str(&rules).unwrap();
    let rule = only(&set, "PrometheusRule");
    assert_eq!(rule["spec"], rules["spec"]);
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    let dashboard = only(&set, "ConfigMap");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "north");
    let text = dashboard["data"]["qoder-operator.json"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["title"], "Qoder operator");
}
