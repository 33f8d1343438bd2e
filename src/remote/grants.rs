//! Permits to write, as the remote gives them: asked for, given back, and granted when their turn has come.

use std::sync::Arc;

use tokio::time::Instant;

use super::{calls::until, remote::Remote};
use crate::{api::DeploymentId, fair_queue::Lane};

impl Remote {
    /// Asks for a permit to write to this deployment. `false`: it waits for one, and is woken when its
    /// turn has come.
    pub fn permit(&self, id: &DeploymentId, lane: Lane, namespace: &Arc<str>) -> bool {
        let has = self.state().account.permit(id, lane, namespace, Instant::now());
        if !has {
            self.permit_wanted.notify_one();
        }
        has
    }

    /// The deployment has no use for a permit.
    pub fn give_back(&self, id: &DeploymentId) {
        let had = self.state().account.give_back(id);
        if had {
            self.free();
        }
    }

    /// Grants permits as the budget has them, and wakes their deployments.
    pub async fn grant_permits(&self) {
        loop {
            let (granted, next) = {
                let mut state = self.state();
                let now = Instant::now();
                let granted = state.account.grant(now);
                let is_wanted = state.account.waiting() > 0;
                (granted, if is_wanted { state.account.next_grant(now) } else { None })
            };
            if let Some(id) = granted {
                self.wake(&id, Lane::Spec);
                continue;
            }
            tokio::select! {
                biased;
                () = self.permit_wanted.notified() => {}
                () = until(next) => {}
            }
        }
    }
}
