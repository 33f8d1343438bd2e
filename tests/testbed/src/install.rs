//! Installs the shipped manifests: the CRD as it is, the rights bound to one namespace.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::core::GroupVersionKind;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ControlPlane, Result, access, eventually, repository};

/// How long the API server may take to serve a new kind, or to know a new right.
const DEADLINE: Duration = Duration::from_secs(30);

/// The field manager of everything that is installed here.
const MANAGER: &str = "testbed";

/// The operator's service account in the shipped manifests.
const SERVICE_ACCOUNT: &str = "qoder-operator";

/// The shipped CRD and cluster roles, once for each control plane.
pub(crate) async fn cluster_wide(control_plane: &ControlPlane, client: &Client) -> Result<()> {
    let prepared = control_plane.prepared.get_or_try_init(async || {
        for manifest in manifests("crds/qoderdeployments.yaml")? {
            apply(client, manifest.clone(), None).await?;
            let crds = Api::<CustomResourceDefinition>::all(client.clone());
            let name = manifest.name_any();
            let established = await_condition(crds, &name, is_crd_established());
            tokio::time::timeout(DEADLINE, established)
                .await
                .context("the CRD was not established in time")??;
        }
        for role in manifests(RBAC)?.into_iter().filter(|manifest| kind(manifest) == "ClusterRole")
        {
            apply(client, role, None).await?;
        }
        anyhow::Ok(())
    });
    prepared.await.copied()
}

/// The shipped rights in `namespace` alone, and the kubeconfig of the operator's service account.
pub(crate) async fn in_namespace(
    control_plane: &ControlPlane,
    client: &Client,
    namespace: &str,
) -> Result<Kubeconfig> {
    for manifest in manifests(RBAC)?.into_iter().filter(|manifest| kind(manifest) != "ClusterRole")
    {
        apply(client, narrowed(manifest, namespace)?, Some(namespace)).await?;
    }
    let kubeconfig = control_plane.kubeconfig_of(client, SERVICE_ACCOUNT, namespace).await?;
    wait_for_rights(access::client(kubeconfig.clone()).await?, namespace).await?;
    Ok(kubeconfig)
}

/// The rights that the operator is shipped with.
pub(crate) const RBAC: &str = "deploy/base/rbac.yaml";

/// The API server's authorizer learns of a new binding by a watch of its own.
async fn wait_for_rights(client: Client, namespace: &str) -> Result<()> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some("cloud.qoder.com".to_owned()),
                resource: Some("qoderdeployments".to_owned()),
                verb: Some("watch".to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(client);
    let allowed = eventually(DEADLINE, async || {
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.filter(|status| status.allowed))
    });
    allowed
        .await?
        .map(drop)
        .with_context(|| format!("the rights of {RBAC} do not let the operator watch its own kind"))
}

/// The objects of a shipped file.
pub(crate) fn manifests(path: &str) -> Result<Vec<DynamicObject>> {
    let text = fs::read_to_string(repository().join(path))
        .with_context(|| format!("failed to read {path}"))?;
    let documents = serde_yaml_ng::Deserializer::from_str(&text).map(Value::deserialize);
    let documents = documents.filter(|document| !matches!(document, Ok(Value::Null)));
    documents
        .map(|document| Ok(serde_json::from_value(document?)?))
        .collect::<Result<_>>()
        .with_context(|| format!("{path} is not a list of manifests"))
}

/// The same right in one namespace: what binds in the whole cluster binds in it alone.
fn narrowed(mut manifest: DynamicObject, namespace: &str) -> Result<DynamicObject> {
    let types = manifest.types.as_mut().context("a manifest without kind")?;
    match types.kind.as_str() {
        "ClusterRoleBinding" => "RoleBinding".clone_into(&mut types.kind),
        "ServiceAccount" | "Role" | "RoleBinding" => {}
        other => {
            bail!("{RBAC} has a {other}, which is no right that can be narrowed to a namespace")
        }
    }
    manifest.metadata.namespace = Some(namespace.to_owned());
    for subject in
        manifest.data.pointer_mut("/subjects").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if let Some(subject) = subject.as_object_mut() {
            subject.insert("namespace".to_owned(), json!(namespace));
        }
    }
    Ok(manifest)
}

async fn apply(client: &Client, manifest: DynamicObject, namespace: Option<&str>) -> Result<()> {
    let types = manifest.types.as_ref().context("a manifest without kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    let api = match namespace {
        Some(namespace) => {
            Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource)
        }
        None => Api::all_with(client.clone(), &resource),
    };
    let applied = api
        .patch(&manifest.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(&manifest))
        .await;
    applied
        .map(drop)
        .with_context(|| format!("failed to apply {} {}", types.kind, manifest.name_any()))
}

pub(crate) fn kind(manifest: &DynamicObject) -> &str {
    manifest.types.as_ref().map_or("", |types| &types.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(value: Value) -> Result<DynamicObject> {
        Ok(serde_json::from_value(value)?)
    }

    #[test]
    fn a_cluster_wide_binding_becomes_one_of_the_namespace() -> Result<()> {
        let shipped = manifest(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "qoder-operator"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "qoder-operator"},
            "subjects": [{"kind": "ServiceAccount", "name": "qoder-operator", "namespace": "qoder-system"}],
        }))?;
        let expected = manifest(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "qoder-operator", "namespace": "story"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "qoder-operator"},
            "subjects": [{"kind": "ServiceAccount", "name": "qoder-operator", "namespace": "story"}],
        }))?;
        assert_eq!(narrowed(shipped, "story")?, expected);
        Ok(())
    }

    #[test]
    fn a_right_that_no_namespace_can_hold_is_an_error() -> Result<()> {
        let shipped =
            manifest(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}))?;
        assert!(narrowed(shipped, "story").is_err());
        Ok(())
    }
}
