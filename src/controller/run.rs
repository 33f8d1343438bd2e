//! Puts the controller together and runs it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use kube::Client;
use tokio::{sync::watch, task::JoinSet};

use super::{
    dispatch::{grant_turns, work},
    queue::Queue,
    reconciler::Reconciler,
    recorder::{Publisher, recorder},
    watch::watch_resources,
};
use crate::{
    api::{ConditionType, DeploymentId},
    fleet::{Lane, Observer, Remote},
    metrics::{Metrics, Snapshot},
    reconcile::publish::Kubernetes,
    times::Times,
};

/// What the controller is told.
pub struct Settings {
    /// The namespaces to watch; none: all.
    pub namespaces: Vec<String>,
    /// The flags' times.
    pub times: Times,
}

/// The controller.
pub struct Controller {
    reconciler: Arc<Reconciler>,
    publisher: Box<Publisher>,
    client: Client,
    namespaces: Vec<Option<String>>,
    synced: Vec<watch::Sender<bool>>,
}

/// The controller as its probes and metrics see it.
#[derive(Clone)]
pub struct View {
    reconciler: Arc<Reconciler>,
    synced: Vec<watch::Receiver<bool>>,
}

impl Controller {
    /// A controller that has not started.
    #[must_use]
    pub fn new(
        client: Client,
        remote: Arc<Remote>,
        metrics: Arc<Metrics>,
        settings: Settings,
    ) -> Self {
        let Settings { namespaces, times } = settings;
        let (recorder, publisher) = recorder(client.clone());
        let reconciler = Arc::new_cyclic(|reconciler: &Weak<Reconciler>| {
            let reconciler = Weak::clone(reconciler);
            let wake = move |id: &DeploymentId| {
                if let Some(reconciler) = reconciler.upgrade() {
                    reconciler.enqueue(id, Lane::Drift);
                }
            };
            Reconciler {
                index: Mutex::default(),
                ledger: Mutex::default(),
                failures: Mutex::default(),
                queue: Arc::new(Queue::default()),
                observer: Arc::new(Observer::new(Arc::clone(&remote), times, Arc::new(wake))),
                remote,
                kubernetes: Kubernetes::new(client.clone()),
                recorder,
                metrics,
                times,
            }
        });
        let namespaces: Vec<_> = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.into_iter().map(Some).collect()
        };
        let synced = namespaces.iter().map(|_| watch::Sender::new(false)).collect();
        Self { reconciler, publisher: Box::new(publisher), client, namespaces, synced }
    }

    /// For probes and metrics.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            reconciler: Arc::clone(&self.reconciler),
            synced: self.synced.iter().map(watch::Sender::subscribe).collect(),
        }
    }

    /// Runs until told to stop; then lets what is under way end.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let view = self.view();
        let mut tasks = JoinSet::new();
        for (namespace, synced) in self.namespaces.into_iter().zip(self.synced) {
            let (reconciler, client) = (Arc::clone(&self.reconciler), self.client.clone());
            tasks.spawn(watch_resources(reconciler, client, namespace, synced));
        }
        tasks.spawn(self.publisher.run());
        let remote = Arc::clone(&self.reconciler.remote);
        tasks.spawn(async move { remote.watch_token().await });

        // Who owns a deployment, and what is cheap to read, is known when all resources are.
        let mut stopped = stop.clone();
        tokio::select! {
            () = view.synced() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        tracing::info!(resources = self.reconciler.index().iter().count(), "the caches are synced");
        tasks.spawn(Arc::clone(&self.reconciler.observer).run());
        tasks.spawn(grant_turns(Arc::clone(&self.reconciler)));
        tasks.spawn(follow_credential(Arc::clone(&self.reconciler)));
        // Ends when told to stop; dropping `tasks` ends the others.
        work(self.reconciler, stop).await;
    }
}

/// When the credential becomes usable, or stops being so, every resource has something to say.
async fn follow_credential(reconciler: Arc<Reconciler>) {
    let mut changes = reconciler.remote.worth_changes();
    while changes.changed().await.is_ok() {
        let all = reconciler.index().deployments();
        for id in &all {
            reconciler.enqueue(id, Lane::Report);
        }
    }
}

impl View {
    /// Whether the first list of every watch is complete.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced.iter().all(|synced| *synced.borrow())
    }

    async fn synced(&self) {
        for synced in &self.synced {
            // The sender lives in the watch, which runs as long as the controller.
            let _ = synced.clone().wait_for(|synced| *synced).await;
        }
    }

    /// What is counted when it is asked for.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut conditions = BTreeMap::new();
        for resource in self.reconciler.index().iter() {
            for (kind, transition) in ConditionType::ALL.iter().zip(resource.published.transitions)
            {
                if let Some((status, _)) = transition {
                    *conditions.entry((kind.as_str(), status.as_str())).or_default() += 1;
                }
            }
        }
        let cache = self.reconciler.observer.cache();
        let account = self.reconciler.remote.account();
        Snapshot {
            queue_depth: self.reconciler.queue.depth(),
            writes_waiting: account.waiting(),
            breaker_open: account.is_breaker_open(),
            observed_deployments: cache.count(),
            observation_age: cache.oldest_listed().map(|at| at.elapsed()).unwrap_or_default(),
            conditions: conditions
                .into_iter()
                .map(|((kind, status), n)| (kind, status, n))
                .collect(),
        }
    }
}
