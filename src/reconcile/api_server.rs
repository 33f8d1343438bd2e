//! The calls of a reconcile to the Kubernetes API, each bounded in time: the fresh read (rule Q), and the patches of
//! `/status`.

use std::time::Duration;

use kube::{
    Api, Client, Resource as _,
    api::{Patch, PatchParams, ValidationDirective},
};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};
use tracing::{Instrument as _, Span};

use super::leftovers::leftovers;
use crate::{
    api::{FIELD_MANAGER, QoderDeployment, QoderDeploymentStatus, Uid},
    context::Context,
    leader::Claim,
    resources::{Resource, ResourceKey},
    traces,
};

/// The Kubernetes API, as a reconcile needs it.
pub struct ApiServer {
    client: Client,
    /// Status patches sent.
    status_writes: Counter,
    claim: Claim,
}

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
    /// It took a status, and holds another one.
    #[error("something else writes or changes what the operator writes into the status")]
    Altered,
    /// Another replica leads by now.
    #[error("this replica does not lead any more")]
    NotLeading,
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
    /// The API behind this client. Counts the status patches that it sends.
    #[must_use]
    pub fn new(client: Client, Context { metrics, claim, .. }: &Context) -> Self {
        Self { client, status_writes: metrics.status_writes.clone(), claim: claim.clone() }
    }

    /// Reads one resource, from the API server and not from a cache of it, in at most this time.
    ///
    /// # Errors
    /// [`KubernetesError`].
    pub async fn read(
        &self,
        key: &ResourceKey,
        limit: Duration,
    ) -> Result<QoderDeployment, KubernetesError> {
        let span = traces::request(
            "GET",
            "GET qoderdeployments/{name}",
            "/apis/cloud.qoder.com/v1alpha1/namespaces/{namespace}/qoderdeployments/{name}",
        );
        traced(span, key, bounded(limit, Box::pin(self.api(key).get(&key.name)))).await
    }

    /// Publishes the status; each call may take so long. It carries the resourceVersion of the copy that it was
    /// computed from: a uid in an apply to a status subresource is ignored, but the resourceVersion
    /// refuses a re-created object with 409. After a 409 the same resource is tried once more, if the status stands that
    /// this one was computed from, and it `is_current`: nothing is known that it does not know of.
    ///
    /// # Errors
    /// [`KubernetesError`]: it may stand or not.
    pub async fn publish(
        &self,
        resource: &Resource,
        status: &QoderDeploymentStatus,
        is_current: impl FnOnce() -> bool,
        limit: Duration,
    ) -> Result<Publication, KubernetesError> {
        let key = &resource.key;
        match self.apply(key, resource.version.to_string(), status, limit).await {
            Err(error) if is_conflict(&error) => {}
            applied => {
                // Nothing has changed since that copy: what is left out is left out knowingly.
                let object = self.tidy(key, applied?, status, limit).await?;
                return Ok(Publication::Stands(Box::new(object)));
            }
        }
        let now = self.read(key, limit).await?;
        let is_same = now.metadata.uid.as_deref().map(Uid::from).as_ref() == Some(&resource.uid)
            && now.metadata.generation == Some(resource.generation);
        let stands = now.status.as_ref().map(QoderDeploymentStatus::digest);
        if is_same && stands == Some(status.digest()) {
            // It has landed, and its answer was another one.
            return Ok(Publication::Stands(Box::new(now)));
        }
        // Another status than the one it was computed from: a newer one of ours, or of someone else.
        if !is_same || stands != Some(resource.published.digest) || !is_current() {
            return Ok(Publication::Moved(Box::new(now)));
        }
        let version = now.metadata.resource_version.clone().unwrap_or_default();
        match self.apply(key, version, status, limit).await {
            Err(error) if is_conflict(&error) => Ok(Publication::Contended(Box::new(now))),
            applied => applied.map(Box::new).map(Publication::Stands),
        }
    }

    async fn apply(
        &self,
        key: &ResourceKey,
        version: String,
        status: &QoderDeploymentStatus,
        limit: Duration,
    ) -> Result<QoderDeployment, KubernetesError> {
        let mut params = PatchParams::apply(FIELD_MANAGER).force();
        params.field_validation = Some(ValidationDirective::Strict);
        let patch = json!({
            "apiVersion": QoderDeployment::api_version(&()),
            "kind": QoderDeployment::kind(&()),
            "metadata": { "name": &*key.name, "resourceVersion": version },
            "status": status,
        });
        self.patch(key, &params, &Patch::Apply(&patch), limit).await
    }

    /// Takes away what an apply leaves, because another field manager owns it: a backup tool may have put an old status
    /// back. What is not ours to say stays.
    async fn tidy(
        &self,
        key: &ResourceKey,
        object: QoderDeployment,
        status: &QoderDeploymentStatus,
        limit: Duration,
    ) -> Result<QoderDeployment, KubernetesError> {
        let stands = object.status.clone().unwrap_or_default();
        let Some(left) = leftovers(&stands, status) else { return Ok(object) };
        let version = object.metadata.resource_version.as_deref();
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": left });
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        self.patch(key, &params, &Patch::Merge(&patch), limit).await
    }

    async fn patch(
        &self,
        key: &ResourceKey,
        params: &PatchParams,
        patch: &Patch<&Value>,
        limit: Duration,
    ) -> Result<QoderDeployment, KubernetesError> {
        if !self.claim.is_held() {
            return Err(KubernetesError::NotLeading);
        }
        self.status_writes.inc();
        let span = traces::request(
            "PATCH",
            "PATCH qoderdeployments/{name}/status",
            "/apis/cloud.qoder.com/v1alpha1/namespaces/{namespace}/qoderdeployments/{name}/status",
        );
        let api = self.api(key);
        traced(span, key, bounded(limit, Box::pin(api.patch_status(&key.name, params, patch))))
            .await
    }

    fn api(&self, key: &ResourceKey) -> Api<QoderDeployment> {
        Api::namespaced(self.client.clone(), &key.namespace)
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

/// Makes a call within the span of its request. The call itself is boxed: moved from one future into another it would be kept
/// twice in each.
async fn traced<T>(
    span: Span,
    key: &ResourceKey,
    called: impl Future<Output = Result<T, KubernetesError>>,
) -> Result<T, KubernetesError> {
    span.record("namespace", &*key.namespace);
    span.record("name", &*key.name);
    let result = called.instrument(span.clone()).await;
    let refused = |code: u16| {
        traces::answered(&span, code);
        traces::failed(&span, &code.to_string());
    };
    match &result {
        Ok(_) => traces::answered(&span, 200),
        Err(KubernetesError::NotFound) => refused(404),
        Err(KubernetesError::TimedOut(_)) => traces::failed(&span, "timeout"),
        Err(KubernetesError::Call(error)) => match &**error {
            kube::Error::Api(status) => refused(status.code),
            _ => traces::failed(&span, "broken"),
        },
        Err(_) => traces::failed(&span, "broken"),
    }
    result
}

fn is_conflict(error: &KubernetesError) -> bool {
    matches!(error, KubernetesError::Call(error)
        if matches!(&**error, kube::Error::Api(status) if status.code == 409))
}
