//! Puts the controller together, runs it, and watches over its tasks.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::Client;
use tokio::{sync::watch, time::timeout};

use super::{
    parts::Parts,
    queue::Queue,
    tasks::{Died, Tasks},
    term::{Terms, lead},
    view::View,
    watch::watch_resources,
    watch_health::WatchHealth,
    workers::Workers,
};
use crate::{
    context::Context,
    leader::{Elector, Left},
    reconcile::{
        api_server::ApiServer,
        driver::Reconciler,
        recorder::{Publisher, recorder},
    },
    remote::{Account, Remote, Wake},
    resources::{Index, Resources},
    times::Times,
};

/// The two tasks that end when they are told to.
const PUBLISHER: &str = "publisher of events";
const ELECTOR: &str = "leader election";

pub struct Controller {
    parts: Parts,
    workers: Arc<Workers>,
    publisher: Publisher,
    client: Client,
    watches: Vec<(Option<String>, watch::Sender<WatchHealth>)>,
    view: View,
    /// `None`: this process leads as long as it runs.
    elector: Option<Elector>,
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
        let queue = Arc::new(Queue::new(Arc::clone(&index), Arc::clone(&context.traces)));
        let wake: Wake = {
            let queue = Arc::clone(&queue);
            Arc::new(move |id, lane| queue.add(id, lane))
        };
        let remote = Arc::new(Remote::new(qoder, account, Arc::clone(&wake), context.clone()));
        let resources = Arc::new(Resources::new(index, Arc::clone(&remote), wake));
        let (recorder, publisher) = recorder(client.clone(), context.claim.clone());
        let reconciler = Reconciler::new(
            Arc::clone(&resources),
            Arc::clone(&remote),
            ApiServer::new(client.clone(), &context),
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
        Self { parts, workers, publisher, client, watches, view, elector: None, context }
    }

    /// Acts only while it leads. The claim of this elector is that of the context.
    #[must_use]
    pub fn elected(mut self, elector: Elector) -> Self {
        self.view.elected(elector.standing());
        self.elector = Some(elector);
        self
    }

    /// For probes and metrics.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Runs until told to stop; then lets what is under way end, and its events be published, and gives the lead back.
    ///
    /// # Errors
    /// A background task has died: this process is of no use any more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Died> {
        let Self { parts, workers, publisher, client, watches, view, elector, context } = self;
        let mut tasks = Tasks::default();
        let is_one_watch = watches.len() == 1;
        for (namespace, health) in watches {
            let name =
                namespace.as_deref().map_or("watch".to_owned(), |name| format!("watch of {name}"));
            let (resources, client) = (Arc::clone(&parts.resources), client.clone());
            tasks.spawn(
                name,
                watch_resources(resources, client, namespace, health, context.clone()),
            );
        }
        let (last_events, publish_all) = watch::channel(false);
        tasks.spawn(PUBLISHER, publisher.run(publish_all));
        let token = Arc::clone(&parts.remote);
        tasks.spawn("watch of the token", async move { token.watch_token().await });

        let mut terms = match &elector {
            Some(elector) => Terms::of(elector.standing()),
            // Of several lists one may fail: then the others are not known to be all that there is to wait for.
            None if is_one_watch => Terms::read_ahead(&parts),
            None => Terms::always(),
        };
        // Who owns a deployment is known when all resources are.
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = view.listed() => {}
            died = tasks.died() => return Err(died),
            died = terms.died() => return Err(died),
        }
        tracing::info!(resources = parts.resources.index().count(), "the caches are synced");
        parts.remote.all_are_bound();
        let (leave, left) = watch::channel(None);
        if let Some(elector) = elector {
            tasks.spawn(ELECTOR, elector.run(left));
        }
        let term = tokio::select! {
            biased;
            led = lead(&parts, &workers, &mut terms, stop) => led?,
            died = tasks.died() => return Err(died),
        };
        last_events.send_replace(true);
        if !has_ended(&mut tasks, PUBLISHER, Times::LAST_EVENTS).await? {
            tracing::warn!("some events could not be published before the end");
        }
        leave.send_replace(Some(Left { term, may_land: parts.remote.may_land() }));
        if terms.are_elected() {
            has_ended(&mut tasks, ELECTOR, Times::LAST_RELEASE).await?;
        }
        Ok(())
    }
}

/// Waits for so long until this task has ended as it was told to. Returns whether it has.
async fn has_ended(tasks: &mut Tasks, task: &str, limit: Duration) -> Result<bool, Died> {
    match timeout(limit, tasks.died()).await {
        Ok(Died::Ended(name)) if name == task => Ok(true),
        Ok(died) => Err(died),
        Err(_) => Ok(false),
    }
}
