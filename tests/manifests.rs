//! The shipped manifests, without a cluster: the rights, the Pod, the flags in it, the overlays.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

#[path = "chart/flags.rs"]
mod flags;

use std::{collections::BTreeSet, fs, time::Duration};

use flags::parse;
use qoder_operator::{
    api::{DeploymentId, QoderDeployment},
    times::Times,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The objects of one file below `deploy/`.
fn objects(path: &str) -> Vec<Value> {
    let path = format!("{}/deploy/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|object| Value::deserialize(object).unwrap_or_else(|error| panic!("{path}: {error}")))
        .collect()
}

fn object(path: &str, kind: &str) -> Value {
    let mut found: Vec<_> =
        objects(path).into_iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{path} has {} of kind {kind}", found.len());
    found.remove(0)
}

/// The Pod of the operator's Deployment.
fn operator() -> Value {
    object("base/deployment.yaml", "Deployment")["spec"]["template"].clone()
}

/// The one container of a Pod.
fn container(pod: &Value) -> &Value {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The variables of a container.
fn variables(container: &Value) -> Vec<Value> {
    container["env"].as_array().unwrap().clone()
}

/// What a patch of an overlay appends to the variables.
fn appended(patch: &Value) -> Vec<Value> {
    let operations = patch.as_array().unwrap().iter();
    operations
        .filter(|operation| operation["path"] == "/spec/template/spec/containers/0/env/-")
        .map(|operation| {
            assert_eq!(operation["op"], "add");
            operation["value"].clone()
        })
        .collect()
}

fn rules() -> Value {
    json!([
        {"apiGroups": ["cloud.qoder.com"], "resources": ["qoderdeployments"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["cloud.qoder.com"], "resources": ["qoderdeployments/status"], "verbs": ["patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ])
}

#[test]
fn the_operator_has_exactly_these_rights() {
    assert_eq!(object("base/rbac.yaml", "ClusterRole")["rules"], rules());
    let binding = object("base/rbac.yaml", "ClusterRoleBinding");
    let account = object("base/rbac.yaml", "ServiceAccount");
    assert_eq!(
        binding["subjects"],
        json!([{
            "kind": "ServiceAccount",
            "name": account["metadata"]["name"],
            "namespace": account["metadata"]["namespace"],
        }])
    );
    assert_eq!(binding["roleRef"]["name"], "qoder-operator");
    assert_eq!(operator()["spec"]["serviceAccountName"], account["metadata"]["name"]);

    // In one namespace: the same, and nothing that reaches beyond it.
    let namespaced = objects("namespaced/rbac.yaml");
    let kinds: Vec<_> = namespaced.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Role", "RoleBinding"]);
    assert_eq!(namespaced[0]["rules"], rules());
    assert_eq!(namespaced[1]["subjects"], binding["subjects"]);
}

#[test]
fn people_get_rights_on_this_kind_only_and_never_on_its_status() {
    for role in objects("cluster/aggregated-roles.yaml") {
        let labels = role["metadata"]["labels"].as_object().unwrap();
        assert!(
            labels.keys().all(|l| l.starts_with("rbac.authorization.k8s.io/aggregate-to-")),
            "{labels:?}"
        );
        let is_for_viewers = labels.contains_key("rbac.authorization.k8s.io/aggregate-to-view");
        for rule in role["rules"].as_array().unwrap() {
            assert_eq!(rule["apiGroups"], json!(["cloud.qoder.com"]));
            assert_eq!(rule["resources"], json!(["qoderdeployments"]));
            let verbs = if is_for_viewers {
                json!(["get", "list", "watch"])
            } else {
                json!(["create", "update", "patch", "delete", "deletecollection"])
            };
            assert_eq!(rule["verbs"], verbs);
        }
    }
}

#[test]
fn the_namespace_and_both_pods_are_restricted() {
    let labels = object("base/namespace.yaml", "Namespace")["metadata"]["labels"].clone();
    for mode in ["enforce", "audit", "warn"] {
        assert_eq!(labels[format!("pod-security.kubernetes.io/{mode}")], "restricted");
    }
    let simulator = object("simulator/simulator.yaml", "Deployment")["spec"]["template"].clone();
    for pod in [operator(), simulator] {
        let spec = &pod["spec"];
        for host in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"] {
            assert_eq!(spec[host], Value::Null, "{host}");
        }
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(spec["securityContext"]["runAsUser"], 65532);
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for volume in spec["volumes"].as_array().unwrap() {
            let sources: BTreeSet<_> =
                volume.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(["configMap", "secret"].iter().any(|source| sources.contains(source)));
        }

        let container = container(&pod);
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            })
        );
        assert_eq!(container["ports"][0].get("hostPort"), None);
        let resources = &container["resources"];
        for quantity in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
            assert!(resources.pointer(quantity).is_some_and(Value::is_string), "{quantity}");
        }
    }
}

#[test]
fn the_pods_go_to_linux_nodes_and_are_reached_by_either_ip_family() {
    let simulator = object("simulator/simulator.yaml", "Deployment")["spec"]["template"].clone();
    for pod in [operator(), simulator.clone()] {
        assert_eq!(pod["spec"]["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    }
    assert!(parse(&variables(container(&operator()))).listen.ip().is_ipv6(), "[::] serves both");
    assert_eq!(container(&simulator)["args"][0], "--listen=[::]:8080");
    // Where the cluster has one family it is that one.
    assert_eq!(object("base/service.yaml", "Service")["spec"]["ipFamilyPolicy"], "PreferDualStack");
}

#[test]
fn two_replicas_run_and_one_is_always_left() {
    let spec = object("base/deployment.yaml", "Deployment")["spec"].clone();
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
    let pod = operator();
    assert!(parse(&variables(container(&pod))).lease.leader_elect, "of two, one leads");
    let labels = &spec["selector"]["matchLabels"];
    for constraint in pod["spec"]["topologySpreadConstraints"].as_array().unwrap() {
        assert_eq!(constraint["labelSelector"]["matchLabels"], *labels);
    }
    let budget = object("base/poddisruptionbudget.yaml", "PodDisruptionBudget")["spec"].clone();
    assert_eq!(budget["minAvailable"], 1);
    assert_eq!(budget["selector"]["matchLabels"], *labels);
}

#[test]
fn the_lease_is_the_one_that_the_operator_may_change() {
    let flags = parse(&variables(container(&operator())));
    let role = objects("base/rbac.yaml").into_iter().find(|object| object["kind"] == "Role");
    let role = role.unwrap();
    assert_eq!(
        role["rules"],
        json!([
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [flags.lease.lease_name], "verbs": ["get", "update"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        ])
    );
    // Without a flag the Lease is in the namespace of the Pod.
    assert_eq!(flags.lease.lease_namespace, None);
    let deployment = object("base/deployment.yaml", "Deployment");
    assert_eq!(role["metadata"]["namespace"], deployment["metadata"]["namespace"]);
}

#[test]
fn the_flags_are_the_binarys_and_the_token_is_mounted_read_only_where_they_say() {
    let pod = operator();
    let container = container(&pod);
    let flags = parse(&variables(container));

    let file = flags.token_file.expect("the token comes from a file");
    let mount = &container["volumeMounts"][0];
    assert_eq!(mount["readOnly"], true);
    assert_eq!(mount.get("subPath"), None, "a file by subPath is never renewed");
    let volume = &pod["spec"]["volumes"][0];
    assert_eq!(volume["name"], mount["name"]);
    let item = &volume["secret"]["items"][0];
    let mounted =
        format!("{}/{}", mount["mountPath"].as_str().unwrap(), item["path"].as_str().unwrap());
    assert_eq!(file.to_str().unwrap(), mounted);
    // Root owns it, and the group of the Pod may read it.
    assert_eq!(volume["secret"]["defaultMode"], 0o440);
    assert_eq!(pod["spec"]["securityContext"]["fsGroup"], 65532);

    for example in ["base/secret.example.yaml", "simulator/secret.yaml"] {
        let secret = object(example, "Secret");
        assert_eq!(secret["metadata"]["name"], volume["secret"]["secretName"], "{example}");
        assert!(secret["stringData"][item["key"].as_str().unwrap()].is_string(), "{example}");
    }
    // No flag stands where a plain check in the Pod would not find it.
    assert_eq!(container["args"], json!(["run"]));
    assert_eq!(container.get("envFrom"), None);
}

#[test]
fn the_example_token_is_not_one_and_is_not_applied_with_the_rest() {
    let secret = object("base/secret.example.yaml", "Secret");
    assert_eq!(secret["stringData"]["token"], "pt-replace-me-with-a-real-token");
    for overlay in ["base", "namespaced", "simulator"] {
        let resources =
            object(&format!("{overlay}/kustomization.yaml"), "Kustomization")["resources"].clone();
        assert!(!resources.to_string().contains("example"), "{overlay}: {resources}");
    }
}

#[test]
fn probes_and_service_reach_the_port_that_the_flags_listen_on() {
    let pod = operator();
    let container = container(&pod);
    let port = &container["ports"][0];
    assert_eq!(port["name"], "http");
    assert_eq!(port["containerPort"], parse(&variables(container)).listen.port());
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
    }
    for (path, deployment) in [
        ("base/service.yaml", "base/deployment.yaml"),
        ("simulator/simulator.yaml", "simulator/simulator.yaml"),
    ] {
        let service = object(path, "Service");
        let deployment = object(deployment, "Deployment");
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "http", "{path}");
        let labels = deployment["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
        for selector in
            [&service["spec"]["selector"], &deployment["spec"]["selector"]["matchLabels"]]
        {
            for (key, value) in selector.as_object().unwrap() {
                assert_eq!(labels.get(key), Some(value), "{path}");
            }
        }
    }
}

#[test]
fn the_grace_period_covers_what_may_be_under_way() {
    let pod = operator();
    let times = parse(&variables(container(&pod))).times();
    // A pass: the fresh read, and a status (apply, read on a conflict, apply again). The write that it has begun.
    let pass = 4 * Times::KUBERNETES_CALL;
    let write = Times::PERMIT + times.request_timeout;
    assert!(pass + write < Times::LAST_WRITES, "with the default --request-timeout all of it ends");
    // What that has changed, and the events.
    let longest = Times::LAST_WRITES
        + Times::LAST_STATUSES
        + Times::LAST_EVENTS
        + Times::LAST_RELEASE
        + Times::LAST_TRACES;
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(Duration::from_secs(grace) > longest, "{grace} s for {longest:?}");
}

#[test]
fn the_overlays_flags_are_the_binarys() {
    let mut line = variables(container(&operator()));
    line.extend(appended(&objects("simulator/operator.patch.yaml")[0]));
    let flags = parse(&line);
    flags.checked_base_url().expect("a base URL that the other flags allow");
    let service = object("simulator/simulator.yaml", "Service");
    let host = format!(
        "{}.{}.svc:{}",
        service["metadata"]["name"].as_str().unwrap(),
        service["metadata"]["namespace"].as_str().unwrap(),
        service["spec"]["ports"][0]["port"]
    );
    assert_eq!(flags.base_url, format!("http://{host}/api/v1/cloud"));

    let overlay = object("namespaced/kustomization.yaml", "Kustomization");
    let patch = overlay["patches"].as_array().unwrap().last().unwrap()["patch"].as_str().unwrap();
    let mut line = variables(container(&operator()));
    line.extend(appended(&serde_yaml_ng::from_str(patch).unwrap()));
    let role = object("namespaced/rbac.yaml", "Role");
    assert_eq!(parse(&line).namespaces(), [role["metadata"]["namespace"].as_str().unwrap()]);
}

#[test]
fn the_samples_name_the_deployments_of_the_simulator() {
    let seed = format!("{}/deploy/simulator/deployments.json", env!("CARGO_MANIFEST_DIR"));
    let seed: Vec<Value> = serde_json::from_str(&fs::read_to_string(seed).unwrap()).unwrap();
    let seeded: Vec<_> = seed.iter().map(|deployment| deployment["id"].as_str().unwrap()).collect();
    let samples: Vec<QoderDeployment> = objects("simulator/samples.yaml")
        .into_iter()
        .map(|sample| serde_json::from_value(sample).unwrap())
        .collect();
    let named: Vec<_> = samples.iter().map(|sample| sample.spec.deployment_id.as_str()).collect();
    assert_eq!(named, seeded);
    for id in named {
        DeploymentId::try_from(id).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

#[test]
fn no_manifest_holds_what_looks_like_a_token() {
    let fake = ["pt-replace-me-with-a-real-token", "pt-simulator"];
    let root = format!("{}/deploy", env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.into()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            for word in words.filter(|word| word.starts_with("pt-")) {
                assert!(fake.contains(&word), "{}: {word}", path.display());
            }
        }
    }
    assert!(files > 10, "{files} files");
}
