//! The work queue as tasks share it: whoever adds a key wakes the one who waits for one. The index says in
//! whose turn a key is worked on, and whether there is anything to do for it at all.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::work_queue::{Next, WorkQueue};
use crate::{
    api::DeploymentId,
    fair_queue::Lane,
    lock::lock,
    resources::Index,
    traces::{Cause, Traces},
};

/// The work queue, shared.
pub struct Queue {
    index: Arc<Mutex<Index>>,
    keys: Mutex<WorkQueue>,
    changed: Notify,
    traces: Arc<Traces>,
}

impl Queue {
    /// A queue for the deployments that this index names.
    #[must_use]
    pub fn new(index: Arc<Mutex<Index>>, traces: Arc<Traces>) -> Self {
        Self { index, keys: Mutex::default(), changed: Notify::new(), traces }
    }

    /// Someone should look at this deployment now: in the first lane while a resource of it waits for an answer,
    /// else in the given one. One that nothing names is forgotten.
    pub fn add(&self, id: &DeploymentId, lane: Lane) {
        let turn = lock(&self.index).turn_of(id, lane);
        if let Some((id, namespace, lane)) = turn {
            self.traces.queued(&id);
            self.keys().add(&id, lane, &namespace, Instant::now());
        } else {
            self.traces.end(id);
            self.keys().forget(id);
        }
        self.changed.notify_one();
    }

    /// Someone should look at this deployment then, if not before.
    pub fn add_at(&self, id: &DeploymentId, at: Instant) {
        let turn = lock(&self.index).turn_of(id, Lane::Report);
        match turn {
            Some((id, namespace, _)) => self.keys().add_at(&id, &namespace, at),
            None => self.keys().forget(id),
        }
        self.changed.notify_one();
    }

    /// A term has ended, and nobody is at work: what was under way is told as far as it has come.
    pub fn end_term(&self) {
        self.traces.end_all();
    }

    /// A term as the leader begins: there is something to look at for every deployment, and nobody is at work.
    pub fn begin_term(&self) {
        *self.keys() = WorkQueue::default();
        let all = lock(&self.index).deployments();
        for id in &all {
            self.traces.begin(id, Cause::Start);
            self.add(id, Lane::Report);
        }
    }

    /// The work on a key has failed. Returns how often it had failed in a row before.
    pub fn failed(&self, id: &DeploymentId) -> u32 {
        self.keys().failed(id)
    }

    /// The work on a key has succeeded.
    pub fn succeeded(&self, id: &DeploymentId) {
        self.keys().succeeded(id);
    }

    /// Whether any resource names this deployment.
    pub fn is_named(&self, id: &DeploymentId) -> bool {
        lock(&self.index).is_bound(id)
    }

    /// How many keys are ready.
    pub fn depth(&self) -> usize {
        self.keys().depth()
    }

    /// The work on a key has ended.
    pub fn done(&self, id: &DeploymentId) {
        self.keys().done(id, Instant::now());
        self.changed.notify_one();
    }

    /// The next key, and since when it was ready, when there is one. For one caller.
    pub async fn next(&self) -> (DeploymentId, Instant) {
        loop {
            let next = self.keys().next(Instant::now());
            match next {
                Next::Key(id, since) => {
                    self.traces.taken(&id);
                    return (id, since);
                }
                Next::At(at) => {
                    tokio::select! {
                        biased;
                        () = self.changed.notified() => {}
                        () = sleep_until(at) => {}
                    }
                }
                Next::Idle => self.changed.notified().await,
            }
        }
    }

    fn keys(&self) -> MutexGuard<'_, WorkQueue> {
        lock(&self.keys)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
