//! The examples are valid, and say what they are said to say.

use serde::Deserialize as _;
use serde_json::Value;
use testbed::{Result, tools::Helm};

use crate::cluster::{Cluster, read, root};

fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_example() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    cluster.types("kubectl apply -k deploy/base && kubectl create namespace agents")?;
    let kubernetes = ["paused", "running", "unmanaged", "warn", "network-policy"];
    let apply = "kubectl apply --validate=strict";
    for name in kubernetes {
        cluster.types(&format!("{apply} -f deploy/examples/{name}.yaml"))?;
    }
    cluster.types(&format!("{apply} -k deploy/examples/group"))?;
    let asked = "kubectl -n agents get qdep --no-headers \
        --output custom-columns=:metadata.name,:spec.paused,:spec.driftPolicy | tr -s ' '";
    assert_eq!(
        cluster.types(asked)?.lines().map(str::trim).collect::<Vec<_>>(),
        [
            "dependency-updates false Warn",
            "inbox-triage false <none>",
            "monthly-report true <none>",
            "nightly-report true <none>",
            "release-notes <none> <none>",
            "weekly-report true <none>",
        ]
    );

    let rendered = cluster.types(
        "helm template qoder-operator deploy/chart --set networkPolicy.enabled=true \
         --show-only templates/networkpolicy.yaml",
    )?;
    let rendered: Value = serde_yaml_ng::from_str(&rendered)?;
    let example = documents("deploy/examples/network-policy.yaml").remove(0);
    assert_eq!(example["spec"], rendered["spec"], "the NetworkPolicy is the chart's");

    // Every file is one of these, and has its line in the README.
    let readme = read("deploy/examples/README.md");
    for entry in std::fs::read_dir(root().join("deploy/examples"))? {
        let name = entry?.file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        let bare = name.trim_end_matches(".yaml");
        assert!(
            [&kubernetes[..], &["group", "argo-cd", "flux"]].concat().contains(&bare),
            "{name}"
        );
        assert!(readme.contains(&format!("| [{name}](")), "{name}");
    }
    Ok(())
}

/// As there is neither Argo CD nor Flux here: what of them can be read.
#[test]
fn git_brings_the_crd_before_the_resources() {
    let application = documents("deploy/examples/argo-cd.yaml").remove(0);
    let sources = &application["spec"]["sources"];
    let chart = sources[0]["path"].as_str().unwrap();
    assert!(root().join(chart).join("templates/crd.yaml").is_file(), "{chart}");
    assert_eq!(sources[1]["kustomize"]["commonAnnotations"]["argocd.argoproj.io/sync-wave"], "1");

    let kustomizations = documents("deploy/examples/flux.yaml");
    let base = kustomizations[0]["spec"]["path"].as_str().unwrap();
    assert!(root().join(base).join("kustomization.yaml").is_file(), "{base}");
    assert_eq!(kustomizations[0]["spec"]["wait"], true);
    let name = &kustomizations[0]["metadata"]["name"];
    assert_eq!(kustomizations[1]["spec"]["dependsOn"][0]["name"], *name);
}
