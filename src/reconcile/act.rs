//! Step 3: the one write that the owner asks for. It begins here, right after the fresh read, and runs beside
//! the pass, so that a remote that hangs does not occupy a worker.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    api_server::KubernetesError,
    decide::{Step, decide},
    driver::Reconciler,
    events::{self, Cause},
    pass::{Decided, Pass, Sending, decide_each},
    snapshot::Snapshot,
};
use crate::{
    fair_queue::Lane,
    qoder::Verb,
    remote::{self, Outcome, Permit, Writes},
    resources::{Memory, Progress, ReachedChange, Resource, Source, version},
    times::Times,
};

/// What became of the write that the owner asks for.
enum Write {
    /// There is none to send now.
    None,
    /// It waits for a permit.
    Waits,
    /// It has begun.
    Begun(Sending),
    /// The resource, as just read, does not ask for it.
    Dropped,
    /// The resource asks for it, and its status does not: the status comes first.
    Untold(Arc<Resource>),
    /// The resource could not be read: the write is put off.
    Unread(KubernetesError),
}

/// What is known and decided when a write has begun, or cannot begin.
pub(super) struct Acted {
    pub(super) seen: Snapshot,
    pub(super) decided: Vec<Decided>,
    /// The write waits for a permit.
    pub(super) is_waiting: bool,
    /// The resource whose write waits until its status tells of it.
    pub(super) untold: Option<Arc<Resource>>,
}

impl Reconciler {
    /// Begins at most one remote write, for the owner, and asks for the looks that are due. `None`: what was read on
    /// the way is to be decided anew.
    pub(super) async fn act(
        &self,
        seen: Snapshot,
        decided: Vec<Decided>,
        begin: impl FnOnce(Sending),
        pass: &mut Pass,
    ) -> Option<Acted> {
        let mut acted = Acted { seen, decided, is_waiting: false, untold: None };
        match self.write(&acted).await {
            Write::None => {}
            Write::Waits => acted.is_waiting = true,
            Write::Begun(sending) => {
                // Right after the fresh read: a status may take long.
                begin(sending);
                pass.has_begun = true;
                acted = self.decide_anew(&acted);
            }
            Write::Untold(resource) => {
                acted = Acted { untold: Some(resource), ..self.decide_anew(&acted) };
            }
            Write::Unread(error) => {
                pass.failed = Some(error);
                acted = self.decide_anew(&acted);
            }
            Write::Dropped => {
                pass.requeue(Some(Instant::now()));
                return None;
            }
        }
        let Acted { seen, decided, .. } = &acted;
        for one in decided.iter().filter(|one| one.decision.step == Step::Observe) {
            self.remote.demand(&seen.id, seen.newer_than(&one.resource));
        }
        Some(acted)
    }

    fn decide_anew(&self, acted: &Acted) -> Acted {
        let seen = self.gather(&acted.seen.id);
        let decided = decide_each(&seen);
        Acted { seen, decided, is_waiting: false, untold: None }
    }

    async fn write(&self, Acted { seen, decided, .. }: &Acted) -> Write {
        let wanted = decided.iter().find_map(|one| match one.decision.step {
            Step::Write(verb) => Some((&one.resource, verb)),
            Step::Nothing | Step::Observe => None,
        });
        let Some((resource, verb)) = wanted else {
            // A permit that nothing asks for any more passes on.
            self.remote.forget_permit(&seen.id);
            return Write::None;
        };
        if seen.is_ending() {
            // What is to be said is said, and nothing new begins.
            return Write::None;
        }
        let namespace = &resource.key.namespace;
        let Some(permit) =
            self.remote.permit(&seen.id, lane(resource, &seen.view.writes), namespace)
        else {
            return Write::Waits;
        };
        self.fresh_read(resource, verb, permit, seen.view.writes.failures()).await
    }

    /// Rule Q: reads the resource from the API server and decides again on it, once with the
    /// memory held and once with the memory in its status. Only if both say this verb, the write begins.
    /// What was read is taken over; what the watch has told of since is newer still, and decides. `failures`: how many
    /// writes in a row have failed, this read included.
    async fn fresh_read(
        &self,
        resource: &Resource,
        verb: Verb,
        permit: Permit,
        failures: u32,
    ) -> Write {
        let write = |requester, is_drift| remote::Write {
            id: resource.deployment.clone(),
            verb,
            requester,
            is_drift,
        };
        let put_off = |permit, error| {
            self.remote.put_off(permit, &write(resource.requester(), false));
            Write::Unread(error)
        };
        let limit = Times::fresh_read(failures);
        let mark = self.resources.index().mark();
        let object = match self.api_server.read(&resource.key, limit).await {
            Ok(object) => object,
            Err(error) => return put_off(permit, error),
        };
        self.resources.take_in(&object, Source::Read);
        let seen = self.gather(&resource.deployment);
        let Some(held) = seen.bound.iter().find(|copy| copy.uid == resource.uid) else {
            return Write::Dropped;
        };
        if held.version > version(&object) && held.taken_in < mark {
            // It was there before the read: etcd was restored, and the watch has not told it yet.
            return put_off(permit, KubernetesError::Outdated);
        }
        let memory = Memory::of(&object.status.unwrap_or_default());
        let stored = Resource { memory, ..Resource::clone(held) };
        let situation = seen.situation(held);
        let asks = |situation| decide(&situation).step == Step::Write(verb);
        if !asks(situation) {
            return Write::Dropped;
        }
        if !asks(seen.situation(&stored)) {
            return Write::Untold(Arc::clone(held));
        }
        let cause = Cause::of(verb, &situation, held);
        let write = write(held.requester(), cause == Cause::Drift);
        match self.remote.begin_write(permit, write) {
            Some(write) => Write::Begun(Sending { resource: Arc::clone(held), write, cause }),
            None => Write::None,
        }
    }

    /// Sends the write that has begun. Another pass is to follow: it says how the write ended, or asks for another
    /// permit if it was not sent.
    pub async fn send(&self, Sending { resource, write, cause }: Sending) {
        if let Some((write, Outcome::Done)) = write.send().await {
            self.note_done(&resource, &write, &cause);
        }
    }

    fn note_done(&self, resource: &Resource, write: &remote::Write, cause: &Cause) {
        let remote::Write { id, verb, .. } = write;
        if *verb == Verb::Unpause {
            // Once for each time it is asked for, also if the platform pauses it before the next look.
            let progress = Progress {
                reached: ReachedChange::Set,
                resume_handled: true,
                reconcile_handled: false,
                is_told: false,
            };
            self.note_progress(resource, progress);
        }
        tracing::info!(
            namespace = %resource.key.namespace, name = %resource.key.name,
            generation = resource.generation, deployment_id = %id,
            ?verb, ?cause, "changed the deployment"
        );
        if *cause == Cause::Drift {
            self.context.metrics.drift("corrected");
        }
        self.recorder.publish(resource, events::of_write(*verb, cause, resource));
    }
}

/// Whose turn comes before whose. Who is throttled again and again goes behind the others.
fn lane(resource: &Resource, writes: &Writes) -> Lane {
    if writes.goes_behind(&resource.requester()) {
        Lane::Report
    } else if resource.is_answered() {
        Lane::Drift
    } else {
        Lane::Spec
    }
}
