//! The work queue as tasks share it: whoever adds a key wakes whoever waits for one.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::work_queue::{Next, WorkQueue};
use crate::{api::DeploymentId, fleet::Lane, lock::lock};

/// The work queue, shared.
#[derive(Default)]
pub struct Queue {
    keys: Mutex<WorkQueue>,
    changed: Notify,
    turn_wanted: Notify,
}

impl Queue {
    /// Someone should look at this deployment now.
    pub fn add(&self, id: &DeploymentId, lane: Lane, namespace: &Arc<str>) {
        self.lock().add(id, lane, namespace, Instant::now());
        self.changed.notify_one();
    }

    /// Someone should look at this deployment then.
    pub fn add_at(&self, id: &DeploymentId, namespace: &Arc<str>, at: Instant) {
        self.lock().add_at(id, namespace, at);
        self.changed.notify_one();
    }

    /// How many keys are ready.
    pub fn depth(&self) -> usize {
        self.lock().depth()
    }

    /// A write waits for its turn.
    pub fn waits_for_turn(&self) {
        self.turn_wanted.notify_one();
    }

    /// Returns when a write waits for its turn. For one caller.
    pub async fn turn_wanted(&self) {
        self.turn_wanted.notified().await;
    }

    /// The work on a key has ended.
    pub fn done(&self, id: &DeploymentId) {
        self.lock().done(id, Instant::now());
        self.changed.notify_one();
    }

    /// The next key, when there is one. For one caller.
    pub async fn next(&self) -> (DeploymentId, Instant) {
        loop {
            let next = self.lock().next(Instant::now());
            match next {
                Next::Key(id, since) => return (id, since),
                Next::At(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                Next::Idle => self.changed.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WorkQueue> {
        lock(&self.keys)
    }
}
