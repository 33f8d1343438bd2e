//! The loops that hand the queue's keys to workers and the budget's turns to keys.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::reconciler::Reconciler;
use crate::{api::DeploymentId, fleet::Lane};

/// Reconciles under way at once.
const WORKERS: usize = 16;

/// Works on the queue until told to stop; then lets what is under way end.
pub async fn work(reconciler: Arc<Reconciler>, mut stop: watch::Receiver<bool>) {
    let workers = Arc::new(Semaphore::new(WORKERS));
    let mut under_way = JoinSet::new();
    loop {
        // The semaphore is never closed, and the sender of `stop` outlives this loop.
        let Ok(worker) = Arc::clone(&workers).acquire_owned().await else {
            break;
        };
        let (id, since) = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            next = reconciler.queue.next() => next,
        };
        while under_way.try_join_next().is_some() {}
        let reconciler = Arc::clone(&reconciler);
        under_way.spawn(async move {
            reconciler.metrics.queue_duration.observe(since.elapsed().as_secs_f64());
            work_on(&reconciler, &id).await;
            reconciler.queue.done(&id);
            drop(worker);
        });
    }
    while under_way.join_next().await.is_some() {}
}

/// One reconcile, and when the next one is. A panic is an error like others: caught, counted and
/// tried again.
async fn work_on(reconciler: &Reconciler, id: &DeploymentId) {
    let started = Instant::now();
    reconciler.metrics.reconcile_started();
    let ended = AssertUnwindSafe(reconciler.reconcile(id)).catch_unwind().await;

    let (result, again) = match ended {
        Ok(Ok(again)) => {
            reconciler.failures().remove(id);
            (if again.is_some() { "requeue_after" } else { "success" }, again)
        }
        failed => {
            if let Ok(Err(error)) = failed {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(deployment_id = %id, error, "failed to reconcile, and will try again");
            } else {
                tracing::error!(deployment_id = %id, "a reconcile panicked, and is tried again");
            }
            let mut failures = reconciler.failures();
            let count = failures.entry(id.clone()).or_default();
            let wait = reconciler.times.backoff(*count, fastrand::f64());
            *count = count.saturating_add(1);
            ("error", Some(Instant::now() + wait))
        }
    };
    reconciler.metrics.reconcile_ended(result, started.elapsed());

    match again {
        Some(at) if at > Instant::now() => reconciler.enqueue_at(id, at),
        Some(_) => reconciler.enqueue(id, Lane::Report),
        None => {}
    }
}

/// Grants turns to write as the budget has them, and brings their keys back into the queue.
pub async fn grant_turns(reconciler: Arc<Reconciler>) {
    let mut freed = reconciler.remote.freed();
    loop {
        let (granted, next) = {
            let mut account = reconciler.remote.account();
            let now = Instant::now();
            let granted = account.grant(now);
            (granted, if account.waiting() > 0 { account.next_grant(now) } else { None })
        };
        if let Some(id) = granted {
            reconciler.enqueue(&id, Lane::Spec);
            continue;
        }
        let at = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = at => {}
            () = reconciler.queue.turn_wanted() => {}
            _ = freed.changed() => {}
        }
    }
}
