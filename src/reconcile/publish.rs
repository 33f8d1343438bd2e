//! Step 5: what follows from a settlement is remembered, counted, and published if it differs from what stands.
//! The statuses are sent beside the pass, so that one that Kubernetes is slow to take delays nothing else.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::{Instrument as _, info_span};

use super::{
    api_server::{KubernetesError, Publication},
    driver::Reconciler,
    events, log,
    pass::{Decided, Pass, Publishing},
    settle::{Ready, Settled},
    snapshot::Snapshot,
    status::{Contents, render},
};
use crate::{
    api::{QoderDeploymentStatus, Reason, Wish},
    context::Context,
    fair_queue::Lane,
    resources::{NotNow, Progress, ReachedChange, Resource, Source, StatusWrite},
    times::Times,
    traces,
};

impl Reconciler {
    /// Hands the statuses that differ to the pass, and says when the next pass is due. `untold`: the
    /// resource whose write waits until a status tells of it.
    pub(super) fn publish(
        &self,
        seen: &Snapshot,
        settled: &[(Decided, Settled)],
        untold: Option<&Arc<Resource>>,
        pass: &mut Pass,
    ) {
        self.count_conflict(seen);
        pass.is_said = true;
        for (one, settled) in settled {
            let resource = &one.resource;
            self.remember(one, *settled);
            let ready = settled.ready;
            let stands = ready.is_none_or(|ready| self.say(seen, resource, *settled, ready, pass));
            // What says nothing for now will say something later. Nothing is said of what is being deleted.
            pass.is_said &= stands && (ready.is_some() || resource.deleting);
            if stands && untold.is_some_and(|untold| untold.uid == resource.uid) {
                // It has told: what was read is older.
                pass.requeue(Some(seen.now));
            }
            pass.requeue(seen.next_change(resource, ready.is_some()));
        }
        log::pass(seen, settled, pass);
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

    /// Sees to it that this status stands. Returns whether it does: else it is on its way, follows the one that is, or
    /// waits to be tried again.
    fn say(
        &self,
        seen: &Snapshot,
        resource: &Arc<Resource>,
        settled: Settled,
        ready: Ready,
        pass: &mut Pass,
    ) -> bool {
        let status = self.status(seen, resource, settled, ready);
        let digest = status.digest();
        if digest == resource.published.digest && !resource.is_sending() {
            self.resources.stands(resource);
            self.told(resource, ready.reason, &status);
            return true;
        }
        if let Some(at) = Self::tried_again_at(seen, resource, digest).filter(|at| *at > seen.now) {
            pass.requeue(Some(at));
            return false;
        }
        match StatusWrite::begin(&self.resources, resource, digest, lane(resource, ready.reason)) {
            Ok(write) => {
                let limit =
                    if seen.is_ending() { Times::LAST_CALL } else { Times::KUBERNETES_CALL };
                let (reason, basis) = (ready.reason, seen.view.basis());
                pass.statuses.push(Publishing { write, status, reason, basis, limit });
            }
            // A pass follows its end, or its turn.
            Err(NotNow::OneIsOnItsWay | NotNow::Gone | NotNow::Crowded) => {}
        }
        false
    }

    /// When a status may be sent that has failed, or that someone else has replaced. At the end of the process there is no time to wait for long.
    fn tried_again_at(seen: &Snapshot, resource: &Resource, digest: u64) -> Option<Instant> {
        let longest = if seen.is_ending() { seen.times.backoff(0, 0.0) } else { Duration::MAX };
        let failed = resource.sent.as_ref().and_then(|sent| sent.tried_again_at(digest, longest));
        failed.max(resource.calm_at(longest))
    }

    /// The status that is to stand.
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
            hindrance: seen.hindrance(resource, ready.reason),
            now: self.context.env.wall_clock(),
        };
        render(resource, &memory, contents)
    }

    /// Sends a status, and takes in what the server holds then. Whatever comes of it, another pass is to follow: it tries
    /// again what has failed, and says what is to be said by then.
    ///
    /// # Errors
    /// It may stand or not.
    pub async fn send_status(&self, publishing: Publishing) -> Result<(), KubernetesError> {
        let Publishing { write, status, reason, basis, limit } = publishing;
        let resource = write.resource();
        let is_current = || self.remote.view(&resource.deployment, Instant::now()).basis() == basis;
        let trace = self.context.traces.of(&resource.deployment);
        let span = info_span!(
            target: traces::TARGET, parent: &trace, "status",
            namespace = %resource.key.namespace, name = %resource.key.name,
            generation = resource.generation, reason = reason.as_str(),
        );
        let applied = self.apply_status(resource, &status, reason, is_current, limit);
        let ended = applied.instrument(span).await;
        if ended.is_ok() {
            write.ended();
        } else {
            let before = write.resource().sent.as_ref().map_or(0, |sent| sent.failures());
            let Context { env, times, .. } = &self.context;
            write.failed(times.backoff(before, env.jitter()));
        }
        ended
    }

    async fn apply_status(
        &self,
        resource: &Resource,
        status: &QoderDeploymentStatus,
        reason: Reason,
        is_current: impl FnOnce() -> bool,
        limit: Duration,
    ) -> Result<(), KubernetesError> {
        match self.api_server.publish(resource, status, is_current, limit).await? {
            Publication::Stands(object) => {
                self.resources.take_in(&object, Source::Apply);
                let stands = object.status.as_ref().map(QoderDeploymentStatus::digest);
                if stands != Some(status.digest()) {
                    return Err(KubernetesError::Altered);
                }
                self.told(resource, reason, status);
            }
            Publication::Moved(object) => self.resources.take_in(&object, Source::Read),
            Publication::Contended(object) => {
                self.resources.take_in(&object, Source::Read);
                return Err(KubernetesError::Contended);
            }
        }
        // The next pass would do the same again.
        if self.resources.held_version(resource) == Some(resource.version) {
            return Err(KubernetesError::Outdated);
        }
        Ok(())
    }

    /// A status with this reason stands: counts what is new in it, and publishes its event.
    fn told(&self, resource: &Resource, reason: Reason, status: &QoderDeploymentStatus) {
        if !self.resources.tell(resource, status.digest(), reason) {
            return;
        }
        let message = status.conditions.first().map_or("", |ready| &ready.message);
        log::change_of_ready(resource, reason, message);
        match reason {
            Reason::DriftTolerated => self.context.metrics.drift("tolerated"),
            Reason::Contested => self.context.metrics.drift("held"),
            _ => {}
        }
        if let Some(event) = events::of_reason(reason, message) {
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

/// Which statuses come first where many wait.
fn lane(resource: &Resource, reason: Reason) -> Lane {
    let stands = resource.published.ready.map(|(_, reason)| reason);
    if !resource.is_answered() {
        Lane::Spec
    } else if stands != Some(reason) {
        Lane::Drift
    } else {
        Lane::Report
    }
}
