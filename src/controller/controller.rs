//! Puts the controller together, runs it, and watches over its tasks.

use std::sync::{Arc, Mutex};

use kube::Client;
use tokio::{sync::watch, time::timeout};

use super::{
    parts::Parts,
    queue::Queue,
    tasks::{Died, Tasks},
    view::View,
    watch::watch_resources,
    watch_health::WatchHealth,
    workers::Workers,
};
use crate::{
    context::Context,
    fair_queue::Lane,
    reconcile::{
        api_server::ApiServer,
        driver::Reconciler,
        recorder::{Publisher, recorder},
    },
    remote::{Account, Remote, Wake},
    resources::{Index, Resources},
    times::Times,
};

/// The one task that ends when it is told to.
const PUBLISHER: &str = "publisher of events";

pub struct Controller {
    parts: Parts,
    workers: Arc<Workers>,
    publisher: Publisher,
    client: Client,
    watches: Vec<(Option<String>, watch::Sender<WatchHealth>)>,
    view: View,
    context: Context,
}

impl Controller {
    /// A controller that has not started, for these namespaces; none: all.
    #[must_use]
    pub fn new(
        client: Client,
        qoder: crate::qoder::Client,
        account: Account,
        namespaces: Vec<String>,
        context: Context,
    ) -> Self {
        let index: Arc<Mutex<Index>> = Arc::default();
        let queue = Arc::new(Queue::new(Arc::clone(&index)));
        let wake: Wake = {
            let queue = Arc::clone(&queue);
            Arc::new(move |id, lane| queue.add(id, lane))
        };
        let remote = Arc::new(Remote::new(qoder, account, Arc::clone(&wake), context.clone()));
        let resources = Arc::new(Resources::new(index, Arc::clone(&remote), wake));
        let (recorder, publisher) = recorder(client.clone());
        let reconciler = Reconciler::new(
            Arc::clone(&resources),
            Arc::clone(&remote),
            ApiServer::new(client.clone(), &context.metrics),
            recorder,
            context.clone(),
        );
        let workers = Arc::new(Workers::new(reconciler, Arc::clone(&queue), context.clone()));
        let namespaces = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.into_iter().map(Some).collect()
        };
        let watches: Vec<_> =
            namespaces.into_iter().map(|namespace| (namespace, watch::Sender::default())).collect();
        let healths =
            watches.iter().map(|(name, health)| (name.clone(), health.subscribe())).collect();
        let parts = Parts { resources, remote, queue };
        let view = View::new(parts.clone(), healths);
        Self { parts, workers, publisher, client, watches, view, context }
    }

    /// For probes and metrics.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Runs until told to stop; then lets what is under way end, and its events be published.
    ///
    /// # Errors
    /// A background task has died: this process is of no use any more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Died> {
        let Self { parts, workers, publisher, client, watches, view, context } = self;
        let Parts { resources, remote, .. } = &parts;
        let mut tasks = Tasks::default();
        for (namespace, health) in watches {
            let name =
                namespace.as_deref().map_or("watch".to_owned(), |name| format!("watch of {name}"));
            let (resources, client) = (Arc::clone(resources), client.clone());
            tasks.spawn(
                name,
                watch_resources(resources, client, namespace, health, context.clone()),
            );
        }
        let (last_events, publish_all) = watch::channel(false);
        tasks.spawn(PUBLISHER, publisher.run(publish_all));
        let token = Arc::clone(remote);
        tasks.spawn("watch of the token", async move { token.watch_token().await });

        // Who owns a deployment, and what is cheap to read, is known when all resources are.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = view.listed() => {}
            died = tasks.died() => return Err(died),
        }
        tracing::info!(resources = resources.index().iter().count(), "the caches are synced");
        tasks.spawn("observer", Arc::clone(remote).observe());
        let permits = Arc::clone(remote);
        tasks.spawn("grant of permits", async move { permits.grant_permits().await });
        tasks.spawn("watch of the credential", follow_credential(parts));
        tokio::select! {
            biased;
            () = workers.work(stop) => {}
            died = tasks.died() => return Err(died),
        }
        last_events.send_replace(true);
        match timeout(Times::LAST_EVENTS, tasks.died()).await {
            Ok(Died::Ended(name)) if name == PUBLISHER => Ok(()),
            Ok(died) => Err(died),
            Err(_) => {
                tracing::warn!("some events could not be published before the end");
                Ok(())
            }
        }
    }
}

/// When the credential changes, every resource has something to say.
async fn follow_credential(Parts { resources, remote, queue }: Parts) {
    let mut changes = remote.credential_changes();
    while changes.changed().await.is_ok() {
        let all = resources.index().deployments();
        for id in &all {
            queue.add(id, Lane::Report);
        }
    }
}
