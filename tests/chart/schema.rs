//! What the schema refuses, in the words that a user sees.

use std::fs;

use serde_json::Value;
use testbed::tools::Helm;

use crate::helm::{case, chart, command, render, run, template};

/// What is set, and what Helm says of it.
const REFUSED: [(&str, &str); 26] = [
    ("replica=1", "at '': additional properties 'replica' not allowed"),
    ("image.tags=1", "at '/image': additional properties 'tags' not allowed"),
    ("token.secret=a", "at '/token': additional properties 'secret' not allowed"),
    ("token.value=pt-in-values", "at '/token': additional properties 'value' not allowed"),
    ("config.baseURL=a", "at '/config': additional properties 'baseURL' not allowed"),
    ("config.namespace=a", "at '/config': additional properties 'namespace' not allowed"),
    ("crds.install=true", "at '/crds': additional properties 'install' not allowed"),
    ("networkPolicy.ports={1}", "at '/networkPolicy': additional properties 'ports' not allowed"),
    ("imagePullSecrets={mirror}", "at '/imagePullSecrets/0': got string, want object"),
    ("extraEnv[0].nme=a", "at '/extraEnv/0': missing property 'name'"),
    ("tolerations[0].efect=a", "at '/tolerations/0': additional properties 'efect' not allowed"),
    ("resources.limit.cpu=1", "at '/resources': additional properties 'limit' not allowed"),
    ("affinity.nodeaffinity=a", "at '/affinity': additional properties 'nodeaffinity' not allowed"),
    ("replicas=two", "at '/replicas': got string, want integer"),
    ("replicas=-1", "at '/replicas': minimum: got -1, want 0"),
    ("namespaces=agents", "at '/namespaces': got string, want array"),
    ("namespaces={Agents}", "at '/namespaces/0': 'Agents' does not match pattern"),
    ("namespaces={a,a}", "at '/namespaces': items at 0 and 1 are equal"),
    ("config.pollInterval=30", "at '/config/pollInterval': got number, want string"),
    ("config.requestTimeout=soon", "at '/config/requestTimeout': 'soon' does not match pattern"),
    ("config.readsPerSecond=1001", "at '/config/readsPerSecond': maximum: got 1,001, want 1,000"),
    (
        "config.baseUrl=qoder.example",
        "at '/config/baseUrl': 'qoder.example' does not match pattern",
    ),
    (
        "config.logFormat=xml",
        "at '/config/logFormat': value must be one of '', 'auto', 'json', 'text'",
    ),
    ("image.digest=0a0b", "at '/image/digest': '0a0b' does not match pattern"),
    ("userId=0", "at '/userId': minimum: got 0, want 1"),
    (
        r"podLabels.app\.kubernetes\.io/name=a",
        "at '/podLabels/app.kubernetes.io~1name': false schema",
    ),
];

#[test]
fn a_typo_is_refused_and_named() {
    for helm in Helm::ALL {
        for (set, message) in REFUSED {
            let refused = template(helm, &["--set", set]).expect_err(set);
            assert!(refused.contains(message), "{helm:?} {set}: {refused}");
        }
    }
}

/// Each object of the schema is closed, but for maps of strings and what Kubernetes itself checks.
#[test]
fn every_value_is_in_the_schema_and_every_object_is_closed() {
    let read = |name: &str| fs::read_to_string(format!("{}/{name}", chart())).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = serde_yaml_ng::from_str(&read("values.yaml")).unwrap();
    let mut open = Vec::new();
    compare("", &schema, Some(&values), &mut open);
    assert_eq!(
        open,
        [
            "/affinity/nodeAffinity",
            "/affinity/podAffinity",
            "/affinity/podAntiAffinity",
            "/extraEnv/valueFrom",
            "/global",
        ]
    );
}

fn compare(path: &str, schema: &Value, values: Option<&Value>, open: &mut Vec<String>) {
    if let Some(items) = schema.get("items") {
        return compare(path, items, None, open);
    }
    if schema["type"] != "object" {
        return;
    }
    match &schema["additionalProperties"] {
        Value::Bool(false) => {
            let properties = schema["properties"].as_object().unwrap();
            if let Some(values) = values.and_then(Value::as_object) {
                let by_default = values.keys().collect::<Vec<_>>();
                let known = properties.keys().filter(|key| {
                    // What is empty by default has no keys.
                    *key != "global" && !values.is_empty() && *key != "claims"
                });
                let mut known: Vec<_> = known.collect();
                let mut by_default = by_default;
                known.sort();
                by_default.sort();
                assert!(
                    values.is_empty() || known == by_default,
                    "{path}: {known:?} {by_default:?}"
                );
            }
            for (key, schema) in properties {
                let values = values.and_then(|values| values.get(key));
                compare(&format!("{path}/{key}"), schema, values, open);
            }
        }
        Value::Null => open.push(path.to_owned()),
        _ => {}
    }
}

/// A value that is taken back from "everything" changes what is rendered: each has a reader.
#[test]
fn every_value_has_a_reader() {
    let all = fs::read_to_string(case("everything")).unwrap();
    let all: Value = serde_yaml_ng::from_str(&all).unwrap();
    let everything = render(Helm::V4, &["--values", &case("everything")]);
    let defaults = fs::read_to_string(format!("{}/values.yaml", chart())).unwrap();
    let defaults: Value = serde_yaml_ng::from_str(&defaults).unwrap();
    let mut leaves = Vec::new();
    leaves_of("", &all, &defaults, &mut leaves);
    assert!(leaves.len() > 45, "{leaves:?}");
    for leaf in leaves.iter().filter(|leaf| *leaf != "/image/tag") {
        let mut less = all.clone();
        let (parent, key) = leaf.rsplit_once('/').unwrap();
        less.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(&key.replace("~1", "/"))
            .unwrap();
        let file = format!("{}/chart-less.yaml", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&file, serde_yaml_ng::to_string(&less).unwrap()).unwrap();
        assert_ne!(render(Helm::V4, &["--values", &file]), everything, "nothing reads {leaf}");
    }
}

/// The values that stand in `values.yaml` by themselves, and are set here.
fn leaves_of(path: &str, set: &Value, default: &Value, leaves: &mut Vec<String>) {
    match (set.as_object(), default.as_object()) {
        (Some(set), Some(default)) if !default.is_empty() => {
            for (key, set) in set {
                // A key that is not in the defaults is one of a map of the user's.
                let default = default.get(key).unwrap_or(&Value::Null);
                leaves_of(&format!("{path}/{}", key.replace('/', "~1")), set, default, leaves);
            }
        }
        _ => leaves.push(path.to_owned()),
    }
}

/// As a dependency: Helm then adds `global`.
#[test]
fn another_chart_may_include_it() {
    let folder = format!("{}/umbrella", env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(format!("{folder}/charts")).unwrap();
    for helm in Helm::ALL {
        run(command(helm).args([
            "package",
            &chart(),
            "--destination",
            &format!("{folder}/charts"),
        ]))
        .unwrap();
        fs::write(format!("{folder}/Chart.yaml"), UMBRELLA).unwrap();
        let set = ["--set", "global.a=b,qoder-operator.replicas=1"];
        let rendered =
            run(command(helm).args(["template", "qoder-operator", &folder]).args(set)).unwrap();
        assert!(rendered.contains("replicas: 1"), "{rendered}");
        let typo = ["--set", "qoder-operator.replica=1"];
        let refused = run(command(helm).args(["template", "a", &folder]).args(typo)).unwrap_err();
        assert!(refused.contains("additional properties 'replica' not allowed"), "{refused}");
    }
}

const UMBRELLA: &str = "\
apiVersion: v2
name: umbrella
version: 0.1.0
dependencies:
- name: qoder-operator
  version: 0.1.0
";
