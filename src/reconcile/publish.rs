//! Step 5: what follows from a settlement is remembered, counted, and published if it differs from what stands.

use futures::future::join_all;
use tokio::time::Instant;

use super::{
    api_server::{KubernetesError, Publication},
    driver::Reconciler,
    events,
    pass::{Decided, Pass},
    settle::{Ready, Settled},
    snapshot::Snapshot,
    status::{Contents, render},
};
use crate::{
    api::{QoderDeploymentStatus, Reason, Wish},
    resources::{Progress, ReachedChange, Resource, Source, version},
};

impl Reconciler {
    /// Publishes the status of each resource that has something to say. Client required, if one has.
    pub(super) async fn publish(
        &self,
        seen: &Snapshot,
        settled: Vec<(Decided, Settled)>,
        pass: &mut Pass,
    ) {
        self.count_conflict(seen);
        // At once: one that Kubernetes is slow to take does not delay the others.
        let said = settled.iter().map(|(one, settled)| self.publish_one(seen, one, *settled));
        for one in join_all(said).await {
            pass.look_again(one.look_at);
            pass.failed = one.failed.or(pass.failed.take());
        }
    }

    async fn publish_one(&self, seen: &Snapshot, one: &Decided, settled: Settled) -> Pass {
        let mut pass = Pass::default();
        self.remember(one, settled);
        let is_told = match settled.ready {
            Some(ready) => self.say(seen, &one.resource, settled, ready, &mut pass).await,
            None => false,
        };
        pass.look_again(seen.next_change(&one.resource, is_told));
        pass
    }

    fn remember(&self, Decided { resource, situation, .. }: &Decided, settled: Settled) {
        self.note_progress(resource, settled.progress);
        if settled.progress.reached == ReachedChange::Set && resource.wish != Wish::Unmanaged {
            let (id, owner) = (&resource.deployment, &resource.requester());
            self.remote.reached(id, owner, situation.reconcile_requested);
        }
    }

    /// Remembers the progress of a resource, and how long its wish took, if that is reached now.
    pub(super) fn note_progress(&self, resource: &Resource, progress: Progress) {
        if self.resources.remember(resource, progress) {
            let taken = resource.generation_seen.elapsed();
            self.context.metrics.time_to_effect.observe(taken.as_secs_f64());
        }
    }

    /// Sees to it that this status stands, and tells what is new in it. Returns whether it stands.
    async fn say(
        &self,
        seen: &Snapshot,
        resource: &Resource,
        settled: Settled,
        ready: Ready,
        pass: &mut Pass,
    ) -> bool {
        let status = self.status(seen, resource, settled, ready);
        let stands = status.digest() == resource.published.digest
            || self.send_status(resource, &status, pass).await;
        if stands && self.resources.tell(resource, ready.reason) {
            self.tell(resource, ready.reason);
        }
        stands
    }

    /// The status that is to stand. No client required.
    fn status(
        &self,
        seen: &Snapshot,
        resource: &Resource,
        settled: Settled,
        ready: Ready,
    ) -> QoderDeploymentStatus {
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
        render(resource, &memory, contents)
    }

    /// Returns whether it stands.
    async fn send_status(
        &self,
        resource: &Resource,
        status: &QoderDeploymentStatus,
        pass: &mut Pass,
    ) -> bool {
        self.context.metrics.status_writes.inc();
        self.resources.sent(resource, status.digest());
        match self.api_server.publish(resource, status).await {
            Ok(Publication::Stands(object)) => {
                self.resources.take_in(&object, Source::Apply);
                true
            }
            Ok(Publication::Moved(object)) if version(&object) < resource.version => {
                pass.failed = Some(KubernetesError::Outdated);
                false
            }
            Ok(Publication::Moved(object)) => {
                self.resources.take_in(&object, Source::Read);
                pass.look_again(Some(Instant::now()));
                false
            }
            Ok(Publication::Contended(object)) => {
                self.resources.take_in(&object, Source::Read);
                pass.failed = Some(KubernetesError::Contended);
                false
            }
            Err(error) => {
                pass.failed = Some(error);
                false
            }
        }
    }

    /// Counts a change, and publishes its event.
    fn tell(&self, resource: &Resource, reason: Reason) {
        match reason {
            Reason::DriftTolerated => self.context.metrics.drift("tolerated"),
            Reason::Contested => self.context.metrics.drift("held"),
            _ => {}
        }
        if let Some(event) = events::of_reason(reason, resource) {
            self.recorder.publish(resource, event);
        }
    }

    /// Counts what a 409 meant, once a look after it has shown that.
    fn count_conflict(&self, seen: &Snapshot) {
        let Some(observed) = seen.observed() else { return };
        if let Some(verb) = self.remote.take_conflict(&seen.id) {
            let is_confirmed = observed.answer.is_as_asked(verb);
            let meaning = if is_confirmed { "already_reconciled" } else { "other" };
            self.context.metrics.conflict(meaning);
        }
    }
}
