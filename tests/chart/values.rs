//! What people expect of values: each where it belongs, and nowhere where it is not set.

use std::fs;

use clap::CommandFactory as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service, ServiceAccount},
    policy::v1::PodDisruptionBudget,
    rbac::v1::RoleBinding,
};
use qoder_operator::config::{Cli, LogFormat};
use serde_json::{Value, json};
use testbed::tools::Helm;

use crate::{
    flags,
    helm::{
        Objects, case, chart, command, container, objects, only, pod, render, root, run, template,
        variables,
    },
};

pub fn with(arguments: &[&str]) -> Objects {
    render(Helm::V4, arguments)
}

/// The Pod of `helm test`.
fn check(arguments: &[&str]) -> Value {
    only(&objects(&template(Helm::V4, arguments).unwrap()), "Pod").clone()
}

#[test]
fn an_image_comes_from_a_private_registry_by_tag_or_digest() {
    let image = |arguments: &[&str]| container(&with(arguments))["image"].clone();
    assert_eq!(
        image(&["--set", "image.registry=r.example:5000/a"]),
        "r.example:5000/a/qoder-operator:0.1.0"
    );
    assert_eq!(image(&["--set", "image.registry="]), "qoder-operator:0.1.0");
    assert_eq!(image(&["--set", "image.repository=b,image.tag=1.2.3"]), "registry.example/b:1.2.3");
    let digest = format!("sha256:{}", "0a".repeat(32));
    let by_digest = format!("image.digest={digest},image.tag=1.2.3");
    assert_eq!(image(&["--set", &by_digest]), format!("registry.example/qoder-operator@{digest}"));

    let set = with(&["--set", "imagePullSecrets[0].name=mirror,image.pullPolicy=Always"]);
    assert_eq!(pod(&set)["spec"]["imagePullSecrets"], json!([{"name": "mirror"}]));
    assert_eq!(container(&set)["imagePullPolicy"], "Always");
    let unset = with(&[]);
    assert_eq!(pod(&unset)["spec"].get("imagePullSecrets"), None);
    assert_eq!(container(&unset).get("imagePullPolicy"), None);
}

#[test]
fn a_budget_is_there_only_with_more_than_one_replica() {
    let one = with(&["--values", &case("one-replica")]);
    assert_eq!(only(&one, "Deployment")["spec"]["replicas"], 1);
    assert!(!one.keys().any(|key| key.starts_with("PodDisruptionBudget")));
    assert_eq!(variables(&one)["QODER_LEADER_ELECT"], "true", "an update runs two for a while");
    let three = with(&["--set", "replicas=3"]);
    assert_eq!(only(&three, "PodDisruptionBudget")["spec"]["minAvailable"], 1);
}

#[test]
fn the_token_is_a_key_of_a_secret() {
    let set = with(&["--set", "token.secretName=north,token.secretKey=pat"]);
    let volume = &pod(&set)["spec"]["volumes"][0];
    assert_eq!(volume["secret"]["secretName"], "north");
    // The key becomes the file that the flag names.
    assert_eq!(volume["secret"]["items"], json!([{"key": "pat", "path": "token"}]));
    assert_eq!(variables(&set)["QODER_TOKEN_FILE"], "/etc/qoder/token");
    assert!(!set.keys().any(|key| key.starts_with("Secret")), "the chart holds no token");
}

#[test]
fn in_several_namespaces_there_is_a_role_in_each_and_none_in_the_cluster() {
    let everywhere = with(&["--set", "rbac.aggregate=false"]);
    let rules = &only(&everywhere, "ClusterRole")["rules"];
    let set = with(&["--values", &case("several-namespaces"), "--set", "rbac.aggregate=false"]);
    for namespace in ["agents", "reports"] {
        let role = &set[&format!("Role {namespace}/qoder-operator")];
        assert_eq!(role["rules"], *rules);
        let binding = &set[&format!("RoleBinding {namespace}/qoder-operator")];
        assert_eq!(binding["roleRef"]["kind"], "Role");
        assert_eq!(binding["roleRef"]["name"], "qoder-operator");
        let account = only(&set, "ServiceAccount");
        assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
        assert_eq!(binding["subjects"][0]["namespace"], account["metadata"]["namespace"]);
    }
    assert!(!set.keys().any(|key| key.starts_with("ClusterRole")), "{:?}", set.keys());
    assert_eq!(variables(&set)["QODER_NAMESPACES"], "agents,reports");
}

/// The flags that the chart sets by itself.
const OWN: [&str; 6] = [
    "QODER_TOKEN_FILE",
    "QODER_LEADER_ELECT",
    "QODER_LEASE_NAME",
    "QODER_LEASE_NAMESPACE",
    "QODER_NAMESPACES",
    "QODER_LISTEN",
];

#[test]
fn each_other_flag_of_the_operator_is_a_value_and_the_binary_takes_it() {
    let everything = with(&["--values", &case("everything")]);
    let variables = variables(&everything);
    for arg in Cli::command().get_arguments() {
        let Some(name) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        assert!(
            variables.contains_key(name) || OWN.contains(&name),
            "no value sets {name}: {variables:?}"
        );
    }
    let ours = container(&everything)["env"].as_array().unwrap().iter();
    let ours: Vec<_> = ours
        .filter(|variable| variable["name"].as_str().unwrap().starts_with("QODER_"))
        .cloned()
        .collect();
    let flags = flags::parse(&ours);
    flags.checked_base_url().unwrap();
    flags.lease.times().unwrap();
    assert_eq!(flags.base_url, "https://qoder.example/api/v1/cloud");
    assert_eq!(flags.workspace_id.unwrap(), "ws_north");
    assert_eq!((flags.reads_per_second, flags.writes_per_second), (5, 2));
    assert_eq!(flags.poll_interval.as_secs(), 60);
    assert_eq!(flags.log_format, LogFormat::Text);
    assert_eq!(variables["RUST_LOG"], "qoder_operator=debug");

    // By default the operator's own defaults hold.
    let names: Vec<_> = self::variables(&with(&[])).into_keys().collect();
    assert_eq!(names, ["QODER_LEADER_ELECT", "QODER_TOKEN_FILE"]);
}

#[test]
fn a_proxy_is_a_value() {
    let variables = variables(&with(&[
        "--set",
        "proxy.https=http://p.example:3128,proxy.http=http://q.example:1",
        "--set",
        r"proxy.exceptFor=.svc\,10.0.0.0/8",
    ]));
    assert_eq!(variables["HTTPS_PROXY"], "http://p.example:3128");
    assert_eq!(variables["HTTP_PROXY"], "http://q.example:1");
    assert_eq!(variables["NO_PROXY"], ".svc,10.0.0.0/8");
}

/// That the binary trusts what is in these folders is shown by a story.
#[test]
fn a_private_authority_is_one_value_and_stands_beside_the_public_ones() {
    for pod in [
        pod(&with(&["--set", "caConfigMap=authorities"])).clone(),
        check(&["--set", "caConfigMap=authorities"]),
    ] {
        let volumes = &pod["spec"]["volumes"];
        assert_eq!(volumes[1], json!({"name": "ca", "configMap": {"name": "authorities"}}));
        let container = &pod["spec"]["containers"][0];
        let mount = json!({"name": "ca", "mountPath": "/etc/qoder-ca", "readOnly": true});
        assert_eq!(container["volumeMounts"][1], mount);
        let folders = json!({"name": "SSL_CERT_DIR", "value": "/etc/ssl/certs:/etc/qoder-ca"});
        assert!(container["env"].as_array().unwrap().contains(&folders));
    }
    let image = fs::read_to_string(root().join("Containerfile")).unwrap();
    assert!(image.contains("COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/"));
    assert_eq!(pod(&with(&[]))["spec"]["volumes"].as_array().unwrap().len(), 1);
}

#[test]
fn the_pod_goes_where_values_say_on_linux() {
    let set = with(&["--values", &case("everything")]);
    for pod in [pod(&set).clone(), check(&["--values", &case("everything")])] {
        let spec = &pod["spec"];
        assert_eq!(
            spec["nodeSelector"],
            json!({"kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux"})
        );
        assert_eq!(spec["tolerations"][0]["key"], "dedicated");
        assert_eq!(spec["priorityClassName"], "system-cluster-critical");
        assert_eq!(spec["imagePullSecrets"], json!([{"name": "mirror"}]));
        assert_eq!(spec["serviceAccountName"], "robot");
        assert_eq!(pod["metadata"]["labels"]["team"], "north");
        assert_eq!(pod["metadata"]["annotations"]["example.com/injected"], "false");
        let container = &spec["containers"][0];
        assert_eq!(container["resources"]["limits"], json!({"cpu": "1", "memory": "128Mi"}));
        let env = container["env"].as_array().unwrap();
        assert!(env.contains(&json!({"name": "TZ", "value": "UTC"})));
        let from_field = json!({"fieldRef": {"fieldPath": "spec.nodeName"}});
        assert!(env.contains(&json!({"name": "NODE", "valueFrom": from_field})));
    }
    let affinity = &pod(&set)["spec"]["affinity"]["nodeAffinity"];
    assert!(affinity["requiredDuringSchedulingIgnoredDuringExecution"].is_object());
    let account = only(&set, "ServiceAccount");
    assert_eq!(account["metadata"]["name"], "robot");
    assert_eq!(account["metadata"]["annotations"], json!({"example.com/role": "north"}));
}

#[test]
fn rights_and_account_can_be_someone_elses() {
    let none = ["--set", "rbac.create=false,serviceAccount.create=false,rbac.aggregate=false"];
    let rendered = with(&none);
    assert!(!rendered.keys().any(|key| key.contains("Role") || key.starts_with("ServiceAccount")));
    assert_eq!(pod(&rendered)["spec"]["serviceAccountName"], "default");
    let named = with(&["--set", "serviceAccount.create=false,serviceAccount.name=robot"]);
    assert_eq!(pod(&named)["spec"]["serviceAccountName"], "robot");
    assert_eq!(only(&named, "ClusterRoleBinding")["subjects"][0]["name"], "robot");
}

#[test]
fn where_the_platform_gives_user_ids_the_chart_gives_none() {
    let platform = ["--api-versions", "security.openshift.io/v1"];
    let nowhere = ["--set", "userId=null"];
    for arguments in [platform, nowhere] {
        for pod in [pod(&with(&arguments)).clone(), check(&arguments)] {
            // What remains is what Pod Security "restricted" asks for.
            assert_eq!(
                pod["spec"]["securityContext"],
                json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
                "{arguments:?}"
            );
            let container = &pod["spec"]["containers"][0]["securityContext"];
            assert_eq!(container.get("runAsUser"), None);
        }
    }
    let other = with(&["--set", "userId=1000"]);
    let context = &pod(&other)["spec"]["securityContext"];
    for id in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(context[id], 1000);
    }
}

/// YAML takes some words for something else than a text.
#[test]
fn a_name_may_be_a_number() {
    let chart = chart();
    let release = ["template", "1", &chart, "--namespace", "2", "--set", "crds.enabled=false"];
    let numbers = "fullnameOverride=n,token.secretName=3,token.secretKey=4,namespaces={5},caConfigMap=6,\
                   priorityClassName=7,serviceAccount.name=8,image.repository=9,image.tag=10,image.registry=,\
                   config.workspaceId=11,imagePullSecrets[0].name=12,extraEnv[0].name=A,extraEnv[0].value=13,\
                   podLabels.a=14,podAnnotations.a=15,nodeSelector.a=16,proxy.exceptFor=17,logLevel=1";
    let rendered = run(command(Helm::V4).args(release).args(["--set-string", numbers])).unwrap();
    let rendered = objects(&rendered);
    let typed =
        |key: &str| rendered.get(key).unwrap_or_else(|| panic!("{:?}", rendered.keys())).clone();
    serde_json::from_value::<Deployment>(typed("Deployment 2/n")).unwrap();
    serde_json::from_value::<Pod>(typed("Pod 2/n-check")).unwrap();
    serde_json::from_value::<Service>(typed("Service 2/n")).unwrap();
    serde_json::from_value::<ServiceAccount>(typed("ServiceAccount 2/8")).unwrap();
    serde_json::from_value::<RoleBinding>(typed("RoleBinding 5/n")).unwrap();
    serde_json::from_value::<RoleBinding>(typed("RoleBinding 2/n-lease")).unwrap();
    serde_json::from_value::<PodDisruptionBudget>(typed("PodDisruptionBudget 2/n")).unwrap();
}

#[test]
fn an_older_kubernetes_is_refused() {
    for helm in Helm::ALL {
        let refused = template(helm, &["--kube-version", "1.32.9"]).unwrap_err();
        let says =
            "chart requires kubeVersion: >=1.33.0-0 which is incompatible with Kubernetes v1.32.9";
        assert!(refused.contains(says), "{refused}");
        // As clouds name theirs.
        template(helm, &["--kube-version", "v1.33.0-gke.1"]).unwrap();
    }
}

#[test]
fn two_releases_share_neither_names_nor_selectors_nor_the_lease() {
    let other = |name: &str| {
        let rendered = run(command(Helm::V4).args([
            "template",
            name,
            &chart(),
            "--namespace=qoder-operator",
            "--set=crds.enabled=false",
        ]));
        objects(&rendered.unwrap())
    };
    let (first, second) = (with(&["--set", "crds.enabled=false"]), other("south"));
    for key in second.keys() {
        assert!(!first.contains_key(key), "both have {key}");
    }
    let lease = &variables(&second)["QODER_LEASE_NAME"];
    let may = &second["Role qoder-operator/south-qoder-operator-lease"]["rules"][0];
    assert_eq!(may["resourceNames"], json!([lease]));
    let selector =
        |objects: &Objects| only(objects, "Deployment")["spec"]["selector"]["matchLabels"].clone();
    assert_ne!(selector(&first), selector(&second));
    for (key, value) in selector(&second).as_object().unwrap() {
        assert_eq!(pod(&second)["metadata"]["labels"][key], *value);
    }
    // What the test's Pod is must not count as an operator.
    let check = only(&second, "Pod");
    assert_ne!(check["metadata"]["labels"]["app.kubernetes.io/component"], "operator");

    // The longest name that a release may have.
    let long = other(&"n".repeat(53));
    let names = long.values().map(|object| object["metadata"]["name"].as_str().unwrap());
    assert!(names.clone().all(|name| name.len() <= 63), "{:?}", names.collect::<Vec<_>>());
}
