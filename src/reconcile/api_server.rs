//! The two calls of a reconcile to the Kubernetes API, each bounded in time: the fresh read (rule Q), and
//! the server-side apply on `/status`. Client required.

use std::time::Duration;

use kube::{
    Api, Client, Resource as _,
    api::{Patch, PatchParams, ValidationDirective},
};
use serde_json::json;

use crate::{
    api::{FIELD_MANAGER, QoderDeployment, QoderDeploymentStatus},
    resources::{Resource, ResourceKey},
    times::Times,
};

/// The Kubernetes API, as a reconcile needs it.
#[derive(Clone)]
pub struct ApiServer(Client);

/// A call to the Kubernetes API failed.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// It answered with an error, or not at all.
    #[error("the Kubernetes API call failed")]
    Call(#[source] Box<kube::Error>),
    /// It did not answer in time.
    #[error("the Kubernetes API did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It knows no such resource. Only a watch says that it is gone: this may come from a proxy, or from a
    /// server that is starting.
    #[error("the Kubernetes API does not find the resource")]
    NotFound,
    /// What it answers is older than what it has told before.
    #[error("the Kubernetes API serves an older version of the resource than is known")]
    Outdated,
    /// Each apply met with another version.
    #[error("someone else keeps changing the resource")]
    Contended,
}

/// How a publication ended.
#[derive(Debug)]
pub enum Publication {
    /// The status stands; this is the object now.
    Stands(Box<QoderDeployment>),
    /// The resource is not what the status was computed from any more; this is the object now.
    Moved(Box<QoderDeployment>),
    /// It was changed again between the read and the second try; this is what was read.
    Contended(Box<QoderDeployment>),
}

impl ApiServer {
    /// The API behind this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Reads one resource, from the API server and not from a cache of it.
    ///
    /// # Errors
    /// [`KubernetesError`].
    pub async fn read(&self, key: &ResourceKey) -> Result<QoderDeployment, KubernetesError> {
        self.read_within(Times::KUBERNETES_CALL, key).await
    }

    /// The same, for so long.
    ///
    /// # Errors
    /// [`KubernetesError`].
    pub async fn read_within(
        &self,
        limit: Duration,
        key: &ResourceKey,
    ) -> Result<QoderDeployment, KubernetesError> {
        bounded(limit, self.api(key).get(&key.name)).await
    }

    /// Publishes the status. It carries the resourceVersion of the copy that it was computed
    /// from: a uid in an apply to a status subresource is ignored, but the resourceVersion
    /// refuses a re-created object with 409. After a 409 the same resource is tried once more.
    ///
    /// # Errors
    /// [`KubernetesError`]: it may stand or not.
    pub async fn publish(
        &self,
        resource: &Resource,
        status: &QoderDeploymentStatus,
    ) -> Result<Publication, KubernetesError> {
        match self.apply(&resource.key, resource.version.to_string(), status).await {
            Err(error) if is_conflict(&error) => {}
            applied => return applied.map(Box::new).map(Publication::Stands),
        }
        let now = self.read(&resource.key).await?;
        let is_same = now.metadata.uid.as_deref() == Some(&*resource.uid)
            && now.metadata.generation == Some(resource.generation);
        if !is_same {
            return Ok(Publication::Moved(Box::new(now)));
        }
        let version = now.metadata.resource_version.clone().unwrap_or_default();
        match self.apply(&resource.key, version, status).await {
            Err(error) if is_conflict(&error) => Ok(Publication::Contended(Box::new(now))),
            applied => applied.map(Box::new).map(Publication::Stands),
        }
    }

    async fn apply(
        &self,
        key: &ResourceKey,
        version: String,
        status: &QoderDeploymentStatus,
    ) -> Result<QoderDeployment, KubernetesError> {
        let mut params = PatchParams::apply(FIELD_MANAGER).force();
        params.field_validation = Some(ValidationDirective::Strict);
        let patch = json!({
            "apiVersion": QoderDeployment::api_version(&()),
            "kind": QoderDeployment::kind(&()),
            "metadata": { "name": &*key.name, "resourceVersion": version },
            "status": status,
        });
        let api = self.api(key);
        bounded(Times::KUBERNETES_CALL, api.patch_status(&key.name, &params, &Patch::Apply(&patch)))
            .await
    }

    fn api(&self, key: &ResourceKey) -> Api<QoderDeployment> {
        Api::namespaced(self.0.clone(), &key.namespace)
    }
}

async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, KubernetesError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(KubernetesError::NotFound),
        Ok(result) => result.map_err(|error| KubernetesError::Call(Box::new(error))),
        Err(_) => Err(KubernetesError::TimedOut(limit)),
    }
}

fn is_conflict(error: &KubernetesError) -> bool {
    matches!(error, KubernetesError::Call(error)
        if matches!(&**error, kube::Error::Api(status) if status.code == 409))
}
