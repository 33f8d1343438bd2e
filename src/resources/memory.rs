//! What a status remembers for the next decision, and how it comes from a status, and goes on from one
//! settlement to the next. Pure.

use std::sync::Arc;

use crate::api::{LastReached, NEVER_OBSERVED, QoderDeploymentStatus, Wish};

/// What a status remembers; held here too, where it may be ahead of a status whose publication
/// failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Memory {
    /// A status of ours was published for this uid.
    pub has_status: bool,
    /// The last wish that was reached.
    pub last_reached: Option<LastReached>,
    /// The last value of `resume-requested-at` that was handled.
    pub resume_handled: Option<Arc<str>>,
    /// The last value of `reconcile-requested-at` that was handled.
    pub reconcile_handled: Option<Arc<str>>,
}

/// What a settlement, or a write that succeeded, adds to the memory of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What becomes of `lastReached`.
    pub reached: ReachedChange,
    /// The present value of `resume-requested-at` is handled.
    pub resume_handled: bool,
    /// The present value of `reconcile-requested-at` is handled.
    pub reconcile_handled: bool,
    /// A status says so.
    pub is_told: bool,
}

/// What a resource asks for, as far as it can be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The wish, and the generation that makes it.
    pub wish: LastReached,
    pub resume: Option<Arc<str>>,
    pub reconcile: Option<Arc<str>>,
}

/// What becomes of `lastReached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedChange {
    /// It stays.
    Keep,
    /// This generation's wish is reached.
    Set,
    /// Another resource decides now.
    Clear,
}

impl Memory {
    /// What a status remembers.
    #[must_use]
    pub fn of(status: &QoderDeploymentStatus) -> Self {
        Self {
            has_status: status.observed_generation != NEVER_OBSERVED
                && !status.conditions.is_empty(),
            last_reached: status.last_reached,
            resume_handled: status.last_handled_resume_request.as_deref().map(Into::into),
            reconcile_handled: status.last_handled_reconcile_request.as_deref().map(Into::into),
        }
    }

    /// What is remembered after some progress of a resource that asks for this.
    #[must_use]
    pub fn after(&self, progress: Progress, asked: &Asked) -> Self {
        let mut memory = self.clone();
        match progress.reached {
            ReachedChange::Keep => {}
            ReachedChange::Set => memory.last_reached = Some(asked.wish),
            ReachedChange::Clear => memory.last_reached = None,
        }
        // Whatever the first status of a uid finds counts as handled: a restored backup asks for
        // nothing.
        let is_first = progress.is_told && !memory.has_status;
        // Taking the annotation away forgets nothing: the same value put back is no new request.
        if let Some(value) = &asked.resume
            && (progress.resume_handled || is_first)
        {
            memory.resume_handled = Some(value.clone());
        }
        if let Some(value) = &asked.reconcile
            && progress.reconcile_handled
        {
            memory.reconcile_handled = Some(value.clone());
        }
        memory.has_status |= progress.is_told;
        memory
    }

    /// Whether the wish of another generation is reached than before. The first one that is reached does not count:
    /// nobody knows since when it was asked for.
    #[must_use]
    pub fn has_advanced(&self, before: &Self) -> bool {
        let wish = |memory: &Self| {
            memory.last_reached.filter(|reached| reached.desired != Wish::Unmanaged)
        };
        let Some((now, then)) = wish(self).zip(before.last_reached) else { return false };
        now.generation != then.generation
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
