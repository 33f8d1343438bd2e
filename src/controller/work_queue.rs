//! The work queue: keys once each, in lanes, fair over namespaces, with delays; a key that is
//! being worked on is not handed out twice. Deterministic, and without a runtime.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::Instant;

use crate::{
    api::DeploymentId,
    fair_queue::{FairQueue, Lane},
};

/// The deployments that wait to be looked at. At the start all of them do: what holds them is of a kind
/// that gives its memory back.
#[derive(Default)]
pub struct WorkQueue {
    ready: FairQueue<DeploymentId>,
    /// Since when each ready key waits.
    since: BTreeMap<DeploymentId, Instant>,
    /// Keys handed out; and if they were added again meanwhile, where they go when done.
    working: BTreeMap<DeploymentId, Option<(Lane, Arc<str>)>>,
    /// When each delayed key becomes ready: the earliest only.
    due: BTreeMap<DeploymentId, (Instant, Arc<str>)>,
    order: BTreeSet<(Instant, DeploymentId)>,
    /// How often in a row the work on a key has failed.
    failures: BTreeMap<DeploymentId, u32>,
}

/// What a worker should do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Work on this deployment, which has waited since then.
    Key(DeploymentId, Instant),
    /// Nothing is ready before this time.
    At(Instant),
    /// Nothing waits.
    Idle,
}

impl WorkQueue {
    /// Someone should look at this deployment now.
    pub fn add(&mut self, id: &DeploymentId, lane: Lane, namespace: &Arc<str>, now: Instant) {
        if let Some(again) = self.working.get_mut(id) {
            let lane = again.as_ref().map_or(lane, |(present, _)| lane.min(*present));
            *again = Some((lane, namespace.clone()));
            return;
        }
        self.since.entry(id.clone()).or_insert(now);
        self.ready.push(id.clone(), lane, namespace);
    }

    /// Someone should look at this deployment then, if not before. The earliest such time counts.
    /// It will be in the last lane: in a long row, who has waited too long for an event must not go before those whose
    /// event has come.
    pub fn add_at(&mut self, id: &DeploymentId, namespace: &Arc<str>, at: Instant) {
        if let Some((present, ..)) = self.due.get(id) {
            if *present <= at {
                return;
            }
            self.order.remove(&(*present, id.clone()));
        }
        self.due.insert(id.clone(), (at, namespace.clone()));
        self.order.insert((at, id.clone()));
    }

    pub fn next(&mut self, now: Instant) -> Next {
        while let Some((at, id)) = self.order.first().cloned() {
            if at > now {
                break;
            }
            self.order.pop_first();
            if let Some((at, namespace)) = self.due.remove(&id) {
                self.add(&id, Lane::Report, &namespace, at);
            }
        }
        match (self.ready.pop(), self.order.first()) {
            (Some(id), _) => {
                let since = self.since.remove(&id).unwrap_or(now);
                self.working.insert(id.clone(), None);
                // The next pass says anew when to look again.
                if let Some((at, ..)) = self.due.remove(&id) {
                    self.order.remove(&(at, id.clone()));
                }
                Next::Key(id, since)
            }
            (None, Some((at, _))) => Next::At(*at),
            (None, None) => Next::Idle,
        }
    }

    /// The work on a key has ended.
    pub fn done(&mut self, id: &DeploymentId, now: Instant) {
        if let Some(Some((lane, namespace))) = self.working.remove(id) {
            self.add(id, lane, &namespace, now);
        }
    }

    /// The work on a key has failed. Returns how often it had failed in a row before.
    pub fn failed(&mut self, id: &DeploymentId) -> u32 {
        let count = self.failures.entry(id.clone()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }

    /// The work on a key has succeeded.
    pub fn succeeded(&mut self, id: &DeploymentId) {
        self.failures.remove(id);
    }

    /// There is no work on this key any more.
    pub fn forget(&mut self, id: &DeploymentId) {
        self.failures.remove(id);
        if let Some((at, ..)) = self.due.remove(id) {
            self.order.remove(&(at, id.clone()));
        }
    }

    /// How many keys are ready.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.ready.len()
    }
}

#[cfg(test)]
#[path = "work_queue_tests.rs"]
mod tests;
