//! One reconcile: everything about one deployment and the resources that name it, in five steps.
//! Gather and decide and settle are pure; act and publish need a client.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::{index::Index, queue::Queue, recorder::Recorder};
use crate::{
    api::{DeploymentId, Reason, Wish},
    fleet::{Answer, Lane, Observed, Observer, Pass, Remote, Turn},
    lock::lock,
    metrics::Metrics,
    qoder::{Deployment, Verb},
    reconcile::{
        act::{Failed, note_failure, sort},
        again::{earlier, when},
        decide::{Decision, Step, Verdict, decide},
        events,
        gather::{Surroundings, gather, newer_than},
        ledger::Ledger,
        publish::{Kubernetes, KubernetesError, Publication},
        resource::{Memory, Resource},
        settle::{Outcome, ReachedChange, settle},
        situation::{Knowledge, Situation},
        status,
    },
    times::Times,
};

/// Everything that a reconcile works with.
pub struct Reconciler {
    pub(super) index: Mutex<Index>,
    pub(super) ledger: Mutex<Ledger>,
    /// Reconciles of each deployment that failed in a row at the Kubernetes API.
    pub(super) failures: Mutex<HashMap<DeploymentId, u32>>,
    pub(super) queue: Arc<Queue>,
    pub(super) observer: Arc<Observer>,
    pub(super) remote: Arc<Remote>,
    pub(super) kubernetes: Kubernetes,
    pub(super) recorder: Recorder,
    pub(super) metrics: Arc<Metrics>,
    pub(super) times: Times,
}

/// How the step of a decision ended.
enum Acted {
    /// There was no write to make.
    NoWrite,
    /// The write waits for its turn.
    Waiting,
    /// The resource, as just read, does not ask for the write: look again.
    Dropped,
    /// The write was sent, for the resource as just read.
    Sent(Arc<Resource>, Outcome),
}

impl Reconciler {
    /// Reconciles all resources that name this deployment. Returns when to look again, if
    /// nothing happens before.
    ///
    /// # Errors
    /// The Kubernetes API failed; what could be done is done, and the rest is to be tried again.
    pub async fn reconcile(&self, id: &DeploymentId) -> Result<Option<Instant>, KubernetesError> {
        let bound = self.index().bound(id);
        let owner = owner(&bound);
        let mut again = None;
        let mut failed = None;
        for resource in &bound {
            match self.reconcile_one(resource, owner).await {
                Ok(at) => again = earlier(again, at),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(again), Err)
    }

    async fn reconcile_one(
        &self,
        resource: &Resource,
        owner: Option<&Resource>,
    ) -> Result<Option<Instant>, KubernetesError> {
        let situation = self.gather(resource, owner);
        let decision = decide(&situation);
        match self.act(resource, owner, decision).await? {
            Acted::NoWrite => {
                self.finish(resource, owner, &situation, decision, Outcome::NotDone).await
            }
            Acted::Waiting => {
                self.finish(resource, owner, &situation, decision, Outcome::Waiting).await
            }
            Acted::Dropped => Ok(Some(Instant::now())),
            Acted::Sent(resource, outcome) => {
                // The write changed what is known: its own answer, or that a look is due.
                let situation = self.gather(&resource, owner);
                let decision = decide(&situation);
                self.finish(&resource, owner, &situation, decision, outcome).await
            }
        }
    }

    /// Step 1. No client required.
    fn gather(&self, resource: &Resource, owner: Option<&Resource>) -> Situation {
        self.with_surroundings(resource, owner, |around| gather(resource, around))
    }

    /// Calls `f` with what is known besides the resource itself.
    fn with_surroundings<T>(
        &self,
        resource: &Resource,
        owner: Option<&Resource>,
        f: impl FnOnce(Surroundings<'_>) -> T,
    ) -> T {
        let id = &resource.deployment;
        let writes = self.ledger().get(id);
        let (worth, epoch) = {
            let account = self.remote.account();
            (account.worth(), account.epoch())
        };
        f(Surroundings {
            duplicate: resource.wants_to_own() && !is_owner(resource, owner),
            entry: self.observer.cache().get(id),
            writes: &writes,
            worth,
            epoch,
            times: &self.times,
            now: Instant::now(),
        })
    }

    /// Step 3. Client required: at most one remote write, after the fresh read.
    async fn act(
        &self,
        resource: &Resource,
        owner: Option<&Resource>,
        decision: Decision,
    ) -> Result<Acted, KubernetesError> {
        let Step::Write(verb) = decision.step else {
            if is_owner(resource, owner) {
                // A turn that its wish does not need any more passes on.
                self.remote.account().give_back(&resource.deployment);
            }
            return Ok(Acted::NoWrite);
        };
        let id = &resource.deployment;
        let namespace = &resource.key.namespace;
        let turn = self.remote.account().turn(id, lane(resource), namespace, Instant::now());
        let Turn::Yours(pass) = turn else {
            self.queue.waits_for_turn();
            return Ok(Acted::Waiting);
        };
        let as_read = self.fresh_read(resource, verb).await;
        let Ok(Some((resource, situation))) = as_read else {
            self.remote.account().give_back(id);
            return as_read.map(|_| Acted::Dropped);
        };
        let Some(outcome) = self.send(&resource, &situation, verb, &pass).await else {
            self.remote.account().give_back(id);
            return Ok(Acted::Dropped);
        };
        Ok(Acted::Sent(resource, outcome))
    }

    /// Rule Q: reads the resource from the API server and decides again on it, once with the
    /// memory held and once with the memory in its status. Unless both say this verb, what was
    /// read is taken over and the write is dropped.
    async fn fresh_read(
        &self,
        resource: &Resource,
        verb: Verb,
    ) -> Result<Option<(Arc<Resource>, Situation)>, KubernetesError> {
        let Some(object) = self.kubernetes.read(&resource.key).await? else {
            self.forget(resource);
            return Ok(None);
        };
        self.take_in(&object, None);
        let bound = self.index().bound(&resource.deployment);
        let owner = owner(&bound);
        let Some(held) = bound.iter().find(|copy| copy.uid == resource.uid) else {
            return Ok(None);
        };
        let memory = Memory::of(&object.status.unwrap_or_default());
        let stored = Resource { memory, ..Resource::clone(held) };

        let situation = self.gather(held, owner);
        let situations = [situation, self.gather(&stored, owner)];
        if situations.iter().all(|situation| decide(situation).step == Step::Write(verb)) {
            return Ok(Some((held.clone(), situation)));
        }
        self.index().remember(&stored.key, &stored.uid, stored.memory);
        Ok(None)
    }

    /// Sends the write and notes how it ended. `None`: it could not be sent any more, or was not
    /// served: it is to wait for another turn.
    async fn send(
        &self,
        resource: &Resource,
        situation: &Situation,
        verb: Verb,
        pass: &Pass,
    ) -> Option<Outcome> {
        let id = &resource.deployment;
        let called = self.remote.write(verb, id, pass).await?;
        let deployment = match called.result {
            Ok(deployment) => deployment,
            Err(error) => {
                let failed = sort(&error);
                let env = (called.ended, &self.times, fastrand::f64());
                note_failure(self.ledger().note(id), failed, (resource, verb, pass.epoch), env);
                return (failed != Failed::NotServed).then_some(Outcome::NotDone);
            }
        };
        let is_drift = !situation.is_open() && !situation.is_resume_asked_for();
        let is_as_asked = matches!(
            (verb, Answer::from(&deployment)),
            (Verb::Pause, Answer::Paused(_)) | (Verb::Unpause, Answer::Active)
        );
        {
            let mut ledger = self.ledger();
            let writes = ledger.note(id);
            writes.ended(resource, called.ended);
            if !is_as_asked {
                writes.failed(resource, called.ended, &self.times, fastrand::f64());
            } else if is_drift {
                writes.corrected(called.ended, &self.times);
            }
        }
        self.saw(id, deployment, called.started, called.ended);
        tracing::info!(
            namespace = %resource.key.namespace, name = %resource.key.name,
            generation = resource.generation, deployment_id = %id,
            ?verb, is_drift, "changed the deployment"
        );
        if is_drift {
            self.metrics.drift("corrected");
        }
        self.recorder.publish(resource, events::of_write(verb, is_drift, resource));
        Some(Outcome::Done(verb))
    }

    /// The answer of a write is an observation: of what was wished when it started, and newer
    /// than any read that started before it ended.
    fn saw(&self, id: &DeploymentId, deployment: Deployment, started: Instant, ended: Instant) {
        let answer = Answer::from(&deployment);
        let observed = Observed { answer, started, valid_from: ended };
        self.observer.cache().observe(id, Some(deployment), observed);
    }

    /// Steps 4 and 5. Client required, if there is something to publish.
    async fn finish(
        &self,
        resource: &Resource,
        owner: Option<&Resource>,
        situation: &Situation,
        decision: Decision,
        outcome: Outcome,
    ) -> Result<Option<Instant>, KubernetesError> {
        if decision.step == Step::Observe {
            let since =
                self.with_surroundings(resource, owner, |around| newer_than(resource, around));
            self.observer.demand(&resource.deployment, since);
        }
        let settled = settle(situation, decision, outcome);
        self.note_settlement(resource, situation, decision.verdict, settled.reached);
        let memory = resource.memory.after(&settled, resource);
        self.index().remember(&resource.key, &resource.uid, memory.clone());

        let again =
            self.with_surroundings(resource, owner, |around| when(settled.again, resource, around));
        let Some(ready) = settled.ready else {
            return Ok(again);
        };
        let last_known = self
            .observer
            .cache()
            .get(&resource.deployment)
            .and_then(|entry| entry.last_known.clone());
        let namesake = owner.filter(|owner| owner.key.namespace == resource.key.namespace);
        let status = status::render(
            resource,
            &memory,
            ready,
            last_known.as_ref(),
            namesake.map(|owner| &*owner.key.name),
            Timestamp::now(),
        );
        if status.digest() == resource.published.digest {
            return Ok(again);
        }
        self.metrics.status_writes.inc();
        match self.kubernetes.publish(resource, &status).await? {
            Publication::Stands(object) => {
                self.take_in(&object, None);
                if let Some(event) = events::of_change(resource, ready) {
                    self.recorder.publish(resource, event);
                }
                Ok(again)
            }
            Publication::Moved(object) => {
                self.take_in(&object, None);
                Ok(Some(Instant::now()))
            }
            Publication::Gone => {
                self.forget(resource);
                Ok(None)
            }
        }
    }

    /// Keeps the books: what was reached, and what a 409 or a drift turned out to mean.
    fn note_settlement(
        &self,
        resource: &Resource,
        situation: &Situation,
        verdict: Verdict,
        reached: ReachedChange,
    ) {
        let mut ledger = self.ledger();
        if matches!(situation.knowledge, Knowledge::Known { .. })
            && ledger.take_conflict(&resource.deployment)
        {
            let is_confirmed = verdict == Verdict::InSync;
            self.metrics.conflict(if is_confirmed { "already_reconciled" } else { "other" });
        }
        if reached == ReachedChange::Set && resource.wish != Wish::Unmanaged {
            ledger.reached(resource, situation.reconcile_requested);
            if !situation.answered && situation.last_reached.is_some() {
                self.metrics
                    .time_to_effect
                    .observe(resource.generation_seen.elapsed().as_secs_f64());
            }
        }
        let before = resource.published.ready.map(|(_, reason)| reason);
        match verdict {
            Verdict::DriftTolerated if before != Some(Reason::DriftTolerated) => {
                self.metrics.drift("tolerated");
            }
            Verdict::Contested if before != Some(Reason::Contested) => {
                self.metrics.drift("held");
            }
            _ => {}
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(super) fn failures(&self) -> MutexGuard<'_, HashMap<DeploymentId, u32>> {
        lock(&self.failures)
    }
}

/// The owner: the oldest of those that compete. `bound` is sorted, oldest first.
fn owner(bound: &[Arc<Resource>]) -> Option<&Resource> {
    bound.iter().map(Arc::as_ref).find(|resource| resource.wants_to_own())
}

fn is_owner(resource: &Resource, owner: Option<&Resource>) -> bool {
    owner.is_some_and(|owner| owner.uid == resource.uid)
}

fn lane(resource: &Resource) -> Lane {
    if resource.is_answered() { Lane::Drift } else { Lane::Spec }
}
