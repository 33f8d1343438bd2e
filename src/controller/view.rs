//! The controller as its probes and metrics see it.

use std::collections::BTreeMap;

use tokio::{sync::watch, time::Instant};

use super::{parts::Parts, watch_health::WatchHealth};
use crate::{
    api::{ConditionStatus, ConditionType, Reason},
    leader::{Role, Standing},
    metrics::Snapshot,
    remote::Totals,
};

/// A look into the controller.
#[derive(Clone)]
pub struct View {
    parts: Parts,
    /// How the watch of each namespace is.
    watches: Vec<(Option<String>, watch::Receiver<WatchHealth>)>,
    /// `None`: there is no election.
    standing: Option<watch::Receiver<Standing>>,
}

/// One thing that the operator needs to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// Why it is not as it should be, if so.
    pub fault: Option<String>,
}

impl View {
    pub(super) fn new(
        parts: Parts,
        watches: Vec<(Option<String>, watch::Receiver<WatchHealth>)>,
    ) -> Self {
        Self { parts, watches, standing: None }
    }

    pub(super) fn elected(&mut self, standing: watch::Receiver<Standing>) {
        self.standing = Some(standing);
    }

    /// Whether this process acts.
    fn leads(&self) -> bool {
        let standing = self.standing.as_ref();
        standing.is_none_or(|standing| matches!(standing.borrow().role, Role::Leader(_)))
    }

    /// What the operator needs to be ready: each watch has brought all resources, and lives; and it leads, or can. One that
    /// stands by is ready as well.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let now = Instant::now();
        let check = |(namespace, health): &(Option<String>, watch::Receiver<WatchHealth>)| {
            let place = match namespace {
                Some(name) => format!("namespace {name}"),
                None => "all namespaces".to_owned(),
            };
            let name = format!("watch of the QoderDeployments of {place}");
            Check { name, fault: health.borrow().fault(now) }
        };
        let election = self.standing.as_ref().map(|standing| {
            let standing = standing.borrow();
            let name = format!("leader election ({})", standing.role);
            Check { name, fault: standing.fault(now) }
        });
        self.watches.iter().map(check).chain(election).collect()
    }

    /// Returns when the first list of every watch is complete, or has failed while that of another is complete: one
    /// namespace that cannot be listed does not keep the others.
    pub(super) async fn listed(&self) {
        for (_, health) in &self.watches {
            // The sender lives in the watch, which runs as long as the controller.
            let _ = health.clone().wait_for(WatchHealth::is_tried).await;
        }
        if self.watches.iter().any(|(_, health)| health.borrow().is_listed()) {
            return;
        }
        let listed = self.watches.iter().map(|(_, health)| {
            let mut health = health.clone();
            Box::pin(async move {
                let _ = health.wait_for(WatchHealth::is_listed).await;
            })
        });
        futures::future::select_all(listed).await;
    }

    /// What is counted at each scrape. Of the resources and the remote only the leader counts, so that a sum over
    /// replicas is right.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let leads = self.leads();
        // Those that are nowhere, too: an alert can tell 0 from an operator that is gone.
        let all = ConditionType::ALL.into_iter().flat_map(|kind| {
            ConditionStatus::ALL.map(|status| ((kind.as_str(), status.as_str()), 0))
        });
        let mut conditions: BTreeMap<_, _> = all.collect();
        let mut reasons: BTreeMap<_, _> = Reason::ALL
            .iter()
            .filter(|reason| reason.is_of_ready())
            .map(|one| (one.as_str(), 0))
            .collect();
        for resource in self.parts.resources.index().iter().filter(|_| leads) {
            if let Some((_, reason)) = resource.published.ready {
                *reasons.entry(reason.as_str()).or_default() += 1;
            }
            for (kind, transition) in
                ConditionType::ALL.iter().zip(resource.published.transitions.iter())
            {
                if let Some(transition) = transition {
                    let status = transition.status.as_str();
                    *conditions.entry((kind.as_str(), status)).or_default() += 1;
                }
            }
        }
        let remote = if leads { self.parts.remote.totals(now) } else { Totals::default() };
        let failing =
            self.watches.iter().filter_map(|(_, health)| health.borrow().failing_for(now));
        Snapshot {
            leads,
            queue_depth: if leads { self.parts.queue.depth() } else { 0 },
            writes_waiting: remote.writes_waiting,
            breaker_open: remote.is_breaker_open,
            observed_deployments: remote.deployments,
            poll_interval: self.parts.remote.poll_interval(),
            observation_age: remote.oldest_observation,
            watch_failing: failing.max().unwrap_or_default(),
            conditions: conditions
                .into_iter()
                .map(|((kind, status), n)| (kind, status, n))
                .collect(),
            reasons: reasons.into_iter().collect(),
        }
    }
}
