//! Step 3: the one write that the owner asks for. It begins here, after the fresh read; whoever runs the pass
//! awaits its end, so that a remote that hangs does not occupy a worker.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    api_server::KubernetesError,
    decide::{Step, decide},
    driver::Reconciler,
    events,
    pass::{Decided, Pass, Sending, Writes, decide_each},
    snapshot::Snapshot,
};
use crate::{
    fair_queue::Lane,
    qoder::Verb,
    remote::{self, Outcome},
    resources::{Memory, Progress, ReachedChange, Resource, Source},
};

/// What became of the write that the owner asks for.
enum Write {
    /// There is none to send now.
    None,
    /// It waits for a permit, or for the Kubernetes API.
    Waits,
    /// It has begun.
    Begun,
    /// The resource, as just read, does not ask for it.
    Dropped,
}

impl Reconciler {
    /// Begins at most one remote write, for the owner, and asks for the looks that are due. Client required, if
    /// there is a write. Returns what is known and decided by then, and whether a write waits; `None`: what was
    /// read on the way is to be decided anew.
    pub(super) async fn act(
        &self,
        mut seen: Snapshot,
        mut decided: Vec<Decided>,
        writes: Writes,
        pass: &mut Pass,
    ) -> Option<(Snapshot, Vec<Decided>, bool)> {
        let write = self.write(&seen, &decided, writes, pass).await;
        match write {
            Write::None | Write::Waits => {}
            Write::Begun => {
                seen = self.gather(&seen.id);
                decided = decide_each(&seen);
            }
            Write::Dropped => {
                pass.look_again(Some(Instant::now()));
                return None;
            }
        }
        for one in decided.iter().filter(|one| one.decision.step == Step::Observe) {
            self.remote.demand(&seen.id, seen.newer_than(&one.resource));
        }
        Some((seen, decided, matches!(write, Write::Waits)))
    }

    async fn write(
        &self,
        seen: &Snapshot,
        decided: &[Decided],
        writes: Writes,
        pass: &mut Pass,
    ) -> Write {
        let wanted = decided.iter().find_map(|one| match one.decision.step {
            Step::Write(verb) => Some((&one.resource, verb)),
            Step::Nothing | Step::Observe => None,
        });
        let Some((resource, verb)) = wanted else {
            // A permit that nothing asks for any more passes on.
            self.remote.give_back(&seen.id);
            return Write::None;
        };
        let is_permitted = writes == Writes::Allowed
            && self.remote.permit(&seen.id, lane(resource), &resource.key.namespace);
        if !is_permitted {
            return Write::Waits;
        }
        let begun = self.fresh_read(resource, verb).await;
        if !matches!(begun, Ok(Some(_))) {
            self.remote.give_back(&seen.id);
        }
        match begun {
            Ok(Some(sending)) => {
                pass.sending = Some(sending);
                Write::Begun
            }
            Ok(None) => Write::Dropped,
            Err(error) => {
                pass.failed = Some(error);
                Write::Waits
            }
        }
    }

    /// Rule Q: reads the resource from the API server and decides again on it, once with the
    /// memory held and once with the memory in its status. Only if both say this verb, the write begins.
    /// What was read is taken over.
    async fn fresh_read(
        &self,
        resource: &Resource,
        verb: Verb,
    ) -> Result<Option<Sending>, KubernetesError> {
        let object = self.api_server.read(&resource.key).await?;
        self.resources.take_in(&object, Source::Read);
        let seen = self.gather(&resource.deployment);
        let Some(held) = seen.bound.iter().find(|copy| copy.uid == resource.uid) else {
            return Ok(None);
        };
        let memory = Memory::of(&object.status.unwrap_or_default());
        let stored = Resource { memory, ..Resource::clone(held) };
        let situation = seen.situation(held);
        let asks = |situation| decide(&situation).step == Step::Write(verb);
        if !asks(situation) || !asks(seen.situation(&stored)) {
            self.resources.adopt(held, stored.memory);
            return Ok(None);
        }
        let write = self.remote.begin_write(remote::Write {
            id: held.deployment.clone(),
            verb,
            requester: held.requester(),
            is_drift: situation.is_drift(),
        });
        Ok(Some(Sending { resource: Arc::clone(held), write }))
    }

    /// Sends the write that has begun, and lets everyone know how it ended.
    pub async fn send(&self, Sending { resource, write }: Sending) {
        // If it was not sent, that has woken the deployment already, to ask for another permit.
        let Some((write, outcome)) = write.send().await else { return };
        if outcome == Outcome::Done {
            self.note_done(&resource, &write);
        }
        (self.wake)(&write.id, Lane::Spec);
    }

    fn note_done(&self, resource: &Resource, write: &remote::Write) {
        let remote::Write { id, verb, is_drift, .. } = write;
        if *verb == Verb::Unpause {
            // Once for each time it is asked for, also if the platform pauses it before the next look.
            let progress = Progress {
                reached: ReachedChange::Set,
                resume_handled: true,
                reconcile_handled: false,
                is_told: false,
            };
            self.resources.remember(resource, progress);
        }
        tracing::info!(
            namespace = %resource.key.namespace, name = %resource.key.name,
            generation = resource.generation, deployment_id = %id,
            ?verb, is_drift, "changed the deployment"
        );
        if *is_drift {
            self.context.metrics.drift("corrected");
        }
        self.recorder.publish(resource, events::of_write(*verb, *is_drift, resource));
    }
}

fn lane(resource: &Resource) -> Lane {
    if resource.is_answered() { Lane::Drift } else { Lane::Spec }
}
