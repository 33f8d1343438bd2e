//! What is remembered of our writes to all deployments. It outlives the resource that a write was sent
//! for, because the remote does not know resources.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{write::Requester, writes::Writes};
use crate::{api::DeploymentId, qoder::Verb, times::Times};

/// The writes to all deployments.
#[derive(Default, Clone)]
pub struct Ledger {
    /// Behind pointers: nothing was ever written to most deployments.
    writes: BTreeMap<DeploymentId, Box<Writes>>,
}

impl Ledger {
    /// The writes to one deployment so far.
    #[must_use]
    pub fn get(&self, id: &DeploymentId) -> Writes {
        self.writes.get(id).map(|writes| Writes::clone(writes)).unwrap_or_default()
    }

    /// Whether a write to this deployment has begun, and not ended.
    #[must_use]
    pub fn is_under_way(&self, id: &DeploymentId) -> bool {
        self.writes.get(id).is_some_and(|writes| writes.under_way_since().is_some())
    }

    /// The writes to one deployment, to note something.
    pub fn note(&mut self, id: &DeploymentId) -> &mut Writes {
        self.writes.entry(id.clone()).or_default()
    }

    /// Takes the note that the meaning of a 409 is still open, and what was asked for.
    pub fn take_conflict(&mut self, id: &DeploymentId) -> Option<Verb> {
        self.writes.get_mut(id)?.take_conflict()
    }

    /// The owner has what it asks for.
    pub fn reached(&mut self, id: &DeploymentId, owner: &Requester, reconcile_requested: bool) {
        if let Some(writes) = self.writes.get_mut(id) {
            writes.reached(owner, reconcile_requested);
        }
    }

    /// Forgets what is not bound any more, as soon as nothing sent to it may still take effect.
    pub fn forget(
        &mut self,
        is_bound: impl Fn(&DeploymentId) -> bool,
        now: Instant,
        times: &Times,
    ) {
        self.writes.retain(|id, writes| is_bound(id) || writes.may_matter(now, times));
    }

    /// Until when what is under way, or was lost, may still take effect.
    #[must_use]
    pub fn may_land_until(&self, now: Instant, times: &Times) -> Option<Instant> {
        self.writes.values().filter_map(|writes| writes.may_land_until(now, times)).max()
    }

    /// How many deployments something is remembered of.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.writes.len()
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
