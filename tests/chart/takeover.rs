//! Who has applied the one file goes on with Helm.

use std::fs;

use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::{GroupVersionKind, TypeMeta},
};
use testbed::{Result, tools::Helm};

use crate::{
    helm::{NAME, chart, objects, root},
    release::Cluster,
};

impl Cluster {
    /// `kubectl apply --server-side` of `deploy/install.yaml`.
    async fn apply_the_one_file(&self) -> Result<usize> {
        let text = fs::read_to_string(root().join("deploy/install.yaml"))?;
        // The Namespace is to come first.
        let mut all: Vec<_> = objects(&text).into_values().collect();
        all.sort_by_key(|object| object["kind"] != "Namespace");
        let count = all.len();
        for object in all {
            let types: TypeMeta = serde_json::from_value(object.clone())?;
            let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
            let client = self.client.clone();
            let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
                Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                None => Api::all_with(client, &resource),
            };
            let name = object["metadata"]["name"].as_str().unwrap();
            let params = PatchParams::apply("kubectl").validation_strict();
            api.patch(name, &params, &Patch::Apply(&object)).await?;
        }
        Ok(count)
    }
}

async fn a_release_takes_over_what_was_applied(helm: Helm, flags: &[&str]) -> Result<()> {
    let cluster = Cluster::start(helm).await?;
    assert!(cluster.apply_the_one_file().await? >= 11);
    assert!(cluster.install(&[]).unwrap_err().to_string().contains("cannot be imported"));

    let chart = chart();
    let install = ["install", NAME, &chart, "--set", "image.tag=0.2.0", "--take-ownership"];
    if helm == Helm::V4 {
        // The fields of kubectl that are to change. A release that failed has to go.
        let conflict = cluster.run(&install).unwrap_err().to_string();
        assert!(conflict.contains("conflict with \"kubectl\""), "{conflict}");
        cluster.run(&["uninstall", NAME])?;
        cluster.apply_the_one_file().await?;
    }
    let installed = cluster.run(&[&install, flags].concat())?;
    assert!(installed.contains("STATUS: deployed"), "{installed}");
    assert_eq!(cluster.image().await?.unwrap(), "registry.example/qoder-operator:0.2.0");
    Ok(())
}

#[tokio::test]
async fn helm_3_takes_over_what_was_applied() -> Result<()> {
    a_release_takes_over_what_was_applied(Helm::V3, &[]).await
}

#[tokio::test]
async fn helm_4_takes_over_what_was_applied() -> Result<()> {
    a_release_takes_over_what_was_applied(Helm::V4, &["--force-conflicts"]).await
}
