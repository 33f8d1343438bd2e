//! What a status mirrors of the remote, in both directions. Mirrored strings are cut to the bounds of the CRD, so that
//! no remote value can make a status invalid, and have no control characters. Pure.

use std::sync::Arc;

use super::text::printable;
use crate::{
    api::{self, MAX_NAME, MAX_TEXT, QoderDeploymentStatus},
    qoder::{Deployment, PausedReason, RemoteStatus, Schedule},
};

/// Writes what is known of a deployment into a status.
pub fn mirror(known: &Deployment, status: &mut QoderDeploymentStatus) {
    status.status = Some(printable(known.status.as_str(), MAX_TEXT));
    status.paused_reason = known.paused_reason.as_ref().map(|reason| api::PausedReason {
        kind: printable(&reason.kind, MAX_TEXT),
        error: reason
            .error
            .as_deref()
            .map(|kind| api::PausedReasonError { kind: printable(kind, MAX_TEXT) }),
    });
    status.name = known.name.as_deref().map(|name| printable(name, MAX_NAME));
    status.schedule = known.schedule.as_ref().map(|schedule| api::Schedule {
        expression: printable(&schedule.expression, MAX_TEXT),
        timezone: schedule.timezone.as_deref().map(|zone| printable(zone, MAX_TEXT)),
    });
    status.archived_time = known.archived_at.map(|at| at.to_string());
}

/// What a status says of the remote: the last that is known until this process has looked.
#[must_use]
pub fn last_known(status: &QoderDeploymentStatus) -> Option<Deployment> {
    Some(Deployment {
        status: RemoteStatus::from(status.status.as_deref()?),
        paused_reason: status.paused_reason.as_ref().map(|reason| {
            Box::new(PausedReason {
                kind: reason.kind.as_str().into(),
                error: reason.error.as_ref().map(|error| error.kind.as_str().into()),
            })
        }),
        archived_at: status.archived_time.as_deref().and_then(|time| time.parse().ok()),
        name: status.name.as_deref().map(Into::into),
        schedule: status.schedule.as_ref().map(|schedule| {
            Arc::new(Schedule {
                expression: schedule.expression.as_str().into(),
                timezone: schedule.timezone.as_deref().map(Into::into),
            })
        }),
    })
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
