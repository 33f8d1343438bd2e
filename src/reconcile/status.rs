//! The status as it is published: conditions, and the mirror of the remote. Pure.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    message::message,
    settle::{Kind, Ready},
    waiting::Hindrance,
};
use crate::{
    api::{Condition, ConditionStatus, ConditionType, QoderDeploymentStatus, Reason},
    qoder::Deployment,
    remote::{Answer, PausedBy},
    resources::{Memory, Resource, Transition, mirror::mirror},
};

/// What a status is made of, besides the resource and its memory.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    pub ready: Ready,
    /// What is known of the deployment.
    pub last_known: Option<&'a Deployment>,
    /// The owner's name, if it is another resource of the same namespace.
    pub owner: Option<&'a str>,
    /// What a resource that is not done waits for.
    pub hindrance: Option<Hindrance>,
    /// The wall clock.
    pub now: Timestamp,
}

/// The status to publish for this resource. Transition times are those of what stands where a
/// condition's status did not change, else `now`.
#[must_use]
pub fn render(
    resource: &Resource,
    memory: &Memory,
    contents: Contents<'_>,
) -> QoderDeploymentStatus {
    let Contents { ready, last_known, now, .. } = contents;
    let message = message(resource, contents);
    let paused = paused(last_known);
    let paused_message = format!("{}: {}", resource.deployment, paused.1.meaning());
    let conditions = ConditionType::ALL.into_iter().enumerate().filter_map(|(place, kind)| {
        let (status, reason, message) = match kind {
            ConditionType::Ready => (ready.status, ready.reason, message.as_str()),
            ConditionType::Reconciling if ready.kind == Kind::Reconciling => {
                (ConditionStatus::True, ready.reason, message.as_str())
            }
            ConditionType::Stalled if ready.kind == Kind::Stalled => {
                (ConditionStatus::True, ready.reason, message.as_str())
            }
            ConditionType::Reconciling | ConditionType::Stalled => return None,
            ConditionType::Paused => (paused.0, paused.1, paused_message.as_str()),
        };
        let stood = resource.published.transitions.iter().nth(place).flatten();
        let since = stood.filter(|stood| stood.status == status).map_or(now, Transition::at);
        Some(Condition {
            kind: kind.as_str().to_owned(),
            status: status.as_str().to_owned(),
            observed_generation: resource.generation,
            last_transition_time: Time(since),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
        })
    });
    let mut status = QoderDeploymentStatus {
        observed_generation: resource.generation,
        desired: Some(resource.wish),
        last_reached: memory.last_reached,
        last_handled_resume_request: memory.resume_handled.as_deref().map(str::to_owned),
        last_handled_reconcile_request: memory.reconcile_handled.as_deref().map(str::to_owned),
        conditions: conditions.collect(),
        ..QoderDeploymentStatus::default()
    };
    if let Some(known) = last_known {
        mirror(known, &mut status);
    }
    status
}

fn paused(last_known: Option<&Deployment>) -> (ConditionStatus, Reason) {
    let Some(known) = last_known else {
        return (ConditionStatus::Unknown, Reason::NotObserved);
    };
    // An archived deployment keeps its old status, and is as paused as that says.
    let as_live = Deployment { archived_at: None, ..known.clone() };
    match Answer::from(&as_live) {
        Answer::Paused(PausedBy::Hand) => (ConditionStatus::True, Reason::PausedManually),
        Answer::Paused(PausedBy::Platform) => (ConditionStatus::True, Reason::PausedByPlatform),
        Answer::Active => (ConditionStatus::False, Reason::Running),
        _ => (ConditionStatus::Unknown, Reason::NotObserved),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
