//! The credential in the course of time: its token is read again and again, one that was rejected is tried again,
//! and each change is told.

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{budget::Obstacle, calls::until, credential::CredentialState, remote::Remote};
use crate::{
    chain::Chain,
    qoder::{ListQuery, Scope},
    times::Times,
};

impl Remote {
    /// Tells each change of the credential.
    #[must_use]
    pub fn credential_changes(&self) -> watch::Receiver<CredentialState> {
        self.credential.subscribe()
    }

    /// Reads the token again and again: a mounted Secret changes without notice.
    pub async fn watch_token(&self) {
        loop {
            tokio::time::sleep(Times::TOKEN_REREAD).await;
            self.reload_token();
        }
    }

    /// Reads the token, and logs what is new: another token, or why there is none.
    pub(super) fn reload_token(&self) {
        let reloaded = {
            let state = &mut *self.state();
            let had_one = state.account.has_token();
            let reloaded = state.account.reload(Instant::now());
            let error = reloaded.as_ref().err().map(|error| Chain(error).to_string());
            let is_new_error = error.is_some() && error != state.token_error;
            state.token_error.clone_from(&error);
            (reloaded.unwrap_or_default(), had_one, error.filter(|_| is_new_error))
        };
        match reloaded {
            (.., Some(error)) => tracing::error!(error, "there is no usable token"),
            (true, false, None) => tracing::info!("loaded the token"),
            (true, true, None) => tracing::info!("loaded another token"),
            (false, _, None) => {}
        }
        self.tell_credential();
    }

    /// Logs what keeps all requests back, when it begins and when it is over, as the next call shows: one line, and not one for each resource.
    /// `is_served`: a call has just been served. It is over when that is so, and a wait not before it was met no more
    /// for a while: one kind of request may meet it again and again, and the other be served between.
    pub(super) fn tell_obstacle(&self, is_served: bool) {
        let (before, met, last_error) = {
            let state = &mut *self.state();
            let now = Instant::now();
            let before = state.obstacle_told;
            let met = state.account.obstacle(now).map(|obstacle| (obstacle, now));
            let stands = before.filter(|(obstacle, at)| {
                !is_served || *obstacle == Obstacle::Throttled && now - *at < Times::CALM
            });
            state.obstacle_told = met.or(stands);
            (before, state.obstacle_told, state.last_error)
        };
        let what = |told: Option<(Obstacle, Instant)>| told.map(|(obstacle, _)| obstacle);
        match what(met) {
            now if now == what(before) => {}
            Some(Obstacle::Outage) => {
                tracing::warn!(
                    last_error,
                    "the Qoder API fails: one request at a time is sent to see"
                );
            }
            Some(Obstacle::Throttled) => {
                tracing::warn!("the Qoder API has asked the operator to wait (429 or Retry-After)");
            }
            None => tracing::info!("the Qoder API serves requests again"),
        }
    }

    /// Tells everyone concerned, if the credential has changed.
    pub(super) fn tell_credential(&self) {
        let now = self.state().account.credential();
        let is_news = self.credential.send_if_modified(|told| std::mem::replace(told, now) != now);
        if is_news {
            self.free();
        }
    }

    /// Tries a rejected credential when it is time, as long as anything is bound: polls may be rare, or have nothing
    /// to read.
    pub(super) async fn try_credential(&self) {
        let mut changes = self.credential_changes();
        loop {
            let due = self.state().account.probe_at();
            tokio::select! {
                biased;
                news = changes.changed() => if news.is_err() { return },
                () = until(due) => {
                    let has_tried = self.probe().await;
                    if !has_tried {
                        sleep(self.times().credential_probe(0)).await;
                    }
                }
            }
        }
    }

    /// Makes the cheapest read, unless another one is the probe, or waits to be.
    async fn probe(&self) -> bool {
        let (is_due, are_lists_to_blame, any) = {
            let state = self.state();
            let is_due = state.account.is_probe_due(Instant::now());
            (is_due, state.size.lists.are_to_blame(), state.cache.first().cloned())
        };
        if !is_due || self.is_read_waiting() {
            return false;
        }
        if are_lists_to_blame {
            // A list would fail whatever the token is worth.
            if let Some(id) = any {
                self.demand(&id, Instant::now());
            }
            return false;
        }
        self.list(&ListQuery { scope: Scope::Live, limit: 1, cursor: None }).await.is_some()
    }
}
