//! The status as it is published: conditions, the mirror of the remote, and the messages. Pure.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    resource::{Memory, Resource},
    settle::{Progress, ReachedChange, Ready, Settled},
};
use crate::{
    api::{Condition, ConditionStatus, ConditionType, LastReached, QoderDeploymentStatus, Reason},
    fleet::{Answer, PausedBy},
    qoder::{Deployment, RemoteStatus},
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

impl Memory {
    /// What is remembered after a settlement for this resource.
    #[must_use]
    pub fn after(&self, settled: &Settled, resource: &Resource) -> Self {
        let mut memory = self.clone();
        match settled.reached {
            ReachedChange::Keep => {}
            ReachedChange::Set => {
                memory.last_reached =
                    Some(LastReached { wish: resource.wish, generation: resource.generation });
            }
            ReachedChange::Clear => memory.last_reached = None,
        }
        // Whatever the first status of a uid finds counts as handled: a restored backup asks for
        // nothing.
        let is_first = settled.ready.is_some() && !memory.has_status;
        // Taking the annotation away forgets nothing: the same value put back is no new request.
        if let Some(request) = &resource.resume_request
            && (settled.resume_handled || is_first)
        {
            memory.resume_handled = Some(request.value.clone());
        }
        if let Some(request) = &resource.reconcile_request
            && settled.reconcile_handled
        {
            memory.reconcile_handled = Some(request.value.clone());
        }
        memory.has_status |= settled.ready.is_some();
        memory
    }
}

/// The status to publish for this resource. Transition times are those of what stands where a
/// condition's status did not change, else `now`.
#[must_use]
pub fn render(
    resource: &Resource,
    memory: &Memory,
    ready: Ready,
    last_known: Option<&Deployment>,
    owner: Option<&str>,
    now: Timestamp,
) -> QoderDeploymentStatus {
    let message = message(resource, ready.reason, last_known, owner);
    let paused = paused(last_known);
    let paused_message = format!("{}: {}", resource.deployment, paused.1.meaning());
    let conditions = ConditionType::ALL.into_iter().enumerate().filter_map(|(place, kind)| {
        let (status, reason, message) = match kind {
            ConditionType::Ready => (ready.status, ready.reason, message.as_str()),
            ConditionType::Reconciling if ready.progress == Progress::Reconciling => {
                (ConditionStatus::True, ready.reason, message.as_str())
            }
            ConditionType::Stalled if ready.progress == Progress::Stalled => {
                (ConditionStatus::True, ready.reason, message.as_str())
            }
            ConditionType::Reconciling | ConditionType::Stalled => return None,
            ConditionType::Paused => (paused.0, paused.1, paused_message.as_str()),
        };
        let stood = resource.published.transitions.get(place).copied().flatten();
        let since = stood.filter(|(stood, _)| *stood == status).map_or(now, |(_, since)| since);
        Some(Condition {
            kind: kind.as_str().to_owned(),
            status: status.as_str().to_owned(),
            observed_generation: resource.generation,
            last_transition_time: Time(since),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
        })
    });
    QoderDeploymentStatus {
        observed_generation: resource.generation,
        desired: Some(resource.wish),
        status: last_known.map(|known| known.status.as_str().to_owned()),
        paused_reason: last_known.and_then(|known| known.paused_reason.clone()),
        name: last_known.and_then(|known| known.name.clone()),
        schedule: last_known.and_then(|known| known.schedule.clone()),
        archived_time: last_known.and_then(|known| known.archived_time.clone()),
        last_reached: memory.last_reached,
        last_handled_resume_request: memory.resume_handled.as_deref().map(str::to_owned),
        last_handled_reconcile_request: memory.reconcile_handled.as_deref().map(str::to_owned),
        conditions: conditions.collect(),
    }
}

/// What a status says of the remote: the last that is known until this process has looked.
#[must_use]
pub fn last_known(status: &QoderDeploymentStatus) -> Option<Deployment> {
    Some(Deployment {
        status: RemoteStatus::from(status.status.clone()?),
        paused_reason: status.paused_reason.clone(),
        archived: status.archived_time.is_some(),
        archived_time: status.archived_time.clone(),
        name: status.name.clone(),
        schedule: status.schedule.clone(),
    })
}

fn paused(last_known: Option<&Deployment>) -> (ConditionStatus, Reason) {
    let Some(known) = last_known else {
        return (ConditionStatus::Unknown, Reason::NotObserved);
    };
    // An archived deployment keeps its old status, and is as paused as that says.
    let as_live = Deployment { archived: false, ..known.clone() };
    match Answer::from(&as_live) {
        Answer::Paused(PausedBy::Hand) => (ConditionStatus::True, Reason::PausedManually),
        Answer::Paused(PausedBy::Platform) => (ConditionStatus::True, Reason::PausedByPlatform),
        Answer::Active => (ConditionStatus::False, Reason::Running),
        _ => (ConditionStatus::Unknown, Reason::NotObserved),
    }
}

/// What happened, to which object, what to do. Our own words: no remote text, no URL, no token.
fn message(
    resource: &Resource,
    reason: Reason,
    last_known: Option<&Deployment>,
    owner: Option<&str>,
) -> String {
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
            let error = last_known.and_then(|known| known.paused_reason.as_ref()?.error.as_ref());
            let kind = error.map_or("", |error| error.kind.as_str());
            match PAUSING_ERRORS.into_iter().find(|known| *known == kind) {
                Some(kind) => add(&format!("The error is {kind}.")),
                None => add("The error is of a type that this operator does not know."),
            }
        }
        Reason::DuplicateOwner => match owner {
            Some(owner) => add(&format!("It is {owner} in this namespace.")),
            None => add("It is in another namespace."),
        },
        _ => {}
    }
    add(reason.fix());
    message
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
