//! The credential in the course of time: its token is read again and again, one that was rejected is tried again,
//! and each change is told.

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    calls::until,
    credential::{CredentialState, Worth},
    remote::Remote,
};
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

    pub(super) fn reload_token(&self) {
        let (before, reloaded) = {
            let mut state = self.state();
            (state.account.credential(), state.account.reload(Instant::now()))
        };
        match reloaded {
            Ok(true) => tracing::info!("loaded a new token"),
            Ok(false) => {}
            Err(error) if before.worth != Worth::Missing => {
                tracing::error!(error = %Chain(&error), "there is no usable token");
            }
            Err(error) => tracing::debug!(error = %Chain(&error), "there is still no usable token"),
        }
        self.tell_credential();
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
        let is_due = self.state().account.is_probe_due(Instant::now());
        if !is_due || self.is_read_waiting() {
            return false;
        }
        self.list(&ListQuery { scope: Scope::Live, limit: 1, cursor: None }).await.is_some()
    }
}
