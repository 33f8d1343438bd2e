//! Which event tells of a change. Pure. There is one for each change, and none that says "still".

use crate::{api::Reason, qoder::Verb, resources::Resource};

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

/// The event of a write that succeeded.
#[must_use]
pub fn of_write(verb: Verb, is_drift: bool, resource: &Resource) -> Event {
    let (reason, action, done) = match verb {
        Verb::Pause => ("Paused", "Pause", "paused"),
        Verb::Unpause => ("Resumed", "Resume", "resumed"),
    };
    let id = &resource.deployment;
    if is_drift {
        Event {
            is_warning: true,
            reason: "DriftCorrected",
            action,
            note: format!("{id} was changed by someone else, and is {done} again"),
        }
    } else {
        Event {
            is_warning: false,
            reason,
            action,
            note: format!("{id} is {done}, as spec.paused says"),
        }
    }
}

/// The event of a new reason of the condition Ready; `None`: this one is not worth an event.
#[must_use]
pub fn of_reason(reason: Reason, resource: &Resource) -> Option<Event> {
    let name = match reason {
        Reason::DriftTolerated => "DriftDetected",
        Reason::PausedByPlatform
        | Reason::RemoteNotFound
        | Reason::RemoteArchived
        | Reason::CredentialRejected
        | Reason::DuplicateOwner
        | Reason::Contested => reason.as_str(),
        _ => return None,
    };
    let id = &resource.deployment;
    Some(Event {
        is_warning: true,
        reason: name,
        action: "Observe",
        note: format!("{id}: {} {}", reason.meaning(), reason.fix()).trim_end().to_owned(),
    })
}
