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

/// The permits of one credential. Each is granted, taken by a pass, and sent with the write.
#[derive(Default)]
pub struct Permits {
    waiting: FairQueue<DeploymentId>,
    /// Since when each has asked for one, until it takes it.
    since: BTreeMap<DeploymentId, Instant>,
    /// Granted and not yet taken, with the time at which each expires.
    granted: BTreeMap<DeploymentId, Instant>,
    /// How many a pass has taken: it reads the resource once more, and sends its write or gives the permit back.
    taken: usize,
    /// How many have left with their write.
    under_way: usize,
    /// When a write was last served, or the first of those that wait began to.
    moved: Option<Instant>,
}

impl Permits {
    /// Lets it wait for one.
    pub fn wait(&mut self, id: &DeploymentId, lane: Lane, namespace: &Arc<str>, now: Instant) {
        if self.waiting.is_empty() {
            self.moved = Some(now);
        }
        self.since.entry(id.clone()).or_insert(now);
        self.waiting.push(id.clone(), lane, namespace);
    }

    /// Since when it has asked for one that it has not taken.
    pub fn since(&self, id: &DeploymentId) -> Option<Instant> {
        self.since.get(id).copied()
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
    /// `None`: not before a permit is given back, or a write ends.
    pub fn room(&self, now: Instant) -> Option<(Instant, usize)> {
        let granted = || self.granted.values().copied().filter(|until| now < *until);
        let before = granted().count() + self.taken;
        if before + self.under_way < WRITES_AT_ONCE {
            return Some((now, before));
        }
        // One that is not taken is not kept for ever.
        Some((granted().min()?, before.saturating_sub(1)))
    }

    /// Grants one, and forgets those that were not taken in time.
    pub fn grant(&mut self, id: &DeploymentId, now: Instant) {
        self.granted.retain(|_, until| now < *until);
        self.granted.insert(id.clone(), now + Times::PERMIT);
    }

    /// Takes the one that was granted to this deployment. Returns whether there is one.
    pub fn take(&mut self, id: &DeploymentId, now: Instant) -> bool {
        let is_kept = self.granted.remove(id).is_some_and(|until| now < until);
        if is_kept {
            self.since.remove(id);
            self.taken += 1;
        }
        is_kept
    }

    /// Takes out the one whose turn it is: by lane, and then round robin over namespaces.
    pub fn next(&mut self) -> Option<DeploymentId> {
        self.waiting.pop()
    }

    /// The deployment has no use for one that it waits for, or that nobody has taken. Returns whether there was
    /// one.
    pub fn forget(&mut self, id: &DeploymentId) -> bool {
        self.since.remove(id);
        let waited = self.waiting.remove(id);
        self.granted.remove(id).is_some() || waited
    }

    /// One that was taken is not needed.
    pub fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// One that was taken leaves with its write.
    pub fn sent(&mut self) {
        self.taken = self.taken.saturating_sub(1);
        self.under_way += 1;
    }

    /// A write was answered by the API, and not with a refusal to serve it.
    pub fn served(&mut self, now: Instant) {
        self.moved = Some(now);
    }

    /// A write has ended.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

#[cfg(test)]
#[path = "permits_tests.rs"]
mod tests;
