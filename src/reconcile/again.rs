//! When to look again, as a time: the way back from meaning to the clock that `gather` came. No
//! client required, no I/O.

use tokio::time::Instant;

use super::{gather::Surroundings, resource::Resource, settle::Again};
use crate::{fleet::Worth, times::Times};

/// When to look again at this resource, if nothing happens before. Times in the past mean now.
#[must_use]
pub fn when(again: Again, resource: &Resource, around: Surroundings<'_>) -> Option<Instant> {
    let Surroundings { entry, writes, times, now, .. } = around;
    match again {
        Again::Never => None,
        Again::Overdue => Some(resource.generation_seen + Times::PROGRESS),
        Again::Retry => {
            let failure = entry?.failure.as_ref()?;
            let grace_end = Some(failure.first + times.grace()).filter(|end| now < *end);
            earlier(Some(failure.retry_at), grace_end)
        }
        Again::CredentialGrace => match around.worth {
            Worth::Rejected { since } => Some(since + times.grace()),
            // A change of its worth wakes everyone.
            Worth::Usable | Worth::Missing => None,
        },
        Again::SlowLook => {
            let look = entry?.observed.map(|seen| seen.started + times.slow_look());
            let refused = writes.refused_until(resource, around.epoch).filter(|end| now < *end);
            earlier(look, refused)
        }
        Again::HoldEnd => writes.held_until(),
        Again::WriteFree => {
            let backoff_end = writes.backoff_end(resource).filter(|end| now < *end);
            earlier(backoff_end, writes.lands_until(now)).or(Some(now))
        }
    }
}

/// The earlier of two times that may be never.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
#[path = "again_tests.rs"]
mod tests;
