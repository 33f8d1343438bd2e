//! Which event tells of a change. Pure. There is one for each change, and none that says "still".

use super::settle::Ready;
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

/// The event of a change of the condition Ready; `None`: this change is not worth one.
#[must_use]
pub fn of_change(resource: &Resource, after: Ready) -> Option<Event> {
    let before = resource.published.ready.map(|(_, reason)| reason);
    if before == Some(after.reason) {
        return None;
    }
    let reason = match after.reason {
        Reason::DriftTolerated => "DriftDetected",
        Reason::PausedByPlatform
        | Reason::RemoteNotFound
        | Reason::RemoteArchived
        | Reason::CredentialRejected
        | Reason::DuplicateOwner
        | Reason::Contested => after.reason.as_str(),
        _ => return None,
    };
    let id = &resource.deployment;
    Some(Event {
        is_warning: true,
        reason,
        action: "Observe",
        note: format!("{id}: {} {}", after.reason.meaning(), after.reason.fix())
            .trim_end()
            .to_owned(),
    })
}
