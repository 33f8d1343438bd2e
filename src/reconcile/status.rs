//! The status as it is published: conditions, the mirror of the remote, and the messages. Pure.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    settle::{Kind, Ready},
    waiting::Hindrance,
};
use crate::{
    api::{Condition, ConditionStatus, ConditionType, QoderDeploymentStatus, Reason},
    qoder::Deployment,
    remote::{Answer, Obstacle, PausedBy},
    resources::{Memory, Resource, Transition, mirror::mirror},
};

/// The errors for which the platform pauses a deployment (API page, section 2.7). A message names
/// no other: it would repeat remote text.
const PAUSING_ERRORS: [&str; 14] = [
    "environment_archived_error",
    "agent_archived_error",
    "environment_not_found_error",
    "vault_not_found_error",
    "vault_archived_error",
    "file_not_found_error",
    "session_resource_not_found_error",
    "workspace_archived_error",
    "organization_disabled_error",
    "memory_store_archived_error",
    "skill_not_found_error",
    "self_hosted_resources_unsupported_error",
    "mcp_egress_blocked_error",
    "unknown_error",
];

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
        let stood = resource.published.transitions.get(place).copied().flatten();
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

/// What happened, to which object, what to do. Our own words: no remote text, no URL, no token.
fn message(resource: &Resource, contents: Contents<'_>) -> String {
    let Contents { ready: Ready { reason, .. }, last_known, owner, hindrance, .. } = contents;
    let id = &resource.deployment;
    let mut message = format!("{id}: {}", reason.meaning());
    let mut add = |text: &str| {
        if !text.is_empty() {
            message.push(' ');
            message.push_str(text);
        }
    };
    match reason {
        Reason::PausedByPlatform => {
            let error = last_known.and_then(|known| known.paused_reason.as_ref()?.error.as_deref());
            match PAUSING_ERRORS.into_iter().find(|known| Some(*known) == error) {
                Some(kind) => add(&format!("The error is {kind}.")),
                None => add("The error is of a type that this operator does not know."),
            }
        }
        Reason::DuplicateOwner => match owner {
            Some(owner) => add(&format!("It is {owner} in this namespace.")),
            None => add("It is in another namespace."),
        },
        Reason::ReconcileDisabled if resource.has_unknown_switch => {
            add("Its value is not known; known are disabled and enabled.");
        }
        Reason::Progressing | Reason::PausePending | Reason::ResumePending => {
            add(hindrance.map_or("", waits_for));
        }
        _ => {}
    }
    add(reason.fix());
    message
}

fn waits_for(hindrance: Hindrance) -> &'static str {
    match hindrance {
        Hindrance::Obstacle(Obstacle::Throttled) => {
            "The Qoder API has asked to wait (429 or Retry-After); the operator goes on when that is over."
        }
        Hindrance::Obstacle(Obstacle::Outage) => {
            "The Qoder API has not answered several times in a row; the operator keeps trying."
        }
        Hindrance::Unanswered => {
            "The Qoder API does not answer the request, or answered it with an error of its own (5xx); the operator looks, and tries again."
        }
        Hindrance::Unauthorized => {
            "The Qoder API answered the request with 401, and accepts the token for reads; check that the token may pause and resume."
        }
        Hindrance::NotTheApi => {
            "Something between the operator and the Qoder API answered the last try; check proxies and --base-url."
        }
        Hindrance::Kubernetes => {
            "The Kubernetes API does not serve the read before the write; check the operator's right to get qoderdeployments, and its log."
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
