//! How the Lease is given back at the end of the process.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Elector, Left};
use crate::{
    leader::{evaluate::Start, lease::released},
    times::Times,
};

impl Elector {
    /// Gives the Lease back: the next one leads at once.
    pub(super) async fn release(&mut self, left: Left) {
        // A term that has not begun has sent nothing: what the one before has left is passed on.
        let may_land = match self.term.start {
            _ if left.term == self.term.number => left.may_land,
            Start::First => Duration::ZERO,
            Start::After(may_land) => may_land,
            Start::Resumed => self.lifetime,
        };
        let lease = self.calls.name.clone();
        if timeout(Times::LAST_RELEASE / 2, self.give_back(may_land)).await.is_ok() {
            tracing::info!(lease, ?may_land, "released the Lease");
        } else {
            tracing::warn!(lease, "failed to release the Lease in time; it expires");
        }
    }

    /// Tries until it is no longer ours.
    async fn give_back(&mut self, may_land: Duration) {
        loop {
            let lease = released(&self.lease, may_land, self.env.wall_clock());
            let call = self.calls.replace(&lease);
            if let Ok(Ok(_)) = timeout(Times::LAST_RELEASE / 6, call).await {
                return;
            }
            // A renewal whose answer was not waited for may have changed it; or the API has failed.
            sleep(Times::RELEASE_AGAIN).await;
            if self.look().await.is_ok() && !self.is_holder() {
                return;
            }
        }
    }

    /// Whether the Lease has our name, as it was seen last.
    fn is_holder(&self) -> bool {
        let record = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        record.is_some_and(|record| record.holder == self.identity)
    }
}
