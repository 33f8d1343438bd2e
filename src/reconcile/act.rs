//! Step 3: the one write that the owner asks for. It begins here, after the fresh read; whoever runs the pass
//! awaits its end, so that a remote that hangs keeps no worker from its work.

use std::sync::Arc;

use super::{
    api_server::KubernetesError,
    decide::{Step, decide},
    driver::{Decided, Reconciler, Writes},
    events,
    snapshot::Snapshot,
};
use crate::{
    fair_queue::Lane,
    qoder::Verb,
    remote::{self, Outcome, Write},
    resources::{Memory, Progress, ReachedChange, Resource, Source},
};

/// What became of the step of the owner's decision.
pub enum Acted {
    /// There was no write to begin.
    NoWrite,
    /// The write waits for a permit.
    Waiting,
    /// The resource, as just read, does not ask for the write.
    Dropped,
    /// The write has begun, for the resource as just read.
    Begun(Sending),
}

/// A write under way, and for which resource.
pub struct Sending {
    resource: Arc<Resource>,
    write: remote::Sending,
}

impl Reconciler {
    /// At most one remote write, for the owner. Client required, if there is one.
    pub(super) async fn act(
        &self,
        seen: &Snapshot,
        decided: &[Decided],
        writes: Writes,
    ) -> Result<Acted, KubernetesError> {
        let wanted = decided.iter().find_map(|one| match one.decision.step {
            Step::Write(verb) => Some((&one.resource, verb)),
            Step::Nothing | Step::Observe => None,
        });
        let Some((resource, verb)) = wanted else {
            if let Some(resource) = seen.bound.first() {
                // A permit that nothing asks for any more passes on.
                self.remote.give_back(&resource.deployment);
            }
            return Ok(Acted::NoWrite);
        };
        let id = &resource.deployment;
        if writes == Writes::Withheld
            || !self.remote.permit(id, lane(resource), &resource.key.namespace)
        {
            return Ok(Acted::Waiting);
        }
        let begun = self.fresh_read(resource, verb).await;
        if !matches!(begun, Ok(Some(_))) {
            self.remote.give_back(id);
        }
        Ok(begun?.map_or(Acted::Dropped, Acted::Begun))
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
        let write = self.remote.begin_write(Write {
            id: held.deployment.clone(),
            verb,
            requester: held.requester(),
            is_drift: situation.is_drift(),
        });
        Ok(Some(Sending { resource: Arc::clone(held), write }))
    }

    /// Sends the write that has begun, and lets everyone know how it ended.
    pub async fn send(&self, Sending { resource, write }: Sending) {
        // Without an end, it has woken the deployment already: it waits for another permit.
        let Some((write, outcome)) = write.send().await else { return };
        if outcome == Outcome::Done {
            self.note_done(&resource, &write);
        }
        (self.wake)(&write.id, Lane::Spec);
    }

    fn note_done(&self, resource: &Resource, write: &Write) {
        let Write { id, verb, is_drift, .. } = write;
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
            self.metrics.drift("corrected");
        }
        self.recorder.publish(resource, events::of_write(*verb, *is_drift, resource));
    }
}

fn lane(resource: &Resource) -> Lane {
    if resource.is_answered() { Lane::Drift } else { Lane::Spec }
}
