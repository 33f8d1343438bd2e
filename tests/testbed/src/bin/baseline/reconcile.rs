//! One reconcile: read the deployment, make it as wished, and say so in the status.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt};
use qoder_operator::api::{DeploymentId, InvalidDeploymentId, QoderDeployment};
use qoder_operator::qoder::{ApiError, Client as Qoder, Deployment, RemoteStatus, Token, Verb};
use serde_json::json;
use thiserror::Error;

use crate::pace::Pace;
use crate::status;

/// How soon the deployment is read again, for what others may have changed.
const REQUEUE: Duration = Duration::from_secs(60);
/// The longest wait after failures.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// The field manager of the status.
const FIELD_MANAGER: &str = "qoder-baseline";

/// What all reconciles share.
pub struct Context {
    pub client: Client,
    pub qoder: Qoder,
    pub token: Token,
    pub pace: Pace,
    /// Failures in a row of each resource, by its uid.
    pub failures: Mutex<HashMap<String, u32>>,
}

/// Why a reconcile failed.
#[derive(Debug, Error)]
pub enum Error {
    #[error("spec.deploymentID is not an id")]
    Id(#[from] InvalidDeploymentId),
    #[error("the Qoder API call failed")]
    Qoder(#[from] ApiError),
    #[error("failed to write the status")]
    Status(#[from] kube::Error),
}

/// Makes the remote as wished, and the status as seen.
pub async fn reconcile(
    resource: Arc<QoderDeployment>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    context.pace.turn().await;
    let id = DeploymentId::try_from(resource.spec.deployment_id.as_str())?;
    let mut deployment = context.qoder.get(&context.token, &id).await?;
    if let Some(verb) = needed(&resource, &deployment) {
        deployment = match context.qoder.write(&context.token, verb, &id).await {
            // Somebody else was faster; what they made of it is what counts.
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                context.qoder.get(&context.token, &id).await?
            }
            written => written?,
        };
    }

    let status = status::of(&resource, &deployment);
    if resource.status.as_ref() != Some(&status) {
        let namespace = resource.namespace().unwrap_or_default();
        let api = Api::<QoderDeployment>::namespaced(context.client.clone(), &namespace);
        let patch = json!({
            "apiVersion": "cloud.qoder.com/v1alpha1",
            "kind": "QoderDeployment",
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch_status(&resource.name_any(), &params, &Patch::Apply(patch)).await?;
    }
    context.succeeded(&resource);
    Ok(Action::requeue(REQUEUE))
}

/// After a failure: 1 s, doubling, up to a minute.
#[allow(clippy::needless_pass_by_value, reason = "the controller wants this signature")]
pub fn error_policy(
    resource: Arc<QoderDeployment>,
    error: &Error,
    context: Arc<Context>,
) -> Action {
    let asked = match error {
        Error::Qoder(error) => error.retry_after(),
        _ => None,
    };
    let own = Duration::from_secs(1 << context.failed(&resource).min(6));
    Action::requeue(asked.unwrap_or_default().max(own.min(LONGEST_BACKOFF)))
}

/// The call that makes the deployment as wished, if one does.
fn needed(resource: &QoderDeployment, deployment: &Deployment) -> Option<Verb> {
    if deployment.archived_at.is_some() {
        return None;
    }
    match (resource.spec.paused?, &deployment.status) {
        (true, RemoteStatus::Active) => Some(Verb::Pause),
        (false, RemoteStatus::Paused) => Some(Verb::Unpause),
        _ => None,
    }
}

impl Context {
    /// How often it had failed before.
    fn failed(&self, resource: &QoderDeployment) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.entry(resource.uid().unwrap_or_default()).or_default();
        *failures += 1;
        *failures - 1
    }

    fn succeeded(&self, resource: &QoderDeployment) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&resource.uid().unwrap_or_default());
    }
}
