//! Step 5: what follows from a settlement is remembered, counted, and published if it differs from what stands.

use tokio::time::Instant;

use super::{
    api_server::Publication,
    decide::Verdict,
    driver::Reconciler,
    events,
    pass::{Decided, Pass},
    settle::{Ready, Settled},
    situation::Knowledge,
    snapshot::Snapshot,
    status::{Contents, render},
};
use crate::{
    api::{QoderDeploymentStatus, Reason, Wish},
    resources::{ReachedChange, Resource, Source},
};

impl Reconciler {
    /// Publishes the status of each resource that has something to say. Client required, if one has.
    pub(super) async fn publish(
        &self,
        seen: &Snapshot,
        settled: Vec<(Decided, Settled)>,
        pass: &mut Pass,
    ) {
        for (one, settled) in settled {
            self.count(seen, &one, settled);
            self.resources.remember(&one.resource, settled.progress);
            let is_told = match self.status(seen, &one.resource, settled) {
                Some((ready, status)) => {
                    self.send_status(&one.resource, ready, &status, pass).await
                }
                None => settled.ready.is_some(),
            };
            pass.look_again(seen.next_change(&one.resource, is_told));
        }
    }

    /// The status that is to stand; `None`: it does already, or what stands is left. No client required.
    fn status(
        &self,
        seen: &Snapshot,
        resource: &Resource,
        settled: Settled,
    ) -> Option<(Ready, QoderDeploymentStatus)> {
        let ready = settled.ready?;
        let memory = resource.memory.after(settled.progress, &resource.asked());
        let last_known = seen.view.entry.as_ref().and_then(|entry| entry.last_known.as_deref());
        let namesake = seen.owner().filter(|owner| owner.key.namespace == resource.key.namespace);
        let contents = Contents {
            ready,
            last_known,
            owner: namesake.map(|owner| &*owner.key.name),
            hindrance: seen.hindrance(resource),
            now: self.context.env.wall_clock(),
        };
        let status = render(resource, &memory, contents);
        (status.digest() != resource.published.digest).then_some((ready, status))
    }

    /// Returns whether it stands.
    async fn send_status(
        &self,
        resource: &Resource,
        ready: Ready,
        status: &QoderDeploymentStatus,
        pass: &mut Pass,
    ) -> bool {
        self.context.metrics.status_writes.inc();
        self.resources.sent(resource, status.digest());
        match self.api_server.publish(resource, status).await {
            Ok(Publication::Stands(object)) => {
                self.resources.take_in(&object, Source::Apply);
                if let Some(event) = events::of_change(resource, ready) {
                    self.recorder.publish(resource, event);
                }
                true
            }
            Ok(Publication::Moved(object)) => {
                self.resources.take_in(&object, Source::Read);
                pass.look_again(Some(Instant::now()));
                false
            }
            Err(error) => {
                pass.failed = Some(error);
                false
            }
        }
    }

    /// Keeps the books: what was reached, and what a 409 or a drift turned out to mean.
    fn count(&self, seen: &Snapshot, one: &Decided, settled: Settled) {
        let Decided { resource, situation, decision } = one;
        let is_known = matches!(situation.knowledge, Knowledge::Known { .. });
        if is_known && self.remote.take_conflict(&seen.id) {
            let is_confirmed = decision.verdict == Verdict::InSync;
            self.context.metrics.conflict(if is_confirmed {
                "already_reconciled"
            } else {
                "other"
            });
        }
        if settled.progress.reached == ReachedChange::Set && resource.wish != Wish::Unmanaged {
            self.remote.reached(&seen.id, &resource.requester(), situation.reconcile_requested);
            if !situation.answered && situation.last_reached.is_some() {
                let taken = seen.now - resource.generation_seen;
                self.context.metrics.time_to_effect.observe(taken.as_secs_f64());
            }
        }
        let before = resource.published.ready.map(|(_, reason)| reason);
        match decision.verdict {
            Verdict::DriftTolerated if before != Some(Reason::DriftTolerated) => {
                self.context.metrics.drift("tolerated");
            }
            Verdict::Contested if before != Some(Reason::Contested) => {
                self.context.metrics.drift("held");
            }
            _ => {}
        }
    }
}
