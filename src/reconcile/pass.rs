//! What one pass hands from step to step, and what it leaves to be done.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    api_server::KubernetesError,
    decide::{Decision, decide},
    events::Cause,
    settle::{Settled, conclude},
    situation::Situation,
    snapshot::Snapshot,
};
use crate::{
    api::{QoderDeploymentStatus, Reason},
    remote::{self, Basis},
    resources::{Resource, StatusWrite},
};

/// What a pass leaves to be done.
#[derive(Default)]
pub struct Pass {
    /// A write has begun.
    pub has_begun: bool,
    /// When another pass is due, if nothing happens before.
    pub requeue_at: Option<Instant>,
    /// The Kubernetes API failed: what could be done is done, and the rest is tried again when the next pass is due.
    pub failed: Option<KubernetesError>,
    pub statuses: Vec<Publishing>,
    /// Every status that is to stand does, so `statuses` is empty.
    pub is_said: bool,
}

impl Pass {
    /// Another pass is due then, if not before.
    pub(super) fn requeue(&mut self, at: Option<Instant>) {
        self.requeue_at = [self.requeue_at, at].into_iter().flatten().min();
    }
}

/// A write under way, and for which resource.
pub struct Sending {
    /// The resource, as it was read right before.
    pub(super) resource: Arc<Resource>,
    pub(super) write: remote::Sending,
    /// What it answers.
    pub(super) cause: Cause,
}

/// A status on its way.
pub struct Publishing {
    pub(super) write: StatusWrite,
    pub(super) status: QoderDeploymentStatus,
    /// Its reason of Ready.
    pub(super) reason: Reason,
    /// What it says of the deployment rests on this.
    pub(super) basis: Basis,
    /// How long one call for it may take.
    pub(super) limit: Duration,
}

/// One resource of a pass, and what is decided about it.
pub struct Decided {
    pub resource: Arc<Resource>,
    pub situation: Situation,
    pub decision: Decision,
}

/// Step 2.
#[must_use]
pub fn decide_each(seen: &Snapshot) -> Vec<Decided> {
    let decide_one = |resource: &Arc<Resource>| {
        let situation = seen.situation(resource);
        Decided { resource: Arc::clone(resource), situation, decision: decide(&situation) }
    };
    seen.bound.iter().map(decide_one).collect()
}

/// Step 4.
#[must_use]
pub fn settle_each(
    seen: &Snapshot,
    decided: Vec<Decided>,
    is_waiting: bool,
) -> Vec<(Decided, Settled)> {
    let settle_one = |one: Decided| {
        let action = seen.action(&one.resource, is_waiting);
        let settled = conclude(&one.situation, one.decision, action);
        (one, settled)
    };
    decided.into_iter().map(settle_one).collect()
}
