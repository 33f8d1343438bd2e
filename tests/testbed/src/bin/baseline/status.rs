//! The status that says what was seen of a deployment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use qoder_operator::api::{
    Condition, PausedReason, PausedReasonError, QoderDeployment, QoderDeploymentStatus, Schedule,
    Wish,
};
use qoder_operator::qoder::{Deployment, RemoteStatus};

/// Times of conditions that did not change are kept, so that the same is seen to be the same.
pub fn of(resource: &QoderDeployment, deployment: &Deployment) -> QoderDeploymentStatus {
    let paused = deployment.status == RemoteStatus::Paused;
    let as_wished = resource.spec.paused.is_none_or(|wish| wish == paused);
    let ready = match (deployment.archived_at.is_some(), as_wished) {
        (true, _) => ("False", "RemoteArchived", "the deployment is archived"),
        (false, true) => ("True", "InSync", "the deployment is as wished"),
        (false, false) => ("False", "OutOfSync", "the deployment is not as wished"),
    };
    let is_paused = if paused {
        ("True", "Paused", "the deployment is paused")
    } else {
        ("False", "Running", "the deployment runs on its schedule")
    };
    QoderDeploymentStatus {
        observed_generation: resource.metadata.generation.unwrap_or_default(),
        desired: Some(Wish::from(resource.spec.paused)),
        status: Some(deployment.status.as_str().to_owned()),
        paused_reason: deployment.paused_reason.clone().map(|reason| PausedReason {
            kind: reason.kind.into(),
            error: reason.error.map(|kind| PausedReasonError { kind: kind.into() }),
        }),
        name: deployment.name.clone().map(Into::into),
        schedule: deployment.schedule.as_deref().map(|schedule| Schedule {
            expression: schedule.expression.to_string(),
            timezone: schedule.timezone.as_deref().map(str::to_owned),
        }),
        archived_time: deployment.archived_at.map(|time| time.to_string()),
        conditions: vec![
            condition(resource, "Ready", ready),
            condition(resource, "Paused", is_paused),
        ],
        ..QoderDeploymentStatus::default()
    }
}

fn condition(
    resource: &QoderDeployment,
    kind: &str,
    (status, reason, message): (&str, &str, &str),
) -> Condition {
    let before = resource.status.iter().flat_map(|status| &status.conditions);
    let same = before.into_iter().find(|it| it.kind == kind && it.status == status);
    Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        observed_generation: resource.metadata.generation.unwrap_or_default(),
        last_transition_time: same
            .map_or_else(|| Time(Timestamp::now()), |same| same.last_transition_time.clone()),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}
