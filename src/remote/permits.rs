//! Permits: the right to send one write. Who holds one, who waits for one, and how many writes are
//! under way. Pure: time is an argument.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    api::DeploymentId,
    fair_queue::{FairQueue, Lane},
    times::Times,
};

/// Writes under way at once: each takes a connection, and a gateway minds too many.
const WRITES_AT_ONCE: usize = 16;

/// The permits of one credential.
#[derive(Default)]
pub struct Permits {
    waiting: FairQueue<DeploymentId>,
    /// Those not used yet, each until when it is kept.
    granted: BTreeMap<DeploymentId, Instant>,
    under_way: usize,
    /// When a write was last sent, or the first of those that wait began to.
    moved: Option<Instant>,
}

impl Permits {
    /// Whether this deployment holds one.
    pub fn has(&self, id: &DeploymentId, now: Instant) -> bool {
        self.granted.get(id).is_some_and(|until| now < *until)
    }

    /// Lets it wait for one.
    pub fn wait(&mut self, id: &DeploymentId, lane: Lane, namespace: &Arc<str>, now: Instant) {
        if self.waiting.is_empty() {
            self.moved = Some(now);
        }
        self.waiting.push(id.clone(), lane, namespace);
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Those that wait.
    pub fn all_waiting(&self) -> Vec<DeploymentId> {
        self.waiting.keys().cloned().collect()
    }

    /// From when on those that wait stand still. `None`: none waits.
    pub fn stuck_at(&self) -> Option<Instant> {
        let moved = self.moved.filter(|_| !self.waiting.is_empty())?;
        Some(moved + Times::STANDSTILL)
    }

    /// When there is room for one more write, and how many that hold a permit are to be sent before it.
    /// `None`: not before a write ends.
    pub fn room(&self, now: Instant) -> Option<(Instant, usize)> {
        let granted = || self.granted.values().copied().filter(|until| now < *until);
        let count = granted().count();
        if count + self.under_way < WRITES_AT_ONCE {
            return Some((now, count));
        }
        // One that is not used is not kept for ever.
        Some((granted().min()?, count.saturating_sub(1)))
    }

    /// Grants one, and forgets those that were not used in time.
    pub fn grant(&mut self, id: &DeploymentId, now: Instant) {
        self.granted.retain(|_, until| now < *until);
        self.granted.insert(id.clone(), now + Times::PERMIT);
    }

    /// Takes out the one whose turn it is: by lane, and then round robin over namespaces.
    pub fn next(&mut self) -> Option<DeploymentId> {
        self.waiting.pop()
    }

    /// The deployment has no use for one. Returns whether it held one, or waited for one.
    pub fn give_back(&mut self, id: &DeploymentId) -> bool {
        let waited = self.waiting.remove(id);
        self.granted.remove(id).is_some() || waited
    }

    /// Its write leaves.
    pub fn used(&mut self, id: &DeploymentId, now: Instant) {
        self.moved = Some(now);
        self.granted.remove(id);
        self.under_way += 1;
    }

    /// A write has ended.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

#[cfg(test)]
#[path = "permits_tests.rs"]
mod tests;
