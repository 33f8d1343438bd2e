//! The workers: they take keys from the queue and run passes, a few at once. A write that a pass begins is
//! awaited outside of them.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use futures::{FutureExt as _, future::join_all};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, timeout},
};

use super::queue::Queue;
use crate::{
    api::DeploymentId,
    context::Context,
    fair_queue::Lane,
    lock::lock,
    reconcile::{
        driver::Reconciler,
        pass::{Pass, Sending},
    },
    times::Times,
};

/// Passes under way at once.
const WORKERS: usize = 16;

/// The workers.
pub struct Workers {
    reconciler: Reconciler,
    queue: Arc<Queue>,
    context: Context,
    /// Deployments with a write that no pass has followed yet.
    untold: Mutex<BTreeSet<DeploymentId>>,
}

impl Workers {
    /// Workers that do not work yet.
    pub fn new(reconciler: Reconciler, queue: Arc<Queue>, context: Context) -> Self {
        Self { reconciler, queue, context, untold: Mutex::default() }
    }

    /// Works on the queue until told to stop; then lets what is under way end, and says how it ended.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let workers = Arc::new(Semaphore::new(WORKERS));
        let mut under_way = JoinSet::new();
        loop {
            let next = async {
                // The semaphore is never closed.
                let worker = Arc::clone(&workers).acquire_owned().await.ok();
                let (id, since) = self.queue.next().await;
                (worker, id, since)
            };
            let (worker, id, since) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                next = next => next,
            };
            while under_way.try_join_next().is_some() {}
            self.context.metrics.queue_duration.observe(since.elapsed().as_secs_f64());
            let all = Arc::clone(&self);
            under_way.spawn(async move {
                let sending = all.work_on(&id).await;
                all.queue.done(&id);
                drop(worker);
                if let Some(sending) = sending {
                    all.send(&id, sending).await;
                }
            });
        }
        self.reconciler.close_writes();
        while under_way.join_next().await.is_some() {}
        let untold = std::mem::take(&mut *lock(&self.untold));
        let tell = untold.iter().map(|id| self.work_on(id));
        if timeout(Times::LAST_STATUSES, join_all(tell)).await.is_err() {
            tracing::warn!("some statuses could not be published before the end");
        }
    }

    /// One pass, and when the next one is. A panic is an error like others: caught, counted and tried again.
    async fn work_on(&self, id: &DeploymentId) -> Option<Sending> {
        let started = Instant::now();
        let follows = !self.reconciler.is_write_under_way(id);
        self.context.metrics.reconcile_started();
        let ended = AssertUnwindSafe(self.reconciler.reconcile(id)).catch_unwind().await;
        let (pass, has_panicked) = ended.map_or((Pass::default(), true), |pass| (pass, false));

        if let Some(error) = &pass.failed {
            let error = error as &dyn std::error::Error;
            tracing::warn!(deployment_id = %id, error, "failed to reconcile, and will try again");
        }
        if has_panicked {
            tracing::error!(deployment_id = %id, "a reconcile panicked, and is tried again");
        }
        let has_failed = pass.failed.is_some() || has_panicked;
        self.note(id, follows && !has_failed);
        let result = if has_failed {
            let Context { env, times, .. } = &self.context;
            let wait = times.backoff(self.queue.failed(id), env.jitter());
            self.queue.add_at(id, Instant::now() + wait);
            "error"
        } else {
            self.queue.succeeded(id);
            if pass.look_at.is_some() { "requeue_after" } else { "success" }
        };
        self.context.metrics.reconcile_ended(result, started.elapsed());
        if let Some(at) = pass.look_at {
            self.look_again(id, at);
        }
        pass.sending
    }

    /// Awaits the end of a write. After a panic it counts as lost.
    async fn send(&self, id: &DeploymentId, sending: Sending) {
        let ended = AssertUnwindSafe(self.reconciler.send(sending)).catch_unwind().await;
        if ended.is_err() {
            tracing::error!(deployment_id = %id, "a write panicked: it may have been done or not");
        }
    }

    /// Notes whether a write is to be followed by another pass: one that began after its end, and did not fail, has
    /// told of it.
    fn note(&self, id: &DeploymentId, is_told: bool) {
        let mut untold = lock(&self.untold);
        if self.reconciler.is_write_under_way(id) {
            untold.insert(id.clone());
        } else if is_told {
            untold.remove(id);
        }
    }

    fn look_again(&self, id: &DeploymentId, at: Instant) {
        if at > Instant::now() {
            self.queue.add_at(id, at);
        } else {
            self.queue.add(id, Lane::Report);
        }
    }
}
