//! The driver: one pass over one deployment and all resources that name it, in five steps.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    act::Acted,
    api_server::ApiServer,
    pass::{Pass, Sending, decide_each, settle_each},
    recorder::Recorder,
    snapshot::Snapshot,
};
use crate::{api::DeploymentId, context::Context, remote::Remote, resources::Resources};

/// Everything that a pass works with.
pub struct Reconciler {
    pub(super) resources: Arc<Resources>,
    pub(super) remote: Arc<Remote>,
    pub(super) api_server: ApiServer,
    pub(super) recorder: Recorder,
    pub(super) context: Context,
}

impl Reconciler {
    /// A driver for these resources and the remote that they bind.
    #[must_use]
    pub fn new(
        resources: Arc<Resources>,
        remote: Arc<Remote>,
        api_server: ApiServer,
        recorder: Recorder,
        context: Context,
    ) -> Self {
        Self { resources, remote, api_server, recorder, context }
    }

    /// Reconciles all resources that name this deployment, in five steps:
    ///
    /// 1. gather: all that is known, at one moment;
    /// 2. decide: what to do and to say about each resource (pure);
    /// 3. act: begin the one write that the owner asks for, if it still does, and hand it to `begin`; ask for the
    ///    looks that are due (this reads from Kubernetes);
    /// 4. settle: what follows for status and memory, as things are now (pure);
    /// 5. publish: hand over the statuses that differ.
    pub async fn reconcile(&self, id: &DeploymentId, begin: impl FnOnce(Sending) + Send) -> Pass {
        let mut pass = Pass::default();
        let seen = self.gather(id);
        let decided = decide_each(&seen);
        let Some(Acted { seen, decided, is_waiting, untold }) =
            self.act(seen, decided, begin, &mut pass).await
        else {
            return pass;
        };
        let settled = settle_each(&seen, decided, is_waiting);
        self.publish(&seen, &settled, untold.as_ref(), &mut pass);
        pass
    }

    /// Step 1. One moment, by one clock.
    pub(super) fn gather(&self, id: &DeploymentId) -> Snapshot {
        let now = Instant::now();
        let bound = self.resources.index().bound(id);
        let view = self.remote.view(id, now);
        Snapshot::new(id, now, bound, view, self.context.times)
    }

    /// To be called after each pass, and each status: those are woken whose turn for a status comes next.
    pub fn passed(&self) {
        self.resources.wake_next_statuses();
    }

    /// No write begins from now on: the process ends.
    pub fn close_writes(&self) {
        self.remote.close_writes();
    }

    /// Whether all that this pass had to do is done, and told: it waits for nothing but time.
    #[must_use]
    pub fn is_done(&self, id: &DeploymentId, pass: &Pass) -> bool {
        let remote = &self.remote;
        let is_under_way =
            pass.has_begun || remote.is_write_under_way(id) || remote.is_demanded(id);
        pass.is_said && !is_under_way && !remote.awaits_permit(id)
    }

    /// Whether a write to this deployment has begun, and not ended.
    #[must_use]
    pub fn is_write_under_way(&self, id: &DeploymentId) -> bool {
        self.remote.is_write_under_way(id)
    }
}
