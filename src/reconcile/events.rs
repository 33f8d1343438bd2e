//! Which event tells of a change. Pure. There is one for each change, and none that says "still".

use std::sync::Arc;

use super::situation::Situation;
use crate::{
    api::{Reason, annotation},
    qoder::Verb,
    resources::Resource,
};

/// An event to publish about a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Something unexpected.
    pub is_warning: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// What the operator did, in one word.
    pub action: &'static str,
    /// What happened and what to do.
    pub note: String,
}

/// What a write answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The spec.
    Spec,
    /// A change by someone else.
    Drift,
    /// This value of `resume-requested-at`.
    ResumeRequest(Arc<str>),
}

impl Cause {
    /// Of a write of this verb that this situation asks for.
    #[must_use]
    pub fn of(verb: Verb, situation: &Situation, resource: &Resource) -> Self {
        // A wish that was not reached yet would resume it without a request.
        let is_new = situation.last_reached.is_none_or(|reached| !reached.this_generation);
        match &resource.resume_request {
            _ if situation.is_drift() => Self::Drift,
            Some(request) if verb == Verb::Unpause && situation.resume_requested && !is_new => {
                Self::ResumeRequest(request.value.clone())
            }
            _ => Self::Spec,
        }
    }
}

/// The event of a write that succeeded.
#[must_use]
pub fn of_write(verb: Verb, cause: &Cause, resource: &Resource) -> Event {
    let (reason, action, done) = match verb {
        Verb::Pause => ("Paused", "Pause", "paused"),
        Verb::Unpause => ("Resumed", "Resume", "resumed"),
    };
    let id = &resource.deployment;
    let (is_warning, reason, note) = match cause {
        Cause::Spec => (false, reason, format!("{id} is {done}, as spec.paused says")),
        Cause::Drift => {
            let note = format!("{id} was changed by someone else, and is {done} again");
            (true, "DriftCorrected", note)
        }
        Cause::ResumeRequest(value) => {
            let name = annotation::RESUME_REQUESTED_AT;
            (false, reason, format!("{id} is {done}, as the annotation {name} asks: {value}"))
        }
    };
    Event { is_warning, reason, action, note }
}

/// The event of a new reason of the condition Ready, with its message; `None`: this one is not worth an event.
#[must_use]
pub fn of_reason(reason: Reason, message: &str) -> Option<Event> {
    let name = match reason {
        Reason::DriftTolerated => "DriftDetected",
        Reason::PausedByPlatform
        | Reason::RemoteNotFound
        | Reason::RemoteArchived
        | Reason::CredentialMissing
        | Reason::CredentialRejected
        | Reason::DuplicateOwner
        | Reason::Contested => reason.as_str(),
        _ => return None,
    };
    Some(Event { is_warning: true, reason: name, action: "Observe", note: message.to_owned() })
}
