//! The workers: they take keys from the queue and run passes, a few at once. What a pass begins, a write and
//! statuses, runs beside the passes, so that nothing that hangs holds a key or a worker for long.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt as _, future::join_all};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::queue::Queue;
use crate::{
    api::DeploymentId,
    chain::Chain,
    context::Context,
    fair_queue::Lane,
    lock::lock,
    reconcile::{
        api_server::KubernetesError,
        driver::Reconciler,
        pass::{Publishing, Sending},
    },
    times::Times,
};

/// Reconciles at once; one whose statuses hang no longer counts.
const WORKERS: usize = 16;

/// How often the end of the process looks whether what is to be told of is still there.
const LOOK_FOR_DELETIONS: Duration = Duration::from_millis(500);

pub struct Workers {
    reconciler: Reconciler,
    queue: Arc<Queue>,
    context: Context,
    /// The reconciles under way: each a pass, and then its statuses.
    reconciles: Mutex<JoinSet<()>>,
    /// The writes under way.
    writes: Mutex<JoinSet<()>>,
    /// Deployments with a write that no status tells of yet.
    untold: watch::Sender<BTreeSet<DeploymentId>>,
}

impl Workers {
    /// Workers that do not work yet.
    pub fn new(reconciler: Reconciler, queue: Arc<Queue>, context: Context) -> Self {
        Self {
            reconciler,
            queue,
            context,
            reconciles: Mutex::default(),
            writes: Mutex::default(),
            untold: watch::Sender::default(),
        }
    }

    /// Works on the queue until told to stop; then lets what is under way end, and says how it ended.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let workers = Arc::new(Semaphore::new(WORKERS));
        drop(self.work_until(&workers, stop.wait_for(|stop| *stop), |_| true).await);

        self.reconciler.close_writes();
        self.add_untold();
        let is_untold = |id: &DeploymentId| self.untold.borrow().contains(id);
        let writes = timeout(Times::LAST_WRITES, self.end_writes());
        if self.work_until(&workers, writes, is_untold).await.is_err() {
            tracing::warn!("a write was still under way at the end: it may have been done or not");
        }

        let statuses = timeout(Times::LAST_STATUSES, self.end_statuses());
        if self.work_until(&workers, statuses, is_untold).await.is_err() {
            tracing::warn!("some statuses could not be published before the end");
        }
    }

    /// Nothing goes on: another replica leads. Returns when nothing is under way here any more.
    pub async fn abandon(&self) {
        for tasks in [&self.reconciles, &self.writes] {
            let mut tasks = std::mem::take(&mut *lock(tasks));
            tasks.shutdown().await;
        }
        self.untold.send_replace(BTreeSet::new());
    }

    /// Works on what the queue hands out and `takes` accepts. Returns what `end` says.
    async fn work_until<T>(
        self: &Arc<Self>,
        workers: &Arc<Semaphore>,
        end: impl Future<Output = T>,
        takes: impl Fn(&DeploymentId) -> bool,
    ) -> T {
        let mut end = pin!(end);
        loop {
            let next = async {
                // The semaphore is never closed.
                let worker = Arc::clone(workers).acquire_owned().await.ok();
                let (id, since) = self.queue.next().await;
                (worker, id, since)
            };
            let (worker, id, since) = tokio::select! {
                biased;
                ended = &mut end => return ended,
                next = next => next,
            };
            if !takes(&id) {
                self.queue.done(&id);
                self.reconciler.passed();
                continue;
            }
            self.context.metrics.key_waited(since.elapsed());
            let all = Arc::clone(self);
            spawn(&self.reconciles, async move { all.reconcile(&id, worker).await });
        }
    }

    /// One pass, and then the statuses that it publishes. Others may follow the pass meanwhile, and statuses that hang
    /// keep no worker.
    async fn reconcile(self: &Arc<Self>, id: &DeploymentId, worker: impl Send) {
        let started = Instant::now();
        let _under_way = self.context.metrics.reconcile_started();
        let (result, statuses) = self.pass(id).await;
        self.queue.done(id);
        self.reconciler.passed();
        let statuses = statuses.into_iter().map(|publishing| self.publish(id, publishing));
        let mut statuses = pin!(join_all(statuses));
        let quickly = timeout(Times::SLOW_STATUS, &mut statuses).await;
        drop(worker);
        let published = match quickly {
            Ok(published) => published,
            Err(_) => statuses.await,
        };
        let result = if published.contains(&false) { "error" } else { result };
        self.context.metrics.reconcile_ended(result, started.elapsed());
    }

    /// One pass, and when the next one is due. A panic is an error like others: caught, counted and tried again. Returns
    /// the result for the metrics, and the statuses to send.
    async fn pass(self: &Arc<Self>, id: &DeploymentId) -> (&'static str, Vec<Publishing>) {
        let follows = !self.reconciler.is_write_under_way(id);
        let trace = self.context.traces.of(id);
        let span = tracing::debug_span!(parent: &trace, "pass", deployment_id = %id);
        let pass =
            self.reconciler.reconcile(id, |sending| self.begin(id, sending)).instrument(span);
        let Ok(pass) = AssertUnwindSafe(pass).catch_unwind().await else {
            tracing::error!(deployment_id = %id, "a reconcile panicked, and is tried again");
            let Context { env, times, .. } = &self.context;
            let wait = times.backoff(self.queue.failed(id), env.jitter());
            self.queue.add_at(id, Instant::now() + wait);
            return ("error", Vec::new());
        };
        self.queue.succeeded(id);
        if follows && !pass.has_begun && pass.is_said {
            self.untold.send_if_modified(|untold| untold.remove(id));
        }
        match pass.requeue_at {
            Some(at) if at <= Instant::now() => self.queue.add(id, Lane::Report),
            Some(at) => self.queue.add_at(id, at),
            None => {}
        }
        if pass.failed.is_none() && self.reconciler.is_done(id, &pass) {
            self.context.traces.end(id);
        }
        let result = if let Some(error) = &pass.failed {
            tracing::warn!(deployment_id = %id, error = %Chain(error), "failed to reconcile, and will try again");
            "error"
        } else if pass.requeue_at.is_some() {
            "requeue_after"
        } else {
            "success"
        };
        (result, pass.statuses)
    }

    /// Sends a status. Another pass follows. Returns whether it succeeded.
    async fn publish(&self, id: &DeploymentId, publishing: Publishing) -> bool {
        let sent = AssertUnwindSafe(self.reconciler.send_status(publishing)).catch_unwind().await;
        self.queue.add(id, Lane::Report);
        // Of what is gone no pass follows.
        self.reconciler.passed();
        match sent {
            Ok(Ok(())) => return true,
            // What is gone is not tried again.
            Ok(Err(KubernetesError::NotFound)) if !self.queue.is_named(id) => return true,
            Ok(Err(error)) => {
                tracing::warn!(deployment_id = %id, error = %Chain(&error), "failed to publish a status, and will try again");
            }
            Err(_) => {
                tracing::error!(deployment_id = %id, "publishing a status panicked, and is tried again");
            }
        }
        false
    }

    /// Lets a write run beside the pass that has begun it. Another pass follows its end.
    fn begin(self: &Arc<Self>, id: &DeploymentId, sending: Sending) {
        self.untold.send_if_modified(|untold| {
            // Of what is gone there is nothing to tell.
            untold.retain(|id| self.queue.is_named(id));
            untold.insert(id.clone())
        });
        let (all, id) = (Arc::clone(self), id.clone());
        let trace = self.context.traces.of(&id);
        let sent = async move {
            let ended = AssertUnwindSafe(all.reconciler.send(sending)).catch_unwind().await;
            if ended.is_err() {
                tracing::error!(deployment_id = %id, "a write panicked: it may have been done or not");
            }
            all.queue.add(&id, Lane::Spec);
        };
        spawn(&self.writes, sent.instrument(trace));
    }

    /// Adds each deployment with a write that no status tells of.
    fn add_untold(&self) {
        for id in &self.untold() {
            self.queue.add(id, Lane::Spec);
        }
    }

    /// The deployments with a write that no status tells of. Of what is gone there is nothing to tell.
    fn untold(&self) -> BTreeSet<DeploymentId> {
        self.untold.send_if_modified(|untold| {
            untold.retain(|id| self.queue.is_named(id));
            false
        });
        self.untold.borrow().clone()
    }

    /// Lets the passes that are under way end, and then the writes that they have begun.
    async fn end_writes(&self) {
        end(&self.reconciles).await;
        // They stay where they are: one that does not end in time is still under way.
        while poll_fn(|context| lock(&self.writes).poll_join_next(context)).await.is_some() {}
    }

    /// Lets every write be told, and then the statuses end that are under way.
    async fn end_statuses(&self) {
        let mut told = self.untold.subscribe();
        while !self.untold().is_empty() {
            // Nobody tells here of a resource that goes meanwhile.
            let _ = timeout(LOOK_FOR_DELETIONS, told.changed()).await;
        }
        end(&self.reconciles).await;
    }
}

fn spawn(tasks: &Mutex<JoinSet<()>>, task: impl Future<Output = ()> + Send + 'static) {
    let mut tasks = lock(tasks);
    while tasks.try_join_next().is_some() {}
    tasks.spawn(task);
}

async fn end(tasks: &Mutex<JoinSet<()>>) {
    let mut tasks = std::mem::take(&mut *lock(tasks));
    while tasks.join_next().await.is_some() {}
}
