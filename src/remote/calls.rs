//! The calls to the API: each is admitted by the account, counted, and its end reported back.

use http::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::{
    account::{Admission, Ticket},
    cache::Cache,
    ending::Ending,
    remote::Remote,
    state::State,
};
use crate::{
    api::DeploymentId,
    qoder::{ApiError, Deployment, ListQuery, Operation, Page},
};

/// One read that was made: what came of it, and when it was on its way.
pub struct Called<T> {
    pub result: Result<T, ApiError>,
    pub read: Read,
}

/// One read: what it says depends on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// When the request started.
    pub started: Instant,
    /// With which token.
    pub epoch: u32,
}

/// A call that is on its way. If it is dropped (its task panics), its ticket is let go.
struct UnderWay<'a> {
    remote: &'a Remote,
    ticket: Option<Ticket>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.remote.state().account.let_go(&ticket);
            self.remote.free();
        }
    }
}

impl Remote {
    /// Reads one deployment, as soon as the account admits it. `None`: by then nobody demands it any more.
    pub async fn get(&self, id: &DeploymentId) -> Option<Called<Deployment>> {
        let ticket = self.admitted(|cache| cache.is_demanded(id)).await?;
        let token = ticket.token.clone();
        Some(self.read(Operation::Get, ticket, self.client.get(&token, id)).await)
    }

    /// Reads one page, as soon as the account admits it. `None`: by then nothing is bound any more.
    pub async fn list(&self, query: &ListQuery) -> Option<Called<Page>> {
        let ticket = self.admitted(|cache| cache.count() > 0).await?;
        let token = ticket.token.clone();
        Some(self.read(Operation::List, ticket, self.client.list(&token, query)).await)
    }

    /// Whether a read waits to be admitted.
    pub(super) fn is_read_waiting(&self) -> bool {
        self.admission.try_lock().is_err()
    }

    /// One after the other, in the order in which they came.
    async fn admitted(&self, is_wanted: impl Fn(&Cache) -> bool) -> Option<Ticket> {
        let asked = Instant::now();
        let _first = self.admission.lock().await;
        loop {
            let admission = {
                let State { account, cache, .. } = &mut *self.state();
                if !is_wanted(cache) {
                    return None;
                }
                account.admit_read(Instant::now())
            };
            let at = match admission {
                Admission::Now(ticket) => {
                    self.context.metrics.budget_waited(asked.elapsed());
                    return Some(ticket);
                }
                Admission::At(at) => Some(at),
                Admission::Closed => None,
            };
            tokio::select! {
                biased;
                () = self.read_freed.notified() => {}
                () = until(at) => {}
            }
        }
    }

    async fn read<T>(
        &self,
        operation: Operation,
        ticket: Ticket,
        call: impl Future<Output = Result<T, ApiError>>,
    ) -> Called<T> {
        let started = Instant::now();
        let epoch = ticket.epoch;
        let mut under_way = UnderWay { remote: self, ticket: Some(ticket) };
        let result = call.await;
        let error = result.as_ref().err();
        if let Some(ticket) = under_way.ticket.take() {
            self.state().end_read(operation, &ticket, error, Instant::now(), self.env().jitter());
        }
        self.count(operation, error, started);
        self.after_call(error);
        Called { result, read: Read { started, epoch } }
    }

    /// Counts a call that has ended, and notes how it failed.
    pub(super) fn count(&self, operation: Operation, error: Option<&ApiError>, started: Instant) {
        let code = error.map_or("200", ApiError::code);
        if error.is_some() {
            self.state().last_error = Some(code);
        }
        self.context.metrics.api_call(operation, code, started.elapsed());
    }

    /// Tells those who wait for the end of a call. A token that was refused may have been replaced.
    pub(super) fn after_call(&self, error: Option<&ApiError>) {
        self.tell_credential();
        self.tell_obstacle(Ending::of(error) == Ending::Answered);
        if error.and_then(ApiError::status) == Some(StatusCode::UNAUTHORIZED) {
            self.reload_token();
        }
        self.free();
    }
}

/// Until this time; `None`: for ever.
pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
