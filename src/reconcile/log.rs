//! What a pass tells the log: why a deployment was changed, or not.

use super::{
    pass::{Decided, Pass},
    settle::Settled,
    snapshot::Snapshot,
};
use crate::{api::Reason, resources::Resource};

/// One line for each resource of a pass: the situation, what was decided, and what came of it, and when
/// the next pass is due if nothing happens before.
pub(super) fn pass(seen: &Snapshot, settled: &[(Decided, Settled)], pass: &Pass) {
    let again_in = pass.requeue_at.map(|at| at.saturating_duration_since(seen.now));
    for (Decided { resource, situation, decision }, settled) in settled {
        tracing::debug!(
            namespace = %resource.key.namespace,
            name = %resource.key.name,
            deployment_id = %seen.id,
            generation = resource.generation,
            step = ?decision.step,
            verdict = ?decision.verdict,
            has_begun = pass.has_begun,
            ready = settled.ready.map(|ready| ready.reason.as_str()),
            obstacle = ?seen.view.obstacle,
            again_in = ?again_in,
            ?situation,
            "decided"
        );
    }
}

/// One line for each change of the condition Ready that says something of the deployment. What concerns the whole
/// account is logged once, and not for each resource.
pub(super) fn change_of_ready(resource: &Resource, reason: Reason, message: &str) {
    macro_rules! change {
        ($level:ident) => {
            tracing::$level!(
                namespace = %resource.key.namespace,
                name = %resource.key.name,
                deployment_id = %resource.deployment,
                generation = resource.generation,
                before = resource.told.last().map_or("none", Reason::as_str),
                now = reason.as_str(),
                why = message,
                "Ready has changed"
            )
        };
    }
    if reason.is_of_deployment() { change!(info) } else { change!(debug) }
}
