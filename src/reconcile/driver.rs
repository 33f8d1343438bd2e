//! The driver: one pass over one deployment and all resources that name it, in five steps.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    act::{Acted, Sending},
    api_server::{ApiServer, KubernetesError},
    decide::{Decision, Step, decide},
    recorder::Recorder,
    settle::{Action, Settled, settle},
    situation::Situation,
    snapshot::Snapshot,
};
use crate::{
    api::DeploymentId,
    env::Env,
    metrics::Metrics,
    remote::{Remote, Wake},
    resources::{Resource, Resources},
    times::Times,
};

/// Everything that a pass works with.
pub struct Reconciler {
    pub(super) resources: Arc<Resources>,
    pub(super) remote: Arc<Remote>,
    pub(super) api_server: ApiServer,
    pub(super) recorder: Recorder,
    pub(super) wake: Wake,
    pub(super) metrics: Arc<Metrics>,
    pub(super) env: Env,
    times: Times,
}

/// Whether a pass may send a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It may.
    Allowed,
    /// The process ends: what is to be said is said, and nothing new begins.
    Withheld,
}

/// What a pass leaves to be done.
#[derive(Default)]
pub struct Pass {
    /// The write that has begun, to be awaited by somebody who keeps no worker from its work.
    pub sending: Option<Sending>,
    /// When to look again, if nothing happens before.
    pub again: Option<Instant>,
    /// The Kubernetes API failed: what could be done is done, and the rest is to be tried again.
    pub failed: Option<KubernetesError>,
}

/// One resource of a pass: what it looks like, and what is decided.
pub struct Decided {
    /// The resource.
    pub resource: Arc<Resource>,
    /// Its situation.
    pub situation: Situation,
    /// The decision.
    pub decision: Decision,
}

impl Reconciler {
    /// A driver for these resources and the remote that they bind. Calls `wake` with each deployment that someone
    /// should look at.
    #[must_use]
    pub fn new(
        (resources, remote): (Arc<Resources>, Arc<Remote>),
        (api_server, recorder): (ApiServer, Recorder),
        wake: Wake,
        (metrics, env, times): (Arc<Metrics>, Env, Times),
    ) -> Self {
        Self { resources, remote, api_server, recorder, wake, metrics, env, times }
    }

    /// Reconciles all resources that name this deployment, in five steps:
    ///
    /// 1. gather: all that is known, at one moment (no client required);
    /// 2. decide: what to do and to say about each resource (pure);
    /// 3. act: begin the one write that the owner asks for, if it still does, and ask for the looks that
    ///    are due (client required);
    /// 4. settle: what follows for status and memory, as things are now (pure);
    /// 5. publish: the statuses that differ (client required).
    pub async fn reconcile(&self, id: &DeploymentId, writes: Writes) -> Pass {
        let mut pass = Pass::default();
        let mut seen = self.gather(id);
        let mut decided = decide_each(&seen);
        let acted = self.act(&seen, &decided, writes).await;
        let Some(is_waiting) = pass.take_in(acted) else {
            return pass;
        };
        if pass.sending.is_some() {
            seen = self.gather(id);
            decided = decide_each(&seen);
        }
        self.observe(&seen, &decided);
        for (one, settled) in settle_each(&seen, decided, is_waiting) {
            self.publish(&seen, &one, settled, &mut pass).await;
        }
        pass
    }

    /// Step 1. One moment, by one clock.
    pub(super) fn gather(&self, id: &DeploymentId) -> Snapshot {
        let now = Instant::now();
        let bound = self.resources.index().bound(id);
        Snapshot { now, bound, view: self.remote.view(id, now), times: self.times }
    }

    /// Whether a write to this deployment has begun, and not ended.
    #[must_use]
    pub fn is_write_under_way(&self, id: &DeploymentId) -> bool {
        self.remote.view(id, Instant::now()).writes.under_way_since().is_some()
    }

    /// Of step 3: asks for the looks that are due.
    fn observe(&self, seen: &Snapshot, decided: &[Decided]) {
        for one in decided.iter().filter(|one| one.decision.step == Step::Observe) {
            self.remote.demand(&one.resource.deployment, seen.newer_than(&one.resource));
        }
    }
}

/// Step 2.
fn decide_each(seen: &Snapshot) -> Vec<Decided> {
    let decide_one = |resource: &Arc<Resource>| {
        let situation = seen.situation(resource);
        Decided { resource: Arc::clone(resource), situation, decision: decide(&situation) }
    };
    seen.bound.iter().map(decide_one).collect()
}

/// Step 4.
fn settle_each(
    seen: &Snapshot,
    decided: Vec<Decided>,
    is_waiting: bool,
) -> Vec<(Decided, Settled)> {
    let action = match seen.view.writes.under_way_since() {
        Some(_) => Action::UnderWay { overdue: seen.is_write_overdue() },
        None if is_waiting => Action::Waiting,
        None => Action::None,
    };
    let settle_one = |one: Decided| {
        let settled = settle(&one.situation, one.decision, action);
        (one, settled)
    };
    decided.into_iter().map(settle_one).collect()
}

impl Pass {
    /// Notes what became of step 3. Returns whether a write waits for its turn; `None`: what was read on the
    /// way is to be decided anew.
    fn take_in(&mut self, acted: Result<Acted, KubernetesError>) -> Option<bool> {
        match acted {
            Ok(Acted::NoWrite) => Some(false),
            Ok(Acted::Waiting) => Some(true),
            Ok(Acted::Begun(sending)) => {
                self.sending = Some(sending);
                Some(false)
            }
            Ok(Acted::Dropped) => {
                self.look_again(Some(Instant::now()));
                None
            }
            Err(error) => {
                self.failed = Some(error);
                Some(true)
            }
        }
    }

    /// Looks again then, if not before.
    pub(super) fn look_again(&mut self, at: Option<Instant>) {
        self.again = [self.again, at].into_iter().flatten().min();
    }
}
