//! Permits to write, as the remote gives them: asked for, given back, and granted when their turn has come.

use std::sync::Arc;

use tokio::time::Instant;

use super::{calls::until, remote::Remote};
use crate::{api::DeploymentId, fair_queue::Lane};

/// The right to send one write. Dropped, it passes on.
pub struct Permit {
    remote: Option<Arc<Remote>>,
}

impl Permit {
    /// It has left with its write.
    pub(super) fn spend(mut self) {
        self.remote = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(remote) = self.remote.take() {
            remote.state().account.give_back();
            remote.free();
        }
    }
}

impl Remote {
    /// Asks for a permit to write to this deployment. `None`: it waits for one, and is woken when its turn has
    /// come.
    pub fn permit(
        self: &Arc<Self>,
        id: &DeploymentId,
        lane: Lane,
        namespace: &Arc<str>,
    ) -> Option<Permit> {
        let now = Instant::now();
        let (since, has) = {
            let account = &mut self.state().account;
            (account.asked_since(id), account.permit(id, lane, namespace, now))
        };
        self.traces().awaits_permit(id, !has);
        if !has {
            self.permit_wanted.notify_one();
            return None;
        }
        self.context.metrics.budget_waited(now - since.unwrap_or(now));
        Some(Permit { remote: Some(Arc::clone(self)) })
    }

    /// The deployment has no use for a permit: it waits for none, and what was granted to it passes on.
    pub fn forget_permit(&self, id: &DeploymentId) {
        let had = self.state().account.forget_permit(id);
        if had {
            self.traces().awaits_permit(id, false);
            self.free();
        }
    }

    /// No write begins from now on: the process ends. Those that have begun are sent.
    pub fn close_writes(&self) {
        self.state().are_writes_closed = true;
    }

    /// Grants permits as the budget has them, and wakes their deployments. When those that wait stand still, it
    /// wakes them all, once: they have something to say.
    pub async fn grant_permits(&self) {
        let mut told = None;
        loop {
            let now = Instant::now();
            let (granted, next, stuck_at) = {
                let account = &mut self.state().account;
                let stuck_at = account.stuck_at();
                (account.grant(now), account.next_grant(now), stuck_at)
            };
            if let Some(id) = granted {
                self.wake(&id, Lane::Spec);
                continue;
            }
            if told != stuck_at && stuck_at.is_some_and(|at| now >= at) {
                told = stuck_at;
                let waiting = self.state().account.all_waiting();
                for id in &waiting {
                    self.wake(id, Lane::Report);
                }
            }
            let next = next.filter(|_| stuck_at.is_some());
            let stuck_at = stuck_at.filter(|at| now < *at);
            tokio::select! {
                biased;
                () = self.permit_wanted.notified() => {}
                () = until([next, stuck_at].into_iter().flatten().min()) => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "grants_tests.rs"]
mod tests;
