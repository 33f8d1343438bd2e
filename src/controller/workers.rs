//! The workers: they take keys from the queue and run passes, a few at once. A write that a pass begins runs
//! beside them.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use futures::{FutureExt as _, future::join_all};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
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
    /// The writes under way.
    writes: Mutex<JoinSet<()>>,
    /// Deployments with a write that no pass has followed yet.
    untold: Mutex<BTreeSet<DeploymentId>>,
}

impl Workers {
    /// Workers that do not work yet.
    pub fn new(reconciler: Reconciler, queue: Arc<Queue>, context: Context) -> Self {
        Self { reconciler, queue, context, writes: Mutex::default(), untold: Mutex::default() }
    }

    /// Works on the queue until told to stop; then lets what is under way end, and says how it ended.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let workers = Arc::new(Semaphore::new(WORKERS));
        let mut passes = JoinSet::new();
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
            while passes.try_join_next().is_some() {}
            self.context.metrics.queue_duration.observe(since.elapsed().as_secs_f64());
            let all = Arc::clone(&self);
            passes.spawn(async move {
                all.work_on(&id).await;
                all.queue.done(&id);
                drop(worker);
            });
        }
        self.reconciler.close_writes();
        if timeout(Times::LAST_WRITES, self.end(&mut passes)).await.is_err() {
            tracing::warn!("a write was still under way at the end: it may have been done or not");
        }
        let untold = lock(&self.untold).clone();
        if timeout(Times::LAST_STATUSES, join_all(untold.iter().map(|id| self.tell(id))))
            .await
            .is_err()
        {
            tracing::warn!("some statuses could not be published before the end");
        }
    }

    /// Lets all passes end, and then the writes that they have begun.
    async fn end(&self, passes: &mut JoinSet<()>) {
        while passes.join_next().await.is_some() {}
        let mut writes = std::mem::take(&mut *lock(&self.writes));
        while writes.join_next().await.is_some() {}
    }

    /// Tells of the last write to this deployment.
    async fn tell(self: &Arc<Self>, id: &DeploymentId) {
        loop {
            self.work_on(id).await;
            if !lock(&self.untold).contains(id) {
                return;
            }
            sleep(self.context.times.backoff(0, 0.0)).await;
        }
    }

    /// One pass, and when the next one is. A panic is an error like others: caught, counted and tried again.
    async fn work_on(self: &Arc<Self>, id: &DeploymentId) {
        let started = Instant::now();
        let follows = !self.reconciler.is_write_under_way(id);
        self.context.metrics.reconcile_started();
        let pass = self.reconciler.reconcile(id, |sending| self.begin(id, sending));
        let ended = AssertUnwindSafe(pass).catch_unwind().await;
        let (pass, has_panicked) = ended.map_or((Pass::default(), true), |pass| (pass, false));

        if let Some(error) = &pass.failed {
            let error = error as &dyn std::error::Error;
            tracing::warn!(deployment_id = %id, error, "failed to reconcile, and will try again");
        }
        if has_panicked {
            tracing::error!(deployment_id = %id, "a reconcile panicked, and is tried again");
        }
        let has_failed = pass.failed.is_some() || has_panicked;
        let looks_now = pass.look_at.is_some_and(|at| at <= Instant::now());
        if follows && !pass.has_begun && !has_failed && !looks_now {
            lock(&self.untold).remove(id);
        }
        let result = if has_failed {
            let Context { env, times, .. } = &self.context;
            let wait = times.backoff(self.queue.failed(id), env.jitter());
            self.queue.add_at(id, Instant::now() + wait);
            "error"
        } else {
            self.queue.succeeded(id);
            if looks_now {
                self.queue.add(id, Lane::Report);
            }
            if pass.look_at.is_some() { "requeue_after" } else { "success" }
        };
        self.context.metrics.reconcile_ended(result, started.elapsed());
        if let Some(at) = pass.look_at.filter(|_| !looks_now) {
            self.queue.add_at(id, at);
        }
    }

    /// Lets a write run beside the pass that has begun it. Another pass follows its end.
    fn begin(self: &Arc<Self>, id: &DeploymentId, sending: Sending) {
        {
            let mut untold = lock(&self.untold);
            // Of what is gone there is nothing to tell.
            untold.retain(|id| self.queue.is_named(id));
            untold.insert(id.clone());
        }
        let (all, id) = (Arc::clone(self), id.clone());
        let mut writes = lock(&self.writes);
        while writes.try_join_next().is_some() {}
        writes.spawn(async move {
            let ended = AssertUnwindSafe(all.reconciler.send(sending)).catch_unwind().await;
            if ended.is_err() {
                tracing::error!(deployment_id = %id, "a write panicked: it may have been done or not");
            }
        });
    }
}
