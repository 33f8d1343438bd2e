//! The controller as its probes and metrics see it.

use std::collections::BTreeMap;

use tokio::{sync::watch, time::Instant};

use super::{parts::Parts, watch::Sync};
use crate::{
    api::{ConditionStatus, ConditionType},
    metrics::Snapshot,
};

/// A look into the controller.
#[derive(Clone)]
pub struct View {
    parts: Parts,
    /// How far the watch of each namespace is.
    syncs: Vec<(Option<String>, watch::Receiver<Sync>)>,
}

impl View {
    pub(super) fn new(parts: Parts, syncs: Vec<(Option<String>, watch::Receiver<Sync>)>) -> Self {
        Self { parts, syncs }
    }

    /// What keeps the controller from knowing all resources: a sentence for each watch whose first list is not
    /// complete. None: it is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let missing = self.syncs.iter().filter_map(|(namespace, sync)| {
            let place = namespace.as_deref().map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
            match &*sync.borrow() {
                Sync::Synced => None,
                Sync::Listing => Some(format!("the QoderDeployments of {place} are not listed yet")),
                Sync::Failed(error) => Some(format!(
                    "the QoderDeployments of {place} cannot be listed ({error}): is the CRD installed, and may the operator list them?"
                )),
            }
        });
        missing.collect()
    }

    /// Returns when the first list of every watch is complete, or has failed while that of another is complete: one
    /// namespace that cannot be listed does not keep the others.
    pub(super) async fn listed(&self) {
        for (_, sync) in &self.syncs {
            // The sender lives in the watch, which runs as long as the controller.
            let _ = sync.clone().wait_for(|sync| *sync != Sync::Listing).await;
        }
        let is_synced = |sync: &watch::Receiver<Sync>| *sync.borrow() == Sync::Synced;
        if self.syncs.iter().any(|(_, sync)| is_synced(sync)) {
            return;
        }
        let syncs = self.syncs.iter().map(|(_, sync)| {
            let mut sync = sync.clone();
            Box::pin(async move {
                let _ = sync.wait_for(|sync| *sync == Sync::Synced).await;
            })
        });
        futures::future::select_all(syncs).await;
    }

    /// What is counted at each scrape.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        // Those that are nowhere, too: an alert can tell 0 from an operator that is gone.
        let all = ConditionType::ALL.into_iter().flat_map(|kind| {
            ConditionStatus::ALL.map(|status| ((kind.as_str(), status.as_str()), 0))
        });
        let mut conditions: BTreeMap<_, _> = all.collect();
        for resource in self.parts.resources.index().iter() {
            for (kind, transition) in ConditionType::ALL.iter().zip(resource.published.transitions)
            {
                if let Some(transition) = transition {
                    let status = transition.status.as_str();
                    *conditions.entry((kind.as_str(), status)).or_default() += 1;
                }
            }
        }
        let remote = self.parts.remote.totals(Instant::now());
        Snapshot {
            queue_depth: self.parts.queue.depth(),
            writes_waiting: remote.writes_waiting,
            breaker_open: remote.is_breaker_open,
            observed_deployments: remote.deployments,
            observation_age: remote.oldest_observation,
            conditions: conditions
                .into_iter()
                .map(|((kind, status), n)| (kind, status, n))
                .collect(),
        }
    }
}
