//! Every call to the API goes through here: admitted by the account, counted, and its end
//! reported back to the account.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    account::{Account, Admission, Pass, Worth},
    budget::Kind,
};
use crate::{
    api::DeploymentId,
    lock::lock,
    metrics::Metrics,
    qoder::{ApiError, Client, Deployment, ListQuery, Operation, Page, Verb},
    times::Times,
};

/// The API behind one credential.
pub struct Remote {
    client: Client,
    account: Mutex<Account>,
    metrics: Arc<Metrics>,
    /// Something changed for those who wait for admission: a request ended, a token came.
    freed: watch::Sender<()>,
    /// What the credential is worth changed.
    worth: watch::Sender<()>,
}

/// One call that was made: what came of it, and when it was on its way.
pub struct Called<T> {
    /// The answer.
    pub result: Result<T, ApiError>,
    /// When the request started.
    pub started: Instant,
    /// When its answer was there, or it was given up.
    pub ended: Instant,
}

impl Remote {
    /// The API as `client` speaks it, behind `account`. Reads the token.
    #[must_use]
    pub fn new(client: Client, account: Account, metrics: Arc<Metrics>) -> Self {
        let remote = Self {
            client,
            account: Mutex::new(account),
            metrics,
            freed: watch::Sender::new(()),
            worth: watch::Sender::new(()),
        };
        remote.reload_token();
        remote
    }

    /// The account, for as long as nothing is awaited.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    /// Fires when the credential becomes usable or stops being so.
    #[must_use]
    pub fn worth_changes(&self) -> watch::Receiver<()> {
        self.worth.subscribe()
    }

    /// Fires when those who wait for a turn may have one earlier than they were told.
    #[must_use]
    pub fn freed(&self) -> watch::Receiver<()> {
        self.freed.subscribe()
    }

    /// Reads the token again and again: a mounted Secret changes without a word.
    pub async fn watch_token(&self) {
        loop {
            tokio::time::sleep(Times::TOKEN_REREAD).await;
            self.reload_token();
        }
    }

    fn reload_token(&self) {
        let before = self.account().worth();
        let reloaded = self.account().reload();
        let after = self.account().worth();
        match reloaded {
            Ok(true) => tracing::info!("loaded a new token"),
            Ok(false) => {}
            Err(error) if before != Worth::Missing => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "there is no usable token"
                );
            }
            Err(error) => tracing::debug!(%error, "there is still no usable token"),
        }
        if before != after {
            self.worth.send_replace(());
            self.freed.send_replace(());
        }
    }

    /// Reads one deployment, as soon as the budget admits it.
    pub async fn get(&self, id: &DeploymentId) -> Called<Deployment> {
        let pass = self.admitted().await;
        self.call(Operation::Get, &pass, self.client.get(&pass.token, id)).await
    }

    /// Reads one page, as soon as the budget admits it.
    pub async fn list(&self, query: &ListQuery) -> Called<Page> {
        let pass = self.admitted().await;
        self.call(Operation::List, &pass, self.client.list(&pass.token, query)).await
    }

    /// Writes, with a turn that [`Account::turn`] gave. `None`: the server has asked to wait since
    /// then, and the turn is to be given back.
    pub async fn write(
        &self,
        verb: Verb,
        id: &DeploymentId,
        pass: &Pass,
    ) -> Option<Called<Deployment>> {
        loop {
            let now = Instant::now();
            let sent = self.account().send_write(id, now);
            match sent {
                Ok(()) => break,
                Err(at) if at > now + Times::PERMIT => return None,
                Err(at) => sleep_until(at).await,
            }
        }
        let call = self.client.write(&pass.token, verb, id);
        Some(self.call(Operation::Write(verb), pass, call).await)
    }

    async fn admitted(&self) -> Pass {
        let mut freed = self.freed.subscribe();
        loop {
            let admission = self.account().admit_read(Instant::now());
            match admission {
                Admission::Now(pass) => return pass,
                Admission::At(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        _ = freed.changed() => {}
                    }
                }
                Admission::Closed => {
                    // Cannot fail: the sender is `self`.
                    let _ = freed.changed().await;
                }
            }
        }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        pass: &Pass,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Called<T> {
        let started = Instant::now();
        // A call that is dropped half-way (the process stops) must not leave the breaker's probe
        // marked as under way; it never is, because nothing runs on after that.
        let result = call.await;
        let ended = Instant::now();

        let error = result.as_ref().err();
        let kind = match operation {
            Operation::Get | Operation::List => Kind::Read,
            Operation::Write(_) => Kind::Write,
        };
        let sent = (kind, pass.epoch);
        let worth_changed = self.account().ended(sent, error, ended, fastrand::f64());
        self.metrics.api_call(operation, error.map_or("200", ApiError::code), ended - started);
        if worth_changed {
            self.worth.send_replace(());
        }
        if error.and_then(ApiError::status) == Some(http::StatusCode::UNAUTHORIZED) {
            self.reload_token();
        }
        self.freed.send_replace(());
        Called { result, started, ended }
    }
}
